//! The commands on devices and keys: adding and revoking devices, replacing the identity key and the words, restoring an
//! identity from words.
//!
//! What only the identity key may say ([`gen_registry_core::statement`]) is signed here and rides as a fact in this device's
//! log. A device that was added by another one has no identity key: it gets the key when the words are entered here.

mod cut;
mod restore;
mod rotation;
mod rows;

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::RequestId;
use crate::context::Context;
use crate::devices::cut::{Keep, cut_of};
use crate::devices::rotation::{Rotation, RotationError, devices_after};
use crate::errors;
use crate::key_state::{IdentitySecret, KeyLine, Keys, add_device, new_device};
use crate::key_store::{KeyStore, phrase_invalid};
use crate::peers::PeerTable;
use crate::registry::{Draft, Registry};
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::device_request::{DeviceRequest, DeviceTextError, grant_text, read_grant};
use gen_registry_core::digest::{Digest, bytes_from_hex};
use gen_registry_core::keys::{Did, Master, PublicKey, SecretKey};
use gen_registry_core::log::{Body, Capabilities, Capability, EntryId, Opening, PATTERN_MAX_CHARS};
use gen_registry_core::outcome::Fact;
use gen_registry_core::standing::{Device, Standing};
use gen_registry_core::statement::{
    Cut, DeviceList as StayingDevices, DeviceRevoke, NewWords, SignedStatement, Statement, Veto,
};

/// The key of [`Table::Keys`] under which a device key waits to be added to an identity.
const REQUEST_RECORD: &str = "request";

/// A device key that waits to be added.
#[derive(Serialize, Deserialize)]
struct RequestRecord {
    device: Zeroizing<[u8; 32]>,
}

/// The service for these commands.
pub(crate) struct Devices {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    peers: Rc<PeerTable>,
}

impl Devices {
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, registry: Rc<Registry>, peers: Rc<PeerTable>) -> Self {
        Self { context, keys, registry, peers }
    }

    /// Carries out a command. Those that write take the write lock.
    pub(crate) async fn handle(&self, id: Option<RequestId>, command: DeviceCommand) -> Result<Answer, Failure> {
        match command {
            DeviceCommand::List => return self.report().await.map(Answer::Devices),
            DeviceCommand::ReadGrant { grant } => return self.read_grant(&grant).map(Answer::DeviceGrant),
            _ => {}
        }
        let _one_at_a_time = self.registry.begin_write().await;
        let is_done = self.keys.is_done(id.as_ref());
        match command {
            DeviceCommand::Request => return self.request().await.map(Answer::DeviceText),
            DeviceCommand::Add { request, capabilities } => {
                return self.add(id, &request, &capabilities).await.map(Answer::DeviceText);
            }
            _ if is_done => {}
            DeviceCommand::CancelRequest => self.cancel_request().await?,
            DeviceCommand::Accept { grant } => self.accept(&grant).await?,
            DeviceCommand::Revoke { key, last_good } => self.revoke(id, &key, &last_good).await?,
            DeviceCommand::Rotate { words, ends } => self.rotate(id, words, &ends).await?,
            DeviceCommand::ReplaceLostWords => self.replace_lost_words(id).await?,
            DeviceCommand::Veto { announced } => self.veto(id, entry_id(&announced)?).await?,
            DeviceCommand::List | DeviceCommand::ReadGrant { .. } => {}
        }
        self.report().await.map(Answer::Devices)
    }

    /// Makes a device key that waits to be added to an identity, unless one waits already.
    async fn request(&self) -> Result<String, Failure> {
        if self.keys.has_identity() {
            return Err(Failure::new(
                FailureCode::IdentityExists,
                "This device belongs to an identity already.",
                "Use a new browser profile, or forget the identity here first (Settings, at the end).",
            ));
        }
        let device = match self.waiting_key().await? {
            Some(device) => device,
            None => {
                let device = new_device(&*self.context.environment);
                let record = RequestRecord { device: device.seed() };
                self.context.commit(vec![put(Table::Keys, REQUEST_RECORD, &record)], Durability::Strict).await?;
                device
            }
        };
        Ok(DeviceRequest::sign(&self.context.network.topic, &device))
    }

    async fn waiting_key(&self) -> Result<Option<SecretKey>, Failure> {
        let found = self.context.records.get::<RequestRecord>(Table::Keys, REQUEST_RECORD).await;
        Ok(match found.map_err(errors::store_failed)? {
            StoredRecord::Record(record) => Some(SecretKey::from_seed(&record.device)),
            StoredRecord::Nothing => None,
            StoredRecord::Damaged(damaged) => {
                self.context.quarantine(&damaged).await;
                None
            }
        })
    }

    /// What this profile shows to be added, if it waits for that.
    async fn waiting_request(&self) -> Result<Option<String>, Failure> {
        let device = self.waiting_key().await?;
        Ok(device.map(|device| DeviceRequest::sign(&self.context.network.topic, &device)))
    }

    async fn cancel_request(&self) -> Result<(), Failure> {
        self.context.commit(vec![forget_request()], Durability::Strict).await
    }

    /// Whose device this becomes by accepting.
    fn read_grant(&self, text: &str) -> Result<DeviceGrant, Failure> {
        let opening = read_grant(&self.context.network.topic, text).map_err(|error| text_invalid(&error))?;
        let did = opening.did();
        Ok(DeviceGrant {
            did: did.to_string(),
            username: self.registry.read_model().username_of(&did).map(ToString::to_string),
            safety_words: did.safety_words().into_iter().map(str::to_owned).collect(),
            capabilities: rows::capabilities(opening.capabilities()),
        })
    }

    /// Makes the waiting key this profile's device key.
    async fn accept(&self, text: &str) -> Result<(), Failure> {
        let opening = read_grant(&self.context.network.topic, text).map_err(|error| text_invalid(&error))?;
        self.keys.check_room_for(&opening.did())?;
        let device = self.waiting_key().await?.filter(|device| device.public() == opening.device());
        let device = device.ok_or_else(|| {
            Failure::new(
                FailureCode::DeviceTextInvalid,
                "This adds another device than this one.",
                "Show the text of this device to the other one again, and bring back what it answers.",
            )
        })?;
        let keys = Keys { device, opening, identity: IdentitySecret::default() };
        // The words are where the identity was made.
        self.keys.adopt(keys, true, vec![forget_request()]).await
    }

    /// Adds the device that made a request, and returns what that one has to be shown.
    async fn add(
        &self,
        id: Option<RequestId>,
        request: &str,
        capabilities: &DeviceCapabilities,
    ) -> Result<String, Failure> {
        let topic = self.context.network.topic;
        let request = DeviceRequest::verify(&topic, request).map_err(|error| text_invalid(&error))?;
        let (keys, key, standing) = self.with_key()?;
        let capabilities = capabilities_of(capabilities)?;
        // A command that is sent again finds the device added.
        if let Some(opening) = self.opening_of_addition(&keys.did(), &standing, &request.device, &capabilities) {
            return Ok(grant_text(&topic, &opening));
        }
        if standing.devices.contains_key(&request.device) {
            return Err(Failure::new(
                FailureCode::DeviceUnknown,
                "This key was a device of this identity before.",
                "Have the new device make another request: forget the one that it shows.",
            ));
        }
        let did = keys.did();
        let number = self.registry.free_device_number(&did).ok_or_else(errors::too_many_devices)?;
        let line = KeyLine { inception: *keys.opening.inception(), links: standing.line };
        let list_key = self.registry.list_key_for(&keys, &key, &request);
        let opening = add_device(&topic, &line, &key, &request, capabilities, number, list_key);
        let opening = opening.ok_or_else(errors::internal)?;
        let addition = Body::Statement(Box::new(opening.addition().clone()), StayingDevices::default());
        self.registry.write(id, keys, Draft::of_facts(vec![addition])).await?;
        Ok(grant_text(&topic, &opening))
    }

    /// The opening of a device that acts for the identity with these capabilities, from the statement that added it.
    fn opening_of_addition(
        &self,
        did: &Did,
        standing: &Standing,
        device: &PublicKey,
        capabilities: &Capabilities,
    ) -> Option<Opening> {
        let known = standing.device_in(device).filter(|known| known.capabilities == *capabilities)?;
        let line = self.registry.key_line(did)?;
        let read_model = self.registry.read_model();
        let facts = read_model.registry().facts();
        let addition = facts.by_identity(did).find_map(|fact| match &fact.body {
            Body::Statement(signed, _) if signed.digest() == known.addition => Some((**signed).clone()),
            _ => None,
        })?;
        line.opening_of(&self.context.network.topic, addition)
    }

    /// Ends a device.
    async fn revoke(&self, id: Option<RequestId>, key: &str, last_good: &LastGood) -> Result<(), Failure> {
        let (keys, identity_key, standing) = self.with_key()?;
        let (device, known) = device_of(&standing, key)?;
        if device == keys.device.public() {
            return Err(Failure::new(
                FailureCode::InvalidArgument,
                "A device can't revoke itself.",
                "Revoke it from another device; or forget the identity here (Settings, at the end).",
            ));
        }
        let cut = self.cut(&keys.did(), &device, &known, last_good).await?;
        let statement = Statement::DeviceRevoke(DeviceRevoke { device, cut });
        let revocation = self.say(&keys, &identity_key, statement);
        self.registry.write(id, keys, Draft::of_facts(vec![revocation])).await.map(drop)
    }

    /// Replaces the identity key by the next one.
    async fn rotate(&self, id: Option<RequestId>, words: WordsForRotation, ends: &[DeviceEnd]) -> Result<(), Failure> {
        let (keys, topic) = (self.keys.keys()?, self.context.network.topic);
        let did = keys.did();
        let standing = self.standing(&keys.opening);
        let master = match (&words.phrase, &keys.identity.words) {
            (Some(phrase), _) => Master::from_words(phrase).map_err(|error| phrase_invalid(&error))?,
            (None, Some(entropy)) => Master::from_entropy(**entropy),
            (None, None) => return Err(errors::words_gone()),
        };
        let own = keys.opening.addition().digest();
        let mut cuts: Vec<(Digest, Cut)> = Vec::new();
        for end in ends {
            let (device, known) = device_of(&standing, &end.key)?;
            if known.addition == own {
                return Err(Failure::new(
                    FailureCode::InvalidArgument,
                    "The device on which the key is replaced goes on.",
                    "To end it as well, replace the key on another device.",
                ));
            }
            cuts.push((known.addition, self.cut(&did, &device, &known, &end.last_good).await?));
        }
        let new_words = words.make_new.then(|| self.draw_words());
        let staying = devices_after(&standing, Some(own), &cuts);
        let rotation = Rotation::sign(&topic, did, &standing, &master, new_words.as_ref(), &staying);
        let rotation = rotation.map_err(rotation_failed)?;
        let mut identity = keys.identity.clone();
        identity.keys.extend(rotation.keys.iter().cloned());
        let has_new_words = new_words.is_some();
        if let Some(new_words) = new_words {
            identity.words = Some(new_words.entropy());
        }
        let new_keys = Keys { identity, ..keys.clone() };
        let draft = Draft { facts: rotation.bodies(), new_keys: Some((new_keys, has_new_words)), ..Draft::default() };
        self.registry.write(id, keys, draft).await.map(drop)
    }

    fn draw_words(&self) -> Master {
        let mut entropy = Zeroizing::new([0; 32]);
        self.context.environment.random(entropy.as_mut_slice());
        Master::from_entropy(*entropy)
    }

    /// Announces new words in the place of lost ones.
    async fn replace_lost_words(&self, id: Option<RequestId>) -> Result<(), Failure> {
        let (keys, key, standing) = self.with_key()?;
        if keys.identity.words.is_some() {
            return Err(Failure::new(
                FailureCode::InvalidArgument,
                "The recovery words are still on this device.",
                "Write them down and check them; nothing is lost.",
            ));
        }
        if !self.registry.read_model().registry().has_witnesses() {
            return Err(Failure::new(
                FailureCode::NotAllowed,
                "In a network without witnesses words can't be replaced: nobody could see that a thief does not do it.",
                "Keep this device, and make a new identity while the names can still be given to it.",
            ));
        }
        let new_words = self.draw_words();
        let next = new_words.identity_key(standing.key_number() + 1).public().digest();
        let statement = Statement::NewWords(NewWords { before: standing.link.digest, next });
        let announcement = self.say(&keys, &key, statement);
        let identity = IdentitySecret { words: Some(new_words.entropy()), ..keys.identity.clone() };
        let new_keys = Some((Keys { identity, ..keys.clone() }, true));
        let draft = Draft { facts: vec![announcement], new_keys, ..Draft::default() };
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Forbids what an entry of this identity announced.
    pub(super) async fn veto(&self, id: Option<RequestId>, announced: EntryId) -> Result<(), Failure> {
        let keys = self.keys.keys()?;
        let is_open = {
            let read_model = self.registry.read_model();
            let facts = read_model.registry().facts();
            let is_own = |fact: &&Fact| fact.did == keys.did();
            let mut answers = facts.finishes_of(&announced).chain(facts.vetoes_of(&announced)).filter(is_own);
            facts.get(&announced).is_some_and(|fact| is_own(&fact)) && answers.next().is_none()
        };
        if !is_open {
            return Err(Failure::new(
                FailureCode::AlreadyAnswered,
                "There is nothing to forbid any more: it was finished or forbidden already.",
                "Look at the name to see who holds it.",
            ));
        }
        let veto = match self.registry.identity_key(&keys) {
            Some(key) => self.say(&keys, &key, Statement::Veto(Veto { announced })),
            None if keys.opening.capabilities().are_full() => Body::Veto(announced),
            None => return Err(errors::not_allowed()),
        };
        self.registry.write(id, keys, Draft::of_facts(vec![veto])).await.map(drop)
    }

    /// A statement of the identity as the body of a fact.
    fn say(&self, keys: &Keys, key: &SecretKey, statement: Statement) -> Body {
        let signed = SignedStatement::sign(&self.context.network.topic, keys.did(), key, statement);
        Body::Statement(Box::new(signed), StayingDevices::default())
    }

    /// The open keys, the present identity key, and who acts for the identity. Fails without that key.
    fn with_key(&self) -> Result<(Keys, SecretKey, Standing), Failure> {
        let keys = self.keys.keys()?;
        let key = self.registry.identity_key(&keys).ok_or_else(errors::no_identity_key)?;
        let standing = self.standing(&keys.opening);
        Ok((keys, key, standing))
    }

    /// Who acts for the identity of an opening, the device of the opening among them even if it has not written yet.
    fn standing(&self, opening: &Opening) -> Standing {
        self.registry.read_model().registry().standing_with(opening)
    }

    /// Where a device's logs end.
    async fn cut(&self, did: &Did, device: &PublicKey, known: &Device, last_good: &LastGood) -> Result<Cut, Failure> {
        let keep = match last_good {
            LastGood::Everything => Keep::Everything,
            LastGood::Entry { id } => Keep::UpTo(entry_id(id)?),
            LastGood::Nothing => Keep::Nothing,
        };
        let generation = self.registry.cache().generation();
        let document = self.registry.document(did).await.map_err(errors::store_failed)?;
        let cut = {
            let read_model = self.registry.read_model();
            let registry = read_model.registry();
            let opening = registry.openings_of(did).find(|opening| opening.addition().digest() == known.addition);
            // One that never wrote has nothing that could count.
            opening.map_or(Some(Cut::default()), |opening| cut_of(registry, &document, opening, keep))
        };
        self.registry.cache().put(*did, document, generation);
        cut.ok_or_else(|| {
            Failure::new(
                FailureCode::InvalidArgument,
                format!("The device {} has no such entry.", device.words().join(" ")),
                "Choose one of the entries that are listed for it.",
            )
        })
    }
}

/// Returns the write that forgets a key that waited to be added.
fn forget_request() -> Write {
    Write::Delete { table: Table::Keys, key: REQUEST_RECORD.to_owned() }
}

/// The device of a key as the boundary writes it.
fn device_of(standing: &Standing, key: &str) -> Result<(PublicKey, Device), Failure> {
    let bytes = bytes_from_hex(key.trim()).ok();
    let device = bytes.and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
    let found = device.and_then(|device| Some((device, standing.devices.get(&device)?.clone())));
    found.ok_or_else(|| {
        Failure::new(
            FailureCode::DeviceUnknown,
            "This identity has no such device.",
            "Choose one of the devices that are listed.",
        )
    })
}

fn entry_id(text: &str) -> Result<EntryId, Failure> {
    let bytes = bytes_from_hex(text.trim()).map_err(|_| {
        Failure::new(
            FailureCode::InvalidArgument,
            "An entry is named by 64 hexadecimal digits.",
            "Copy it from the list of devices.",
        )
    })?;
    Ok(EntryId::from_digest(Digest::from_bytes(bytes)))
}

fn capabilities_of(asked: &DeviceCapabilities) -> Result<Capabilities, Failure> {
    let publish = asked.publish.as_deref().map(str::trim).filter(|pattern| !pattern.is_empty());
    if publish.is_some_and(|pattern| pattern.chars().count() > PATTERN_MAX_CHARS) {
        return Err(Failure::new(
            FailureCode::InvalidArgument,
            format!("The name of modules has at most {PATTERN_MAX_CHARS} characters."),
            "Write a module's name, or its beginning with * behind it.",
        ));
    }
    let chosen = [
        (asked.profile, Capability::Profile),
        (asked.claim, Capability::Claim),
        (publish.is_some(), Capability::Publish),
        (asked.yank, Capability::Yank),
        (asked.rate, Capability::Rate),
        (asked.chat, Capability::Chat),
        (asked.grant, Capability::Grant),
    ];
    let capabilities = chosen.into_iter().filter(|(is_chosen, _)| *is_chosen).map(|(_, capability)| capability);
    Ok(Capabilities::of(capabilities, publish.unwrap_or_default()))
}

fn text_invalid(error: &DeviceTextError) -> Failure {
    Failure::new(
        FailureCode::DeviceTextInvalid,
        errors::sentence(&error.to_string()),
        "Copy the whole text again, or scan the code; a device adds another one within one network only.",
    )
}

fn rotation_failed(error: RotationError) -> Failure {
    match error {
        RotationError::OtherWords => Failure::new(
            FailureCode::WordsReplaced,
            "These are not the words that this identity's next key comes from.",
            "Enter the newest words of this identity; older ones were replaced.",
        ),
        RotationError::TooMany => Failure::new(
            FailureCode::NotAllowed,
            errors::sentence(&error.to_string()),
            "Make a new identity and give it the names.",
        ),
    }
}
