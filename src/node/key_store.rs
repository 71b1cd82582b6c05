//! The profile's keys and settings. Keys are generated at the first write, may be sealed under a passphrase, and are opened
//! for a session.
//!
//! ```text
//!             first write, restore, import             set_passphrase
//!   Empty ───────────────────────────────► Open ─────────────────────► Open, with its sealed form
//!     ▲                                      │                            │  ▲
//!     │            forget_identity           │                       lock │  │ unlock
//!     └──────────────────────────────────────┘                            ▼  │
//!                                                 start of a session ─► Locked
//! ```
//!
//! Sealed keys are encrypted with XChaCha20-Poly1305 under a key that Argon2id derives from the passphrase
//! (`core::sealing`). Without a passphrase the store seals them, where it can ([`Store::seals_secrets`]); elsewhere they
//! are stored as they are. A locked profile still shows everything; only writing needs the keys.
//!
//! [`Store::seals_secrets`]: crate::store::Store::seals_secrets

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::RequestId;
use crate::context::Context;
use crate::errors;
use crate::holding;
use crate::key_state::{KeyState, Keys, PassphraseLock, RECORD, Secrets, keys_write};
use crate::store::records::{Damaged, Records, StoredRecord, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::{PhraseError, RECOVERY_WORDS, Topic};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::keys::Did;
use gen_registry_core::log::{EntryId, LogId, Opening};
use gen_registry_core::name::{ModuleName, Username};
use gen_registry_core::sealing::{self, COST, PASSPHRASE_MIN_CHARS, SALT_BYTES, SealError, StretchJob, StretchedKey};
use gen_registry_core::sync::asking::Split;
use gen_registry_core::time::Timestamp;

/// The key of [`Table::Settings`] under which the settings are stored.
pub(super) const SETTINGS_RECORD: &str = "state";
/// Ids of commands that were carried out, stored so that a command that is sent again after a change of writer is not
/// carried out twice.
const REMEMBERED_REQUESTS: usize = 64;

/// What a profile stores besides its document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Whether the person has shown to have the recovery words.
    pub(super) phrase_checked: bool,
    /// When a backup was exported last.
    pub(super) last_backup_at: Option<Timestamp>,
    /// A name that was taken already when the identity was made.
    pub(super) refused_name: Option<RefusedName>,
    /// Installs that were counted.
    pub(super) installs: InstallCounts,
    /// An entry that is signed and shown to witnesses only: it enters the log with its receipts.
    pub(super) staged: Option<Staged>,
    /// What is to be signed as soon as a witness can be asked, in order.
    pub(super) intents: Vec<Intent>,
    /// Own claims that go on in another round, once their rivals have withdrawn.
    pub(super) rounds: Vec<NextRound>,
    requests: VecDeque<RequestId>,
}

/// Installs that were counted and not written into the document yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct InstallCounts {
    pub(super) counted: BTreeMap<ModuleName, u32>,
    pub(super) written_at: Option<Timestamp>,
}

/// Something that only a witness can make count, and that is signed once one can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Intent {
    Username(Username),
    /// A module's name, with the first release under it.
    Module(ModuleName),
    /// A release as its body's bytes, without the claim that it stands under.
    Release(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// A claim that is in no log yet, with the receipts that it has: too few until now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Staged {
    #[serde(with = "serde_bytes")]
    pub(super) entry: Vec<u8>,
    pub(super) receipts: Vec<ByteBuf>,
}

/// A claim whose votes were split, and that stays: it is claimed again with the withdrawals of its rivals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NextRound {
    pub(super) intent: Intent,
    pub(super) claim: EntryId,
    pub(super) split: Split,
}

/// A name that could not be claimed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefusedName {
    pub(super) name: String,
}

impl Settings {
    /// The usernames that are to be claimed, oldest first.
    pub(super) fn wanted_usernames(&self) -> impl DoubleEndedIterator<Item = &Username> {
        self.intents.iter().filter_map(|intent| match intent {
            Intent::Username(name) => Some(name),
            Intent::Module(_) | Intent::Release(_) => None,
        })
    }

    /// Adds the id of a command that was carried out; beyond [`REMEMBERED_REQUESTS`] the oldest is removed.
    pub(super) fn remember(&mut self, id: RequestId) {
        self.requests.push_back(id);
        while self.requests.len() > REMEMBERED_REQUESTS {
            self.requests.pop_front();
        }
    }

    /// Returns the write that stores the settings.
    pub(super) fn write(&self) -> Write {
        put(Table::Settings, SETTINGS_RECORD, self)
    }
}

/// Checks that a new passphrase has a minimum length. Its strength is not estimated.
pub(super) fn check_new_passphrase(passphrase: &str) -> Result<(), Failure> {
    if passphrase.chars().count() >= PASSPHRASE_MIN_CHARS {
        return Ok(());
    }
    Err(Failure::new(
        FailureCode::WeakPassphrase,
        format!("A passphrase has at least {PASSPHRASE_MIN_CHARS} characters."),
        "Take four or five words that you will remember.",
    ))
}

/// The service that owns the key and the settings.
pub(super) struct KeyStore {
    context: Rc<Context>,
    key_state: RefCell<KeyState>,
    settings: RefCell<Rc<Settings>>,
}

impl KeyStore {
    /// Creates the service from what was read from the store.
    pub(super) fn new(context: Rc<Context>, key_state: KeyState, settings: Settings) -> Self {
        Self { context, key_state: RefCell::new(key_state), settings: RefCell::new(Rc::new(settings)) }
    }

    /// Returns the person whose profile this is, or `None` before the first write.
    pub(super) fn identity(&self) -> Option<Did> {
        self.key_state.borrow().identity()
    }

    /// Returns what began, or is to begin, the log of this profile's device, or `None` before the first write.
    pub(super) fn opening(&self) -> Option<Opening> {
        self.key_state.borrow().opening().cloned()
    }

    /// Returns the facts log of this profile's device, or `None` before the first write.
    pub(super) fn device_log(&self) -> Option<LogId> {
        self.key_state.borrow().opening().map(Opening::log)
    }

    /// Returns the open keys; fails if there are none or they are locked.
    pub(super) fn keys(&self) -> Result<Keys, Failure> {
        self.key_state.borrow().keys()
    }

    /// Returns the open keys, or generates some, which are not stored yet, if there are none.
    pub(super) fn keys_or_new(&self) -> Result<Keys, Failure> {
        match &*self.key_state.borrow() {
            KeyState::Empty => Ok(Keys::make(&*self.context.environment, &self.context.network.topic)),
            key_state => key_state.keys(),
        }
    }

    /// Returns how the key is protected.
    pub(super) fn protection(&self) -> Protection {
        match self.key_state.borrow().protection() {
            Protection::None if self.has_identity() && self.context.records.seals_secrets() => Protection::Browser,
            protection => protection,
        }
    }

    /// Whether there is a key, open or locked.
    pub(super) fn has_identity(&self) -> bool {
        self.identity().is_some()
    }

    /// Returns the settings as they are now.
    pub(super) fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }

    /// Whether the command with this id was carried out before.
    pub(super) fn is_done(&self, id: Option<&RequestId>) -> bool {
        id.is_some_and(|id| self.settings().requests.contains(id))
    }

    /// Takes over settings that are stored already.
    pub(super) fn set_settings(&self, settings: Settings) {
        *self.settings.borrow_mut() = Rc::new(settings);
    }

    /// Stores the settings, then takes them over.
    pub(super) async fn save_settings(&self, settings: Settings) -> Result<(), Failure> {
        self.context.commit(vec![settings.write()], Durability::Strict).await?;
        self.set_settings(settings);
        Ok(())
    }

    /// Forgets something that was to be signed.
    pub(super) async fn drop_intent(&self, intent: &Intent) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.settings());
        settings.intents.retain(|other| other != intent);
        self.save_settings(settings).await
    }

    /// Returns the write that stores keys in the place of those of this session: another record is never written over.
    async fn replacing_write(&self, keys: &Keys, lock: Option<&PassphraseLock>) -> Result<Write, Failure> {
        let (present, topic) = (self.opening().map(|opening| opening.device()), self.context.network.topic);
        let is_same = move |record| {
            KeyState::from_record(record, &topic).is_ok_and(|stored| stored.opening().map(Opening::device) == present)
        };
        let write = keys_write(&*self.context.environment, keys, lock);
        self.context.records.replacing(write, is_same).await.map_err(errors::store_failed)
    }

    /// Takes over new keys that are stored already.
    pub(super) fn open(&self, keys: Keys) {
        *self.key_state.borrow_mut() = KeyState::Open { keys: Box::new(keys), lock: None };
    }

    /// The passphrase of this session, if the keys have one.
    fn passphrase_lock(&self) -> Option<PassphraseLock> {
        match &*self.key_state.borrow() {
            KeyState::Open { lock, .. } => lock.clone(),
            KeyState::Empty | KeyState::Locked { .. } => None,
        }
    }

    /// Returns the write that stores keys, sealed as those of this session are, in the place of these if there are any.
    pub(super) async fn write_of(&self, keys: &Keys) -> Result<Write, Failure> {
        let lock = self.passphrase_lock();
        if self.has_identity() {
            return self.replacing_write(keys, lock.as_ref()).await;
        }
        Ok(keys_write(&*self.context.environment, keys, lock.as_ref()))
    }

    /// Takes over keys, stored already, in the place of those of this session.
    pub(super) fn replace(&self, keys: Keys) {
        let lock = self.passphrase_lock();
        *self.key_state.borrow_mut() = KeyState::Open { keys: Box::new(keys), lock };
    }

    /// Derives a key from a passphrase in a worker, or here if the platform has none. Takes about a second by design.
    pub(super) async fn stretch(&self, job: StretchJob) -> Result<StretchedKey, SealError> {
        match self.context.environment.run_job(Job::Stretch(job.clone())).await {
            Some(JobOutput::Stretched(result)) => result,
            _ => sealing::stretch(&job),
        }
    }

    /// Returns the recovery words. Fails once they were checked: they are not here any more.
    pub(super) fn recovery_phrase(&self) -> Result<String, Failure> {
        self.keys()?.words().map(|words| words.to_string()).ok_or_else(errors::words_gone)
    }

    /// Compares some of the recovery words, given with their positions, and records that the person has them. From then on
    /// they are not here any more, only the identity's present key.
    pub(super) async fn confirm_phrase(&self, words: &[(u32, String)]) -> Result<(), Failure> {
        let keys = self.keys()?;
        let phrase = keys.words().ok_or_else(errors::words_gone)?;
        let right: Vec<&str> = phrase.split(' ').collect();
        let wrong = words.iter().find(|(at, word)| {
            usize::try_from(*at)
                .ok()
                .and_then(|at| right.get(at))
                .is_none_or(|right| *right != word.trim().to_lowercase())
        });
        if let Some((at, _)) = wrong {
            return Err(Failure::new(
                FailureCode::WrongWords,
                format!("Word {} is not what was shown.", at + 1),
                "Look at the words again and check what you wrote down.",
            ));
        }
        if words.is_empty() {
            return Err(Failure::new(
                FailureCode::WrongWords,
                "No words were given.",
                "Type the words that are asked for.",
            ));
        }
        let settings = Settings { phrase_checked: true, ..Rc::unwrap_or_clone(self.settings()) };
        let keys = keys.without_words();
        let batch = vec![self.write_of(&keys).await?, settings.write()];
        self.context.commit(batch, Durability::Strict).await?;
        self.replace(keys);
        self.set_settings(settings);
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Fails if the profile has another identity: a profile has one, which must not be overwritten.
    pub(super) fn check_room_for(&self, identity: &Did) -> Result<(), Failure> {
        match self.identity() {
            Some(own) if own != *identity => Err(Failure::new(
                FailureCode::IdentityExists,
                "This device already has another identity.",
                "Use a new browser profile, or forget the identity here first (Settings, at the end); back it up before.",
            )),
            _ => Ok(()),
        }
    }

    /// Makes these keys the profile's, where it has none. `has_words`: the person has shown to have the words, so they are
    /// not kept here. `more` is stored with them.
    pub(super) async fn adopt(&self, keys: Keys, has_words: bool, more: Batch) -> Result<(), Failure> {
        let keys = if has_words { keys.without_words() } else { keys };
        let settings = Settings { phrase_checked: has_words, ..Settings::default() };
        let mut batch = vec![self.write_of(&keys).await?, settings.write()];
        batch.extend(more);
        holding::hold_identity(&self.context.records, &keys.did()).await.map_err(errors::store_failed)?;
        self.context.commit(batch, Durability::Strict).await?;
        self.open(keys);
        self.set_settings(settings);
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Stores other keys of the same identity, sealed as the present ones are, and uses them from then on.
    pub(super) async fn change(&self, keys: Keys) -> Result<(), Failure> {
        self.context.commit(vec![self.write_of(&keys).await?], Durability::Strict).await?;
        self.replace(keys);
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Seals the keys under a passphrase, or stores them without one (`None`).
    pub(super) async fn set_passphrase(&self, passphrase: Option<String>) -> Result<(), Failure> {
        let keys = self.keys()?;
        let lock = match passphrase {
            None => None,
            Some(passphrase) => {
                check_new_passphrase(&passphrase)?;
                let mut salt = [0; SALT_BYTES];
                self.context.environment.random(&mut salt);
                let job = StretchJob { passphrase: passphrase.into(), salt, cost: COST };
                let key = self.stretch(job).await.map_err(seal_failed)?;
                Some(PassphraseLock { cost: COST, salt, key })
            }
        };
        let batch = vec![self.replacing_write(&keys, lock.as_ref()).await?];
        self.context.commit(batch, Durability::Strict).await?;
        *self.key_state.borrow_mut() = KeyState::Open { keys: Box::new(keys), lock };
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Opens a sealed key. Fails with a wrong passphrase; the state is then as before.
    pub(super) async fn unlock(&self, passphrase: String) -> Result<(), Failure> {
        let (opening, sealed) = match &*self.key_state.borrow() {
            KeyState::Empty => return Err(errors::no_identity()),
            KeyState::Open { .. } => return Ok(()),
            KeyState::Locked { opening, sealed } => ((**opening).clone(), sealed.clone()),
        };
        let job = StretchJob { passphrase: passphrase.into(), salt: sealed.salt, cost: sealed.cost };
        let key = self.stretch(job).await.map_err(seal_failed)?;
        let lock = PassphraseLock { cost: sealed.cost, salt: sealed.salt, key };
        let secrets = lock.open(&sealed).map_err(seal_failed)?;
        let secrets: Secrets = cbor4ii::serde::from_slice(&secrets).map_err(|_| errors::internal())?;
        let keys = Keys::from_secrets(opening, secrets).map_err(|_| errors::internal())?;
        *self.key_state.borrow_mut() = KeyState::Open { keys: Box::new(keys), lock: Some(lock) };
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Drops the open key from memory, if it has a sealed form.
    pub(super) fn lock(&self) {
        let open = self.key_state.replace(KeyState::Empty);
        *self.key_state.borrow_mut() = match open {
            KeyState::Open { keys, lock: Some(lock) } => {
                let sealed = lock.seal(&*self.context.environment, &keys.secrets());
                KeyState::Locked { opening: Box::new(keys.opening), sealed }
            }
            other => other,
        };
        self.context.emit(&Event::MeChanged);
    }

    /// Deletes the key and the settings. `confirm` must be the identity's did.
    pub(super) async fn forget_identity(&self, confirm: &str) -> Result<(), Failure> {
        let own = self.identity().ok_or_else(errors::no_identity)?;
        if confirm.trim() != own.to_string() {
            return Err(Failure::new(
                FailureCode::ConfirmationWrong,
                "The confirmation is not this identity's did.",
                "Copy the did from your profile; this step can't be undone without a backup.",
            ));
        }
        let batch = vec![
            Write::Delete { table: Table::Keys, key: RECORD.to_owned() },
            Write::Delete { table: Table::Settings, key: SETTINGS_RECORD.to_owned() },
        ];
        self.context.commit(batch, Durability::Strict).await?;
        *self.key_state.borrow_mut() = KeyState::Empty;
        self.set_settings(Settings::default());
        self.context.emit(&Event::MeChanged);
        self.context.emit(&Event::PeopleChanged { dids: vec![own.to_string()] });
        Ok(())
    }
}

/// Reads the stored keys. A record that can't be used is added to `damaged`, and is none: it is set aside, never written
/// over.
pub(super) async fn read_keys(
    records: &Records,
    topic: &Topic,
    damaged: &mut Vec<Damaged>,
) -> Result<KeyState, StoreError> {
    match records.get(Table::Keys, RECORD).await? {
        StoredRecord::Record(record) => match KeyState::from_record(record, topic) {
            Ok(key_state) => return Ok(key_state),
            Err(error) => {
                tracing::error!(%error, "the stored keys are not this network's");
                damaged.extend(records.get_foreign(Table::Keys, RECORD).await?);
            }
        },
        StoredRecord::Nothing => {}
        StoredRecord::Damaged(found) => damaged.push(found),
    }
    Ok(KeyState::Empty)
}

/// Words an error of sealing.
pub(super) fn seal_failed(error: SealError) -> Failure {
    match error {
        SealError::WrongKey => errors::wrong_passphrase(),
        SealError::TooLong => Failure::new(
            FailureCode::InvalidArgument,
            errors::sentence(&error.to_string()),
            "Use a shorter passphrase.",
        ),
        SealError::Cost => Failure::new(
            FailureCode::BackupDamaged,
            "The file asks for more work than any honest backup does.",
            "Use another copy of the backup.",
        ),
    }
}

/// Words an error in recovery words.
pub(super) fn phrase_invalid(error: &PhraseError) -> Failure {
    Failure::new(
        FailureCode::PhraseInvalid,
        errors::sentence(&error.to_string()),
        format!("Enter all {RECOVERY_WORDS} words in their order, with spaces between them."),
    )
}
