//! Which keys the data layer has: sections `db`, `memcached`, `redis`, `store` and `journal`, with their types.
//!
//! What is there is checked also when no node has `db = true` or `mem = true`.

use std::path::PathBuf;
use std::time::Duration;

use super::finding::{Code, Finding, did_you_mean};
use super::read::{Section, put, text_of};
use super::secret::Secret;
use super::sections::{LONG_TIME, SOME, SOME_TIME};
use super::tree::{Kind, Node};

const MIB: u64 = 1 << 20;

/// The databases that a `url` can name, by its beginning.
const DATABASES: [&str; 5] = ["sqlite", "mysql", "mariadb", "postgres", "postgresql"];

/// The parts of an address, which `url` has in one.
const PARTS: [&str; 6] = ["host", "port", "user", "passwd", "db", "charset"];

/// What the data layer is told.
#[derive(Debug, Clone, Default)]
pub struct DataConfig {
    /// Section `db`; without one the database is SQLite in `run_dir`.
    pub db: Option<DbConfig>,
    /// Section `memcached`.
    pub memcached: Option<MemcachedConfig>,
    /// Section `redis`. Never beside `memcached`; without either the cache is the node's own memory.
    pub redis: Option<RedisConfig>,
    /// Section `store`.
    pub store: StoreConfig,
    /// Section `journal`.
    pub journal: JournalConfig,
}

/// Section `db`. Either `url`, or the parts that Firefly names; what is absent has the database's default.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// Name or address of the database's host.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Who logs in.
    pub user: Option<String>,
    /// The password.
    pub passwd: Option<Secret>,
    /// Name of the database.
    pub db: Option<String>,
    /// Character set of the connection.
    pub charset: Option<String>,
    /// What Firefly had: the kind of database, or MySQL's kind of table. Without effect.
    pub engine: Option<String>,
    /// All of this in one text. It may hold the password.
    pub url: Option<Secret>,
    /// Most connections of one node.
    pub max_connections: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// How long a transaction may take.
    pub timeout: Duration,
    /// Folder of migrations that are applied when the database is opened.
    pub migrations: Option<PathBuf>,
}

/// Section `memcached`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemcachedConfig {
    /// The servers, `HOST:PORT` each; never empty.
    pub urls: Vec<String>,
    /// What every key in the cache begins with (`hostname`).
    pub hostname: Option<String>,
}

/// Section `redis`.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// The server, `HOST:PORT`.
    pub server: String,
    /// Who logs in, if not the default user.
    pub user: Option<String>,
    /// The password.
    pub passwd: Option<Secret>,
    /// Number of the database.
    pub db: u32,
    /// What every key in the cache begins with.
    pub hostname: Option<String>,
}

/// Section `store`: entities in memory, and the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// An entity that nobody has used for so long leaves the memory.
    pub idle: Duration,
    /// How long a row is kept in the cache.
    pub cache_ttl: Duration,
    /// An answer of the cache that takes longer is a miss.
    pub cache_timeout: Duration,
    /// Most rows of a cache in the node's own memory.
    pub cache_rows: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(1800),
            cache_ttl: Duration::from_secs(60),
            cache_timeout: Duration::from_millis(50),
            cache_rows: 100_000,
        }
    }
}

/// Section `journal`: how changes become safe, and how they reach the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// Whether a change is acknowledged only when it is on stable storage (`sync`).
    pub sync: bool,
    /// How often changes are written to the database.
    pub interval: Duration,
    /// Most changes of one transaction.
    pub batch: usize,
    /// Most entities that may wait to be written.
    pub max_backlog: usize,
    /// A segment that has grown so large, in bytes, is followed by another one.
    pub segment_size: u64,
    /// Most bytes of a node's journal.
    pub max_size: u64,
    /// Folder of the journals; each node has one of its own in it. `None`: `journal` in `run_dir`.
    pub dir: Option<PathBuf>,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            sync: true,
            interval: Duration::from_secs(1),
            batch: 500,
            max_backlog: 100_000,
            segment_size: 16 * MIB,
            max_size: 1024 * MIB,
            dir: None,
        }
    }
}

/// All five sections.
pub(super) fn data(root: &Section<'_>) -> DataConfig {
    let data = DataConfig {
        db: db(root),
        memcached: memcached(root),
        redis: redis(root),
        store: store(root),
        journal: journal(root),
    };
    if let (Some(_), Some(_), Some(value)) = (&data.memcached, &data.redis, root.raw("redis")) {
        let place = root.reader().source.place(&value.spot);
        let fault = Finding::fault(Code::Contradiction, place, "redis");
        root.add(
            fault
                .found("both `memcached` and `redis`")
                .allowed("one of the two"),
        );
    }
    data
}

fn db(root: &Section<'_>) -> Option<DbConfig> {
    let section = root.section("db")?;
    let db = DbConfig {
        host: section.host("host"),
        port: section.port("port"),
        user: section.text("user"),
        passwd: section.secret("passwd"),
        db: section.text("db"),
        charset: section.text("charset"),
        engine: section.text("engine"),
        url: url(&section),
        max_connections: section.integer("max_connections", 1..=1000).unwrap_or(8),
        acquire_timeout: section
            .duration("acquire_timeout", SOME_TIME)
            .unwrap_or(Duration::from_secs(1)),
        timeout: section
            .duration("timeout", SOME_TIME)
            .unwrap_or(Duration::from_secs(5)),
        migrations: section.path("migrations"),
    };
    section.finish();
    Some(db)
}

/// `url`: begins with the name of a database, and stands alone.
fn url(section: &Section<'_>) -> Option<Secret> {
    let url = section.secret("url")?;
    let value = section.raw("url")?;
    let scheme = url.expose().split(':').next().unwrap_or_default();
    if !DATABASES.contains(&scheme) || !url.expose().contains(':') {
        let fault = section.fault_at(Code::BadDatabase, "url", value);
        let allowed = "sqlite:FILE, mysql://USER:PASSWORD@HOST/DB, mariadb://…, postgres://…";
        section.add(fault.allowed(allowed).help(did_you_mean(scheme, DATABASES)));
        return None;
    }
    if let Some(part) = PARTS.iter().find(|part| section.has(part)) {
        let fault = section.fault_at(Code::Contradiction, "url", value);
        section.add(
            fault
                .found(format!("both `url` and `{part}`"))
                .allowed("either `url`, or the parts"),
        );
    }
    Some(url)
}

fn memcached(root: &Section<'_>) -> Option<MemcachedConfig> {
    let section = root.section("memcached")?;
    let allowed = "a list of servers such as [\"127.0.0.1:11211\"]";
    let mut urls = Vec::new();
    if !section.has("urls") || section.list("urls", allowed).is_some_and(<[Node]>::is_empty) {
        let fault = Finding::fault(Code::NoCacheServer, section.place(), section.path_of("urls"));
        section.add(fault.found("no server").allowed(allowed));
    }
    let nodes = section.list("urls", allowed).unwrap_or_default();
    for (at, node) in nodes.iter().enumerate() {
        if section.reader().findings.full() || matches!(node.kind, Kind::Faulty) {
            continue;
        }
        match server(node) {
            Ok(url) => urls.push(url),
            Err(code) => {
                let fault = section.fault_at(code, &format!("urls[{at}]"), node);
                section.add(fault.allowed("a server such as \"127.0.0.1:11211\""));
            }
        }
    }
    let hostname = section.text("hostname");
    section.finish();
    Some(MemcachedConfig { urls, hostname })
}

fn redis(root: &Section<'_>) -> Option<RedisConfig> {
    let section = root.section("redis")?;
    let given = section.raw("server");
    let found = match given {
        Some(node) if matches!(node.kind, Kind::Faulty) => None,
        Some(node) => server(node)
            .map_err(|code| {
                let fault = section.fault_at(code, "server", node);
                section.add(fault.allowed("a server such as \"127.0.0.1:6379\""));
            })
            .ok(),
        None => {
            let fault = Finding::fault(Code::NoCacheServer, section.place(), section.path_of("server"));
            section.add(
                fault
                    .found("no server")
                    .allowed("a server such as \"127.0.0.1:6379\""),
            );
            None
        }
    };
    let redis = RedisConfig {
        server: found.unwrap_or_default(),
        user: section.text("user"),
        passwd: section.secret("passwd"),
        db: section.integer("db", 0..=1_000_000).unwrap_or(0),
        hostname: section.text("hostname"),
    };
    section.finish();
    Some(redis)
}

/// `HOST:PORT`.
fn server(node: &Node) -> Result<String, Code> {
    let text = text_of(node)?;
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        let port = port.parse::<u16>().is_ok_and(|port| port > 0);
        port && !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/')
    });
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Code::BadCacheServer)
    }
}

fn store(root: &Section<'_>) -> StoreConfig {
    let mut store = StoreConfig::default();
    let Some(section) = root.section("store") else {
        return store;
    };
    put(&mut store.idle, section.duration("idle", LONG_TIME));
    put(&mut store.cache_ttl, section.duration("cache_ttl", LONG_TIME));
    put(
        &mut store.cache_timeout,
        section.duration("cache_timeout", SOME_TIME),
    );
    put(&mut store.cache_rows, section.integer("cache_rows", SOME));
    section.finish();
    store
}

fn journal(root: &Section<'_>) -> JournalConfig {
    let mut journal = JournalConfig::default();
    let Some(section) = root.section("journal") else {
        return journal;
    };
    let words = [("always", true), ("never", false)];
    put(&mut journal.sync, section.word("sync", &words));
    put(&mut journal.interval, section.duration("interval", SOME_TIME));
    put(&mut journal.batch, section.integer("batch", 1..=10_000));
    put(&mut journal.max_backlog, section.integer("max_backlog", SOME));
    put(
        &mut journal.segment_size,
        section.size("segment_size", 64 << 10..=1 << 30),
    );
    put(&mut journal.max_size, section.size("max_size", MIB..=1 << 40));
    journal.dir = section.path("dir");
    let least = journal.segment_size.saturating_mul(4);
    if let Some(value) = section.raw("max_size").filter(|_| journal.max_size < least) {
        let fault = section.fault_at(Code::Contradiction, "max_size", value);
        section.add(fault.allowed("at least four times journal.segment_size"));
    }
    section.finish();
    journal
}
