//! Errors of the API as `application/problem+json` (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use lampyris_runtime::config::Finding;
use serde_json::json;

/// One answer that says what went wrong.
pub(super) fn problem(status: StatusCode, title: &str, detail: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .body(
            json!({
                "type": "about:blank",
                "title": title,
                "status": status.as_u16(),
                "detail": detail.into(),
            })
            .to_string(),
        )
}

/// The answer to a configuration that is not applied: the text that `check-config` prints, and the same as objects.
pub(super) fn faults(text: &str, findings: &[Finding]) -> HttpResponse {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .body(
            json!({
                "type": "about:blank",
                "title": "the configuration is not applied",
                "status": status.as_u16(),
                "detail": text,
                "findings": findings,
            })
            .to_string(),
        )
}

/// The answer to a path that is not there.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    problem(
        StatusCode::NOT_FOUND,
        "not found",
        format!("nothing is at {}", request.path()),
    )
}

/// The answer when the master's actor does not answer.
pub(super) fn unavailable() -> HttpResponse {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the master is ending",
    )
}
