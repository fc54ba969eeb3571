//! The way in: a form that takes a token, and works in a browser that runs no program. A one-time code stands in the
//! part of an address that no browser sends; the page's own program takes it to the API.

use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use lampyris_runtime::name::NodeName;
use serde::Deserialize;

use super::frame::escape;
use super::{PAGES, answer, document};
use crate::admin::api::session;
use crate::admin::body::Fields;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;

pub(super) const FORM: &str = include_str!("../assets/login.html");

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Shown {
    token: String,
    /// Where one wanted to.
    #[serde(default)]
    next: String,
}

/// The form.
pub(super) async fn show() -> HttpResponse {
    form(StatusCode::OK, "/", "")
}

/// Opens a session, and goes where one wanted to.
pub(super) async fn log_in(
    request: HttpRequest,
    seat: Data<Seat>,
    Fields(shown): Fields<Shown>,
) -> HttpResponse {
    let next = if is_page(&shown.next) { &shown.next } else { "/" };
    match session::open(&request, &seat, shown.token.trim()) {
        Ok((cookie, _)) => answer(StatusCode::SEE_OTHER)
            .cookie(cookie)
            .insert_header((header::LOCATION, next))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(problem) => refused(&problem, next),
    }
}

fn refused(problem: &Problem, next: &str) -> HttpResponse {
    form(problem.status_code(), next, problem.detail())
}

/// The form, with what was wrong before.
pub(super) fn form(status: StatusCode, next: &str, wrong: &str) -> HttpResponse {
    let body = FORM
        .replace("{{next}}", &escape(next))
        .replace("{{wrong}}", &escape(wrong));
    document(status, "Log in", "login.js", &body)
}

/// Whether an address is one of the page's own.
fn is_page(path: &str) -> bool {
    let node = path.strip_prefix("/nodes/");
    PAGES.contains(&path) && !path.contains('{') || node.is_some_and(|name| NodeName::new(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_a_page_and_nowhere_else() {
        for good in ["/", "/nodes", "/nodes/game1", "/call"] {
            assert!(is_page(good), "{good}");
        }
        for bad in [
            "",
            "//evil.com",
            "/\\evil.com",
            "https://evil.com",
            "/nodes/{name}",
            "/nodes/a/b",
            "/api/v1/nodes",
        ] {
            assert!(!is_page(bad), "{bad}");
        }
    }
}
