//! The identity's key and the profile's settings. The key is generated at the first write, may be sealed under a
//! passphrase, and is opened for a session.
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
//! A sealed key is encrypted with XChaCha20-Poly1305 under a key that Argon2id derives from the passphrase
//! (`core::sealing`). Without a passphrase it is stored as it is, readable for everyone who can read the browser
//! profile. A locked profile still shows everything; only writing needs the key.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::RequestId;
use crate::context::Context;
use crate::errors;
use crate::key_state::{KeyState, RECORD, SealedKey, key_write, make};
use crate::store::records::put;
use crate::store::{Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::{Identity, PhraseError, RECOVERY_WORDS, SigningIdentity};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::sealing::{
    self, COST, NONCE_BYTES, PASSPHRASE_MIN_CHARS, SALT_BYTES, SealError, StretchJob, StretchedKey,
};
use gen_registry_core::time::Timestamp;

/// The key of [`Table::Settings`] under which the settings are stored.
pub(super) const SETTINGS_RECORD: &str = "state";
/// Ids of commands that were carried out, stored so that a command that is sent again after a change of writer is not
/// carried out twice.
const REMEMBERED_REQUESTS: usize = 64;
/// Authenticated with every sealed key, so that no other sealed secret can be put in its place.
const SEAL_CONTEXT: &[u8] = b"gen-registry/stored-key/v1";

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
    requests: VecDeque<RequestId>,
}

/// A name that could not be claimed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefusedName {
    pub(super) name: String,
}

impl Settings {
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
    settings: RefCell<Settings>,
}

impl KeyStore {
    /// Creates the service from what was read from the store.
    pub(super) fn new(context: Rc<Context>, key_state: KeyState, settings: Settings) -> Self {
        Self { context, key_state: RefCell::new(key_state), settings: RefCell::new(settings) }
    }

    /// Returns the person whose profile this is, or `None` before the first write.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.key_state.borrow().identity()
    }

    /// Returns the open key; fails if there is none or it is locked.
    pub(super) fn signer(&self) -> Result<SigningIdentity, Failure> {
        self.key_state.borrow().signer()
    }

    /// Returns the open key, or generates one, which is not stored yet, if there is none.
    pub(super) fn signer_or_new(&self) -> Result<SigningIdentity, Failure> {
        match &*self.key_state.borrow() {
            KeyState::Empty => Ok(make(&*self.context.environment)),
            key_state => key_state.signer(),
        }
    }

    /// Returns how the key is protected.
    pub(super) fn protection(&self) -> Protection {
        self.key_state.borrow().protection()
    }

    /// Whether there is a key, open or locked.
    pub(super) fn has_identity(&self) -> bool {
        self.identity().is_some()
    }

    /// Returns the settings. Not to be held across an await.
    pub(super) fn settings(&self) -> Ref<'_, Settings> {
        self.settings.borrow()
    }

    /// Whether the command with this id was carried out before.
    pub(super) fn is_done(&self, id: Option<&RequestId>) -> bool {
        id.is_some_and(|id| self.settings.borrow().requests.contains(id))
    }

    /// Takes over settings that are stored already.
    pub(super) fn set_settings(&self, settings: Settings) {
        *self.settings.borrow_mut() = settings;
    }

    /// Stores the settings, then takes them over.
    pub(super) async fn save_settings(&self, settings: Settings) -> Result<(), Failure> {
        self.context.commit(vec![settings.write()], Durability::Strict).await?;
        self.set_settings(settings);
        Ok(())
    }

    /// Takes over a new key that is stored already.
    pub(super) fn open(&self, signer: SigningIdentity) {
        *self.key_state.borrow_mut() = KeyState::Open { signer, sealed: None };
    }

    /// Derives a key from a passphrase in a worker, or here if the platform has none. Takes about a second by design.
    pub(super) async fn stretch(&self, job: StretchJob) -> Result<StretchedKey, SealError> {
        match self.context.environment.run_job(Job::Stretch(job.clone())).await {
            Some(JobOutput::Stretched(result)) => result,
            _ => sealing::stretch(&job),
        }
    }

    /// Returns the recovery words, which are the key.
    pub(super) fn recovery_phrase(&self) -> Result<String, Failure> {
        Ok(self.signer()?.recovery_phrase().to_string())
    }

    /// Compares some of the recovery words, given with their positions, and records that the person has them.
    pub(super) async fn confirm_phrase(&self, words: &[(u32, String)]) -> Result<(), Failure> {
        let phrase = self.signer()?.recovery_phrase();
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
        let settings = Settings { phrase_checked: true, ..self.settings.borrow().clone() };
        self.save_settings(settings).await?;
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Fails if the profile has another identity: a profile has one, which must not be overwritten.
    pub(super) fn check_room_for(&self, identity: &Identity) -> Result<(), Failure> {
        match self.identity() {
            Some(own) if own != *identity => Err(Failure::new(
                FailureCode::IdentityExists,
                "This device already has another identity.",
                "Use a new browser profile, or forget the identity here first (Settings, at the end); back it up before.",
            )),
            _ => Ok(()),
        }
    }

    /// Makes `signer` this profile's key. The person evidently has the words or a backup. `newest_claim` is when that
    /// person last claimed a name, as far as is known here.
    pub(super) async fn adopt(&self, signer: SigningIdentity, newest_claim: Timestamp) -> Result<(), Failure> {
        let known = self.identity() == Some(signer.identity());
        if known {
            return Ok(());
        }
        let settings = Settings { phrase_checked: true, ..Settings::default() };
        let batch = vec![key_write(&signer, None), settings.write()];
        self.context.commit(batch, Durability::Strict).await?;
        self.context.reset_not_before(newest_claim);
        self.open(signer);
        self.set_settings(settings);
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Seals the key under a passphrase, or stores it without one (`None`).
    pub(super) async fn set_passphrase(&self, passphrase: Option<String>) -> Result<(), Failure> {
        let signer = self.signer()?;
        let sealed = match passphrase {
            None => None,
            Some(passphrase) => {
                check_new_passphrase(&passphrase)?;
                let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
                self.context.environment.random(&mut salt);
                self.context.environment.random(&mut nonce);
                let job = StretchJob { passphrase: passphrase.into(), salt, cost: COST };
                let key = self.stretch(job).await.map_err(seal_failed)?;
                let sealed = sealing::seal(&key, &nonce, SEAL_CONTEXT, signer.entropy().as_slice());
                Some(SealedKey { cost: COST, salt, nonce, sealed })
            }
        };
        let batch = vec![key_write(&signer, sealed.as_ref())];
        self.context.commit(batch, Durability::Strict).await?;
        *self.key_state.borrow_mut() = KeyState::Open { signer, sealed };
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Opens a sealed key. Fails with a wrong passphrase; the state is then as before.
    pub(super) async fn unlock(&self, passphrase: String) -> Result<(), Failure> {
        let sealed = match &*self.key_state.borrow() {
            KeyState::Empty => return Err(errors::no_identity()),
            KeyState::Open { .. } => return Ok(()),
            KeyState::Locked { sealed, .. } => sealed.clone(),
        };
        let job = StretchJob { passphrase: passphrase.into(), salt: sealed.salt, cost: sealed.cost };
        let key = self.stretch(job).await.map_err(seal_failed)?;
        let entropy = sealing::open(&key, &sealed.nonce, SEAL_CONTEXT, &sealed.sealed).map_err(seal_failed)?;
        let entropy: &[u8; 32] = entropy.as_slice().try_into().map_err(|_| errors::internal())?;
        let signer = SigningIdentity::from_entropy(entropy);
        *self.key_state.borrow_mut() = KeyState::Open { signer, sealed: Some(sealed) };
        self.context.emit(&Event::MeChanged);
        Ok(())
    }

    /// Drops the open key from memory, if it has a sealed form.
    pub(super) fn lock(&self) {
        let open = self.key_state.replace(KeyState::Empty);
        *self.key_state.borrow_mut() = match open {
            KeyState::Open { signer, sealed: Some(sealed) } => KeyState::Locked { identity: signer.identity(), sealed },
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
        self.context.reset_not_before(Timestamp::default());
        self.set_settings(Settings::default());
        self.context.emit(&Event::MeChanged);
        self.context.emit(&Event::PeopleChanged { dids: vec![own.to_string()] });
        Ok(())
    }
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
