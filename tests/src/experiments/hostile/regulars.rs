//! Ordinary clients, who ask for an echo again and again, and should not notice what else happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ECHO;
use crate::client::{Client, Frame};
use crate::spread::Spread;

/// How many there are.
pub(super) const REGULARS: usize = 4;

/// Between two requests of one.
const PAUSE: Duration = Duration::from_millis(5);

/// When something was asked, and how long the answer took.
type Asked = (Instant, Duration);

/// Regulars at a port.
pub(super) struct Regulars {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Asked>>>,
}

impl Regulars {
    pub(super) fn at(port: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut client = Client::connect(port).expect("because the node listens");
                let mut times = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    ask(&mut client);
                    times.push((asked, asked.elapsed()));
                    std::thread::park_timeout(PAUSE);
                }
                times
            })
        };
        let clients = (0..REGULARS).map(client).collect();
        Self { over, clients }
    }

    /// They have seen enough.
    ///
    /// # Panics
    /// When one of them was not served.
    #[track_caller]
    pub(super) fn go(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        let join = |client: JoinHandle<Vec<Asked>>| client.join().expect("every regular is served");
        Seen(self.clients.into_iter().flat_map(join).collect())
    }
}

/// Asks for an echo; passes over what is pushed.
fn ask(client: &mut Client) {
    const HARMLESS: &str = "because nobody else's bytes harm it";
    client.send(ECHO, "still here").expect(HARMLESS);
    loop {
        let frame = client.receive().expect(HARMLESS);
        assert_ne!(frame.command, 0, "{frame:?}");
        if frame.command == ECHO {
            return assert_eq!(frame, Frame::new(ECHO, "still here"));
        }
    }
}

/// What the regulars saw.
pub(super) struct Seen(Vec<Asked>);

impl Seen {
    /// The times of the answers that were asked for between two moments.
    pub(super) fn between(&self, from: Instant, to: Instant) -> Spread {
        let asked = self.0.iter().filter(|(asked, _)| (from..to).contains(asked));
        Spread::of(asked.map(|(_, took)| *took))
    }
}
