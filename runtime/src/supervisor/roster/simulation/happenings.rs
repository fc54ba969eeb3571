//! What happens in the simulated world: to a node's process, by an operator, or to the time.

use super::*;

impl World {
    /// One random thing happens: to a node, to an operator, or to the time.
    pub(super) fn step(&mut self) {
        let all: Vec<NodeName> = self.states.keys().cloned().collect();
        let place = usize::try_from(self.below(all.len() as u64)).expect("a small number");
        let who = all[place].clone();
        match self.below(22) {
            0 => self.tell(Event::Start(who)),
            1 if self.below(4) == 0 => {
                self.singled_out.insert(who.clone());
                self.tell(Event::Stop(who));
            }
            2 => {
                self.singled_out.insert(who.clone());
                self.restart(who);
            }
            3 | 4 => self.pass(),
            5 => self.stale_news(who),
            // Else few swaps would come to a good end.
            6..=9 => {
                let two = self.processes.iter().find(|(_, all)| all.len() == 2);
                let swapped = two.map_or(who, |(name, _)| name.clone());
                self.process_does(&swapped, false);
            }
            10 if !self.closing && self.below(4) == 0 => {
                let choice = self.below(128);
                self.configure(some_specs(choice));
            }
            _ => self.process_does(&who, true),
        }
    }

    /// An operator asks for a restart. After the end of everything has been asked for nobody does it.
    fn restart(&mut self, who: NodeName) {
        if !self.closing {
            self.restarting.insert(who.clone());
        }
        self.tell(Event::Restart(who));
    }

    /// Time passes: a little, or up to the next deadline.
    fn pass(&mut self) {
        let little = self.now + Duration::from_millis(self.below(2000));
        self.now = self
            .roster
            .next_deadline()
            .filter(|_| self.below(2) == 0)
            .unwrap_or(little);
        self.tell(Event::Tick);
    }

    /// News of a process that has ended, or never was, come late.
    fn stale_news(&mut self, name: NodeName) {
        let pid = self.dead.get(&name).copied().unwrap_or(1_000_000);
        let incarnation = incarnation(pid);
        match self.below(4) {
            0 => self.tell(Event::Exited {
                name,
                pid,
                exit: Exit::with_code(78),
            }),
            1 => self.tell(Event::Ready { name, incarnation }),
            2 => self.tell(Event::LinkLost { name, incarnation }),
            _ if self.dead.contains_key(&name) => self.tell(Event::Joined {
                name,
                incarnation,
                pid,
            }),
            _ => {}
        }
    }

    /// The next thing in the life of one of a node's processes, or a fault.
    pub(super) fn process_does(&mut self, who: &NodeName, faults: bool) {
        let count = self.of(who).count() as u64;
        if count == 0 {
            return self.appears_elsewhere(who, faults);
        }
        let at = usize::try_from(self.below(count)).expect("a small number");
        let process = self.processes[who][at].clone();
        let name = who.clone();
        let fault = faults && self.below(8) == 0;
        let Some(pid) = process.pid else {
            return self.spawn_ends(name, fault);
        };
        let ends = process.killed || ((fault || process.asked) && self.below(2) == 0);
        if ends && self.starts(who) {
            self.dies(who, Some(pid));
            self.dead.insert(name.clone(), pid);
            let code = if faults { self.below(8) } else { 0 };
            let exit = match process.killed {
                true => Exit::by_signal(9),
                false => Exit::with_code(i32::try_from(code).expect("a small number")),
            };
            self.tell(Event::Exited { name, pid, exit });
        } else if ends || fault {
            self.loses_link(name, pid);
        } else {
            self.comes_up(name, pid);
        }
    }

    fn dies(&mut self, who: &NodeName, pid: Option<u32>) {
        let all = self.processes.get_mut(who).expect("a living process");
        all.retain(|process| process.pid != pid);
        if all.is_empty() {
            self.processes.remove(who);
        }
    }

    fn process(&mut self, who: &NodeName, pid: Option<u32>) -> &mut Process {
        let all = self.processes.get_mut(who).expect("a living process");
        let found = all.iter_mut().find(|process| process.pid == pid);
        found.expect("a process that does something")
    }

    fn comes_up(&mut self, name: NodeName, pid: u32) {
        let incarnation = incarnation(pid);
        let process = self.process(&name, Some(pid));
        let was_linked = std::mem::replace(&mut process.linked, true);
        let was_ready = std::mem::replace(&mut process.ready, was_linked);
        match (was_linked, was_ready) {
            (false, _) => self.tell(Event::Joined {
                name,
                incarnation,
                pid,
            }),
            (true, false) => self.tell(Event::Ready { name, incarnation }),
            (true, true) => {}
        }
    }

    /// A process that was started elsewhere is out of sight with its link.
    fn loses_link(&mut self, name: NodeName, pid: u32) {
        let process = self.process(&name, Some(pid));
        // It says that it is ready on its next link.
        process.ready = false;
        if std::mem::replace(&mut process.linked, false) {
            if !self.starts(&name) {
                self.processes.remove(&name);
            }
            let incarnation = incarnation(pid);
            self.tell(Event::LinkLost { name, incarnation });
        }
    }

    fn spawn_ends(&mut self, name: NodeName, fault: bool) {
        if fault {
            self.dies(&name, None);
            let retry = self.below(4) > 0;
            return self.tell(Event::SpawnFailed {
                name,
                error: "no more processes".to_owned(),
                retry,
            });
        }
        let pid = self.draw_pid();
        self.process(&name, None).pid = Some(pid);
        self.tell(Event::Spawned { name, pid });
    }

    fn appears_elsewhere(&mut self, who: &NodeName, faults: bool) {
        if self.starts(who) || (self.closing && !faults) {
            return;
        }
        let pid = self.draw_pid();
        let process = Process {
            pid: Some(pid),
            linked: true,
            ..Process::default()
        };
        self.processes.insert(who.clone(), vec![process]);
        self.tell(Event::Joined {
            name: who.clone(),
            incarnation: incarnation(pid),
            pid,
        });
    }

    fn draw_pid(&mut self) -> u32 {
        self.next_pid += 1;
        self.next_pid
    }
}
