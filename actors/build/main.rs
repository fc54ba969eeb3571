//! Packs the files of the administrator's page: each as it is and compressed, under a folder whose name is a hash of all
//! of them, so that a browser may keep them for ever; modules that are always wanted together are one file. Must not know
//! what they do.

mod join;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Where the files are.
const ASSETS: &str = "src/admin/assets";

/// What is for this program alone: the frames of the pages, and the list of the works of others.
const NOT_SERVED: [&str; 2] = ["html", "json"];

/// Modules that are one file, which is named as the last of them; each may import from those before it. The way in has
/// two of them without the others.
const LOGIN: [&str; 2] = ["api.js", "login.js"];
const APP: [&str; 12] = [
    "html.js",
    "api.js",
    "format.js",
    "store.js",
    "announce.js",
    "stream.js",
    "state.js",
    "parts.js",
    "keys.js",
    "actions.js",
    "login.js",
    "app.js",
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed={ASSETS}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?);
    let mut files = Vec::new();
    gather(Path::new(ASSETS), &mut files)?;
    files.sort();
    let (mut all, mut table) = (Sha256::new(), String::new());
    for (number, file) in files.iter().enumerate() {
        let path = file.strip_prefix(ASSETS).map_err(io::Error::other)?;
        let path = path.to_string_lossy().replace('\\', "/");
        let Some(bytes) = servable(&path, file)? else {
            continue;
        };
        all.update(path.as_bytes());
        all.update([0]);
        all.update(&bytes);
        let (plain, packed) = (out.join(format!("{number}")), out.join(format!("{number}.gz")));
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        fs::write(&packed, gzip.finish()?)?;
        fs::write(&plain, bytes)?;
        let line = format!(
            "Packed {{ path: {path:?}, plain: include_bytes!({plain:?}), gzip: include_bytes!({packed:?}) }},"
        );
        writeln!(table, "{line}").map_err(io::Error::other)?;
    }
    let hash: String = all
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = format!("const VERSION: &str = {hash:?};\nconst FILES: &[Packed] = &[\n{table}];\n");
    fs::write(out.join("page.rs"), text)
}

/// A file as it is served; those that are parts of another are not.
fn servable(path: &str, file: &Path) -> io::Result<Option<Vec<u8>>> {
    let text = || fs::read_to_string(file);
    Ok(Some(match path {
        "app.js" => joined(&APP)?,
        "login.js" => joined(&LOGIN)?,
        // A browser finds modules by their paths alone, where the works of others speak of each other by name.
        "vendor/hooks.mjs" => text()?.replace("from\"preact\"", "from\"./preact.mjs\"").into(),
        _ if APP.contains(&path) => return Ok(None),
        _ if path.ends_with(".js") && !path.starts_with("vendor/") => {
            join::redirect(&text()?, &APP, "app.js").into()
        }
        _ => fs::read(file)?,
    }))
}

fn joined(paths: &[&str]) -> io::Result<Vec<u8>> {
    let read = |path: &&str| {
        Ok((
            (*path).to_owned(),
            fs::read_to_string(Path::new(ASSETS).join(path))?,
        ))
    };
    let modules = paths.iter().map(read).collect::<io::Result<Vec<_>>>()?;
    join::join(&modules)
        .map(String::into_bytes)
        .map_err(io::Error::other)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            gather(&path, files)?;
        } else if !NOT_SERVED.contains(&ending) {
            files.push(path);
        }
    }
    Ok(())
}
