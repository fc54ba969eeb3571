//! What a value looks like, in the words of a JSON Schema.
//!
//! Wherever a value is wanted, a text with `${NAME}` may stand instead, as its variable may be anything.

use serde_json::{Value, json};

use crate::config::secret::MIN_SECRET;
use crate::config::shape::Shape;
use crate::name::MAX_NAME;

/// A text with a variable in it, for patterns.
const WITH_VARIABLE: &str = r".*\$\{.*";

/// Names that no node may have, beside those of other letters.
const NO_NODES: [&str; 5] = ["master", "all", "self", "client", "nobody"];

/// The parts of a database's address, which `url` has in one.
const PARTS: [&str; 6] = ["host", "port", "user", "passwd", "db", "charset"];

/// The definition that [`or_variable`] speaks of.
pub(super) fn variable() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^{WITH_VARIABLE}$"),
        "description": "${NAME} is replaced by the environment variable NAME",
    })
}

fn or_variable(form: Value) -> Value {
    json!({ "anyOf": [form, { "$ref": "#/definitions/variable" }] })
}

/// A text of a pattern, or one with a variable.
fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^({pattern}|{WITH_VARIABLE})$") })
}

fn integer(low: impl serde::Serialize, high: impl serde::Serialize) -> Value {
    json!({ "type": "integer", "minimum": low, "maximum": high })
}

/// The form of a key's value.
pub(super) fn form(key: &str, shape: &Shape) -> Value {
    own(key).unwrap_or_else(|| match shape {
        Shape::Own | Shape::Section => json!({}),
        Shape::Boolean => or_variable(json!({ "type": "boolean" })),
        Shape::Text | Shape::Path | Shape::Secret => json!({ "type": "string", "pattern": r"\S" }),
        Shape::Port => or_variable(integer(1, u16::MAX)),
        Shape::Bind => text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"),
        Shape::Host => text(r"[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"),
        Shape::Server => text(r"http://[^\s/?#@]+(/[^\s?#@]*)?"),
        Shape::Integer(bounds) => or_variable(integer(bounds.start(), bounds.end())),
        Shape::Duration(_) => text("[0-9]+ *(ms|s|m|h)"),
        Shape::Size(bounds) => json!({ "anyOf": [
            integer(bounds.start(), bounds.end()),
            text("[0-9]+ *([KMG]i?B|B)"),
        ]}),
        Shape::Words(words) => or_variable(json!({ "enum": words })),
        Shape::List(_) => json!({ "type": "array" }),
    })
}

/// The form of a value that only its reader knows, or that has more rules than its shape.
fn own(key: &str) -> Option<Value> {
    let server = || text(r"[^\s/]+:[0-9]{1,5}");
    let list = |of: Value| json!({ "type": "array", "items": of });
    Some(match key {
        "$schema" => json!({ "type": "string" }),
        "name" => json!({ "type": "string", "maxLength": MAX_NAME, "pattern": r"^[^/]*[^/\s][^/]*$" }),
        "secret" | "admin.tokens[0].token" => {
            or_variable(json!({ "type": "string", "minLength": MIN_SECRET }))
        }
        "servers.NAME.cpu" => {
            let processors = list(or_variable(integer(0, 1023)));
            or_variable(json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, processors] }))
        }
        "servers.NAME.reload" => json!({ "type": ["boolean", "string"], "default": true }),
        "servers.NAME.head" => {
            let byte = or_variable(integer(0, u8::MAX));
            json!({ "type": "array", "items": byte, "minItems": 4, "maxItems": 4, "default": [0, 0, 0, 0] })
        }
        "servers.NAME.remoteport[0].rootname" => text("[a-z][a-z0-9_-]*"),
        "log.level" => json!({
            "type": "string",
            "pattern": r"\S",
            "examples": ["trace", "debug", "info", "warn", "error", "off", "info,lampyris=debug"],
            "default": "info",
        }),
        "admin.hosts" => list(json!({ "type": "string", "pattern": r"\S" })),
        "db.url" => text("(sqlite|mysql|mariadb|postgres|postgresql):.*"),
        "memcached.urls" => json!({ "type": "array", "items": server(), "minItems": 1 }),
        "redis.server" => server(),
        _ => return None,
    })
}

/// Section `servers`: any name that a node may have, and at least one of them.
pub(super) fn servers(mut section: Value) -> Value {
    section["minProperties"] = json!(1);
    section["maxProperties"] = json!(1000);
    let letters = format!("^[a-z][a-z0-9_-]{{0,{}}}$", MAX_NAME - 1);
    section["propertyNames"] = json!({ "pattern": letters, "not": { "enum": NO_NODES } });
    section["additionalProperties"] = super::section();
    section
}

/// What may not be given together.
pub(super) fn exclude(root: &mut Value) {
    let both = |a: &str, b: &str| json!({ "not": { "required": [a, b] } });
    root["allOf"] = json!([both("secret", "secret_file"), both("memcached", "redis")]);
    let parts = PARTS.map(|part| both("url", part));
    root["properties"]["db"]["allOf"] = json!(parts);
}
