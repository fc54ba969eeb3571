//! The page of the administrator: three files, embedded in the program.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    file(
        config,
        "/",
        "text/html; charset=utf-8",
        include_str!("assets/index.html"),
    );
    file(
        config,
        "/assets/page.css",
        "text/css; charset=utf-8",
        include_str!("assets/page.css"),
    );
    file(
        config,
        "/assets/page.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/page.js"),
    );
}

fn file(config: &mut web::ServiceConfig, path: &str, kind: &'static str, body: &'static str) {
    let answer = move || async move {
        HttpResponse::Ok()
            .content_type(kind)
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(body)
    };
    config.service(web::resource(path).route(web::get().to(answer)));
}
