//! What each key means, in the words that an editor shows.

/// Every key with its meaning. `NAME` stands for the name of a node, `[0]` for each table of a list.
pub(super) const MEANINGS: &[(&str, &str)] = &[
    (
        "$schema",
        "where an editor finds the schema of this file; it has no other effect",
    ),
    ("name", "name of the cluster"),
    (
        "run_dir",
        "folder for secret, token, lock, state, logs and sockets; one for each cluster; by default run/NAME-OF-THE-FILE",
    ),
    (
        "secret",
        "the secret of the links, at least 16 bytes; not beside secret_file; by default one is drawn and kept in run_dir",
    ),
    ("secret_file", "file of mode 0600 with the secret of the links"),
    (
        "master",
        "the process that starts the nodes, watches them and starts them again",
    ),
    (
        "master.roothost",
        "address or name at which nodes reach the master",
    ),
    ("master.rootport", "port at which nodes reach the master"),
    (
        "master.rootbind",
        "address on which rootport is bound; off loopback it needs a secret, and link.certs or link.allow_plaintext",
    ),
    (
        "master.webport",
        "port of the administrator's page and API; without it there is none",
    ),
    ("master.webbind", "address on which webport is bound"),
    (
        "master.log",
        "file for the master's errors, beside the logs of section log",
    ),
    (
        "master.restart",
        "when nodes are started again that do not say it themselves",
    ),
    (
        "master.intensity",
        "more failed starts within the period are a crash loop, for nodes that do not say it themselves",
    ),
    (
        "master.period",
        "the period of intensity, for nodes that do not say it themselves",
    ),
    ("servers", "the nodes, each a section with its name"),
    ("servers.NAME", "one node"),
    ("servers.NAME.name", "as in Firefly; the name of the section"),
    (
        "servers.NAME.app",
        "the application that it runs, by the name under which the program registered it",
    ),
    ("servers.NAME.netport", "port for game clients"),
    ("servers.NAME.netbind", "address on which netport is bound"),
    (
        "servers.NAME.rootport",
        "port for children: a node with one is a parent",
    ),
    (
        "servers.NAME.rootbind",
        "address on which rootport is bound; off loopback it needs a secret, and link.certs or link.allow_plaintext",
    ),
    ("servers.NAME.webport", "port of the node's own HTTP server"),
    ("servers.NAME.webbind", "address on which webport is bound"),
    ("servers.NAME.remoteport", "the parents that it dials"),
    ("servers.NAME.remoteport[0].rootname", "name of the parent"),
    (
        "servers.NAME.remoteport[0].rootport",
        "the parent's rootport; may be left out",
    ),
    (
        "servers.NAME.remoteport[0].roothost",
        "address of the parent, where the one that the master knows cannot be used",
    ),
    (
        "servers.NAME.host",
        "address or name at which other hosts reach it, when it is not the one that the master sees",
    ),
    ("servers.NAME.db", "whether it opens the database of section db"),
    (
        "servers.NAME.mem",
        "whether it opens the cache of section memcached or redis",
    ),
    (
        "servers.NAME.log",
        "file for its errors, beside the logs of section log",
    ),
    (
        "servers.NAME.cpu",
        "processors on which it may run: a list, or a mask as Firefly has it",
    ),
    (
        "servers.NAME.busy_poll",
        "whether it looks for work for a moment before it sleeps: yes, no, or unless its cgroup limits its processor time",
    ),
    (
        "servers.NAME.reload",
        "whether it takes part in a reload; a text, as Firefly has it, counts as true",
    ),
    (
        "servers.NAME.start",
        "whether the master starts it; else another host does",
    ),
    (
        "servers.NAME.restart",
        "when it is started again: always, after a failure, never",
    ),
    (
        "servers.NAME.intensity",
        "more failed starts within the period are a crash loop",
    ),
    ("servers.NAME.period", "the period of intensity"),
    (
        "servers.NAME.on_crash_loop",
        "what becomes of it in a crash loop: tried again at the longest delay, or left down",
    ),
    (
        "servers.NAME.restart_children",
        "whether its children are restarted with it",
    ),
    (
        "servers.NAME.on_master_loss",
        "what it does when the master is gone: go on and be adopted, or drain and end",
    ),
    ("servers.NAME.start_timeout", "longest time until it is ready"),
    (
        "servers.NAME.drain_timeout",
        "longest time for the calls in flight when it stops",
    ),
    (
        "servers.NAME.stop_timeout",
        "longest time for the whole stop; not less than drain_timeout",
    ),
    (
        "servers.NAME.hang_kill",
        "when it has been silent for so long, it is killed",
    ),
    ("servers.NAME.call_timeout", "deadline of a call that names none"),
    (
        "servers.NAME.max_in_flight",
        "requests that may wait for one of its services",
    ),
    (
        "servers.NAME.errors",
        "what a client gets for a request without an answer: an error frame, nothing, or its connection is closed",
    ),
    ("servers.NAME.max_clients", "connections at one time"),
    (
        "servers.NAME.max_frame",
        "most that a frame from a client may say as its length; not more than link.max_message",
    ),
    (
        "servers.NAME.client_in_flight",
        "calls in flight of one connection; with more it is not read from for a while",
    ),
    (
        "servers.NAME.idle_timeout",
        "a connection that sends nothing for so long is closed; by default never",
    ),
    (
        "servers.NAME.rate",
        "frames that one connection may send in a second; by default any number",
    ),
    (
        "servers.NAME.out_buffer",
        "bytes that may wait to be written to one connection; a client that is slower is dropped",
    ),
    ("servers.NAME.head", "HEAD_0 to HEAD_3 of a frame, four bytes"),
    ("servers.NAME.protocol_version", "protocol version of a frame"),
    ("servers.NAME.server_version", "server version of a frame"),
    (
        "servers.NAME.serial",
        "whether the requests of one connection are handled one after the other",
    ),
    ("servers.NAME.tls", "connections of clients are encrypted"),
    ("servers.NAME.tls.cert", "file of the certificate, in PEM"),
    ("servers.NAME.tls.key", "file of its key, in PEM, of mode 0600"),
    ("link", "the links between nodes"),
    (
        "link.certs",
        "folder with ca.pem, and with NAME.pem and NAME.key of the nodes of this host and of master: links are encrypted",
    ),
    ("link.heartbeat", "an idle link sends a heartbeat so often"),
    (
        "link.suspect_after",
        "silent for so long, a link is suspect; more than heartbeat",
    ),
    (
        "link.down_after",
        "silent for so long, a link is down; more than suspect_after",
    ),
    ("link.wait", "a call waits so long for a link that is down"),
    ("link.held_calls", "calls that may wait for one link that is down"),
    ("link.held_bytes", "bytes that may wait for one link that is down"),
    ("link.max_message", "longest message"),
    (
        "link.max_queue",
        "bytes that may wait to be written to one link; not less than max_message",
    ),
    ("link.max_calls", "calls in flight on one link"),
    ("link.handshake_timeout", "longest time for the handshake"),
    (
        "link.allow_plaintext",
        "whether link ports may be bound off loopback although nothing encrypts them",
    ),
    ("log", "the logs"),
    ("log.level", "a level, or a filter such as info,lampyris=debug"),
    ("log.format", "text for people, or one JSON object a line"),
    ("log.terminal", "whether the log goes to the terminal as well"),
    ("log.dir", "folder of the log files; by default logs in run_dir"),
    ("log.max_size", "a file that has grown so large is put aside"),
    ("log.max_files", "so many files are kept for each node"),
    (
        "admin",
        "who may use the administrator's page and API, beside the token in run_dir, which is an admin's",
    ),
    (
        "admin.tokens",
        "further tokens, each with its owner and what he may do",
    ),
    ("admin.tokens[0].name", "whose it is, for events and logs"),
    ("admin.tokens[0].role", "what he may do: read; act on nodes; all"),
    ("admin.tokens[0].token", "what he shows, at least 16 bytes"),
    (
        "admin.hosts",
        "names by which the page is reached, beside addresses and localhost",
    ),
    ("admin.open_metrics", "whether /metrics needs no token"),
    (
        "admin.calls",
        "whether admins may make calls by the API; by default while webbind is loopback",
    ),
    (
        "admin.behind_proxy",
        "whether a proxy in front of the page speaks TLS: cookies are then for TLS alone",
    ),
    ("trace", "which requests are followed through the nodes"),
    (
        "trace.sample",
        "one of so many requests of clients is followed; 0 for none",
    ),
    (
        "trace.otlp",
        "the OpenTelemetry collector that spans are sent to, by OTLP over HTTP in JSON; POST to /v1/traces below it",
    ),
    (
        "db",
        "the database of nodes with db = true; without this section SQLite, a file in run_dir",
    ),
    ("db.host", "address or name of the host of MySQL or MariaDB"),
    ("db.port", "its port"),
    ("db.user", "who logs in"),
    ("db.passwd", "the password"),
    ("db.db", "name of the database"),
    ("db.charset", "character set of the connection"),
    ("db.engine", "as in Firefly; without effect"),
    (
        "db.url",
        "instead of the parts: sqlite:FILE, mysql://USER:PASSWORD@HOST:PORT/DB, mariadb://…, postgres://…",
    ),
    (
        "db.max_connections",
        "most connections of one node; SQLite has one",
    ),
    (
        "db.acquire_timeout",
        "how long to wait for a connection; with SQLite `db.timeout`",
    ),
    ("db.timeout", "how long a transaction may take"),
    (
        "db.migrations",
        "folder of VERSION_NAME.sql, applied when the database is opened",
    ),
    ("memcached", "the cache of nodes with mem = true"),
    ("memcached.urls", "the servers, HOST:PORT each"),
    (
        "memcached.hostname",
        "what every key in the cache begins with; by default the name of the cluster",
    ),
    (
        "redis",
        "the cache of nodes with mem = true; not beside memcached",
    ),
    ("redis.server", "the server, HOST:PORT"),
    ("redis.user", "who logs in"),
    ("redis.passwd", "the password"),
    ("redis.db", "number of the database"),
    (
        "redis.hostname",
        "what every key in the cache begins with; by default the name of the cluster",
    ),
    ("store", "entities in the memory of a node, and rows in the cache"),
    (
        "store.idle",
        "an entity that nobody has used for so long leaves the memory",
    ),
    ("store.cache_ttl", "how long a row is kept in the cache"),
    (
        "store.cache_timeout",
        "an answer of the cache that takes longer is a miss",
    ),
    (
        "store.cache_rows",
        "most rows of a cache in the node's own memory",
    ),
    ("journal", "changes that the database does not have yet"),
    (
        "journal.sync",
        "always: a change is acknowledged when it is on stable storage; never: when the operating system has it",
    ),
    (
        "journal.interval",
        "how often changes are written to the database",
    ),
    ("journal.batch", "most changes of one transaction"),
    ("journal.max_backlog", "most entities that may wait to be written"),
    (
        "journal.segment_size",
        "a file of the journal that has grown so large is followed by another one",
    ),
    (
        "journal.max_size",
        "most bytes of a node's journal; at least four times segment_size",
    ),
    (
        "journal.dir",
        "folder of the journals; by default journal in run_dir",
    ),
];

/// The meaning of a key.
pub(super) fn of(key: &str) -> Option<&'static str> {
    let known = MEANINGS.iter().find(|(known, _)| *known == key)?;
    Some(known.1)
}
