//! The tree as Mermaid, as Graphviz and as SVG. Arrows lead from the child that dials to its parent.

use std::collections::HashMap;

use lampyris_runtime::config::Config;

use super::{about, links};

/// Width and height of a node, and the distance to the next one, in the SVG.
const WIDTH: usize = 170;
const HEIGHT: usize = 58;
const GAP: usize = 28;
const ROW: usize = 116;

/// For Markdown.
pub(super) fn mermaid(config: &Config) -> String {
    let number: HashMap<&str, usize> = numbers(config);
    let id = |name: &str| format!("n{}", number.get(name).copied().unwrap_or_default());
    let mut text = "graph TD\n".to_owned();
    for node in &config.nodes {
        let name = node.name.as_str();
        let words: Vec<String> = about(node).iter().map(|word| escaped(word)).collect();
        text += &format!("    {}[\"{name}<br/>{}\"]\n", id(name), words.join("<br/>"));
    }
    for (child, parent) in links(config) {
        text += &format!("    {} --> {}\n", id(child), id(parent));
    }
    text
}

fn numbers(config: &Config) -> HashMap<&str, usize> {
    config
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.name.as_str(), at))
        .collect()
}

/// For Graphviz.
pub(super) fn dot(config: &Config) -> String {
    let mut text = "digraph cluster {\n  rankdir=BT;\n  node [shape=box, style=rounded];\n".to_owned();
    for node in &config.nodes {
        let words = about(node)
            .join("\n")
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        text += &format!("  \"{}\" [label=\"{}\\n{words}\"];\n", node.name, node.name);
    }
    for (child, parent) in links(config) {
        text += &format!("  \"{child}\" -> \"{parent}\";\n");
    }
    text + "}\n"
}

/// A picture: a row for each level of the tree, parents above.
pub(super) fn svg(config: &Config) -> String {
    let levels = config.start_order();
    let widest = levels.iter().map(Vec::len).max().unwrap_or(1);
    let (width, height) = (
        GAP + widest * (WIDTH + GAP),
        GAP + levels.len() * ROW - (ROW - HEIGHT) + GAP,
    );
    let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
    for (row, level) in levels.iter().enumerate() {
        let left = (width - level.len() * (WIDTH + GAP) + GAP) / 2;
        for (at, name) in level.iter().enumerate() {
            places.insert(name.as_str(), (left + at * (WIDTH + GAP), GAP + row * ROW));
        }
    }
    let mut text = head(width, height);
    for (child, parent) in links(config) {
        if let (Some(from), Some(to)) = (places.get(child), places.get(parent)) {
            text += &arrow(*from, *to);
        }
    }
    for node in &config.nodes {
        if let Some(place) = places.get(node.name.as_str()) {
            text += &card(*place, node.name.as_str(), &about(node));
        }
    }
    text + "</svg>\n"
}

fn head(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>The tree of nodes</title>\n<defs><marker id=\"tip\" \
         viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path \
         d=\"M0 0L10 5L0 10z\" fill=\"#57606a\"/></marker></defs>\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#ffffff\"/>\n"
    )
}

/// From the top of the child to the foot of its parent.
fn arrow((x, y): (usize, usize), (to_x, to_y): (usize, usize)) -> String {
    let (x, to_x, to_y) = (x + WIDTH / 2, to_x + WIDTH / 2, to_y + HEIGHT);
    let middle = to_y + y.saturating_sub(to_y) / 2;
    format!(
        "<path d=\"M{x} {y}C{x} {middle} {to_x} {middle} {to_x} {to_y}\" fill=\"none\" stroke=\"#57606a\" \
         stroke-width=\"1.5\" marker-end=\"url(#tip)\"/>\n"
    )
}

fn card((x, y): (usize, usize), name: &str, about: &[String]) -> String {
    let mut text = format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"#f6f8fa\" \
         stroke=\"#57606a\"/>\n<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n",
        x + WIDTH / 2,
        y + 19,
        escaped(name)
    );
    let (app, rest) = about
        .split_first()
        .map_or(("", &[][..]), |(app, rest)| (app.as_str(), rest));
    for (line, words) in [app.to_owned(), rest.join(", ")].iter().enumerate() {
        let (x, y) = (x + WIDTH / 2, y + 35 + 15 * line);
        text += &format!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>\n",
            escaped(words)
        );
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
