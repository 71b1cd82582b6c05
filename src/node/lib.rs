//! The running registry: commands in, answers and events out.
//!
//! A [`Node`] is one profile: it builds the services and takes each [`Command`] to the one that carries it out. Every
//! service owns its state and is given what it needs: first of all the `Context` (network, clock, randomness, records,
//! events), then the services below it. None knows the [`Node`]. The store and the platform are reached through traits,
//! so that all of it runs natively in tests exactly as it does in the page.
//!
//! From the lowest to the highest, each may use those above it in this list:
//!
//! - `context`; `key_store` (the key and the settings)
//! - `holding` (what stays in memory in case the browser takes the store away); `registry` (read model, documents, writing:
//!   `write`); [`admit`] (what peers bring)
//! - `decisions`, `modules::installed`, `peers`, `channel_store`, `history_requests`: state that several services read
//! - `presence` (who is online); `reputation` (scores of peers)
//! - `people` (questions); `profile` (the own name and description); `devices` (devices and keys); `notices`; `block_list`;
//!   `backup`
//! - [`blocks`] (content of modules and pictures); `checkpoints` (documents brought up to date); [`lookup`]; `witnessing` (asking witnesses, over [`receipts`]); `modules`
//! - `channels`, `chat` (presence and channels between peers)
//! - [`peering`]: the sessions with peers, on top of all; [`network`]: which network it is; `networks`: those of this
//!   browser; [`witness`]: on a server
//!
//! A profile's life, as a host drives it:
//!
//! ```text
//!   network::opening::decide(..)            which network's profile is opened; `network::pin` keeps it
//!   Node::start(store, environment, ..)     reads key, settings and read model; replays no document
//!   node.subscribe(listener)                events, for as long as the node lives
//!   node.handle(Command::WhoAmI)            works from now on, with or without peers
//!   Peering::open(node) ─► run()            takes part in the network, until the mesh is closed
//! ```
//!
//! Questions are answered from the read model at once. A command that writes takes the write lock, is carried out
//! unless its id is known already, and answers when its effect is stored ([`Node::handle_once`]).

pub mod admit;
mod backup;
mod block_list;
pub mod blocks;
mod channel_store;
mod channels;
mod chat;
mod checkpoints;
mod closings;
mod context;
mod decisions;
mod devices;
mod documents;
mod entries;
mod errors;
mod guide;
mod history_requests;
mod holding;
mod interests;
mod key_state;
mod key_store;
pub mod lookup;
mod modules;
pub mod net;
pub mod network;
mod networks;
mod notices;
pub mod peering;
mod peers;
mod people;
pub mod platform;
mod presence;
mod profile;
pub mod receipts;
mod registry;
pub mod relay_renewal;
mod reputation;
mod request_rates;
mod retention;
mod services;
mod statistics;
pub mod store;
#[cfg(target_arch = "wasm32")]
pub mod tabs;
mod time_slice;
pub mod witness;
mod witnessing;

use std::cell::Ref;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::admit::Admission;
use crate::backup::Backups;
use crate::block_list::BlockLists;
use crate::blocks::ContentStore;
use crate::chat::Chat;
use crate::checkpoints::Checkpoints;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::devices::Devices;
use crate::interests::Interests;
use crate::key_store::KeyStore;
use crate::lookup::Lookups;
use crate::modules::Modules;
use crate::modules::installed;
use crate::networks::Networks;
use crate::notices::Notices;
use crate::peers::PeerTable;
use crate::peers::report::network_report;
use crate::people::People;
use crate::platform::Environment;
use crate::presence::PresenceService;
use crate::profile::ProfileWriter;
use crate::registry::{Registry, read_model};
use crate::reputation::{ReputationTracker, Scores};
use crate::retention::Retainer;
use crate::services::StoredState;
use crate::store::migration::migrate;
use crate::store::records::{Damaged, Quarantined, Records, StoredRecord};
use crate::store::{Store, StoreError, Table};
use crate::witnessing::Witnessing;
use futures::future::LocalBoxFuture;
use gen_registry_api::client::Listener;
use gen_registry_api::*;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::registry::Ask;
use gen_registry_core::sync::exchange::PreparedPage;
use gen_registry_core::sync::exchange::wire::Piece;

pub use admit::AdmissionReport;
pub use network::Network;
pub use notices::{FOLLOWS_MAX, NOTICES_MAX};

/// The program's version, for backups and the settings page.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Names one sending of a command.
pub type RequestId = String;

/// One profile's registry: its services, as `services` builds them.
pub struct Node {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    admission: Rc<Admission>,
    peers: Rc<PeerTable>,
    networks: Networks,
    presence: Rc<PresenceService>,
    decisions: Rc<Decisions>,
    reputation: Rc<ReputationTracker>,
    people: Rc<People>,
    profile: ProfileWriter,
    devices: Devices,
    notices: Rc<Notices>,
    retainer: Rc<Retainer>,
    interests: Interests,
    block_lists: Rc<BlockLists>,
    backups: Backups,
    content: Rc<ContentStore>,
    lookups: Rc<Lookups>,
    witnessing: Rc<Witnessing>,
    checkpoints: Rc<Checkpoints>,
    modules: Modules,
    chat: Rc<Chat>,
}

impl Node {
    /// Opens a profile: reads the key, the settings and the read model. No document is replayed. Damaged
    /// records are set aside; only a store that can't be read at all is an error.
    pub async fn start(
        store: Rc<dyn Store>,
        environment: Rc<dyn Environment>,
        network: Network,
    ) -> Result<Self, StoreError> {
        Self::start_within(store, environment, network, NodeLimits::default()).await
    }

    /// As [`Node::start`], with other limits than usual.
    pub async fn start_within(
        store: Rc<dyn Store>,
        environment: Rc<dyn Environment>,
        network: Network,
        limits: NodeLimits,
    ) -> Result<Self, StoreError> {
        let records = Records::new(store);
        migrate(&records).await?;
        let mut damaged = Vec::new();
        let key_state = key_store::read_keys(&records, &network.topic, &mut damaged).await?;
        holding::hold_tables(&records).await?;
        if let Some(did) = key_state.identity() {
            holding::hold_identity(&records, &did).await?;
        }
        let settings = read_setting(&records, key_store::SETTINGS_RECORD, &mut damaged).await?;
        let (read_model, broken) = read_model(&records, network.history().clone()).await?;
        let (broken_people, others): (Vec<_>, Vec<_>) =
            broken.into_iter().partition(|found| found.table == Table::People);
        damaged.extend(others);
        let (quarantined, _) = records.all::<Quarantined>(Table::Quarantine, "").await?;
        let (installed, broken) = installed::read(&records).await?;
        damaged.extend(broken);
        let (scores, broken) = Scores::read(&records).await?;
        damaged.extend(broken);
        let lists = read_setting(&records, block_list::RECORD, &mut damaged).await?;
        let notices = read_setting(&records, notices::RECORD, &mut damaged).await?;
        let range = read_setting(&records, retention::RECORD, &mut damaged).await?;
        let upload = read_setting(&records, blocks::upload::RECORD, &mut damaged).await?;

        let context = Rc::new(Context::new(network, environment, records, limits));
        context.remember_quarantined(quarantined.into_iter().map(|(_, record)| record));
        let keys = Rc::new(KeyStore::new(context.clone(), key_state, settings));
        let registry = Rc::new(Registry::new(context.clone(), keys.clone(), read_model));
        let stored = StoredState { lists, installed, scores, notices, range, upload };
        let node = Self::assemble(context, keys, registry, stored);
        node.retainer.retain();
        for found in damaged.iter().chain(&broken_people) {
            node.context.quarantine(found).await;
        }
        // The signed changes are the truth; what the read model lost is folded from them again.
        for found in &broken_people {
            node.registry.rebuild(&found.key).await;
        }
        Ok(node)
    }

    /// Carries out one command. Whatever fails, the state is as before.
    pub async fn handle(&self, command: Command) -> Result<Answer, Failure> {
        self.handle_once(None, command).await
    }

    /// As [`Node::handle`]; a command with a known id that was carried out before is not carried out again.
    pub async fn handle_once(&self, id: Option<RequestId>, command: Command) -> Result<Answer, Failure> {
        let answer = self.carry_out(id, command).await?;
        self.interests.note_answer(&answer);
        Ok(answer)
    }

    async fn carry_out(&self, id: Option<RequestId>, command: Command) -> Result<Answer, Failure> {
        match command {
            Command::WhoAmI => Ok(self.me()),
            Command::CheckUsername { text } => Ok(Answer::NameCheck(self.people.check_username(&text))),
            Command::LookupUsername { name } => Ok(Answer::Name(self.people.look_up(&name)?)),
            Command::ListUsernames { prefix, limit, cursor } => {
                Ok(Answer::People(self.people.list(&prefix, limit, cursor)?))
            }
            Command::Person { did } => Ok(Answer::Person(self.people.person(&did)?.map(Box::new))),
            Command::Block { cid } => Ok(Answer::Block(self.content.block(&cid).await?)),
            Command::Status => Ok(Answer::Status(self.status().await)),
            Command::KeepStrangers { most } => {
                self.retainer.keep_strangers(most as usize).await?;
                Ok(Answer::Status(self.status().await))
            }
            Command::LimitUpload { bytes_per_second } => {
                self.content.limit_upload(bytes_per_second).await?;
                Ok(Answer::Status(self.status().await))
            }
            Command::Network => Ok(Answer::Network(self.network_report().await)),
            Command::OpenNetwork { topic } => {
                self.open_network(&topic).await?;
                Ok(Answer::Network(self.network_report().await))
            }
            Command::Statistics { days } => {
                let counts = statistics::count(&self.context, &self.registry, &self.decisions, &self.peers, days).await;
                Ok(Answer::Statistics(Box::new(counts)))
            }
            Command::RetryConnections => {
                if let Some(mesh) = self.peers.mesh() {
                    mesh.retry_connections();
                }
                Ok(Answer::Network(self.network_report().await))
            }
            Command::Find { kind, name } => Ok(Answer::Lookup(Box::new(self.lookups.find(kind, &name).await?))),
            Command::RecoveryPhrase => Ok(Answer::RecoveryPhrase(self.keys.recovery_phrase()?)),
            Command::ExportBackup { passphrase } => self.backups.export_backup(passphrase).await.map(Answer::Backup),
            Command::RenderGuide { page, text } => Ok(Answer::Guide(guide::render(&self.context, page, text).await?)),
            Command::RestoreFromPhrase { phrase, unheard } => {
                self.devices.restore(&phrase, unheard).await?;
                Ok(self.me())
            }
            Command::Devices { command } => {
                let answer = self.devices.handle(id, command).await?;
                // A device that ends must not read what is decided next.
                self.block_lists.share_if_due().await;
                Ok(answer)
            }
            Command::Modules { command } => self.modules.handle(id, command).await,
            Command::BlockList { command } => self.block_lists.handle(command).await,
            Command::Notices { command } => self.notices.handle(command).await,
            Command::Chat { command } => self.chat.handle(id, command).await,
            writing => {
                let wanted = match &writing {
                    Command::RegisterUsername { name, .. } | Command::Rename { name } => Some(name.clone()),
                    _ => None,
                };
                let wants_a_name = wanted.is_some() || matches!(&writing, Command::SetupUser { name: Some(_), .. });
                let answer = self.write(id, writing).await?;
                self.block_lists.share_if_due().await;
                if !wants_a_name {
                    return Ok(answer);
                }
                self.witnessing.settle().await;
                self.profile.check_refused(wanted.as_deref())?;
                Ok(self.me())
            }
        }
    }

    /// Carries out a command on the own name, profile, key or backups, one at a time. One whose id is known answers
    /// with the present state only.
    async fn write(&self, id: Option<RequestId>, command: Command) -> Result<Answer, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        if self.keys.is_done(id.as_ref()) {
            return Ok(self.me());
        }
        match command {
            Command::SetupUser { name, changes } => self.profile.set_up(id, name, changes).await?,
            Command::RegisterUsername { name, changes } => self.profile.register(id, &name, changes).await?,
            Command::Rename { name } => self.profile.rename(id, &name).await?,
            Command::GiveUpName { name, to } => {
                self.profile.give_up(id, name.map(|name| (name.kind, name.name)), to).await?;
            }
            Command::FinishGiveUp { name } => self.profile.finish_give_up(id, name.kind, &name.name).await?,
            Command::VetoGiveUp { name } => {
                let announced = self.profile.announced_end(name.kind, &name.name)?;
                self.devices.veto(id, announced).await?;
            }
            Command::UpdateProfile { changes } => self.profile.update_profile(id, changes).await?,
            Command::ConfirmRecoveryPhrase { words } => self.keys.confirm_phrase(&words).await?,
            Command::SetPassphrase { passphrase } => self.keys.set_passphrase(passphrase).await?,
            Command::Unlock { passphrase } => self.keys.unlock(passphrase).await?,
            Command::Lock => self.keys.lock(),
            Command::ForgetIdentity { confirm } => self.keys.forget_identity(&confirm).await?,
            Command::ImportBackup { bytes, passphrase } => {
                let imported = self.backups.import_backup(&bytes, passphrase).await?;
                let (me, exported_at) = (Box::new(self.people.me()), imported.exported_at.as_millis());
                return Ok(Answer::Imported(Imported { me, new_changes: imported.new_changes, exported_at }));
            }
            other => {
                tracing::error!(kind = ?std::mem::discriminant(&other), "a question came to the writing side");
                return Err(errors::internal());
            }
        }
        Ok(self.me())
    }

    /// Returns what the person sees of themselves, the answer to most writing commands.
    fn me(&self) -> Answer {
        Answer::Me(Box::new(self.people.me()))
    }

    async fn status(&self) -> Status {
        let status = self.people.status(self.chat.clock_apart(), self.retainer.quota()).await;
        Status { upload_limit: self.content.upload_limit(), ..status }
    }

    /// Returns what the network screen shows.
    async fn network_report(&self) -> NetworkReport {
        let networks = self.list_networks().await;
        NetworkReport { networks, ..network_report(&self.context, &self.registry, &self.peers, &self.reputation) }
    }

    /// Listens to every event until [`Node::unsubscribe`].
    pub fn subscribe(&self, listener: Listener) -> u64 {
        self.context.events().subscribe(listener)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) {
        self.context.events().unsubscribe(id);
    }

    /// Sets how many strangers are kept at the most, as long as nobody chose another number: identities with whom the
    /// person has nothing to do.
    pub fn limit_strangers(&self, most: usize) {
        self.retainer.set_default_quota(most);
    }

    /// What comes in from elsewhere.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Files: kept, fetched, read.
    pub fn content(&self) -> &ContentStore {
        &self.content
    }

    /// Keeps the search index ready: starts it at the first search and, once idle, merges and saves it. Never returns.
    pub async fn maintain_search(&self) {
        self.modules.search.maintain().await;
    }

    /// Has `announcer` called with every own new change after it was stored.
    pub fn announce_through(&self, announcer: registry::Announcer) {
        self.registry.announce_through(announcer);
    }

    /// Returns what this node knows of its network, for an exchange with a peer.
    pub fn known(&self) -> Ref<'_, gen_registry_core::registry::Registry> {
        Ref::map(self.registry.read_model(), |read_model| read_model.registry())
    }

    /// Begins to prepare a page of pieces off this thread, where that can be done.
    pub(crate) fn begin_to_prepare(&self, page: &[u8]) -> Option<LocalBoxFuture<'static, Option<PreparedPage>>> {
        self.context.environment.prepare_page(self.context.network.topic, page)
    }

    /// Loads what answers a peer's questions, up to the size of a page.
    pub async fn answer(&self, asks: &[Ask]) -> Result<Vec<Piece>, StoreError> {
        self.registry.answer(asks).await
    }

    /// Returns everything that is kept of the own identity, as a peer would send it.
    pub async fn own_pieces(&self) -> Result<Vec<Piece>, StoreError> {
        match self.keys.identity() {
            Some(did) => self.registry.pieces_of(&did).await,
            None => Ok(Vec::new()),
        }
    }

    /// Says goodbye to peers, before the page closes.
    pub fn say_goodbye(&self) {
        self.presence.say_goodbye();
    }
}

/// One of the settings; a damaged one is as none, and is set aside.
async fn read_setting<T: Default + DeserializeOwned>(
    records: &Records,
    key: &str,
    damaged: &mut Vec<Damaged>,
) -> Result<T, StoreError> {
    match records.get(Table::Settings, key).await? {
        StoredRecord::Record(setting) => Ok(setting),
        StoredRecord::Nothing => Ok(T::default()),
        StoredRecord::Damaged(found) => {
            damaged.push(found);
            Ok(T::default())
        }
    }
}
