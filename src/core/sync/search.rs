//! Search at connected peers (`/gen/search/2`): a question, and a bounded list of modules that answers it.
//!
//! Each module comes with the proof of its name ([`name_proof`](crate::name_proof)), which the asking side verifies: who holds
//! the name, and which release is the newest. Title, description and tags stand in the holder's document, which no proof of
//! bounded length covers. They are the peer's own text ([`UnverifiedText`]) until the document itself is fetched.
//!
//! ```text
//!   asks      version ‖ text ‖ tag ‖ owner ‖ function ‖ imports nothing ‖ order ‖ how many      one stream
//!   answers   version ‖ up to 20 of (name, name proof, unverified text), best first; up to 64 KiB     then it ends
//! ```
//!
//! An answer without bytes is none: the peer is asked too much, or has no time.

use std::collections::BTreeSet;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::keys::Did;
use crate::limits::{
    DESCRIPTION_MAX_CHARS, MODULE_NAME_MAX_CHARS, QUESTION_MAX_CHARS, RECORD_MAX_BYTES, TAG_MAX_CHARS, TAGS_MAX,
    TITLE_MAX_CHARS,
};
use crate::name::{FoldedName, ModuleName};

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/search/2";
/// The most modules in one answer: as many as people read before they ask more precisely.
pub const FOUND_MAX: usize = 20;
/// Characters of the name of a function in a question. Longer ones are cut.
pub const FUNCTION_MAX_CHARS: usize = 128;
/// The most bytes of a question: its texts in characters of 4 bytes, and what frames them.
pub const QUESTION_MAX_BYTES: usize = 4 * (QUESTION_MAX_CHARS + TAG_MAX_CHARS + FUNCTION_MAX_CHARS) + 128;
/// The most bytes of an answer. A module whose name was given away twice has a proof of some 5 KB, most have 2 KB: so there is
/// room for all of [`FOUND_MAX`] as a rule, and never for more than a page of a file.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024;

const VERSION: u8 = 1;

/// What is asked: a text and conditions, all of which a module must meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Free text; without one the conditions are enough.
    pub text: String,
    pub tag: Option<String>,
    pub owner: Option<Did>,
    /// A function that a module must offer.
    pub function: Option<String>,
    pub imports_nothing: bool,
    pub order: Order,
    /// From 1 to [`FOUND_MAX`].
    pub limit: u8,
}

/// Which modules are named first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Order {
    #[default]
    Relevance = 1,
    Recent = 2,
    Popular = 3,
    Rated = 4,
    Name = 5,
}

impl Order {
    const ALL: [Self; 5] = [Self::Relevance, Self::Recent, Self::Popular, Self::Rated, Self::Name];

    fn of(number: u8) -> Result<Self, DecodeError> {
        Self::ALL.into_iter().find(|order| *order as u8 == number).ok_or(DecodeError::UnknownKind(number))
    }
}

/// An answer: modules of different names, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer(Vec<Found>);

/// A module that answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: ModuleName,
    /// The proof of its name, not verified yet.
    pub proof: Vec<u8>,
    pub text: UnverifiedText,
}

/// Title, description and tags of a module as a peer sent them. Nothing proves them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnverifiedText {
    pub title: String,
    pub description: String,
    pub tags: BTreeSet<String>,
}

impl Question {
    /// Returns the question with its texts cut to what a question may have.
    pub fn cut(mut self) -> Self {
        self.text = cut(&self.text, QUESTION_MAX_CHARS);
        self.tag = self.tag.map(|tag| cut(&tag, TAG_MAX_CHARS));
        self.function = self.function.map(|function| cut(&function, FUNCTION_MAX_CHARS));
        self.limit = self.limit.clamp(1, FOUND_MAX as u8);
        self
    }

    /// The canonical bytes. What is absent is an empty text.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().byte(VERSION).text(&self.text).text(self.tag.as_deref().unwrap_or_default());
        let encoder = match &self.owner {
            None => encoder.byte(0),
            Some(owner) => encoder.byte(1).fixed(owner.as_bytes()),
        };
        let encoder = encoder.text(self.function.as_deref().unwrap_or_default());
        encoder.byte(self.imports_nothing.into()).byte(self.order as u8).byte(self.limit).finish()
    }

    /// Reads what [`Question::encode`] wrote, within every bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > QUESTION_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        version(&mut decoder)?;
        let text = text(&mut decoder, QUESTION_MAX_CHARS)?;
        let tag = optional(&mut decoder, TAG_MAX_CHARS)?;
        let owner =
            if flag(&mut decoder)? { Some(Did::from_digest(Digest::from_bytes(decoder.array()?))) } else { None };
        let function = optional(&mut decoder, FUNCTION_MAX_CHARS)?;
        let (imports_nothing, order) = (flag(&mut decoder)?, Order::of(decoder.byte()?)?);
        let limit = decoder.byte()?;
        decoder.end()?;
        if !(1..=FOUND_MAX).contains(&usize::from(limit)) {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { text, tag, owner, function, imports_nothing, order, limit })
    }
}

impl Answer {
    /// Adds a module behind the others. Returns false, and changes nothing, if it has the name of one of them or there is no
    /// room for it.
    pub fn push(&mut self, found: Found) -> bool {
        let room = ANSWER_MAX_BYTES.saturating_sub(self.encode().len());
        let is_known = self.0.iter().any(|other| other.name.folded() == found.name.folded());
        let fits = self.0.len() < FOUND_MAX && found.write(Encoder::new()).finish().len() <= room;
        if is_known || !fits {
            return false;
        }
        self.0.push(found);
        true
    }

    /// The modules, best first.
    pub fn found(&self) -> &[Found] {
        &self.0
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().byte(VERSION).integer(self.0.len() as u64);
        self.0.iter().fold(encoder, |encoder, found| found.write(encoder)).finish()
    }

    /// Reads what [`Answer::encode`] wrote, within every bound. Verifies no proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > ANSWER_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        version(&mut decoder)?;
        let count = decoder.integer()?;
        if count > FOUND_MAX as u64 {
            return Err(DecodeError::OutOfRange);
        }
        let found = (0..count).map(|_| Found::read(&mut decoder)).collect::<Result<Vec<_>, _>>()?;
        decoder.end()?;
        let names: BTreeSet<FoldedName> = found.iter().map(|found| found.name.folded()).collect();
        if names.len() == found.len() { Ok(Self(found)) } else { Err(DecodeError::OutOfRange) }
    }
}

impl Found {
    fn write(&self, encoder: Encoder) -> Encoder {
        let UnverifiedText { title, description, tags } = &self.text;
        let encoder = encoder.text(self.name.as_str()).bytes(&self.proof).text(title).text(description);
        tags.iter().fold(encoder.integer(tags.len() as u64), |encoder, tag| encoder.text(tag))
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let spelled = text(decoder, MODULE_NAME_MAX_CHARS)?;
        let name: ModuleName = spelled.parse().map_err(|_| DecodeError::OutOfRange)?;
        let proof = decoder.bytes()?;
        if name.as_str() != spelled || proof.len() > RECORD_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let (title, description) = (text(decoder, TITLE_MAX_CHARS)?, text(decoder, DESCRIPTION_MAX_CHARS)?);
        Ok(Self { name, proof: proof.to_vec(), text: UnverifiedText { title, description, tags: tags(decoder)? } })
    }
}

/// Reads tags, which are in ascending order.
fn tags(decoder: &mut Decoder<'_>) -> Result<BTreeSet<String>, DecodeError> {
    let count = decoder.integer()?;
    if count > TAGS_MAX as u64 {
        return Err(DecodeError::OutOfRange);
    }
    let mut tags = BTreeSet::new();
    for _ in 0..count {
        let tag = text(decoder, TAG_MAX_CHARS)?;
        if tag.is_empty() || tags.last().is_some_and(|last| *last >= tag) {
            return Err(DecodeError::OutOfRange);
        }
        tags.insert(tag);
    }
    Ok(tags)
}

fn version(decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
    match decoder.byte()? {
        VERSION => Ok(()),
        other => Err(DecodeError::UnknownKind(other)),
    }
}

fn flag(decoder: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    match decoder.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::OutOfRange),
    }
}

/// Reads a text of at most so many characters.
fn text(decoder: &mut Decoder<'_>, most: usize) -> Result<String, DecodeError> {
    let text = decoder.text()?;
    // No character has more than 4 bytes, so the characters of a longer text are not counted.
    if text.len() > 4 * most || text.chars().count() > most {
        Err(DecodeError::OutOfRange)
    } else {
        Ok(text.to_owned())
    }
}

fn optional(decoder: &mut Decoder<'_>, most: usize) -> Result<Option<String>, DecodeError> {
    Ok(Some(text(decoder, most)?).filter(|text| !text.is_empty()))
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests;
