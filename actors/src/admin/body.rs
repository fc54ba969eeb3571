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
        let is_json = is_of_kind(request, "application/json");
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = read(bytes).await?;
            let is_absent = bytes.iter().all(u8::is_ascii_whitespace);
            if !is_json && !is_absent {
                return Err(unsupported("application/json"));
            }
            let body = serde_json::from_slice(if is_absent { b"null" } else { &bytes });
            body.map(Self)
                .map_err(|error| Problem::bad_request(format!("the body: {error}")))
        })
    }
}

/// The fields of a form, as a browser sends them by itself.
pub(super) struct Fields<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Fields<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        const KIND: &str = "application/x-www-form-urlencoded";
        let is_form = is_of_kind(request, KIND);
        let bytes = web::Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = read(bytes).await?;
            if !is_form {
                return Err(unsupported(KIND));
            }
            // The form's text is that of a query.
            let text = String::from_utf8_lossy(&bytes);
            let fields = web::Query::<T>::from_query(&text);
            fields
                .map(|fields| Self(fields.into_inner()))
                .map_err(|error| Problem::bad_request(format!("the form: {error}")))
        })
    }
}

async fn read(
    bytes: impl Future<Output = Result<web::Bytes, actix_web::Error>>,
) -> Result<web::Bytes, Problem> {
    let bytes = tokio::time::timeout(BODY_TIME, bytes).await.map_err(|_| late())?;
    bytes.map_err(|error| unread(&error))
}

/// Whether the body is said to be of a type; one that says nothing is what it is taken for.
fn is_of_kind(request: &HttpRequest, wanted: &str) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    kind.is_none_or(|kind| {
        let kind = kind.to_str().unwrap_or_default().split(';').next();
        kind.unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
    })
}

fn unsupported(wanted: &str) -> Problem {
    let text = format!("the body is to be {wanted}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported media type", text)
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
