//! Taking over what an earlier master has left running.

use actix::{AsyncContext, Context, Handler};
use lampyris_runtime::config::diff;
use lampyris_runtime::supervisor::process::Sign;
use lampyris_runtime::supervisor::roster::Event;

use super::messages::Adopt;
use super::{Master, reload, state};

impl Handler<Adopt> for Master {
    type Result = ();

    fn handle(&mut self, _: Adopt, ctx: &mut Context<Self>) {
        let mut found = Vec::new();
        for known in self.saved.read() {
            match self.processes.adopt(&known, ctx.address()) {
                Ok(Some(output)) => {
                    let (name, pid) = (&known.name, known.pid);
                    self.terminal.say(&format!("found {name} running (pid {pid})"));
                    self.follow(name, output);
                    found.push(known);
                }
                Ok(None) => self
                    .terminal
                    .say(&format!("pid {} is not {} any more", known.pid, known.name)),
                Err(error) => {
                    tracing::warn!(node = %known.name, pid = known.pid, %error, "cannot be taken over")
                }
            }
        }
        for (known, leaving) in state::sort_out(found) {
            let state::Known {
                name, pid, restarts, ..
            } = known;
            if self.config.node(name.as_str()).is_none() {
                // No node any more, but it holds ports, and must not outlive this master.
                self.terminal
                    .say(&format!("{name} is configured no more: it is stopped"));
                self.processes.sign(&name, pid, Sign::Terminate);
            }
            self.on_event(
                Event::Adopted {
                    name,
                    pid,
                    restarts,
                    leaving,
                },
                ctx,
            );
        }
        // The nodes apply what can be when they are linked; the rest waits for them to start anew.
        if let Some(former) = self.former.take() {
            let left = reload::sorted(diff(&former, &self.config), &former, &self.config);
            self.tell_waiting(&left.restart);
        }
    }
}
