//! This profile and other people: who they are, what they are called, and how that came about.

use serde::{Deserialize, Serialize};

use super::{AnsweredBy, NameKind, Reputation};

/// This profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// `did:gen:z…`; none before the first write made an identity.
    pub did: Option<String>,
    /// The present identity key (ed25519), 64 hex digits.
    pub public_key: Option<String>,
    /// The name this profile holds, or the one that it is to get, as `name_status` says.
    pub username: Option<String>,
    /// Other names that it holds.
    pub other_usernames: Vec<String>,
    /// The name that this profile is to go by next, while it goes by one that it holds.
    pub next_username: Option<String>,
    pub name_status: Option<NameStatus>,
    /// Set while the name is being given up. Registering it again takes that back.
    pub giving_up: Option<GivingUp>,
    pub registered_at: Option<u64>,
    /// Set when a claim of this profile lost and nothing has been claimed since.
    pub lost_name: Option<LostName>,
    /// This device's log has two entries for one place, so it takes no more; another device of the identity can go on.
    pub forked: bool,
    pub profile: Profile,
    pub history: Vec<HistoryEntry>,
    /// Eight words that two people can compare aloud.
    pub safety_words: Vec<String>,
    pub protection: Protection,
    /// True once the person typed the asked words of the recovery phrase.
    pub phrase_checked: bool,
    pub last_backup_at: Option<u64>,
    /// How many changes the document has, and its size in bytes.
    pub changes: u64,
    pub document_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Protection {
    /// The key is stored as it is.
    #[default]
    None,
    /// The key is stored sealed, under a key that the browser keeps and shows to no script.
    Browser,
    /// The key is stored sealed under a passphrase; open in this session.
    Unlocked,
    /// The key is stored sealed under a passphrase; writing needs `Unlock` first.
    Locked,
}

/// The mutable part of a person's document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub display_name: Option<String>,
    pub bio: Option<String>,
    /// The CID of the picture's block.
    pub avatar: Option<String>,
    pub links: Vec<String>,
    pub joined_at: Option<u64>,
}

/// What to change. Absent: leave it. An empty text, list or picture takes the value away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[cfg_attr(feature = "typings", ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct ProfileChanges {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// PNG, JPEG, WebP or GIF bytes, at most one block.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
    pub avatar: Option<serde_bytes::ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<String>>,
}

/// A name of this profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OwnName {
    pub kind: NameKind,
    pub name: String,
}

/// An end of a name that was announced and is not final yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GivingUp {
    /// When it becomes final; none until the witnesses have seen it.
    pub final_at: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NameStatus {
    /// Nobody was asked yet: it is claimed as soon as a witness can be reached. Seen on this device only.
    Intent,
    /// It is claimed, and not enough witnesses have signed it yet.
    Pending,
    /// This network has no witnesses: an earlier claim that turns up takes it.
    Provisional,
    /// Enough witnesses have signed it: nobody can take it.
    Confirmed,
    /// More witnesses lied than the network bears, and somebody else's claim is confirmed as well.
    Contested,
}

/// A person beside what they say or do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PersonSummary {
    pub did: String,
    /// The present identity key (ed25519), 64 hex digits.
    pub public_key: String,
    /// The name they hold, as far as is known here.
    pub username: Option<String>,
    pub display_name: Option<String>,
    /// The CID of the picture's block.
    pub avatar: Option<String>,
    /// It is this profile's own person.
    pub mine: bool,
}

/// One row of the people directory, and what `lookupUsername` gives a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct UsernameEntry {
    /// The person, with the name they hold.
    #[serde(flatten)]
    pub person: PersonSummary,
    pub registered_at: u64,
    pub joined_at: Option<u64>,
    pub status: NameStatus,
}

impl UsernameEntry {
    /// The name; a person without one has no entry.
    pub fn username(&self) -> &str {
        self.person.username.as_deref().unwrap_or_default()
    }
}

/// The verdict on a name while it is typed. `records` and `registries` say what the verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NameCheck {
    pub text: String,
    /// How the name would be written; none when it is invalid.
    pub username: Option<String>,
    pub verdict: NameVerdict,
    /// Names known here.
    pub records: u64,
    /// Other people's registries that were asked.
    pub registries: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(tag = "verdict", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum NameVerdict {
    Available,
    /// This profile holds it already.
    Yours,
    /// `by.username` may be spelled otherwise: look-alikes count as the same name.
    Taken {
        by: Box<UsernameEntry>,
    },
    /// Given up not long ago; free for everyone else from `free_at`.
    CoolingDown {
        free_at: u64,
    },
    /// Two claims are confirmed, and none is taken for the holder's.
    Contested,
    /// `rule` is a stable code, `message` a sentence that names the rule.
    Invalid {
        rule: String,
        message: String,
    },
}

/// What is known of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NameReport {
    /// The name as asked for, prepared; equals the input when it can't be a name.
    pub asked: String,
    pub holder: Option<UsernameEntry>,
    /// The name as its holder spells it. Who holds several goes by another one, perhaps.
    pub spelled: Option<String>,
    /// The name was given up by somebody who now goes by `redirect.username`.
    pub redirect: Option<UsernameEntry>,
    /// When a given-up name is free for everyone.
    pub free_at: Option<u64>,
    /// What the holder's right rests on.
    pub why: Option<HoldReason>,
    /// How many of the network's present witnesses have signed it.
    pub receipts: u64,
    /// Claims that lost, with reasons: the earliest ones, and the own one first.
    pub losers: Vec<LosingClaim>,
    /// How many more lost.
    pub more_losers: u64,
    /// None when the name is not known here; [`Command::Find`](crate::Command::Find) looks further.
    pub answered_by: Option<AnsweredBy>,
    pub records: u64,
    pub registries: u64,
}

impl NameReport {
    /// Whether several claims are confirmed, and this device takes none of them for the holder's.
    pub fn is_split(&self) -> bool {
        self.holder.is_none() && self.losers.iter().any(|claim| claim.reason == LossReason::Contested)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LosingClaim {
    pub did: String,
    pub username: String,
    pub claimed_at: u64,
    pub reason: LossReason,
}

/// Why a claim does not hold its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LossReason {
    /// Not enough witnesses have signed it, and nobody holds the name.
    Pending,
    /// The network's witnesses have confirmed the other claim.
    NotConfirmed,
    /// The network has no witnesses, and the other claim has the earlier date, or with the same date the smaller id.
    ClaimedLater,
    /// Its author took it back, so that another claim could be confirmed.
    Withdrawn,
    /// It comes after another end of the name than the last one.
    OtherPlace,
    /// Another claim is confirmed as well, by witnesses that contradict themselves.
    Contested,
    /// It was held already when it was asked for, so no claim was made.
    AlreadyHeld,
}

/// What the right of a name's holder rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// The network's witnesses have confirmed this claim.
    Confirmed,
    /// The network has no witnesses, and this claim has the earliest date.
    EarliestDate,
    /// The network has no witnesses, and no other claim is known here.
    NoRival,
    /// Two claims are confirmed; this device knew this one before.
    KnownBefore,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LostName {
    pub name: String,
    pub holder: Option<UsernameEntry>,
    /// Why the other claim holds.
    pub reason: LossReason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PeoplePage {
    pub people: Vec<UsernameEntry>,
    /// Hand it back to get the next page; none on the last one.
    pub cursor: Option<String>,
    /// How many match the prefix in all.
    pub total: u64,
    /// For each initial letter, how many people's names begin with it (whatever the prefix).
    pub initials: Vec<(String, u64)>,
}

/// One person's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Person {
    pub did: String,
    pub public_key: String,
    /// The name they hold now.
    pub entry: Option<UsernameEntry>,
    pub profile: Profile,
    pub history: Vec<HistoryEntry>,
    pub safety_words: Vec<String>,
    pub mine: bool,
    /// When this node last learned something about them.
    pub updated_at: Option<u64>,
    /// A log of one of their devices has two entries for one place, and takes no more.
    pub forked: bool,
    /// This profile's person wants to see nothing of them.
    pub blocked: bool,
    pub reputation: Reputation,
}

/// One step in the story of somebody's names, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    pub username: String,
    pub claimed_at: u64,
    /// When it was given up, if it was.
    pub released_at: Option<u64>,
    pub outcome: HistoryOutcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HistoryOutcome {
    /// Holds it now.
    Held,
    /// Held it until it was given up.
    Released,
    /// Never held it, and why.
    Lost { reason: LossReason },
    /// Waits for witnesses.
    Pending,
}
