//! Random walks: a world of processes that fail in every way the roster may hear of, in virtual time, from a
//! seed. After every event the invariants of the roster's file head are checked against the world; at the end
//! the faults stop, and everything must become ready, or stop.

mod happenings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::tests::{incarnation, name, spec};
use super::*;
use crate::name::Incarnation;
use crate::supervisor::exit::Exit;
use crate::supervisor::policy::OnCrashLoop;

const SEEDS: u64 = 200;
const STEPS: usize = 500;

/// One process of the world. `pid` is `None` while the spawn has not been reported.
#[derive(Debug, Clone, Default)]
struct Process {
    /// Spawned to take the place of another, and not told yet to do so.
    stands_by: bool,
    pid: Option<u32>,
    linked: bool,
    ready: bool,
    asked: bool,
    killed: bool,
}

struct World {
    random: Random,
    seed: u64,
    now: Instant,
    roster: Roster,
    processes: BTreeMap<NodeName, Vec<Process>>,
    /// Nodes whose restart has been asked for and is not over.
    restarting: BTreeSet<NodeName>,
    states: BTreeMap<NodeName, State>,
    /// The nodes as they are configured.
    specs: Vec<NodeSpec>,
    /// Nodes that an operator asked to stop or restart; the order of the whole tree's stop is not theirs.
    singled_out: BTreeSet<NodeName>,
    /// The last process of each node that ended.
    dead: BTreeMap<NodeName, u32>,
    next_pid: u32,
    closing: bool,
    all_stopped: u32,
    trace: Vec<Command>,
}

fn specs() -> Vec<NodeSpec> {
    let mut specs = vec![
        spec("net", &["gate"]),
        spec("gate", &["db", "cache"]),
        spec("cache", &[]),
        spec("db", &[]),
        spec("game1", &["gate"]),
        spec("game2", &["gate", "db"]),
    ];
    specs[3].start = false;
    specs[1].restart_children = true;
    specs[4].policy.on_crash_loop = OnCrashLoop::Failed;
    specs[5].drain_timeout = Duration::ZERO;
    specs[0].swap = false;
    specs[1].swap = false;
    specs
}

/// Some of the nodes, by the bits of a number, and perhaps one more: a tree again.
fn some_specs(choice: u64) -> Vec<NodeSpec> {
    let chosen = |spec: &NodeSpec| match spec.name.as_str() {
        "game1" => choice & 1 == 0,
        "game2" => choice & 2 == 0,
        "cache" => choice & 4 == 0,
        "net" => choice & 8 == 0,
        _ => true,
    };
    let mut some: Vec<NodeSpec> = specs().into_iter().filter(chosen).collect();
    if choice & 16 != 0 {
        some.push(spec("chat", if choice & 32 == 0 { &["gate"] } else { &["net"] }));
    }
    let names: Vec<NodeName> = some.iter().map(|spec| spec.name.clone()).collect();
    for spec in &mut some {
        spec.parents.retain(|parent| names.contains(parent));
        if choice & 64 != 0 {
            spec.hang_kill = Some(Duration::from_secs(3));
            spec.drain_timeout = Duration::from_secs(1);
        }
    }
    some
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        let roster = Roster::new(now, specs(), seed).expect("a tree");
        let states = specs()
            .into_iter()
            .map(|spec| (spec.name, State::Stopped))
            .collect();
        Self {
            random: Random::new(seed),
            seed,
            now,
            roster,
            processes: BTreeMap::new(),
            restarting: BTreeSet::new(),
            states,
            specs: specs(),
            singled_out: BTreeSet::new(),
            dead: BTreeMap::new(),
            next_pid: 1,
            closing: false,
            all_stopped: 0,
            trace: Vec::new(),
        }
    }

    /// Other nodes from now on. Whose life a former operator's wish concerns is no part of the tree's order.
    fn configure(&mut self, specs: Vec<NodeSpec>) {
        let gone = self
            .states
            .keys()
            .filter(|who| specs.iter().all(|spec| spec.name != **who));
        self.singled_out.extend(gone.cloned());
        for spec in &specs {
            self.states.entry(spec.name.clone()).or_insert(State::Stopped);
        }
        self.specs.clone_from(&specs);
        self.tell(Event::Configure(specs));
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.next() % limit
    }

    fn starts(&self, who: &NodeName) -> bool {
        who.as_str() != "db"
    }

    fn tell(&mut self, event: Event) {
        let said = format!("seed {}: {event:?}", self.seed);
        for command in self.roster.on_event(self.now, event) {
            self.obey(&command, &said);
            self.trace.push(command);
        }
        assert!(
            self.roster.next_deadline().is_none_or(|at| at > self.now),
            "a past deadline, {said}"
        );
        let nodes = self.roster.snapshot(self.now);
        assert_eq!(nodes.len(), self.states.len(), "{said}");
        for node in nodes {
            assert_eq!(
                self.states[&node.name], node.state,
                "an unannounced state of {}, {said}",
                node.name
            );
            assert!(node.last_exits.len() <= 20);
            if self.starts(&node.name) {
                let beside = node.beside.as_ref().and_then(|second| second.pid);
                let mut known: Vec<u32> = node.pid.into_iter().chain(beside).collect();
                let mut living: Vec<u32> = self.of(&node.name).filter_map(|process| process.pid).collect();
                known.sort_unstable();
                living.sort_unstable();
                assert_eq!(known, living, "the wrong processes of {}, {said}", node.name);
            }
        }
    }

    fn spec_of(&self, who: &NodeName) -> NodeSpec {
        let spec = self.specs.iter().find(|spec| spec.name == *who);
        spec.expect("a configured node").clone()
    }

    fn of(&self, who: &NodeName) -> impl Iterator<Item = &Process> {
        self.processes.get(who).into_iter().flatten()
    }

    fn all(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().flatten()
    }

    fn obey(&mut self, command: &Command, said: &str) {
        match command {
            Command::Spawn(who) => self.spawns(who, said),
            Command::SpawnSuccessor { name, of } => self.spawns_successor(name, *of, said),
            Command::TakeOver {
                name,
                incarnation: told,
            } => {
                let all = self.processes.get_mut(name).expect("processes");
                let is_told =
                    |process: &&mut Process| process.pid.is_some_and(|pid| incarnation(pid) == *told);
                let process = all.iter_mut().find(is_told).expect("a living process");
                assert!(process.linked && process.ready && !process.asked, "{said}");
                process.stands_by = false;
            }
            Command::RestartEnded { name, .. } => {
                assert!(
                    self.restarting.remove(name),
                    "no restart of {name} to end, {said}"
                );
            }
            Command::Terminate { name, pid } => {
                assert_eq!(pid.is_some(), self.starts(name), "{said}");
                let orderly = self.closing && !self.singled_out.contains(name);
                assert!(
                    !orderly || self.children_are_gone(name),
                    "{name} stops before a child, {said}"
                );
                self.signalled(name, *pid, said).asked = true;
            }
            Command::Abort { name, pid } => self.signalled(name, Some(*pid), said).asked = true,
            Command::Kill { name, pid } => {
                let process = self.signalled(name, Some(*pid), said);
                assert!(
                    !std::mem::replace(&mut process.killed, true),
                    "killed twice, {said}"
                );
            }
            Command::Announce(change) => {
                let before = self.states.insert(change.name.clone(), change.to);
                assert_eq!(before, Some(change.from), "{said}");
            }
            Command::Forget(who) => {
                assert!(self.specs.iter().all(|spec| spec.name != *who), "{said}");
                assert!(
                    !self.processes.contains_key(who) || !self.starts(who),
                    "{who} lives, {said}"
                );
                assert_eq!(self.states.remove(who), Some(State::Stopped), "{said}");
                // News of its link have long come when a node of its name is configured again.
                self.dead.remove(who);
            }
            Command::AllReady { .. } => assert!(!self.closing, "{said}"),
            Command::AllStopped => {
                let own = self.processes.keys().filter(|who| self.starts(who));
                assert!(self.closing && own.count() == 0, "{said}");
                self.all_stopped += 1;
            }
        }
    }

    fn spawns(&mut self, who: &NodeName, said: &str) {
        assert!(
            !self.closing && self.starts(who),
            "a forbidden spawn of {who}, {said}"
        );
        let is_going = |process: &Process| process.pid.is_some() && (process.asked || process.killed);
        assert!(self.of(who).all(is_going), "two lives of {who}, {said}");
        self.is_born(who, Process::default(), said);
        self.singled_out.remove(who);
        let parents = self.spec_of(who).parents;
        assert!(
            parents.iter().all(|parent| self.states[parent].is_up()),
            "{who} is early, {said}"
        );
    }

    fn spawns_successor(&mut self, who: &NodeName, of: Incarnation, said: &str) {
        assert!(
            self.restarting.contains(who) && !self.closing,
            "nobody asked for it, {said}"
        );
        let spec = self.spec_of(who);
        assert!(spec.swap && spec.start, "{who} cannot be swapped, {said}");
        let present = |old: &Process| old.linked && !old.asked && old.pid.map(incarnation) == Some(of);
        let old: Vec<_> = self.of(who).cloned().collect();
        assert!(
            old.len() == 1 && old.iter().all(present),
            "a successor of {old:?}, {said}"
        );
        let successor = Process {
            stands_by: true,
            ..Process::default()
        };
        self.is_born(who, successor, said);
    }

    /// The process that a signal or request is for; anybody else's must not be meant.
    fn signalled(&mut self, who: &NodeName, pid: Option<u32>, said: &str) -> &mut Process {
        let elsewhere = !self.starts(who);
        let all = self
            .processes
            .get_mut(who)
            .expect("a signal for a living process");
        let meant = all.iter_mut().find(|process| elsewhere || process.pid == pid);
        meant.unwrap_or_else(|| panic!("a stranger's process {pid:?}, {said}"))
    }

    fn is_born(&mut self, who: &NodeName, process: Process, said: &str) {
        let all = self.processes.entry(who.clone()).or_default();
        all.push(process);
        assert!(all.len() <= 2, "three processes of {who}, {said}");
    }

    fn children_are_gone(&self, parent: &NodeName) -> bool {
        let mut children = self.specs.iter().filter(|spec| spec.parents.contains(parent));
        children.all(|spec| !self.processes.contains_key(&spec.name))
    }

    /// Without faults every process soon does what it should.
    fn calm(&mut self, until: impl Fn(&Self) -> bool) {
        for _ in 0..400 {
            if until(self) {
                return;
            }
            for who in self.states.keys().cloned().collect::<Vec<_>>() {
                self.process_does(&who, false);
            }
            self.now += Duration::from_millis(50);
            // Nobody is on the way: nothing happens before the next deadline.
            if self.all().all(|process| process.ready) {
                self.now = self.roster.next_deadline().unwrap_or(self.now).max(self.now);
            }
            self.tell(Event::Tick);
        }
        panic!(
            "seed {}: no end, {:#?}",
            self.seed,
            self.roster.snapshot(self.now)
        );
    }

    fn walk(seed: u64) -> Vec<Command> {
        let mut world = Self::new(seed);
        world.tell(Event::StartAll);
        (0..STEPS).for_each(|_| world.step());
        if seed.is_multiple_of(2) {
            world.configure(specs());
            world
                .states
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|who| {
                    world.tell(Event::Start(who));
                });
            world.calm(|world| world.states.values().all(|state| *state == State::Ready));
            world.calm(|world| world.restarting.is_empty());
            let alone = |world: &Self| world.processes.values().all(|all| all.len() == 1);
            world
                .calm(|world| alone(world) && world.all().all(|process| process.ready && !process.stands_by));
        }
        world.closing = true;
        world.tell(if seed.is_multiple_of(3) {
            Event::KillAll
        } else {
            Event::StopAll
        });
        (0..20).for_each(|_| world.step());
        world.calm(|world| world.all_stopped > 0);
        world.calm(|world| world.processes.keys().all(|who| !world.starts(who)));
        (0..20).for_each(|_| world.step());
        assert_eq!(world.all_stopped, 1, "seed {seed}");
        assert!(
            world.restarting.iter().all(|who| !world.starts(who)),
            "seed {seed}: a restart has no end"
        );
        world.trace
    }
}

#[test]
fn whatever_happens_the_invariants_hold_and_everything_recovers() {
    let mut visits: HashMap<State, u64> = HashMap::new();
    let (mut swaps, mut taken_over, mut failed) = (0, 0, 0);
    for command in (0..SEEDS).flat_map(World::walk) {
        match command {
            Command::Announce(change) => *visits.entry(change.to).or_default() += 1,
            Command::SpawnSuccessor { .. } => swaps += 1,
            Command::TakeOver { .. } => taken_over += 1,
            Command::RestartEnded { error: Some(_), .. } => failed += 1,
            _ => {}
        }
    }
    let least = SEEDS / 2;
    assert!(
        swaps >= least && taken_over >= least && failed >= least,
        "{swaps} swaps, {taken_over} taken over, {failed} failed"
    );
    assert_eq!(visits.len(), 9, "every state is seen: {visits:?}");
    assert!(
        visits.values().all(|&count| count >= SEEDS / 2),
        "a lame walk: {visits:?}"
    );
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    let stories: Vec<_> = [5, 5].into_iter().map(World::walk).collect();
    assert_eq!(stories[0], stories[1]);
    assert_ne!(stories[0], World::walk(6));
    assert!(stories[0].contains(&Command::Spawn(name("cache"))));
}
