//! Receipts: what witnesses sign, and what follows for an entry from those that are known.
//!
//! An entry is *confirmed* by the receipts of at least the threshold of the present witness set. Once a set was succeeded,
//! its receipts count no more, so that a retired key that is stolen is worth nothing; what the set confirmed counts with its
//! path under the root of the [`Closing`].
//!
//! [`Closing`]: crate::network::Closing

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::log::EntryId;
use crate::network::{ClosingPath, NetworkHistory};
use crate::slot::SLOTS_MAX;
use crate::time::Timestamp;

const DOMAIN: &str = "gen-registry/receipt/v2";
/// The most pairs of receipts that prove a contradiction, of one witness: more prove nothing more.
pub const CONTRADICTIONS_MAX: usize = 16;

/// "I, a witness of set `set`, signed this entry, and nothing else for these slots."
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    pub witness: PublicKey,
    /// The number of the witness set.
    pub set: u32,
    pub entry: EntryId,
    /// The digests of the entry's slots, in the order of [`slots_of`](crate::slot::slots_of).
    pub slots: Vec<Digest>,
    /// The witness's clock. Shown, and used for ages; it orders nothing.
    pub at: Timestamp,
    signature: Signature,
}

/// Why bytes are no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("these bytes are no receipt")]
    Unreadable(#[from] DecodeError),
    #[error("the signature is not the witness's, or not over this, or not for this network")]
    Forged,
}

/// Everything that confirms: receipts, and paths under the roots of closed sets. A growing set; adding commutes.
#[derive(Clone, Debug, Default)]
pub struct Confirmations {
    receipts: HashMap<EntryId, BTreeMap<(u32, PublicKey), Receipt>>,
    /// Which entry a witness signed for a slot first, as far as is known here.
    signed: HashMap<(u32, PublicKey, Digest), EntryId>,
    paths: HashMap<EntryId, BTreeSet<ProvenPath>>,
    contradictions: BTreeMap<PublicKey, BTreeSet<[Receipt; 2]>>,
}

/// A path and the closing that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProvenPath {
    /// The number of the set that was closed.
    pub set: u32,
    pub path: ClosingPath,
}

impl ProvenPath {
    /// The bytes that are passed on.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().integer(self.set.into());
        self.path.encode(encoder).finish()
    }

    /// Reads what [`ProvenPath::encode`] wrote. Whether it leads anywhere is asked with the closing.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let set = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        let path = ClosingPath::decode(&mut decoder)?;
        decoder.end()?;
        Ok(Self { set, path })
    }

    /// Returns whether it leads from an entry to the root of a closed set that this node knows.
    pub fn leads(&self, history: &NetworkHistory, entry: &EntryId) -> bool {
        let closing = history.closing_of(self.set).map(|change| change.change().closing);
        closing.is_some_and(|closing| closing.confirms(entry.digest(), &self.path))
    }
}

impl Receipt {
    /// Signs the receipt of an entry with these slots.
    pub fn sign(
        topic: &Topic,
        witness: &SecretKey,
        set: u32,
        entry: EntryId,
        slots: Vec<Digest>,
        at: Timestamp,
    ) -> Self {
        let signature = witness.sign(topic, DOMAIN, &signed_bytes(set, &entry, &slots, at));
        Self { witness: witness.public(), set, entry, slots, at, signature }
    }

    /// The bytes that are passed on.
    pub fn encode(&self) -> Vec<u8> {
        let signed = signed_bytes(self.set, &self.entry, &self.slots, self.at);
        let mut bytes = Encoder::new().fixed(self.witness.as_bytes()).bytes(&signed).finish();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }

    /// Decodes the entry, the number of the set and the witness of a receipt without verifying it, so that known
    /// receipts can be skipped.
    pub fn peek(bytes: &[u8]) -> Result<(EntryId, u32, PublicKey), DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let witness = PublicKey::from_trusted(decoder.array()?);
        let mut signed = Decoder::new(decoder.bytes()?);
        let set = u32::try_from(signed.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        Ok((EntryId::decode(&mut signed)?, set, witness))
    }

    /// Reads what [`Receipt::encode`] wrote and verifies the signature.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, ReceiptError> {
        let receipt = Self::decode_unverified(bytes)?;
        let signed = signed_bytes(receipt.set, &receipt.entry, &receipt.slots, receipt.at);
        match receipt.witness.verify(topic, DOMAIN, &signed, &receipt.signature) {
            true => Ok(receipt),
            false => Err(ReceiptError::Forged),
        }
    }

    /// Reads a receipt that this node verified before it wrote it down.
    pub fn decode_unverified(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let witness = PublicKey::decode(&mut decoder)?;
        let signed = decoder.bytes()?;
        let signature = Signature::from_bytes(decoder.array()?);
        decoder.end()?;
        let mut decoder = Decoder::new(signed);
        let set = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        let entry = EntryId::decode(&mut decoder)?;
        let count = usize::from(decoder.byte()?);
        if count == 0 || count > SLOTS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let slots = (0..count).map(|_| decoder.array().map(Digest::from_bytes)).collect::<Result<_, _>>()?;
        let at = decoder.timestamp()?;
        decoder.end()?;
        Ok(Self { witness, set, entry, slots, at, signature })
    }
}

fn signed_bytes(set: u32, entry: &EntryId, slots: &[Digest], at: Timestamp) -> Vec<u8> {
    let encoder = Encoder::new().integer(set.into()).fixed(entry.as_bytes()).byte(slots.len() as u8);
    let encoder = slots.iter().fold(encoder, |encoder, slot| encoder.fixed(slot.as_bytes()));
    encoder.integer(at.as_millis()).finish()
}

impl Confirmations {
    /// Adds a verified receipt. Returns whether it was new. Only receipts by witnesses of the present set are kept: those of
    /// a closed set count for nothing, so a stolen retired key can't fill anybody's memory either. Of several by one witness
    /// for one entry the earliest is kept.
    pub fn add_receipt(&mut self, history: &NetworkHistory, receipt: Receipt) -> bool {
        if receipt.set != history.number() || !history.set().has(&receipt.witness) {
            return false;
        }
        self.note_contradictions(&receipt);
        let known = self.receipts.entry(receipt.entry).or_default();
        match known.entry((receipt.set, receipt.witness)) {
            Entry::Vacant(place) => {
                place.insert(receipt);
                true
            }
            Entry::Occupied(mut here) => {
                let is_earlier = receipt < *here.get();
                if is_earlier {
                    here.insert(receipt);
                }
                is_earlier
            }
        }
    }

    /// Two receipts of one witness for different entries with a slot in common contradict each other. They void nothing:
    /// they are shown and counted, and are a reason to change the set.
    fn note_contradictions(&mut self, receipt: &Receipt) {
        for slot in &receipt.slots {
            let first = *self.signed.entry((receipt.set, receipt.witness, *slot)).or_insert(receipt.entry);
            if first == receipt.entry {
                continue;
            }
            let other = self.receipts.get(&first).and_then(|all| all.get(&(receipt.set, receipt.witness)));
            let Some(other) = other.cloned() else { continue };
            let pairs = self.contradictions.entry(receipt.witness).or_default();
            if pairs.len() < CONTRADICTIONS_MAX {
                let mut pair = [other, receipt.clone()];
                pair.sort();
                pairs.insert(pair);
            }
        }
    }

    /// Adds a path, if it leads to a root that this node knows. Returns whether it was new.
    pub fn add_path(&mut self, history: &NetworkHistory, entry: EntryId, proven: ProvenPath) -> bool {
        proven.leads(history, &entry) && self.paths.entry(entry).or_default().insert(proven)
    }

    /// Removes what confirms an entry. Returns the witnesses of its receipts and the sets of its paths.
    pub(crate) fn remove(&mut self, entry: &EntryId) -> (Vec<PublicKey>, Vec<u32>) {
        let mut witnesses = Vec::new();
        for receipt in self.receipts.remove(entry).unwrap_or_default().into_values() {
            witnesses.push(receipt.witness);
            for slot in receipt.slots {
                let signed = (receipt.set, receipt.witness, slot);
                if self.signed.get(&signed) == Some(entry) {
                    self.signed.remove(&signed);
                }
            }
        }
        let paths = self.paths.remove(entry).unwrap_or_default();
        (witnesses, paths.into_iter().map(|path| path.set).collect())
    }

    /// Returns whether an entry is confirmed in the network as this node follows it.
    pub fn is_confirmed(&self, history: &NetworkHistory, entry: &EntryId) -> bool {
        let mut paths = self.paths_of(entry);
        self.has_enough(history, history.number(), entry)
            || paths.any(|proven| history.closing_of(proven.set).is_some())
    }

    /// Whether the receipts of one set reach its threshold.
    pub fn has_enough(&self, history: &NetworkHistory, set: u32, entry: &EntryId) -> bool {
        let Some(witnesses) = history.set_of(set).filter(|witnesses| !witnesses.is_empty()) else { return false };
        self.receipts_of(entry).filter(|receipt| receipt.set == set).count() >= usize::from(witnesses.threshold)
    }

    /// The entries of which there are receipts, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &EntryId> {
        self.receipts.keys()
    }

    /// The receipts of an entry, by set and witness.
    pub fn receipts_of(&self, entry: &EntryId) -> impl Iterator<Item = &Receipt> {
        self.receipts.get(entry).into_iter().flat_map(BTreeMap::values)
    }

    /// The receipts of an entry by the present set: those that count, and that replicas compare.
    pub fn present_receipts_of(&self, history: &NetworkHistory, entry: &EntryId) -> impl Iterator<Item = &Receipt> {
        let present = history.number();
        self.receipts_of(entry).filter(move |receipt| receipt.set == present)
    }

    /// The paths of an entry.
    pub fn paths_of(&self, entry: &EntryId) -> impl Iterator<Item = &ProvenPath> {
        self.paths.get(entry).into_iter().flatten()
    }

    /// The entries with a path under the root of a closed set, in no order.
    pub fn entries_under(&self, set: u32) -> impl Iterator<Item = &EntryId> {
        let is_under = move |paths: &BTreeSet<ProvenPath>| paths.iter().any(|path| path.set == set);
        self.paths.iter().filter(move |(_, paths)| is_under(paths)).map(|(entry, _)| entry)
    }

    /// When the witnesses saw an entry: the threshold-th earliest of the times of one set, for people. `None` without
    /// enough receipts here, as for what counts by its path alone.
    pub fn witnessed_at(&self, history: &NetworkHistory, entry: &EntryId) -> Option<Timestamp> {
        let at = |set: u32| {
            let threshold = usize::from(history.set_of(set)?.threshold).checked_sub(1)?;
            let mut times: Vec<Timestamp> =
                self.receipts_of(entry).filter(|receipt| receipt.set == set).map(|receipt| receipt.at).collect();
            times.sort_unstable();
            times.get(threshold).copied()
        };
        (0..=history.number()).filter_map(at).min()
    }

    /// The witnesses that contradicted themselves, each with proofs.
    pub fn contradictions(&self) -> impl Iterator<Item = (&PublicKey, &BTreeSet<[Receipt; 2]>)> {
        self.contradictions.iter()
    }
}

#[cfg(test)]
mod tests;
