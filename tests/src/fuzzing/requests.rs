//! Requests to the administrator's port, without a socket: paths, queries, bodies, and who sends them.
//!
//! The first two bytes say how and by whom the rest is sent: a path to the first line's end, then a body. The master
//! behind the port has no nodes that run, and is another one when a request has ended it.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::App;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::rt::time::timeout;
use actix_web::rt::{System, SystemRunner};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Bytes;
use lampyris::master::Rehearsal;
use lampyris_runtime::config::{Config, Machine};
use tempfile::TempDir;

use super::{Target, memory};

/// The routes, the guards in front of them, what they read of paths, queries and bodies.
pub const REQUESTS: Target = Target {
    name: "admin",
    run: requests,
    seeds,
    end: || drop(STAGE.with_borrow_mut(|stage| stage.take())),
};

/// So many requests are asked of one master.
const LIFE: u32 = 20_000;

/// An answer takes no longer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// By the lowest bits of the first byte.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::POST,
    Method::DELETE,
    Method::PUT,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
];

/// By the lowest bits of the second byte: nobody, and those whom the configuration knows; and one whom it does not.
const TOKENS: [&str; 4] = [
    "",
    "token-of-a-viewer",
    "token-of-nobody-here",
    "token-of-an-admin",
];

/// The bits above the method, in the first byte.
const FORM: u8 = 1 << 3;
const SESSION: u8 = 1 << 4;
const OWN_ORIGIN: u8 = 1 << 5;
const OWN_HEADER: u8 = 1 << 6;
const FOREIGN_HOST: u8 = 1 << 7;

/// The host that the port goes by, and the path of sessions.
const OWN: &str = "127.0.0.1:47002";
const SESSIONS: &str = "/api/v1/session";

const CONFIG: &str = r#"{
    "run_dir": "run",
    "master": {"rootport": 47001, "webport": 47002},
    "admin": {"tokens": [
        {"name": "eve", "role": "viewer", "token": "token-of-a-viewer"},
        {"name": "ada", "role": "admin", "token": "token-of-an-admin"}
    ]},
    "servers": {"gate": {"app": "app.gate"}, "game1": {"app": "app.game"}}
}"#;

thread_local! {
    /// A master takes too long to begin for one input. It is not dropped with the thread: what it drops then asks for
    /// things of the thread that are gone.
    static STAGE: RefCell<ManuallyDrop<Option<Stage>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// One master, and how it is asked.
struct Stage {
    asked: u32,
    session: String,
    answers: Box<dyn Fn(TestRequest, Uri) -> Answering>,
    port: Rehearsal,
    /// Last, as everything before lives in it.
    system: SystemRunner,
    _folder: TempDir,
}

/// An answer that comes.
type Answering = Pin<Box<dyn Future<Output = Answer>>>;

struct Answer {
    status: StatusCode,
    cookie: Option<String>,
    body: Bytes,
}

/// No request is answered with a fault of the server, shows a token, or is allowed to somebody who may not.
fn requests(input: &[u8]) {
    let Some((&[how, who], rest)) = input.split_first_chunk() else {
        return;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (path, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    // What is no path does not pass the reader of HTTP either.
    let Ok(uri) = Uri::try_from(path) else { return };
    STAGE.with_borrow_mut(|stage| {
        let asked = stage.get_or_insert_with(Stage::new);
        let answer = asked.ask(how, who, &uri, body);
        judge(how, who, &uri, &answer);
        if asked.asked >= LIFE || asked.port.has_ended() {
            drop(stage.take());
        }
    });
}

fn judge(how: u8, who: u8, uri: &Uri, answer: &Answer) {
    let Answer { status, body, .. } = answer;
    let text = || format!("{status} for {uri}: {}", String::from_utf8_lossy(body));
    assert!(
        !status.is_server_error() || *status == StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        text()
    );
    // No input says it by itself.
    let secret = TOKENS[3].as_bytes();
    let shown = body.windows(secret.len()).any(|window| window == secret);
    assert!(!shown, "a token in {}", text());
    let token = token(who);
    let known =
        token.ends_with("-viewer") || token.ends_with("-admin") || (token.is_empty() && how & SESSION != 0);
    let open = !uri.path().starts_with("/api") || uri.path() == SESSIONS;
    assert!(known || open || !status.is_success(), "to nobody: {}", text());
    let done = status.is_success() && uri.path().contains("/actions/");
    assert!(!done || !token.ends_with("-viewer"), "to a viewer: {}", text());
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(memory()).expect("a folder");
        let file = folder.path().join("config.json");
        std::fs::write(&file, CONFIG).expect("a file");
        let machine = Machine {
            lowest_port: 1024,
            open_files: 4096,
        };
        let config = Config::load_on(&machine, &file, std::iter::empty()).expect("a configuration");
        let system = System::new();
        let (port, answers) = system.block_on(async {
            let port = Rehearsal::begin(config).expect("a master");
            let app = App::new().configure(|config| port.routes(config));
            let app = Rc::new(init_service(app).await);
            let answers = move |request: TestRequest, uri: Uri| {
                let mut request = request.to_request();
                request.head_mut().uri = uri;
                let app = Rc::clone(&app);
                let answer = async move { read(app.call(request).await).await };
                Box::pin(answer) as Answering
            };
            (port, answers)
        });
        let mut stage = Self {
            asked: 0,
            session: String::new(),
            answers: Box::new(answers),
            port,
            system,
            _folder: folder,
        };
        stage.log_in();
        stage
    }

    /// Opens a session as the page does.
    fn log_in(&mut self) {
        let body = format!("{{\"token\": \"{}\"}}", TOKENS[3]);
        let request = TestRequest::post().insert_header((HOST, OWN));
        let answer = self.answer(request.set_payload(body), Uri::from_static(SESSIONS));
        self.session = answer.cookie.expect("a session");
    }

    fn ask(&mut self, how: u8, who: u8, uri: &Uri, body: &[u8]) -> Answer {
        self.asked += 1;
        let method = METHODS[usize::from(how) % METHODS.len()].clone();
        let kind = if how & FORM == 0 {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let host = if how & FOREIGN_HOST == 0 {
            OWN
        } else {
            "elsewhere.example"
        };
        let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, who >> 4), 4711));
        let mut request = TestRequest::with_uri("/").method(method).peer_addr(from);
        request = request
            .insert_header((HOST, host))
            .insert_header((CONTENT_TYPE, kind));
        let token = token(who);
        if !token.is_empty() {
            request = request.insert_header((AUTHORIZATION, format!("Bearer {token}")));
        }
        if how & SESSION != 0 {
            request = request.insert_header((COOKIE, self.session.clone()));
        }
        if how & OWN_ORIGIN != 0 {
            request = request.insert_header((ORIGIN, format!("http://{OWN}")));
        }
        if how & OWN_HEADER != 0 {
            request = request.insert_header(("x-lampyris", "1"));
        }
        self.answer(request.set_payload(body.to_vec()), uri.clone())
    }

    fn answer(&self, request: TestRequest, uri: Uri) -> Answer {
        let answer = async { timeout(PATIENCE, (self.answers)(request, uri)).await };
        self.system.block_on(answer).expect("an answer in time")
    }
}

/// Whose token the request has.
fn token(who: u8) -> &'static str {
    TOKENS[usize::from(who) % TOKENS.len()]
}

/// The whole answer; of a stream of news, which has no end, only that it has begun.
async fn read(answer: Result<ServiceResponse, actix_web::Error>) -> Answer {
    let answer = match answer {
        Ok(answer) => answer.into_parts().1,
        Err(error) => error.error_response(),
    };
    let cookie = answer
        .cookies()
        .next()
        .map(|cookie| format!("{}={}", cookie.name(), cookie.value()));
    let (status, body) = (answer.status(), answer.into_body());
    let body = match body.size() {
        BodySize::Stream => Bytes::new(),
        _ => actix_web::body::to_bytes(body).await.unwrap_or_default(),
    };
    Answer { status, cookie, body }
}

const VIEWER: u8 = 1;
const ADMIN: u8 = 3;
const PAGE: u8 = SESSION | OWN_ORIGIN | OWN_HEADER;

/// What may be read of the API.
const READ: [&str; 14] = [
    "cluster",
    "nodes",
    "nodes/gate",
    "links",
    "handlers",
    "clients?limit=5",
    "events?since=1&kind=action",
    "logs?node=gate&lines=5",
    "stream?topics=cluster,node:gate",
    "config",
    "operations/1",
    "whoami",
    "openapi.json",
    "traces/0123456789abcdef0123456789abcdef",
];

/// What is there beside it, or looks as if it were.
const BESIDE: [&str; 11] = [
    "/",
    "/login",
    "/healthz",
    "/readyz",
    "/metrics",
    "/licenses",
    "/assets/x/app.js",
    "/api/v1/%6eodes/%2e%2e",
    "/api/v1/../../etc/passwd",
    "/nodes/gate",
    "/?x=%00",
];

/// What is done: how, by whom, where, with which body.
const DONE: [(u8, u8, &str, &str); 16] = [
    (1, ADMIN, "/api/v1/nodes/gate/actions/start", "{}"),
    (1, ADMIN, "/api/v1/nodes/gate/actions/stop?dry_run=true", "null"),
    (
        1,
        ADMIN,
        "/api/v1/nodes/game1/actions/restart",
        r#"{"reason": "x"}"#,
    ),
    (
        1,
        ADMIN,
        "/api/v1/nodes/game1/actions/kill",
        r#"{"signal": "term"}"#,
    ),
    (
        1,
        ADMIN,
        "/api/v1/nodes/game1/actions/drain",
        r#"{"dry_run": true}"#,
    ),
    (1, VIEWER, "/api/v1/nodes/game9/actions/undrain", "[1, 2]"),
    (1, ADMIN, "/api/v1/cluster/actions/rolling-restart", ""),
    (1, ADMIN, "/api/v1/cluster/actions/reload", "{}"),
    (
        1,
        ADMIN,
        "/api/v1/cluster/actions/stop",
        r#"{"keep_nodes": true, "now": false}"#,
    ),
    (1, ADMIN, "/api/v1/config/check", ""),
    (
        1,
        ADMIN,
        "/api/v1/calls",
        r#"{"node": "gate", "command": 100, "text": "x", "timeout": 0.1}"#,
    ),
    (
        1,
        ADMIN,
        "/api/v1/calls",
        r#"{"node": "gate", "handler": "a.b", "body": {"n": [1, null]}}"#,
    ),
    (1, 0, SESSIONS, r#"{"token": "token-of-a-viewer"}"#),
    (1 | FORM, 0, "/login", "token=token-of-a-viewer"),
    (2, ADMIN, "/api/v1/clients/gate-1", ""),
    (1 | PAGE, 0, "/api/v1/codes", ""),
];

fn seeds() -> Vec<Vec<u8>> {
    let input = |how: u8, who: u8, path: &str, body: &str| {
        [&[how, who], path.as_bytes(), b"\n", body.as_bytes()].concat()
    };
    let read = READ
        .iter()
        .map(|path| input(0, VIEWER, &format!("/api/v1/{path}"), ""));
    let beside = BESIDE.iter().map(|path| input(SESSION, 0, path, ""));
    let done = DONE
        .iter()
        .map(|(how, who, path, body)| input(*how, *who, path, body));
    read.chain(beside).chain(done).collect()
}
