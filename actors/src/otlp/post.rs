//! One request to the collector, and what it came to. Which answers may be tried again is the OTLP specification's,
//! "Retryable Response Codes" and "OTLP/HTTP Throttling" (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling>).

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long the collector may take to accept a connection, and for all of a request.
const CONNECT: Duration = Duration::from_secs(2);
const WHOLE: Duration = Duration::from_secs(10);

/// The longest that a collector is left alone because it says so.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The longest answer that is read, in bytes.
const MOST: u64 = 64 * 1024;

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The collector has the spans, but for some.
    Taken { rejected: u64 },
    /// It may take them later: when, if it has said so.
    Later { why: String, wait: Option<Duration> },
    /// It will not take them.
    Refused(String),
}

/// The client. It keeps its connection.
pub(super) struct Post(Agent);

impl Post {
    pub(super) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("lampyris/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .build();
        Self(config.into())
    }

    /// Sends a body to the endpoint, and waits for the answer; not beyond `until`.
    pub(super) fn send(&self, endpoint: &str, body: &str, until: Option<Instant>) -> Outcome {
        let left = until.map_or(WHOLE, |until| until.saturating_duration_since(Instant::now()));
        let request = self.0.post(format!("{endpoint}/v1/traces"));
        let request = request.config().timeout_global(Some(left.min(WHOLE))).build();
        match request.content_type("application/json").send(body) {
            Ok(mut answer) => {
                let text = answer.body_mut().with_config().limit(MOST).read_to_string();
                judge(&answer, &text.unwrap_or_default())
            }
            Err(error) => Outcome::Later {
                why: error.to_string(),
                wait: None,
            },
        }
    }
}

fn judge(answer: &Response<Body>, text: &str) -> Outcome {
    let after = answer.headers().get("Retry-After");
    let after = after.and_then(|value| value.to_str().ok());
    outcome(answer.status().as_u16(), after, text)
}

fn outcome(status: u16, retry_after: Option<&str>, text: &str) -> Outcome {
    let why = format!("it answers with status {status}");
    match status {
        200..=299 => Outcome::Taken {
            rejected: rejected(text),
        },
        429 | 502 | 503 | 504 => {
            let seconds = retry_after.and_then(|text| text.trim().parse().ok());
            let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
            Outcome::Later { why, wait }
        }
        _ => Outcome::Refused(why),
    }
}

/// How many spans of a batch the answer says that the collector has not taken. 64-bit numbers are texts there.
fn rejected(text: &str) -> u64 {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let spans = &answer["partialSuccess"]["rejectedSpans"];
    let of_text = || spans.as_str().and_then(|text| text.parse().ok());
    spans.as_u64().or_else(of_text).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_sent_again_only_when_the_collector_may_take_them() {
        let taken = |rejected| Outcome::Taken { rejected };
        assert_eq!(outcome(200, None, "{}"), taken(0));
        assert_eq!(outcome(202, None, "no JSON"), taken(0));
        let partly = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
        assert_eq!(outcome(200, None, partly), taken(3));
        assert_eq!(
            outcome(200, None, r#"{"partialSuccess":{"rejectedSpans":4}}"#),
            taken(4)
        );
        for status in [429, 502, 503, 504] {
            let later = |wait| Outcome::Later {
                why: format!("it answers with status {status}"),
                wait,
            };
            assert_eq!(outcome(status, None, ""), later(None));
            assert_eq!(
                outcome(status, Some(" 7"), ""),
                later(Some(Duration::from_secs(7)))
            );
            assert_eq!(outcome(status, Some("99999999"), ""), later(Some(LONGEST_WAIT)));
            assert_eq!(
                outcome(status, Some("Fri, 31 Dec 1999 23:59:59 GMT"), ""),
                later(None)
            );
        }
        for status in [301, 400, 404, 413, 500] {
            assert!(
                matches!(outcome(status, Some("7"), ""), Outcome::Refused(_)),
                "{status}"
            );
        }
    }
}
