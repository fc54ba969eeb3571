//! A batch of spans as an `ExportTraceServiceRequest` in JSON. Pure.
//!
//! Sources: opentelemetry/proto/trace/v1/trace.proto for the fields; OTLP specification 1.10, "JSON Protobuf Encoding"
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): names in lowerCamelCase, ids as hexadecimal
//! digits, enums as numbers, 64-bit numbers as texts; and the semantic conventions for resources and calls
//! (<https://opentelemetry.io/docs/specs/semconv/rpc/>) for the attributes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Ended;
use crate::report::Span;

/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// The request: the spans by the life of the node that they are of.
pub(super) fn request(cluster: &str, batch: &[Ended]) -> String {
    let mut lives = BTreeMap::<_, Vec<Value>>::new();
    for Ended { incarnation, span } in batch {
        let life = (span.node.as_str(), incarnation.to_string());
        lives.entry(life).or_default().push(one(span));
    }
    let all = lives.into_iter();
    let all = all.map(|((node, incarnation), spans)| of_a_life(cluster, node, &incarnation, spans));
    json!({ "resourceSpans": all.collect::<Vec<_>>() }).to_string()
}

fn of_a_life(cluster: &str, node: &str, incarnation: &str, spans: Vec<Value>) -> Value {
    json!({
        "resource": { "attributes": [
            text("service.name", node),
            text("service.namespace", cluster),
            text("service.instance.id", incarnation),
        ]},
        "scopeSpans": [{
            "scope": { "name": "lampyris", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    })
}

fn one(span: &Span) -> Value {
    let start = u128::from(span.start_us) * 1000;
    let end = start + nanos(span.queue) + nanos(span.run);
    let mut attributes = vec![
        text("rpc.system.name", "lampyris"),
        text("rpc.method", &span.handler),
        text("lampyris.service", &span.service),
        attribute("lampyris.queue_time", json!({ "doubleValue": span.queue })),
    ];
    if let Some(command) = span.command {
        attributes.push(attribute(
            "lampyris.command",
            json!({ "intValue": command.to_string() }),
        ));
    }
    let mut value = json!({
        "traceId": span.trace,
        "spanId": span.span,
        "name": span.handler,
        "kind": SERVER,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": end.to_string(),
    });
    if let Some(parent) = &span.parent {
        value["parentSpanId"] = json!(parent);
    }
    if let Some(fault) = &span.fault {
        attributes.push(text("error.type", fault));
        value["status"] = json!({ "code": ERROR });
    }
    value["attributes"] = Value::Array(attributes);
    value
}

fn text(key: &str, value: &str) -> Value {
    attribute(key, json!({ "stringValue": value }))
}

fn attribute(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

/// Seconds as nanoseconds; 0 for what is no time.
fn nanos(seconds: f64) -> u128 {
    Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_nanos()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use lampyris_runtime::name::{Incarnation, NodeName};

    /// A span of a handler, which waited for 250 ms and ran for 500 ms.
    pub(in crate::otlp) fn ended(handler: &str) -> Ended {
        Ended {
            incarnation: Incarnation::from_bytes([0xab; 16]),
            span: Span {
                trace: "0000000000000000000000000000000f".into(),
                span: "00000000000000aa".into(),
                parent: None,
                node: NodeName::new("gate").unwrap(),
                service: "gate".into(),
                handler: handler.into(),
                command: None,
                start_us: 1_700_000_000_000_001,
                queue: 0.25,
                run: 0.5,
                fault: None,
            },
        }
    }

    #[test]
    fn a_span_is_what_collectors_read() {
        let mut called = ended("gate.play");
        called.span.parent = Some("00000000000000bb".into());
        called.span.command = Some(300);
        called.span.fault = Some("timeout".into());
        let request: Value = serde_json::from_str(&request("study", &[called])).unwrap();
        let wanted = json!({ "resourceSpans": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "gate" } },
                { "key": "service.namespace", "value": { "stringValue": "study" } },
                { "key": "service.instance.id", "value": { "stringValue": "ab".repeat(16) } },
            ]},
            "scopeSpans": [{
                "scope": { "name": "lampyris", "version": env!("CARGO_PKG_VERSION") },
                "spans": [{
                    "traceId": "0000000000000000000000000000000f",
                    "spanId": "00000000000000aa",
                    "parentSpanId": "00000000000000bb",
                    "name": "gate.play",
                    "kind": 2,
                    "startTimeUnixNano": "1700000000000001000",
                    "endTimeUnixNano": "1700000000750001000",
                    "status": { "code": 2 },
                    "attributes": [
                        { "key": "rpc.system.name", "value": { "stringValue": "lampyris" } },
                        { "key": "rpc.method", "value": { "stringValue": "gate.play" } },
                        { "key": "lampyris.service", "value": { "stringValue": "gate" } },
                        { "key": "lampyris.queue_time", "value": { "doubleValue": 0.25 } },
                        { "key": "lampyris.command", "value": { "intValue": "300" } },
                        { "key": "error.type", "value": { "stringValue": "timeout" } },
                    ],
                }],
            }],
        }]});
        assert_eq!(request, wanted);
    }

    #[test]
    fn each_life_of_a_node_is_a_resource_and_a_first_span_has_no_parent() {
        let mut later = ended("gate.play");
        later.incarnation = Incarnation::from_bytes([0xcd; 16]);
        let batch = [ended("a"), later, ended("b")];
        let request: Value = serde_json::from_str(&request("study", &batch)).unwrap();
        let lives = request["resourceSpans"].as_array().unwrap();
        let spans = |life: &Value| life["scopeSpans"][0]["spans"].as_array().unwrap().len();
        assert_eq!(lives.iter().map(spans).collect::<Vec<_>>(), [2, 1]);
        let first = &lives[0]["scopeSpans"][0]["spans"][0];
        assert!(
            first.get("parentSpanId").is_none() && first.get("status").is_none(),
            "{first}"
        );
    }

    #[test]
    fn what_is_no_time_takes_none() {
        for nonsense in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(nanos(nonsense), 0, "{nonsense}");
        }
    }
}
