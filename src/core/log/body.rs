//! What the body of an entry says. A body that can't be read, or that its writer may not say, leaves the entry without
//! effect; its place in the log and its signature stand.

pub mod later;
pub mod names;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::identity::Topic;
use crate::log::{Entry, FACTS, Opening, OpeningError};
use crate::statement::{DeviceList, SignedStatement, Statement, StatementError};

pub use later::{Attestation, Grant, Grantee, Holding, Label, LabelSet, Revoke};
pub use names::{Claim, Mark, Release, Withdrawal};

/// The kinds of bodies, by the number that headers carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Opening = 0,
    Statement = 1,
    Claim = 2,
    Release = 3,
    Mark = 4,
    Veto = 5,
    NextChanges = 6,
    Withdraw = 7,
    Grant = 16,
    Revoke = 17,
    Label = 18,
    LabelSet = 19,
    Attestation = 20,
    Holding = 21,
    Change = 64,
    Checkpoint = 65,
    Adopt = 66,
}

const KINDS: [Kind; 17] = [
    Kind::Opening,
    Kind::Statement,
    Kind::Claim,
    Kind::Release,
    Kind::Mark,
    Kind::Veto,
    Kind::NextChanges,
    Kind::Withdraw,
    Kind::Grant,
    Kind::Revoke,
    Kind::Label,
    Kind::LabelSet,
    Kind::Attestation,
    Kind::Holding,
    Kind::Change,
    Kind::Checkpoint,
    Kind::Adopt,
];

/// What an entry of a facts log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Opening(Box<Opening>),
    /// Of the identity's key; a rotation comes with what becomes of the devices.
    Statement(Box<SignedStatement>, DeviceList),
    Claim(Box<Claim>),
    Release(Box<Release>),
    Mark(Mark),
    /// By a full device, of the entry of a give-up or of new words.
    Veto(crate::log::EntryId),
    /// Opens the changes log of this number.
    NextChanges(u32),
    /// Passes the withdrawal of an own claim on to the client of a rival.
    Withdraw(Withdrawal),
    Grant(Box<Grant>),
    Revoke(Revoke),
    Label(Label),
    LabelSet(LabelSet),
    Attestation(Attestation),
    Holding(Holding),
}

/// Whether signatures inside a body are verified, or were when the node wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    Now,
    Before,
}

/// Why a body says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("a statement in it is refused: {0}")]
    Statement(#[from] StatementError),
    #[error("{0}")]
    Opening(#[from] OpeningError),
    #[error("bodies of kind {0} are of a later version")]
    UnknownKind(u8),
    #[error("bodies of kind {0} do not belong into this log")]
    OtherLog(u8),
    #[error("the opening of a log is its entry 0, and nothing else is")]
    Place,
    #[error("the list of devices is not the one that the rotation names")]
    OtherDevices,
    #[error("the statement is of another identity than the log")]
    OtherIdentity,
}

impl Kind {
    /// The kind of a number, or `None` for one of a later version.
    pub fn of(number: u8) -> Option<Self> {
        KINDS.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether bodies of this kind belong into a facts log; the others belong into changes logs.
    pub fn is_fact(self) -> bool {
        (self as u8) < Kind::Change as u8
    }
}

impl Body {
    /// The kind that the header carries.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Opening(_) => Kind::Opening,
            Self::Statement(..) => Kind::Statement,
            Self::Claim(_) => Kind::Claim,
            Self::Release(_) => Kind::Release,
            Self::Mark(_) => Kind::Mark,
            Self::Veto(_) => Kind::Veto,
            Self::NextChanges(_) => Kind::NextChanges,
            Self::Withdraw(_) => Kind::Withdraw,
            Self::Grant(_) => Kind::Grant,
            Self::Revoke(_) => Kind::Revoke,
            Self::Label(_) => Kind::Label,
            Self::LabelSet(_) => Kind::LabelSet,
            Self::Attestation(_) => Kind::Attestation,
            Self::Holding(_) => Kind::Holding,
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::Opening(opening) => return opening.encode(),
            Self::Statement(signed, devices) => {
                let encoder = encoder.bytes(&signed.encode());
                let rotates = matches!(signed.statement, Statement::Rotate(_));
                if rotates { encoder.bytes(&devices.encode()) } else { encoder }
            }
            Self::Claim(claim) => claim.encode(encoder),
            Self::Release(release) => release.encode(encoder),
            Self::Mark(mark) => mark.encode(encoder),
            Self::Veto(announced) => encoder.fixed(announced.as_bytes()),
            Self::NextChanges(number) => encoder.integer((*number).into()),
            Self::Withdraw(withdrawal) => withdrawal.encode(encoder),
            Self::Grant(grant) => grant.encode(encoder),
            Self::Revoke(revoke) => revoke.encode(encoder),
            Self::Label(label) => label.encode(encoder),
            Self::LabelSet(set) => set.encode(encoder),
            Self::Attestation(attestation) => attestation.encode(encoder),
            Self::Holding(holding) => holding.encode(encoder),
        }
        .finish()
    }

    /// Reads what an entry of a facts log says. Looks at the entry and at nothing else.
    pub fn of(topic: &Topic, entry: &Entry) -> Result<Self, BodyError> {
        Self::read(topic, entry, Verify::Now)
    }

    pub(crate) fn read(topic: &Topic, entry: &Entry, verify: Verify) -> Result<Self, BodyError> {
        let header = entry.header();
        let kind = Kind::of(header.kind).ok_or(BodyError::UnknownKind(header.kind))?;
        if header.log.number != FACTS || !kind.is_fact() {
            return Err(BodyError::OtherLog(header.kind));
        }
        if (header.seq == 0) != (kind == Kind::Opening) {
            return Err(BodyError::Place);
        }
        if kind == Kind::Opening {
            let opening = match verify {
                Verify::Now => Opening::decode_for(topic, &header.log.device, entry.body())?,
                Verify::Before => Opening::decode_unverified(topic, entry.body())?,
            };
            return Ok(Self::Opening(Box::new(opening)));
        }
        let mut decoder = Decoder::new(entry.body());
        let body = Self::decode(topic, kind, &mut decoder, verify)?;
        decoder.end()?;
        // One value has one encoding; a decoder that is lenient somewhere must not make two.
        if body.encode() != entry.body() { Err(DecodeError::OutOfRange.into()) } else { Ok(body) }
    }

    fn decode(topic: &Topic, kind: Kind, decoder: &mut Decoder<'_>, verify: Verify) -> Result<Self, BodyError> {
        Ok(match kind {
            Kind::Statement => {
                let signed = SignedStatement::read(topic, decoder.bytes()?, verify)?;
                let devices = match &signed.statement {
                    Statement::Rotate(rotate) => {
                        let devices = DeviceList::decode(decoder.bytes()?)?;
                        if devices.digest() != rotate.devices {
                            return Err(BodyError::OtherDevices);
                        }
                        devices
                    }
                    _ => DeviceList::default(),
                };
                Self::Statement(Box::new(signed), devices)
            }
            Kind::Claim => Self::Claim(Box::new(Claim::decode(topic, decoder, verify)?)),
            Kind::Release => Self::Release(Box::new(Release::decode(decoder)?)),
            Kind::Mark => Self::Mark(Mark::decode(decoder)?),
            Kind::Veto => Self::Veto(crate::log::EntryId::decode(decoder)?),
            Kind::NextChanges => {
                let number = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
                // Changes log 1 is open from the beginning.
                Self::NextChanges(Some(number).filter(|number| *number > 1).ok_or(DecodeError::OutOfRange)?)
            }
            Kind::Withdraw => Self::Withdraw(Withdrawal::decode(topic, decoder, verify)?),
            Kind::Grant => Self::Grant(Box::new(Grant::decode(decoder)?)),
            Kind::Revoke => Self::Revoke(Revoke::decode(decoder)?),
            Kind::Label => Self::Label(Label::decode(decoder)?),
            Kind::LabelSet => Self::LabelSet(LabelSet::decode(decoder)?),
            Kind::Attestation => Self::Attestation(Attestation::decode(decoder)?),
            Kind::Holding => Self::Holding(Holding::decode(decoder)?),
            Kind::Opening | Kind::Change | Kind::Checkpoint | Kind::Adopt => {
                return Err(BodyError::OtherLog(kind as u8));
            }
        })
    }
}
