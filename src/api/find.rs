//! Looking names up beyond this device.

use serde::{Deserialize, Serialize};

use super::NameStatus;
pub use gen_registry_core::name::NameKind;

/// Who knew what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum AnsweredBy {
    /// It was known here.
    Device,
    /// A connected peer.
    Peers,
    /// Somebody of the wider network, through Kademlia.
    Network,
}

/// What looking for a name came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FindReport {
    pub kind: NameKind,
    /// The name as asked for, prepared.
    pub asked: String,
    /// `None` if no peer had anything about the name.
    pub answered_by: Option<AnsweredBy>,
    /// The holder of the name, proven by signatures.
    pub found: Option<FoundName>,
    /// It was given up; from then on it is free for everyone.
    pub free_at: Option<u64>,
    /// Connected peers that were asked.
    pub peers_asked: u64,
    /// Whether the wider network could be asked: some relay is connected.
    pub network_asked: bool,
    /// Peers that are being connected to because they may have the rest.
    pub sought: u64,
}

/// A name and what is proven of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FoundName {
    /// As its holder spells it.
    pub name: String,
    /// The holder, `did:gen:…`.
    pub did: String,
    /// 64 hex digits.
    pub public_key: String,
    pub registered_at: u64,
    pub status: NameStatus,
    /// A module's newest release.
    pub release: Option<FoundRelease>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FoundRelease {
    pub version: String,
    /// Of the file, 64 hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    pub published_at: u64,
    pub withdrawn: bool,
}
