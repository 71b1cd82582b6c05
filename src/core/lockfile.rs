//! Lockfiles: exactly what is installed, as TOML that another person can install from. Whether it fits what is known on
//! a device is decided elsewhere.
//!
//! A module that was asked for has the `requirement`; one that only others need has none.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The version of the format that is read and written.
pub const LOCKFILE_VERSION: u32 = 1;
/// The longest text that is parsed.
pub const LOCKFILE_MAX_BYTES: usize = 1024 * 1024;

/// A parsed lockfile. Unknown fields are refused: they could mean something that this version would ignore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockfile {
    /// [`LOCKFILE_VERSION`].
    pub version: u32,
    /// The installed modules, as `[[module]]` tables.
    #[serde(default, rename = "module")]
    pub modules: Vec<Locked>,
}

/// One installed module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: String,
    pub version: String,
    /// The hash of the file ([`Artifact::sha256`](crate::artifact::Artifact::sha256)).
    pub sha256: Digest,
    /// The author of the release, `did:gen:…`.
    pub signer: String,
    /// What was asked for, such as `^1`; absent for a module that only others need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
}

/// Why a text can't be read, or a lockfile can't be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum LockfileError {
    #[error("it has more than {} KiB", LOCKFILE_MAX_BYTES / 1024)]
    TooLong,
    #[error("its format {0} is not known here")]
    UnknownFormat(u32),
    /// The message of the TOML parser.
    #[error("{0}")]
    Unreadable(String),
    /// The message of the TOML writer.
    #[error("{0}")]
    Unwritable(String),
}

impl Lockfile {
    /// A lockfile of the current format.
    pub fn new(modules: Vec<Locked>) -> Self {
        Self { version: LOCKFILE_VERSION, modules }
    }

    /// Parses a lockfile and checks its version.
    pub fn parse(text: &str) -> Result<Self, LockfileError> {
        if text.len() > LOCKFILE_MAX_BYTES {
            return Err(LockfileError::TooLong);
        }
        let lockfile: Self =
            toml::from_str(text).map_err(|error| LockfileError::Unreadable(error.message().to_owned()))?;
        match lockfile.version {
            LOCKFILE_VERSION => Ok(lockfile),
            other => Err(LockfileError::UnknownFormat(other)),
        }
    }

    /// The lockfile as TOML.
    pub fn to_text(&self) -> Result<String, LockfileError> {
        toml::to_string(self).map_err(|error| LockfileError::Unwritable(error.to_string()))
    }
}
