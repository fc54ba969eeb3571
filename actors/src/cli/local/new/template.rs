//! The files of a template, and the words that are put into them.
//!
//! The files end in `.in`, so that cargo does not take them for packages of its own.

/// A net node for the players, a gate, and a game: path and text of each file.
pub(super) const MINIMAL: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("minimal/Cargo.toml.in")),
    ("src/main.rs", include_str!("minimal/src/main.rs.in")),
    ("src/net.rs", include_str!("minimal/src/net.rs.in")),
    ("src/gate.rs", include_str!("minimal/src/gate.rs.in")),
    ("src/game.rs", include_str!("minimal/src/game.rs.in")),
    ("tests/cluster.rs", include_str!("minimal/tests/cluster.rs.in")),
    (
        "config/config.toml",
        include_str!("minimal/config/config.toml.in"),
    ),
    ("README.md", include_str!("minimal/README.md.in")),
    ("Dockerfile", include_str!("minimal/Dockerfile.in")),
    ("deploy/{{name}}.service", include_str!("minimal/service.in")),
    (".gitignore", include_str!("minimal/gitignore.in")),
    (".dockerignore", include_str!("minimal/dockerignore.in")),
];

/// What stands for `{{…}}`.
pub(super) struct Words<'a> {
    /// `{{name}}`: of the game.
    pub(super) name: &'a str,
    /// `{{version}}`: of Lampyris.
    pub(super) version: &'a str,
    /// `{{root}}`: the folder of Lampyris' sources.
    pub(super) root: &'a str,
    /// `{{lampyris}}`: the package in it.
    pub(super) lampyris: &'a str,
}

impl Words<'_> {
    /// The text with the words in it.
    pub(super) fn put(&self, text: &str) -> String {
        let words = [
            ("{{name}}", self.name),
            ("{{version}}", self.version),
            ("{{root}}", self.root),
            ("{{lampyris}}", self.lampyris),
        ];
        words
            .iter()
            .fold(text.to_owned(), |text, (gap, word)| text.replace(gap, word))
    }
}
