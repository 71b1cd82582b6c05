//! What may be asked of a node, what it answers, and what it tells by itself.
//!
//! Everything here is plain serializable data (INV-1): the page that runs the node, a second tab, a script and the
//! command line all stand on the same side of this file. It refuses to know how any of it is done.
//!
//! Times are milliseconds since 1970-01-01 UTC. Byte strings travel as byte arrays.

mod find;
mod modules;
mod network;
mod notices;
mod safety;
mod talk;

use serde::{Deserialize, Serialize};

pub use crate::node::failure::{Failure, FailureCode};
pub use find::*;
pub use modules::*;
pub use network::*;
pub use notices::*;
pub use safety::*;
pub use talk::*;

/// One thing a person, a script or another tab asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Who this profile is. Answer: [`Answer::Me`].
    WhoAmI,
    /// What can be said about a name while it is typed. Answer: [`Answer::NameCheck`].
    CheckUsername { text: String },
    /// Makes the person (key and profile) and tries to claim `name`. The person exists afterwards even if the name
    /// proves taken; then `Me::lost_name` says so. Answer: [`Answer::Me`].
    SetupUser { name: Option<String>, changes: ProfileChanges },
    /// Claims a name, or fails with `nameTaken`. Answer: [`Answer::Me`].
    RegisterUsername { name: String, changes: ProfileChanges },
    /// Gives up the current name for a new one, in one change. Answer: [`Answer::Me`].
    Rename { name: String },
    /// Gives up the current name. Answer: [`Answer::Me`].
    ReleaseUsername,
    /// Answer: [`Answer::Me`].
    UpdateProfile { changes: ProfileChanges },
    /// What is known of a name. Answer: [`Answer::Name`].
    LookupUsername { name: String },
    /// People with a name, in the order of their names. Answer: [`Answer::People`].
    ListUsernames { prefix: String, limit: u32, cursor: Option<String> },
    /// One person's page, by `did:key:…`. Answer: [`Answer::Person`] (`None` when unknown here).
    Person { did: String },
    /// The bytes of a block: kept here, else asked for at connected peers. Answer: [`Answer::Block`] (`None` when nobody
    /// gives it soon).
    Block { cid: String },
    /// The 24 words of this profile's key. Answer: [`Answer::RecoveryPhrase`].
    RecoveryPhrase,
    /// The words at the asked positions (0-based) as the person typed them. Right: remembered as checked.
    /// Wrong: fails with `wrongWords`. Answer: [`Answer::Me`].
    ConfirmRecoveryPhrase { words: Vec<(u32, String)> },
    /// Makes this profile the owner of the key that the words stand for. Answer: [`Answer::Me`].
    RestoreFromPhrase { phrase: String },
    /// Locks the stored key behind a passphrase, changes it, or (`None`) takes the lock away. Answer: [`Answer::Me`].
    SetPassphrase { passphrase: Option<String> },
    /// Opens the locked key for this session. Answer: [`Answer::Me`].
    Unlock { passphrase: String },
    /// Forgets the opened key until the next `Unlock`. Answer: [`Answer::Me`].
    Lock,
    /// The whole document and the key as one encrypted file. Answer: [`Answer::Backup`].
    ExportBackup { passphrase: String },
    /// Answer: [`Answer::Imported`].
    ImportBackup {
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        passphrase: String,
    },
    /// Removes the key from this device. The public document stays as a replica. `confirm` must be the did.
    /// Answer: [`Answer::Me`].
    ForgetIdentity { confirm: String },
    /// Store and network as they are now. Answer: [`Answer::Status`].
    Status,
    /// Peers, relays and what they did. Answer: [`Answer::Network`].
    Network,
    /// Something changed outside (the device is online again): look for peers now. Answer: [`Answer::Network`].
    LookAround,
    /// A name, looked for here, then at connected peers, then in the wider network; whoever has it is sought. Answer:
    /// [`Answer::Lookup`].
    Find { kind: NameKind, name: String },
    /// Whatever is asked of modules. Each act says its answer.
    Modules { ask: ModuleCommand },
    /// Whatever is asked of reputations and lists. Each act says its answer.
    Safety { ask: SafetyCommand },
    /// Whatever is asked of follows and notices. Each act says its answer.
    Notices { ask: NoticeCommand },
    /// Whatever is asked of presence and channels. Each act says its answer.
    Talk { ask: TalkCommand },
}

/// What a command came to. Which command gets which is said at the command.
#[allow(clippy::large_enum_variant, reason = "an answer is made, sent and taken apart once; nobody keeps many")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "camelCase")]
pub enum Answer {
    Me(Box<Me>),
    NameCheck(NameCheck),
    Name(NameReport),
    People(PeoplePage),
    Person(Option<Box<Person>>),
    Block(Option<Block>),
    RecoveryPhrase(String),
    Backup(BackupFile),
    Imported(Imported),
    Status(Status),
    Network(NetworkReport),
    Lookup(Box<FindReport>),
    Report(Box<Report>),
    ModuleName(ModuleNameCheck),
    Published(Published),
    Module(Option<Box<ModulePage>>),
    Modules(ModuleList),
    Found(SearchResults),
    Plan(InstallPlan),
    Installed(Vec<InstalledModule>),
    #[serde(with = "serde_bytes")]
    Bytes(Vec<u8>),
    Lockfile(String),
    Ran(RunOutcome),
    Reputation(Reputation),
    Lists(ListsReport),
    Follows(Vec<FollowRow>),
    Notices(NoticeList),
    Online(OnlineReport),
    ChannelUsers(Vec<OnlineUser>),
    Channels(Vec<ChannelEntry>),
    Messages(Box<MessagePage>),
    Said(TalkMessage),
}

/// What the node tells without being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// This profile's identity, name, profile or protection changed.
    MeChanged,
    /// Something known about these people changed (`did:key:…`). Names may have changed hands.
    PeopleChanged { dids: Vec<String> },
    /// The name this profile claimed turned out to be somebody else's.
    NameLost { lost: LostName },
    /// Something known about these modules changed.
    ModulesChanged { names: Vec<String> },
    /// Something happened where this person follows.
    Announcement { notice: Notice },
    /// How far an installation is.
    Installing { progress: InstallProgress },
    /// Peers or relays came or went, or began or ended to exchange.
    NetworkChanged,
    /// Somebody or one of their devices came or went, or a channel got or lost a member.
    Presence {
        what: PresenceNews,
        did: String,
        username: Option<String>,
        node: Option<String>,
        channel: Option<String>,
    },
    /// Somebody said something in a joined channel; this profile's own words too. `muted`: tell nobody.
    Message { message: TalkMessage, muted: bool },
    /// What was read, muted, joined or left changed.
    ChannelsChanged,
    /// Two people claim one name; the rule has decided (see [`Command::LookupUsername`]).
    Conflict { name: String, holder: Option<String>, losers: Vec<String> },
    /// A stored record failed its check and was set aside.
    Quarantined { table: String, key: String },
    /// Another tab took over as the writer, or this one did.
    WriterChanged,
    /// This page is older than the data: it must be reloaded.
    ReloadNeeded,
}

/// This profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase", default)]
pub struct ProfileChanges {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// PNG, JPEG, WebP or GIF bytes, at most one block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<serde_bytes::ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameStatus {
    /// Fewer witness receipts than the network asks for: the claim's own date decides.
    Provisional,
    /// Enough witnesses have seen it.
    Confirmed,
    /// Somebody else claims it too; the rule has decided for this holder.
    Contested,
}

/// One row of the people directory, and what `lookupUsername` gives a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsernameEntry {
    pub username: String,
    pub public_key: String,
    pub did: String,
    pub registered_at: u64,
    pub display_name: Option<String>,
    /// The CID of the picture's block.
    pub avatar: Option<String>,
    pub joined_at: Option<u64>,
    pub status: NameStatus,
    /// It is this profile's own.
    pub mine: bool,
}

/// The verdict on a name while it is typed. `records` and `registries` say what the verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub struct NameReport {
    /// The name as asked for, prepared; equals the input when it can't be a name.
    pub asked: String,
    pub holder: Option<UsernameEntry>,
    /// The name was given up by somebody who now goes by `redirect.username`.
    pub redirect: Option<UsernameEntry>,
    /// When a given-up name is free for everyone.
    pub free_at: Option<u64>,
    /// The rule that decided, as a sentence.
    pub why: Option<String>,
    /// Claims that lost, with reasons.
    pub losers: Vec<LosingClaim>,
    /// None when the name is not known here; [`Command::Find`] looks further.
    pub answered_by: Option<AnsweredBy>,
    pub records: u64,
    pub registries: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LosingClaim {
    pub did: String,
    pub username: String,
    pub claimed_at: u64,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostName {
    pub name: String,
    pub holder: Option<UsernameEntry>,
    /// Why the other claim holds, as a sentence.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    pub username: String,
    pub claimed_at: u64,
    /// When it was given up, if it was.
    pub released_at: Option<u64>,
    pub outcome: HistoryOutcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HistoryOutcome {
    /// Holds it now.
    Held,
    /// Held it until it was given up.
    Released,
    /// Never held it, and why.
    Lost { reason: String },
    /// Dated too far ahead of this device's clock to be counted yet.
    HeldBack,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Read off the bytes themselves; `application/octet-stream` when unknown.
    pub media_type: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupFile {
    /// A name to save it under.
    pub file_name: String,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    pub me: Box<Me>,
    /// Changes that were new to this device.
    pub new_changes: u64,
    /// When the backup was made.
    pub exported_at: u64,
}

/// Store and network as they are now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Other people's registries kept here.
    pub registries: u64,
    /// Names known here.
    pub names: u64,
    /// Peers connected now.
    pub peers: u64,
    /// Registries are being compared or fetched right now.
    pub syncing: bool,
    /// How this profile stands to its network.
    pub connection: Connection,
    pub quarantined: Vec<QuarantinedRecord>,
    /// Bytes used and allowed by the browser; none where it does not tell.
    pub storage_used: Option<u64>,
    pub storage_quota: Option<u64>,
    /// The browser promised not to evict this site's data.
    pub persisted: Option<bool>,
    /// This tab is the writer (others forward to it).
    pub writer: bool,
    /// The browser refused its storage: everything is gone when the writing tab closes.
    pub volatile: bool,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedRecord {
    pub table: String,
    pub key: String,
    pub reason: String,
    pub at: u64,
}
