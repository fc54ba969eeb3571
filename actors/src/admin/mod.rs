//! The administrator's HTTP API on the master's `webport`. It reads plain snapshots and asks the master's actor.
//!
//! | method and path | who | what |
//! | --- | --- | --- |
//! | GET / | anyone | a page that shows the nodes, given the token |
//! | GET /healthz | anyone | the process answers |
//! | GET /api/v1/nodes | token | an array of nodes |
//! | POST /api/v1/nodes/{name}/actions/{start,stop,restart,reload} | token | asks it of one node |
//! | GET /api/v1/operations/{id} | token | how far a restart is, or how it ended |
//! | POST /api/v1/cluster/actions/rolling-restart | token | restarts every node, one after the other |
//! | POST /api/v1/cluster/actions/reload | token | applies the configuration as it stands in the file |
//! | POST /api/v1/cluster/actions/stop | token | stops the nodes in order, then the master; with `keep_nodes`, the master alone |
//!
//! The token is a bearer's: `Authorization: Bearer …`. Nothing changes by GET.

mod api;
mod page;
mod problem;
mod token;

use std::io;
use std::net::TcpListener;

use actix::Addr;
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, middleware, web};

pub(crate) use token::Token;

use crate::master::Master;

/// Longest body of a request, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// Serves until the process ends, or until it is stopped by the handle: then answers that have begun are given first,
/// for at most a second.
pub(crate) fn serve(listener: TcpListener, master: Addr<Master>, token: Token) -> io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(master.clone()))
            .app_data(web::Data::new(token.clone()))
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .route("/healthz", web::get().to(|| async { "ok\n" }))
            .service(
                web::scope("/api/v1")
                    .wrap(middleware::from_fn(token::require))
                    .configure(api::routes),
            )
            .configure(page::routes)
            .default_service(web::to(problem::not_found))
    });
    let server = server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    actix::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the admin server ended");
        }
    });
    Ok(handle)
}
