//! The node's own HTTP port: the user's actix-web routes, and `/healthz`.

use std::io;
use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::{App as WebApp, HttpServer, web};

use super::Node;
use crate::app::Routes;

/// Serves until the handle stops it. The node's own thread stays free: HTTP has one thread of its own.
pub(super) fn serve(listener: TcpListener, routes: Option<Routes>, node: &Node) -> io::Result<ServerHandle> {
    let node = node.clone();
    let server = HttpServer::new(move || {
        let routes = routes.clone();
        WebApp::new()
            .app_data(web::Data::new(node.clone()))
            .route("/healthz", web::get().to(|| async { "ok\n" }))
            .configure(move |config| {
                if let Some(routes) = routes {
                    routes(config);
                }
            })
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
            tracing::error!(%error, "the node's HTTP server ended");
        }
    });
    Ok(handle)
}
