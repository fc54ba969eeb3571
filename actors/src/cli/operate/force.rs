//! `force`: frees the entities of a node that does not come back. The last resort: what is in its journal alone is lost.

use clap::Args;
use lampyris_runtime::name::NodeName;
use serde_json::json;

use super::super::args::Format;
use super::Ground;
use super::doing::show_effect;
use super::reach::Reach;
use super::trouble::Trouble;

/// The arguments of `force`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Force {
    /// The node; it need not be in the configuration any more
    #[arg(value_name = "NODE", value_parser = name)]
    node: NodeName,
    /// Why, for the events and the leases
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    reach: Reach,
}

fn name(text: &str) -> Result<NodeName, String> {
    NodeName::new(text).map_err(|why| why.to_string())
}

pub(super) fn run(args: &Force, ground: &mut Ground) -> Result<u8, Trouble> {
    let api = args.reach.api(&ground.file)?;
    let body = json!({"reason": args.reason, "dry_run": args.dry_run});
    let answer = api.act(Some(args.node.as_str()), "force", &body)?;
    show_effect(&answer, args.format, &mut ground.screen)?;
    Ok(0)
}
