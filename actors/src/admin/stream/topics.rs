//! What somebody wants to be told. Pure.

use crate::admin::problem::Problem;

/// Nodes and logs that one stream may name.
const MOST_NAMED: usize = 20;

/// The topics of one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Topics {
    pub(super) cluster: bool,
    pub(super) nodes: bool,
    pub(super) links: bool,
    pub(super) events: bool,
    pub(super) node: Vec<String>,
    pub(super) logs: Vec<String>,
}

impl Topics {
    /// The topics of a list with commas between; `is_known` says whether there is a node of a name.
    pub(super) fn parse(list: Option<&str>, is_known: impl Fn(&str) -> bool) -> Result<Self, Problem> {
        let mut topics = Self::default();
        for topic in list.unwrap_or("cluster,events").split(',') {
            let (word, name) = topic
                .split_once(':')
                .map_or((topic, None), |(word, name)| (word, Some(name)));
            let flag = match (word, name) {
                ("cluster", None) => &mut topics.cluster,
                ("nodes", None) => &mut topics.nodes,
                ("links", None) => &mut topics.links,
                ("events", None) => &mut topics.events,
                ("node" | "logs", Some(name)) => {
                    if !is_known(name) || word == "node" && name == "master" {
                        return Err(Problem::no_such_node(name));
                    }
                    let named = if word == "node" {
                        &mut topics.node
                    } else {
                        &mut topics.logs
                    };
                    if !named.iter().any(|known| known == name) {
                        named.push(name.to_owned());
                    }
                    continue;
                }
                _ => {
                    let text = format!(
                        "topics: {topic:?}; there are cluster, nodes, links, events, node:NAME and logs:NAME"
                    );
                    return Err(Problem::bad_request(text));
                }
            };
            *flag = true;
        }
        if topics.node.len() + topics.logs.len() > MOST_NAMED {
            return Err(Problem::bad_request(format!(
                "topics: at most {MOST_NAMED} nodes and logs"
            )));
        }
        Ok(topics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_words_or_words_with_a_node() {
        let parse = |list| Topics::parse(list, |name| name == "gate" || name == "master");
        let all = parse(Some("nodes,node:gate,logs:gate,logs:master,node:gate")).unwrap();
        assert!(all.nodes && !all.cluster);
        assert_eq!(
            (all.node, all.logs),
            (
                vec!["gate".to_owned()],
                vec!["gate".to_owned(), "master".to_owned()]
            )
        );
        let usual = parse(None).unwrap();
        assert!(usual.cluster && usual.events);
        for bad in [
            "",
            "nodes,",
            "node",
            "node:",
            "node:master",
            "node:game9",
            "logs:../../etc/passwd",
            "cluster:gate",
        ] {
            assert!(parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
