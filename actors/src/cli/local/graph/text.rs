//! The tree for a terminal: each node below its parents, those without a parent below the master.

use std::collections::BTreeSet;

use lampyris_runtime::config::{Config, NodeConfig};

use super::about;
use crate::cli::reachable;

/// The whole tree. A node with several parents is told below the first, and pointed to below the others.
pub(super) fn tree(config: &Config) -> String {
    let master = &config.master;
    let page = master.webport.map(|port| reachable(master.webbind, port));
    let page = page.map(|addr| format!(", admin http://{addr}/"));
    let head = format!("master  nodes :{}{}\n", master.rootport, page.unwrap_or_default());
    let mut drawing = Drawing {
        config,
        text: head,
        told: BTreeSet::new(),
    };
    let tops: Vec<&NodeConfig> = config
        .nodes
        .iter()
        .filter(|node| node.parents.is_empty())
        .collect();
    drawing.branches(&tops, "");
    drawing.text
}

struct Drawing<'a> {
    config: &'a Config,
    text: String,
    told: BTreeSet<&'a str>,
}

impl<'a> Drawing<'a> {
    /// The nodes below one point. The depth is bounded by the number of nodes: parents form no circle.
    fn branches(&mut self, nodes: &[&'a NodeConfig], indent: &str) {
        for (at, node) in nodes.iter().enumerate() {
            let last = at + 1 == nodes.len();
            let (bend, bar) = if last {
                ("└─", "   ")
            } else {
                ("├─", "│  ")
            };
            let name = node.name.as_str();
            if !self.told.insert(name) {
                self.text += &format!("{indent}{bend} {name}  (see above)\n");
                continue;
            }
            self.text += &format!("{indent}{bend} {name}  {}\n", about(node).join(", "));
            let children: Vec<&NodeConfig> = self.config.children_of(&node.name).collect();
            self.branches(&children, &format!("{indent}{bar}"));
        }
    }
}
