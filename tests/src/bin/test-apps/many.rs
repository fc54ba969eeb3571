//! Net nodes with ever more commands: `test.many3` has three, `test.many3072` a thousand times as many.
//!
//! All commands of a node are alike but for their numbers, from 10,000: what is measured with them is what the runtime does to
//! find a handler and to keep its numbers, not what thousands of handlers would do. So the table is made from one entry.

use lampyris::App;
use lampyris::prelude::*;
use lampyris::service::{Address, Entry, Wake, drain};

/// The number of the first command.
const FIRST: u32 = 10_000;

/// Answers with the payload.
#[derive(Command)]
#[command(10_000, reply = String)]
struct Echo {
    text: String,
}

/// A service with `N` commands.
struct Many<const N: usize>;

impl<const N: usize> Actor for Many<N> {
    type Context = Context<Self>;
}

impl<const N: usize> Service for Many<N> {
    const NAME: &'static str = "many";
    const TABLE: &'static [Entry<Self>] = &Self::table();
}

impl<const N: usize> Many<N> {
    const fn table() -> [Entry<Self>; N] {
        let mut table = [Entry::command::<Echo>(); N];
        let mut at = 0;
        while at < N {
            table[at].address = Address::Command {
                number: FIRST + at as u32,
                serial: false,
            };
            at += 1;
        }
        table
    }
}

impl<const N: usize> Handler<Wake> for Many<N> {
    type Result = ();

    fn handle(&mut self, wake: Wake, ctx: &mut Context<Self>) {
        drain(self, &wake, ctx);
    }
}

impl<const N: usize> Handler<Echo> for Many<N> {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Echo { text }: Echo, _: &mut Context<Self>) -> Self::Result {
        Ok(text)
    }
}

macro_rules! apps {
    ($($count:literal)*) => {
        [$(App::new(concat!("test.many", $count)).service(|_node| Many::<$count>)),*]
    };
}

pub(crate) fn apps() -> [App; 11] {
    apps!(3 6 12 24 48 96 192 384 768 1536 3072)
}
