//! Errors of the API as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use lampyris_runtime::config::Finding;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: the title says which it is.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Kind,
    /// Which problem, in a few words that stay the same.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is the matter this time.
    #[schema(value_type = String)]
    detail: Box<str>,
    /// The node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    node: Option<Box<str>>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    hint: Option<Box<str>>,
    /// What is wrong with the configuration, as `check-config --format json` gives it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    findings: Box<[Value]>,
    /// Seconds after which another attempt makes sense.
    #[serde(skip)]
    retry_after: Option<u32>,
    /// The methods that the path has, where another was tried.
    #[serde(skip)]
    allow: Option<Box<str>>,
}

/// A problem has no page of its own.
#[derive(Debug, Clone, Copy, Serialize)]
enum Kind {
    /// The title says it all.
    #[serde(rename = "about:blank")]
    Blank,
}

impl Problem {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::Blank,
            title,
            status: status.as_u16(),
            detail: detail.into().into(),
            node: None,
            hint: None,
            findings: Box::default(),
            retry_after: None,
            allow: None,
        }
    }

    pub(super) fn node(mut self, node: impl ToString) -> Self {
        self.node = Some(node.to_string().into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = u32::try_from(seconds).ok();
        self
    }

    /// A path that has other methods.
    pub(super) fn not_allowed(allow: &str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method not allowed",
            format!("this path takes {allow}"),
        );
        problem.allow = Some(allow.into());
        problem
    }

    /// A name that no node has.
    pub(super) fn no_such_node(name: &str) -> Self {
        let text = format!("no node is called {name:?}");
        Self::new(StatusCode::NOT_FOUND, "no such node", text).node(name)
    }

    /// A request that makes no sense.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad request", detail)
    }

    /// Something that cannot be done as things are.
    pub(super) fn conflict(title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, title, detail)
    }

    /// A configuration that is refused: the text of `check-config`, and the same as objects.
    pub(super) fn not_applied(text: String, findings: &[Finding]) -> Self {
        let title = "the configuration is not applied";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, text);
        let value = |finding: &Finding| serde_json::to_value(finding).unwrap_or_default();
        problem.findings = findings.iter().map(value).collect();
        problem
    }

    /// A run folder that nothing can be kept in.
    pub(super) fn run_dir(why: String) -> Self {
        let title = "the run folder cannot be written to";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, title, why)
    }

    /// The master's actor does not answer.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the master is ending",
        )
    }

    /// What is the matter, in words.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, &**allow));
        }
        response.body(serde_json::to_string(self).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

/// The answer to a path that is not there.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    let text = format!("nothing is at {}", request.path());
    Problem::new(StatusCode::NOT_FOUND, "not found", text).response()
}
