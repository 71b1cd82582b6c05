//! Devices and keys of this profile's person: who acts for the identity, and which key decides that.

use serde::{Deserialize, Serialize};

/// What is asked of devices and keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DeviceCommand {
    /// The devices of this identity. Answer: [`Answer::Devices`](crate::Answer::Devices).
    List,
    /// Makes a key for this device, or shows the one that waits already, to be added to an identity of another device.
    /// Answer: [`Answer::DeviceText`](crate::Answer::DeviceText), to be given to that device.
    Request,
    /// Forgets the key that waits to be added. Answer: [`Answer::Devices`](crate::Answer::Devices).
    CancelRequest,
    /// Adds the device that made this request. Takes the identity key. Answer:
    /// [`Answer::DeviceText`](crate::Answer::DeviceText), to be given back to the new device.
    Add { request: String, capabilities: DeviceCapabilities },
    /// Whose device this becomes by the answer that another device gave. Changes nothing. Answer:
    /// [`Answer::DeviceGrant`](crate::Answer::DeviceGrant).
    ReadGrant { grant: String },
    /// Makes this profile a device of the identity that has added it. Answer:
    /// [`Answer::Devices`](crate::Answer::Devices).
    Accept { grant: String },
    /// Ends a device: what it wrote after `last_good` does not count. Takes the identity key. Answer:
    /// [`Answer::Devices`](crate::Answer::Devices).
    Revoke { key: String, last_good: LastGood },
    /// Replaces the identity key by the next one, which only the recovery words give. Devices end as `ends` says, others
    /// stay. Answer: [`Answer::Devices`](crate::Answer::Devices).
    Rotate { words: WordsForRotation, ends: Vec<DeviceEnd> },
    /// Makes new recovery words, because the present ones are lost: they count once the hold has passed. Takes the
    /// identity key. Answer: [`Answer::Devices`](crate::Answer::Devices).
    ReplaceLostWords,
    /// Forbids what an entry announced: an end of a name, or new words. Answer:
    /// [`Answer::Devices`](crate::Answer::Devices).
    Veto { announced: String },
}

/// The recovery words that a rotation takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct WordsForRotation {
    /// Not needed as long as they were not checked, since then they are on this device.
    pub phrase: Option<String>,
    /// Whether new words replace them: somebody else may have them.
    pub make_new: bool,
}

/// Where a device ends with a rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceEnd {
    /// The device key, 64 hex digits.
    pub key: String,
    pub last_good: LastGood,
}

/// How much of what a device wrote goes on to count. What witnesses have confirmed counts in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LastGood {
    /// All that is here now.
    Everything,
    /// Up to this entry (64 hex digits), and in the device's other logs up to its date.
    Entry {
        id: String,
    },
    Nothing,
}

/// What a device may do in the identity's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceCapabilities {
    /// Change the profile, descriptions of modules, and lists.
    pub profile: bool,
    /// Claim names.
    pub claim: bool,
    /// Publish modules whose name is this, or begins with it where it ends with `*`; none: no module.
    pub publish: Option<String>,
    /// Withdraw releases.
    pub yank: bool,
    pub rate: bool,
    /// Talk in channels.
    pub chat: bool,
    /// Let others publish under the identity's modules.
    pub grant: bool,
}

impl DeviceCapabilities {
    /// All of them.
    pub fn full() -> Self {
        Self {
            profile: true,
            claim: true,
            publish: Some("*".to_owned()),
            yank: true,
            rate: true,
            chat: true,
            grant: true,
        }
    }
}

/// Devices and keys of this profile's person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceList {
    /// This device first, then those that act, by number, then those that ended.
    pub devices: Vec<DeviceRow>,
    /// Whether the present identity key is on this device: what adding and revoking take.
    pub holds_key: bool,
    /// How often the identity key was replaced.
    pub key_number: u32,
    /// A rotation was signed here, and the witnesses have not confirmed it yet.
    pub rotating: bool,
    /// The recovery words are on this device, to be written down.
    pub has_words: bool,
    /// New words that are announced and do not count yet.
    pub new_words: Option<Announced>,
    /// What this profile shows to be added to an identity, while it waits for that.
    pub request: Option<String>,
}

/// Something that takes effect only once a hold has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// The entry that announced it, 64 hex digits.
    pub id: String,
    /// When it becomes final; none until the witnesses have seen it.
    pub final_at: Option<u64>,
}

/// One device of the identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceRow {
    /// The device key (ed25519), 64 hex digits.
    pub key: String,
    /// Four words of the key, by which a person tells devices apart.
    pub words: Vec<String>,
    pub number: u8,
    pub this_device: bool,
    pub capabilities: DeviceCapabilities,
    pub state: DeviceState,
    /// Two entries were signed for one place of its log: somebody has a copy of its key, or an old copy of its profile
    /// wrote again.
    pub forked: bool,
    /// When it was heard of or wrote last, as far as is known here.
    pub last_seen: Option<u64>,
    /// What it wrote, newest first; the newest fifty.
    pub entries: Vec<DeviceEntry>,
    /// How many entries of it are here.
    pub entry_count: u64,
}

/// Whether a device acts for its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum DeviceState {
    Active,
    Revoked,
}

/// One entry that a device wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceEntry {
    /// 64 hex digits.
    pub id: String,
    /// When the device says that it was written.
    pub at: Option<u64>,
    pub what: DeviceEntryKind,
    /// The name, or the module with its version; empty for others.
    pub subject: String,
    /// Witnesses have confirmed it, so it counts whatever becomes of the device.
    pub confirmed: bool,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum DeviceEntryKind {
    /// A name was claimed.
    Claim,
    /// A version was published.
    Release,
    /// A version was withdrawn, or that was undone.
    Mark,
    /// The profile, a description, a rating or a list was changed.
    Change,
    /// A device was added or revoked, or the key was replaced.
    Keys,
    /// A name was given up, or that was finished or forbidden.
    GiveUp,
    Other,
}

/// Whose device this becomes by accepting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeviceGrant {
    pub did: String,
    /// The name they hold, as far as is known here.
    pub username: Option<String>,
    pub safety_words: Vec<String>,
    pub capabilities: DeviceCapabilities,
}
