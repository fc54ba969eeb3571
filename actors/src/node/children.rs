//! Several children that run one application: ask any of them, the one that owns a key, or all.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lampyris_runtime::link::Peer;

use super::Node;
use crate::message::Remote;
use crate::remote::{Call, RemoteAddr};
use crate::service::Serves;

/// The addresses of one service on several children: on those of the present configuration, so that a reload which
/// adds or takes away one shows at the next question. Cheap to clone; clones share the round robin.
pub struct Children<S> {
    node: Node,
    app: Arc<str>,
    turn: Arc<AtomicUsize>,
    service: PhantomData<fn() -> S>,
}

impl<S> Clone for Children<S> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            app: Arc::clone(&self.app),
            turn: Arc::clone(&self.turn),
            service: PhantomData,
        }
    }
}

impl<S> Children<S> {
    pub(super) fn new(node: Node, app: &str) -> Self {
        Self {
            node,
            app: app.into(),
            turn: Arc::default(),
            service: PhantomData,
        }
    }

    /// All of them, whether up or not.
    pub fn all(&self) -> Vec<RemoteAddr<S>> {
        let present = self.node.present();
        let all = present.running(&self.app).iter();
        all.map(|child| self.node.remote(child.clone())).collect()
    }

    /// The next one in turn, of those that are up; if none is, the next of all. `None` if there are none.
    pub fn any(&self) -> Option<RemoteAddr<S>> {
        let present = self.node.present();
        let all = present.running(&self.app);
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..all.len()).map(|step| &all[first.wrapping_add(step) % all.len()]);
        let next = in_turn().find(|child| child.is_up()).or_else(|| in_turn().next());
        next.map(|child| self.node.remote(child.clone()))
    }

    /// The one that owns a key: the same for the same key on every node, and when a child is added or taken
    /// away only its own keys move (rendezvous hashing). It does not matter who is up. `None` if there are none.
    pub fn by_key(&self, key: impl Hash) -> Option<RemoteAddr<S>> {
        let key = stable_hash(&key);
        let rank = |child: &&Peer| mix(key ^ stable_hash(child.name().as_str()));
        let present = self.node.present();
        let owner = present.running(&self.app).iter().max_by_key(rank);
        owner.map(|child| self.node.remote(child.clone()))
    }

    /// Asks all of them. The calls are on their way when this returns.
    pub fn call_all<M: Remote + Clone>(&self, message: &M) -> Vec<(RemoteAddr<S>, Call<M>)>
    where
        S: Serves<M>,
    {
        let ask = |child: RemoteAddr<S>| {
            let call = child.call(message.clone());
            (child, call)
        };
        self.all().into_iter().map(ask).collect()
    }
}

/// FNV-1a, as it must be the same in every process and version; the standard hasher promises neither.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn stable_hash(key: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    hasher.0
}

/// Spreads a hash over all its bits (the finalizer of splitmix64), as FNV leaves the high ones alike.
const fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: u64, names: &[String]) -> &String {
        let key = stable_hash(&key);
        names
            .iter()
            .max_by_key(|name| mix(key ^ stable_hash(name.as_str())))
            .unwrap()
    }

    #[test]
    fn keys_spread_evenly_and_only_those_of_a_lost_node_move() {
        let names: Vec<String> = (1..=8).map(|n| format!("game{n}")).collect();
        let mut counts = std::collections::HashMap::new();
        for key in 0..8_000 {
            *counts.entry(owner(key, &names)).or_insert(0) += 1;
        }
        assert!(
            counts.len() == 8 && counts.values().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
        for key in 0..8_000 {
            let before = owner(key, &names);
            if *before != names[7] {
                assert_eq!(owner(key, &names[..7]), before);
            }
        }
    }
}
