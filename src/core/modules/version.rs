//! Versions and requirements as releases carry them, and their bounds.

use semver::{Version, VersionReq};

use crate::limits::VERSION_MAX_CHARS;
use crate::name::ModuleName;

/// A requirement of a release: any version of this module that meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: ModuleName,
    /// As Cargo reads it.
    pub requirement: VersionReq,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_requirements_have_bounds() {
        assert_eq!(parse_version("1.0.0+build"), Err(VersionError::BuildMetadata));
        assert!(matches!(parse_version("1.0"), Err(VersionError::Syntax(_))));
        assert!(parse_version(&format!("1.0.0-{}", "a".repeat(VERSION_MAX_CHARS - 6))).is_ok());
        assert_eq!(parse_version(&format!("1.0.0-{}", "a".repeat(VERSION_MAX_CHARS - 5))), Err(VersionError::TooLong));
        assert_eq!(parse_requirement(&"1, ".repeat(40)), Err(VersionError::TooLong));
    }
}
