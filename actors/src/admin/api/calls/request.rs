//! What can be called, as it is asked for.

use std::time::Duration;

use bytes::Bytes;
use lampyris_runtime::hex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::admin::problem::Problem;

/// The time of a call, unless one is given, in milliseconds.
const TIME_MS: u64 = 5_000;

/// The longest time of a call, in milliseconds.
const MOST_MS: u64 = 60_000;

/// One call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::admin) enum CallRequest {
    /// A client's command, through the node's port for clients.
    Command(CommandCall),
    /// A message to a handler.
    Handler(HandlerCall),
}

/// A client's command. Its payload is the first of `hex`, `text` and `json` that is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct CommandCall {
    /// The node; it needs a port for clients.
    pub(super) node: String,
    /// The number of the command.
    #[schema(minimum = 0, maximum = 4294967295i64)]
    #[serde(deserialize_with = "command")]
    pub(super) command: u32,
    /// The payload as hexadecimal digits.
    #[schema(pattern = "^([0-9a-fA-F]{2})*$")]
    pub(super) hex: Option<String>,
    /// The payload as text.
    pub(super) text: Option<String>,
    /// The payload as JSON, which goes as its text.
    pub(super) json: Option<Value>,
    /// How long the call may take, in milliseconds; 5000 if it is absent.
    #[schema(minimum = 1, maximum = 60000)]
    #[serde(default, deserialize_with = "whole")]
    deadline_ms: Option<u64>,
}

/// A message to a handler: the first of `hex` and `json` that is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct HandlerCall {
    /// The node.
    pub(super) node: String,
    /// The name of the message, such as `game.play`.
    pub(super) handler: String,
    /// The message in MessagePack, as hexadecimal digits.
    #[schema(pattern = "^([0-9a-fA-F]{2})*$")]
    pub(super) hex: Option<String>,
    /// The message as JSON.
    pub(super) json: Option<Value>,
    /// How long the call may take, in milliseconds; 5000 if it is absent.
    #[schema(minimum = 1, maximum = 60000)]
    #[serde(default, deserialize_with = "whole")]
    deadline_ms: Option<u64>,
}

impl CallRequest {
    pub(super) fn node(&self) -> &str {
        match self {
            Self::Command(call) => &call.node,
            Self::Handler(call) => &call.node,
        }
    }

    pub(super) fn time(&self) -> Result<Duration, Problem> {
        let time = match self {
            Self::Command(call) => call.deadline_ms,
            Self::Handler(call) => call.deadline_ms,
        };
        let time = time.unwrap_or(TIME_MS);
        if !(1..=MOST_MS).contains(&time) {
            return Err(Problem::bad_request(format!(
                "deadline_ms is {time}; allowed are 1 to {MOST_MS}"
            )));
        }
        Ok(Duration::from_millis(time))
    }

    /// What is called, in words.
    pub(super) fn called(&self) -> String {
        match self {
            Self::Command(call) => format!("command {}", call.command),
            Self::Handler(call) => format!("handler {:?}", call.handler),
        }
    }
}

impl CommandCall {
    /// The payload that is to be sent.
    pub(super) fn payload(&self) -> Result<Bytes, Problem> {
        if let Some(hex) = &self.hex {
            return from_hex(hex);
        }
        let json = || self.json.as_ref().map(Value::to_string);
        let text = self.text.clone().or_else(json);
        Ok(text.unwrap_or_default().into())
    }
}

/// A whole number, which JSON may write with a fraction of nothing: `5.0`.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    const MOST_EXACT: f64 = 9_007_199_254_740_991.0;
    let Some(number) = Option::<f64>::deserialize(from)? else {
        return Ok(None);
    };
    if number.fract() != 0.0 || !(0.0..=MOST_EXACT).contains(&number) {
        return Err(D::Error::custom(format!("{number} is no whole number from 0 on")));
    }
    Ok(Some(number as u64))
}

fn command<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = whole(from)?.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| D::Error::custom("command: a whole number from 0 to 4294967295"))
}

/// The bytes of hexadecimal digits.
pub(super) fn from_hex(text: &str) -> Result<Bytes, Problem> {
    let bad = || Problem::bad_request("hex: an even number of hexadecimal digits");
    hex::decode(text).map(Bytes::from).ok_or_else(bad)
}
