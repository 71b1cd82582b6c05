//! A handle on the node, wherever it runs: in this page, or in another tab that owns the writing.
//!
//! The typed methods only wrap [`Command`] and unwrap the matching [`Answer`]; they decide nothing.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use crate::*;

/// Called with every event, in order.
pub type Listener = Rc<dyn Fn(&Event)>;

/// The wire between a handle and its node.
pub trait NodeConnection {
    fn ask(&self, command: Command) -> LocalBoxFuture<'static, Result<Answer, Failure>>;
    /// Returns a number to unsubscribe with.
    fn subscribe(&self, listener: Listener) -> u64;
    fn unsubscribe(&self, id: u64);
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Client(Rc<dyn NodeConnection>);

/// Listens until it is dropped.
pub struct Subscription {
    link: Rc<dyn NodeConnection>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.link.unsubscribe(self.id);
    }
}

impl Client {
    pub fn new(link: Rc<dyn NodeConnection>) -> Self {
        Self(link)
    }

    pub async fn ask(&self, command: Command) -> Result<Answer, Failure> {
        self.0.ask(command).await
    }

    #[must_use = "the listener stops when the subscription is dropped"]
    pub fn subscribe(&self, listener: impl Fn(&Event) + 'static) -> Subscription {
        let id = self.0.subscribe(Rc::new(listener));
        Subscription { link: self.0.clone(), id }
    }
}

/// One typed method per command.
macro_rules! typed {
    ($( $(#[$doc:meta])* $method:ident ( $($arg:ident : $type:ty),* ) : $command:expr => $answer:ident -> $output:ty; )*) => {
        impl Client {
            $(
                $(#[$doc])*
                pub async fn $method(&self $(, $arg: $type)*) -> Result<$output, Failure> {
                    match self.ask($command).await? {
                        Answer::$answer(value) => Ok(value.into()),
                        other => Err(unexpected(&other)),
                    }
                }
            )*
        }
    };
}

typed! {
    who_am_i(): Command::WhoAmI => Me -> Box<Me>;
    check_username(text: String): Command::CheckUsername { text } => NameCheck -> NameCheck;
    setup_user(name: Option<String>, changes: ProfileChanges): Command::SetupUser { name, changes } => Me -> Box<Me>;
    register_username(name: String, changes: ProfileChanges): Command::RegisterUsername { name, changes } => Me -> Box<Me>;
    rename(name: String): Command::Rename { name } => Me -> Box<Me>;
    give_up_name(name: Option<OwnName>, to: Option<String>): Command::GiveUpName { name, to } => Me -> Box<Me>;
    finish_give_up(name: OwnName): Command::FinishGiveUp { name } => Me -> Box<Me>;
    veto_give_up(name: OwnName): Command::VetoGiveUp { name } => Me -> Box<Me>;
    devices(): devices(DeviceCommand::List) => Devices -> DeviceList;
    request_device(): devices(DeviceCommand::Request) => DeviceText -> String;
    cancel_device_request(): devices(DeviceCommand::CancelRequest) => Devices -> DeviceList;
    add_device(request: String, capabilities: DeviceCapabilities): devices(DeviceCommand::Add { request, capabilities }) => DeviceText -> String;
    read_device_grant(grant: String): devices(DeviceCommand::ReadGrant { grant }) => DeviceGrant -> DeviceGrant;
    accept_device_grant(grant: String): devices(DeviceCommand::Accept { grant }) => Devices -> DeviceList;
    revoke_device(key: String, last_good: LastGood): devices(DeviceCommand::Revoke { key, last_good }) => Devices -> DeviceList;
    rotate_key(words: WordsForRotation, ends: Vec<DeviceEnd>): devices(DeviceCommand::Rotate { words, ends }) => Devices -> DeviceList;
    replace_lost_words(): devices(DeviceCommand::ReplaceLostWords) => Devices -> DeviceList;
    veto(announced: String): devices(DeviceCommand::Veto { announced }) => Devices -> DeviceList;
    update_profile(changes: ProfileChanges): Command::UpdateProfile { changes } => Me -> Box<Me>;
    lookup_username(name: String): Command::LookupUsername { name } => Name -> NameReport;
    list_usernames(prefix: String, limit: u32, cursor: Option<String>): Command::ListUsernames { prefix, limit, cursor } => People -> PeoplePage;
    person(did: String): Command::Person { did } => Person -> Option<Box<Person>>;
    block(cid: String): Command::Block { cid } => Block -> Option<Block>;
    recovery_phrase(): Command::RecoveryPhrase => RecoveryPhrase -> String;
    confirm_recovery_phrase(words: Vec<(u32, String)>): Command::ConfirmRecoveryPhrase { words } => Me -> Box<Me>;
    restore_from_phrase(phrase: String, unheard: bool): Command::RestoreFromPhrase { phrase, unheard } => Me -> Box<Me>;
    set_passphrase(passphrase: Option<String>): Command::SetPassphrase { passphrase } => Me -> Box<Me>;
    unlock(passphrase: String): Command::Unlock { passphrase } => Me -> Box<Me>;
    lock(): Command::Lock => Me -> Box<Me>;
    export_backup(passphrase: String): Command::ExportBackup { passphrase } => Backup -> BackupFile;
    import_backup(bytes: Vec<u8>, passphrase: String): Command::ImportBackup { bytes, passphrase } => Imported -> Imported;
    forget_identity(confirm: String): Command::ForgetIdentity { confirm } => Me -> Box<Me>;
    status(): Command::Status => Status -> Status;
    network(): Command::Network => Network -> NetworkReport;
    open_network(topic: String): Command::OpenNetwork { topic } => Network -> NetworkReport;
    statistics(days: u32): Command::Statistics { days } => Statistics -> Box<Statistics>;
    keep_strangers(most: u32): Command::KeepStrangers { most } => Status -> Status;
    limit_upload(bytes_per_second: Option<u32>): Command::LimitUpload { bytes_per_second } => Status -> Status;
    retry_connections(): Command::RetryConnections => Network -> NetworkReport;
    find(kind: NameKind, name: String): Command::Find { kind, name } => Lookup -> Box<FindReport>;
    render_guide(page: String, text: String): Command::RenderGuide { page, text } => Guide -> RenderedGuide;
    validate_module(bytes: Vec<u8>): modules(ModuleCommand::Validate { bytes }) => Report -> Box<Report>;
    check_module_name(text: String): modules(ModuleCommand::CheckName { text }) => ModuleName -> ModuleNameCheck;
    publish(draft: Box<PublishDraft>): modules(ModuleCommand::Publish { draft }) => Published -> Published;
    describe_module(name: String, changes: ModulePatch): modules(ModuleCommand::Describe { name, changes }) => Module -> Option<Box<ModulePage>>;
    yank(name: String, version: String, reason: Option<String>): modules(ModuleCommand::Yank { name, version, reason }) => Module -> Option<Box<ModulePage>>;
    module_page(name: String): modules(ModuleCommand::Page { name }) => Module -> Option<Box<ModulePage>>;
    list_modules(filter: ModuleFilter, sort: ModuleSort, limit: u32, cursor: Option<u32>): modules(ModuleCommand::List { filter, sort, limit, cursor }) => Modules -> ModuleList;
    search(query: String, filter: ModuleFilter, sort: ModuleSort, limit: u32, cursor: Option<u32>): modules(ModuleCommand::Search { query, filter, sort, limit, cursor }) => Found -> SearchResults;
    search_network(query: String, filter: ModuleFilter, sort: ModuleSort, limit: u32): modules(ModuleCommand::SearchNetwork { query, filter, sort, limit }) => NetworkFound -> Box<NetworkSearchResults>;
    rate_module(name: String, stars: Option<u8>, review: String): modules(ModuleCommand::Rate { name, stars, review }) => Module -> Option<Box<ModulePage>>;
    resolve_modules(requirements: Vec<Requirement>): modules(ModuleCommand::Resolve { requirements }) => Plan -> InstallPlan;
    install_modules(requirements: Vec<Requirement>, accept: Vec<String>): modules(ModuleCommand::Install { requirements, accept }) => Installed -> Vec<InstalledModule>;
    uninstall_module(name: String): modules(ModuleCommand::Uninstall { name }) => Installed -> Vec<InstalledModule>;
    installed_modules(): modules(ModuleCommand::ListInstalled) => Installed -> Vec<InstalledModule>;
    read_module(name: String, version: String): modules(ModuleCommand::Read { name, version }) => Bytes -> Vec<u8>;
    inspect_module(name: String, version: String): modules(ModuleCommand::Inspect { name, version }) => Report -> Box<Report>;
    run_function(name: String, version: Option<String>, function: String, arguments: Vec<RunArgument>, text_result: bool): modules(ModuleCommand::Run { name, version, function, arguments, text_result }) => Ran -> RunOutcome;
    export_installed(): modules(ModuleCommand::ExportAll) => Bytes -> Vec<u8>;
    export_lockfile(): modules(ModuleCommand::ExportLockfile) => Lockfile -> String;
    reputation(of: String): safety(BlockListCommand::Reputation { of }) => Reputation -> Reputation;
    lists(): safety(BlockListCommand::BlockList) => BlockList -> BlockListReport;
    decide(subject: String, verdict: Decision, note: Option<String>): safety(BlockListCommand::Decide { subject, verdict, note }) => BlockList -> BlockListReport;
    follows(): notices(NoticeCommand::Follows) => Follows -> Vec<FollowRow>;
    follow(subject: String, follow: bool): notices(NoticeCommand::Follow { subject, follow }) => Follows -> Vec<FollowRow>;
    notices(): notices(NoticeCommand::List) => Notices -> NoticeList;
    mark_notices_read(ids: Vec<u64>): notices(NoticeCommand::MarkRead { ids }) => Notices -> NoticeList;
    clear_notices(): notices(NoticeCommand::Clear) => Notices -> NoticeList;
    readme(cid: String): modules(ModuleCommand::Readme { cid }) => Readme -> Option<String>;
    import_lockfile(text: String, accept: Vec<String>): modules(ModuleCommand::ImportLockfile { text, accept }) => Installed -> Vec<InstalledModule>;
    register_user(username: Option<String>): talk(ChatCommand::Register { username }) => Online -> OnlineReport;
    unregister_user(username: Option<String>): talk(ChatCommand::Unregister { username }) => Online -> OnlineReport;
    online_users(): talk(ChatCommand::Users) => Online -> OnlineReport;
    set_invisible(invisible: bool): talk(ChatCommand::SetInvisible { invisible }) => Online -> OnlineReport;
    join_channel(username: Option<String>, channel: String): talk(ChatCommand::Join { username, channel }) => Channels -> Vec<ChannelEntry>;
    leave_channel(username: Option<String>, channel: String): talk(ChatCommand::Leave { username, channel }) => Channels -> Vec<ChannelEntry>;
    channel_users(channel: String): talk(ChatCommand::ChannelUsers { channel }) => ChannelUsers -> Vec<OnlineUser>;
    channels(): talk(ChatCommand::Channels) => Channels -> Vec<ChannelEntry>;
    say(channel: String, text: String): talk(ChatCommand::Say { channel, text }) => Said -> ChatMessage;
    messages(channel: String, before: Option<String>, limit: u32): talk(ChatCommand::Messages { channel, before, limit }) => Messages -> Box<MessagePage>;
    set_topic_line(channel: String, text: String): talk(ChatCommand::SetTopicLine { channel, text }) => Said -> ChatMessage;
    mute_channel(channel: String, muted: bool): talk(ChatCommand::Mute { channel, muted }) => Channels -> Vec<ChannelEntry>;
    mark_read(channel: String): talk(ChatCommand::MarkRead { channel }) => Channels -> Vec<ChannelEntry>;
}

fn talk(command: ChatCommand) -> Command {
    Command::Chat { command }
}

fn devices(command: DeviceCommand) -> Command {
    Command::Devices { command }
}

fn modules(command: ModuleCommand) -> Command {
    Command::Modules { command }
}

fn safety(command: BlockListCommand) -> Command {
    Command::BlockList { command }
}

fn notices(command: NoticeCommand) -> Command {
    Command::Notices { command }
}

fn unexpected(answer: &Answer) -> Failure {
    tracing::error!(kind = ?std::mem::discriminant(answer), "an answer of another command's kind");
    Failure::new(
        FailureCode::Internal,
        "The app got an answer it did not ask for.",
        "Reload the page; if it happens again, copy the details and report them.",
    )
}
