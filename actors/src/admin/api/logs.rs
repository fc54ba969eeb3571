//! The lines that nodes have written, out of their files: several nodes merged by time, filtered, bounded.

use actix_web::web::{self, Data, Json, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::lines::{Level, LogLine, MOST, Wanted, last_lines, newest};

/// Lines of one answer, unless a number is given.
const PAGE: usize = 200;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct LogsQuery {
    /// Names of nodes with commas between, or `master`; all nodes if it is absent.
    node: Option<String>,
    /// Only lines that are at least so severe. A line without a level counts with the one before.
    #[param(inline)]
    level: Option<Level>,
    /// Only lines that contain this.
    q: Option<String>,
    /// Only lines before this time, as lines have it.
    before: Option<String>,
    /// How many, the newest.
    #[param(minimum = 1, maximum = 5000)]
    lines: Option<usize>,
}

/// The last lines of the logs, oldest first.
#[utoipa::path(get, path = "/api/v1/logs", tag = "logs", params(LogsQuery),
    responses((status = 200, body = [LogLine])))]
pub(in crate::admin) async fn logs(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<LogsQuery>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    let most = query.lines.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad_request(format!(
            "lines is {most}; allowed are 1 to {MOST}"
        )));
    }
    let names = names(&seat, query.node.as_deref())?;
    let (folder, query) = (seat.config().log.dir.clone(), query.into_inner());
    let wanted = Wanted {
        level: query.level,
        text: query.q,
        since: None,
        before: query.before,
    };
    let read = move || {
        let mut all = Vec::new();
        for name in names {
            match last_lines(&folder, &name, &wanted, most, u64::MAX) {
                Ok(lines) => all.extend(lines),
                Err(error) => tracing::warn!(node = name, %error, "a log cannot be read"),
            }
        }
        newest(all, most)
    };
    let lines = web::block(read).await.map_err(|_| Problem::unavailable())?;
    Ok(Json(lines))
}

/// The nodes that are named, each of which there is.
pub(in crate::admin) fn names(seat: &Seat, list: Option<&str>) -> Result<Vec<String>, Problem> {
    let config = seat.config();
    let known = |name: &str| name == "master" || config.node(name).is_some();
    let Some(list) = list else {
        return Ok(config.nodes.iter().map(|node| node.name.to_string()).collect());
    };
    let check = |name: &str| match known(name) {
        true => Ok(name.to_owned()),
        false => Err(Problem::no_such_node(name)),
    };
    let mut names = list.split(',').map(check).collect::<Result<Vec<_>, _>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
