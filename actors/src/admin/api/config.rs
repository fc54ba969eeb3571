//! The configuration: what holds, where it comes from, and what is wrong with the file as it stands now.

use std::collections::BTreeMap;

use actix_web::web::{self, Data, Json};
use lampyris_runtime::config::{Config, Finding, render_human};
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::auth::Operator;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::admin::views::SettingView;

/// The configuration that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigView {
    /// Its file.
    file: String,
    /// The folder of tokens, locks and logs.
    run_dir: String,
    /// What holds for the cluster.
    cluster: Vec<SettingView>,
    /// What holds for each node.
    nodes: BTreeMap<String, Vec<SettingView>>,
}

impl ConfigView {
    /// All of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let views = |settings: Vec<_>| settings.into_iter().map(SettingView::from).collect();
        let of_node = |node| views(config.effective(node));
        Self {
            file: config.file.display().to_string(),
            run_dir: config.run_dir.display().to_string(),
            cluster: views(config.effective_cluster()),
            nodes: config
                .nodes
                .iter()
                .map(|node| (node.name.to_string(), of_node(node)))
                .collect(),
        }
    }
}

/// What is wrong with the file.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct CheckView {
    /// Whether a master could start with it.
    usable: bool,
    /// Faults and warnings, by line.
    findings: Vec<FindingView>,
}

/// One fault or warning.
#[derive(Debug, Serialize, ToSchema)]
struct FindingView {
    /// The finding as `check-config --format json` gives it.
    #[schema(value_type = Object)]
    finding: serde_json::Value,
    /// The same for a person, with the line. Secrets are covered.
    text: String,
}

/// What is configured, with where each value comes from. Secrets are covered.
#[utoipa::path(get, path = "/api/v1/config", tag = "config", responses((status = 200, body = ConfigView)))]
pub(in crate::admin) async fn config(_: Operator, seat: Data<Seat>) -> Result<Json<ConfigView>, Problem> {
    Ok(Json(ConfigView::of(&seat.config())))
}

/// Reads the file as it stands now, and says what is wrong with it. Nothing is applied.
#[utoipa::path(post, path = "/api/v1/config/check", tag = "config", responses((status = 200, body = CheckView)))]
pub(in crate::admin) async fn check(_: Operator, seat: Data<Seat>) -> Result<Json<CheckView>, Problem> {
    let file = seat.config().file.clone();
    let loaded = web::block(move || Config::load(&file, crate::cli::variables())).await;
    let loaded = loaded.map_err(|_| Problem::unavailable())?;
    let (usable, findings, text) = match loaded {
        Ok(config) => (true, config.warnings.clone(), config.source_text().to_owned()),
        Err(rejected) => (
            false,
            rejected.findings.clone(),
            rejected.source_text().to_owned(),
        ),
    };
    let view = |finding: &Finding| FindingView {
        finding: serde_json::to_value(finding).unwrap_or_default(),
        text: render_human(finding, &text),
    };
    Ok(Json(CheckView {
        usable,
        findings: findings.iter().map(view).collect(),
    }))
}
