//! What two replicas compare: one digest for each identity, over the length and head of each of its logs and over what is
//! held beside them. Equal digests mean equal registries.
//!
//! Digests are computed when they are asked for, and again only once something of their identity has changed. All
//! comparisons that are under way share them, so a round costs no walk through the registry.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::keys::Did;
use crate::log::End;
use crate::registry::Registry;
use crate::ring::place_of;
use crate::standing::Statements;

const DOMAIN: &str = "gen-registry/summary/v2";
/// How many digests of before are still known as their identity's: a peer may ask for one that it was given in the round
/// that is under way.
const REPLACED_MAX: usize = 8_192;

/// The state of one identity at one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// The place on the ring of identities, in whose order states are compared.
    pub place: u64,
    /// Names the state: the same for replicas that have the same of the identity.
    pub digest: Digest,
}

/// The states of all identities of which one replica has anything.
#[derive(Debug, Default)]
pub struct States {
    /// In their order.
    sorted: Vec<State>,
    digests: HashMap<Did, Digest>,
    identities: HashMap<Digest, Did>,
    /// Digests of before that are still in `identities`, oldest first.
    replaced: VecDeque<Digest>,
    /// Identities of which something changed since their digest was computed.
    changed: BTreeSet<Did>,
}

impl States {
    /// All states, in their order.
    pub fn sorted(&self) -> &[State] {
        &self.sorted
    }

    /// Whose state a digest names, or named until lately.
    pub fn identity_of(&self, digest: &Digest) -> Option<Did> {
        self.identities.get(digest).copied()
    }

    /// Notes that something of an identity changed.
    pub(super) fn touch(&mut self, did: Did) {
        self.changed.insert(did);
    }

    /// Takes the digests of the identities that changed; `None` of those of which nothing is here any more.
    fn replace(&mut self, computed: Vec<(Did, Option<Digest>)>) {
        let mut gone = HashSet::new();
        for (did, digest) in computed {
            let before = match digest {
                Some(digest) => self.digests.insert(did, digest),
                None => self.digests.remove(&did),
            };
            if before == digest {
                continue;
            }
            if let Some(before) = before {
                gone.insert(before);
                self.replaced.push_back(before);
            }
            if let Some(digest) = digest {
                self.identities.insert(digest, did);
                self.sorted.push(State { place: place_of(&did), digest });
            }
        }
        if !gone.is_empty() {
            self.sorted.retain(|state| !gone.contains(&state.digest));
        }
        // Most are in order already, which a stable sort makes use of.
        self.sorted.sort();
        while self.replaced.len() > REPLACED_MAX {
            let oldest = self.replaced.pop_front();
            self.forget(oldest);
        }
    }

    /// Forgets a digest of before, unless it is one of now again.
    fn forget(&mut self, digest: Option<Digest>) {
        let Some(digest) = digest else { return };
        let is_present = self.identities.get(&digest).is_some_and(|did| self.digests.get(did) == Some(&digest));
        if !is_present {
            self.identities.remove(&digest);
        }
    }
}

impl Registry {
    /// The states of all identities, as they are now.
    pub fn states(&self) -> Ref<'_, States> {
        let changed = std::mem::take(&mut self.states.borrow_mut().changed);
        if !changed.is_empty() {
            let computed = changed.into_iter().map(|did| {
                let is_here = self.authorities.contains_key(&did);
                (did, is_here.then(|| self.compute_digest(&did)))
            });
            let computed = computed.collect();
            self.states.borrow_mut().replace(computed);
        }
        self.states.borrow()
    }

    /// Computes the digests of identities that changed, so that the next comparison does not compute those of thousands in
    /// one piece.
    pub fn settle_states(&self) {
        drop(self.states());
    }

    /// Returns of how many identities the next comparison computes the digest.
    pub fn unsettled_states(&self) -> usize {
        self.states.borrow().changed.len()
    }

    /// The digest over everything that is kept of an identity.
    pub fn digest_of(&self, did: &Did) -> Digest {
        let known = {
            let states = self.states.borrow();
            states.digests.get(did).copied().filter(|_| !states.changed.contains(did))
        };
        known.unwrap_or_else(|| self.compute_digest(did))
    }

    /// Notes that something of an identity changed.
    pub(super) fn touch(&mut self, did: Did) {
        self.states.get_mut().touch(did);
    }

    /// Notes that something of every identity may have changed.
    pub(super) fn touch_all(&mut self) {
        let all: Vec<Did> = self.authorities.keys().copied().collect();
        self.states.get_mut().changed.extend(all);
    }

    fn compute_digest(&self, did: &Did) -> Digest {
        let mut encoder = Encoder::new().text(DOMAIN).fixed(did.as_bytes());
        for opening in self.authorities.get(did).into_iter().flatten() {
            encoder = encoder.byte(1).fixed(opening.as_bytes());
        }
        for (statement, key) in self.statements.get(did).into_iter().flat_map(Statements::signed) {
            encoder = encoder.byte(2).fixed(statement.as_bytes()).fixed(key.as_bytes());
        }
        for (log, chain) in self.logs_of(did) {
            encoder = encoder.byte(3).fixed(log.opening.as_bytes()).integer(log.number.into()).integer(chain.len());
            encoder = encoder.fixed(&chain.head().map_or([0; 32], |head| *head.as_bytes()));
            // Where the owner ended the log, no fork matters any more.
            if let Some(fork) = chain.fork().filter(|_| chain.end() == End::Open) {
                encoder = encoder.byte(4).integer(fork);
            }
        }
        for (entry, digest) in self.beside(did) {
            encoder = encoder.byte(5).fixed(entry.as_bytes()).fixed(digest.as_bytes());
        }
        Digest::of(&encoder.finish())
    }

    /// The states of all identities, to be compared with another registry's.
    #[cfg(any(test, feature = "actors"))]
    pub fn summaries(&self) -> Vec<State> {
        self.states().sorted().to_vec()
    }

    /// Every state, computed anew.
    #[cfg(any(test, feature = "actors"))]
    pub fn computed_states(&self) -> Vec<State> {
        let state = |did: &Did| State { place: place_of(did), digest: self.compute_digest(did) };
        let mut states: Vec<State> = self.authorities.keys().map(state).collect();
        states.sort();
        states
    }
}

/// The cell in which a registry has its states.
pub(super) type StatesCell = RefCell<States>;
