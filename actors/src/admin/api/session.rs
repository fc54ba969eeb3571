//! How one comes in: a token or a one-time code for the cookie of a session.

use std::time::Duration;

use actix_web::cookie::{Cookie, SameSite, time};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use lampyris_runtime::config::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::auth::{COOKIE, FrontDesk, Refused, Viewer, Who};
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::records::{EventKind, News};

/// How long the browser keeps the cookie; the session itself may end before.
const COOKIE_LIFE: time::Duration = time::Duration::hours(12);

/// What opens a session.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::admin) enum LogIn {
    /// A token.
    Token(Token),
    /// A one-time code.
    Code(Code),
}

/// A token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Token {
    /// The token.
    token: String,
}

/// A one-time code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Code {
    /// The code.
    code: String,
}

/// Somebody who is in.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct WhoView {
    /// The name of his token.
    pub(in crate::admin) name: String,
    /// What he may do: viewer, operator or admin.
    pub(in crate::admin) role: &'static str,
    /// Whether he may make calls.
    pub(in crate::admin) calls: bool,
}

/// A code that opens the page once.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct CodeView {
    /// The code; the page takes it behind `#code=`.
    code: String,
    /// For how long it is good, in seconds.
    seconds: u64,
}

impl WhoView {
    pub(in crate::admin) fn new(seat: &Seat, who: Who) -> Self {
        Self {
            calls: who.role == Role::Admin && super::calls::allowed(&seat.config()),
            name: who.name,
            role: who.role.name(),
        }
    }
}

/// Opens a session: a token or a code for a cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn, security(()),
    responses((status = 200, body = WhoView)))]
pub(in crate::admin) async fn log_in(
    request: HttpRequest,
    seat: Data<Seat>,
    Body(shown): Body<LogIn>,
) -> Result<HttpResponse, Problem> {
    let text = match &shown {
        LogIn::Token(Token { token }) => token,
        LogIn::Code(Code { code }) => code,
    };
    let (cookie, who) = open(&request, &seat, text)?;
    Ok(HttpResponse::Ok().cookie(cookie).json(WhoView::new(&seat, who)))
}

/// Opens a session for a token or a code: its cookie, and whose it is.
pub(in crate::admin) fn open(
    request: &HttpRequest,
    seat: &Seat,
    shown: &str,
) -> Result<(Cookie<'static>, Who), Problem> {
    let from = request.peer_addr().map(|addr| addr.ip());
    let logged_in = seat.desk.log_in(shown, from);
    if let Err(Refused::Wrong { untold: Some(untold) }) = &logged_in {
        let who = from.map_or("somebody".to_owned(), |from| from.to_string());
        let others = match untold {
            0 => String::new(),
            more => format!(", and {more} others before"),
        };
        let text = format!("a log-in was refused: {who}{others}");
        seat.records.note(News::new(EventKind::Session, text));
    }
    let (id, who) = logged_in.map_err(refused)?;
    let news = News::new(EventKind::Session, format!("{} has logged in", who.name)).by(who.name.clone());
    seat.records.note(news);
    Ok((cookie(&seat.desk, id, COOKIE_LIFE), who))
}

/// Ends the session of the cookie.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "It is over")))]
pub(in crate::admin) async fn log_out(_: Viewer, request: HttpRequest, seat: Data<Seat>) -> HttpResponse {
    if let Some(cookie) = request.cookie(COOKIE) {
        seat.desk.log_out(cookie.value());
    }
    let gone = cookie(&seat.desk, String::new(), time::Duration::ZERO);
    HttpResponse::NoContent().cookie(gone).finish()
}

/// Who the token or the session says that one is.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "session", responses((status = 200, body = WhoView)))]
pub(in crate::admin) async fn whoami(Viewer(who): Viewer, seat: Data<Seat>) -> Json<WhoView> {
    Json(WhoView::new(&seat, who))
}

/// A one-time code that opens the page with the rights of whoever asks.
#[utoipa::path(post, path = "/api/v1/codes", tag = "session", responses((status = 201, body = CodeView)))]
pub(in crate::admin) async fn code(Viewer(who): Viewer, seat: Data<Seat>) -> Result<HttpResponse, Problem> {
    let (code, time): (String, Duration) = seat.desk.code_for(who).map_err(|_| Problem::unavailable())?;
    Ok(HttpResponse::Created().json(CodeView {
        code,
        seconds: time.as_secs(),
    }))
}

fn cookie(desk: &FrontDesk, id: String, life: time::Duration) -> Cookie<'static> {
    Cookie::build(COOKIE, id)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(desk.is_secure())
        .max_age(life)
        .finish()
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Wrong { .. } => {
            let text = "this is neither a token nor a code that is still good";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
        }
        Refused::TooMany(time) => {
            let text = format!(
                "too many failed attempts; the next is looked at in {} s",
                time.as_secs() + 1
            );
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many attempts", text)
                .retry_after(time.as_secs() + 1)
        }
        Refused::NoRandom => Problem::unavailable(),
    }
}
