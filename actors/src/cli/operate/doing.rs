//! What is asked of nodes, until it is done: the request, its operation, the state that it is to lead to, and how far it
//! is meanwhile.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::super::args::Format;
use super::api::Api;
use super::reach::Reach;
use super::screen::Screen;
use super::trouble::Trouble;
use super::units::{parse_time, time};
use super::views::{Node, Operation};
use super::{Ground, pause};

/// How often it is looked how far something is.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// How something is to be done.
#[derive(Debug, Clone, Args)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) reach: Reach,
    /// Only say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Return as soon as it is begun
    #[arg(long)]
    pub(super) no_wait: bool,
    /// How long to wait until it is done
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub(super) timeout: Duration,
    /// Why, for the events
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

/// Whether a node is where an action leads: yes, not yet, or never, for a reason.
pub(super) enum Reached {
    Yes,
    NotYet,
    Never(String),
}

/// One action of one node.
pub(super) struct Deed {
    pub(super) node: String,
    /// As the API calls it; several are asked for one after the other.
    pub(super) actions: &'static [&'static str],
    /// What goes with the request, besides the reason.
    pub(super) extra: Value,
    /// What was done, in words, once it is: `restarted`.
    pub(super) done: &'static str,
    /// Looks at the node as it was before and as it is.
    pub(super) goal: fn(&Node, &Node) -> Reached,
}

/// How a deed ended.
struct Outcome {
    node: String,
    action: &'static str,
    text: String,
    error: Option<Trouble>,
    seconds: f64,
}

impl Outcome {
    fn as_json(&self) -> Value {
        json!({
            "node": self.node,
            "action": self.action,
            "ok": self.error.is_none(),
            "error": self.error.as_ref().map(ToString::to_string),
            "seconds": self.seconds,
        })
    }
}

/// A deed that has been asked for.
struct Pending<'a> {
    deed: &'a Deed,
    before: Node,
    operation: Option<String>,
    begun: Instant,
}

/// The nodes of these names; of no names, all of them.
///
/// # Errors
/// There is no node of a name, or nobody answers.
pub(super) fn nodes(api: &Api, names: &[String]) -> Result<Vec<Node>, Trouble> {
    let all: Vec<Node> = api.get_as("nodes")?;
    chosen(all, names)
}

/// Those of these names, each once; all of them if no name is given.
pub(super) fn chosen(all: Vec<Node>, names: &[String]) -> Result<Vec<Node>, Trouble> {
    if names.is_empty() {
        return Ok(all);
    }
    let mut wanted: Vec<Node> = Vec::new();
    for name in names {
        let Some(node) = all.iter().find(|node| node.name == *name) else {
            let known: Vec<&str> = all.iter().map(|node| node.name.as_str()).collect();
            let text = format!("no node is called {name:?}; there are {}", known.join(", "));
            return Err(Trouble::Usage(text));
        };
        if !wanted.iter().any(|known| known.name == *name) {
            wanted.push(node.clone());
        }
    }
    Ok(wanted)
}

/// Does all of it, at once or one after the other; the latter stops at the first that fails. Gives the exit code.
///
/// # Errors
/// Nobody answers, the token is not good, or the only deed has failed.
pub(super) fn carry_out(
    deeds: &[Deed],
    one_by_one: bool,
    how: &How,
    api: &Api,
    ground: &mut Ground,
) -> Result<u8, Trouble> {
    if how.dry_run {
        return preview(deeds, how, api, &mut ground.screen);
    }
    let mut doing = Doing {
        api,
        how,
        screen: &mut ground.screen,
        until: Instant::now() + how.timeout,
        all: deeds.len(),
        outcomes: Vec::new(),
    };
    let step = if one_by_one { 1 } else { deeds.len().max(1) };
    for some in deeds.chunks(step) {
        doing.do_some(some)?;
        if doing.outcomes.iter().any(|outcome| outcome.error.is_some()) {
            break;
        }
    }
    let outcomes = doing.outcomes;
    report(outcomes, deeds.len(), how.format, &mut ground.screen)
}

/// Asks for one thing. Gives the answer.
///
/// # Errors
/// As [`Api::act`].
pub(super) fn ask(
    api: &Api,
    node: Option<&str>,
    action: &str,
    how: &How,
    extra: &Value,
) -> Result<Value, Trouble> {
    let mut body = extra.as_object().cloned().unwrap_or_default();
    body.insert("dry_run".to_owned(), json!(how.dry_run));
    if let Some(reason) = &how.reason {
        body.insert("reason".to_owned(), json!(reason));
    }
    api.act(node, action, &Value::Object(body))
}

/// Prints what would be done.
pub(super) fn show_effect(answer: &Value, format: Format, screen: &mut Screen) -> Result<(), Trouble> {
    match format {
        Format::Json => screen.line(&answer.to_string()),
        Format::Human => screen.line(answer["effect"].as_str().unwrap_or_default()),
    }
}

fn preview(deeds: &[Deed], how: &How, api: &Api, screen: &mut Screen) -> Result<u8, Trouble> {
    for deed in deeds {
        let action = deed.actions[0];
        let answer = ask(api, Some(&deed.node), action, how, &deed.extra)?;
        show_effect(&answer, how.format, screen)?;
    }
    Ok(0)
}

struct Doing<'a> {
    api: &'a Api,
    how: &'a How,
    screen: &'a mut Screen,
    until: Instant,
    all: usize,
    outcomes: Vec<Outcome>,
}

impl Doing<'_> {
    fn do_some(&mut self, deeds: &[Deed]) -> Result<(), Trouble> {
        let before: Vec<Node> = self.api.get_as("nodes")?;
        let mut pending = Vec::new();
        for deed in deeds {
            let before = before.iter().find(|node| node.name == deed.node).cloned();
            let mut waits = Pending {
                deed,
                before: before.unwrap_or_default(),
                operation: None,
                begun: Instant::now(),
            };
            match self.ask_all(deed) {
                Ok(operation) if !self.how.no_wait => {
                    waits.operation = operation;
                    pending.push(waits);
                }
                Ok(_) => self.end(&waits, None),
                Err(trouble) if is_everybodys(&trouble) => return Err(trouble),
                Err(trouble) => self.end(&waits, Some(trouble)),
            }
        }
        while !pending.is_empty() {
            let nodes: Vec<Node> = self.api.get_as("nodes")?;
            pending = self.look(pending, &nodes)?;
            if pending.is_empty() {
                break;
            }
            self.tell(&pending, &nodes);
            if Instant::now() >= self.until {
                for late in pending.drain(..) {
                    let state = state_of(&late, &nodes);
                    let waited = time(self.how.timeout.as_secs_f64());
                    let (name, action) = (&late.deed.node, late.deed.actions[0]);
                    let text = format!("{name}: {action} is not done after {waited}: it {state}");
                    self.end(&late, Some(Trouble::TooLate(text)));
                }
                break;
            }
            pause(LOOK);
        }
        Ok(())
    }

    fn ask_all(&self, deed: &Deed) -> Result<Option<String>, Trouble> {
        let mut operation = None;
        for action in deed.actions {
            let answer = ask(self.api, Some(&deed.node), action, self.how, &deed.extra)?;
            operation = answer["operation"].as_str().map(str::to_owned);
        }
        Ok(operation)
    }

    /// Ends what is done; gives what is not.
    fn look<'a>(&mut self, pending: Vec<Pending<'a>>, nodes: &[Node]) -> Result<Vec<Pending<'a>>, Trouble> {
        let mut left = Vec::new();
        for mut one in pending {
            if let Some(id) = &one.operation {
                let operation: Operation = self.api.get_as(&format!("operations/{id}"))?;
                match operation.state.as_str() {
                    "done" => one.operation = None,
                    "failed" => {
                        let why = operation.error.unwrap_or_else(|| "it has failed".to_owned());
                        self.fail(&one, &why);
                        continue;
                    }
                    _ => {
                        left.push(one);
                        continue;
                    }
                }
            }
            let Some(node) = nodes.iter().find(|node| node.name == one.deed.node) else {
                self.fail(&one, "it is gone");
                continue;
            };
            match (one.deed.goal)(&one.before, node) {
                Reached::Yes => self.end(&one, None),
                Reached::NotYet => left.push(one),
                Reached::Never(why) => self.fail(&one, &why),
            }
        }
        Ok(left)
    }

    fn fail(&mut self, one: &Pending<'_>, why: &str) {
        let text = format!("{}: {why}", one.deed.node);
        self.end(one, Some(Trouble::Failed(text)));
    }

    fn end(&mut self, one: &Pending<'_>, error: Option<Trouble>) {
        let seconds = one.begun.elapsed().as_secs_f64();
        let text = match self.how.no_wait {
            true => format!("{} is begun", one.deed.actions[0]),
            false => format!("{} in {}", one.deed.done, time(seconds)),
        };
        self.outcomes.push(Outcome {
            node: one.deed.node.clone(),
            action: one.deed.actions[0],
            text,
            error,
            seconds,
        });
    }

    fn tell(&mut self, pending: &[Pending<'_>], nodes: &[Node]) {
        let states = pending
            .iter()
            .map(|one| format!("{} {}", one.deed.node, state_of(one, nodes)));
        let states: Vec<String> = states.take(4).collect();
        let (action, done) = (pending[0].deed.actions[0], self.outcomes.len());
        let text = format!("{action}: {done} of {} done; {}", self.all, states.join(", "));
        self.screen.progress(&text);
    }
}

fn state_of(one: &Pending<'_>, nodes: &[Node]) -> String {
    let node = nodes.iter().find(|node| node.name == one.deed.node);
    node.map_or_else(
        || "is gone".to_owned(),
        |node| match node.mailbox {
            Some(calls) if calls > 0 => format!("is {} with {calls} calls", node.state),
            _ => format!("is {}", node.state),
        },
    )
}

/// What concerns everything that was asked for, not one node.
fn is_everybodys(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::NotRunning(_)
            | Trouble::Unreachable(_)
            | Trouble::Refused {
                status: 401 | 403 | 503,
                ..
            }
    )
}

fn report(
    mut outcomes: Vec<Outcome>,
    all: usize,
    format: Format,
    screen: &mut Screen,
) -> Result<u8, Trouble> {
    for outcome in &outcomes {
        match &outcome.error {
            None if format == Format::Human => screen.line(&format!("{}: {}", outcome.node, outcome.text))?,
            Some(error) if all > 1 => screen.note(&format!("error: {error}")),
            _ => {}
        }
    }
    if format == Format::Json {
        let list = outcomes.iter().map(Outcome::as_json);
        screen.line(&Value::Array(list.collect()).to_string())?;
    }
    let failed = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    let done = outcomes.len() - failed;
    if failed == 0 {
        return Ok(0);
    }
    if all == 1
        && let Some(error) = outcomes.pop().and_then(|outcome| outcome.error)
    {
        return Err(error);
    }
    let untouched = all - outcomes.len();
    let text = format!("{done} of {all} done, {failed} failed, {untouched} left as they were");
    Err(match done {
        0 => Trouble::Failed(text),
        _ => Trouble::Partly(text),
    })
}
