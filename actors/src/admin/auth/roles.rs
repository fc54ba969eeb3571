//! What a handler asks for: somebody of at least one role. An argument of the type is the check.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use lampyris_runtime::config::Role;

use super::guard::count;
use super::{Who, Why};
use crate::admin::problem::Problem;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub(in crate::admin) struct $name(pub(in crate::admin) Who);

        impl FromRequest for $name {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(at_least(request, Role::$name).map(Self))
            }
        }
    )*};
}

roles! {
    /// Somebody who may read.
    Viewer;
    /// Somebody who may act on nodes and clients.
    Operator;
    /// Somebody who may do everything.
    Admin;
}

fn at_least(request: &HttpRequest, role: Role) -> Result<Who, Problem> {
    let who = request.extensions().get::<Who>().cloned();
    let who = who.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "nobody is known"))?;
    if who.role >= role {
        return Ok(who);
    }
    count(request, Why::Role);
    let text = format!(
        "this is for the role {}; {} is a {}",
        role.name(),
        who.name,
        who.role.name()
    );
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", text))
}
