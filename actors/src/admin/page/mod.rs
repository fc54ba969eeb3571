//! The page of the administrator: its files, the frame that each of its addresses is answered with, and the way in.
//!
//! | path | what |
//! | --- | --- |
//! | `/`, `/nodes`, `/nodes/{name}`, `/logs`, `/events`, `/call` | the frame, with the state of the nodes in it; a way in for who is not known |
//! | `/login` | the way in |
//! | `/assets/{version}/…` | the files: for ever the same under one version |
//! | `/licenses` | whose works are among them |
//!
//! Everything comes from here and nothing is inline, so the policy forbids the rest. What the page shows when it runs
//! it asks of the API, as anybody would; this room must not know what.

mod files;
mod frame;
mod login;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder, web};

/// What is around the body of each page.
const DOCUMENT: &str = include_str!("../assets/document.html");

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The addresses of the page; it knows itself which is which.
const PAGES: [&str; 6] = ["/", "/nodes", "/nodes/{name}", "/logs", "/events", "/call"];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    for path in PAGES {
        config.service(web::resource(path).route(web::get().to(frame::page)));
    }
    config
        .service(
            web::resource("/login")
                .route(web::get().to(login::show))
                .route(web::post().to(login::log_in)),
        )
        .service(web::resource("/assets/{version}/{path:.*}").route(web::get().to(files::file)))
        .service(web::resource("/licenses").route(web::get().to(files::licenses)));
}

/// An answer with what every answer of the page says to the browser.
fn answer(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // With `no-referrer` a form would tell no origin, and be refused.
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ));
    answer
}

/// A document, which is another one each time; `program` is the file that runs in it.
fn document(status: StatusCode, title: &str, program: &str, body: &str) -> HttpResponse {
    let text = DOCUMENT
        .replace("{{title}}", &frame::escape(title))
        .replace("{{program}}", program)
        .replace("{{body}}", body)
        .replace("{{assets}}", &files::folder());
    answer(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}
