//! The spans of a request reach a collector of OpenTelemetry; one that is away costs spans, and nothing else.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use cluster_tests::Cluster;
use cluster_tests::changes::reloaded;
use cluster_tests::process::End;
use cluster_tests::wait::until;
use serde_json::{Value, json};

/// One request that a collector got: what precedes the body in lower case, and the body.
type Request = (String, Value);

/// A collector on loopback. It answers with the statuses that it is told, and then with 200.
struct Collector {
    addr: SocketAddr,
    got: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    fn at(addr: impl Into<SocketAddr>, refusals: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind(addr.into()).expect("a port");
        let addr = listener.local_addr().expect("its address");
        let got = Arc::<Mutex<Vec<Request>>>::default();
        let (kept, mut refusals) = (Arc::clone(&got), refusals.iter().copied());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that ends is the client's affair.
                drop(serve(stream, &kept, &mut refusals));
            }
        });
        Self { addr, got }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn requests(&self) -> Vec<Request> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans that it has taken, each with its node and namespace.
    fn spans(&self) -> Vec<(String, String, Value)> {
        let mut all = Vec::new();
        for (_, body) in self.requests() {
            for life in list(&body["resourceSpans"]) {
                let resource = attributes(&life["resource"]);
                let named = |key: &str| resource[key]["stringValue"].as_str().expect(key).to_owned();
                assert_eq!(named("service.instance.id").len(), 32, "{life}");
                let spans = life["scopeSpans"].as_array().expect("a scope").iter();
                let spans = spans.flat_map(|scope| list(&scope["spans"]));
                all.extend(spans.map(|span| (named("service.name"), named("service.namespace"), span)));
            }
        }
        all
    }
}

/// Answers the requests of one connection.
fn serve(
    stream: TcpStream,
    got: &Mutex<Vec<Request>>,
    refusals: &mut impl Iterator<Item = &'static str>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let status = refusals.next().unwrap_or("200 OK\r\n");
        if status.starts_with("200") {
            let body = serde_json::from_slice(&body)?;
            got.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((head, body));
        }
        let answer =
            format!("HTTP/1.1 {status}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
        (&stream).write_all(answer.as_bytes())?;
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().expect("a list").clone()
}

fn attributes(of: &Value) -> HashMap<String, Value> {
    let pairs = list(&of["attributes"]).into_iter();
    pairs
        .map(|pair| {
            (
                pair["key"].as_str().expect("a key").to_owned(),
                pair["value"].clone(),
            )
        })
        .collect()
}

/// The study's cluster, with every request followed and told to `endpoint`.
fn traced(endpoint: &str) -> Cluster {
    let mut cluster = Cluster::study();
    cluster.set("trace", json!({"sample": 1, "otlp": endpoint}));
    cluster.start();
    cluster
}

/// A number of the master's metrics.
fn metric(cluster: &Cluster, name: &str) -> u64 {
    let text = cluster.admin().request("GET", "/metrics").body;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)).expect(name);
    value.trim().parse().expect("a number")
}

const SENT: &str = "lampyris_otlp_spans_total{outcome=\"sent\"}";
const DROPPED: &str = "lampyris_otlp_spans_total{outcome=\"dropped\"}";
const WAITING: &str = "lampyris_otlp_spans_waiting";

#[test]
fn a_collector_gets_the_three_hops_of_a_request_with_their_parents() {
    let collector = Collector::at(([127, 0, 0, 1], 0), &["503 Busy\r\nRetry-After: 1\r\n"]);
    let cluster = traced(&collector.endpoint());
    cluster.until_answered(300, "x", "game1Handle completed");
    // Nodes tell of their spans one by one; those of a request are of one trace.
    let hops = until("three spans of a trace", || {
        let mut traces = HashMap::<String, Vec<_>>::new();
        for hop in collector.spans() {
            let trace = hop.2["traceId"].as_str().expect("an id").to_owned();
            traces.entry(trace).or_default().push(hop);
        }
        traces.into_values().find(|hops| hops.len() == 3)
    });
    let hop = |node: &str| {
        let found = hops.iter().find(|(name, ..)| name == node);
        found.unwrap_or_else(|| panic!("{node} in {hops:?}"))
    };
    let mut parent = Value::Null;
    for (node, method) in [
        ("net", "command.300"),
        ("gate", "gate.handle2"),
        ("game1", "game1.handle"),
    ] {
        let (_, namespace, span) = hop(node);
        assert!(!namespace.is_empty());
        assert_eq!(span["parentSpanId"], parent, "{span}");
        assert_eq!(span["kind"], 2, "{span}");
        let attributes = attributes(span);
        assert_eq!(attributes["rpc.system.name"]["stringValue"], "lampyris", "{span}");
        assert_eq!(attributes["rpc.method"]["stringValue"], method, "{span}");
        assert!(
            attributes["lampyris.queue_time"]["doubleValue"].is_number(),
            "{span}"
        );
        let time = |key: &str| span[key].as_str().and_then(|text| text.parse::<u64>().ok());
        assert!(
            time("startTimeUnixNano") > Some(1_600_000_000_000_000_000),
            "{span}"
        );
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
        parent = span["spanId"].clone();
        assert_eq!(parent.as_str().map(str::len), Some(16), "{span}");
    }
    let (head, _) = collector.requests().remove(0);
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    until("the count", || (metric(&cluster, SENT) >= 3).then_some(()));
    assert_eq!(metric(&cluster, DROPPED), 0, "a refusal for now drops nothing");
}

#[test]
fn a_collector_that_comes_late_gets_what_has_waited_and_fails_no_request() {
    let mut cluster = Cluster::study();
    let port = cluster.port();
    cluster.set(
        "trace",
        json!({"sample": 1, "otlp": format!("http://127.0.0.1:{port}/")}),
    );
    cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    until("a complaint", || {
        let log = cluster.everything_said();
        log.contains("the collector does not take spans").then_some(())
    });
    until("spans that wait", || {
        (metric(&cluster, WAITING) >= 3).then_some(())
    });
    for _ in 0..20 {
        cluster.ask(300, "x").expect("an answer");
    }
    let collector = Collector::at(([127, 0, 0, 1], port), &[]);
    until("every span", || (collector.spans().len() >= 63).then_some(()));
    assert_eq!(metric(&cluster, DROPPED), 0);
}

#[test]
fn a_reload_names_the_collector_and_the_end_of_the_master_sends_what_waits() {
    let mut cluster = Cluster::study();
    cluster.set("trace", json!({"sample": 1}));
    let master = cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    let collector = Collector::at(([127, 0, 0, 1], 0), &[]);
    cluster.set("trace", json!({"sample": 1, "otlp": collector.endpoint()}));
    let done = reloaded(&cluster);
    assert_eq!(done["applied"][0]["key"], "trace.otlp", "{done}");
    cluster.until_answered(300, "x", "game1Handle completed");
    cluster.admin().act("cluster/actions/stop");
    assert_eq!(master.end(), End::Code(0));
    assert!(collector.spans().len() >= 3, "{:?}", collector.spans());
}
