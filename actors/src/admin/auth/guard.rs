//! What a request must show before it is looked at: a known `Host`, an own `Origin`, and a token or a session.
//!
//! A bearer's token goes with no request by itself, so it needs nothing else. A cookie goes with every request to this
//! host: what changes something must then also show its origin, and a header that no form can send.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, ResponseError, web};

use super::{FrontDesk, Who, Why, host};
use crate::admin::problem::Problem;

/// The cookie of a session.
pub(in crate::admin) const COOKIE: &str = "lampyris_session";

/// The header that a page sends with what changes something.
const OWN_HEADER: &str = "x-lampyris";

type Answer = Result<ServiceResponse<BoxBody>, actix_web::Error>;

/// Lets a request pass that asks for a name of this host.
pub(in crate::admin) async fn check_host(request: ServiceRequest, next: Next<BoxBody>) -> Answer {
    let Some(desk) = request.app_data::<web::Data<FrontDesk>>() else {
        return Ok(request.into_response(Problem::unavailable().response()));
    };
    let asked = text(request.request(), &header::HOST).unwrap_or_default();
    // Of a request for a whole address, that is the host, whatever the header says.
    let named = request.uri().authority().map(|authority| authority.as_str());
    if !host::is_known(asked, &desk.hosts) || named.is_some_and(|named| !host::is_known(named, &desk.hosts)) {
        desk.refusals.add(Why::Host);
        let problem = forbidden("foreign host", "this host does not go by that name");
        let hint = "add the name to admin.hosts of the configuration";
        return Ok(request.into_response(problem.hint(hint).response()));
    }
    let own = text(request.request(), &header::ORIGIN).is_none_or(|origin| host::is_own(origin, asked));
    if !own || request.headers().get_all(header::ORIGIN).count() > 1 {
        desk.refusals.add(Why::Origin);
        let text = "a page of another origin may not use this API";
        return Ok(request.into_response(forbidden("foreign origin", text).response()));
    }
    next.call(request).await
}

/// Lets a request pass that shows who sends it.
pub(in crate::admin) async fn require(request: ServiceRequest, next: Next<BoxBody>) -> Answer {
    match identify(request.request()) {
        Ok(who) => {
            request.extensions_mut().insert(who);
            next.call(request).await
        }
        Err(problem) => {
            let why = match problem.status_code() {
                StatusCode::FORBIDDEN => Why::Origin,
                _ => Why::Token,
            };
            count(request.request(), why);
            Ok(request.into_response(problem.response()))
        }
    }
}

/// Counts a request that is refused.
pub(super) fn count(request: &HttpRequest, why: Why) {
    if let Some(desk) = request.app_data::<web::Data<FrontDesk>>() {
        desk.refusals.add(why);
    }
}

/// Who sends a request, as its token or its session says.
pub(in crate::admin) fn identify(request: &HttpRequest) -> Result<Who, Problem> {
    let desk = request
        .app_data::<web::Data<FrontDesk>>()
        .ok_or_else(Problem::unavailable)?;
    if request.headers().contains_key(header::AUTHORIZATION) {
        let token = text(request, &header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
        return token
            .and_then(|token| desk.tokens.whose(token))
            .ok_or_else(unauthorized);
    }
    let cookie = request.cookie(COOKIE).ok_or_else(unauthorized)?;
    let who = desk.whose_session(cookie.value()).ok_or_else(unauthorized)?;
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let shown = request.headers().contains_key(header::ORIGIN) && request.headers().contains_key(OWN_HEADER);
    if changes && !shown {
        let text = "with a cookie, what changes something needs the headers Origin and X-Lampyris";
        return Err(forbidden("foreign origin", text));
    }
    Ok(who)
}

fn text<'a>(request: &'a HttpRequest, name: &header::HeaderName) -> Option<&'a str> {
    // What is no text is nobody's name or origin.
    request
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap_or("\u{fffd}"))
}

fn unauthorized() -> Problem {
    let text = "send a token: Authorization: Bearer …";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
}

fn forbidden(title: &'static str, text: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, title, text)
}
