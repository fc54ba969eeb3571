//! `reload`: asks the master to apply the configuration as it now stands, and tells what came of it.
//!
//! What is applied, and what is refused, is the master's decision.

use clap::Args;
use serde_json::{Value, json};

use super::super::args::Format;
use super::doing::{How, ask, show_effect};
use super::trouble::Trouble;
use super::{Ground, actions};

/// The arguments of `reload`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Reload {
    /// Restart these nodes with the program that is on the disk now, instead
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: &Reload, ground: &mut Ground) -> Result<u8, Trouble> {
    if !args.nodes.is_empty() {
        return actions::renew(&args.nodes, &args.how, ground);
    }
    let api = args.how.reach.api(&ground.file)?;
    ground.screen.progress("reload: the nodes are told");
    let answer = match ask(&api, None, "reload", &args.how, &json!({})) {
        Err(trouble) => {
            // What a program is to read of it stands in the same place as the answer.
            if let (Trouble::Refused { problem, .. }, Format::Json) = (&trouble, args.how.format) {
                ground.screen.line(&problem.to_string())?;
            }
            return Err(trouble);
        }
        Ok(answer) => answer,
    };
    if args.how.dry_run {
        show_effect(&answer, args.how.format, &mut ground.screen)?;
    } else if args.how.format == Format::Json {
        ground.screen.line(&answer.to_string())?;
    } else {
        lines(&answer)
            .iter()
            .try_for_each(|line| ground.screen.line(line))?;
    }
    Ok(0)
}

/// What was done, a line for each key.
fn lines(done: &Value) -> Vec<String> {
    if done["changed"] != true {
        return vec!["unchanged: the cluster goes by this configuration already".to_owned()];
    }
    let list = |key: &str| done[key].as_array().cloned().unwrap_or_default();
    let change = |change: &Value| {
        let shown = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
        let key = shown(&change["key"]);
        format!("{key}: {} -> {}", shown(&change["old"]), shown(&change["new"]))
    };
    let names = |nodes: &Value| {
        let names = nodes.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let applied = list("applied").into_iter().map(|one| change(&one));
    let waiting = list("restart")
        .into_iter()
        .map(|one| format!("{}; needs a restart of {}", change(&one), names(&one["of"])));
    let unreached = Some(names(&done["unreached"])).filter(|names| !names.is_empty());
    applied
        .chain(waiting)
        .chain(unreached.map(|names| format!("not reached: {names}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_has_done_is_a_line_for_each_key() {
        let done = json!({
            "changed": true,
            "applied": [{"key": "servers.game2", "old": null, "new": "app.game"}],
            "restart": [{"key": "servers.net.max_in_flight", "old": "1", "new": "2", "of": ["net"]}],
            "unreached": ["gate"],
        });
        assert_eq!(
            lines(&done),
            [
                "servers.game2: nothing -> app.game",
                "servers.net.max_in_flight: 1 -> 2; needs a restart of net",
                "not reached: gate"
            ]
        );
        assert!(lines(&json!({"changed": false}))[0].starts_with("unchanged"));
    }
}
