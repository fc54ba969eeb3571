//! The administrator's side of the master: the HTTP API, metrics, health, and the page, on `webport`.
//!
//! | path | who | file |
//! | --- | --- | --- |
//! | `/healthz`, `/readyz` | anyone | `health` |
//! | `/metrics` | viewer, or anyone if so configured | `metrics` |
//! | `/`, `/login`, `/assets/…` … | anyone; what is told, by role | `page` |
//! | `/api/v1/…` | by role | `api`; what is there stands in `openapi` |
//!
//! It reads plain snapshots and the records, asks the master's actor, and must not know how anything is carried out.
//! Who may do what is decided in `auth`; nothing changes by GET; every error is a [`problem`].

mod api;
mod auth;
mod body;
mod effect;
mod health;
mod metrics;
mod openapi;
mod page;
mod problem;
mod seat;
mod stream;
mod verdict;
mod views;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, middleware, web};

pub(crate) use api::config::ConfigView;
pub(crate) use auth::{FrontDesk, TOKEN_FILE, read_token, token_file, token_of_environment};
#[cfg(test)]
pub(crate) use openapi::description;
pub(crate) use seat::Seat;

/// How long the headers of a request may take.
const HEADERS_TIME: Duration = Duration::from_secs(5);

/// Connections at one time.
const MOST_CONNECTIONS: usize = 1024;

/// Serves until the process ends, or until it is stopped by the handle: then answers that have begun are given first,
/// for at most a second.
pub(crate) fn serve(listener: TcpListener, seat: Seat) -> io::Result<ServerHandle> {
    let server = HttpServer::new(move || App::new().configure(|config| routes(config, &seat)))
        .workers(1)
        .max_connections(MOST_CONNECTIONS)
        .client_request_timeout(HEADERS_TIME)
        .client_disconnect_timeout(Duration::from_secs(1))
        .on_connect(stream::remember_socket)
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

/// Every route there is.
pub(crate) fn routes(config: &mut web::ServiceConfig, seat: &Seat) {
    config
        .app_data(web::Data::new(seat.clone()))
        .app_data(web::Data::from(std::sync::Arc::clone(&seat.desk)))
        .configure(body::parameters)
        .configure(health::routes)
        .configure(|config| metrics::routes(config, seat.desk.open_metrics()))
        .service(
            web::scope("")
                .wrap(middleware::from_fn(auth::check_host))
                .configure(api::routes)
                .configure(page::routes)
                .default_service(web::to(problem::not_found)),
        );
}
