//! `call`: one call by hand, a client's command or a message to a handler, with the time that each hop took.

use std::io::{self, Read};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::args::Format;
use super::Ground;
use super::reach::Reach;
use super::screen::Screen;
use super::trouble::Trouble;
use super::units::{parse_time, short_time};
use crate::console::Paint;
use crate::exit;

/// Columns of a bar.
const BAR: usize = 30;

/// The arguments of `call`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Call {
    /// The node: one with a port for clients for a command, any for a handler
    #[arg(value_name = "NODE")]
    node: String,
    /// The number of a client's command, such as 300, or the name of a message, such as game1.handle
    #[arg(value_name = "COMMAND")]
    command: String,
    /// The payload: text for a command, JSON for a message; @FILE reads it from a file, - from standard input
    #[arg(value_name = "PAYLOAD", allow_hyphen_values = true)]
    payload: Option<String>,
    /// How long the call may take, at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    deadline: Duration,
    /// The payload is hexadecimal digits, and so is the answer
    #[arg(long)]
    hex: bool,
    /// Also the number of the trace, and the service of each hop
    #[arg(long)]
    trace: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    reach: Reach,
}

/// What one handler did.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Span {
    node: String,
    service: String,
    handler: String,
    command: Option<u32>,
    start_us: u64,
    queue: f64,
    run: f64,
    fault: Option<String>,
}

pub(super) fn run(args: &Call, ground: &mut Ground) -> Result<u8, Trouble> {
    let request = request(args)?;
    let api = args.reach.api(&ground.file)?;
    let answer = api.post("calls", &request)?;
    let error = answer["error"]["error"].as_str();
    if args.format == Format::Json {
        ground.screen.line(&answer.to_string())?;
    } else {
        if error.is_none() {
            ground.screen.line(&reply(&answer["reply"], args.hex))?;
        }
        for line in way(&answer, args.trace, &ground.screen) {
            ground.screen.note(&line);
        }
    }
    let Some(error) = error else { return Ok(0) };
    let text = |key: &str| answer["error"][key].as_str().unwrap_or("unknown").to_owned();
    let message = format!(
        "error: {error} (the handler ran: {}): {}",
        text("ran"),
        text("message")
    );
    ground.screen.note(&message);
    Ok(code_of(error))
}

/// What is sent to the master.
fn request(args: &Call) -> Result<Value, Trouble> {
    let bytes = payload(args.payload.as_deref())?;
    let text = String::from_utf8(bytes);
    let mut request = json!({
        "node": args.node,
        "deadline_ms": u64::try_from(args.deadline.as_millis()).unwrap_or(u64::MAX),
    });
    let is_command = match args.command.parse::<u32>() {
        Ok(number) => {
            request["command"] = json!(number);
            true
        }
        Err(_) => {
            request["handler"] = json!(args.command);
            false
        }
    };
    match text {
        Ok(text) if args.hex => request["hex"] = json!(text.split_whitespace().collect::<String>()),
        Ok(text) if is_command => request["text"] = json!(text),
        Ok(text) if text.trim().is_empty() => request["json"] = Value::Null,
        Ok(text) => {
            let parsed = serde_json::from_str(&text);
            request["json"] = parsed.map_err(|why| {
                Trouble::Usage(format!(
                    "the payload of a message is JSON, such as '\"text\"': {why}"
                ))
            })?;
        }
        // What is no text cannot stand in JSON as it is.
        Err(bytes) => request["hex"] = json!(lampyris_runtime::hex::encode(bytes.as_bytes())),
    }
    Ok(request)
}

fn payload(given: Option<&str>) -> Result<Vec<u8>, Trouble> {
    let read = |name: &str, read: io::Result<Vec<u8>>| {
        read.map_err(|why| Trouble::Usage(format!("the payload in {name}: {why}")))
    };
    match given {
        None => Ok(Vec::new()),
        Some("-") => {
            let mut bytes = Vec::new();
            let all = io::stdin().read_to_end(&mut bytes).map(|_| bytes);
            read("standard input", all)
        }
        Some(text) => match text.strip_prefix('@') {
            Some(file) => read(file, std::fs::read(file)),
            None => Ok(text.as_bytes().to_vec()),
        },
    }
}

/// The answer, as it can be shown.
fn reply(reply: &Value, as_hex: bool) -> String {
    let digits = reply["hex"].as_str().unwrap_or_default().to_owned();
    match (as_hex, reply["text"].as_str(), &reply["json"]) {
        (true, ..) => digits,
        (_, Some(text), _) => text.to_owned(),
        (_, None, Value::Null) => digits,
        (_, None, Value::String(text)) => text.clone(),
        (_, None, json) => json.to_string(),
    }
}

/// The exit code of an error of the closed list.
fn code_of(error: &str) -> u8 {
    match error {
        "not_sent" | "link_lost" | "timeout" | "expired" | "cancelled" => exit::UNREACHABLE,
        "overloaded" | "draining" => exit::TEMPFAIL,
        "unauthorized" => exit::NOPERM,
        _ => exit::HANDLER_ERROR,
    }
}

/// The way of the call, a line for each hop: who, when, how long.
fn way(answer: &Value, with_trace: bool, screen: &Screen) -> Vec<String> {
    let spans: Vec<Span> = serde_json::from_value(answer["spans"].clone()).unwrap_or_default();
    let seconds = answer["seconds"].as_f64().unwrap_or(0.0);
    let mut lines: Vec<String> = waterfall(&spans, seconds, with_trace)
        .iter()
        .map(|line| screen.paint(line, Paint::Dim))
        .collect();
    if let Some(trace) = answer["trace"].as_str().filter(|_| with_trace) {
        lines.push(format!("trace {trace}"));
    }
    lines
}

fn waterfall(spans: &[Span], seconds: f64, with_service: bool) -> Vec<String> {
    let first = spans.iter().map(|span| span.start_us).min().unwrap_or(0);
    let after = |span: &Span| (span.start_us - first) as f64 / 1e6;
    // The clocks of two hosts differ; the bar is as long as what is to be shown.
    let end = |span: &Span| after(span) + span.queue + span.run;
    let all = spans.iter().map(end).fold(seconds, f64::max).max(1e-9);
    let name = |span: &Span| match span.command {
        Some(command) => format!("command {command}"),
        None => span.handler.clone(),
    };
    let width = |text: fn(&Span) -> usize| spans.iter().map(text).max().unwrap_or(0);
    let node_width = width(|span| span.node.chars().count());
    let name_width = spans
        .iter()
        .map(|span| name(span).chars().count())
        .max()
        .unwrap_or(0);
    let column = |at: f64| ((at / all * BAR as f64).round() as usize).min(BAR);
    let mut lines: Vec<String> = Vec::new();
    for span in spans {
        let (from, to) = (column(after(span)), column(end(span)));
        let to = to.max(from + 1).min(BAR);
        let from = from.min(to - 1);
        let bar = format!(
            "{}{}{}",
            " ".repeat(from),
            "=".repeat(to - from),
            " ".repeat(BAR - to)
        );
        let mut line = format!(
            "{:node_width$}  {:name_width$}  [{bar}] {}, waited {}",
            span.node,
            name(span),
            short_time(span.run),
            short_time(span.queue)
        );
        if with_service {
            line.push_str(&format!(", service {}", span.service));
        }
        if let Some(fault) = &span.fault {
            line.push_str(&format!(", {fault}"));
        }
        lines.push(line);
    }
    let hops = if spans.len() == 1 { "hop" } else { "hops" };
    lines.push(format!("{} in all, {} {hops}", short_time(seconds), spans.len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(node: &str, start_us: u64, run: f64) -> Span {
        Span {
            node: node.to_owned(),
            handler: format!("{node}.handle"),
            start_us,
            run,
            ..Span::default()
        }
    }

    #[test]
    fn hops_are_bars_below_each_other() {
        let mut spans = [span("net", 1_000, 3e-3), span("game1", 2_000, 1e-3)];
        spans[0].command = Some(300);
        spans[1].fault = Some("handler_error".to_owned());
        assert_eq!(
            waterfall(&spans, 3e-3, false),
            [
                "net    command 300   [==============================] 3.0ms, waited 0us",
                "game1  game1.handle  [          ==========          ] 1.0ms, waited 0us, handler_error",
                "3.0ms in all, 2 hops",
            ]
        );
        assert_eq!(waterfall(&[], 0.0, true), ["0us in all, 0 hops"]);
        let odd = [span("a", u64::MAX, f64::MAX), span("b", 0, 0.0)];
        assert_eq!(
            waterfall(&odd, 1.0, true).len(),
            3,
            "nothing that a master says can end it"
        );
    }

    #[test]
    fn errors_have_exit_codes_and_answers_forms() {
        assert_eq!(code_of("handler_error"), 5);
        assert_eq!(code_of("no_such_command"), 5);
        assert_eq!(code_of("timeout"), 6);
        assert_eq!(code_of("overloaded"), 75);
        let text = json!({"hex": "6869", "text": "hi", "json": null});
        assert_eq!([reply(&text, false), reply(&text, true)], ["hi", "6869"]);
        let binary = json!({"hex": "ff", "text": null, "json": null});
        assert_eq!(reply(&binary, false), "ff");
        let message = json!({"hex": "01", "text": null, "json": {"gold": 1}});
        assert_eq!(reply(&message, false), "{\"gold\":1}");
    }
}
