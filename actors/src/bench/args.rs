//! The arguments of `bench`, and the plan that they make.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use super::plan::{
    CHAIN_COMMAND, OPEN_CONNECTIONS, PAYLOAD, Plan, Point, Shape, point, shapes, standard_points,
};
use super::requests::{MOST_DIGITS, digits};

/// Connections of a single point that names none.
const CONNECTIONS: usize = 64;

/// The warm-up is this part of the measured time, at most [`WARM_UP`].
const WARM_UP_PART: u32 = 4;
const WARM_UP: Duration = Duration::from_millis(500);

/// `bench`: how fast the cluster is, beside the least that could do the same.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// How long each point is measured in each round, such as 2s or 300ms
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = duration)]
    duration: Duration,

    /// How often; the tables show the medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000), value_name = "N")]
    rounds: u64,

    /// One point alone: with so many connections
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=50_000), value_name = "N")]
    connections: Option<u64>,

    /// One point alone: so many requests in flight on each connection
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096), value_name = "P", conflicts_with = "rate")]
    depth: Option<u64>,

    /// One point alone: so many requests a second, whether or not those before were answered
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "R")]
    rate: Option<u32>,

    /// The command to send, instead of the study's; its answer must be the same each time
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    command: Option<u32>,

    /// The command of the same cluster that it is compared with, instead of with the references
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    beside: Option<u32>,

    /// The payload to send, instead of the study's; each # of a TEXT is a digit of a number, another in each request
    #[arg(long, value_name = "TEXT|@FILE", value_parser = payload)]
    payload: Option<Payload>,

    /// Load a cluster that runs already, and nothing else
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(super) addr: Option<SocketAddr>,

    /// Write the results to a file, in JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,

    /// Draw the results into a file, in SVG
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,

    /// Keep the processors from sleeping by a process on each that runs when nothing else wants to (Linux)
    #[arg(long)]
    pub(super) spinners: bool,
}

/// A payload, kept apart from lists of values, which clap has ideas of its own about.
#[derive(Debug, Clone)]
struct Payload {
    bytes: Vec<u8>,
    numbered: bool,
}

impl BenchArgs {
    /// What is to be measured.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            points: self.points(),
            rounds: usize::try_from(self.rounds).unwrap_or(usize::MAX),
            duration: self.duration,
            warm_up: (self.duration / WARM_UP_PART).min(WARM_UP),
        }
    }

    fn points(&self) -> Vec<Point> {
        let numbered = self.payload.as_ref().is_some_and(|payload| payload.numbered);
        let mut points = self.chosen();
        for point in &mut points {
            (point.numbered, point.beside) = (numbered, self.beside);
        }
        points
    }

    fn chosen(&self) -> Vec<Point> {
        let single = self.connections.is_some() || self.depth.is_some() || self.rate.is_some();
        if !single && self.command.is_none() && self.payload.is_none() {
            return standard_points();
        }
        let command = self.command.unwrap_or(CHAIN_COMMAND);
        let payload = self
            .payload
            .as_ref()
            .map_or(PAYLOAD, |payload| payload.bytes.as_slice());
        if !single {
            return shapes(command, payload);
        }
        let size = |given: Option<u64>, default: usize| {
            given.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let (shape, usual) = match self.rate {
            Some(rate) => (Shape::Open { rate }, OPEN_CONNECTIONS),
            None => {
                let depth = size(self.depth, 1);
                (Shape::Closed { depth }, CONNECTIONS)
            }
        };
        vec![point(command, payload, size(self.connections, usual), shape)]
    }
}

/// Reads `2s`, `0.3s`, `300ms`: from 10 ms to an hour.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(""), 1.0),
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * unit;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("expected a time from 10ms to 3600s with its unit, such as 2s, 0.5s or 300ms".to_owned())
    }
}

fn payload(text: &str) -> Result<Payload, String> {
    if let Some(file) = text.strip_prefix('@') {
        return std::fs::read(file)
            .map(|bytes| Payload {
                bytes,
                numbered: false,
            })
            .map_err(|why| format!("{file}: {why}"));
    }
    let digits = digits(text.as_bytes());
    if digits > MOST_DIGITS {
        return Err(format!("{digits} digits; at most {MOST_DIGITS}"));
    }
    Ok(Payload {
        bytes: text.as_bytes().to_vec(),
        numbered: digits > 0,
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|why| why.to_string())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn plan(words: &str) -> Result<Plan, clap::Error> {
        let words = std::iter::once("bench").chain(words.split_whitespace());
        Line::try_parse_from(words).map(|line| line.bench.plan())
    }

    #[test]
    fn without_arguments_the_standard_points_are_measured() {
        let plan = plan("").unwrap();
        assert_eq!(plan.points, standard_points());
        assert_eq!((plan.rounds, plan.duration), (3, Duration::from_secs(2)));
        assert_eq!(plan.warm_up, Duration::from_millis(500));
    }

    #[test]
    fn a_load_makes_one_point_and_a_command_all_loads() {
        let one = plan("--connections 8 --depth 4").unwrap().points;
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].to_string(), "command 300, 7 bytes, 8 x 4");
        let open = plan("--rate 100 --command 100").unwrap().points;
        assert_eq!(open[0].to_string(), "command 100, 7 bytes, 100/s over 200");
        let all = plan("--command 7 --payload hello").unwrap().points;
        assert_eq!(all.len(), 4);
        assert!(
            all.iter()
                .all(|point| point.command == 7 && point.payload == b"hello")
        );
    }

    #[test]
    fn a_payload_can_have_a_number_and_a_command_another_one_beside_it() {
        let points = plan("--command 402 --payload p####. --beside 300 --depth 16")
            .unwrap()
            .points;
        assert_eq!(
            (points.len(), points[0].numbered, points[0].beside),
            (1, true, Some(300))
        );
        assert_eq!(points[0].to_string(), "command 402, 6 bytes, 64 x 16");
        assert!(plan("--payload p######").is_err());
    }

    #[test]
    fn times_have_a_unit_and_bounds() {
        assert_eq!(duration("0.3s"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        for bad in ["", "2", "s", "-1s", "NaNs", "infs", "1m", "9ms", "3601s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "--rounds 0",
            "--connections 0",
            "--depth 0",
            "--rate 5 --depth 2",
            "--command 0",
            "--payload @/nowhere/to/be/found",
            "--addr nonsense",
        ] {
            assert!(plan(bad).is_err(), "{bad}");
        }
    }
}
