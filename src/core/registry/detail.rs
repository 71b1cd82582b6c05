//! What one replica has of one identity, in so much detail that another one can see what it lacks.
//!
//! | part | compared by | what is missing is fetched |
//! |---|---|---|
//! | openings | digest | by digest |
//! | each log | length, head, place of the lowest fork | from the last place that both have, forwards; backwards from a cut |
//! | entries that count by themselves, receipts, paths | entry, and a digest over what confirms it | by entry, with its opening |
//! | entries of earlier holders of its names | the same | the same |
//!
//! [`Registry::asks_for`] is a function of two states, so it may be asked again after each page: it asks for what is still
//! missing, and for nothing once both have the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::keys::Did;
use crate::log::{Chain, End, EntryId, LogId};
use crate::outcome::{CHAIN_MAX, Counts};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::Registry;

/// The most openings in one detail.
pub const OPENINGS_MAX: usize = 1_024;
/// The most places of one log that a question names, at distances that double.
pub const KNOWN_PLACES_MAX: usize = 16;

/// What a replica has of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    pub did: Did,
    /// In ascending order.
    pub openings: Vec<Digest>,
    pub logs: Vec<LogState>,
    /// Entries that count by themselves or have receipts or paths, with a digest over these; in ascending order.
    pub beside: Vec<(EntryId, Digest)>,
}

/// What a replica has of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogState {
    pub log: LogId,
    pub length: u64,
    pub head: Option<EntryId>,
    pub fork: Option<u64>,
}

impl LogState {
    /// Whether it is a facts log that has its first entry.
    fn is_begun(&self) -> bool {
        self.log.are_facts() && self.length > 0
    }
}

/// What one replica asks another one for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Entry 0 of a facts log.
    Opening(Digest),
    /// The entries of a log after the last of these that the other one has as well; all if it has none.
    Log { log: LogId, known: Vec<(u64, EntryId)> },
    /// The proof of a log's lowest fork.
    Fork(LogId),
    /// An entry with its receipts and paths.
    Beside(EntryId),
    /// The receipts and paths of an entry that the asker has.
    Confirming(EntryId),
}

impl Ask {
    /// The entry that is asked for by itself.
    pub fn entry(&self) -> Option<EntryId> {
        match self {
            Self::Beside(entry) | Self::Confirming(entry) => Some(*entry),
            Self::Opening(_) | Self::Log { .. } | Self::Fork(_) => None,
        }
    }
}

impl Detail {
    /// Returns whether something of it is said to be confirmed.
    pub fn says_confirmed(&self) -> bool {
        let nothing = digest_over(&[]);
        self.beside.iter().any(|(_, digest)| *digest != nothing)
    }
}

impl Registry {
    /// What is here of an identity; `None` if nothing is.
    pub fn detail_of(&self, did: &Did) -> Option<Detail> {
        let own = self.authorities.get(did)?.into_iter().copied();
        // Who lacks the earlier holders of a name needs their openings, too.
        let earlier = self.earlier_tenures(did).into_iter().filter_map(|entry| self.facts.get(&entry));
        let openings: BTreeSet<Digest> = own.chain(earlier.map(|fact| fact.log.opening)).collect();
        let logs = self.logs_of(did).map(|(log, chain)| LogState {
            log: *log,
            length: chain.len(),
            head: chain.head(),
            // After the owner ended a log no fork matters any more.
            fork: chain.fork().filter(|_| chain.end() == End::Open),
        });
        let openings = openings.into_iter().take(OPENINGS_MAX).collect();
        Some(Detail { did: *did, openings, logs: logs.collect(), beside: self.beside(did).into_iter().collect() })
    }

    /// Entries that are passed on by themselves, each with a digest over what confirms it: those of the identity, and those
    /// of others that its names build on.
    pub(super) fn beside(&self, did: &Did) -> BTreeMap<EntryId, Digest> {
        let kept = self.facts.by_identity(did).filter(|fact| self.is_kept(fact));
        let beside = kept.filter_map(|fact| {
            let confirming = self.confirming(&fact.id);
            let is_beside = self.is_of_identity(fact) || !confirming.is_empty();
            is_beside.then(|| (fact.id, digest_over(&confirming)))
        });
        let built_on =
            self.earlier_tenures(did).into_iter().map(|entry| (entry, digest_over(&self.confirming(&entry))));
        beside.chain(built_on).collect()
    }

    /// The confirmed entries of others that an identity's confirmed claims come after: the finish before each, the give-up
    /// that it finishes, the claim that this gives up, and so on. As far as they are here.
    fn earlier_tenures(&self, did: &Did) -> BTreeSet<EntryId> {
        let mut entries = BTreeSet::new();
        if !self.has_witnesses() {
            return entries;
        }
        for claim in self.facts.by_identity(did).filter(|fact| fact.claim().is_some() && Counts::counts(self, fact)) {
            let mut next = claim.claim().and_then(|claim| claim.after);
            for _ in 0..CHAIN_MAX {
                let Some(fact) =
                    next.and_then(|entry| self.facts.get(&entry)).filter(|fact| Counts::counts(self, fact))
                else {
                    break;
                };
                if !entries.insert(fact.id) {
                    break;
                }
                next = fact
                    .finish()
                    .map(|finish| finish.announced)
                    .or_else(|| fact.give_up().map(|give_up| give_up.claim))
                    .or_else(|| fact.claim().and_then(|claim| claim.after));
            }
        }
        entries
    }

    /// The receipts and paths of an entry, as bytes in one order.
    fn confirming(&self, entry: &EntryId) -> Vec<u8> {
        let receipts = self.confirmations.present_receipts_of(&self.history, entry).map(Receipt::encode);
        let paths = self.confirmations.paths_of(entry).map(ProvenPath::encode);
        receipts.chain(paths).flatten().collect()
    }

    /// What this replica lacks of what another one has of an identity, in an order in which it can be admitted: openings come
    /// first, since nothing else is read without. The first entry of a facts log is its opening.
    pub fn asks_for(&self, theirs: &Detail) -> Vec<Ask> {
        let begun: BTreeSet<&Digest> =
            theirs.logs.iter().filter(|state| state.is_begun()).map(|state| &state.log.opening).collect();
        let missing = theirs.openings.iter().filter(|opening| !self.openings.contains_key(*opening));
        let openings = missing.filter(|opening| !begun.contains(opening)).map(|opening| Ask::Opening(*opening));
        let is_refused = self.refused.contains(&theirs.did);
        let logs = theirs.logs.iter().filter(|state| state.log.are_facts() || !is_refused);
        let logs = logs.flat_map(|state| self.asks_for_log(state));
        let mine = self.beside(&theirs.did);
        let beside = theirs.beside.iter().filter(|(entry, digest)| mine.get(entry) != Some(digest));
        let beside = beside.map(|(entry, _)| match self.facts.get(entry) {
            Some(_) => Ask::Confirming(*entry),
            None => Ask::Beside(*entry),
        });
        openings.chain(logs).chain(beside).collect()
    }

    fn asks_for_log(&self, theirs: &LogState) -> Vec<Ask> {
        let mine = self.chains.get(&theirs.log);
        let length = mine.map_or(0, Chain::len);
        // Where the owner ended the log, what this side has of it is what counts, as far as it has come.
        let is_ended = mine.is_some_and(|chain| chain.end() != End::Open);
        let wanted = mine.and_then(Chain::wanted);
        let mut asks = Vec::new();
        if theirs.fork.is_some_and(|fork| !is_ended && mine.and_then(Chain::fork).is_none_or(|known| fork < known)) {
            asks.push(Ask::Fork(theirs.log));
        }
        let stops = mine.and_then(Chain::fork).filter(|_| !is_ended);
        let has_more = theirs.length > length && stops.is_none_or(|fork| length < fork);
        // Of one length, or shorter, and another branch: the entry that differs is the proof of a fork.
        // What is not kept any more can't be compared.
        let differs = theirs.length > mine.map_or(0, Chain::base)
            && theirs.length <= length
            && mine.and_then(|chain| chain.entry(theirs.length - 1)) != theirs.head;
        asks.extend(wanted.map(Ask::Beside));
        let goes_on =
            if is_ended { has_more && !self.is_complete(&theirs.log) } else { has_more || differs && stops.is_none() };
        if goes_on {
            asks.push(Ask::Log { log: theirs.log, known: known_places(mine) });
        }
        asks
    }

    /// Whether a log that was ended is here up to its end.
    fn is_complete(&self, log: &LogId) -> bool {
        self.chains.get(log).is_some_and(|chain| match chain.end() {
            End::Open => false,
            End::BeforeFirst => true,
            End::After(cut) => chain.entry(cut.seq) == Some(cut.entry),
        })
    }
}

fn digest_over(confirming: &[u8]) -> Digest {
    Digest::of(&Encoder::new().bytes(confirming).finish())
}

/// Places of a log from its end backwards, at distances that double.
fn known_places(chain: Option<&Chain>) -> Vec<(u64, EntryId)> {
    let Some(chain) = chain.filter(|chain| !chain.is_empty()) else { return Vec::new() };
    let last = chain.len() - 1;
    let distances = std::iter::once(0).chain((0..KNOWN_PLACES_MAX - 1).map(|power| 1u64 << power));
    distances
        .map_while(|distance| last.checked_sub(distance))
        .filter_map(|seq| chain.entry(seq).map(|entry| (seq, entry)))
        .collect()
}
