//! What stands under /api/v1: one table of paths, and a file for each thing that is asked for.
//!
//! Each handler names the role that it needs as an argument. The table is compared with the description in
//! [`openapi`](super::openapi) by a test, both ways.

pub(super) mod actions;
pub(super) mod calls;
pub(super) mod clients;
pub(super) mod cluster;
pub(super) mod config;
pub(super) mod events;
pub(super) mod handlers;
pub(super) mod links;
pub(super) mod logs;
pub(super) mod nodes;
pub(super) mod operations;
pub(super) mod session;

use actix_web::{middleware, web};

pub(super) use actions::NodeAction;

use super::problem::{Problem, not_found};
use super::{auth, openapi, stream};

/// Makes the function that registers all paths, and the list of them for the test.
macro_rules! paths {
    ($($path:literal: $($method:ident $handler:path),+;)*) => {
        fn all(config: &mut web::ServiceConfig) {
            $(
                let allow = [$(stringify!($method)),+].join(", ").to_uppercase();
                let resource = web::resource($path)$(.route(web::$method().to($handler)))+;
                config.service(resource.default_service(other_method(allow)));
            )*
        }

        /// Methods and paths behind /api/v1.
        #[cfg(test)]
        pub(super) const PATHS: &[(&str, &str)] = &[$($((stringify!($method), $path)),+),*];
    };
}

paths! {
    "/cluster": get cluster::cluster;
    "/cluster/actions/{action}": post actions::cluster::of_cluster;
    "/nodes": get nodes::nodes;
    "/nodes/{name}": get nodes::node;
    "/nodes/{name}/actions/force": post actions::force::of_node;
    "/nodes/{name}/actions/{action}": post actions::node::of_node;
    "/operations/{id}": get operations::operation;
    "/links": get links::links;
    "/handlers": get handlers::handlers;
    "/clients": get clients::clients;
    "/clients/{id}": delete clients::disconnect;
    "/events": get events::events;
    "/logs": get logs::logs;
    "/stream": get stream::stream;
    "/config": get config::config;
    "/config/check": post config::check;
    "/calls": post calls::call;
    "/traces/{trace}": get calls::trace;
    "/codes": post session::code;
    "/whoami": get session::whoami;
    "/openapi.json": get openapi::serve;
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        // Who logs in has nothing to show yet.
        web::resource("/api/v1/session")
            .route(web::post().to(session::log_in))
            .route(
                web::delete()
                    .to(session::log_out)
                    .wrap(middleware::from_fn(auth::require)),
            )
            .default_service(other_method("DELETE, POST".to_owned())),
    );
    config.service(
        web::scope("/api/v1")
            .wrap(middleware::from_fn(auth::require))
            .configure(all)
            .default_service(web::to(not_found)),
    );
}

/// The answer to a method that a path does not have.
fn other_method(allow: String) -> actix_web::Route {
    web::to(move || {
        let problem = Problem::not_allowed(&allow);
        async move { problem.response() }
    })
}
