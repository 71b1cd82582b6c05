//! Pieces: what one replica passes on to another, and how it is put together, loaded and admitted.

use std::collections::BTreeSet;

use crate::identity::Topic;
use crate::log::{Chain, Entry, EntryError, EntryId, ForkProof, LogId, SignedHeader};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::{Ask, Received, Registry};
use crate::sync::exchange::wire::{PAGE_MAX_BYTES, Piece};
use crate::sync::rejection::Rejection;

/// The most parts of one answer. The smallest piece, a receipt, has 157 bytes.
pub const PARTS_MAX: usize = 2_048;

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The entries that were kept.
    pub kept: Vec<Entry>,
    /// Entries of which a receipt or a path was new.
    pub confirmed: BTreeSet<EntryId>,
    /// Logs of which a lower fork was proven.
    pub forked: BTreeSet<LogId>,
    /// Whether anything was new.
    pub has_news: bool,
    /// Faults that pieces prove by themselves.
    pub rejections: Vec<Rejection>,
}

impl Outcome {
    /// Adds what became of the pieces after these.
    pub fn append(&mut self, next: Self) {
        self.kept.extend(next.kept);
        self.confirmed.extend(next.confirmed);
        self.forked.extend(next.forked);
        self.has_news |= next.has_news;
        self.rejections.extend(next.rejections);
    }
}

/// One part of an answer: a piece, or an entry that is loaded from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Piece(Piece),
    Entry(EntryId),
}

/// What answers these questions, in an order in which the asker can admit it: at most about [`PARTS_MAX`] parts, more than
/// fit into a page. Questions may name long logs many times.
///
/// What confirms an entry comes right before it, and an entry that is asked for by itself and with its log comes once.
pub fn plan_answer(registry: &Registry, asks: &[Ask]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut beside: BTreeSet<EntryId> = asks.iter().filter_map(Ask::entry).collect();
    for ask in asks {
        if parts.len() >= PARTS_MAX {
            break;
        }
        match ask {
            Ask::Opening(opening) => parts.extend(registry.opening_entry(opening).map(Part::Entry)),
            Ask::Log { log, known } => {
                let Some(chain) = registry.chain(log) else { continue };
                let common = known.iter().find(|(seq, entry)| chain.entry(*seq) == Some(*entry));
                let from = common.map_or(chain.base(), |(seq, _)| seq + 1);
                for entry in (from..chain.len()).filter_map(|seq| chain.entry(seq)) {
                    if parts.len() >= PARTS_MAX {
                        break;
                    }
                    if beside.remove(&entry) {
                        parts.extend(confirming(registry, &entry));
                    }
                    parts.push(Part::Entry(entry));
                }
            }
            Ask::Fork(log) => {
                let proof = registry.fork_of(log).map(|proof| proof.headers().map(SignedHeader::encode));
                parts.extend(proof.map(|[one, other]| Part::Piece(Piece::Fork(one, other))));
            }
            Ask::Beside(entry) | Ask::Confirming(entry) => {
                if beside.remove(entry) {
                    parts.extend(confirming(registry, entry));
                    parts.extend(matches!(ask, Ask::Beside(_)).then_some(Part::Entry(*entry)));
                }
            }
        }
    }
    parts
}

/// The receipts and paths of an entry.
fn confirming<'a>(registry: &'a Registry, entry: &'a EntryId) -> impl Iterator<Item = Part> + 'a {
    let known = registry.confirmations();
    let receipts = known.present_receipts_of(registry.history(), entry).map(|receipt| Piece::Receipt(receipt.encode()));
    let paths = known.paths_of(entry).map(|path| Piece::Path(*entry, path.encode()));
    receipts.chain(paths).map(Part::Piece)
}

/// Loads an answer from a store, up to the size of a page.
pub fn load_answer(parts: Vec<Part>, mut load: impl FnMut(&EntryId) -> Option<Vec<u8>>) -> Vec<Piece> {
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    for part in parts {
        let piece = match part {
            Part::Piece(piece) => Some(piece),
            Part::Entry(entry) => load(&entry).map(Piece::Entry),
        };
        let Some(piece) = piece else { continue };
        bytes += piece.weight();
        if bytes > PAGE_MAX_BYTES {
            break;
        }
        pieces.push(piece);
    }
    pieces
}

/// Admits pieces into a registry. `operations` counts those of a change, before anything of it is decoded.
pub fn admit(registry: &mut Registry, pieces: &[Piece], operations: impl Fn(&Entry) -> Option<u64>) -> Outcome {
    admit_verified(registry, pieces, &[], operations)
}

/// The same where `valid` says, of the first of the pieces, whether [`prepare_page`](crate::sync::exchange::prepare_page)
/// found their signatures valid: those are not checked again.
pub fn admit_verified(
    registry: &mut Registry,
    pieces: &[Piece],
    valid: &[bool],
    operations: impl Fn(&Entry) -> Option<u64>,
) -> Outcome {
    let topic = registry.topic();
    let mut outcome = Outcome::default();
    for (at, piece) in pieces.iter().enumerate() {
        let is_verified = valid.get(at).copied().unwrap_or(false);
        match piece {
            Piece::Entry(bytes) => match decode_entry(&topic, bytes, is_verified) {
                Err(_) => outcome.rejections.push(Rejection::Forged),
                Ok(entry) => {
                    // What breaks a bound of its log has no effect anywhere; who carried it is not to blame.
                    let Some(operations) = operations(&entry) else { continue };
                    let admitted = match is_verified {
                        true => registry.admit_verified(&entry, operations),
                        false => registry.admit(&entry, operations),
                    };
                    let Ok(received) = admitted else { continue };
                    match received {
                        Received::Kept => {
                            outcome.has_news = true;
                            outcome.kept.push(entry);
                        }
                        // Two entries for one place were news, once.
                        Received::Forked => {
                            outcome.has_news = true;
                            outcome.forked.insert(entry.header().log);
                        }
                        Received::Known | Received::Waiting | Received::NotKept => {}
                    }
                }
            },
            Piece::Receipt(bytes) => match decode_receipt(&topic, bytes, is_verified) {
                Err(()) => outcome.rejections.push(Rejection::Forged),
                Ok(receipt) => {
                    let entry = receipt.entry;
                    if registry.add_receipt(receipt) {
                        outcome.has_news = true;
                        outcome.confirmed.insert(entry);
                    }
                }
            },
            Piece::Path(entry, bytes) => match ProvenPath::decode(bytes) {
                Err(error) => outcome.rejections.push(error.into()),
                Ok(path) => {
                    if registry.add_path(*entry, path) {
                        outcome.has_news = true;
                        outcome.confirmed.insert(*entry);
                    }
                }
            },
            Piece::Fork(one, other) => {
                let headers = [one, other].map(|bytes| SignedHeader::decode(&topic, bytes));
                let [Ok(one), Ok(other)] = headers else {
                    outcome.rejections.push(Rejection::Forged);
                    continue;
                };
                match ForkProof::new(one, other) {
                    None => outcome.rejections.push(Rejection::BadChange),
                    Some(proof) => {
                        let (log, fork_of) =
                            (proof.log(), |registry: &Registry, log| registry.chain(log).and_then(Chain::fork));
                        let before = fork_of(registry, &log);
                        registry.note_fork(proof);
                        if fork_of(registry, &log) != before {
                            outcome.has_news = true;
                            outcome.forked.insert(log);
                        }
                    }
                }
            }
        }
    }
    outcome
}

fn decode_entry(topic: &Topic, bytes: &[u8], is_verified: bool) -> Result<Entry, EntryError> {
    if is_verified { Entry::decode_unverified(topic, bytes) } else { Entry::decode(topic, bytes) }
}

fn decode_receipt(topic: &Topic, bytes: &[u8], is_verified: bool) -> Result<Receipt, ()> {
    if is_verified {
        Receipt::decode_unverified(bytes).map_err(drop)
    } else {
        Receipt::decode(topic, bytes).map_err(drop)
    }
}
