//! Openings: entry 0 of a facts log, which proves by itself whose the log is and what its key may write.
//!
//! It has the identity's inception, its links up to the present key, and the addition of the device signed by that key.
//! An entry and the opening of its log show in whose name it was written, without anything else.

use std::sync::Arc;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, Inception, PublicKey};
use crate::log::{Capabilities, LogId};
use crate::statement::{DeviceAdd, LINKS_MAX, SignedStatement, Statement, StatementError};

/// The proof that a device key acts for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    inception: Inception,
    links: Vec<SignedStatement>,
    /// Shared with what is known of the identity's statements.
    add: Arc<SignedStatement>,
    did: Did,
}

/// One step in the keys of an identity, as an opening shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub digest: Digest,
    /// The key that may sign after this link.
    pub key: PublicKey,
    /// The digest of the key of the next rotation.
    pub next: Digest,
}

/// The rule that an opening breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    #[error("these bytes are no opening")]
    Unreadable(#[from] DecodeError),
    #[error("a statement in it is refused: {0}")]
    Statement(#[from] StatementError),
    #[error("an identity has at most {LINKS_MAX} links")]
    TooManyLinks,
    #[error("a link is of another identity, or does not follow the one before")]
    OutOfOrder,
    #[error("a rotation is to another key than the one that was committed to")]
    OtherKey,
    #[error("the addition of the device is not signed by the identity's key")]
    NotByIdentity,
    #[error("it opens the log of another device")]
    OtherDevice,
    #[error("it ends with another statement than the addition of a device")]
    NoDevice,
    #[error("its last link is none to another key, so the addition has a shorter opening")]
    NotShortest,
}

impl Opening {
    /// Joins the parts and checks every rule.
    pub fn new(
        topic: &Topic,
        inception: Inception,
        links: Vec<SignedStatement>,
        add: SignedStatement,
    ) -> Result<Self, OpeningError> {
        let did = inception.did(topic);
        if links.len() > LINKS_MAX {
            return Err(OpeningError::TooManyLinks);
        }
        // One addition has one opening: new words change no key.
        if links.last().is_some_and(|link| !matches!(link.statement, Statement::Rotate(_))) {
            return Err(OpeningError::NotShortest);
        }
        let last = links.iter().try_fold(Link::first(topic, &inception), |last, link| last.follow(did, link))?;
        if add.did != did || add.key != last.key {
            return Err(OpeningError::NotByIdentity);
        }
        let Statement::DeviceAdd(_) = &add.statement else { return Err(OpeningError::NoDevice) };
        Ok(Self { inception, links, add: Arc::new(add), did })
    }

    pub fn did(&self) -> Did {
        self.did
    }

    pub fn inception(&self) -> &Inception {
        &self.inception
    }

    /// The links that it shows, in order.
    pub fn links(&self) -> &[SignedStatement] {
        &self.links
    }

    /// The addition of the device, signed.
    pub fn addition(&self) -> &SignedStatement {
        &self.add
    }

    /// The same, to be kept without a copy.
    pub(crate) fn shared_addition(&self) -> Arc<SignedStatement> {
        self.add.clone()
    }

    /// What the addition says.
    pub fn device_add(&self) -> &DeviceAdd {
        match &self.add.statement {
            Statement::DeviceAdd(add) => add,
            _ => unreachable!("an opening ends with the addition of a device"),
        }
    }

    /// The key whose log this opens.
    pub fn device(&self) -> PublicKey {
        self.device_add().device
    }

    /// The name of the log that it opens.
    pub fn log(&self) -> LogId {
        LogId::facts(Digest::of(&self.encode()), self.device())
    }

    pub fn capabilities(&self) -> &Capabilities {
        &self.device_add().capabilities
    }

    /// The link under which the device was added.
    pub fn link(&self, topic: &Topic) -> Link {
        let first = Link::first(topic, &self.inception);
        let follow = |last: Link, link| last.follow(self.did, link).expect("an opening's links are checked");
        self.links.iter().fold(first, follow)
    }

    /// The canonical bytes: the body of entry 0.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = self.inception.encode(Encoder::new()).byte(self.links.len() as u8);
        let mut bytes = encoder.finish();
        self.links.iter().chain([self.add.as_ref()]).for_each(|signed| bytes.extend_from_slice(&signed.encode()));
        bytes
    }

    /// Decodes the identity of an opening without verifying it, so that openings of other identities can be skipped.
    pub fn peek(topic: &Topic, bytes: &[u8]) -> Result<Did, DecodeError> {
        Inception::decode(&mut Decoder::new(bytes)).map(|inception| inception.did(topic))
    }

    /// Reads what [`Opening::encode`] wrote, verifies every signature and checks every rule.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::decode_by(topic, bytes, SignedStatement::decode_from)
    }

    /// Reads an opening that this node verified before it wrote it down.
    pub fn decode_unverified(topic: &Topic, bytes: &[u8]) -> Result<Self, OpeningError> {
        Self::decode_by(topic, bytes, SignedStatement::decode_unverified)
    }

    fn decode_by(
        topic: &Topic,
        bytes: &[u8],
        statement: impl Fn(&Topic, &mut Decoder<'_>) -> Result<SignedStatement, StatementError>,
    ) -> Result<Self, OpeningError> {
        let mut decoder = Decoder::new(bytes);
        let inception = Inception::decode(&mut decoder)?;
        let count = usize::from(decoder.byte()?);
        if count > LINKS_MAX {
            return Err(OpeningError::TooManyLinks);
        }
        let mut signed = || statement(topic, &mut decoder);
        let links = (0..count).map(|_| signed()).collect::<Result<_, _>>()?;
        let add = signed()?;
        decoder.end()?;
        Self::new(topic, inception, links, add)
    }

    /// The same for the log of one device.
    pub fn decode_for(topic: &Topic, device: &PublicKey, bytes: &[u8]) -> Result<Self, OpeningError> {
        let opening = Self::decode(topic, bytes)?;
        if opening.device() == *device { Ok(opening) } else { Err(OpeningError::OtherDevice) }
    }
}

impl Link {
    /// The inception as the first link. Its digest is the identity's.
    pub fn first(topic: &Topic, inception: &Inception) -> Self {
        Self { digest: *inception.did(topic).digest(), key: inception.key, next: inception.next }
    }

    /// The link after this one. A rotation is signed by the committed key, new words by the present one.
    pub fn follow(&self, did: Did, signed: &SignedStatement) -> Result<Self, OpeningError> {
        if signed.did != did || signed.link() != Some(self.digest) {
            return Err(OpeningError::OutOfOrder);
        }
        match &signed.statement {
            Statement::Rotate(rotate) if rotate.key.digest() == self.next && signed.key == rotate.key => {
                Ok(Self { digest: signed.digest(), key: rotate.key, next: rotate.next })
            }
            Statement::NewWords(words) if signed.key == self.key => {
                Ok(Self { digest: signed.digest(), key: self.key, next: words.next })
            }
            _ => Err(OpeningError::OtherKey),
        }
    }
}
