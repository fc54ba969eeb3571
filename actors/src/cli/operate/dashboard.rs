//! `dashboard`: the address of the admin page, with a code that opens it once.

use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::Ground;
use super::reach::Reach;
use super::trouble::Trouble;

/// The arguments of `dashboard`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Dashboard {
    /// Open it in the browser of this desktop
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(args: &Dashboard, ground: &mut Ground) -> Result<u8, Trouble> {
    let api = args.reach.api(&ground.file)?;
    let made = api.post("codes", &json!({}))?;
    let code = made["code"].as_str().unwrap_or_default();
    let address = format!("http://{}/#code={code}", api.addr());
    ground.screen.line(&address)?;
    ground
        .screen
        .note(&format!("opens the page once, within {} s", made["seconds"]));
    if args.open {
        open(&address)?;
    }
    Ok(0)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a browser is no node, and nobody waits for it"
)]
fn open(address: &str) -> Result<(), Trouble> {
    let mut opener = Command::new("xdg-open");
    opener
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = opener.status();
    let failed = |why: String| Trouble::Failed(format!("xdg-open, which finds the browser: {why}"));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(why) => Err(failed(why.to_string())),
    }
}
