//! What a store is told when it is opened. Plain values; where they come from is not its business.

use std::path::PathBuf;
use std::time::Duration;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the node: the owner of what it loads.
    pub node: String,
    /// The database.
    pub database: DatabaseSettings,
    /// The journal.
    pub journal: JournalSettings,
    /// The cache, if the node has one.
    pub cache: Option<CacheSettings>,
    /// An entity that nobody has used for so long leaves the memory, unless it is to be written.
    pub idle: Duration,
    /// How long a load waits for a store that is being opened.
    pub wait: Duration,
}

impl Settings {
    /// Defaults: SQLite in `folder`, with the journal beside it, and no cache.
    pub fn in_folder(node: &str, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            node: node.to_owned(),
            database: DatabaseSettings::new(Target::Sqlite(folder.join("store.sqlite"))),
            journal: JournalSettings::new(folder.join("journal")),
            cache: None,
            idle: Duration::from_secs(1800),
            wait: Duration::from_secs(2),
        }
    }
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Target {
    /// A file, made when it is not there.
    Sqlite(PathBuf),
    /// `sqlite:`, `mysql:`, `mariadb:`, `postgres:` or `postgresql:`.
    Url(Hidden),
    /// MySQL or MariaDB by the parts that Firefly names; what is absent has the database's default.
    MySql {
        /// Name or address of the host, or a socket's path.
        host: Option<String>,
        /// Its port.
        port: Option<u16>,
        /// Who logs in.
        user: Option<String>,
        /// The password.
        passwd: Option<Hidden>,
        /// Name of the database.
        db: Option<String>,
        /// Character set of the connection.
        charset: Option<String>,
    },
}

/// How the database is reached.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Which one.
    pub target: Target,
    /// Most connections; SQLite has one.
    pub connections: u32,
    /// How long to wait for a free connection, or a new one; with SQLite it is `timeout`.
    pub acquire_timeout: Duration,
    /// How long a transaction may take.
    pub timeout: Duration,
    /// Folder of migrations, `VERSION_NAME.sql` each, applied when the store is opened.
    pub migrations: Option<PathBuf>,
}

impl DatabaseSettings {
    /// A database with the defaults.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connections: 8,
            acquire_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            migrations: None,
        }
    }
}

/// When a change is safe in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// When it is on stable storage: it outlives a loss of power.
    #[default]
    Always,
    /// When the operating system has it: it outlives the process.
    Never,
}

/// The journal, and how it is written to the database.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Its folder; one for each node.
    pub folder: PathBuf,
    /// When a change is safe.
    pub sync: Sync,
    /// How often changes are written to the database.
    pub interval: Duration,
    /// Most changes of one transaction.
    pub batch: usize,
    /// Most entities that may wait to be written; more is overloaded.
    pub max_backlog: usize,
    /// A segment that has grown so large is followed by another one, in bytes.
    pub segment_size: u64,
    /// Most bytes in the journal; more is overloaded. Room for records to come and up to four spared files are not counted.
    pub max_size: u64,
}

impl JournalSettings {
    /// A journal with the defaults.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            sync: Sync::Always,
            interval: Duration::from_secs(1),
            batch: 500,
            max_backlog: 100_000,
            segment_size: 16 << 20,
            max_size: 1 << 30,
        }
    }
}

/// Which cache.
#[derive(Debug, Clone)]
pub enum CacheTarget {
    /// Memory of this process, for so many rows.
    Local {
        /// Most rows.
        rows: u64,
    },
    /// memcached: `HOST:PORT` each; keys are spread over them.
    Memcached(Vec<String>),
    /// redis: `HOST:PORT`, perhaps with a password and the number of a database.
    Redis {
        /// `HOST:PORT`.
        server: String,
        /// Who logs in, if not the default user.
        user: Option<String>,
        /// The password.
        password: Option<Hidden>,
        /// Number of the database.
        database: u32,
    },
}

/// A cache.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// Which one.
    pub target: CacheTarget,
    /// What every key begins with.
    pub prefix: String,
    /// How long a row is kept.
    pub ttl: Duration,
    /// An answer that takes longer is a miss.
    pub timeout: Duration,
}

impl CacheSettings {
    /// A cache with the defaults.
    pub fn new(target: CacheTarget) -> Self {
        Self {
            target,
            prefix: "lampyris".to_owned(),
            ttl: Duration::from_secs(60),
            timeout: Duration::from_millis(50),
        }
    }
}
