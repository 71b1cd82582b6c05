//! Bodies about names and versions: claims, releases, and marks that withdraw a release.

use semver::Version;

use crate::artifact::Artifact;
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::limits::{DEPENDENCIES_MAX, REASON_MAX_CHARS};
use crate::log::body::Verify;
use crate::log::{BodyError, EntryId};
use crate::modules::version::{Dependency, parse_requirement, parse_version};
use crate::name::ClaimedName;
use crate::name::{ModuleName, NameKind};
use crate::statement::StatementError;
use crate::time::Timestamp;

/// The most withdrawals that one claim carries: one for each rival of a round.
pub const WITHDRAWALS_MAX: usize = 16;
/// The most rounds of one claim.
pub const ROUNDS_MAX: u32 = 16;

const WITHDRAWAL_DOMAIN: &str = "gen-registry/withdrawal/v2";
const NAME_KIND_USERNAME: u8 = 1;
const NAME_KIND_MODULE: u8 = 2;

/// "I take this name."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub name: ClaimedName,
    /// The finish by which its last holder gave it up; nothing for a name that was never held.
    pub after: Option<EntryId>,
    /// 0; one more each time the witnesses' votes were split.
    pub round: u32,
    /// Of the rivals of the rounds before.
    pub withdrawals: Vec<Withdrawal>,
    /// As the device's clock said; decides only in a network without witnesses.
    pub at: Timestamp,
    /// A number by which the body shows the network's proof of work; 0 for none.
    pub work: u64,
}

/// "My claim is not to count", by the device that made it, for a rival's next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Withdrawal {
    pub claim: EntryId,
    pub device: PublicKey,
    signature: Signature,
}

/// "This file is that version of the module."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub module: ModuleName,
    /// Without build metadata.
    pub version: Version,
    pub artifact: Artifact,
    pub dependencies: Vec<Dependency>,
    /// The digest of what the bytes import and export.
    pub interface: Option<Digest>,
    /// The claim of the module's name, or the grant, that authorises it.
    pub under: EntryId,
    pub at: Timestamp,
}

/// "This release is withdrawn", or is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub release: EntryId,
    /// The mark before this one; nothing before the first.
    pub before: Option<EntryId>,
    pub is_withdrawn: bool,
    pub reason: String,
    /// The claim of the module's name, or the grant, that authorises it.
    pub under: EntryId,
    pub at: Timestamp,
}

impl Claim {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let kind = match self.name.kind() {
            NameKind::Username => NAME_KIND_USERNAME,
            NameKind::Module => NAME_KIND_MODULE,
        };
        let encoder = optional(encoder.byte(kind).text(self.name.as_str()), self.after.as_ref());
        let encoder = encoder.integer(self.round.into()).byte(self.withdrawals.len() as u8);
        let encoder = self.withdrawals.iter().fold(encoder, |encoder, withdrawal| withdrawal.encode(encoder));
        encoder.integer(self.at.as_millis()).integer(self.work)
    }

    pub(super) fn decode(topic: &Topic, decoder: &mut Decoder<'_>, verify: Verify) -> Result<Self, BodyError> {
        let (kind, text) = (decoder.byte()?, decoder.text()?);
        let name = match kind {
            NAME_KIND_USERNAME => ClaimedName::Username(text.parse().map_err(|_| DecodeError::OutOfRange)?),
            NAME_KIND_MODULE => ClaimedName::Module(text.parse().map_err(|_| DecodeError::OutOfRange)?),
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        let after = decode_optional(decoder)?;
        let round = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        let count = usize::from(decoder.byte()?);
        // A first round has no rivals that could have withdrawn, a later one has.
        if round >= ROUNDS_MAX || count > WITHDRAWALS_MAX || (round == 0) != (count == 0) {
            return Err(DecodeError::OutOfRange.into());
        }
        let withdrawals: Vec<Withdrawal> =
            (0..count).map(|_| Withdrawal::decode(topic, decoder, verify)).collect::<Result<_, _>>()?;
        if !withdrawals.windows(2).all(|pair| pair[0].claim < pair[1].claim) {
            return Err(DecodeError::OutOfRange.into());
        }
        Ok(Self { name, after, round, withdrawals, at: decoder.timestamp()?, work: decoder.integer()? })
    }
}

impl Withdrawal {
    /// Withdraws a claim of this device.
    pub fn sign(topic: &Topic, device: &SecretKey, claim: EntryId) -> Self {
        let signature = device.sign(topic, WITHDRAWAL_DOMAIN, claim.as_bytes());
        Self { claim, device: device.public(), signature }
    }

    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.fixed(self.claim.as_bytes()).fixed(self.device.as_bytes()).bytes(self.signature.as_bytes())
    }

    pub(super) fn decode(topic: &Topic, decoder: &mut Decoder<'_>, verify: Verify) -> Result<Self, BodyError> {
        let (claim, device) = (EntryId::decode(decoder)?, PublicKey::decode(decoder)?);
        let signature = decoder.bytes()?.try_into().map_err(|_| DecodeError::OutOfRange)?;
        let signature = Signature::from_bytes(signature);
        if verify == Verify::Now && !device.verify(topic, WITHDRAWAL_DOMAIN, claim.as_bytes(), &signature) {
            return Err(StatementError::Forged.into());
        }
        Ok(Self { claim, device, signature })
    }
}

impl Release {
    /// Reads a release from the bytes of its body.
    pub fn decode_alone(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let release = Self::decode(&mut decoder)?;
        decoder.end()?;
        Ok(release)
    }

    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.text(self.module.as_str()).text(&self.version.to_string());
        let encoder = self.artifact.encode(encoder).integer(self.dependencies.len() as u64);
        let encoder = self.dependencies.iter().fold(encoder, |encoder, dependency| {
            encoder.text(dependency.name.as_str()).text(&dependency.requirement.to_string())
        });
        let encoder = match &self.interface {
            None => encoder.byte(0),
            Some(digest) => encoder.byte(1).fixed(digest.as_bytes()),
        };
        encoder.fixed(self.under.as_bytes()).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let module = module_name(decoder)?;
        let version = parse_version(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?;
        let artifact = Artifact::decode(decoder)?;
        let count = decoder.integer()?;
        if count > DEPENDENCIES_MAX as u64 {
            return Err(DecodeError::OutOfRange);
        }
        let dependency = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            let name = module_name(decoder)?;
            let requirement = parse_requirement(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?;
            Ok(Dependency { name, requirement })
        };
        let dependencies = (0..count).map(|_| dependency(decoder)).collect::<Result<_, _>>()?;
        let interface = match decoder.byte()? {
            0 => None,
            1 => Some(Digest::from_bytes(decoder.array()?)),
            _ => return Err(DecodeError::OutOfRange),
        };
        let under = EntryId::decode(decoder)?;
        Ok(Self { module, version, artifact, dependencies, interface, under, at: decoder.timestamp()? })
    }
}

impl Mark {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = optional(encoder.fixed(self.release.as_bytes()), self.before.as_ref());
        let encoder = encoder.byte(self.is_withdrawn.into()).text(&self.reason);
        encoder.fixed(self.under.as_bytes()).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (release, before) = (EntryId::decode(decoder)?, decode_optional(decoder)?);
        let is_withdrawn = match decoder.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::OutOfRange),
        };
        let reason = decoder.text()?.to_owned();
        if reason.chars().count() > REASON_MAX_CHARS {
            return Err(DecodeError::OutOfRange);
        }
        let under = EntryId::decode(decoder)?;
        Ok(Self { release, before, is_withdrawn, reason, under, at: decoder.timestamp()? })
    }
}

fn module_name(decoder: &mut Decoder<'_>) -> Result<ModuleName, DecodeError> {
    decoder.text()?.parse().map_err(|_| DecodeError::OutOfRange)
}

pub(super) fn optional(encoder: Encoder, id: Option<&EntryId>) -> Encoder {
    match id {
        None => encoder.byte(0),
        Some(id) => encoder.byte(1).fixed(id.as_bytes()),
    }
}

pub(super) fn decode_optional(decoder: &mut Decoder<'_>) -> Result<Option<EntryId>, DecodeError> {
    match decoder.byte()? {
        0 => Ok(None),
        1 => EntryId::decode(decoder).map(Some),
        _ => Err(DecodeError::OutOfRange),
    }
}
