//! Packs the files of the administrator's page: each as it is and compressed, under a folder whose name is a hash of all
//! of them, so that a browser may keep them for ever. Must not know what they do.

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

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={ASSETS}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?);
    let mut files = Vec::new();
    gather(Path::new(ASSETS), &mut files)?;
    files.sort();
    let (mut all, mut table) = (Sha256::new(), String::new());
    for (number, file) in files.iter().enumerate() {
        let path = file.strip_prefix(ASSETS).map_err(io::Error::other)?;
        let path = path.to_string_lossy().replace('\\', "/");
        let bytes = servable(&path, fs::read(file)?);
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

/// A browser finds modules by their paths alone, where the works of others speak of each other by name.
fn servable(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    if path != "vendor/hooks.mjs" {
        return bytes;
    }
    let text = String::from_utf8_lossy(&bytes);
    text.replace("from\"preact\"", "from\"./preact.mjs\"")
        .into_bytes()
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
