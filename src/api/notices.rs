//! What a person follows, and what happened there.

use serde::{Deserialize, Serialize};

use super::Author;

/// Whatever is asked of both. Follows are written as `person:did:gen:…`, `module:name` or `tag:text`; they are this
/// device's own and never leave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum NoticeCommand {
    /// Answer: [`Answer::Follows`](super::Answer::Follows).
    Follows,
    /// Begins to follow, or ends it. Answer: [`Answer::Follows`](super::Answer::Follows).
    Follow { subject: String, follow: bool },
    /// Answer: [`Answer::Notices`](super::Answer::Notices).
    List,
    /// Marks these as read; without any, all. Answer: [`Answer::Notices`](super::Answer::Notices).
    MarkRead { ids: Vec<u64> },
    /// Forgets all of them. Answer: [`Answer::Notices`](super::Answer::Notices).
    Clear,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FollowRow {
    pub subject: String,
    pub since: u64,
    /// How somebody is called now.
    pub username: Option<String>,
}

/// The newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NoticeList {
    pub notices: Vec<Notice>,
    pub unread: u64,
}

/// Something new about a followed person, module or tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub id: u64,
    /// When this device received it.
    pub at: u64,
    pub kind: NoticeKind,
    /// Who did it.
    pub who: Author,
    pub module: Option<String>,
    pub version: Option<String>,
    /// The new username, or why something is to be avoided.
    pub text: Option<String>,
    pub read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// A new version.
    Release,
    /// A version was withdrawn.
    Yank,
    /// The author advises against new installations of a module.
    Advisory,
    /// Somebody took a username.
    Username,
    /// Somebody took a module's name.
    ModuleName,
}
