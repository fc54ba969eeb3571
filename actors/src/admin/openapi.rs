//! The description of the API (OpenAPI 3.1), made of the handlers themselves.

use actix_web::HttpResponse;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::api::{
    actions, calls, clients, cluster, config, events, handlers, links, logs, nodes, operations, session,
};
use super::auth::{COOKIE, Viewer};
use super::problem::Problem;
use super::stream;

/// All that is described.
#[derive(OpenApi)]
#[openapi(
    info(title = "Lampyris", description = "The administrator's API of a cluster. Roles: viewer reads, operator acts on nodes and clients, admin does everything."),
    paths(
        cluster::cluster, nodes::nodes, nodes::node, actions::node::of_node, actions::force::of_node,
        actions::cluster::of_cluster,        operations::operation, links::links,
        handlers::handlers, clients::clients, clients::disconnect, events::events, logs::logs, stream::stream,
        config::config, config::check, calls::call, calls::trace, session::log_in, session::log_out,
        session::whoami, session::code, serve,
    ),
    components(schemas(Problem)),
    modifiers(&Common),
)]
pub(super) struct Description;

/// What holds for every operation: how one shows who one is, and the form of errors.
struct Common;

impl Modify for Common {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE))),
        );
        let none: [&str; 0] = [];
        api.security = Some(vec![
            SecurityRequirement::new("token", none),
            SecurityRequirement::new("session", none),
        ]);
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let problem = ResponseBuilder::new()
            .description("What went wrong (RFC 9457)")
            .content("application/problem+json", content)
            .build();
        for item in api.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let responses = &mut operation.responses.responses;
                responses.insert("default".to_owned(), RefOr::T(problem.clone()));
            }
        }
    }
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "session",
    responses((status = 200, body = Object, description = "OpenAPI 3.1")))]
pub(super) async fn serve(_: Viewer) -> HttpResponse {
    HttpResponse::Ok().json(Description::openapi())
}

/// The same, for whoever checks by it what it reads of the API.
#[cfg(test)]
pub(crate) fn description() -> serde_json::Value {
    serde_json::to_value(Description::openapi()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_path_is_described_and_every_description_is_a_path() {
        let api = serde_json::to_value(Description::openapi()).unwrap();
        assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut described = BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                described.insert((method.clone(), path.clone()));
            }
        }
        let behind = |(method, path): &(&str, &str)| (method.to_string(), format!("/api/v1{path}"));
        let mut paths: BTreeSet<_> = crate::admin::api::PATHS.iter().map(behind).collect();
        for method in ["post", "delete"] {
            paths.insert((method.to_owned(), "/api/v1/session".to_owned()));
        }
        assert_eq!(paths, described);
    }
}
