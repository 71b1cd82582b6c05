//! Facts: immutable signed statements, named by their hash, and their canonical bytes. What follows from them is
//! decided by [`ownership`](crate::ownership) and [`modules`](crate::modules).

pub mod release;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::{Identity, SignatureError, Signed, Statement, Topic};
use crate::limits::FACT_MAX_BYTES;
use crate::name::{FoldedName, ModuleName, NameKind, Username};
use crate::time::Timestamp;
pub use release::{Dependency, Release, Unyank, Yank};

/// A statement. Each variant has its own signing domain, so no signature serves for two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    NameClaim(NameClaim),
    NameRelinquish(NameRelinquish),
    Receipt(Receipt),
    Release(Release),
    Yank(Yank),
    Unyank(Unyank),
}

/// "The author takes this name."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameClaim {
    pub name: ClaimedName,
    /// As the author says; decides only where no witnesses do.
    pub claimed_at: Timestamp,
    /// A number by which the claim's hash shows the network's proof of work
    /// ([`proof_of_work`](crate::proof_of_work)); 0 for none.
    pub work: u64,
}

/// A name of either kind, prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedName {
    Username(Username),
    Module(ModuleName),
}

/// "The author gives up the name of this claim", which must be the author's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRelinquish {
    pub claim: Digest,
    pub at: Timestamp,
}

/// "The author, a witness, saw this fact at this time."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub fact: Digest,
    pub witnessed_at: Timestamp,
}

/// A fact with its author's signature.
pub type SignedFact = Signed<Fact>;

/// Verifies a fact that travels alone or in another person's document.
pub fn verify(bytes: &[u8], topic: &Topic) -> Result<SignedFact, SignatureError> {
    bounded(bytes)?;
    SignedFact::verify(bytes, topic)
}

/// Verifies a fact that is in a document whose changes `owner` signed.
pub fn verify_within_change_of(owner: &Identity, bytes: &[u8], topic: &Topic) -> Result<SignedFact, SignatureError> {
    bounded(bytes)?;
    SignedFact::verify_within_change_of(owner, bytes, topic)
}

fn bounded(bytes: &[u8]) -> Result<(), SignatureError> {
    if bytes.len() > FACT_MAX_BYTES {
        return Err(SignatureError::Unreadable(DecodeError::OutOfRange));
    }
    Ok(())
}

impl ClaimedName {
    /// Whether it is a username or a module name.
    pub fn kind(&self) -> NameKind {
        match self {
            Self::Username(_) => NameKind::Username,
            Self::Module(_) => NameKind::Module,
        }
    }

    /// The prepared spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Username(name) => name.as_str(),
            Self::Module(name) => name.as_str(),
        }
    }

    /// The key by which the name is compared.
    pub fn folded(&self) -> FoldedName {
        match self {
            Self::Username(name) => name.folded(),
            Self::Module(name) => name.folded(),
        }
    }
}

const KIND_NAME_CLAIM: u8 = 1;
const KIND_NAME_RELEASE: u8 = 2;
const KIND_RECEIPT: u8 = 3;
const KIND_RELEASE: u8 = 4;
const KIND_YANK: u8 = 5;
const KIND_UNYANK: u8 = 6;
const NAME_KIND_USERNAME: u8 = 1;
const NAME_KIND_MODULE: u8 = 2;

impl Statement for Fact {
    fn domain(&self) -> &'static str {
        match self {
            Self::NameClaim(_) => "gen-registry/name-claim/v1",
            Self::NameRelinquish(_) => "gen-registry/name-release/v1",
            Self::Receipt(_) => "gen-registry/receipt/v1",
            Self::Release(_) => "gen-registry/release/v1",
            Self::Yank(_) => "gen-registry/yank/v1",
            Self::Unyank(_) => "gen-registry/unyank/v1",
        }
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::NameClaim(claim) => {
                let kind = match claim.name.kind() {
                    NameKind::Username => NAME_KIND_USERNAME,
                    NameKind::Module => NAME_KIND_MODULE,
                };
                let encoder = encoder.byte(KIND_NAME_CLAIM).byte(kind).text(claim.name.as_str());
                let encoder = encoder.integer(claim.claimed_at.as_millis());
                // Claims without work are as they always were.
                if claim.work == 0 { encoder } else { encoder.integer(claim.work) }
            }
            Self::NameRelinquish(release) => {
                encoder.byte(KIND_NAME_RELEASE).fixed(release.claim.as_bytes()).integer(release.at.as_millis())
            }
            Self::Receipt(receipt) => {
                encoder.byte(KIND_RECEIPT).fixed(receipt.fact.as_bytes()).integer(receipt.witnessed_at.as_millis())
            }
            Self::Release(release) => release.encode(encoder.byte(KIND_RELEASE)),
            Self::Yank(yank) => yank.encode(encoder.byte(KIND_YANK)),
            Self::Unyank(unyank) => unyank.encode(encoder.byte(KIND_UNYANK)),
        }
        .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let fact = match decoder.byte()? {
            KIND_NAME_CLAIM => {
                let kind = decoder.byte()?;
                let text = decoder.text()?;
                let name = match kind {
                    NAME_KIND_USERNAME => ClaimedName::Username(text.parse().map_err(|_| DecodeError::OutOfRange)?),
                    NAME_KIND_MODULE => ClaimedName::Module(text.parse().map_err(|_| DecodeError::OutOfRange)?),
                    other => return Err(DecodeError::UnknownKind(other)),
                };
                let claimed_at = decoder.timestamp()?;
                let work = if decoder.is_at_end() { 0 } else { decoder.integer()? };
                Self::NameClaim(NameClaim { name, claimed_at, work })
            }
            KIND_NAME_RELEASE => {
                let claim = Digest::from_bytes(decoder.array()?);
                Self::NameRelinquish(NameRelinquish { claim, at: decoder.timestamp()? })
            }
            KIND_RECEIPT => {
                let fact = Digest::from_bytes(decoder.array()?);
                Self::Receipt(Receipt { fact, witnessed_at: decoder.timestamp()? })
            }
            KIND_RELEASE => Self::Release(Release::decode(&mut decoder)?),
            KIND_YANK => Self::Yank(Yank::decode(&mut decoder)?),
            KIND_UNYANK => Self::Unyank(Unyank::decode(&mut decoder)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(fact)
    }
}
