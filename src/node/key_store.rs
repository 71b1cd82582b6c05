//! The identity's key and the profile's settings: the key is made on the first write, perhaps sealed under a
//! passphrase, and opened for a session.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::RequestId;
use crate::context::Context;
use crate::errors;
use crate::platform::Environment;
use crate::store::records::put;
use crate::store::{Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::{Identity, PhraseError, RECOVERY_WORDS, SigningIdentity};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::sealing::{
    self, COST, Cost, NONCE_BYTES, PASSPHRASE_MIN_CHARS, SALT_BYTES, SealError, StretchJob, StretchedKey,
};
use gen_registry_core::time::Timestamp;

/// Under which key of [`Table::Keys`] the identity stands.
pub(super) const RECORD: &str = "identity";
/// Under which key of [`Table::Settings`] the settings stand.
pub(super) const SETTINGS_RECORD: &str = "state";
/// Commands that were carried out, remembered so that a command sent again after a change of writer is not repeated.
const REMEMBERED_REQUESTS: usize = 64;
const SEAL_CONTEXT: &[u8] = b"gen-registry/stored-key/v1";

/// What a profile remembers beside its document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) phrase_checked: bool,
    pub(super) last_backup_at: Option<Timestamp>,
    /// A name that was taken when the person was made.
    pub(super) refused_name: Option<RefusedName>,
    requests: VecDeque<RequestId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefusedName {
    pub(super) name: String,
}

impl Settings {
    /// Remembers that a command was carried out; of more than [`REMEMBERED_REQUESTS`] the oldest is forgotten.
    pub(super) fn remember(&mut self, id: RequestId) {
        self.requests.push_back(id);
        while self.requests.len() > REMEMBERED_REQUESTS {
            self.requests.pop_front();
        }
    }

    pub(super) fn write(&self) -> Write {
        put(Table::Settings, SETTINGS_RECORD, self)
    }
}

/// The key as this session has it.
pub(super) enum KeyState {
    Empty,
    Open { signer: SigningIdentity, sealed: Option<SealedKey> },
    Locked { identity: Identity, sealed: SealedKey },
}

/// The stored form of the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeyRecord {
    public: [u8; 32],
    secret: StoredSecret,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum StoredSecret {
    Plain(Zeroizing<[u8; 32]>),
    Sealed(SealedKey),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SealedKey {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

impl KeyState {
    pub(super) fn from_record(record: KeyRecord) -> Self {
        match record.secret {
            StoredSecret::Plain(entropy) => {
                Self::Open { signer: SigningIdentity::from_entropy(&entropy), sealed: None }
            }
            StoredSecret::Sealed(sealed) => Self::Locked { identity: Identity::from_trusted(record.public), sealed },
        }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Empty => None,
            Self::Open { signer, .. } => Some(signer.identity()),
            Self::Locked { identity, .. } => Some(*identity),
        }
    }

    pub(super) fn protection(&self) -> Protection {
        match self {
            Self::Empty | Self::Open { sealed: None, .. } => Protection::None,
            Self::Open { sealed: Some(_), .. } => Protection::Unlocked,
            Self::Locked { .. } => Protection::Locked,
        }
    }

    /// The open key.
    pub(super) fn signer(&self) -> Result<SigningIdentity, Failure> {
        match self {
            Self::Empty => Err(errors::no_identity()),
            Self::Open { signer, .. } => Ok(signer.clone()),
            Self::Locked { .. } => Err(errors::locked()),
        }
    }
}

/// The write that stores a key.
pub(super) fn key_write(signer: &SigningIdentity, sealed: Option<&SealedKey>) -> Write {
    let secret = match sealed {
        Some(sealed) => StoredSecret::Sealed(sealed.clone()),
        None => StoredSecret::Plain(signer.entropy()),
    };
    put(Table::Keys, RECORD, &KeyRecord { public: *signer.identity().as_bytes(), secret })
}

/// A fresh key.
pub(super) fn make(environment: &dyn Environment) -> SigningIdentity {
    let mut entropy = Zeroizing::new([0; 32]);
    environment.random(entropy.as_mut_slice());
    SigningIdentity::from_entropy(&entropy)
}

/// A passphrase that is set must have some length; strength is not guessed at.
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
    pub(super) fn new(context: Rc<Context>, key_state: KeyState, settings: Settings) -> Self {
        Self { context, key_state: RefCell::new(key_state), settings: RefCell::new(settings) }
    }

    /// The person whose profile this is; none before the first write.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.key_state.borrow().identity()
    }

    /// The open key.
    ///
    /// # Errors
    ///
    /// There is no identity, or it is locked.
    pub(super) fn signer(&self) -> Result<SigningIdentity, Failure> {
        self.key_state.borrow().signer()
    }

    /// The key; made, but not stored yet, when there is none.
    pub(super) fn signer_or_new(&self) -> Result<SigningIdentity, Failure> {
        match &*self.key_state.borrow() {
            KeyState::Empty => Ok(make(&*self.context.environment)),
            key_state => key_state.signer(),
        }
    }

    pub(super) fn protection(&self) -> Protection {
        self.key_state.borrow().protection()
    }

    pub(super) fn has_identity(&self) -> bool {
        self.identity().is_some()
    }

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

    /// Stretches a passphrase where it blocks nobody; here, if there is no such place.
    pub(super) async fn stretch(&self, job: StretchJob) -> Result<StretchedKey, SealError> {
        match self.context.environment.run_job(Job::Stretch(job.clone())).await {
            Some(JobOutput::Stretched(result)) => result,
            _ => sealing::stretch(&job),
        }
    }

    pub(super) fn recovery_phrase(&self) -> Result<String, Failure> {
        Ok(self.signer()?.recovery_phrase().to_string())
    }

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

    /// A profile has one identity: another one may come in only while this one has nothing to lose.
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

    /// Makes `signer` this profile's key. The person evidently has the words or a backup.
    /// `newest_claim` is when that person last claimed a name, as far as is known here.
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

    pub(super) fn lock(&self) {
        let open = self.key_state.replace(KeyState::Empty);
        *self.key_state.borrow_mut() = match open {
            KeyState::Open { signer, sealed: Some(sealed) } => KeyState::Locked { identity: signer.identity(), sealed },
            other => other,
        };
        self.context.emit(&Event::MeChanged);
    }

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

pub(super) fn phrase_invalid(error: &PhraseError) -> Failure {
    Failure::new(
        FailureCode::PhraseInvalid,
        errors::sentence(&error.to_string()),
        format!("Enter all {RECOVERY_WORDS} words in their order, with spaces between them."),
    )
}
