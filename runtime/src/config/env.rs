//! What the environment says: overrides by `LAMPYRIS__A__B`, and `${VARIABLE}` in the file's texts.
//!
//! It does not know which keys there are, only that a variable makes no new node.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::config::{Environment, Source as _};

use super::finding::{Code, Finding, Findings, Origin, Place, did_you_mean, listed, quoted};
use super::json;
use super::tree::{Kind, Node, Source, Spot, Table, join};

/// What the name of an override begins with. One underscore less, and a variable is no key.
const PREFIX: &str = "LAMPYRIS";

/// Between the parts of an override's name.
const SEPARATOR: &str = "__";

/// The variables by name.
pub(super) type Variables = BTreeMap<String, String>;

/// One override: the path it sets and the variable that says so.
struct Override {
    path: String,
    variable: Arc<str>,
    text: String,
}

/// Puts the overrides over the tree of the file.
pub(super) fn overlay(root: &mut Table, variables: &Variables, source: &Source, findings: &Findings) {
    for given in overrides(variables, findings) {
        let spot = Spot::Env(given.variable.clone());
        let value = match given.text.trim_start().starts_with('[') {
            true => json::parse_list(&given.text, &spot, source, findings),
            false => None,
        };
        let value = value.unwrap_or_else(|| Node::new(spot, Kind::Text(given.text.clone())));
        if let Err(fault) = put(root, &given, value) {
            findings.add(*fault);
        }
    }
}

/// The overrides, by path. The collecting and the folding of names is that of the `config` crate.
fn overrides(variables: &Variables, findings: &Findings) -> Vec<Override> {
    let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let start = format!("{PREFIX}{SEPARATOR}").to_lowercase();
    for (name, text) in variables {
        let folded = name.to_lowercase();
        let Some(path) = folded
            .strip_prefix(&start)
            .map(|path| path.replace(SEPARATOR, "."))
        else {
            continue;
        };
        let first = names.entry(path.clone()).or_insert_with(|| name.as_str().into());
        if variables.get(&**first) != Some(text) {
            let twice = Finding::fault(Code::DuplicateKey, env_place(name), path)
                .found(format!("{} and {}", quoted(first), quoted(name)))
                .allowed("one variable for each key; upper and lower case are the same");
            findings.add(twice.also(Some(env_place(first))));
        }
    }
    let environment = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .source(Some(
            variables
                .iter()
                .map(|(name, text)| (name.clone(), text.clone()))
                .collect(),
        ));
    let collected = environment
        .collect()
        .expect("because all names and values are UTF-8 already");
    let with_name = |(path, value): (String, ::config::Value)| {
        let variable = names.get(&path)?.clone();
        Some(Override {
            path,
            variable,
            text: value.into_string().ok()?,
        })
    };
    let mut overrides: Vec<Override> = collected.into_iter().filter_map(with_name).collect();
    overrides.sort_by(|a, b| a.path.cmp(&b.path));
    overrides
}

fn env_place(variable: &str) -> Place {
    Place {
        origin: Origin::Env(variable.into()),
        stretch: None,
    }
}

fn put(root: &mut Table, given: &Override, value: Node) -> Result<(), Box<Finding>> {
    let parts: Vec<&str> = given.path.split('.').collect();
    let fault = || Finding::fault(Code::UnknownKey, env_place(&given.variable), given.path.clone());
    if let ["servers", name, ..] = parts[..] {
        let servers = root.get("servers").and_then(|entry| entry.value.as_table());
        let names: Vec<&str> = servers
            .map_or(&[][..], Table::entries)
            .iter()
            .map(|entry| entry.key.as_str())
            .collect();
        if !names.contains(&name) {
            let fault = fault()
                .found(quoted(name))
                .help(did_you_mean(name, names.iter().copied()));
            return Err(Box::new(
                fault.allowed(format!("a node of the file: {}", listed(&names))),
            ));
        }
    }
    let Some((last, sections)) = parts.split_last() else {
        return Ok(());
    };
    let mut table = root;
    for section in sections {
        let empty = || Node::new(Spot::Env(given.variable.clone()), Kind::Table(Table::default()));
        let Kind::Table(inner) = &mut table.get_or_insert(section, empty).kind else {
            let found = format!("{} as a section", quoted(section));
            let allowed = "the path of a key; a list is set as a whole, in JSON";
            return Err(Box::new(fault().found(found).allowed(allowed)));
        };
        table = inner;
    }
    let slot = table.get_or_insert(last, || value.clone());
    *slot = value;
    Ok(())
}

/// Replaces `${NAME}` in all texts by the variable's value; `$${` stands for `${` itself.
pub(super) fn substitute(node: &mut Node, path: &str, with: &Substitution<'_>) {
    let replaced = match &mut node.kind {
        Kind::Text(text) if text.contains("${") => with.expand(text),
        Kind::List(elements) => {
            for (at, element) in elements.iter_mut().enumerate() {
                substitute(element, &format!("{path}[{at}]"), with);
            }
            return;
        }
        Kind::Table(table) => {
            let keys: Vec<String> = table
                .entries()
                .iter()
                .map(|entry| join(path, &entry.key))
                .collect();
            for (path, value) in keys.iter().zip(table.values_mut()) {
                substitute(value, path, with);
            }
            return;
        }
        _ => return,
    };
    match replaced {
        Ok(text) => {
            node.kind = Kind::Text(text);
            node.loose = true;
        }
        Err(found) => {
            let fault = Finding::fault(Code::UnsetVariable, with.source.place(&node.spot), path)
                .found(found)
                .allowed("${NAME} of a variable that is set; $${ for the two characters themselves");
            with.findings.add(fault);
            node.kind = Kind::Faulty;
        }
    }
}

/// What [`substitute`] needs to know.
pub(super) struct Substitution<'a> {
    pub(super) variables: &'a Variables,
    pub(super) source: &'a Source,
    pub(super) findings: &'a Findings,
}

impl Substitution<'_> {
    /// The text with all variables replaced, or what could not be.
    fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            expanded.push_str(&rest[..at]);
            let (name, after) = rest[at + 2..].split_once('}').ok_or("${ without }")?;
            let value = self
                .variables
                .get(name)
                .ok_or_else(|| format!("${{{}}}", quoted(name).trim_matches('"')))?;
            expanded.push_str(value);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn variables(list: &[(&str, &str)]) -> Variables {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn only_two_underscores_make_a_key() {
        let all = variables(&[
            ("LAMPYRIS__LINK__WAIT", "1s"),
            ("lampyris__link__heartbeat", "1s"),
            ("LAMPYRIS_ADMIN_TOKEN", "t"),
            ("LAMPYRIS_CONFIG", "c"),
            ("LAMPYRIS", "x"),
            ("PATH", "/bin"),
        ]);
        let findings = Findings::default();
        let paths: Vec<String> = overrides(&all, &findings).into_iter().map(|o| o.path).collect();
        assert_eq!(paths, ["link.heartbeat", "link.wait"]);
        assert!(findings.into_sorted().is_empty());
    }

    #[test]
    fn variables_are_put_into_texts() {
        let source = Source::new(Path::new("c.json"), "");
        let (variables, findings) = (variables(&[("A", "1"), ("B", "${A}")]), Findings::default());
        let with = Substitution {
            variables: &variables,
            source: &source,
            findings: &findings,
        };
        assert_eq!(with.expand("x${A}y${B}z"), Ok("x1y${A}z".into()));
        assert_eq!(with.expand("$${A} costs $5"), Ok("${A} costs $5".into()));
        assert_eq!(with.expand("${C}"), Err("${C}".into()));
        assert_eq!(with.expand("${A"), Err("${ without }".into()));
    }
}
