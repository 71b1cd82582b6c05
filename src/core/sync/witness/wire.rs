//! The messages of `/gen/witness/1`: one request and one answer on each stream, their one encoding, and their limits.
//!
//! The asking side writes its request and closes its half of the stream; the witness writes its answer and closes the
//! other. Nothing longer than its limit is decoded. The asking side checks the receipt: [`check_receipt`].

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::fact::{self, Fact, SignedFact};
use crate::identity::{Identity, SignatureError, Topic};
use crate::limits::FACT_MAX_BYTES;
use crate::sync::witness::WitnessRefusal;
use crate::time::Timestamp;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/witness/1";
/// A topic, a length and a fact.
pub const REQUEST_MAX_BYTES: usize = 32 + 4 + FACT_MAX_BYTES;
/// A kind, a length and a receipt, which is a fact.
pub const ANSWER_MAX_BYTES: usize = 1 + 4 + FACT_MAX_BYTES;

/// "I show you this fact of this network. Give me a receipt for it."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub topic: Topic,
    /// As `Signed::encode` writes it. Releases get a receipt where their claim has one.
    pub fact: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// A signed receipt as `Signed::encode` writes it.
    Receipt(Vec<u8>),
    Refused(WitnessRefusal),
    /// Nothing was decided; ask again later.
    Busy,
    NotServed(NotServed),
}

/// Why a request is none that this witness decides on. Asking again is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    #[error("this witness belongs to another network")]
    ForeignTopic,
    #[error("the request can't be read")]
    Unreadable,
    #[error("the fact can't be read, or its signature is not its author's")]
    BadFact,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a message has at most {most} bytes; this has {found}")]
    Oversized { most: usize, found: usize },
    #[error("the message can't be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("unknown refusal {0}")]
    UnknownRefusal(u8),
    #[error("unknown reason {0} for not being served")]
    UnknownReason(u8),
    #[error("the identity in the answer is no key")]
    NoKey,
}

/// Why bytes are no receipt for a fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("the receipt's signature is refused: {0}")]
    Signature(#[from] SignatureError),
    #[error("the witness signed something else than a receipt")]
    NotAReceipt,
    #[error("the receipt is for another fact")]
    OtherFact,
    #[error("the receipt is signed by somebody who is no witness here")]
    OtherWitness,
}

const RECEIPT: u8 = 1;
const REFUSED: u8 = 2;
const BUSY: u8 = 3;
const NOT_SERVED: u8 = 4;

const NOT_ABOUT_NAMES: u8 = 1;
const FROM_THE_FUTURE: u8 = 2;
const TAKEN: u8 = 3;
const COOLING_DOWN: u8 = 4;
const UNKNOWN_CLAIM: u8 = 5;
const NOT_YOURS: u8 = 6;
const NOT_HOLDER: u8 = 7;
const VERSION_TAKEN: u8 = 8;
const NO_WORK: u8 = 9;

const FOREIGN_TOPIC: u8 = 1;
const UNREADABLE: u8 = 2;
const BAD_FACT: u8 = 3;

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        Encoder::new().fixed(self.topic.as_bytes()).bytes(&self.fact).finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        bounded(bytes, REQUEST_MAX_BYTES)?;
        let mut decoder = Decoder::new(bytes);
        let topic = Topic::from_bytes(decoder.array()?);
        let fact = decoder.bytes()?.to_vec();
        decoder.end()?;
        Ok(Self { topic, fact })
    }
}

impl WitnessAnswer {
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::Receipt(receipt) => encoder.byte(RECEIPT).bytes(receipt),
            Self::Refused(refusal) => put_refusal(encoder.byte(REFUSED), refusal),
            Self::Busy => encoder.byte(BUSY),
            Self::NotServed(why) => encoder.byte(NOT_SERVED).byte(match why {
                NotServed::ForeignTopic => FOREIGN_TOPIC,
                NotServed::Unreadable => UNREADABLE,
                NotServed::BadFact => BAD_FACT,
            }),
        }
        .finish()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        bounded(bytes, ANSWER_MAX_BYTES)?;
        let mut decoder = Decoder::new(bytes);
        let answer = match decoder.byte()? {
            RECEIPT => Self::Receipt(decoder.bytes()?.to_vec()),
            REFUSED => Self::Refused(get_refusal(&mut decoder)?),
            BUSY => Self::Busy,
            NOT_SERVED => Self::NotServed(match decoder.byte()? {
                FOREIGN_TOPIC => NotServed::ForeignTopic,
                UNREADABLE => NotServed::Unreadable,
                BAD_FACT => NotServed::BadFact,
                other => return Err(WireError::UnknownReason(other)),
            }),
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        decoder.end()?;
        Ok(answer)
    }
}

/// Checks that `bytes` are the receipt of one of `witnesses` for `fact`, before anything is made of it.
pub fn check_receipt(
    bytes: &[u8],
    witnesses: &[Identity],
    fact: &SignedFact,
    topic: &Topic,
) -> Result<SignedFact, ReceiptError> {
    let signed = fact::verify(bytes, topic)?;
    match signed.statement() {
        Fact::Receipt(receipt) if receipt.fact != fact.hash() => Err(ReceiptError::OtherFact),
        Fact::Receipt(_) if !witnesses.contains(&signed.author()) => Err(ReceiptError::OtherWitness),
        Fact::Receipt(_) => Ok(signed),
        _ => Err(ReceiptError::NotAReceipt),
    }
}

fn put_refusal(encoder: Encoder, refusal: &WitnessRefusal) -> Encoder {
    match refusal {
        WitnessRefusal::NotAboutNames => encoder.byte(NOT_ABOUT_NAMES),
        WitnessRefusal::FromTheFuture { counts_from } => encoder.byte(FROM_THE_FUTURE).integer(counts_from.as_millis()),
        WitnessRefusal::Taken { by, witnessed_at } => {
            encoder.byte(TAKEN).fixed(by.as_bytes()).integer(witnessed_at.as_millis())
        }
        WitnessRefusal::CoolingDown { free_at } => encoder.byte(COOLING_DOWN).integer(free_at.as_millis()),
        WitnessRefusal::UnknownClaim => encoder.byte(UNKNOWN_CLAIM),
        WitnessRefusal::NotYours => encoder.byte(NOT_YOURS),
        WitnessRefusal::NotHolder => encoder.byte(NOT_HOLDER),
        WitnessRefusal::NoWork { bits } => encoder.byte(NO_WORK).integer((*bits).into()),
        WitnessRefusal::VersionTaken { first } => encoder.byte(VERSION_TAKEN).fixed(first.as_bytes()),
    }
}

fn get_refusal(decoder: &mut Decoder<'_>) -> Result<WitnessRefusal, WireError> {
    Ok(match decoder.byte()? {
        NOT_ABOUT_NAMES => WitnessRefusal::NotAboutNames,
        FROM_THE_FUTURE => WitnessRefusal::FromTheFuture { counts_from: timestamp(decoder)? },
        TAKEN => {
            let by = Identity::from_bytes(&decoder.array()?).map_err(|_| WireError::NoKey)?;
            WitnessRefusal::Taken { by, witnessed_at: timestamp(decoder)? }
        }
        COOLING_DOWN => WitnessRefusal::CoolingDown { free_at: timestamp(decoder)? },
        UNKNOWN_CLAIM => WitnessRefusal::UnknownClaim,
        NOT_YOURS => WitnessRefusal::NotYours,
        NOT_HOLDER => WitnessRefusal::NotHolder,
        NO_WORK => {
            WitnessRefusal::NoWork { bits: u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)? }
        }
        VERSION_TAKEN => WitnessRefusal::VersionTaken { first: Digest::from_bytes(decoder.array()?) },
        other => return Err(WireError::UnknownRefusal(other)),
    })
}

/// A date that a page can show.
fn timestamp(decoder: &mut Decoder<'_>) -> Result<Timestamp, WireError> {
    match Timestamp::from_millis(decoder.integer()?) {
        date if date <= Timestamp::LATEST => Ok(date),
        _ => Err(DecodeError::OutOfRange.into()),
    }
}

fn bounded(bytes: &[u8], most: usize) -> Result<(), WireError> {
    if bytes.len() > most { Err(WireError::Oversized { most, found: bytes.len() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
