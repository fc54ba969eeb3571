//! Sections `admin` and `trace`: who may use the administrator's page and API, and which requests are
//! followed and who is told of them.
//!
//! It knows nothing of HTTP: what the roles may do is the API's business.

use super::finding::{Code, Finding};
use super::read::{Section, put, text_of};
use super::secret::{MIN_SECRET, Secret};
use super::tree::{Kind, Node};

/// What a user of the administrator's API may do; each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Viewer,
    /// Act on nodes and clients.
    Operator,
    /// Act on the cluster, kill, and make calls.
    Admin,
}

impl Role {
    /// The word on every surface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

const ROLES: [(&str, Role); 3] = [
    ("viewer", Role::Viewer),
    ("operator", Role::Operator),
    ("admin", Role::Admin),
];

/// One entry of `admin.tokens`.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Whose it is, for events and logs.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// What he shows.
    pub token: Secret,
}

/// Section `admin`.
#[derive(Debug, Clone, Default)]
pub struct AdminConfig {
    /// Tokens beside the one of LAMPYRIS_ADMIN_TOKEN or the run folder, which is an admin's.
    pub tokens: Vec<AdminToken>,
    /// Names by which the page is reached, beside `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Whether `/metrics` needs no token.
    pub open_metrics: bool,
    /// Whether calls can be made by the API; `None`: if it listens on loopback alone.
    pub calls: Option<bool>,
    /// Whether a proxy in front speaks TLS, so that cookies are for TLS alone.
    pub behind_proxy: bool,
}

/// Section `trace`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceConfig {
    /// One of so many requests of clients is followed through the nodes; 0: none.
    pub sample: u32,
    /// The collector that spans are sent to, as `http://HOST:PORT`, perhaps with a path; `None`: nobody.
    pub otlp: Option<String>,
}

const TOKENS: &str =
    "a list of tables such as {name = \"ops\", role = \"operator\", token = \"${OPS_TOKEN}\"}";

/// Reads section `admin`.
pub(super) fn admin(root: &Section<'_>) -> AdminConfig {
    let mut admin = AdminConfig::default();
    let Some(section) = root.section("admin") else {
        return admin;
    };
    let tokens = section.list("tokens", TOKENS).unwrap_or_default();
    let read = |(at, node)| token(&section, at, node);
    admin.tokens = tokens.iter().enumerate().filter_map(read).collect();
    admin.hosts = hosts(&section);
    put(&mut admin.open_metrics, section.boolean("open_metrics"));
    admin.calls = section.boolean("calls");
    put(&mut admin.behind_proxy, section.boolean("behind_proxy"));
    section.finish();
    admin
}

/// Reads section `trace`.
pub(super) fn trace(root: &Section<'_>) -> TraceConfig {
    let mut trace = TraceConfig::default();
    if let Some(section) = root.section("trace") {
        put(&mut trace.sample, section.integer("sample", 0..=1_000_000_000));
        trace.otlp = section.server("otlp");
        section.finish();
    }
    trace
}

fn token(section: &Section<'_>, at: usize, node: &Node) -> Option<AdminToken> {
    let path = section.path_of(&format!("tokens[{at}]"));
    let Kind::Table(table) = &node.kind else {
        section.add(section.fault_at(Code::WrongType, "tokens", node).allowed(TOKENS));
        return None;
    };
    let entry = Section::new(section.reader(), table, node.spot.clone(), path);
    let name = entry.text("name");
    let role = entry.word("role", &ROLES);
    let token = entry.secret("token").filter(|token| is_long(&entry, token));
    for key in ["name", "role", "token"] {
        if !entry.has(key) {
            let fault = Finding::fault(Code::WrongType, entry.place(), entry.path_of(key));
            entry.add(fault.found("nothing").allowed(TOKENS));
        }
    }
    entry.finish();
    Some(AdminToken {
        name: name?,
        role: role?,
        token: token?,
    })
}

fn is_long(entry: &Section<'_>, token: &Secret) -> bool {
    let fits = token.expose().len() >= MIN_SECRET;
    if !fits && let Some(node) = entry.raw("token") {
        let fault = entry.fault_at(Code::WeakSecret, "token", node);
        entry.add(fault.allowed(format!("at least {MIN_SECRET} bytes, drawn by chance")));
    }
    fits
}

fn hosts(section: &Section<'_>) -> Vec<String> {
    let allowed = "a list of names such as [\"admin.example.org\"], without ports";
    let hosts = section.list("hosts", allowed).unwrap_or_default();
    let read = |node: &Node| match text_of(node) {
        Ok(name) => Some(name.to_ascii_lowercase()),
        Err(code) => {
            section.add(section.fault_at(code, "hosts", node).allowed(allowed));
            None
        }
    };
    hosts.iter().filter_map(read).collect()
}
