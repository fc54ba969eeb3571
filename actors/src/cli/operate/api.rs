//! The master's admin API as its client: requests with the token, answers as JSON, refusals as [`Trouble`].

use std::io::{self, BufRead, BufReader};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

use super::trouble::Trouble;

/// How long the master may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long it may take to begin an answer: longer than its nodes may take, and than the longest call.
const ANSWER: Duration = Duration::from_secs(75);

/// How long a stream may be silent: longer than the pause between its heartbeats.
const SILENCE: Duration = Duration::from_secs(40);

/// The longest answer that is taken, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

/// The API of one master.
#[derive(Clone)]
pub(super) struct Api {
    agent: Agent,
    addr: String,
    token: String,
}

impl Api {
    /// The API at `addr`, which is a host and a port.
    pub(super) fn new(addr: String, token: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .build();
        Self {
            agent: config.into(),
            addr,
            token,
        }
    }

    /// Where it is.
    pub(super) fn addr(&self) -> &str {
        &self.addr
    }

    /// What is at a path behind `/api/v1/`.
    ///
    /// # Errors
    /// Nobody answers, or the master refuses.
    pub(super) fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.get_by(path, &[])
    }

    /// The same, of a path with a query.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) fn get_by(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Trouble> {
        let request = self.agent.get(self.url(path)).query_pairs(query.iter().cloned());
        let sent = request.header("Authorization", self.bearer()).call();
        self.read(sent)
    }

    /// The same as what it stands for.
    ///
    /// # Errors
    /// As [`Api::get`]; or it is not what was expected.
    pub(super) fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.parse(&self.get(path)?)
    }

    /// What an answer, or a part of one, stands for.
    ///
    /// # Errors
    /// It is not what was expected.
    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &Value) -> Result<T, Trouble> {
        T::deserialize(answer).map_err(|why| self.nonsense(why))
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let request = self.agent.post(self.url(path));
        let request = request.header("Authorization", self.bearer());
        let sent = request.content_type("application/json").send(body.to_string());
        self.read(sent)
    }

    /// Asks for an action of a node, or of the cluster.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) fn act(&self, node: Option<&str>, action: &str, body: &Value) -> Result<Value, Trouble> {
        match node {
            Some(node) => self.post(&format!("nodes/{node}/actions/{action}"), body),
            None => self.post(&format!("cluster/actions/{action}"), body),
        }
    }

    /// News as they come; those of `events` behind the number `since` first.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub(super) fn stream(&self, topics: &str, since: Option<u64>) -> Result<News, Trouble> {
        let mut request = self
            .agent
            .get(self.url(&format!("stream?topics={topics}")))
            .config()
            .timeout_per_read(Some(SILENCE))
            .build()
            .header("Authorization", self.bearer());
        if let Some(since) = since {
            request = request.header("Last-Event-ID", since.to_string());
        }
        let mut answer = request.call().map_err(|error| self.trouble(error))?;
        if answer.status() != 200 {
            return Err(self.refusal(&mut answer));
        }
        let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(News(BufReader::new(Box::new(body))))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.addr)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn read(&self, sent: Result<Response<Body>, Error>) -> Result<Value, Trouble> {
        let mut answer = sent.map_err(|error| self.trouble(error))?;
        if !answer.status().is_success() {
            return Err(self.refusal(&mut answer));
        }
        let text = self.text(&mut answer)?;
        serde_json::from_str(&text).map_err(|why| self.nonsense(why))
    }

    fn text(&self, answer: &mut Response<Body>) -> Result<String, Trouble> {
        let body = answer.body_mut().with_config().limit(MOST);
        body.read_to_string().map_err(|error| self.trouble(error))
    }

    fn refusal(&self, answer: &mut Response<Body>) -> Trouble {
        let status = answer.status().as_u16();
        let body = self.text(answer).unwrap_or_default();
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |key: &str| problem[key].as_str().map(str::to_owned);
        Trouble::Refused {
            status,
            detail: text("detail").unwrap_or_else(|| format!("{} answers with status {status}", self.addr)),
            hint: text("hint"),
            problem: Box::new(problem),
        }
    }

    fn trouble(&self, error: Error) -> Trouble {
        let addr = &self.addr;
        match error {
            Error::Io(why) if why.kind() == io::ErrorKind::ConnectionRefused => {
                Trouble::NotRunning(addr.clone())
            }
            Error::ConnectionFailed => Trouble::NotRunning(addr.clone()),
            Error::Timeout(_) => Trouble::Unreachable(format!("no answer of {addr} in time")),
            Error::HostNotFound => Trouble::Unreachable(format!("{addr}: there is no such host")),
            Error::BadUri(_) | Error::Http(_) => {
                Trouble::Usage(format!("{addr:?} is no address; give one as HOST:PORT"))
            }
            other => Trouble::Unreachable(format!("{addr}: {other}")),
        }
    }

    fn nonsense(&self, why: serde_json::Error) -> Trouble {
        Trouble::Unreachable(format!("{}: this is no answer of a master: {why}", self.addr))
    }
}

/// One piece of news of a stream.
pub(super) struct Told {
    /// What it is: `event`, `log`, `skipped`.
    pub(super) kind: String,
    /// The piece itself.
    pub(super) data: Value,
}

/// News as they come.
pub(super) struct News(BufReader<Box<dyn io::Read + Send>>);

impl Iterator for News {
    type Item = Told;

    /// Waits for the next piece; `None` when the stream has ended, for whatever reason.
    fn next(&mut self) -> Option<Told> {
        let (mut kind, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(word) = line.strip_prefix("event: ") {
                word.trim_end().clone_into(&mut kind);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).ok()?;
                return Some(Told { kind, data });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_told_not_passed_over() {
        let api = Api::new("127.0.0.1:1".to_owned(), String::new());
        let nodes = serde_json::json!([{"name": "gate"}, {"name": 5}]);
        let read = api.parse::<Vec<crate::cli::operate::views::Node>>(&nodes);
        let why = read.map(|nodes| nodes.len()).unwrap_err();
        assert!(matches!(why, Trouble::Unreachable(_)), "{why}");
        assert_eq!(api.parse::<u64>(&serde_json::json!(7)).unwrap(), 7);
    }

    #[test]
    fn news_are_read_piece_by_piece_and_heartbeats_are_none() {
        let text =
            ": welcome\n\nid: 7\nevent: event\ndata: {\"seq\":7}\n\n: still here\n\nevent: log\ndata: 1\n\n";
        let news = News(BufReader::new(Box::new(text.as_bytes())));
        let told: Vec<_> = news.map(|told| (told.kind, told.data.to_string())).collect();
        assert_eq!(
            told,
            [
                ("event".into(), "{\"seq\":7}".into()),
                ("log".into(), "1".to_owned())
            ]
        );
    }
}
