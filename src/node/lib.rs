//! The running registry: commands in, answers and events out.
//!
//! A [`Node`] owns the store, the key and the read model of one profile. It meets the store and the platform through
//! traits, so that it runs natively in tests exactly as it does in the page. It never knows the page.
//!
//! - what can be asked: [`gen_registry_api`]; a handle for the page: [`gen_registry_api::client`]
//! - modules: `modules`; the guides: `guide`
//! - writing: `write`; the key and its lock: `key_store`; questions: `people`; backups: `backup`
//! - what peers get and bring: `replication`; the sessions with them: [`peering`]; which network it is: [`network`]
//! - blocks of modules and pictures: [`blocks`]
//! - what peers have earned: `reputation`; blocking and trusting: `block_list`; following: `notices`
//! - looking names up, and letting others find them: [`lookup`]
//! - who is online: `presence`; channels: `channels`; both between peers: `chat`
//! - asking for receipts: `receipts`; giving them, on a server: [`witness`]

mod admit;
mod backup;
mod block_list;
pub mod blocks;
mod channels;
mod chat;
mod document_cache;
mod errors;
mod guide;
mod key_store;
pub mod lookup;
mod modules;
pub mod net;
pub mod network;
mod notices;
pub mod peering;
mod people;
pub mod platform;
mod presence;
mod receipts;
mod replication;
mod reputation;
mod statistics;
pub mod store;
#[cfg(target_arch = "wasm32")]
pub mod tabs;
mod time_slice;
pub mod verified;
pub mod witness;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::document_cache::DocumentCache;
use crate::key_store::KeyState;
use crate::modules::install;
use crate::platform::Environment;
use crate::store::migration::migrate;
use crate::store::records::{Damaged, Quarantined, Records, StoredRecord, put};
use crate::store::{Store, StoreError, Table};
use gen_registry_api::client::Listener;
use gen_registry_api::*;
use gen_registry_core::block_list::BlockList;
use gen_registry_core::document::Document;
use gen_registry_core::identity::Identity;
use gen_registry_core::read_model::{PersonRecord, ReadModel, StoredPerson};
use gen_registry_core::time::Timestamp;
use verified::Verified;

pub use admit::{AdmissionReport, RefusedChange};
pub use network::Network;
pub use notices::{FOLLOWS_MAX, NOTICES_MAX};

/// The program's version, for backups and the settings page.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const SETTINGS_KEY: &str = "state";
/// Commands that were carried out, remembered so that a command sent again after a change of writer is not repeated.
const REMEMBERED_REQUESTS: usize = 64;

/// Names one sending of a command.
pub type RequestId = String;

/// What a profile remembers beside its document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    phrase_checked: bool,
    last_backup_at: Option<Timestamp>,
    /// A name that was taken when the person was made.
    refused_name: Option<RefusedName>,
    requests: VecDeque<RequestId>,
}

impl Settings {
    fn remember(&mut self, id: RequestId) {
        self.requests.push_back(id);
        while self.requests.len() > REMEMBERED_REQUESTS {
            self.requests.pop_front();
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RefusedName {
    name: String,
}

/// One profile's registry.
pub struct Node {
    network: Network,
    environment: Rc<dyn Environment>,
    records: Records,
    state: RefCell<State>,
    /// Other people's documents that were changed lately.
    document_cache: RefCell<DocumentCache>,
    verified: RefCell<Rc<Verified>>,
    /// Held while modules are installed or removed.
    installing: async_lock::Mutex<()>,
    /// Held while something is written: one write at a time.
    writing: async_lock::Mutex<()>,
    listeners: RefCell<Vec<(u64, Listener)>>,
    /// The task that announces own new changes to peers, once it runs.
    announcer: RefCell<Option<replication::Announcer>>,
    /// What is known of peers, and the way to them.
    peering: RefCell<peering::PeerTable>,
    asking: receipts::Asking,
    reputations: RefCell<reputation::ReputationTracker>,
    lists: RefCell<BlockList>,
    notices: RefCell<notices::Notices>,
    /// Another device of the person may have decided something.
    lists_due: Cell<bool>,
    /// Held while the lists are read, changed and kept.
    deciding: async_lock::Mutex<()>,
    lookups: lookup::Lookups,
    content: blocks::Content,
    searching: modules::search::Searching,
    online: RefCell<presence::Online>,
    channels: RefCell<channels::Channels>,
    talk: RefCell<chat::ChatPeers>,
}

struct State {
    index: ReadModel,
    key_state: KeyState,
    /// The own document once it was needed.
    own: Option<Document>,
    /// This writing session's Automerge actor.
    actor: [u8; 16],
    settings: Settings,
    quarantined: Vec<QuarantinedRecord>,
    installed: install::InstalledModules,
    /// The date of the own newest claim.
    not_before: Timestamp,
}

impl Node {
    /// Opens a profile: reads the key, the settings and the read model. No document is replayed. Damaged
    /// records are set aside; only a store that can't be read at all is an error.
    pub async fn start(
        store: Rc<dyn Store>,
        environment: Rc<dyn Environment>,
        network: Network,
    ) -> Result<Self, StoreError> {
        let records = Records::new(store);
        migrate(&records).await?;
        let mut damaged = Vec::new();
        let key_state = match records.get(Table::Keys, key_store::RECORD).await? {
            StoredRecord::Record(record) => KeyState::from_record(record),
            StoredRecord::Nothing => KeyState::Empty,
            StoredRecord::Damaged(found) => {
                damaged.push(found);
                KeyState::Empty
            }
        };
        let settings = read_setting(&records, SETTINGS_KEY, &mut damaged).await?;
        let not_before = newest_claim(&records, key_state.identity(), &network).await?;
        let now = environment.now().max(not_before);
        let (index, broken_people) = read_people(&records, &network, now).await?;

        let (earlier, _) = records.all::<Quarantined>(Table::Quarantine, "").await?;
        let quarantined = earlier.into_iter().map(|(_, record)| quarantined_record(&record)).collect();
        let mut actor = [0; 16];
        environment.random(&mut actor);
        let (installed, broken) = install::read(&records).await?;
        damaged.extend(broken);
        let (reputations, broken) = reputation::ReputationTracker::read(&records).await?;
        damaged.extend(broken);
        let lists = read_setting(&records, block_list::RECORD, &mut damaged).await?;
        let notices = read_setting(&records, notices::RECORD, &mut damaged).await?;
        let state = State { index, key_state, own: None, actor, settings, quarantined, installed, not_before };
        let node = Self {
            network,
            environment,
            records,
            state: RefCell::new(state),
            document_cache: RefCell::default(),
            verified: RefCell::default(),
            installing: async_lock::Mutex::new(()),
            writing: async_lock::Mutex::new(()),
            listeners: RefCell::default(),
            announcer: RefCell::default(),
            peering: RefCell::default(),
            asking: receipts::Asking::default(),
            reputations: RefCell::new(reputations),
            lists: RefCell::new(lists),
            notices: RefCell::new(notices),
            lists_due: Cell::new(true),
            deciding: async_lock::Mutex::new(()),
            lookups: lookup::Lookups::default(),
            content: blocks::Content::default(),
            searching: modules::search::Searching::default(),
            online: RefCell::default(),
            channels: RefCell::default(),
            talk: RefCell::default(),
        };
        for found in damaged.iter().chain(&broken_people) {
            node.quarantine(found).await;
        }
        // The signed changes are the truth; what the read model lost is folded from them again.
        for found in &broken_people {
            node.rebuild(&found.key).await;
        }
        Ok(node)
    }

    /// Carries out one command. Whatever fails, the state is as before.
    pub async fn handle(&self, command: Command) -> Result<Answer, Failure> {
        self.handle_once(None, command).await
    }

    /// As [`Node::handle`]; a command with a known id that was carried out before is not carried out again.
    pub async fn handle_once(&self, id: Option<RequestId>, command: Command) -> Result<Answer, Failure> {
        let due = self.state.borrow().index.next_due();
        if due.is_some_and(|due| due <= self.now()) {
            self.activate_due_claims();
        }
        match command {
            Command::WhoAmI => Ok(self.me()),
            Command::CheckUsername { text } => Ok(Answer::NameCheck(self.check_username(&text))),
            Command::LookupUsername { name } => Ok(Answer::Name(self.look_up(&name))),
            Command::ListUsernames { prefix, limit, cursor } => Ok(Answer::People(self.list(&prefix, limit, cursor)?)),
            Command::Person { did } => Ok(Answer::Person(self.person(&did)?.map(Box::new))),
            Command::Block { cid } => Ok(Answer::Block(self.block(&cid).await?)),
            Command::Status => Ok(Answer::Status(self.status().await)),
            Command::Network => Ok(Answer::Network(self.network_report())),
            Command::Statistics { days } => Ok(Answer::Statistics(Box::new(self.statistics(days).await))),
            Command::RetryConnections => Ok(Answer::Network(self.retry_connections())),
            Command::Find { kind, name } => Ok(Answer::Lookup(Box::new(self.find(kind, &name).await?))),
            Command::RecoveryPhrase => Ok(Answer::RecoveryPhrase(self.recovery_phrase()?)),
            Command::ExportBackup { passphrase } => self.export_backup(passphrase).await.map(Answer::Backup),
            Command::RenderGuide { page, text } => Ok(Answer::Guide(self.render_guide(page, text).await?)),
            Command::Modules { command } => self.handle_modules(id, command).await,
            Command::BlockList { command } => self.handle_block_list(command).await,
            Command::Notices { command } => self.handle_notices(command).await,
            Command::Chat { command } => self.handle_chat(id, command).await,
            writing => {
                let answer = self.write(id, writing).await?;
                self.share_lists_if_due().await;
                Ok(answer)
            }
        }
    }

    async fn write(&self, id: Option<RequestId>, command: Command) -> Result<Answer, Failure> {
        let _one_at_a_time = self.writing.lock().await;
        if id.as_ref().is_some_and(|id| self.state.borrow().settings.requests.contains(id)) {
            return Ok(self.me());
        }
        match command {
            Command::SetupUser { name, changes } => self.set_up(id, name, changes).await?,
            Command::RegisterUsername { name, changes } => self.register(id, &name, changes).await?,
            Command::Rename { name } => self.rename(id, &name).await?,
            Command::RelinquishUsername => self.release(id).await?,
            Command::UpdateProfile { changes } => self.update_profile(id, changes).await?,
            Command::ConfirmRecoveryPhrase { words } => self.confirm_phrase(&words).await?,
            Command::RestoreFromPhrase { phrase } => self.restore_from_phrase(&phrase).await?,
            Command::SetPassphrase { passphrase } => self.set_passphrase(passphrase).await?,
            Command::Unlock { passphrase } => self.unlock(passphrase).await?,
            Command::Lock => self.lock()?,
            Command::ForgetIdentity { confirm } => self.forget_identity(&confirm).await?,
            Command::ImportBackup { bytes, passphrase } => {
                return self.import_backup(&bytes, passphrase).await.map(Answer::Imported);
            }
            other => {
                tracing::error!(kind = ?std::mem::discriminant(&other), "a question came to the writing side");
                return Err(errors::internal());
            }
        }
        Ok(self.me())
    }

    /// Listens to every event until [`Node::unsubscribe`].
    pub fn subscribe(&self, listener: Listener) -> u64 {
        let mut listeners = self.listeners.borrow_mut();
        let id = listeners.last().map_or(0, |(id, _)| id + 1);
        listeners.push((id, listener));
        id
    }

    pub fn unsubscribe(&self, id: u64) {
        self.listeners.borrow_mut().retain(|(known, _)| *known != id);
    }

    fn tell(&self, event: &Event) {
        // A listener may subscribe or send a command while it is called.
        let listeners: Vec<Listener> = self.listeners.borrow().iter().map(|(_, listener)| listener.clone()).collect();
        for listener in listeners {
            listener(event);
        }
    }

    /// This device's clock, but never before this profile's own newest claim: a clock set back must not make a
    /// person's own names wait as if they came from the future.
    fn now(&self) -> Timestamp {
        self.environment.now().max(self.state.borrow().not_before)
    }

    fn identity(&self) -> Option<Identity> {
        self.state.borrow().key_state.identity()
    }

    /// Moves a damaged record to quarantine, remembers it and emits an event. A failure to do so is only logged: the
    /// record stays where it is and is found again at the next start.
    async fn quarantine(&self, damaged: &Damaged) {
        let now = self.now();
        tracing::warn!(table = damaged.table.name(), key = %damaged.key, why = %damaged.why, "a damaged record");
        if let Err(error) = self.records.quarantine(damaged, now).await {
            tracing::error!(%error, "a damaged record could not be set aside");
        }
        // The store has less now than before: a peer must be able to bring it again.
        self.document_cache.borrow_mut().forget_all();
        let (table, key) = (damaged.table.name().to_owned(), damaged.key.clone());
        let record = QuarantinedRecord {
            table: table.clone(),
            key: key.clone(),
            reason: damaged.why.to_string(),
            at: now.as_millis(),
        };
        self.state.borrow_mut().quarantined.push(record);
        self.tell(&Event::Quarantined { table, key });
    }

    async fn save_settings(&self, settings: Settings) -> Result<(), Failure> {
        let batch = vec![put(Table::Settings, SETTINGS_KEY, &settings)];
        self.records.commit(batch, crate::store::Durability::Strict).await.map_err(errors::store_failed)?;
        self.state.borrow_mut().settings = settings;
        Ok(())
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

/// Returns the date of the own newest claim, as far as the own record shows it.
async fn newest_claim(records: &Records, own: Option<Identity>, network: &Network) -> Result<Timestamp, StoreError> {
    let Some(own) = own else { return Ok(Timestamp::default()) };
    let found = records.get::<StoredPerson>(Table::People, &own.to_hex()).await?;
    let StoredRecord::Record(stored) = found else { return Ok(Timestamp::default()) };
    let person = PersonRecord::from_stored(stored, &network.topic).ok();
    Ok(person.as_ref().and_then(PersonRecord::newest_claim).unwrap_or_default())
}

/// The read model, page by page, so that a page of the browser stays responsive meanwhile.
async fn read_people(
    records: &Records,
    network: &Network,
    now: Timestamp,
) -> Result<(ReadModel, Vec<Damaged>), StoreError> {
    let mut index = ReadModel::new(network.rules.clone());
    let mut damaged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = records.page::<StoredPerson>(Table::People, "", after.as_deref()).await?;
        let people = page.records.into_iter().map(|(_, person)| PersonRecord::from_stored(person, &network.topic));
        index.put_all(people.filter_map(Result::ok), now);
        damaged.extend(page.damaged);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((index, damaged)),
        }
    }
}

fn quarantined_record(record: &Quarantined) -> QuarantinedRecord {
    QuarantinedRecord {
        table: record.table.clone(),
        key: record.key.clone(),
        reason: record.reason.clone(),
        at: record.at.as_millis(),
    }
}
