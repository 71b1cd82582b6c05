//! Statements about versions of modules: a release, its withdrawal (yank), and the reversal of that.

use semver::{Version, VersionReq};

use crate::artifact::Artifact;
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::limits::{DEPENDENCIES_MAX, REASON_MAX_CHARS, VERSION_MAX_CHARS};
use crate::name::ModuleName;
use crate::time::Timestamp;

/// The statement "this file is that version of the module".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub module: ModuleName,
    /// Without build metadata: two files that differ in nothing else would be one version to a resolver.
    pub version: Version,
    pub artifact: Artifact,
    pub dependencies: Vec<Dependency>,
    pub published_at: Timestamp,
}

/// A requirement of a release: any version of this module that meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: ModuleName,
    /// As Cargo reads it.
    pub requirement: VersionReq,
}

/// The statement "take this release only where it is locked already".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yank {
    pub release: Digest,
    pub reason: String,
    pub at: Timestamp,
}

/// The statement that reverses a yank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unyank {
    pub release: Digest,
    pub at: Timestamp,
}

/// Why a text is no version, or no requirement, of this network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error("it has more than {VERSION_MAX_CHARS} characters")]
    TooLong,
    #[error("a version of a module has no build metadata (+…)")]
    BuildMetadata,
    #[error("{0}")]
    Syntax(String),
}

/// Parses a version as releases carry them (Semantic Versioning 2.0.0 without build metadata), at most
/// [`VERSION_MAX_CHARS`] long.
pub fn parse_version(text: &str) -> Result<Version, VersionError> {
    bounded(text)?;
    let version: Version = text.parse().map_err(|error: semver::Error| VersionError::Syntax(error.to_string()))?;
    if !version.build.is_empty() {
        return Err(VersionError::BuildMetadata);
    }
    Ok(version)
}

/// Parses a requirement as Cargo reads it (`^1.2`, `>=1, <3`), at most [`VERSION_MAX_CHARS`] long, also when it is
/// written out in full.
pub fn parse_requirement(text: &str) -> Result<VersionReq, VersionError> {
    bounded(text)?;
    let requirement: VersionReq =
        text.parse().map_err(|error: semver::Error| VersionError::Syntax(error.to_string()))?;
    // Written out in full it may be longer.
    bounded(&requirement.to_string())?;
    Ok(requirement)
}

fn bounded(text: &str) -> Result<(), VersionError> {
    if text.chars().count() > VERSION_MAX_CHARS { Err(VersionError::TooLong) } else { Ok(()) }
}

impl Release {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.text(self.module.as_str()).text(&self.version.to_string());
        let encoder = self.artifact.encode(encoder).integer(self.dependencies.len() as u64);
        let encoder = self.dependencies.iter().fold(encoder, |encoder, dependency| {
            encoder.text(dependency.name.as_str()).text(&dependency.requirement.to_string())
        });
        encoder.integer(self.published_at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let module = module_name(decoder)?;
        let version = parse_version(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?;
        let artifact = Artifact::decode(decoder)?;
        let count = decoder.integer()?;
        if count > DEPENDENCIES_MAX as u64 {
            return Err(DecodeError::OutOfRange);
        }
        let dependencies = (0..count).map(|_| Dependency::decode(decoder)).collect::<Result<_, _>>()?;
        Ok(Self { module, version, artifact, dependencies, published_at: decoder.timestamp()? })
    }
}

impl Dependency {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let name = module_name(decoder)?;
        let requirement = parse_requirement(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?;
        Ok(Self { name, requirement })
    }
}

impl Yank {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.fixed(self.release.as_bytes()).text(&self.reason).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let release = Digest::from_bytes(decoder.array()?);
        let reason = decoder.text()?.to_owned();
        if reason.chars().count() > REASON_MAX_CHARS {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { release, reason, at: decoder.timestamp()? })
    }
}

impl Unyank {
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.fixed(self.release.as_bytes()).integer(self.at.as_millis())
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self { release: Digest::from_bytes(decoder.array()?), at: decoder.timestamp()? })
    }
}

fn module_name(decoder: &mut Decoder<'_>) -> Result<ModuleName, DecodeError> {
    decoder.text()?.parse().map_err(|_| DecodeError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, SignedFact, verify};
    use crate::identity::{SigningIdentity, Statement, Topic};
    use crate::limits::{FACT_MAX_BYTES, MODULE_MAX_BYTES};

    fn release() -> Release {
        Release {
            module: "crc32".parse().expect("a name"),
            version: Version::new(1, 2, 3),
            artifact: Artifact::of(b"bytes"),
            dependencies: vec![Dependency {
                name: "base64".parse().expect("a name"),
                requirement: parse_requirement("^1.0").expect("a requirement"),
            }],
            published_at: Timestamp::from_millis(7),
        }
    }

    #[test]
    fn what_is_said_reads_as_it_was_written() {
        let yank = Yank { release: Digest::of(b"r"), reason: "broken".to_owned(), at: Timestamp::from_millis(8) };
        let unyank = Unyank { release: Digest::of(b"r"), at: Timestamp::from_millis(9) };
        for fact in [Fact::Release(release()), Fact::Yank(yank), Fact::Unyank(unyank)] {
            assert_eq!(Fact::decode(&fact.encode()), Ok(fact));
        }
    }

    /// Sizes: 64 blocks, 128 dependencies whose names are as long as names get.
    #[test]
    fn the_largest_release_fits_into_a_fact() {
        let topic = Topic::from_bytes([1; 32]);
        let author = SigningIdentity::from_entropy(&[1; 32]);
        let longest = "李".repeat(64);
        let mut largest = release();
        largest.artifact = Artifact::of(&vec![0; MODULE_MAX_BYTES]);
        let requirement =
            parse_requirement(">=1.0.0-aaaaaaaaaaaaaaaaaaa, <2.0.0-bbbbbbbbbbbbbbbbbbbbbbbbbb").expect("one");
        assert!(requirement.to_string().len() > VERSION_MAX_CHARS - 4, "{requirement}");
        largest.dependencies =
            vec![Dependency { name: longest.parse().expect("a name"), requirement }; DEPENDENCIES_MAX];
        let bytes = SignedFact::sign(&author, &topic, Fact::Release(largest.clone())).encode();
        assert!(bytes.len() <= FACT_MAX_BYTES, "{}", bytes.len());
        largest.dependencies.push(largest.dependencies[0].clone());
        let one_more = SignedFact::sign(&author, &topic, Fact::Release(largest)).encode();
        assert!(verify(&one_more, &topic).is_err(), "one dependency more than the bound");
    }

    #[test]
    fn versions_and_requirements_have_bounds() {
        assert_eq!(parse_version("1.0.0+build"), Err(VersionError::BuildMetadata));
        assert!(matches!(parse_version("1.0"), Err(VersionError::Syntax(_))));
        assert!(parse_version(&format!("1.0.0-{}", "a".repeat(VERSION_MAX_CHARS - 6))).is_ok());
        assert_eq!(parse_version(&format!("1.0.0-{}", "a".repeat(VERSION_MAX_CHARS - 5))), Err(VersionError::TooLong));
        assert_eq!(parse_requirement(&"1, ".repeat(40)), Err(VersionError::TooLong));
        let mut bytes = Fact::Release(release()).encode();
        let end = bytes.len();
        bytes[end - 1] ^= 1;
        assert!(Fact::decode(&bytes).is_ok(), "only the date is another one");
        bytes.push(0);
        assert_eq!(Fact::decode(&bytes), Err(DecodeError::LeftOver));
    }
}
