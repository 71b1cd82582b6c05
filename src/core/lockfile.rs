//! Lockfiles: exactly what is installed, as a text (TOML) that another person can install from. Whether it fits what is
//! known here is not decided here.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The version of the format.
pub const LOCKFILE_VERSION: u32 = 1;
/// A longer text is not read.
pub const LOCKFILE_MAX_BYTES: usize = 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockfile {
    pub version: u32,
    #[serde(default, rename = "module")]
    pub modules: Vec<Locked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    pub name: String,
    pub version: String,
    pub sha256: Digest,
    /// `did:key:…` of the release's signer.
    pub signer: String,
    /// Absent for what only others need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
}

/// Why a text is no lockfile that can be read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum LockfileError {
    #[error("it has more than {} KiB", LOCKFILE_MAX_BYTES / 1024)]
    TooLong,
    #[error("its format {0} is not known here")]
    UnknownFormat(u32),
    /// In the words of the TOML reader.
    #[error("{0}")]
    Unreadable(String),
    /// In the words of the TOML writer.
    #[error("{0}")]
    Unwritable(String),
}

impl Lockfile {
    pub fn new(modules: Vec<Locked>) -> Self {
        Self { version: LOCKFILE_VERSION, modules }
    }

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

    pub fn to_text(&self) -> Result<String, LockfileError> {
        toml::to_string(self).map_err(|error| LockfileError::Unwritable(error.to_string()))
    }
}
