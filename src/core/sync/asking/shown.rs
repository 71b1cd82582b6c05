//! What a witness takes of the pieces that strangers show it: only what other witnesses of its set signed, and what
//! identities that it knows say of their devices.
//!
//! # What a request costs
//! Nothing is kept for an asker. A piece is verified only if it is new and, by what it names, would be taken: entries with
//! receipts by so many witnesses of the set that they are confirmed, or with a path; statements about keys of an identity that
//! is known and has room for more. The first one that comes to nothing ends the reading. So 256 KiB of pieces cost hashing
//! them, one entry that was verified in vain (at most 64 links of its opening), and facts that are really new, each of them
//! once; a stranger can't make more of these than the witnesses sign.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::keys::{Did, PublicKey};
use crate::log::{Chain, Entry, EntryHeader, EntryId, ForkProof, Kind, LogId, Opening, SignedHeader};
use crate::outcome::{Counts, Fact};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::Registry;
use crate::slot::Slot;
use crate::sync::asking::wire::{Learn, NotServed};
use crate::sync::exchange::wire::Piece;

/// The most statements about keys of one identity that a witness keeps besides openings.
pub const KEY_STATEMENTS_MAX: usize = 256;
/// The most statements about keys that are read of one request.
pub const KEY_STATEMENTS_READ_MAX: usize = 16;

/// A verified fact that is new to a registry, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub opening: Entry,
    pub entry: Entry,
    pub fact: Fact,
    /// New ones, by witnesses of the present set, over exactly the fact's slots.
    pub receipts: Vec<Receipt>,
    pub paths: Vec<ProvenPath>,
}

/// Pieces by what they name; nothing is verified.
#[derive(Default)]
struct Index<'a> {
    entries: Vec<(EntryHeader, EntryId, &'a [u8])>,
    /// With the identities that they name.
    openings: HashMap<LogId, (Did, &'a [u8])>,
    receipts: HashMap<EntryId, BTreeMap<PublicKey, &'a [u8]>>,
    paths: HashMap<EntryId, Vec<&'a [u8]>>,
}

impl<'a> Index<'a> {
    /// Sorts pieces. Receipts of another set, or by others than its witnesses, are dropped.
    fn of(registry: &Registry, pieces: &'a [Piece]) -> Result<Self, NotServed> {
        let mut index = Self::default();
        for piece in pieces {
            match piece {
                Piece::Entry(bytes) => {
                    let topic = registry.topic();
                    let (header, id, body) = Entry::peek(&topic, bytes).map_err(|_| NotServed::Unreadable)?;
                    if header.log.are_facts() && header.seq == 0 {
                        let did = Opening::peek(&topic, body).map_err(|_| NotServed::Unreadable)?;
                        index.openings.insert(header.log, (did, bytes));
                    } else if header.log.are_facts() {
                        index.entries.push((header, id, bytes));
                    }
                }
                Piece::Receipt(bytes) => index.add_receipt(registry, bytes)?,
                Piece::Path(entry, bytes) => index.paths.entry(*entry).or_default().push(bytes),
                Piece::Fork(..) => {}
            }
        }
        Ok(index)
    }

    fn add_receipt(&mut self, registry: &Registry, bytes: &'a [u8]) -> Result<(), NotServed> {
        let (entry, set, witness) = Receipt::peek(bytes).map_err(|_| NotServed::Unreadable)?;
        if set == registry.history().number() && registry.history().set().has(&witness) {
            self.receipts.entry(entry).or_default().insert(witness, bytes);
        }
        Ok(())
    }

    /// Verifies the receipts of an entry that are new here.
    fn new_receipts(&self, registry: &Registry, fact: &Fact) -> Result<Vec<Receipt>, NotServed> {
        let known = witnesses_of(registry, &fact.id);
        let slots: Vec<_> = fact.slots().iter().map(Slot::digest).collect();
        let shown = self.receipts.get(&fact.id).into_iter().flatten();
        let mut receipts = Vec::new();
        for (_, bytes) in shown.filter(|(witness, _)| !known.contains(witness)) {
            let receipt = Receipt::decode(&registry.topic(), bytes).map_err(|_| NotServed::Unreadable)?;
            if receipt.slots == slots {
                receipts.push(receipt);
            }
        }
        Ok(receipts)
    }

    /// The paths of an entry that lead to a root which this node knows, and are new here.
    fn leading_paths(&self, registry: &Registry, entry: &EntryId) -> Vec<ProvenPath> {
        let shown = self.paths.get(entry).into_iter().flatten().filter_map(|bytes| ProvenPath::decode(bytes).ok());
        let leading = shown.filter(|path| path.leads(registry.history(), entry));
        leading.filter(|path| registry.confirmations().paths_of(entry).all(|known| known != path)).collect()
    }

    /// Whether receipts that are known or named reach the threshold.
    fn names_enough(&self, registry: &Registry, entry: &EntryId) -> bool {
        let set = registry.history().set();
        let named = self.receipts.get(entry).into_iter().flatten().map(|(witness, _)| *witness);
        let mut witnesses: Vec<PublicKey> = named.chain(witnesses_of(registry, entry)).collect();
        witnesses.sort_unstable();
        witnesses.dedup();
        !set.is_empty() && witnesses.len() >= usize::from(set.threshold)
    }

    /// Verifies an entry and its opening, and reads what it says. `None` if the opening is missing, or it says nothing.
    fn read(&self, registry: &Registry, log: &LogId, bytes: &[u8]) -> Result<Option<(Entry, Entry, Fact)>, NotServed> {
        let Some((_, opening)) = self.openings.get(log) else { return Ok(None) };
        verify(registry, opening, bytes)
    }
}

/// The witnesses of the present set whose receipts of an entry are known.
fn witnesses_of(registry: &Registry, entry: &EntryId) -> Vec<PublicKey> {
    let known = registry.confirmations().present_receipts_of(registry.history(), entry);
    known.map(|receipt| receipt.witness).collect()
}

/// Verifies an opening and an entry of its log, and reads what it says; `None` if it says nothing.
fn verify(registry: &Registry, opening: &[u8], entry: &[u8]) -> Result<Option<(Entry, Entry, Fact)>, NotServed> {
    let topic = registry.topic();
    let decode = |bytes: &[u8]| Entry::decode(&topic, bytes).map_err(|_| NotServed::Unreadable);
    let (opening, entry) = (decode(opening)?, decode(entry)?);
    let log = entry.header().log;
    if opening.header().log != log || opening.header().seq != 0 {
        return Err(NotServed::Unreadable);
    }
    let read = Opening::decode_for(&topic, &log.device, opening.body()).map_err(|_| NotServed::Unreadable)?;
    Ok(Fact::of(&topic, &entry, &read).ok().map(|fact| (opening, entry, fact)))
}

/// The confirmed facts among the pieces that are not known as confirmed here.
pub fn confirmed(registry: &Registry, pieces: &[Piece]) -> Result<Vec<Shown>, NotServed> {
    let index = Index::of(registry, pieces)?;
    let (mut all, mut read) = (Vec::new(), HashSet::new());
    for (header, id, bytes) in index.entries.iter().filter(|(_, id, _)| read.insert(*id)) {
        if registry.facts().get(id).is_some_and(|fact| registry.counts(fact)) {
            continue;
        }
        let paths = index.leading_paths(registry, id);
        let is_promising = !paths.is_empty() || index.names_enough(registry, id);
        if !is_promising || !index.openings.contains_key(&header.log) {
            continue;
        }
        let Some((opening, entry, fact)) = index.read(registry, &header.log, bytes)? else { break };
        let receipts = index.new_receipts(registry, &fact)?;
        let count = witnesses_of(registry, id).len() + receipts.len();
        if paths.is_empty() && count < usize::from(registry.history().set().threshold) {
            break;
        }
        all.push(Shown { opening, entry, fact, receipts, paths });
    }
    Ok(all)
}

/// The statements about keys among the pieces that are new, of identities that are known here, at most
/// [`KEY_STATEMENTS_READ_MAX`] and no more than [`KEY_STATEMENTS_MAX`] of each identity in all.
pub fn key_statements(registry: &Registry, pieces: &[Piece]) -> Result<Vec<Shown>, NotServed> {
    let index = Index::of(registry, pieces)?;
    let (mut all, mut read, mut room) = (Vec::new(), HashSet::new(), HashMap::new());
    for (header, id, bytes) in &index.entries {
        let Some((did, _)) = index.openings.get(&header.log) else { continue };
        let is_new = header.kind == Kind::Statement as u8 && registry.facts().get(id).is_none() && read.insert(*id);
        let room: &mut usize = room.entry(*did).or_insert_with(|| room_for(registry, did));
        if !is_new || *room == 0 {
            continue;
        }
        *room -= 1;
        let Some((opening, entry, fact)) = index.read(registry, &header.log, bytes)? else { break };
        if !registry.is_of_identity(&fact) {
            break;
        }
        all.push(Shown { opening, entry, fact, receipts: vec![], paths: vec![] });
        if all.len() == KEY_STATEMENTS_READ_MAX {
            break;
        }
    }
    Ok(all)
}

/// How many more statements about its keys are kept of an identity; none of one that is not known.
fn room_for(registry: &Registry, did: &Did) -> usize {
    let is_known = registry.logs_of(did).next().is_some();
    let known = registry.facts().by_identity(did).filter(|fact| Registry::is_about_keys(fact)).count();
    if is_known { KEY_STATEMENTS_MAX.saturating_sub(known) } else { 0 }
}

/// The proofs among the pieces that a known facts log was signed twice for a lower place than is known.
pub fn forks(registry: &Registry, pieces: &[Piece]) -> Result<Vec<ForkProof>, NotServed> {
    let topic = registry.topic();
    let mut all: Vec<ForkProof> = Vec::new();
    for piece in pieces {
        let Piece::Fork(one, other) = piece else { continue };
        let (header, _) = SignedHeader::peek(&topic, one).map_err(|_| NotServed::Unreadable)?;
        let is_known = registry.chain(&header.log).and_then(Chain::fork).is_some_and(|at| at <= header.seq);
        let is_here = registry.opening(&header.log).is_some() && header.log.are_facts();
        if is_known || !is_here || all.iter().any(|proof| proof.log() == header.log) {
            continue;
        }
        let decode = |bytes: &[u8]| SignedHeader::decode(&topic, bytes).map_err(|_| NotServed::Unreadable);
        all.push(ForkProof::new(decode(one)?, decode(other)?).ok_or(NotServed::Unreadable)?);
    }
    Ok(all)
}

/// What another witness passes on: a fact with receipts that are new here, or a statement about the keys of a known
/// identity. `None` if all of it is known.
pub fn learned(registry: &Registry, learn: &Learn) -> Result<Option<Shown>, NotServed> {
    let (header, id, _) = Entry::peek(&registry.topic(), &learn.entry).map_err(|_| NotServed::Unreadable)?;
    let mut index = Index::default();
    for receipt in &learn.receipts {
        index.add_receipt(registry, receipt)?;
    }
    let named = index.receipts.get(&id);
    let known = witnesses_of(registry, &id);
    let is_statement = header.kind == Kind::Statement as u8;
    if named.is_none() && !is_statement {
        return Err(NotServed::Unproven);
    }
    let has_news = named.into_iter().flatten().any(|(witness, _)| !known.contains(witness));
    if !has_news && (named.is_some() || registry.facts().get(&id).is_some()) {
        return Ok(None);
    }
    let Some((opening, entry, fact)) = verify(registry, &learn.opening, &learn.entry)? else {
        return Err(NotServed::Unproven);
    };
    let receipts = index.new_receipts(registry, &fact)?;
    if receipts.is_empty() && !(registry.is_of_identity(&fact) && room_for(registry, &fact.did) > 0) {
        return Err(NotServed::Unproven);
    }
    Ok(Some(Shown { opening, entry, fact, receipts, paths: vec![] }))
}

#[cfg(test)]
mod tests;
