//! The files as they are embedded: complete, of known types, small, and the works of others as they were published.

use std::collections::BTreeSet;
use std::io::Read;

use sha2::{Digest, Sha256};

use super::*;

/// What the program that packs the files joins modules with.
#[path = "../../../../build/join.rs"]
mod join;

/// What a first visit may load, compressed, in bytes.
const FIRST_LOAD: usize = 80_000;

/// How many files a first visit may ask for, charts among them; beside them are the frame, and what the API is asked.
const FILES_AT_ONCE: usize = 11;

/// What a module names by `start`, of the files that there are.
fn named<'a>(file: &'a Packed, start: &'a str) -> impl Iterator<Item = String> + 'a {
    let text = std::str::from_utf8(file.plain).unwrap();
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    text.split(start).skip(1).filter_map(move |rest| {
        let named = rest.split('"').next().filter(|named| named.starts_with('.'))?;
        let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in named.split('/') {
            match part {
                "." => {}
                ".." => drop(path.pop()),
                _ => path.push(part),
            }
        }
        Some(path.join("/"))
    })
}

/// How modules name what they cannot do without, and what they load when it is wanted.
const AT_ONCE: [&str; 3] = ["from \"", "from\"", "import \""];
const LATER: [&str; 2] = ["import(\"", "resolve(\""];

fn modules() -> impl Iterator<Item = &'static Packed> {
    FILES.iter().filter(|file| file.path.ends_with("js"))
}

/// Everything that a module brings with it.
fn brought(path: &str, all: &mut BTreeSet<String>) {
    let file = find(path).unwrap();
    if all.insert(path.to_owned()) && path.ends_with("js") {
        for start in AT_ONCE {
            named(file, start).for_each(|path| brought(&path, all));
        }
        // Charts are shown at once by whoever brings them.
        if path == "chart.js" {
            named(file, "resolve(\"").for_each(|path| brought(&path, all));
        }
    }
}

#[test]
fn the_first_visit_of_each_page_loads_little() {
    for page in ["overview", "nodes", "node", "logs", "events", "call"] {
        let mut all = BTreeSet::from(["page.css".to_owned(), "icon.svg".to_owned()]);
        brought("app.js", &mut all);
        brought(&format!("pages/{page}.js"), &mut all);
        let files: usize = all.iter().map(|path| find(path).unwrap().gzip.len()).sum();
        let frame = [super::super::DOCUMENT, include_str!("../../assets/frame.html")];
        let total = files + frame.map(str::len).iter().sum::<usize>();
        println!("{page}: {} files, {total} bytes", all.len());
        assert!(total <= FIRST_LOAD, "{page}: {total} bytes, of {all:?}");
        assert!(all.len() <= FILES_AT_ONCE, "{page}: {all:?}");
    }
}

#[test]
fn what_is_compressed_is_the_same_and_every_type_is_known() {
    for file in FILES {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(file.gzip)
            .read_to_end(&mut plain)
            .unwrap();
        assert!(plain == file.plain, "{}", file.path);
        assert!(
            KINDS.iter().any(|(end, _)| file.path.ends_with(end)),
            "{}",
            file.path
        );
    }
}

#[test]
fn the_works_of_others_are_as_they_were_published() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/assets/vendor/");
    let list: serde_json::Value =
        serde_json::from_str(include_str!("../../assets/vendor/manifest.json")).unwrap();
    let notice = include_str!("../../assets/vendor/THIRD-PARTY.txt");
    let mut listed = BTreeSet::from(["THIRD-PARTY.txt".to_owned()]);
    for work in list.as_array().unwrap() {
        let text = |key: &str| work[key].as_str().unwrap().to_owned();
        let bytes = std::fs::read(format!("{folder}{}", text("file"))).unwrap();
        let hash = lampyris_runtime::hex::encode(Sha256::digest(bytes));
        assert_eq!(hash, text("sha256"), "{}", text("file"));
        assert!(["MIT", "Apache-2.0"].contains(&&text("licence")[..]));
        assert!(notice.contains(&format!("{} {}", text("package"), text("version"))));
        listed.insert(text("file"));
    }
    let there = FILES.iter().filter_map(|file| file.path.strip_prefix("vendor/"));
    assert_eq!(there.map(str::to_owned).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn modules_name_only_files_that_there_are() {
    for file in modules() {
        for start in AT_ONCE.into_iter().chain(LATER) {
            for path in named(file, start) {
                assert!(find(&path).is_some(), "{} names {path}", file.path);
            }
        }
    }
    assert!(modules().count() > 10);
}

#[actix_web::test]
async fn a_file_is_sent_compressed_to_whoever_can_read_it_and_nothing_else_is_there() {
    let app = actix_web::App::new().configure(crate::admin::page::routes);
    let app = actix_web::test::init_service(app).await;
    let get = async |path: &str, accepts: &str| {
        let request = actix_web::test::TestRequest::get().uri(path);
        let request = request.insert_header((ACCEPT_ENCODING, accepts)).to_request();
        actix_web::test::call_service(&app, request).await
    };
    for file in FILES {
        let path = format!("{}/{}", folder(), file.path);
        for (accepts, packed) in [
            ("gzip, br", true),
            ("", false),
            ("gzip;q=0", false),
            ("identity", false),
        ] {
            let answer = get(&path, accepts).await;
            let header = |name: &str| {
                answer
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(
                header("content-encoding").as_deref(),
                packed.then_some("gzip"),
                "{path} {accepts:?}"
            );
            assert!(header("cache-control").unwrap().ends_with("immutable"));
            assert!(
                header("content-security-policy")
                    .unwrap()
                    .starts_with("default-src 'none'; script-src 'self';")
            );
            assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
            let kind = header("content-type").unwrap();
            assert!(
                kind.starts_with("text/") || kind == "image/svg+xml",
                "{path} is {kind}"
            );
            let body = actix_web::test::read_body(answer).await;
            assert!(body == if packed { file.gzip } else { file.plain }, "{path}");
        }
    }
    assert_eq!(get("/licenses", "gzip").await.status(), 200);
    for path in [
        "/assets/../Cargo.toml",
        "/assets/0/app.js",
        "/assets//app.js",
        "/assets/{v}/",
        "/assets/{v}/frame.html",
        "/assets/{v}/document.html",
        "/assets/{v}/vendor/manifest.json",
        "/assets/{v}/../mod.rs",
        "/assets/{v}/..%2f..%2fCargo.toml",
        "/assets/{v}/%2e%2e/mod.rs",
        "/assets/{v}/vendor/",
        "/assets/{v}/pages/../app.js",
        "/assets/{v}//app.js",
        "/app.js",
        "/assets",
        "/index.html",
    ] {
        let path = path.replace("{v}", VERSION);
        assert_eq!(get(&path, "gzip").await.status(), 404, "{path}");
    }
}
