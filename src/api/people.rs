//! This profile and other people: who they are, what they are called, and how that came about.

use serde::{Deserialize, Serialize};

use super::{AnsweredBy, Reputation};

/// This profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// `did:key:z6Mk…`; none before the first write made a key.
    pub did: Option<String>,
    /// The ed25519 public key, 64 hex digits.
    pub public_key: Option<String>,
    /// The name this profile holds, as it is shown.
    pub username: Option<String>,
    pub name_status: Option<NameStatus>,
    pub registered_at: Option<u64>,
    /// Set when a claim of this profile lost and nothing has been claimed since.
    pub lost_name: Option<LostName>,
    /// The key signed two different changes for one place: nothing of this identity counts any more, permanently.
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
    /// The key is stored sealed; open in this session.
    Unlocked,
    /// The key is stored sealed; writing needs `Unlock` first.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NameStatus {
    /// Fewer witness receipts than the network asks for: the claim's own date decides.
    Provisional,
    /// Enough witnesses have seen it.
    Confirmed,
    /// Somebody else claims it too; the rule has decided for this holder.
    Contested,
}

/// A person beside what they say or do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PersonSummary {
    pub did: String,
    /// The ed25519 public key, 64 hex digits.
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
    /// The name was given up by somebody who now goes by `redirect.username`.
    pub redirect: Option<UsernameEntry>,
    /// When a given-up name is free for everyone.
    pub free_at: Option<u64>,
    /// The rule that decided.
    pub why: Option<HoldReason>,
    /// Claims that lost, with reasons.
    pub losers: Vec<LosingClaim>,
    /// None when the name is not known here; [`Command::Find`](crate::Command::Find) looks further.
    pub answered_by: Option<AnsweredBy>,
    pub records: u64,
    pub registries: u64,
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
    /// Both are confirmed; witnesses saw the holder's first.
    WitnessedLater,
    /// The holder's claim is confirmed by witnesses, this one is not.
    NotConfirmed,
    /// Neither is confirmed; the holder's carries the earlier date.
    ClaimedLater,
    /// Both carry the same time; the smaller hash goes first.
    LargerHash,
    /// Made while the name was closed after its last holder gave it up.
    CoolingDown,
    /// The author had used up the number of usernames that count.
    TooManyNames,
    /// It was held already when it was asked for, so no claim was made.
    AlreadyHeld,
}

/// Why the holder of a name holds it, in view of the nearest rival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// Witnesses saw this claim before the confirmed rivals.
    WitnessedFirst,
    /// Witnesses confirmed this claim and no other.
    OnlyConfirmed,
    /// No claim is confirmed; this one carries the earliest date.
    EarliestDate,
    /// The claims carry the same time; this one has the smaller hash.
    SmallerHash,
    /// Witnesses confirmed this claim, and there is no rival that counts.
    Confirmed,
    /// No other claim that counts is known here.
    NoRival,
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
    /// Their key signed two different changes for one place: nothing of theirs counts any more.
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
    /// Dated too far ahead of this device's clock to be counted yet.
    HeldBack,
}
