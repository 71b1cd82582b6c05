//! Messages of `/gen/witness/2` and their one encoding: what a client asks a witness and is answered, and what witnesses
//! pass on to each other. Nothing is allocated for a length that a message only claims.
//!
//! | request | answered with |
//! |---|---|
//! | *ask*: an entry, its opening, and pieces that show what it builds on | signed, taken, refused, busy, not served |
//! | *learn*: an entry, its opening, and receipts of it | noted, busy, not served |
//! | *name* | named |

use crate::book::Refusal;
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::identity::Topic;
use crate::keys::PublicKey;
use crate::log::{BODY_MAX_BYTES, EntryId, HEADER_BYTES};
use crate::network::WITNESSES_MAX;
use crate::sync::exchange::wire::{Piece, list, many};
use crate::time::Timestamp;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/witness/2";

/// The most bytes of an entry: header, length and body.
pub const ENTRY_MAX_BYTES: usize = HEADER_BYTES + 4 + BODY_MAX_BYTES;
/// The most bytes of the pieces of one request, by their weight.
pub const PIECES_MAX_BYTES: usize = 256 * 1024;
/// The most pieces of one request or answer.
pub const PIECES_MAX: usize = 1_024;
/// The most bytes of a receipt: two keys or digests, three slots, a signature, numbers and lengths.
pub const RECEIPT_MAX_BYTES: usize = 512;
/// The most bytes of a request: the pieces, an entry and its opening, and their framing.
pub const REQUEST_MAX_BYTES: usize = PIECES_MAX_BYTES + 2 * ENTRY_MAX_BYTES + 1_024;
/// The most bytes of an answer: an entry, its opening, and what confirms it.
pub const ANSWER_MAX_BYTES: usize = 128 * 1024;

/// What a witness is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// For a receipt of an entry.
    Ask(Ask),
    /// To note what another witness has signed.
    Learn(Learn),
    /// Which witness it is, so that witnesses can be asked in their order.
    Name(Topic),
}

/// A question for a receipt, with everything that the entry builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub topic: Topic,
    /// Entry 0 of the entry's log, as bytes.
    pub opening: Vec<u8>,
    pub entry: Vec<u8>,
    /// In any order.
    pub pieces: Vec<Piece>,
}

/// What a witness signed, or what an identity key says of its devices, for which there are no receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learn {
    pub topic: Topic,
    pub opening: Vec<u8>,
    pub entry: Vec<u8>,
    pub receipts: Vec<Vec<u8>>,
}

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receipt, as bytes.
    Signed(Vec<u8>),
    /// A slot is taken: the entry that has it, its opening, and its receipts or its path.
    Taken(Vec<Piece>),
    /// A rule forbids it now.
    Refused(Refused),
    /// Nothing can be said now; another time it may.
    Busy,
    NotServed(NotServed),
    /// What was passed on is stored, or was known.
    Noted,
    /// The witness's key. Not proven: what it signs is.
    Named(PublicKey),
}

/// Why a request is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    #[error("the witness serves another network")]
    OtherNetwork,
    #[error("the request can't be read, or a signature in it is wrong")]
    Unreadable,
    #[error("the request has more than {REQUEST_MAX_BYTES} bytes, or more pieces than {PIECES_MAX}")]
    TooLarge,
    #[error("nothing in the request shows that a witness of the set signed this")]
    Unproven,
}

/// A refusal as it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: Code,
    /// The entry that stands against it, is missing, or is the one to follow.
    pub entry: Option<EntryId>,
    /// The earliest time at which asking again may succeed.
    pub until: Option<Timestamp>,
}

/// The stable code of each [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    Taken = 1,
    NoEffect = 2,
    Opening = 3,
    OtherDevice = 4,
    NotWitnessed = 5,
    OtherSet = 6,
    Closed = 7,
    DeviceNotIn = 8,
    Forked = 9,
    OtherKey = 10,
    Unknown = 11,
    DatedAhead = 12,
    NoWork = 13,
    Held = 14,
    NotAfterLastEnd = 15,
    CoolingDown = 16,
    TooManyNames = 17,
    NotWithdrawn = 18,
    EarlierRound = 19,
    NotHolder = 20,
    NotLastMark = 21,
    HoldRuns = 22,
    Away = 23,
    NoVeto = 24,
    NotNextKey = 25,
    Reserved = 26,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 26] = [
        Self::Taken,
        Self::NoEffect,
        Self::Opening,
        Self::OtherDevice,
        Self::NotWitnessed,
        Self::OtherSet,
        Self::Closed,
        Self::DeviceNotIn,
        Self::Forked,
        Self::OtherKey,
        Self::Unknown,
        Self::DatedAhead,
        Self::NoWork,
        Self::Held,
        Self::NotAfterLastEnd,
        Self::CoolingDown,
        Self::TooManyNames,
        Self::NotWithdrawn,
        Self::EarlierRound,
        Self::NotHolder,
        Self::NotLastMark,
        Self::HoldRuns,
        Self::Away,
        Self::NoVeto,
        Self::NotNextKey,
        Self::Reserved,
    ];

    fn of(number: u8) -> Result<Self, DecodeError> {
        Self::ALL.into_iter().find(|code| *code as u8 == number).ok_or(DecodeError::UnknownKind(number))
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let plain = |code| Self { code, entry: None, until: None };
        let about = |code, entry: Option<EntryId>| Self { code, entry, until: None };
        let later = |code, until| Self { code, entry: None, until: Some(until) };
        match *refusal {
            Refusal::Taken(by) => about(Code::Taken, Some(by)),
            Refusal::NoEffect(_) => plain(Code::NoEffect),
            Refusal::Opening(_) => plain(Code::Opening),
            Refusal::OtherDevice => plain(Code::OtherDevice),
            Refusal::NotWitnessed => plain(Code::NotWitnessed),
            Refusal::OtherSet { .. } => plain(Code::OtherSet),
            Refusal::Closed => plain(Code::Closed),
            Refusal::DeviceNotIn => plain(Code::DeviceNotIn),
            Refusal::Forked => plain(Code::Forked),
            Refusal::OtherKey => plain(Code::OtherKey),
            Refusal::Unknown(entry) => about(Code::Unknown, Some(entry)),
            Refusal::DatedAhead => plain(Code::DatedAhead),
            Refusal::NoWork => plain(Code::NoWork),
            Refusal::Held(by) => about(Code::Held, Some(by)),
            Refusal::NotAfterLastEnd(end) => about(Code::NotAfterLastEnd, end),
            Refusal::CoolingDown { until } => later(Code::CoolingDown, until),
            Refusal::TooManyNames { .. } => plain(Code::TooManyNames),
            Refusal::NotWithdrawn(claim) => about(Code::NotWithdrawn, Some(claim)),
            Refusal::EarlierRound => plain(Code::EarlierRound),
            Refusal::NotHolder => plain(Code::NotHolder),
            Refusal::NotLastMark(last) => about(Code::NotLastMark, last),
            Refusal::HoldRuns { until } => later(Code::HoldRuns, until),
            Refusal::Away { until } => later(Code::Away, until),
            Refusal::NoVeto => plain(Code::NoVeto),
            Refusal::NotNextKey => plain(Code::NotNextKey),
            Refusal::Reserved { until } => later(Code::Reserved, until),
        }
    }
}

impl Request {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ask(ask) => {
                let encoder = Encoder::new().byte(1).fixed(ask.topic.as_bytes()).bytes(&ask.opening).bytes(&ask.entry);
                list(encoder, &ask.pieces, |encoder, piece| piece.encode(encoder)).finish()
            }
            Self::Learn(learn) => {
                let encoder = Encoder::new().byte(2).fixed(learn.topic.as_bytes());
                let encoder = encoder.bytes(&learn.opening).bytes(&learn.entry);
                list(encoder, &learn.receipts, |encoder, receipt| encoder.bytes(receipt)).finish()
            }
            Self::Name(topic) => Encoder::new().byte(3).fixed(topic.as_bytes()).finish(),
        }
    }

    /// Reads what [`Request::encode`] wrote, within every bound. Verifies no signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotServed> {
        if bytes.len() > REQUEST_MAX_BYTES {
            return Err(NotServed::TooLarge);
        }
        let request = Self::read(bytes).map_err(|_| NotServed::Unreadable)?;
        if let Self::Ask(ask) = &request {
            let weight: usize = ask.pieces.iter().map(Piece::weight).sum();
            if weight > PIECES_MAX_BYTES || ask.pieces.len() > PIECES_MAX {
                return Err(NotServed::TooLarge);
            }
        }
        Ok(request)
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let kind = decoder.byte()?;
        let topic = Topic::from_bytes(decoder.array()?);
        if kind == 3 {
            decoder.end()?;
            return Ok(Self::Name(topic));
        }
        let (opening, entry) = (entry_bytes(&mut decoder)?, entry_bytes(&mut decoder)?);
        let request = match kind {
            // As many as bytes could hold are counted here, so that too many are told from what is unreadable.
            1 => {
                let pieces = many(&mut decoder, REQUEST_MAX_BYTES, Piece::decode)?;
                Self::Ask(Ask { topic, opening, entry, pieces })
            }
            2 => {
                let receipts = many(&mut decoder, WITNESSES_MAX, receipt_bytes)?;
                Self::Learn(Learn { topic, opening, entry, receipts })
            }
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(request)
    }
}

impl Answer {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::Signed(receipt) => encoder.byte(1).bytes(receipt),
            Self::Taken(pieces) => list(encoder.byte(2), pieces, |encoder, piece| piece.encode(encoder)),
            Self::Refused(Refused { code, entry, until }) => {
                let encoder = encoder.byte(3).byte(*code as u8);
                let encoder = match entry {
                    None => encoder.byte(0),
                    Some(entry) => encoder.byte(1).fixed(entry.as_bytes()),
                };
                match until {
                    None => encoder.byte(0),
                    Some(until) => encoder.byte(1).integer(until.as_millis()),
                }
            }
            Self::Busy => encoder.byte(4),
            Self::NotServed(why) => encoder.byte(5).byte(match why {
                NotServed::OtherNetwork => 1,
                NotServed::Unreadable => 2,
                NotServed::TooLarge => 3,
                NotServed::Unproven => 4,
            }),
            Self::Noted => encoder.byte(6),
            Self::Named(key) => encoder.byte(7).fixed(key.as_bytes()),
        }
        .finish()
    }

    /// Reads what [`Answer::encode`] wrote, within every bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > ANSWER_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        let answer = match decoder.byte()? {
            1 => Self::Signed(receipt_bytes(&mut decoder)?),
            2 => Self::Taken(many(&mut decoder, PIECES_MAX, Piece::decode)?),
            3 => Self::Refused(Refused {
                code: Code::of(decoder.byte()?)?,
                entry: optional(&mut decoder, EntryId::decode)?,
                until: optional(&mut decoder, Decoder::timestamp)?,
            }),
            4 => Self::Busy,
            5 => Self::NotServed(match decoder.byte()? {
                1 => NotServed::OtherNetwork,
                2 => NotServed::Unreadable,
                3 => NotServed::TooLarge,
                4 => NotServed::Unproven,
                other => return Err(DecodeError::UnknownKind(other)),
            }),
            6 => Self::Noted,
            7 => Self::Named(PublicKey::decode(&mut decoder)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(answer)
    }
}

fn entry_bytes(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    bounded(decoder, ENTRY_MAX_BYTES)
}

fn receipt_bytes(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    bounded(decoder, RECEIPT_MAX_BYTES)
}

fn bounded(decoder: &mut Decoder<'_>, most: usize) -> Result<Vec<u8>, DecodeError> {
    let bytes = decoder.bytes()?;
    if bytes.len() > most { Err(DecodeError::OutOfRange) } else { Ok(bytes.to_vec()) }
}

fn optional<'a, T>(
    decoder: &mut Decoder<'a>,
    decode: impl Fn(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match decoder.byte()? {
        0 => Ok(None),
        1 => decode(decoder).map(Some),
        _ => Err(DecodeError::OutOfRange),
    }
}

#[cfg(test)]
mod tests;
