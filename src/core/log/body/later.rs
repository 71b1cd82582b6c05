//! Bodies that later parts of the registry give a meaning to. Their numbers and encodings are fixed, so that a program of
//! today keeps and passes on what one of tomorrow writes.

use super::names::{decode_optional, optional};
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::keys::{Did, PublicKey};
use crate::limits::{REASON_MAX_CHARS, VERSION_MAX_CHARS};
use crate::log::{EntryId, PATTERN_MAX_CHARS};
use crate::time::Timestamp;

/// Characters of a label's word, or of the kind of an attestation.
pub const LABEL_MAX_CHARS: usize = 64;
/// The most blocks of one label set, or ranges of one holding.
pub const PARTS_MAX: usize = 64;

/// "This identity, or this device, may do that with these modules."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// A name, or the beginning of names with `*` behind it.
    pub modules: String,
    /// One bit each: publish, yank, edit, rate, grant.
    pub verbs: u8,
    pub to: Grantee,
    /// By the witnesses' time.
    pub not_after: Option<Timestamp>,
    /// The grant that this one narrows.
    pub parent: Option<EntryId>,
    /// The claim of the module's name that authorises it.
    pub under: EntryId,
}

/// Whom a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    Identity(Did),
    Device(PublicKey),
}

/// "That grant ends", with the last entries under it that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    pub grant: EntryId,
    /// In ascending order, each once.
    pub last: Vec<EntryId>,
}

/// "This word fits that", or, with `negates`, does not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The digest of an identity, an entry or a file.
    pub subject: Digest,
    pub word: String,
    /// The versions that it is about, as a requirement; empty for all.
    pub versions: String,
    pub reason: String,
    pub negates: Option<EntryId>,
    pub at: Timestamp,
}

/// A list of labels in blocks, which replaces the list of the number before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSet {
    pub number: u64,
    pub labels: u64,
    pub blocks: Vec<Digest>,
    pub at: Timestamp,
}

/// "I found this about that release", as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub release: EntryId,
    pub kind: String,
    pub file: Digest,
    pub at: Timestamp,
}

/// "I keep these ranges of the ring of identities", each from the first digest up to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    pub number: u64,
    pub ranges: Vec<(Digest, Digest)>,
    pub at: Timestamp,
}

const VERBS_MAX: u8 = 31;

impl Grant {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.text(&self.modules).byte(self.verbs);
        let encoder = match &self.to {
            Grantee::Identity(did) => encoder.byte(1).fixed(did.as_bytes()),
            Grantee::Device(device) => encoder.byte(2).fixed(device.as_bytes()),
        };
        let encoder = match self.not_after {
            None => encoder.byte(0),
            Some(at) => encoder.byte(1).integer(at.as_millis()),
        };
        optional(encoder, self.parent.as_ref()).fixed(self.under.as_bytes())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (modules, verbs) = (text(decoder, PATTERN_MAX_CHARS)?, decoder.byte()?);
        let to = match decoder.byte()? {
            1 => Grantee::Identity(Did::from_digest(Digest::from_bytes(decoder.array()?))),
            2 => Grantee::Device(PublicKey::decode(decoder)?),
            _ => return Err(DecodeError::OutOfRange),
        };
        let not_after = match decoder.byte()? {
            0 => None,
            1 => Some(decoder.timestamp()?),
            _ => return Err(DecodeError::OutOfRange),
        };
        if verbs == 0 || verbs > VERBS_MAX || modules.is_empty() {
            return Err(DecodeError::OutOfRange);
        }
        let parent = decode_optional(decoder)?;
        Ok(Self { modules, verbs, to, not_after, parent, under: EntryId::decode(decoder)? })
    }
}

impl Revoke {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.fixed(self.grant.as_bytes()).byte(self.last.len() as u8);
        self.last.iter().fold(encoder, |encoder, id| encoder.fixed(id.as_bytes()))
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let grant = EntryId::decode(decoder)?;
        let last: Vec<EntryId> = parts(decoder)?.map(|_| EntryId::decode(decoder)).collect::<Result<_, _>>()?;
        let ascend = last.windows(2).all(|pair| pair[0] < pair[1]);
        if ascend { Ok(Self { grant, last }) } else { Err(DecodeError::OutOfRange) }
    }
}

impl Label {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.fixed(self.subject.as_bytes()).text(&self.word).text(&self.versions).text(&self.reason);
        optional(encoder, self.negates.as_ref()).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let subject = Digest::from_bytes(decoder.array()?);
        let (word, versions) = (text(decoder, LABEL_MAX_CHARS)?, text(decoder, VERSION_MAX_CHARS)?);
        let reason = text(decoder, REASON_MAX_CHARS)?;
        let negates = decode_optional(decoder)?;
        if word.is_empty() {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { subject, word, versions, reason, negates, at: decoder.timestamp()? })
    }
}

impl LabelSet {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.integer(self.number).integer(self.labels).byte(self.blocks.len() as u8);
        let encoder = self.blocks.iter().fold(encoder, |encoder, block| encoder.fixed(block.as_bytes()));
        encoder.integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (number, labels) = (decoder.integer()?, decoder.integer()?);
        let blocks = parts(decoder)?.map(|_| decoder.array().map(Digest::from_bytes)).collect::<Result<_, _>>()?;
        Ok(Self { number, labels, blocks, at: decoder.timestamp()? })
    }
}

impl Attestation {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.fixed(self.release.as_bytes()).text(&self.kind);
        encoder.fixed(self.file.as_bytes()).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (release, kind) = (EntryId::decode(decoder)?, text(decoder, LABEL_MAX_CHARS)?);
        let file = Digest::from_bytes(decoder.array()?);
        if kind.is_empty() {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { release, kind, file, at: decoder.timestamp()? })
    }
}

impl Holding {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.integer(self.number).byte(self.ranges.len() as u8);
        let encoder =
            self.ranges.iter().fold(encoder, |encoder, (from, to)| encoder.fixed(from.as_bytes()).fixed(to.as_bytes()));
        encoder.integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let number = decoder.integer()?;
        let range = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            Ok((Digest::from_bytes(decoder.array()?), Digest::from_bytes(decoder.array()?)))
        };
        let ranges = parts(decoder)?.map(|_| range(decoder)).collect::<Result<_, _>>()?;
        Ok(Self { number, ranges, at: decoder.timestamp()? })
    }
}

fn text(decoder: &mut Decoder<'_>, most: usize) -> Result<String, DecodeError> {
    let text = decoder.text()?;
    if text.chars().count() > most { Err(DecodeError::OutOfRange) } else { Ok(text.to_owned()) }
}

fn parts(decoder: &mut Decoder<'_>) -> Result<std::ops::Range<usize>, DecodeError> {
    let count = usize::from(decoder.byte()?);
    if count > PARTS_MAX { Err(DecodeError::OutOfRange) } else { Ok(0..count) }
}
