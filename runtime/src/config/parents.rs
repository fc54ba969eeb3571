//! Which node is whose parent makes sense: each parent exists, listens where it is dialled, and none is above itself.

use std::collections::HashMap;

use super::Config;
use super::finding::{Code, Finding, Findings, quoted};
use super::model::NodeConfig;
use super::read::{integer_of, text_of};

/// All rules about parents. That a parent exists was checked when its name was read.
pub(super) fn check(config: &Config, findings: &Findings) {
    parents(config, findings);
    circles(config, findings);
}

/// Each parent is another node, is named once and listens where it is dialled.
fn parents(config: &Config, findings: &Findings) {
    let rootports: HashMap<&str, Option<u16>> = config
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.rootport))
        .collect();
    for node in &config.nodes {
        let elements = remoteports(config, node);
        for (at, (path, name, port)) in elements.iter().enumerate() {
            if findings.full() {
                return;
            }
            let place = config.written.value_place_or_file(&format!("{path}.rootname"));
            let fault =
                |code| Finding::fault(code, place.clone(), format!("{path}.rootname")).found(quoted(name));
            if *name == node.name.as_str() {
                findings.add(fault(Code::OwnParent).allowed("the name of another node"));
                continue;
            }
            if let Some((first, ..)) = elements[..at].iter().find(|(_, earlier, _)| earlier == name) {
                let also = config.written.value_place(&format!("{first}.rootname"));
                findings.add(fault(Code::DuplicateKey).allowed("each parent once").also(also));
                continue;
            }
            let Some(rootport) = rootports.get(name) else {
                continue;
            };
            parent_port(
                config,
                &ParentPort {
                    path,
                    name,
                    port: *port,
                    rootport: *rootport,
                },
                findings,
            );
        }
    }
}

/// Path, name and port of each element of a node's `remoteport`, as written.
fn remoteports<'a>(config: &'a Config, node: &NodeConfig) -> Vec<(String, &'a str, Option<u16>)> {
    let list = format!("servers.{}.remoteport", node.name);
    let paths = (0..)
        .map(|at| format!("{list}[{at}]"))
        .take_while(|path| config.written.has(path));
    let read = |path: String| {
        let name = text_of(config.written.value(&format!("{path}.rootname"))?).ok()?;
        let port = config
            .written
            .value(&format!("{path}.rootport"))
            .and_then(integer_of);
        Some((path, name, port.and_then(|port| u16::try_from(port).ok())))
    };
    paths.filter_map(read).collect()
}

struct ParentPort<'a> {
    path: &'a str,
    name: &'a str,
    /// The port that is dialled, if it is given.
    port: Option<u16>,
    /// The port at which the parent listens.
    rootport: Option<u16>,
}

fn parent_port(config: &Config, parent: &ParentPort<'_>, findings: &Findings) {
    let ParentPort {
        path,
        name,
        port,
        rootport,
    } = *parent;
    let written = &config.written;
    let parents_key = format!("servers.{name}.rootport");
    match (rootport, port) {
        (None, _) if !written.has(&parents_key) => {
            let place = written.value_place_or_file(&format!("{path}.rootname"));
            let fault = Finding::fault(Code::ParentPort, place, format!("{path}.rootname"));
            let fault = fault.found(format!("{}, which has no rootport", quoted(name)));
            let fault = fault
                .allowed("a node with a rootport")
                .also(written.key_place(&format!("servers.{name}")));
            let help = port.map(|port| format!("give {} \"rootport\": {port}", quoted(name)));
            findings.add(fault.help(help));
        }
        (Some(rootport), Some(port)) if rootport != port => {
            let place = written.value_place_or_file(&format!("{path}.rootport"));
            let fault = Finding::fault(Code::ParentPort, place, format!("{path}.rootport"));
            let fault = fault
                .found(port.to_string())
                .also(written.value_place(&parents_key));
            let fault = fault.allowed(format!("{rootport}, the rootport of {}", quoted(name)));
            findings.add(fault.help("leave it out, and the parent's is used".to_owned()));
        }
        _ => {}
    }
}

/// No node is above itself. Each circle is reported once, at the first of its nodes in the file.
fn circles(config: &Config, findings: &Findings) {
    let index: HashMap<&str, usize> = config
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.name.as_str(), at))
        .collect();
    let parents_of = |at: usize| -> Vec<usize> {
        let parents = config.nodes[at].parents.iter();
        parents
            .filter_map(|parent| index.get(parent.name.as_str()).copied())
            .filter(|p| *p != at)
            .collect()
    };
    let parents: Vec<Vec<usize>> = (0..config.nodes.len()).map(parents_of).collect();
    for circle in find_circles(&parents) {
        let names: Vec<&str> = circle.iter().map(|at| config.nodes[*at].name.as_str()).collect();
        let Some(first) = names.first() else { continue };
        let key = format!("servers.{first}.remoteport");
        let place = config
            .written
            .key_place(&key)
            .unwrap_or_else(|| config.written.source.whole());
        let fault = Finding::fault(Code::ParentCycle, place, key);
        let fault = fault.found(format!("{} -> {first}", names.join(" -> ")));
        findings.add(fault.allowed("parents that lead to a node without parents"));
    }
}

/// The circles in a graph, each beginning with its smallest number; one for each edge that closes one.
fn find_circles(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut circles = Vec::new();
    let mut done = vec![false; parents.len()];
    for start in 0..parents.len() {
        // The way from `start` to the node at hand, each with the number of its parents already visited.
        let mut way: Vec<(usize, usize)> = if done[start] { Vec::new() } else { vec![(start, 0)] };
        let mut on_way = vec![false; if done[start] { 0 } else { parents.len() }];
        while let Some((node, visited)) = way.last_mut() {
            let node = *node;
            on_way[node] = true;
            let Some(parent) = parents[node].get(*visited).copied() else {
                (on_way[node], done[node]) = (false, true);
                way.pop();
                continue;
            };
            *visited += 1;
            if on_way[parent] {
                let begin = way.iter().position(|(at, _)| *at == parent).unwrap_or(0);
                let mut circle: Vec<usize> = way[begin..].iter().map(|(at, _)| *at).collect();
                let smallest = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
                circle.rotate_left(smallest);
                circles.push(circle);
            } else if !done[parent] {
                way.push((parent, 0));
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_once_each() {
        assert!(find_circles(&[vec![], vec![0], vec![0, 1]]).is_empty());
        assert_eq!(find_circles(&[vec![1], vec![2], vec![0]]), [[0, 1, 2]]);
        assert_eq!(find_circles(&[vec![2], vec![2], vec![1]]), [[1, 2]]);
        assert_eq!(
            find_circles(&[vec![1], vec![0], vec![3], vec![2]]),
            [[0, 1], [2, 3]]
        );
    }
}
