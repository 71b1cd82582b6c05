//! Messages of `/gen/sync/2` and their one encoding. Nothing is allocated for a length that a message only claims.

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, PublicKey};
use crate::log::{EntryId, LogId};
use crate::registry::{Ask, Detail, KNOWN_PLACES_MAX, LogState, OPENINGS_MAX};
use crate::ring::RingRange;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/sync/2";

/// The most bytes of the pieces of one page.
pub const PAGE_MAX_BYTES: usize = 256 * 1024;
/// The most bytes of a message: a page and its framing.
pub const MESSAGE_MAX_BYTES: usize = PAGE_MAX_BYTES + 64 * 1024;
/// States in one `Want` or `News`, identities in one `WantOf`, details in one `Details`, or changes in one `SetChanges`.
pub const WANT_MAX: usize = 64;
/// Logs in one detail.
pub const LOGS_MAX: usize = 1_024;
/// Entries beside the logs in one detail. An identity with more has several details.
pub const BESIDE_MAX: usize = 2_000;
/// Questions in one `Need`.
pub const ASKS_MAX: usize = 256;
/// The first byte of [`Message::Pieces`].
const PIECES: u8 = 7;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Hello(Hello),
    /// The range of which this side keeps everybody from now on.
    Range(RingRange),
    /// Changes of the witness set, in order, each as bytes.
    SetChanges(Vec<Vec<u8>>),
    /// One step of the comparison of all identities.
    Compare {
        round: u64,
        frame: Vec<u8>,
    },
    /// Asks for the details of the identities in these states.
    Want(Vec<Digest>),
    /// Identities of which something changed, and the digests of their states.
    News(Vec<(Did, Digest)>),
    /// Asks for the details of these identities, where their state is another one than the asker's.
    WantOf(Vec<(Did, Digest)>),
    /// What this side has of identities. The last one that answers a `Want` says so.
    Details {
        details: Vec<Detail>,
        is_last: bool,
    },
    Need {
        ticket: u64,
        asks: Vec<Ask>,
    },
    /// The answer to the `Need` of this ticket.
    Pieces {
        ticket: u64,
        pieces: Vec<Piece>,
    },
    /// "I have nothing more to ask in this round."
    Done {
        round: u64,
    },
}

/// The first message of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub topic: Topic,
    /// The version of limits and rules.
    pub parameters: u32,
    /// The newest change of the set that this side follows, and its number.
    pub newest: Digest,
    pub set: u32,
    /// The range of which this side keeps everybody.
    pub range: RingRange,
}

/// One thing that is passed on, as bytes that prove themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Entry(Vec<u8>),
    Receipt(Vec<u8>),
    Path(EntryId, Vec<u8>),
    /// Two headers for one place.
    Fork(Vec<u8>, Vec<u8>),
}

/// The bytes that a detail takes in a message.
pub fn detail_weight(detail: &Detail) -> usize {
    32 + 24 + 32 * detail.openings.len() + 120 * detail.logs.len() + 64 * detail.beside.len()
}

impl Piece {
    /// The bytes that count towards a page.
    pub fn weight(&self) -> usize {
        match self {
            Self::Entry(bytes) | Self::Receipt(bytes) => bytes.len() + 8,
            Self::Path(_, bytes) => bytes.len() + 40,
            Self::Fork(one, other) => one.len() + other.len() + 12,
        }
    }

    /// The canonical bytes of the piece alone.
    pub fn encode_alone(&self) -> Vec<u8> {
        self.encode(Encoder::new()).finish()
    }

    /// Reads what [`Piece::encode_alone`] wrote.
    pub fn decode_alone(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let piece = Self::decode(&mut decoder)?;
        decoder.end()?;
        Ok(piece)
    }

    pub(in crate::sync) fn encode(&self, encoder: Encoder) -> Encoder {
        match self {
            Self::Entry(bytes) => encoder.byte(1).bytes(bytes),
            Self::Receipt(bytes) => encoder.byte(2).bytes(bytes),
            Self::Path(entry, bytes) => encoder.byte(3).fixed(entry.as_bytes()).bytes(bytes),
            Self::Fork(one, other) => encoder.byte(4).bytes(one).bytes(other),
        }
    }

    pub(in crate::sync) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.byte()? {
            1 => Ok(Self::Entry(decoder.bytes()?.to_vec())),
            2 => Ok(Self::Receipt(decoder.bytes()?.to_vec())),
            3 => Ok(Self::Path(EntryId::decode(decoder)?, decoder.bytes()?.to_vec())),
            4 => Ok(Self::Fork(decoder.bytes()?.to_vec(), decoder.bytes()?.to_vec())),
            other => Err(DecodeError::UnknownKind(other)),
        }
    }
}

impl Message {
    /// Returns whether bytes are those of pieces, if they are of a message.
    pub fn is_page(bytes: &[u8]) -> bool {
        bytes.first() == Some(&PIECES)
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::Hello(hello) => {
                let encoder = encoder.byte(1).fixed(hello.topic.as_bytes()).integer(hello.parameters.into());
                hello.range.encode(encoder.fixed(hello.newest.as_bytes()).integer(hello.set.into()))
            }
            Self::Range(range) => range.encode(encoder.byte(11)),
            Self::SetChanges(changes) => list(encoder.byte(2), changes, |encoder, bytes| encoder.bytes(bytes)),
            Self::Compare { round, frame } => encoder.byte(3).integer(*round).bytes(frame),
            Self::Want(states) => list(encoder.byte(4), states, |encoder, state| encoder.fixed(state.as_bytes())),
            Self::Details { details, is_last } => list(encoder.byte(5).byte((*is_last).into()), details, encode_detail),
            Self::Need { ticket, asks } => list(encoder.byte(6).integer(*ticket), asks, encode_ask),
            Self::Pieces { ticket, pieces } => {
                list(encoder.byte(PIECES).integer(*ticket), pieces, |encoder, piece| piece.encode(encoder))
            }
            Self::Done { round } => encoder.byte(8).integer(*round),
            Self::News(news) => list(encoder.byte(9), news, encode_state),
            Self::WantOf(states) => list(encoder.byte(10), states, encode_state),
        }
        .finish()
    }

    /// Reads what [`Message::encode`] wrote, within every bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        let digest = |decoder: &mut Decoder<'_>| decoder.array().map(Digest::from_bytes);
        let state = |decoder: &mut Decoder<'_>| Ok((Did::from_digest(digest(decoder)?), digest(decoder)?));
        let message = match decoder.byte()? {
            1 => Self::Hello(Hello {
                topic: Topic::from_bytes(decoder.array()?),
                parameters: small(&mut decoder)?,
                newest: digest(&mut decoder)?,
                set: small(&mut decoder)?,
                range: RingRange::decode(&mut decoder)?,
            }),
            2 => Self::SetChanges(many(&mut decoder, WANT_MAX, |decoder| decoder.bytes().map(<[u8]>::to_vec))?),
            3 => Self::Compare { round: decoder.integer()?, frame: decoder.bytes()?.to_vec() },
            4 => Self::Want(many(&mut decoder, WANT_MAX, digest)?),
            5 => {
                let is_last = match decoder.byte()? {
                    0 => false,
                    1 => true,
                    _ => return Err(DecodeError::OutOfRange),
                };
                Self::Details { details: many(&mut decoder, WANT_MAX, decode_detail)?, is_last }
            }
            6 => Self::Need { ticket: decoder.integer()?, asks: many(&mut decoder, ASKS_MAX, decode_ask)? },
            PIECES => Self::Pieces {
                ticket: decoder.integer()?,
                pieces: many(&mut decoder, PAGE_MAX_BYTES / 8, Piece::decode)?,
            },
            8 => Self::Done { round: decoder.integer()? },
            9 => Self::News(many(&mut decoder, WANT_MAX, state)?),
            10 => Self::WantOf(many(&mut decoder, WANT_MAX, state)?),
            11 => Self::Range(RingRange::decode(&mut decoder)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(message)
    }
}

/// Appends values behind their number.
pub(in crate::sync) fn list<T>(encoder: Encoder, values: &[T], encode: impl Fn(Encoder, &T) -> Encoder) -> Encoder {
    values.iter().fold(encoder.integer(values.len() as u64), encode)
}

/// Reads what [`list`] wrote, at most so many.
pub(in crate::sync) fn many<T>(
    decoder: &mut Decoder<'_>,
    most: usize,
    decode: impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = decoder.integer()?;
    if count > most as u64 {
        return Err(DecodeError::OutOfRange);
    }
    (0..count).map(|_| decode(decoder)).collect()
}

fn small(decoder: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)
}

fn encode_state(encoder: Encoder, (did, digest): &(Did, Digest)) -> Encoder {
    encoder.fixed(did.as_bytes()).fixed(digest.as_bytes())
}

fn encode_log(encoder: Encoder, log: &LogId) -> Encoder {
    encoder.fixed(log.opening.as_bytes()).fixed(log.device.as_bytes()).integer(log.number.into())
}

fn decode_log(decoder: &mut Decoder<'_>) -> Result<LogId, DecodeError> {
    let (opening, device) = (Digest::from_bytes(decoder.array()?), PublicKey::decode(decoder)?);
    Ok(LogId { opening, device, number: small(decoder)? })
}

fn encode_detail(encoder: Encoder, detail: &Detail) -> Encoder {
    let encoder = list(encoder.fixed(detail.did.as_bytes()), &detail.openings, |encoder, opening| {
        encoder.fixed(opening.as_bytes())
    });
    let encoder = list(encoder, &detail.logs, |encoder, state| {
        let encoder = encode_log(encoder, &state.log).integer(state.length);
        let encoder = encoder.fixed(&state.head.map_or([0; 32], |head| *head.as_bytes()));
        encoder.integer(state.fork.map_or(0, |fork| fork + 1))
    });
    list(encoder, &detail.beside, |encoder, (entry, digest)| encoder.fixed(entry.as_bytes()).fixed(digest.as_bytes()))
}

fn decode_detail(decoder: &mut Decoder<'_>) -> Result<Detail, DecodeError> {
    let did = Did::from_digest(Digest::from_bytes(decoder.array()?));
    let openings = many(decoder, OPENINGS_MAX, |decoder| decoder.array().map(Digest::from_bytes))?;
    let logs = many(decoder, LOGS_MAX, |decoder| {
        let (log, length, head) = (decode_log(decoder)?, decoder.integer()?, EntryId::decode(decoder)?);
        let fork = decoder.integer()?.checked_sub(1);
        let head = (length > 0).then_some(head);
        Ok(LogState { log, length, head, fork })
    })?;
    let beside =
        many(decoder, BESIDE_MAX, |decoder| Ok((EntryId::decode(decoder)?, Digest::from_bytes(decoder.array()?))))?;
    Ok(Detail { did, openings, logs, beside })
}

fn encode_ask(encoder: Encoder, ask: &Ask) -> Encoder {
    match ask {
        Ask::Opening(opening) => encoder.byte(1).fixed(opening.as_bytes()),
        Ask::Log { log, known } => list(encode_log(encoder.byte(2), log), known, |encoder, (seq, entry)| {
            encoder.integer(*seq).fixed(entry.as_bytes())
        }),
        Ask::Fork(log) => encode_log(encoder.byte(3), log),
        Ask::Beside(entry) => encoder.byte(4).fixed(entry.as_bytes()),
        Ask::Confirming(entry) => encoder.byte(5).fixed(entry.as_bytes()),
    }
}

fn decode_ask(decoder: &mut Decoder<'_>) -> Result<Ask, DecodeError> {
    match decoder.byte()? {
        1 => Ok(Ask::Opening(Digest::from_bytes(decoder.array()?))),
        2 => {
            let log = decode_log(decoder)?;
            let place = |decoder: &mut Decoder<'_>| Ok((decoder.integer()?, EntryId::decode(decoder)?));
            Ok(Ask::Log { log, known: many(decoder, KNOWN_PLACES_MAX, place)? })
        }
        3 => Ok(Ask::Fork(decode_log(decoder)?)),
        4 => Ok(Ask::Beside(EntryId::decode(decoder)?)),
        5 => Ok(Ask::Confirming(EntryId::decode(decoder)?)),
        other => Err(DecodeError::UnknownKind(other)),
    }
}
