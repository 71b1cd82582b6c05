//! Sums of what this device has seen.

use serde::{Deserialize, Serialize};

pub use gen_registry_core::statistics::{DailyCount, ModuleRank};

/// Sums of what this device has seen; another device may have seen other things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// When the first of the days begins (UTC).
    pub begins: u64,
    /// Usernames that somebody holds, by when they were claimed.
    pub names: DailyCount,
    /// Module names that somebody holds, by when they were claimed.
    pub modules: DailyCount,
    /// Releases, by when they were published.
    pub releases: DailyCount,
    /// By how often they were installed.
    pub popular: Vec<ModuleRank>,
    /// By how many other modules need them directly.
    pub needed: Vec<ModuleRank>,
    /// Needed by others, and not known here.
    pub missing: Vec<ModuleRank>,
    /// Modules that need no other.
    pub independent: u64,
    /// Connected peers, at most once a minute since the page was opened.
    pub peers: Vec<PeerCount>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PeerCount {
    pub at: u64,
    pub peers: u64,
}
