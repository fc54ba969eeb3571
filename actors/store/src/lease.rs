//! Who may write an entity: a row of `lampyris_leases` for each, with its owner and a fencing number. Pure.
//!
//! - Nobody has a lease by time. It is free when its owner is empty, and the owner empties it: when the entity is
//!   evicted, when the node stops, and at the node's start after its journal has been replayed. So it never passes
//!   on while acknowledged changes are in a journal alone.
//! - The owner is `NODE#JOURNAL`, with the number that the journal's folder drew when it was made. A node that has
//!   lost its journal is another owner, and has to be forced like any.
//! - The fencing number grows whenever the lease passes on. Whoever writes does so under the number that it has acquired, in
//!   a transaction that holds the row; a former owner that wakes up is refused.

use std::sync::Arc;

/// The table of the leases.
pub(crate) const TABLE: &str = "lampyris_leases";

/// The owner of a free lease.
pub(crate) const NOBODY: &str = "";

/// A lease as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) owner: String,
    pub(crate) fence: i64,
}

/// What becomes of one that asks for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has the lease under this fencing number, once the row says so.
    Granted {
        /// The number.
        fence: i64,
        /// Whether the row has to be changed: the lease was free.
        fresh: bool,
    },
    /// Another one has it.
    Refused {
        /// That one.
        owner: Arc<str>,
    },
}

/// Whether `me` can have a lease.
pub(crate) fn decide(lease: &Lease, me: &str) -> Verdict {
    if lease.owner == me {
        // What this owner has in its journal stays valid.
        Verdict::Granted {
            fence: lease.fence,
            fresh: false,
        }
    } else if lease.owner == NOBODY {
        Verdict::Granted {
            fence: lease.fence + 1,
            fresh: true,
        }
    } else {
        Verdict::Refused {
            owner: lease.owner.as_str().into(),
        }
    }
}

/// Whether `me` may write under `fence`.
pub(crate) fn may_write(lease: Option<&Lease>, me: &str, fence: i64) -> bool {
    lease.is_some_and(|lease| lease.owner == me && lease.fence == fence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes that come, write, stop in order, die and are forced, over one lease.
    #[test]
    fn two_nodes_never_both_write_and_a_journal_is_replayed_before_the_lease_passes_on() {
        let nodes = ["game1#1", "game1#2", "game2#3"];
        for seed in 1..500_u64 {
            let mut dice = seed;
            let mut roll = |bound: u64| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                (dice % bound) as usize
            };
            let mut row = Lease {
                owner: NOBODY.to_owned(),
                fence: 0,
            };
            // What each believes to hold, and whether its journal has a change that the database lacks.
            let mut held: [Option<i64>; 3] = [None; 3];
            let mut unwritten = [false; 3];
            let mut fences = Vec::new();
            for _ in 0..200 {
                let who = roll(3);
                match roll(6) {
                    0 | 1 => {
                        if let Verdict::Granted { fence, fresh } = decide(&row, nodes[who]) {
                            let others = |other: &usize| *other != who && unwritten[*other];
                            let allowed = |fence| may_write(Some(&row), nodes[who], fence);
                            assert!(!(0..3).any(|other| others(&other) && held[other].is_some_and(allowed)));
                            row = Lease {
                                owner: nodes[who].to_owned(),
                                fence,
                            };
                            held[who] = Some(fence);
                            fences.extend(fresh.then_some(fence));
                        }
                    }
                    2 => unwritten[who] |= held[who].is_some(),
                    3 => {
                        // The flush, or the replay after a death.
                        let may = held[who].is_some_and(|fence| may_write(Some(&row), nodes[who], fence));
                        let writers = (0..3).filter(|node| {
                            held[*node].is_some_and(|fence| may_write(Some(&row), nodes[*node], fence))
                        });
                        assert!(writers.count() <= 1, "two writers, seed {seed}");
                        unwritten[who] &= !may;
                    }
                    4 if !unwritten[who] && row.owner == nodes[who] => {
                        NOBODY.clone_into(&mut row.owner);
                        held[who] = None;
                    }
                    5 if roll(10) == 0 => {
                        // An operator's force: the number grows with it, so that the old owner is out.
                        row = Lease {
                            owner: NOBODY.to_owned(),
                            fence: row.fence + 1,
                        };
                    }
                    _ => {}
                }
            }
            assert!(
                fences.windows(2).all(|pair| pair[0] < pair[1]),
                "a number twice, seed {seed}"
            );
        }
    }

    #[test]
    fn a_lease_of_another_is_refused_by_name() {
        let lease = Lease {
            owner: "game2#9".to_owned(),
            fence: 4,
        };
        assert_eq!(
            decide(&lease, "game1#1"),
            Verdict::Refused {
                owner: "game2#9".into()
            }
        );
        assert_eq!(
            decide(&lease, "game2#9"),
            Verdict::Granted {
                fence: 4,
                fresh: false
            }
        );
        assert!(!may_write(Some(&lease), "game2#9", 5) && !may_write(None, "game2#9", 4));
        assert!(may_write(Some(&lease), "game2#9", 4));
    }
}
