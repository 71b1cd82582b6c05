//! What peers say to each other in `/gen/sync/1`: messages, their one encoding, and every size limit by name.
//!
//! Nothing larger than its limit is decoded, and nothing is allocated for a length that a message only claims.

use std::collections::BTreeMap;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::document::SignedChange;
use crate::identity::{Identity, Topic};
use crate::limits::{CHANGE_MAX_BYTES, PARAMETERS_VERSION};
use crate::sync::rejection::Rejection;
use crate::sync::version_vector::{DocumentVector, Seen, VECTOR_MAX_ACTORS, change_weight};

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/sync/1";
pub const PROTOCOL_VERSION: u32 = 1;

/// The most bytes of one page: its changes, each with its framing.
pub const SYNC_PAGE_BYTES: usize = 256 * 1024;
/// A peer that takes less could not be given every change.
pub const PAGE_MIN_BYTES: usize = 2 * CHANGE_MAX_BYTES;
/// The longest message: a page, or one document's longest vector, and its framing.
pub const MESSAGE_MAX_BYTES: usize = SYNC_PAGE_BYTES + 16 * 1024;
/// The most bytes of a frame of the comparison.
pub const FRAME_MAX_BYTES: usize = 60_000;
/// The most bytes of a message on gossip.
pub const GOSSIP_MAX_BYTES: usize = 16 * 1024;
/// Changes up to this travel inside their announcement.
pub const INLINE_MAX_BYTES: usize = 8 * 1024;
/// Documents in one `Have` or `Need`.
pub const VECTORS_MAX: usize = 64;
/// Document states in one `Want`.
pub const WANT_MAX: usize = 64;
/// Newest changes named in one announcement.
pub const HEADS_MAX: usize = 64;

const ACTOR_MAX_BYTES: usize = 64;
const SIGNATURE_BYTES: usize = 64;

/// The first message of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub version: u32,
    pub topic: Topic,
    /// Of `crate::limits`.
    pub parameters: u32,
    /// The largest page this side takes.
    pub page_bytes: u32,
}

/// One message of the sync protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Hello(Hello),
    /// One step of the comparison of all documents.
    Compare {
        round: u64,
        frame: Vec<u8>,
    },
    /// Asks for the vectors of the documents in these states.
    Want(Vec<Digest>),
    /// "This I have of these documents."
    Have(Vec<DocumentVector>),
    /// "Send me what lies beyond this."
    Need {
        ticket: u64,
        vectors: Vec<DocumentVector>,
    },
    /// The answer to the `Need` with the same ticket.
    Changes {
        ticket: u64,
        changes: Vec<SignedChange>,
        /// Owners of whose changes the page could not hold all.
        unfinished: Vec<Identity>,
    },
    /// "I have nothing more to offer or to ask in this round."
    Done {
        round: u64,
    },
    /// New changes, on gossip.
    Announce(Vec<SignedChange>),
    /// A document's new state, on gossip, when the changes are too large for it.
    AnnounceHeads {
        owner: Identity,
        heads: Vec<Digest>,
    },
}

const HELLO: u8 = 1;
const COMPARE: u8 = 2;
const WANT: u8 = 3;
const HAVE: u8 = 4;
const NEED: u8 = 5;
const CHANGES: u8 = 6;
const DONE: u8 = 7;
const ANNOUNCE: u8 = 8;
const ANNOUNCE_HEADS: u8 = 9;

impl Hello {
    pub fn new(topic: Topic) -> Self {
        Self { version: PROTOCOL_VERSION, topic, parameters: PARAMETERS_VERSION, page_bytes: SYNC_PAGE_BYTES as u32 }
    }
}

impl Message {
    /// New changes of one owner as they are announced: inline when small.
    pub fn announcement(owner: Identity, changes: Vec<SignedChange>, heads: Vec<Digest>) -> Self {
        if changes.iter().map(change_weight).sum::<usize>() <= INLINE_MAX_BYTES {
            Self::Announce(changes)
        } else {
            Self::AnnounceHeads { owner, heads: heads.into_iter().take(HEADS_MAX).collect() }
        }
    }

    /// True for what travels on gossip.
    pub fn is_announcement(&self) -> bool {
        matches!(self, Self::Announce(_) | Self::AnnounceHeads { .. })
    }

    /// Encodes the message: one byte for its kind, then its fields in [`canonical`](crate::canonical) form.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::Hello(hello) => {
                let encoder = encoder.byte(HELLO).integer(hello.version.into()).fixed(hello.topic.as_bytes());
                encoder.integer(hello.parameters.into()).integer(hello.page_bytes.into())
            }
            Self::Compare { round, frame } => encoder.byte(COMPARE).integer(*round).bytes(frame),
            Self::Want(ids) => digests(encoder.byte(WANT), ids),
            Self::Have(vectors) => put_vectors(encoder.byte(HAVE), vectors),
            Self::Need { ticket, vectors } => put_vectors(encoder.byte(NEED).integer(*ticket), vectors),
            Self::Changes { ticket, changes, unfinished } => {
                let encoder = put_changes(encoder.byte(CHANGES).integer(*ticket), changes);
                let encoder = encoder.integer(unfinished.len() as u64);
                unfinished.iter().fold(encoder, |encoder, owner| encoder.fixed(owner.as_bytes()))
            }
            Self::Done { round } => encoder.byte(DONE).integer(*round),
            Self::Announce(changes) => put_changes(encoder.byte(ANNOUNCE), changes),
            Self::AnnounceHeads { owner, heads } => {
                digests(encoder.byte(ANNOUNCE_HEADS).fixed(owner.as_bytes()), heads)
            }
        }
        .finish()
    }

    /// Decodes a message and checks its limits. Signatures are not verified here.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MESSAGE_MAX_BYTES {
            return Err(Rejection::Oversized);
        }
        let mut decoder = Decoder::new(bytes);
        let message = match decoder.byte()? {
            HELLO => {
                let version = small(&mut decoder)?;
                // A newer version may say more, or otherwise, from here on.
                if version > PROTOCOL_VERSION {
                    return Err(Rejection::FutureVersion);
                }
                let topic = Topic::from_bytes(decoder.array()?);
                let (parameters, page_bytes) = (small(&mut decoder)?, small(&mut decoder)?);
                Self::Hello(Hello { version, topic, parameters, page_bytes })
            }
            COMPARE => {
                let (round, frame) = (decoder.integer()?, decoder.bytes()?);
                if frame.len() > FRAME_MAX_BYTES {
                    return Err(Rejection::Oversized);
                }
                Self::Compare { round, frame: frame.to_vec() }
            }
            WANT => Self::Want(get_digests(&mut decoder, WANT_MAX)?),
            HAVE => Self::Have(get_vectors(&mut decoder)?),
            NEED => Self::Need { ticket: decoder.integer()?, vectors: get_vectors(&mut decoder)? },
            CHANGES => {
                let (ticket, changes) = (decoder.integer()?, get_changes(&mut decoder)?);
                let count = count(&mut decoder, VECTORS_MAX)?;
                let unfinished = (0..count).map(|_| identity(&mut decoder)).collect::<Result<_, _>>()?;
                Self::Changes { ticket, changes, unfinished }
            }
            DONE => Self::Done { round: decoder.integer()? },
            ANNOUNCE | ANNOUNCE_HEADS if bytes.len() > GOSSIP_MAX_BYTES => return Err(Rejection::Oversized),
            ANNOUNCE => Self::Announce(get_changes(&mut decoder)?),
            ANNOUNCE_HEADS => {
                Self::AnnounceHeads { owner: identity(&mut decoder)?, heads: get_digests(&mut decoder, HEADS_MAX)? }
            }
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        decoder.end()?;
        Ok(message)
    }
}

fn digests(encoder: Encoder, digests: &[Digest]) -> Encoder {
    let encoder = encoder.integer(digests.len() as u64);
    digests.iter().fold(encoder, |encoder, digest| encoder.fixed(digest.as_bytes()))
}

fn put_vectors(encoder: Encoder, vectors: &[DocumentVector]) -> Encoder {
    vectors.iter().fold(encoder.integer(vectors.len() as u64), |encoder, vector| {
        let encoder = encoder.fixed(vector.owner.as_bytes()).byte(vector.forked.into());
        vector.actors.iter().fold(encoder.integer(vector.actors.len() as u64), |encoder, (actor, seen)| {
            encoder.bytes(actor).integer(seen.seq).fixed(seen.trail.as_bytes())
        })
    })
}

fn put_changes(encoder: Encoder, changes: &[SignedChange]) -> Encoder {
    changes.iter().fold(encoder.integer(changes.len() as u64), |encoder, change| {
        encoder.fixed(change.owner.as_bytes()).bytes(&change.bytes).bytes(&change.signature)
    })
}

fn small(decoder: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)
}

fn count(decoder: &mut Decoder<'_>, most: usize) -> Result<usize, Rejection> {
    match usize::try_from(decoder.integer()?) {
        Ok(count) if count <= most => Ok(count),
        _ => Err(Rejection::Oversized),
    }
}

/// A bad key can own nothing; it is refused here, so that no later part meets one.
fn identity(decoder: &mut Decoder<'_>) -> Result<Identity, Rejection> {
    Ok(Identity::from_bytes(&decoder.array()?).map_err(|_| DecodeError::OutOfRange)?)
}

fn get_digests(decoder: &mut Decoder<'_>, most: usize) -> Result<Vec<Digest>, Rejection> {
    let count = count(decoder, most)?;
    (0..count).map(|_| Ok(Digest::from_bytes(decoder.array()?))).collect()
}

fn get_vectors(decoder: &mut Decoder<'_>) -> Result<Vec<DocumentVector>, Rejection> {
    let count = count(decoder, VECTORS_MAX)?;
    (0..count).map(|_| get_vector(decoder)).collect()
}

fn get_vector(decoder: &mut Decoder<'_>) -> Result<DocumentVector, Rejection> {
    let owner = identity(decoder)?;
    let forked = match decoder.byte()? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::OutOfRange.into()),
    };
    let mut actors: BTreeMap<Vec<u8>, Seen> = BTreeMap::new();
    for _ in 0..count(decoder, VECTOR_MAX_ACTORS)? {
        let actor = decoder.bytes()?;
        if actor.len() > ACTOR_MAX_BYTES {
            return Err(Rejection::Oversized);
        }
        let (seq, trail) = (decoder.integer()?, Digest::from_bytes(decoder.array()?));
        // One vector, one spelling.
        let ordered = actors.last_key_value().is_none_or(|(last, _)| last.as_slice() < actor);
        if !ordered || seq == 0 {
            return Err(DecodeError::OutOfRange.into());
        }
        actors.insert(actor.to_vec(), Seen { seq, trail });
    }
    Ok(DocumentVector { owner, forked, actors })
}

fn get_changes(decoder: &mut Decoder<'_>) -> Result<Vec<SignedChange>, Rejection> {
    // No change is shorter than its owner and two lengths.
    let count = count(decoder, MESSAGE_MAX_BYTES / 40)?;
    let mut changes = Vec::new();
    for _ in 0..count {
        let owner = identity(decoder)?;
        let (bytes, signature) = (decoder.bytes()?, decoder.bytes()?);
        if bytes.len() > CHANGE_MAX_BYTES || signature.len() > SIGNATURE_BYTES {
            return Err(Rejection::Oversized);
        }
        changes.push(SignedChange { owner, bytes: bytes.to_vec(), signature: signature.to_vec() });
    }
    Ok(changes)
}

#[cfg(test)]
mod tests;
