//! What comes with a request: a body in JSON, bounded in size and time; parameters that make sense.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Longest body of a request, in bytes.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// How long a body may take from the end of the headers.
const BODY_TIME: Duration = Duration::from_secs(5);

/// A body in JSON; one that is absent counts as `null`.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request.headers().get(header::CONTENT_TYPE).is_none_or(is_json);
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = tokio::time::timeout(BODY_TIME, bytes).await.map_err(|_| late())?;
            let bytes = bytes.map_err(|error| unread(&error))?;
            let is_absent = bytes.iter().all(u8::is_ascii_whitespace);
            if !is_json && !is_absent {
                let text = "the body is to be application/json";
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported media type",
                    text,
                ));
            }
            let body = serde_json::from_slice(if is_absent { b"null" } else { &bytes });
            body.map(Self)
                .map_err(|error| Problem::bad_request(format!("the body: {error}")))
        })
    }
}

fn is_json(kind: &header::HeaderValue) -> bool {
    let kind = kind
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn late() -> Problem {
    let text = format!("the body has not come within {} s", BODY_TIME.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request timeout", text)
}

fn unread(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => {
            let text = format!("a body has {MAX_BODY} bytes at most");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too large", text)
        }
        _ if error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("a body has {MAX_BODY} bytes at most");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too large", text)
        }
        _ => Problem::bad_request(format!("the body could not be read: {error}")),
    }
}

/// Parameters of paths and queries that make no sense become problems too.
pub(super) fn parameters(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_BODY))
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, _| Problem::bad_request(format!("the query: {error}")).into()),
        )
        .app_data(
            web::PathConfig::default()
                .error_handler(|error, _| Problem::bad_request(format!("the path: {error}")).into()),
        );
}
