//! The frame of each page: who is there and where the files are, for the page's program; the state of the nodes as a
//! table, for whoever has none that runs. Pure but for its questions.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{document, login};
use crate::admin::api::session::WhoView;
use crate::admin::auth;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::admin::verdict::{Verdict, judge};
use crate::admin::views::{NodeSummary, summary};

const FRAME: &str = include_str!("../assets/frame.html");

/// A page, or the way in.
pub(super) async fn page(request: HttpRequest, seat: Data<Seat>) -> Result<HttpResponse, Problem> {
    let Ok(who) = auth::identify(&request) else {
        return Ok(login::form(StatusCode::OK, request.path(), ""));
    };
    let nodes = seat.nodes().await?.into_iter();
    let nodes: Vec<_> = nodes.map(|node| summary(&seat, node)).collect();
    let verdict = judge(&nodes, seat.standing().await?.stopping);
    let name = &seat.config().name;
    let body = fill(name, &WhoView::new(&seat, who), &verdict, &nodes);
    Ok(document(StatusCode::OK, name, "app.js", &body))
}

fn fill(cluster: &str, who: &WhoView, verdict: &Verdict, nodes: &[NodeSummary]) -> String {
    let rows: String = nodes.iter().map(row).collect();
    FRAME
        .replace("{{cluster}}", &escape(cluster))
        .replace("{{who}}", &escape(&who.name))
        .replace("{{role}}", who.role)
        .replace("{{calls}}", if who.calls { "true" } else { "false" })
        .replace("{{health}}", verdict.health.name())
        .replace("{{verdict}}", &escape(&verdict.line))
        .replace("{{rows}}", &rows)
}

fn row(node: &NodeSummary) -> String {
    let NodeSummary {
        name,
        state,
        since,
        reason,
        restarts,
        ..
    } = node;
    let (name, reason) = (escape(name), escape(reason));
    format!(
        "<tr><th scope=\"row\">{name}</th><td data-node=\"{name}\" data-state=\"{state}\">{state}</td>\
         <td>{since:.0} s</td><td>{restarts}</td><td>{reason}</td></tr>"
    )
}

/// Text as it stands in a document, which takes it for nothing else; nor does [`fill`].
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' | '<' | '>' | '"' | '\'' | '{' | '}' => out.push_str(&format!("&#{};", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::verdict::Health;

    #[test]
    fn what_nodes_say_stays_text() {
        let mut node = NodeSummary::for_tests("gate");
        node.reason = "<script>alert('x')</script> {{who}} &amp;".to_owned();
        let who = WhoView {
            name: "\"eve\"".into(),
            role: "viewer",
            calls: false,
        };
        let verdict = Verdict {
            health: Health::Down,
            line: "<b>".into(),
            reasons: Vec::new(),
        };
        let text = fill("a&b", &who, &verdict, &[node]);
        assert!(
            text.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62; &#123;&#123;who&#125;&#125;"),
            "{text}"
        );
        assert!(
            text.contains("a&#38;b")
                && text.contains("&#34;eve&#34;")
                && text.contains("data-health=\"down\"")
        );
        assert!(!text.contains("{{") && !text.contains("<b>"), "{text}");
    }

    #[test]
    fn nothing_in_the_frames_is_inline() {
        for text in [super::super::DOCUMENT, FRAME, login::FORM] {
            let scripts = text.matches("<script").count();
            assert_eq!(
                scripts,
                text.matches("<script type=\"module\" src=\"{{assets}}/").count()
            );
            assert!(!text.contains("<style") && !text.contains(" style="), "{text}");
            assert!(
                !text.contains("http:") && !text.contains("https:"),
                "nothing from elsewhere"
            );
        }
    }
}
