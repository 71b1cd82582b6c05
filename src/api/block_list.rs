//! Commands and answers about reputation, and about the people, peers and modules this person blocks or trusts.

use serde::{Deserialize, Serialize};

/// Whatever is asked of both. Subjects are written as `person:did:gen:…`, `peer:12D3…` or `module:name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum BlockListCommand {
    /// What a person or a peer has earned here. Answer: [`Answer::Reputation`](super::Answer::Reputation).
    Reputation { of: String },
    /// Answer: [`Answer::BlockList`](super::Answer::BlockList).
    BlockList,
    /// Puts a subject on a list, or takes it off both. Answer: [`Answer::BlockList`](super::Answer::BlockList).
    Decide { subject: String, verdict: Decision, note: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Nothing of it is shown, taken or asked for.
    Block,
    /// Kept, whatever else speaks against it.
    Allow,
    Neither,
}

/// One row of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BlockListRow {
    pub subject: String,
    pub verdict: Decision,
    /// Why, in the person's own words.
    pub note: Option<String>,
    pub at: u64,
    /// How somebody is called now.
    pub username: Option<String>,
}

/// The lists, the newest decision first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BlockListReport {
    pub rows: Vec<BlockListRow>,
    /// The person's other devices get it; false while the key is locked or there is none.
    pub shared: bool,
}

/// What somebody has earned with this device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Reputation {
    /// Between 0 and 1; 0.5 without any evidence.
    pub score: f64,
    /// It is below what one should rely on.
    pub low: bool,
    pub reasons: Vec<ReputationReason>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ReputationReason {
    pub kind: ReputationKind,
    pub times: u64,
    pub last_at: u64,
}

/// What acts come under; see `sync::reputation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ReputationKind {
    /// New changes of people who are followed, trusted, viewed or the authors of installed modules; each counts once a day.
    Brought,
    /// Blocks that were asked for.
    Served,
    Late,
    Unruly,
    Abusive,
    False,
}

impl Default for Reputation {
    fn default() -> Self {
        Self { score: gen_registry_core::sync::reputation::BEGINNING, low: false, reasons: Vec::new() }
    }
}
