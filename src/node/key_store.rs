//! The keeper of the identity's key: made on the first write, perhaps sealed under a passphrase, opened for a session.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Node;
use crate::Settings;
use crate::errors;
use crate::platform::Environment;
use crate::store::records::put;
use crate::store::{Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::{Identity, PhraseError, RECOVERY_WORDS, SigningIdentity};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::read_model::PersonRecord;
use gen_registry_core::sealing::{
    self, COST, Cost, NONCE_BYTES, PASSPHRASE_MIN_CHARS, SALT_BYTES, SealError, StretchJob, StretchedKey,
};
use gen_registry_core::time::Timestamp;

/// Under which key of [`Table::Keys`] the identity stands.
pub(super) const RECORD: &str = "identity";
const SEAL_CONTEXT: &[u8] = b"gen-registry/stored-key/v1";

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

impl Node {
    /// Stretches a passphrase where it blocks nobody; here, if there is no such place.
    pub(super) async fn stretch(&self, job: StretchJob) -> Result<StretchedKey, SealError> {
        match self.environment.run_job(Job::Stretch(job.clone())).await {
            Some(JobOutput::Stretched(result)) => result,
            _ => sealing::stretch(&job),
        }
    }

    pub(super) fn recovery_phrase(&self) -> Result<String, Failure> {
        Ok(self.state.borrow().key_state.signer()?.recovery_phrase().to_string())
    }

    pub(super) async fn confirm_phrase(&self, words: &[(u32, String)]) -> Result<(), Failure> {
        let phrase = self.state.borrow().key_state.signer()?.recovery_phrase();
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
        let settings = Settings { phrase_checked: true, ..self.state.borrow().settings.clone() };
        self.save_settings(settings).await?;
        self.tell(&Event::MeChanged);
        Ok(())
    }

    pub(super) async fn restore_from_phrase(&self, phrase: &str) -> Result<(), Failure> {
        let signer = SigningIdentity::from_recovery_phrase(phrase).map_err(|error| phrase_invalid(&error))?;
        self.check_room_for(&signer.identity())?;
        self.adopt(signer, true).await
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
    pub(super) async fn adopt(&self, signer: SigningIdentity, phrase_checked: bool) -> Result<(), Failure> {
        let known = self.identity() == Some(signer.identity());
        if known {
            return Ok(());
        }
        let settings = Settings { phrase_checked, ..Settings::default() };
        let batch = vec![key_write(&signer, None), put(Table::Settings, super::SETTINGS_KEY, &settings)];
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        {
            let mut state = self.state.borrow_mut();
            let known = state.index.person(&signer.identity());
            state.not_before = known.and_then(PersonRecord::newest_claim).unwrap_or_default();
            state.key_state = KeyState::Open { signer, sealed: None };
            state.own = None;
            state.settings = settings;
        }
        self.tell(&Event::MeChanged);
        Ok(())
    }

    pub(super) async fn set_passphrase(&self, passphrase: Option<String>) -> Result<(), Failure> {
        let signer = self.state.borrow().key_state.signer()?;
        let sealed = match passphrase {
            None => None,
            Some(passphrase) => {
                check_new_passphrase(&passphrase)?;
                let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
                self.environment.random(&mut salt);
                self.environment.random(&mut nonce);
                let job = StretchJob { passphrase: passphrase.into(), salt, cost: COST };
                let key = self.stretch(job).await.map_err(seal_failed)?;
                let sealed = sealing::seal(&key, &nonce, SEAL_CONTEXT, signer.entropy().as_slice());
                Some(SealedKey { cost: COST, salt, nonce, sealed })
            }
        };
        let batch = vec![key_write(&signer, sealed.as_ref())];
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        self.state.borrow_mut().key_state = KeyState::Open { signer, sealed };
        self.tell(&Event::MeChanged);
        Ok(())
    }

    pub(super) async fn unlock(&self, passphrase: String) -> Result<(), Failure> {
        let sealed = match &self.state.borrow().key_state {
            KeyState::Empty => return Err(errors::no_identity()),
            KeyState::Open { .. } => return Ok(()),
            KeyState::Locked { sealed, .. } => sealed.clone(),
        };
        let job = StretchJob { passphrase: passphrase.into(), salt: sealed.salt, cost: sealed.cost };
        let key = self.stretch(job).await.map_err(seal_failed)?;
        let entropy = sealing::open(&key, &sealed.nonce, SEAL_CONTEXT, &sealed.sealed).map_err(seal_failed)?;
        let entropy: &[u8; 32] = entropy.as_slice().try_into().map_err(|_| errors::internal())?;
        let signer = SigningIdentity::from_entropy(entropy);
        self.state.borrow_mut().key_state = KeyState::Open { signer, sealed: Some(sealed) };
        self.tell(&Event::MeChanged);
        Ok(())
    }

    pub(super) fn lock(&self) -> Result<(), Failure> {
        let mut state = self.state.borrow_mut();
        state.key_state = match std::mem::replace(&mut state.key_state, KeyState::Empty) {
            KeyState::Open { signer, sealed: Some(sealed) } => KeyState::Locked { identity: signer.identity(), sealed },
            other => other,
        };
        drop(state);
        self.tell(&Event::MeChanged);
        Ok(())
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
            Write::Delete { table: Table::Settings, key: super::SETTINGS_KEY.to_owned() },
        ];
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        {
            let mut state = self.state.borrow_mut();
            state.key_state = KeyState::Empty;
            state.own = None;
            state.not_before = Timestamp::default();
            state.settings = Settings::default();
        }
        self.tell(&Event::MeChanged);
        self.tell(&Event::PeopleChanged { dids: vec![own.to_string()] });
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

fn phrase_invalid(error: &PhraseError) -> Failure {
    Failure::new(
        FailureCode::PhraseInvalid,
        errors::sentence(&error.to_string()),
        format!("Enter all {RECOVERY_WORDS} words in their order, with spaces between them."),
    )
}
