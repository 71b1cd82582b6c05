//! The file that a witness hands over when its set is succeeded, and what is put together of several of them.
//!
//! A witness that has stopped signing writes down its receipts and those it received, with the entries they are of, and
//! what earlier closings confirmed; it signs the whole. The signers of the change gather the files of at least the threshold
//! of different witnesses ([`Gathered`]), come to one [`Closed`], and each signs the same change with a succession key. A
//! witness of the next set starts from the same files, and checks that the change closes exactly what they show.
//!
//! Every receipt, path and entry in a file proves itself. One that does not is passed over, so that a liar's file stops
//! nothing; what a liar leaves out, others show.

use std::collections::{BTreeMap, BTreeSet};

use crate::book::{Closed, Votes, close};
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::log::{Entry, EntryId, Opening};
use crate::network::{NetworkHistory, SetChange, WitnessSet};
use crate::outcome::Fact;
use crate::receipt::{ProvenPath, Receipt};
use crate::slot::Slot;

/// The most bytes of a file: a million facts of a kibibyte.
pub const HANDOVER_MAX_BYTES: usize = 1 << 30;

const DOMAIN: &str = "gen-registry/handover/v2";

/// One fact in a file, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandedFact {
    pub entry: Vec<u8>,
    pub receipts: Vec<Vec<u8>>,
    pub paths: Vec<Vec<u8>>,
}

/// What one witness hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub topic: Topic,
    /// The number of the set that is succeeded.
    pub set: u32,
    pub witness: PublicKey,
    /// Entries 0 of the logs.
    pub openings: Vec<Vec<u8>>,
    pub facts: Vec<HandedFact>,
}

/// Why a file is not taken, or a change can't be made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    #[error("the file is damaged or no witness's. Export it again")]
    Unreadable(#[from] DecodeError),
    #[error("the file has more than {HANDOVER_MAX_BYTES} bytes")]
    TooLarge,
    #[error("the file's signature is wrong. Export it again at the witness that it names")]
    Forged,
    #[error("the file is of another network")]
    OtherNetwork,
    #[error("the file is of set {set}, and set {present} is succeeded. Take the change that came between first")]
    OtherSet { set: u32, present: u32 },
    #[error("the file is of no witness of the set")]
    NotOfSet,
    #[error("two files are of one witness. One of them is enough")]
    Twice,
    #[error("a change takes the files of {needed} witnesses, and there are {have}")]
    TooFew { have: usize, needed: u8 },
    #[error("the change closes something else than these files show. Take the files that it was made of")]
    OtherClosing,
}

/// A fact with what shows it, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatheredFact {
    pub opening: Entry,
    pub entry: Entry,
    pub fact: Fact,
    pub receipts: Vec<Receipt>,
    /// Under the roots of sets that were closed before.
    pub paths: Vec<ProvenPath>,
}

/// The files of several witnesses of one set, put together.
pub struct Gathered {
    history: NetworkHistory,
    witnesses: BTreeSet<PublicKey>,
    facts: BTreeMap<EntryId, GatheredFact>,
    passed_over: usize,
}

impl Handover {
    /// The signed bytes of the file. The witness has stopped signing before.
    pub fn sign(&self, key: &SecretKey) -> Vec<u8> {
        let mut bytes = self.encode();
        let signature = key.sign(&self.topic, DOMAIN, Digest::of(&bytes).as_bytes());
        bytes.extend_from_slice(signature.as_bytes());
        bytes
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().text(DOMAIN).fixed(self.topic.as_bytes()).integer(self.set.into());
        let encoder = encoder.fixed(self.witness.as_bytes());
        let encoder = list(encoder, &self.openings, |encoder, opening| encoder.bytes(opening));
        list(encoder, &self.facts, |encoder, fact| {
            let encoder = list(encoder.bytes(&fact.entry), &fact.receipts, |encoder, receipt| encoder.bytes(receipt));
            list(encoder, &fact.paths, |encoder, path| encoder.bytes(path))
        })
        .finish()
    }

    /// Reads what [`Handover::sign`] wrote and verifies that its witness signed it.
    pub fn decode(bytes: &[u8]) -> Result<Self, HandoverError> {
        if bytes.len() > HANDOVER_MAX_BYTES {
            return Err(HandoverError::TooLarge);
        }
        let mut decoder = Decoder::new(bytes);
        if decoder.text()? != DOMAIN {
            return Err(DecodeError::OutOfRange.into());
        }
        let topic = Topic::from_bytes(decoder.array()?);
        let set = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        let witness = PublicKey::decode(&mut decoder)?;
        let openings = many(&mut decoder, bytes_of)?;
        let facts = many(&mut decoder, |decoder| {
            Ok(HandedFact {
                entry: bytes_of(decoder)?,
                receipts: many(decoder, bytes_of)?,
                paths: many(decoder, bytes_of)?,
            })
        })?;
        let signature = Signature::from_bytes(decoder.array()?);
        decoder.end()?;
        let signed = &bytes[..bytes.len() - signature.as_bytes().len()];
        if !witness.verify(&topic, DOMAIN, Digest::of(signed).as_bytes(), &signature) {
            return Err(HandoverError::Forged);
        }
        Ok(Self { topic, set, witness, openings, facts })
    }
}

impl Gathered {
    /// No files yet, of the present set of a history.
    pub fn new(history: NetworkHistory) -> Self {
        Self { history, witnesses: BTreeSet::new(), facts: BTreeMap::new(), passed_over: 0 }
    }

    /// Adds the file of one more witness.
    pub fn add(&mut self, file: &[u8]) -> Result<(), HandoverError> {
        let file = Handover::decode(file)?;
        let present = self.history.number();
        if file.topic != self.history.topic() {
            return Err(HandoverError::OtherNetwork);
        }
        if file.set != present {
            return Err(HandoverError::OtherSet { set: file.set, present });
        }
        if !self.history.set().has(&file.witness) {
            return Err(HandoverError::NotOfSet);
        }
        if !self.witnesses.insert(file.witness) {
            return Err(HandoverError::Twice);
        }
        let openings = file.openings.iter().filter_map(|bytes| Entry::decode(&file.topic, bytes).ok());
        let openings: BTreeMap<Digest, Entry> =
            openings.map(|opening| (opening.header().log.opening, opening)).collect();
        for handed in &file.facts {
            if self.add_fact(&openings, handed).is_none() {
                self.passed_over += 1;
            }
        }
        Ok(())
    }

    /// Adds what a fact of a file shows; `None` if it or its opening does not prove itself.
    fn add_fact(&mut self, openings: &BTreeMap<Digest, Entry>, handed: &HandedFact) -> Option<()> {
        let topic = self.history.topic();
        let entry = Entry::decode(&topic, &handed.entry).ok()?;
        let log = entry.header().log;
        let opening = openings.get(&log.opening).filter(|opening| opening.header().log == log)?;
        let read = Opening::decode_for(&topic, &log.device, opening.body()).ok()?;
        let fact = Fact::of(&topic, &entry, &read).ok()?;
        let slots: Vec<Digest> = fact.slots().iter().map(Slot::digest).collect();
        let id = fact.id;
        let (set, history) = (self.history.number(), &self.history);
        let is_of_set = |receipt: &Receipt| {
            receipt.set == set && receipt.entry == id && receipt.slots == slots && history.set().has(&receipt.witness)
        };
        let receipts = handed.receipts.iter().filter_map(|bytes| Receipt::decode(&topic, bytes).ok()).filter(is_of_set);
        let paths = handed.paths.iter().filter_map(|bytes| ProvenPath::decode(bytes).ok());
        let paths = paths.filter(|path| path.leads(history, &id));
        let (receipts, paths): (Vec<Receipt>, Vec<ProvenPath>) = (receipts.collect(), paths.collect());
        let gathered = self.facts.entry(id).or_insert_with(|| GatheredFact {
            opening: opening.clone(),
            entry,
            fact,
            receipts: Vec::new(),
            paths: Vec::new(),
        });
        gathered.receipts.extend(receipts);
        gathered.paths.extend(paths);
        gathered.paths.sort();
        gathered.paths.dedup();
        Some(())
    }

    /// Everything that the files show, by entry.
    pub fn facts(&self) -> impl Iterator<Item = &GatheredFact> {
        self.facts.values()
    }

    /// The number of files.
    pub fn files(&self) -> usize {
        self.witnesses.len()
    }

    /// The number of facts in the files that did not prove themselves.
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// The network before the change.
    pub fn history(&self) -> &NetworkHistory {
        &self.history
    }

    /// What the set confirmed, and what the next one reserves. Fails with too few files: others might show more.
    pub fn close(&self) -> Result<Closed, HandoverError> {
        let set = self.history.set();
        if self.witnesses.len() < usize::from(set.threshold) {
            return Err(HandoverError::TooFew { have: self.witnesses.len(), needed: set.threshold });
        }
        let mut votes = Votes::default();
        for gathered in self.facts.values() {
            if gathered.paths.is_empty() {
                gathered.receipts.iter().for_each(|receipt| votes.add(receipt));
            } else {
                votes.add_settled(gathered.fact.id, gathered.fact.slots().iter().map(Slot::digest).collect());
            }
        }
        Ok(close(set, &votes))
    }

    /// The change to the next set, unsigned. The same files and set give the same change.
    pub fn change(&self, set: WitnessSet, version: u32) -> Result<SetChange, HandoverError> {
        let closing = self.close()?.closing();
        Ok(SetChange { number: self.history.number() + 1, before: self.history.newest(), set, version, closing })
    }

    /// What follows for a witness of the next set, if these files are the ones that the change was made of.
    pub fn close_for(&self, change: &SetChange) -> Result<Closed, HandoverError> {
        let closed = self.close()?;
        if closed.closing() == change.closing { Ok(closed) } else { Err(HandoverError::OtherClosing) }
    }
}

fn list<T>(encoder: Encoder, values: &[T], encode: impl Fn(Encoder, &T) -> Encoder) -> Encoder {
    values.iter().fold(encoder.integer(values.len() as u64), encode)
}

/// Reads as many values as are announced; each takes bytes, so there can't be more than the file has.
fn many<T>(
    decoder: &mut Decoder<'_>,
    decode: impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    (0..decoder.integer()?).map(|_| decode(decoder)).collect()
}

fn bytes_of(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    decoder.bytes().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
