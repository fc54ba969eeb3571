//! `new`: the beginning of a game, from templates that are a part of the program. It compiles, runs and is tested
//! without a network, once the crates that Lampyris needs are in cargo's cache.

mod template;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lampyris_runtime::config::schema;

use super::version;
use crate::console::{eprint_line, print_line};
use crate::exit;
use template::Words;

/// Where this Lampyris was built from: it is still there if the program is used where it was made.
const BUILT_FROM: &str = env!("CARGO_MANIFEST_DIR");

/// Longest name: it is also that of a program and a user.
const MAX_NAME: usize = 32;

/// Names that a program cannot have: cargo refuses them, or they stand for something else.
const TAKEN: [&str; 10] = [
    "test",
    "core",
    "std",
    "alloc",
    "proc_macro",
    "build",
    "deps",
    "examples",
    "lampyris",
    "serde",
];

/// Makes a new game.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Name of the game, and of the folder that is made for it here
    #[arg(value_name = "NAME")]
    name: String,
    /// What it begins with
    #[arg(long, value_enum, default_value_t = Template::Minimal)]
    template: Template,
    /// The folder of Lampyris' sources, on which the game will depend; by default the one that this program was made from
    #[arg(long, value_name = "PATH")]
    lampyris: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Template {
    /// A net node for the players, a gate, and a game
    Minimal,
}

impl New {
    /// Makes it; gives the exit code.
    pub(super) fn run(&self) -> u8 {
        if let Err(why) = fits(&self.name) {
            eprint_line(&format!(
                "error: {:?} cannot be the name of a game: {why}",
                self.name
            ));
            return exit::USAGE;
        }
        let wanted = self.lampyris.as_deref().unwrap_or(Path::new(BUILT_FROM));
        let Some((root, package)) = sources(wanted) else {
            eprint_line(&format!(
                "error: {}: here are no sources of Lampyris; say where they are with --lampyris PATH",
                wanted.display()
            ));
            return exit::USAGE;
        };
        let words = Words {
            name: &self.name,
            version: version::LAMPYRIS,
            root: &root,
            lampyris: &package,
        };
        match self.write(&words) {
            Ok(()) => {
                print_line(&format!(
                    "made {}; next: cd {} && cargo test && cargo run",
                    self.name, self.name
                ));
                0
            }
            Err((path, why)) => {
                eprint_line(&format!("error: {}: {why}", path.display()));
                exit::CANTCREAT
            }
        }
    }

    fn write(&self, words: &Words<'_>) -> Result<(), (PathBuf, io::Error)> {
        let folder = PathBuf::from(&self.name);
        // Whatever is there already stays as it is.
        fs::create_dir(&folder).map_err(|why| (folder.clone(), why))?;
        let Template::Minimal = self.template;
        for (path, text) in template::MINIMAL {
            write(&folder.join(words.put(path)), words.put(text).as_bytes())?;
        }
        let schema = serde_json::to_string_pretty(&schema()).unwrap_or_default() + "\n";
        write(&folder.join("config/lampyris.schema.json"), schema.as_bytes())?;
        // The versions that Lampyris is tested with; cargo takes from them what is needed.
        match fs::read(Path::new(words.root).join("Cargo.lock")) {
            Ok(lock) => write(&folder.join("Cargo.lock"), &lock),
            Err(_) => Ok(()),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), (PathBuf, io::Error)> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    let open = || fs::OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|()| open()?.write_all(bytes))
        .map_err(|why| (path.to_owned(), why))
}

/// Whether it can be the name of a package, a program, a folder, a user and a file.
fn fits(name: &str) -> Result<(), &'static str> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(inner) {
        return Err("it begins with a letter from a to z, and has these, digits, '-' and '_' alone");
    }
    if name.len() > MAX_NAME {
        return Err("it has more than 32 letters");
    }
    if TAKEN.contains(&name) || is_keyword(name) {
        return Err("it is a word that cargo or Rust keeps for itself");
    }
    Ok(())
}

/// Whether it is a word of the language.
fn is_keyword(name: &str) -> bool {
    const WORDS: [&str; 39] = [
        "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
        "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop",
        "macro", "match", "mod", "move", "mut", "override", "pub", "ref", "return", "static", "struct",
        "trait", "type", "use", "while",
    ];
    WORDS.contains(&name)
}

/// The root of the sources and the package in it, of a path that names either.
fn sources(path: &Path) -> Option<(String, String)> {
    let path = fs::canonicalize(path).ok()?;
    let is_package = |path: &Path| {
        let text = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
        text.lines().any(|line| line.trim() == "name = \"lampyris\"")
    };
    let package = [path.clone(), path.join("actors")]
        .into_iter()
        .find(|path| is_package(path))?;
    // In JSON a text is written as in TOML.
    let shown = |path: &Path| {
        path.to_str()
            .filter(|path| !path.contains(['"', '\\', '\n']))
            .map(str::to_owned)
    };
    Some((shown(package.parent()?)?, shown(&package)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cargo_and_systemd_take() {
        for good in ["mygame", "my-game", "my_game2", "x"] {
            assert_eq!(fits(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "My",
            "2x",
            "-x",
            "a b",
            "../x",
            "test",
            "match",
            "lampyris",
            "ä",
            &"x".repeat(33),
        ] {
            assert!(fits(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sources_are_found_from_the_root_and_from_the_package() {
        let (root, package) = sources(Path::new(BUILT_FROM)).unwrap();
        assert_eq!(sources(Path::new(&root)), Some((root.clone(), package.clone())));
        assert_eq!(Path::new(&root).join("actors"), Path::new(&package));
        assert_eq!(sources(Path::new("/")), None);
        assert_eq!(sources(Path::new("/there/is/none")), None);
    }

    #[test]
    fn a_new_game_has_a_sound_configuration_and_no_gap_in_its_texts() {
        let words = Words {
            name: "mygame",
            version: "0.1.0",
            root: "/r",
            lampyris: "/r/actors",
        };
        for (path, text) in template::MINIMAL {
            let (path, text) = (words.put(path), words.put(text));
            assert!(!path.contains("{{") && !text.contains("{{"), "{path}:\n{text}");
            if path.ends_with(".toml") && path.starts_with("config") {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("config.toml");
                fs::write(&file, text).unwrap();
                let config = lampyris_runtime::config::Config::load(&file, std::iter::empty());
                let config = config.unwrap_or_else(|why| panic!("{why}"));
                assert_eq!(config.nodes.len(), 3);
                assert_eq!(config.warnings, []);
            }
        }
    }
}
