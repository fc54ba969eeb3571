//! Game clients. They are too many to be reported: the nodes are asked, page by page.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin::auth::Operator;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::net::ClientInfo;
use crate::protocol::{Disconnect, ListClients};

/// Clients of one page, unless a number is given.
const PAGE: u32 = 100;

/// Most clients of one page.
const MOST: u32 = 1000;

/// Which clients.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ClientsQuery {
    /// Only those of this node.
    node: Option<String>,
    /// Only those whose address contains this.
    q: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[^:]{1,64}:[0-9]{1,15}$")]
    cursor: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// One page of clients.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct ClientsPage {
    clients: Vec<ClientView>,
    /// The cursor of the next page; `null` after the last.
    next: Option<String>,
    /// Nodes that could not be asked.
    unknown: Vec<String>,
}

/// One client.
#[derive(Debug, Serialize, ToSchema)]
struct ClientView {
    /// Its id: the node, a colon, the session's number.
    id: String,
    /// The node that it is connected to.
    node: String,
    #[serde(flatten)]
    info: ClientInfo,
}

/// Clients that are connected, by node and number.
#[utoipa::path(get, path = "/api/v1/clients", tag = "clients", params(ClientsQuery),
    responses((status = 200, body = ClientsPage)))]
pub(in crate::admin) async fn clients(
    _: Operator,
    seat: Data<Seat>,
    query: Query<ClientsQuery>,
) -> Result<Json<ClientsPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit is {limit}; allowed are 1 to {MOST}"
        )));
    }
    let cursor = query.cursor.as_deref().map(|cursor| {
        parse(cursor).ok_or_else(|| Problem::bad_request("cursor: take the `next` of the page before"))
    });
    let cursor = cursor.transpose()?;
    let wanted = |name: &&str| query.node.as_deref().is_none_or(|wanted| wanted == *name);
    let config = seat.config();
    let with_clients = config.nodes.iter().filter(|node| node.netport.is_some());
    let names = with_clients.map(|node| node.name.as_str()).filter(wanted);
    let from = cursor.as_ref().map(|(node, _)| *node);
    let mut page = ClientsPage {
        clients: Vec::new(),
        next: None,
        unknown: Vec::new(),
    };
    for name in names.skip_while(|name| from.is_some_and(|from| from != *name)) {
        let list = ListClients {
            after: cursor
                .filter(|(node, _)| *node == name)
                .map_or(0, |(_, number)| number),
            text: query.q.clone().unwrap_or_default(),
            most: limit - u32::try_from(page.clients.len()).unwrap_or(limit),
        };
        let Ok(found) = seat.ask(name, list).await else {
            page.unknown.push(name.to_owned());
            continue;
        };
        page.clients.extend(found.into_iter().map(|info| ClientView {
            id: format!("{name}:{}", info.number),
            node: name.to_owned(),
            info,
        }));
        if page.clients.len() >= limit as usize {
            page.next = page.clients.last().map(|last| last.id.clone());
            break;
        }
    }
    Ok(Json(page))
}

/// Sends a client away, after what was sent to it before.
#[utoipa::path(delete, path = "/api/v1/clients/{id}", tag = "clients",
    params(("id" = String, Path, description = "The node, a colon, the session's number")),
    responses((status = 204, description = "It is being disconnected")))]
pub(in crate::admin) async fn disconnect(
    Operator(who): Operator,
    seat: Data<Seat>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let none = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no such client",
            format!("no client is called {:?}", *id),
        )
    };
    let (node, number) = parse(&id).ok_or_else(none)?;
    seat.link(node).await?;
    seat.audit(&who.name, Some(node), format!("client {id} is to be sent away"));
    let reason = format!("by {}", who.name);
    if !seat.ask(node, Disconnect { number, reason }).await? {
        return Err(none());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Node and number of an id.
fn parse(id: &str) -> Option<(&str, u64)> {
    let (node, number) = id.rsplit_once(':')?;
    Some((node, number.parse().ok()?))
}
