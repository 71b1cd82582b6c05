//! Commands to a node, its answers, and the events it emits.
//!
//! Everything here is plain serializable data: the page that runs the node, a second tab, a script and the
//! command line all stand on the same side of this file. It refuses to know how any of it is done.
//!
//! Times are milliseconds since 1970-01-01 UTC. Byte strings travel as byte arrays.

mod block_list;
mod chat;
pub mod client;
mod devices;
pub mod failure;
mod find;
mod modules;
mod network;
mod notices;
mod people;
mod statistics;

use serde::{Deserialize, Serialize};

pub use crate::failure::{Failure, FailureCode};
pub use block_list::*;
pub use chat::*;
pub use devices::*;
pub use find::*;
pub use modules::*;
pub use network::*;
pub use notices::*;
pub use people::*;
pub use statistics::*;

pub use gen_registry_core::canonical::DecodeError;
pub use gen_registry_core::guide::{GUIDE_PAGES, GuidePage, GuideSection, RenderedGuide};
pub use gen_registry_core::sync::rejection::Rejection;

/// One thing a person, a script or another tab asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
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
    /// Gives up a name of this profile, the current username if none is given; with `to` (a did or a username) for that
    /// person only. Takes the identity key. Answer: [`Answer::Me`].
    GiveUpName { name: Option<OwnName>, to: Option<String> },
    /// Finishes giving up a name whose hold has passed. It is done by itself, too. Answer: [`Answer::Me`].
    FinishGiveUp { name: OwnName },
    /// Takes back that a name is given up, until that is final. Answer: [`Answer::Me`].
    VetoGiveUp { name: OwnName },
    /// Answer: [`Answer::Me`].
    UpdateProfile { changes: ProfileChanges },
    /// What is known of a name. Answer: [`Answer::Name`].
    LookupUsername { name: String },
    /// People with a name, in the order of their names. Answer: [`Answer::People`].
    ListUsernames { prefix: String, limit: u32, cursor: Option<String> },
    /// One person's page, by `did:gen:…`. Answer: [`Answer::Person`] (`None` when unknown here).
    Person { did: String },
    /// The bytes of a block: stored here, else requested from connected peers. Answer: [`Answer::Block`] (`None` if no
    /// peer sends it in time).
    Block { cid: String },
    /// The 24 words of this profile's key. Answer: [`Answer::RecoveryPhrase`].
    RecoveryPhrase,
    /// The words at the asked positions (0-based) as the person typed them. Right: remembered as checked.
    /// Wrong: fails with `wrongWords`. Answer: [`Answer::Me`].
    ConfirmRecoveryPhrase { words: Vec<(u32, String)> },
    /// Makes this profile a device of the identity that the words stand for, with its identity key. Waits until the identity
    /// was found at a peer, and fails with `identityNotFound` if it was not; with `unheard` it goes on without. Answer:
    /// [`Answer::Me`].
    RestoreFromPhrase { phrase: String, unheard: bool },
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
        #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
        passphrase: String,
    },
    /// Removes the key from this device. The public document stays as a replica. `confirm` must be the did.
    /// Answer: [`Answer::Me`].
    ForgetIdentity { confirm: String },
    /// Store and network as they are now. Answer: [`Answer::Status`].
    Status,
    /// Sets how many strangers are kept at most: people whom this person does not follow, trust, use modules of or meet in
    /// channels. Others are evicted; a look-up finds them again. Answer: [`Answer::Status`].
    KeepStrangers { most: u32 },
    /// Sets how many bytes of modules and pictures per second are given to all peers together, at least 32 KiB; without a
    /// number as many as the connection takes. Answer: [`Answer::Status`].
    LimitUpload { bytes_per_second: Option<u32> },
    /// Peers, relays and what they did. Answer: [`Answer::Network`].
    Network,
    /// Opens another network's profile from the next load of the page: of a network of this browser, or of the one that
    /// the page's server belongs to. Answer: [`Answer::Network`].
    OpenNetwork { topic: String },
    /// Sums of what this device has seen, over the last days (at most 366). Answer: [`Answer::Statistics`].
    Statistics { days: u32 },
    /// Something changed outside (the device is online again): look for peers now. Answer: [`Answer::Network`].
    RetryConnections,
    /// A name, looked up here, then at connected peers, then in the wider network; its publisher is dialled. Answer:
    /// [`Answer::Lookup`].
    Find { kind: NameKind, name: String },
    /// Renders the text of one of [`GUIDE_PAGES`], at most 256 KiB. Answer: [`Answer::Guide`].
    RenderGuide { page: String, text: String },
    /// Whatever is asked of devices and keys. Each act says its answer.
    Devices { command: DeviceCommand },
    /// Whatever is asked of modules. Each act says its answer.
    Modules { command: ModuleCommand },
    /// Whatever is asked of reputations and lists. Each act says its answer.
    BlockList { command: BlockListCommand },
    /// Whatever is asked of follows and notices. Each act says its answer.
    Notices { command: NoticeCommand },
    /// Whatever is asked of presence and channels. Each act says its answer.
    Chat { command: ChatCommand },
}

impl Command {
    /// Whether it carries or brings out a secret: words, a passphrase, a backup. Such a command is carried out in the tab
    /// that it was given to.
    pub fn is_secret(&self) -> bool {
        match self {
            Self::RecoveryPhrase
            | Self::ConfirmRecoveryPhrase { .. }
            | Self::RestoreFromPhrase { .. }
            | Self::SetPassphrase { passphrase: Some(_) }
            | Self::Unlock { .. }
            | Self::ExportBackup { .. }
            | Self::ImportBackup { .. } => true,
            Self::Devices { command } => match command {
                DeviceCommand::Rotate { words, .. } => words.phrase.is_some(),
                DeviceCommand::List
                | DeviceCommand::Request
                | DeviceCommand::CancelRequest
                | DeviceCommand::Add { .. }
                | DeviceCommand::ReadGrant { .. }
                | DeviceCommand::Accept { .. }
                | DeviceCommand::Revoke { .. }
                | DeviceCommand::ReplaceLostWords
                | DeviceCommand::Veto { .. } => false,
            },
            Self::WhoAmI
            | Self::CheckUsername { .. }
            | Self::SetupUser { .. }
            | Self::RegisterUsername { .. }
            | Self::Rename { .. }
            | Self::GiveUpName { .. }
            | Self::FinishGiveUp { .. }
            | Self::VetoGiveUp { .. }
            | Self::UpdateProfile { .. }
            | Self::LookupUsername { .. }
            | Self::ListUsernames { .. }
            | Self::Person { .. }
            | Self::Block { .. }
            | Self::SetPassphrase { passphrase: None }
            | Self::Lock
            | Self::ForgetIdentity { .. }
            | Self::Status
            | Self::KeepStrangers { .. }
            | Self::LimitUpload { .. }
            | Self::Network
            | Self::OpenNetwork { .. }
            | Self::Statistics { .. }
            | Self::RetryConnections
            | Self::Find { .. }
            | Self::RenderGuide { .. }
            | Self::Modules { .. }
            | Self::BlockList { .. }
            | Self::Notices { .. }
            | Self::Chat { .. } => false,
        }
    }
}

/// What a command came to. Which command gets which is said at the command.
#[allow(clippy::large_enum_variant, reason = "an answer is made, sent and taken apart once; nobody keeps many")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
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
    Devices(DeviceList),
    DeviceText(String),
    DeviceGrant(DeviceGrant),
    Status(Status),
    Network(NetworkReport),
    Statistics(Box<Statistics>),
    Lookup(Box<FindReport>),
    Report(Box<Report>),
    ModuleName(ModuleNameCheck),
    Published(Published),
    Module(Option<Box<ModulePage>>),
    Modules(ModuleList),
    Found(SearchResults),
    NetworkFound(Box<NetworkSearchResults>),
    Plan(InstallPlan),
    Installed(Vec<InstalledModule>),
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
    Bytes(Vec<u8>),
    Lockfile(String),
    Readme(Option<String>),
    Guide(RenderedGuide),
    Ran(RunOutcome),
    Reputation(Reputation),
    BlockList(BlockListReport),
    Follows(Vec<FollowRow>),
    Notices(NoticeList),
    Online(OnlineReport),
    ChannelUsers(Vec<OnlineUser>),
    Channels(Vec<ChannelEntry>),
    Messages(Box<MessagePage>),
    Said(ChatMessage),
}

/// What the node emits by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS), ts(rename = "NodeEvent"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// This profile's identity, name, profile or protection changed.
    MeChanged,
    /// Something known about these people changed (`did:gen:…`). Names may have changed hands.
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
    /// A message in a joined channel, this profile's own included. `muted`: no notification for it.
    Message { message: ChatMessage, muted: bool },
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
    /// The browser closed the site's storage under the open page.
    StorageClosed { outcome: StorageOutcome },
}

/// What became of a profile whose storage the browser closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum StorageOutcome {
    /// It was opened again with all that was in it.
    Reopened,
    /// The data were gone; what the page held of them is stored again.
    Rewritten,
    /// It can't be opened or written: the page shows what it holds and changes nothing.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Block {
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
    pub bytes: Vec<u8>,
    /// Read off the bytes themselves; `application/octet-stream` when unknown.
    pub media_type: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct BackupFile {
    /// A name to save it under.
    pub file_name: String,
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
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
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
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
    /// How this profile is connected to its network.
    pub connection: ConnectionState,
    pub quarantined: Vec<QuarantinedRecord>,
    /// Bytes used and allowed by the browser; `None` where it does not report them.
    pub storage_used: Option<u64>,
    pub storage_quota: Option<u64>,
    /// The browser promised not to evict this site's data.
    pub persisted: Option<bool>,
    /// This tab is the writer (others forward to it).
    pub writer: bool,
    /// The browser refused its storage: everything is gone when the writing tab closes.
    pub volatile: bool,
    /// The browser took its storage away: the page shows what it holds and changes nothing.
    pub withdrawn: bool,
    /// How far the clocks of most connected peers are ahead of this device's, in milliseconds (below zero: behind).
    /// None while they agree well enough for names and presence.
    pub clock_apart: Option<i64>,
    /// Strangers kept at most.
    pub strangers_max: u32,
    /// Of so many strangers one is kept; 1 while there is room for all.
    pub strangers_share: u64,
    /// Bytes per second that are given to all peers together at most; `None` is no limit.
    pub upload_limit: Option<u32>,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedRecord {
    pub table: String,
    pub key: String,
    pub reason: String,
    pub at: u64,
}
