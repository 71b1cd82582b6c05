//! Commands and answers about presence and channels.

use serde::{Deserialize, Serialize};

use super::PersonSummary;

/// One thing asked of presence and channels. Channels are written `#general` or `#module/<name>`; the `#` may be
/// missing. Where a username may be given it must be this profile's own: a node speaks only for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChatCommand {
    /// Shows this profile as online; ends being invisible. Answer: `Online`.
    Register { username: Option<String> },
    /// Goodbye for this run: out of every channel. No fault for anybody unknown. Answer: `Online`.
    Unregister { username: Option<String> },
    /// Everybody who is online. Answer: `Online`.
    Users,
    /// Joins, and so creates, a channel. Twice is once. Fails with `unknownUser` for anybody but this profile.
    /// Answer: `Channels`.
    Join { username: Option<String>, channel: String },
    /// No fault when the user or the channel is unknown. What was said there is removed from this device.
    /// Answer: `Channels`.
    Leave { username: Option<String>, channel: String },
    /// The people in a channel; empty for an unknown one. Answer: `ChannelUsers`.
    ChannelUsers { channel: String },
    /// Every channel that somebody is in, and all that this profile joined. Answer: `Channels`.
    Channels,
    /// Says something in a joined channel. Answer: `Said`.
    Say { channel: String, text: String },
    /// What was said in a joined channel before `before` (from an earlier answer), the last of it. Answer: `Messages`.
    Messages { channel: String, before: Option<String>, limit: u32 },
    /// What the channel is about; empty takes it away. Answer: `Said`.
    SetTopicLine { channel: String, text: String },
    /// A muted channel counts mentions only. Answer: `Channels`.
    Mute { channel: String, muted: bool },
    /// Everything in it has been read. Answer: `Channels`.
    MarkRead { channel: String },
    /// Appears offline to everyone, also after the next start, until it is taken back. Answer: `Online`.
    SetInvisible { invisible: bool },
}

/// Who is online, seen from here. Times are by this device's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OnlineReport {
    /// Others see this profile as online.
    pub visible: bool,
    /// The setting; `visible` may be false for other reasons (no identity yet, a locked key, said goodbye).
    pub invisible: bool,
    pub users: Vec<OnlineUser>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OnlineUser {
    #[serde(flatten)]
    pub person: PersonSummary,
    pub channels: Vec<String>,
    pub devices: Vec<OnlineDevice>,
}

/// One node of somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OnlineDevice {
    /// Its peer id.
    pub node: String,
    /// It is this one.
    pub here: bool,
    /// When its last heartbeat was received.
    pub seen_at: u64,
    /// When it counts as offline unless another heartbeat is received.
    pub expires_at: u64,
    pub channels: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ChannelEntry {
    pub channel: String,
    /// The module it is about.
    pub module: Option<String>,
    /// People online in it.
    pub members: u64,
    pub joined: bool,
    pub muted: bool,
    /// Messages of others since it was last read.
    pub unread: u64,
    /// Those of them with this profile's name.
    pub mentions: u64,
    pub topic_line: Option<String>,
    /// When the last message was said.
    pub last_at: Option<u64>,
}

/// Some of what was said in a channel, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    pub channel: ChannelEntry,
    pub messages: Vec<ChatMessage>,
    /// Hand it back to get what was said before; none when nothing earlier is here.
    pub before: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Its hash, 64 hex digits.
    pub id: String,
    pub channel: String,
    /// The author.
    #[serde(flatten)]
    pub person: PersonSummary,
    /// When it was posted, by its author's hybrid clock: later than everything the author had received.
    pub at: u64,
    pub text: String,
    /// It sets what the channel is about.
    pub topic_line: bool,
    /// It has this profile's name in it.
    pub mentions_me: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PresenceNews {
    /// The first of somebody's devices came.
    Online,
    /// The last one went.
    Offline,
    Joined,
    Left,
    NodeUp,
    /// It said goodbye.
    NodeLeft,
    /// It was silent for too long.
    NodeDown,
}
