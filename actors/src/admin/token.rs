//! The administrator's token: from LAMPYRIS_ADMIN_TOKEN, or made at the first start and kept in the run folder.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::web;
use lampyris_runtime::config::Config;
use subtle::ConstantTimeEq;

use super::problem::problem;

/// The variable that may hold the token.
const VARIABLE: &str = "LAMPYRIS_ADMIN_TOKEN";

/// Where it lies in the run folder.
const FILE: &str = "admin.token";

/// The token. It is never printed.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    /// The token of a cluster.
    ///
    /// # Errors
    /// The file in the run folder cannot be read or written.
    pub(crate) fn of(config: &Config) -> io::Result<Self> {
        if let Some(token) = std::env::var(VARIABLE).ok().filter(|token| !token.is_empty()) {
            return Ok(Self(token.into()));
        }
        let path = config.run_dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => Ok(Self(token.trim().into())),
            Ok(_) => Self::make(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(&path),
            Err(error) => Err(error),
        }
    }

    /// The token of a cluster that runs, for a client of its API.
    ///
    /// # Errors
    /// The file in the run folder cannot be read.
    pub(crate) fn known(config: &Config) -> io::Result<String> {
        match std::env::var(VARIABLE).ok().filter(|token| !token.is_empty()) {
            Some(token) => Ok(token),
            None => std::fs::read_to_string(config.run_dir.join(FILE)).map(|token| token.trim().to_owned()),
        }
    }

    fn make(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        writeln!(file, "{token}")?;
        Ok(Self(token.into()))
    }

    fn fits(&self, authorization: Option<&header::HeaderValue>) -> bool {
        let given = authorization
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "));
        given.is_some_and(|given| given.as_bytes().ct_eq(self.0.as_bytes()).into())
    }
}

/// Lets a request pass that has the token.
pub(super) async fn require(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && !is_own(origin, request.headers().get(header::HOST))
    {
        let text = "a page of another origin may not use this API";
        return Ok(request.into_response(problem(StatusCode::FORBIDDEN, "foreign origin", text)));
    }
    let token = request.app_data::<web::Data<Token>>();
    if token.is_some_and(|token| token.fits(request.headers().get(header::AUTHORIZATION))) {
        return next.call(request).await;
    }
    let mut refused = problem(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send the administrator's token: Authorization: Bearer …",
    );
    refused.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        header::HeaderValue::from_static("Bearer"),
    );
    Ok(request.into_response(refused))
}

/// Whether a page comes from the address that it asks.
fn is_own(origin: &header::HeaderValue, host: Option<&header::HeaderValue>) -> bool {
    let address = |origin: &str| {
        origin
            .strip_prefix("http://")
            .or(origin.strip_prefix("https://"))
            .map(str::to_owned)
    };
    let origin = origin.to_str().ok().and_then(address);
    origin.is_some() && origin.as_deref() == host.and_then(|host| host.to_str().ok())
}
