//! The administrator's page is read by whoever may, in any browser, and loads nothing that is not its own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::http::{self, Answer};

const PAGES: [&str; 7] = [
    "/",
    "/nodes",
    "/nodes/game1",
    "/logs",
    "/events",
    "/call",
    "/login",
];

fn get(cluster: &Cluster, path: &str, headers: &[(&str, &str)]) -> Answer {
    http::request(cluster.webport(), "GET", path, headers).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// What a browser sends by itself when the form is sent.
fn log_in(cluster: &Cluster, token: &str, next: &str, origin: Option<&str>) -> Answer {
    let own = format!("http://{}", cluster.webport());
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let headers = [kind, ("Origin", origin.unwrap_or(&own))];
    let body = format!("token={token}&next={}", next.replace('/', "%2F"));
    http::send(cluster.webport(), "POST", "/login", &headers, &body).expect("an answer")
}

#[test]
fn without_a_program_in_the_browser_one_logs_in_and_reads_the_state() {
    let cluster = Cluster::study();
    cluster.start();
    for path in PAGES {
        let page = get(&cluster, path, &[]);
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.body.contains("<form action=\"/login\" method=\"post\">"),
            "{path}: {}",
            page.body
        );
        assert!(
            !page.body.contains("game1 ") && !page.body.contains("data-node"),
            "{path} tells nobody anything"
        );
    }
    let inside = log_in(&cluster, cluster.token(), "/nodes/game1", None);
    assert_eq!(
        (inside.status, inside.header("location")),
        (303, Some("/nodes/game1")),
        "{inside:?}"
    );
    let cookie = inside.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let page = get(&cluster, "/", &[("Cookie", &cookie)]);
    assert!(
        page.body
            .contains("data-health=\"healthy\">Healthy: 3 of 3 nodes ready<"),
        "{}",
        page.body
    );
    for node in ["gate", "net", "game1"] {
        let cell = format!("<td data-node=\"{node}\" data-state=\"ready\">ready</td>");
        assert!(page.body.contains(&cell), "{}", page.body);
    }
    assert!(page.body.contains("data-role=\"admin\""));
}

#[test]
fn the_form_lets_nobody_in_who_may_not_and_leads_nowhere_else() {
    let cluster = Cluster::study();
    cluster.start();
    let foreign = log_in(&cluster, cluster.token(), "/", Some("http://evil.example"));
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));
    for next in ["//evil.example", "https://evil.example", "/api/v1/nodes"] {
        let inside = log_in(&cluster, cluster.token(), next, None);
        assert_eq!(
            (inside.status, inside.header("location")),
            (303, Some("/")),
            "{next}"
        );
    }
    for _ in 0..5 {
        let wrong = log_in(&cluster, "wrong", "/logs", None);
        assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
        assert!(wrong.body.contains("neither a token nor a code") && wrong.body.contains("value=\"/logs\""));
    }
    assert_eq!(log_in(&cluster, "wrong", "/", None).status, 429);
}

#[test]
fn all_that_a_page_loads_is_its_own_and_stays_what_it_is() {
    let cluster = Cluster::study();
    cluster.start();
    let page = get(&cluster, "/login", &[]);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page
        .header("content-security-policy")
        .expect("a policy")
        .to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(
            policy.split("; ").any(|known| known == part),
            "{part} in {policy}"
        );
    }
    let linked = page.body.split('"').filter(|text| text.starts_with("/assets/"));
    let linked: Vec<String> = linked.map(str::to_owned).collect();
    assert!(linked.len() >= 3, "{linked:?}");
    for path in &linked {
        let file = get(&cluster, path, &[]);
        assert_eq!(file.status, 200, "{path}");
        assert!(
            file.header("cache-control")
                .is_some_and(|keep| keep.ends_with("immutable")),
            "{path}"
        );
        assert_eq!(
            file.header("content-security-policy"),
            Some(&policy[..]),
            "{path}"
        );
    }
    let folder = linked[0].rsplit_once('/').expect("a folder").0;
    for end in [
        "../../Cargo.toml",
        "%2e%2e/%2e%2e/Cargo.toml",
        "frame.html",
        "vendor/manifest.json",
        "",
    ] {
        assert_eq!(
            get(&cluster, &format!("{folder}/{end}"), &[]).status,
            404,
            "{end}"
        );
    }
    assert!(get(&cluster, "/licenses", &[]).body.contains("Apache License"));
}

#[test]
fn a_reader_that_comes_back_is_told_what_it_has_missed() {
    let cluster = Cluster::study();
    cluster.start();
    let mut stream = TcpStream::connect(cluster.webport()).expect("the master listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    let request = format!(
        "GET /api/v1/stream?topics=events&since=1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        cluster.webport(),
        cluster.token()
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines
        .into_iter()
        .find(|line| line.starts_with("id: "))
        .expect("an event");
    assert_eq!(first, "id: 2", "the event behind the last that it knows");
}
