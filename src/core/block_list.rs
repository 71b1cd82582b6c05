//! The block list: which people, peers and modules a person blocks or trusts. It travels between the person's own
//! devices inside the document, sealed, so that all peers carry it and only the owner reads it.
//!
//! An entry is never deleted: reversing it is an entry, too, so that of two devices the one that decided last wins.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::{Digest, hex};
use crate::keys::{Did, DidError};
use crate::name::{ModuleName, NameError};
use crate::sealing::{self, NONCE_BYTES, StretchedKey};
use crate::time::Timestamp;

/// Entries of one person, those taken back among them.
pub const ENTRIES_MAX: usize = 256;
/// Why somebody is on the list, in the person's own words.
pub const NOTE_MAX_CHARS: usize = 56;
/// A libp2p peer id of an ed25519 key has 52.
const PEER_MAX_BYTES: usize = 64;
/// The bytes of every entry before it is sealed: a fixed length gives nothing away.
const ENTRY_BYTES: usize = 512;
/// A sealed entry: nonce, entry and its seal's tag.
pub const SEALED_BYTES: usize = NONCE_BYTES + ENTRY_BYTES + TAG_BYTES;
const TAG_BYTES: usize = 16;

/// The person, peer or module that an entry is about. Written as `person:did:gen:…`, `peer:12D3…`, `module:name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    Person(Did),
    /// A node, by its libp2p peer id.
    Peer(PeerIdText),
    Module(ModuleName),
}

/// A libp2p peer id as it is written; whether it is one is for those to say who dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIdText(String);

/// Why a text is no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error("it begins with none of “person:”, “peer:” and “module:”")]
    Kind,
    #[error("nobody has this identity: {0}")]
    Person(#[from] DidError),
    #[error(transparent)]
    Peer(#[from] PeerIdError),
    #[error("no module has this name: {0}")]
    Module(#[from] NameError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer's id has up to {PEER_MAX_BYTES} letters and digits")]
pub struct PeerIdError;

/// A decision about a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BlockDecision {
    /// Nothing of it is shown, taken or asked for.
    Block,
    /// Kept, whatever else speaks against it.
    Allow,
    /// Taken back.
    Neither,
}

/// One decision of the person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub verdict: BlockDecision,
    pub note: String,
}

/// All decisions, at most [`ENTRIES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockList(BTreeMap<Subject, Entry>);

/// Why a decision is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("a list has at most {ENTRIES_MAX} entries")]
    Full,
    #[error("a note has at most {NOTE_MAX_CHARS} characters")]
    NoteTooLong,
}

/// Why a sealed entry can't be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it was sealed for somebody else, or was changed")]
    Sealed(#[from] sealing::SealError),
    #[error("it can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("it has another length than every sealed entry")]
    Length,
    #[error("it stands under another entry's key")]
    WrongPlace,
}

/// What seals one person's lists. Every device of the person that holds the list key has it.
pub struct ListKey {
    seal: StretchedKey,
    places: Zeroizing<[u8; 32]>,
}

impl FromStr for PeerIdText {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let sound = (1..=PEER_MAX_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if sound { Ok(Self(text.to_owned())) } else { Err(PeerIdError) }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match text.split_once(':') {
            Some(("person", did)) => Ok(Self::Person(did.parse()?)),
            Some(("peer", id)) => Ok(Self::Peer(id.parse()?)),
            Some(("module", name)) => Ok(Self::Module(name.parse()?)),
            _ => Err(SubjectError::Kind),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(identity) => write!(formatter, "person:{identity}"),
            Self::Peer(peer) => write!(formatter, "peer:{peer}"),
            Self::Module(name) => write!(formatter, "module:{name}"),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for PeerIdText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl BlockList {
    /// The decision that counts, [`BlockDecision::Neither`] without one.
    pub fn verdict(&self, subject: &Subject) -> BlockDecision {
        self.0.get(subject).map_or(BlockDecision::Neither, |entry| entry.verdict)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What counts, in the order of the subjects.
    pub fn entries(&self) -> impl Iterator<Item = (&Subject, &Entry)> {
        self.0.iter().filter(|(_, entry)| entry.verdict != BlockDecision::Neither)
    }

    /// The person's decision. It is dated after everything that was decided about the subject before.
    pub fn decide(
        &mut self,
        subject: Subject,
        verdict: BlockDecision,
        note: String,
        now: Timestamp,
    ) -> Result<(), ListError> {
        if note.chars().count() > NOTE_MAX_CHARS {
            return Err(ListError::NoteTooLong);
        }
        let known = self.0.get(&subject);
        if known.is_none() && self.0.len() >= ENTRIES_MAX && !self.forget_one() {
            return Err(ListError::Full);
        }
        let after = self.0.get(&subject).map_or(0, |entry| entry.at.as_millis() + 1);
        let at = now.max(Timestamp::from_millis(after));
        self.0.insert(subject, Entry { at, verdict, note });
        Ok(())
    }

    /// Takes over what another device decided later. Returns whether that changed anything.
    pub fn merge(&mut self, others: impl IntoIterator<Item = (Subject, Entry)>) -> bool {
        let mut changed = false;
        for (subject, entry) in others {
            let newer = self.0.get(&subject).is_none_or(|known| *known < entry);
            let room = self.0.contains_key(&subject) || self.0.len() < ENTRIES_MAX || self.forget_one();
            if newer && room {
                self.0.insert(subject, entry);
                changed = true;
            }
        }
        changed
    }

    /// What is decided here and not, or not so, in `others`.
    pub fn beyond<'a>(
        &'a self,
        others: &'a BTreeMap<Subject, Entry>,
    ) -> impl Iterator<Item = (&'a Subject, &'a Entry)> {
        self.0.iter().filter(|(subject, entry)| others.get(*subject).is_none_or(|known| known < *entry))
    }

    /// The oldest of what was taken back makes room.
    fn forget_one(&mut self) -> bool {
        let taken_back = self.0.iter().filter(|(_, entry)| entry.verdict == BlockDecision::Neither);
        let oldest = taken_back.min_by_key(|(_, entry)| entry.at).map(|(subject, _)| subject.clone());
        oldest.is_some_and(|oldest| self.0.remove(&oldest).is_some())
    }
}

impl ListKey {
    /// Derives the keys from the identity's list key ([`SecretKey::list_key`](crate::keys::SecretKey::list_key)).
    pub fn of(list_key: &[u8; 32]) -> Self {
        let derive = |what: &str| {
            let digest = Digest::of(&Encoder::new().text(what).fixed(list_key).finish());
            Zeroizing::new(*digest.as_bytes())
        };
        Self { seal: derive("gen-registry/lists/seal/v2"), places: derive("gen-registry/lists/places/v2") }
    }

    /// The key of the subject's entry in the document. Without this secret key the subject can't be found out from it.
    pub fn place(&self, subject: &Subject) -> String {
        let digest = Digest::of(&put_subject(Encoder::new().fixed(&self.places), subject).finish());
        hex(&digest.as_bytes()[..16])
    }

    /// Seals an entry, padded to one length for all; `nonce` is random.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], subject: &Subject, entry: &Entry) -> Vec<u8> {
        let verdict = match entry.verdict {
            BlockDecision::Neither => 0,
            BlockDecision::Block => 1,
            BlockDecision::Allow => 2,
        };
        let encoder = put_subject(Encoder::new(), subject);
        let mut plain = encoder.byte(verdict).integer(entry.at.as_millis()).text(&entry.note).finish();
        debug_assert!(plain.len() <= ENTRY_BYTES, "the longest name and the longest note fit");
        plain.resize(ENTRY_BYTES, 0);
        let mut sealed = nonce.to_vec();
        sealed.extend(sealing::seal(&self.seal, &nonce, self.place(subject).as_bytes(), &plain));
        sealed
    }

    /// Opens a sealed entry and checks that it belongs under this key of the document.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<(Subject, Entry), OpenError> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(OpenError::Length)?;
        if sealed.len() != ENTRY_BYTES + TAG_BYTES {
            return Err(OpenError::Length);
        }
        let plain = sealing::open(&self.seal, nonce, place.as_bytes(), sealed)?;
        let mut decoder = Decoder::new(&plain);
        let subject = match decoder.byte()? {
            PERSON => Subject::Person(Did::from_digest(Digest::from_bytes(decoder.array()?))),
            PEER => {
                let peer = decoder.text()?.parse();
                Subject::Peer(peer.map_err(|_| DecodeError::OutOfRange)?)
            }
            MODULE => Subject::Module(decoder.text()?.parse().map_err(|_| DecodeError::OutOfRange)?),
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        let verdict = match decoder.byte()? {
            0 => BlockDecision::Neither,
            1 => BlockDecision::Block,
            2 => BlockDecision::Allow,
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        let (at, note) = (Timestamp::from_millis(decoder.integer()?), decoder.text()?.to_owned());
        if at > Timestamp::LATEST || note.chars().count() > NOTE_MAX_CHARS {
            return Err(DecodeError::OutOfRange.into());
        }
        if self.place(&subject) != place {
            return Err(OpenError::WrongPlace);
        }
        Ok((subject, Entry { at, verdict, note }))
    }
}

const PERSON: u8 = 1;
const PEER: u8 = 2;
const MODULE: u8 = 3;

fn put_subject(encoder: Encoder, subject: &Subject) -> Encoder {
    match subject {
        Subject::Person(identity) => encoder.byte(PERSON).fixed(identity.as_bytes()),
        Subject::Peer(peer) => encoder.byte(PEER).text(&peer.0),
        Subject::Module(name) => encoder.byte(MODULE).text(name.as_str()),
    }
}

#[cfg(test)]
mod tests;
