//! The files of the page, packed by `build/main.rs` and embedded in the program. What is not in the table is not there.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, Encoding, Header, VARY,
};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::answer;
use crate::admin::problem;

/// One file, as it is and compressed.
struct Packed {
    path: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The files' types by the ends of their names.
const KINDS: [(&str, &str); 5] = [
    (".js", "text/javascript; charset=utf-8"),
    (".mjs", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain; charset=utf-8"),
];

/// Where the files are that belong to this program.
pub(super) fn folder() -> String {
    format!("/assets/{VERSION}")
}

/// One file of this version; another version's is not there.
pub(super) async fn file(request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (version, path) = path.into_inner();
    match find(&path).filter(|_| version == VERSION) {
        Some(file) => send(&request, file, "public, max-age=31536000, immutable"),
        None => problem::not_found(request).await,
    }
}

/// Whose works are among the files.
pub(super) async fn licenses(request: HttpRequest) -> HttpResponse {
    match find("vendor/THIRD-PARTY.txt") {
        Some(file) => send(&request, file, "no-cache"),
        None => problem::not_found(request).await,
    }
}

fn find(path: &str) -> Option<&'static Packed> {
    FILES.iter().find(|file| file.path == path)
}

fn send(request: &HttpRequest, file: &'static Packed, keep: &'static str) -> HttpResponse {
    let kind = KINDS.iter().find(|(end, _)| file.path.ends_with(end));
    let mut answer = answer(StatusCode::OK);
    answer
        .content_type(kind.map_or("application/octet-stream", |(_, kind)| *kind))
        .insert_header((CACHE_CONTROL, keep))
        .insert_header((VARY, ACCEPT_ENCODING.as_str()));
    let gzip = AcceptEncoding::parse(request).is_ok_and(|accepted| {
        let both = [Encoding::gzip(), Encoding::identity()];
        accepted.negotiate(both.iter()) == Some(Encoding::gzip())
    });
    match gzip {
        true => answer.insert_header((CONTENT_ENCODING, "gzip")).body(file.gzip),
        false => answer.body(file.plain),
    }
}

#[cfg(test)]
mod tests;
