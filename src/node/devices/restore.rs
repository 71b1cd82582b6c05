//! An identity brought back from its words.
//!
//! The words give every key of the identity, and the inception gives its name. But which key is the present one, and
//! which device numbers are taken, only others know: so nothing is written before the identity was found at a peer, or the
//! person says that nobody can be asked. Words that replaced others give no inception: their identity is the one whose
//! present key comes from them.

use std::time::Duration;

use futures::future::{Either, select};
use futures_timer::Delay;

use crate::devices::Devices;
use crate::devices::rotation::{Rotation, devices_after};
use crate::errors;
use crate::key_state::{IdentitySecret, KeyLine, Keys};
use crate::key_store::phrase_invalid;
use crate::registry::Draft;
use gen_registry_api::*;
use gen_registry_core::keys::{Did, Master};
use gen_registry_core::standing::Standing;

/// How long peers have to bring the identity.
const SEARCH_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for meanwhile.
const SEARCH_EVERY: Duration = Duration::from_millis(100);
/// How long an exchange that is under way may go on, so that the newest is known of an identity that was found.
const EXCHANGE_PATIENCE: Duration = Duration::from_secs(5);

/// Which identity's words these are.
enum Found {
    /// They give its present key.
    Present { did: Did, standing: Box<Standing> },
    /// They give its next key only: they replaced lost words, and the key was not replaced since.
    Next { did: Did, standing: Box<Standing> },
    /// They gave its keys until they were replaced.
    Replaced,
    /// Nothing here says.
    Nothing,
}

impl Devices {
    /// Makes this profile a device of the identity of these words, with its identity key. `unheard`: the person says that
    /// nobody can be asked for the identity.
    pub(crate) async fn restore(&self, phrase: &str, unheard: bool) -> Result<(), Failure> {
        let master = Master::from_words(phrase).map_err(|error| phrase_invalid(&error))?;
        if !unheard {
            self.search(&master).await;
        }
        let _one_at_a_time = self.registry.begin_write().await;
        match self.find(&master) {
            Found::Present { did, standing } => {
                let number = standing.key_number();
                let identity = IdentitySecret { keys: vec![(number, master.identity_key(number))], words: None };
                self.bring_back(did, identity).await
            }
            Found::Next { did, standing } => self.rotate_and_bring_back(did, &standing, &master).await,
            Found::Replaced => Err(Failure::new(
                FailureCode::WordsReplaced,
                "These words were replaced by others, so they open nothing any more.",
                "Enter the newest words of the identity.",
            )),
            Found::Nothing if unheard => {
                let identity = IdentitySecret { keys: vec![(0, master.identity_key(0))], words: None };
                let line = KeyLine { inception: master.inception(), links: Vec::new() };
                self.join(line, identity).await
            }
            Found::Nothing => Err(self.not_found()),
        }
    }

    fn not_found(&self) -> Failure {
        let peers = self.peers.count();
        let asked = match peers {
            0 => "No peer is connected who could know the identity of these words.".to_owned(),
            1 => "The one connected peer does not know an identity of these words.".to_owned(),
            peers => format!("None of the {peers} connected peers knows an identity of these words."),
        };
        Failure::new(
            FailureCode::IdentityNotFound,
            asked,
            "Check the network and wait for more peers. Only if nobody can know it, go on without.",
        )
    }

    /// Waits until the identity of these words is here, if there is anybody who can bring it.
    async fn search(&self, master: &Master) {
        let is_found = || !matches!(self.find(master), Found::Nothing);
        let has_network = self.peers.mesh().is_some();
        if has_network {
            wait_until(is_found, SEARCH_PATIENCE).await;
        }
        if is_found() {
            wait_until(|| !self.peers.is_syncing(), EXCHANGE_PATIENCE).await;
        }
    }

    fn find(&self, master: &Master) -> Found {
        let topic = self.context.network.topic;
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let first = master.inception().did(&topic);
        let replaced = registry.identities_with_links().filter(|did| **did != first).copied();
        let known = registry.standing(&first).is_some();
        for did in Some(first).filter(|_| known).into_iter().chain(replaced) {
            let Some(standing) = registry.standing(&did).map(Box::new) else { continue };
            let number = standing.key_number();
            if master.identity_key(number).public() == standing.link.key {
                return Found::Present { did, standing };
            }
            if master.identity_key(number + 1).public().digest() == standing.link.next {
                return Found::Next { did, standing };
            }
        }
        if known { Found::Replaced } else { Found::Nothing }
    }

    /// Gives this profile the identity's key; a device of it that can't write any more gets a new device key.
    async fn bring_back(&self, did: Did, identity: IdentitySecret) -> Result<(), Failure> {
        self.keys.check_room_for(&did)?;
        if self.keys.has_identity() {
            let keys = self.keys.keys()?;
            if self.registry.can_write(&keys) {
                let words = keys.identity.words.clone();
                return self.keys.change(Keys { identity: IdentitySecret { words, ..identity }, ..keys }).await;
            }
        }
        let line = self.registry.key_line(&did).ok_or_else(errors::no_identity)?;
        self.join(line, identity).await
    }

    /// Adds a new device key of this profile to the identity. Nothing is written yet but the keys.
    async fn join(&self, line: KeyLine, identity: IdentitySecret) -> Result<(), Failure> {
        self.keys.check_room_for(&line.inception.did(&self.context.network.topic))?;
        let keys = self.new_device_of(&line, identity)?;
        self.take(keys).await
    }

    fn new_device_of(&self, line: &KeyLine, identity: IdentitySecret) -> Result<Keys, Failure> {
        let topic = self.context.network.topic;
        let number = self.registry.free_device_number(&line.inception.did(&topic));
        let number = number.ok_or_else(errors::too_many_devices)?;
        Keys::join(&*self.context.environment, &topic, line, identity, number).ok_or_else(errors::internal)
    }

    /// The words count, but no key of them yet: rotates to it, as the first that a new device of this profile says.
    async fn rotate_and_bring_back(&self, did: Did, standing: &Standing, master: &Master) -> Result<(), Failure> {
        self.keys.check_room_for(&did)?;
        let topic = self.context.network.topic;
        let staying = devices_after(standing, None, &[]);
        let rotation = Rotation::sign(&topic, did, standing, master, None, &staying);
        let rotation = rotation.map_err(super::rotation_failed)?;
        let mut line = self.registry.key_line(&did).ok_or_else(errors::no_identity)?;
        line.links.extend(rotation.links());
        let identity = IdentitySecret { keys: rotation.keys.clone(), words: None };
        let keys = self.new_device_of(&line, identity)?;
        self.take(keys.clone()).await?;
        self.registry.write(None, keys, Draft::of_facts(rotation.bodies())).await.map(drop)
    }

    /// Makes these keys the profile's.
    async fn take(&self, keys: Keys) -> Result<(), Failure> {
        if self.keys.has_identity() {
            return self.keys.change(keys).await;
        }
        self.keys.adopt(keys, true, vec![super::forget_request()]).await
    }
}

/// Waits until a condition holds, for a while at most.
async fn wait_until(holds: impl Fn() -> bool, patience: Duration) {
    let watching = async {
        while !holds() {
            Delay::new(SEARCH_EVERY).await;
        }
    };
    futures::pin_mut!(watching);
    match select(watching, Delay::new(patience)).await {
        Either::Left(_) | Either::Right(_) => {}
    }
}
