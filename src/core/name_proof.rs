//! Name proofs: self-certifying records of one name, which untrusted servers may store and hand out.
//!
//! A proof is a handful of entries with their openings and with what confirms them: the claims by which the name was held,
//! one after the other, the give-ups and finishes between them, and for a module its newest release. A receiver
//! [`verify`]s it without asking anyone, with the registry's own rules. It never proves that nothing else is known.
//!
//! # Which of two is kept
//! What is confirmed for a place stays so, therefore two proofs of one name that both verify begin alike; the longer chain
//! of holders is the newer one ([`NameProof::compare`]). A name that was given up has a proof that says so.
//!
//! # Example
//! Alice held `rose` and gave it to Dan. Dan's proof has two openings, Alice's claim, give-up and finish, and his own claim,
//! each with two receipts: some 3,500 bytes. Alice's old proof still verifies, and is the shorter one.
//!
//! A chain of holders that does not fit into [`RECORD_MAX_BYTES`] has no proof: such a name is known to peers only. Nor has
//! a network without witnesses any, since nothing counts by itself there.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::PublicKey;
use crate::limits::{RECORD_MAX_BYTES, RECORD_PARTS_MAX};
use crate::log::{Entry, EntryError, EntryId};
use crate::modules::{CountedRelease, ModuleState};
use crate::name::NameKind;
use crate::network::NetworkHistory;
use crate::outcome::{Fact, NameKey, NameOutcome, Tenure};
use crate::read_model::NameState;
use crate::receipt::{ProvenPath, Receipt, ReceiptError};
use crate::registry::{EntryRejection, Registry};

const VERSION: u8 = 2;
const KEY_DOMAIN: &str = "gen-registry/record-key/v2";

/// Why some bytes are no proof of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it is longer than {RECORD_MAX_BYTES} bytes, or has more than {RECORD_PARTS_MAX} parts")]
    TooLong,
    #[error("it can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("an entry in it is refused: {0}")]
    Entry(#[from] EntryError),
    #[error("an entry in it has no place: {0}")]
    Place(#[from] EntryRejection),
    #[error("a receipt in it is refused: {0}")]
    Receipt(#[from] ReceiptError),
    #[error("its parts are not in their one order")]
    NotCanonical,
    #[error("it is about another name, or none")]
    OtherName,
    #[error("a part of it says nothing about the name, or does not count")]
    Foreign,
}

/// A proof whose every part was checked.
#[derive(Clone, Debug)]
pub struct NameProof {
    pub name: NameKey,
    /// As these entries alone decide it.
    pub outcome: NameOutcome,
    /// The same with dates, for people.
    pub state: NameState,
    /// The present key of the holder, as far as this proof goes.
    pub holder_key: Option<PublicKey>,
    /// The newest release, for a module.
    pub release: Option<CountedRelease>,
    bytes: Vec<u8>,
}

/// The parts of a proof, each in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// Openings among them.
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    pub(crate) receipts: BTreeSet<Receipt>,
    pub(crate) paths: BTreeSet<(EntryId, ProvenPath)>,
}

/// The Kademlia key of a name's record: a hash, from which the name can't be read.
pub fn key(topic: &Topic, name: &NameKey) -> Digest {
    let kind = match name.0 {
        NameKind::Username => 1,
        NameKind::Module => 2,
    };
    let encoder = Encoder::new().text(KEY_DOMAIN).fixed(topic.as_bytes()).byte(kind);
    Digest::of(&encoder.text(name.1.as_str()).finish())
}

/// Checks everything about a record that was found under `key`: each signature, that each part belongs there, and that
/// witnesses of the network confirm it.
pub fn verify(key: &Digest, bytes: &[u8], history: &NetworkHistory) -> Result<NameProof, RecordError> {
    let parts = Parts::decode(&history.topic(), bytes)?;
    let registry = parts.registry(history)?;
    let name = registry.facts().names().find(|name| self::key(&history.topic(), name) == *key).cloned();
    weigh(name.ok_or(RecordError::OtherName)?, &registry, &parts, bytes.to_vec())
}

/// The proof that these parts make.
pub(crate) fn compose(name: &NameKey, parts: &Parts, history: &NetworkHistory) -> Result<NameProof, RecordError> {
    let bytes = parts.encode();
    if bytes.len() > RECORD_MAX_BYTES || parts.count() > RECORD_PARTS_MAX {
        return Err(RecordError::TooLong);
    }
    weigh(name.clone(), &parts.registry(history)?, parts, bytes)
}

impl Parts {
    fn count(&self) -> usize {
        self.entries.len() + self.receipts.len() + self.paths.len()
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().byte(VERSION).integer(self.entries.len() as u64);
        let encoder = self.entries.values().fold(encoder, |encoder, entry| encoder.bytes(&entry.encode()));
        let encoder = encoder.integer(self.receipts.len() as u64);
        let encoder = self.receipts.iter().fold(encoder, |encoder, receipt| encoder.bytes(&receipt.encode()));
        let encoder = encoder.integer(self.paths.len() as u64);
        let paths = self.paths.iter();
        paths.fold(encoder, |encoder, (entry, path)| encoder.fixed(entry.as_bytes()).bytes(&path.encode())).finish()
    }

    fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_MAX_BYTES {
            return Err(RecordError::TooLong);
        }
        let mut decoder = Decoder::new(bytes);
        match decoder.byte()? {
            VERSION => {}
            other => return Err(DecodeError::UnknownKind(other).into()),
        }
        let mut parts = Self::default();
        for _ in 0..count(&mut decoder)? {
            let entry = Entry::decode(topic, decoder.bytes()?)?;
            parts.entries.insert(entry.id(), entry);
        }
        for _ in 0..count(&mut decoder)? {
            parts.receipts.insert(Receipt::decode(topic, decoder.bytes()?)?);
        }
        for _ in 0..count(&mut decoder)? {
            let entry = EntryId::from_digest(Digest::from_bytes(decoder.array()?));
            parts.paths.insert((entry, ProvenPath::decode(decoder.bytes()?)?));
        }
        decoder.end()?;
        if parts.encode() == bytes { Ok(parts) } else { Err(RecordError::NotCanonical) }
    }

    /// A registry that knows these parts and nothing else.
    fn registry(&self, history: &NetworkHistory) -> Result<Registry, RecordError> {
        let mut registry = Registry::new(history.clone());
        for receipt in &self.receipts {
            registry.add_receipt(receipt.clone());
        }
        for (entry, path) in &self.paths {
            registry.add_path(*entry, path.clone());
        }
        let (openings, others): (Vec<&Entry>, _) = self.entries.values().partition(|entry| entry.header().seq == 0);
        for entry in openings.into_iter().chain(others) {
            registry.admit(entry, 0)?;
        }
        Ok(registry)
    }
}

/// Reads a number of parts.
fn count(decoder: &mut Decoder<'_>) -> Result<u64, RecordError> {
    let count = decoder.integer()?;
    if count > RECORD_PARTS_MAX as u64 { Err(RecordError::TooLong) } else { Ok(count) }
}

fn weigh(name: NameKey, registry: &Registry, parts: &Parts, bytes: Vec<u8>) -> Result<NameProof, RecordError> {
    let outcome = registry.name(&name);
    if outcome.tenures.is_empty() || !outcome.contested.is_empty() || !outcome.others.is_empty() {
        return Err(RecordError::Foreign);
    }
    let release = match name.0 {
        NameKind::Module => ModuleState::of(registry, &name.1).newest().cloned(),
        NameKind::Username => None,
    };
    let saying = saying_entries(registry, &outcome, release.as_ref());
    let openings: BTreeSet<Digest> =
        saying.iter().filter_map(|entry| Some(parts.entries.get(entry)?.header().log.opening)).collect();
    // Nothing may stand in a record that decides nothing: it would be a way to make many of one.
    let belongs = parts.entries.values().all(|entry| match entry.header().seq {
        0 => openings.contains(&entry.header().log.opening),
        _ => saying.contains(&entry.id()),
    });
    let confirms_them = parts.receipts.iter().all(|receipt| saying.contains(&receipt.entry))
        && parts.paths.iter().all(|(entry, _)| saying.contains(entry));
    if !belongs || !confirms_them || openings.len() + saying.len() != parts.entries.len() {
        return Err(RecordError::Foreign);
    }
    let state = NameState::of(registry, &name).unwrap_or_default();
    let holder = outcome.holder().and_then(|tenure| registry.standing(&tenure.holder));
    let holder_key = holder.map(|standing| standing.link.key);
    Ok(NameProof { name, outcome, state, holder_key, release, bytes })
}

/// The entries that say what a proof shows: claims, give-ups, finishes, the newest release and its marks.
pub(crate) fn saying_entries(
    registry: &Registry,
    outcome: &NameOutcome,
    release: Option<&CountedRelease>,
) -> BTreeSet<EntryId> {
    let mut entries = BTreeSet::new();
    for tenure in &outcome.tenures {
        entries.insert(tenure.claim);
        let finish = tenure.ended_by.and_then(|finish| registry.facts().get(&finish));
        entries.extend(finish.map(|finish| finish.id));
        entries.extend(finish.and_then(Fact::finish).map(|finish| finish.announced));
    }
    entries.extend(release.map(|release| release.entry));
    let mut mark = release.and_then(|release| release.mark);
    while let Some(last) = mark.filter(|last| entries.insert(*last)) {
        mark = registry.facts().get(&last).and_then(Fact::mark).and_then(|mark| mark.before);
    }
    entries
}

impl NameProof {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who holds the name now, as far as this proof goes.
    pub fn holder(&self) -> Option<&Tenure> {
        self.outcome.holder()
    }

    /// `Greater` when this one is the better record of the same name. The same for everybody, in whatever order records
    /// are met; equal only for the same bytes.
    pub fn compare(&self, other: &Self) -> Ordering {
        let first = |proof: &Self| Reverse(proof.outcome.tenures.first().map(|tenure| tenure.claim));
        let chain = |proof: &Self| (proof.outcome.tenures.len(), proof.holder().is_none());
        let begin = first(self).cmp(&first(other)).then_with(|| chain(self).cmp(&chain(other)));
        let version = begin.then_with(|| self.version().cmp(&other.version()));
        let bytes = |proof: &Self| Reverse((proof.bytes.len(), proof.bytes.clone()));
        version.then_with(|| bytes(self).cmp(&bytes(other)))
    }

    /// The newest version of a module, and how often it was marked.
    fn version(&self) -> Option<(bool, &semver::Version, bool)> {
        let release = self.release.as_ref()?;
        let version = &release.release.version;
        Some((version.pre.is_empty(), version, release.mark.is_some()))
    }
}

#[cfg(test)]
mod tests;
