//! `graph`: the tree of nodes as text, or in a language of pictures.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `text` | the tree for a terminal |
//! | `picture` | Mermaid, Graphviz and SVG |

mod picture;
mod text;

use clap::{Args, ValueEnum};
use lampyris_runtime::config::{Config, NodeConfig};

use crate::console::print_line;

/// Draws the tree.
#[derive(Debug, Args)]
pub(in crate::cli) struct Graph {
    /// The language of the picture
    #[arg(long, value_enum, default_value_t = Format::Ascii)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree for a terminal
    Ascii,
    /// For Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

impl Graph {
    /// Draws it; gives the exit code.
    pub(super) fn run(&self, config: &Config) -> u8 {
        let drawn = match self.format {
            Format::Ascii => text::tree(config),
            Format::Mermaid => picture::mermaid(config),
            Format::Dot => picture::dot(config),
            Format::Svg => picture::svg(config),
        };
        print_line(drawn.trim_end());
        0
    }
}

/// What a node is, in a few words: its application, its ports, who starts it.
fn about(node: &NodeConfig) -> Vec<String> {
    let ports = [
        ("clients", node.netport),
        ("children", node.rootport),
        ("http", node.webport),
    ];
    let ports = ports
        .into_iter()
        .filter_map(|(what, port)| Some(format!("{what} :{}", port?)));
    let elsewhere = (!node.start).then(|| match &node.host {
        Some(host) => format!("on {host}"),
        None => "on another host".to_owned(),
    });
    std::iter::once(node.app.clone())
        .chain(ports)
        .chain(elsewhere)
        .collect()
}

/// Who dials whom: child and parent.
fn links(config: &Config) -> impl Iterator<Item = (&str, &str)> {
    config.nodes.iter().flat_map(|node| {
        let parents = node.parents.iter().map(|parent| parent.name.as_str());
        parents.map(|parent| (node.name.as_str(), parent))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// net and game1 dial gate; game1 dials cache as well; `far` stands alone on another host.
    fn config() -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let text = "[master]\nwebport = 9998\n[servers.gate]\napp = 'app.gate'\nrootport = 10000\n[servers.net]\napp = \
                    'app.net'\nnetport = 10001\nremoteport = [{ rootname = 'gate' }]\n[servers.cache]\napp = \
                    'app.<cache>'\nrootport = 10002\n[servers.game1]\napp = 'app.game'\nremoteport = [{ rootname = \
                    'gate' }, { rootname = 'cache' }]\n[servers.pets]\napp = 'app.pets'\nrootport = 10003\nremoteport = \
                    [{ rootname = 'cache' }]\n[servers.far]\napp = 'app.far'\nstart = false\nhost = '10.0.0.9'\n";
        std::fs::write(&file, text).unwrap();
        Config::load(&file, std::iter::empty()).unwrap()
    }

    #[test]
    fn the_tree_has_every_node_below_each_of_its_parents() {
        let expected = "\
master  nodes :9999, admin http://127.0.0.1:9998/
├─ gate  app.gate, children :10000
│  ├─ net  app.net, clients :10001
│  └─ game1  app.game
├─ cache  app.<cache>, children :10002
│  ├─ game1  (see above)
│  └─ pets  app.pets, children :10003
└─ far  app.far, on 10.0.0.9
";
        assert_eq!(text::tree(&config()), expected);
    }

    #[test]
    fn pictures_have_every_node_and_every_link() {
        let config = config();
        let mermaid = picture::mermaid(&config);
        assert!(mermaid.starts_with("graph TD\n"), "{mermaid}");
        assert!(mermaid.contains("    n3[\"game1<br/>app.game\"]\n"), "{mermaid}");
        assert!(
            mermaid.contains("    n3 --> n2\n") && mermaid.contains("app.&lt;cache&gt;"),
            "{mermaid}"
        );
        assert_eq!(mermaid.matches("-->").count(), 4);
        let dot = picture::dot(&config);
        assert!(dot.contains("  \"game1\" -> \"cache\";\n"), "{dot}");
        assert_eq!(dot.matches("->").count(), 4);
        assert_eq!(dot.matches("label=").count(), 6);
        let svg = picture::svg(&config);
        assert_eq!(svg.matches("<rect ").count(), 7, "the ground and six nodes");
        assert_eq!(
            svg.matches("<path ").count(),
            4 + 1,
            "the links and the tip of their arrows"
        );
        assert!(
            svg.contains("app.&lt;cache&gt;") && !svg.contains("app.<cache>"),
            "{svg}"
        );
        assert_eq!(links(&config).count(), 4);
    }
}
