//! The list keys of this profile: which it has, and which of the person's other devices lacks the present one.
//!
//! A profile with the identity key derives every list key. Another one has those that it was handed
//! ([`gen_registry_core::list_keys`]): by the opening of its log, and by facts of the identity.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::key_state::Keys;
use crate::registry::Registry;
use gen_registry_core::block_list::ListKey;
use gen_registry_core::device_request::DeviceRequest;
use gen_registry_core::keys::{Did, PublicKey, SecretKey};
use gen_registry_core::list_keys::{ListKeys, Recipient, SealedListKey};
use gen_registry_core::log::{Body, Opening};
use gen_registry_core::standing::Standing;
use gen_registry_core::statement::{DeviceAdd, DeviceList, SignedStatement, Statement};

/// How many numbers below the present one are tried on entries of before. Entries are sealed again when the number is
/// raised, so older ones are rare.
const EARLIER_NUMBERS_MAX: u32 = 64;

/// The list keys that a profile has.
pub(crate) struct OwnListKeys {
    /// What new entries are sealed with. None after a rotation until the profile is handed the new key: who has the old
    /// identity key has the old list keys.
    pub(crate) present: Option<ListKey>,
    /// Those of before, newest first.
    pub(crate) earlier: Vec<ListKey>,
}

/// Which list key is the present one: it follows from an identity key and a number.
pub(crate) type ListKeyId = (PublicKey, u32);

impl Registry {
    /// Returns which list key is the present one of an identity, or `None` if the identity is not known here.
    pub(crate) fn list_key_id(&self, did: &Did) -> Option<ListKeyId> {
        let standing = self.read_model().registry().standing(did)?;
        Some(id_of(&standing))
    }

    /// Returns the list keys that a profile has.
    pub(crate) fn list_keys(&self, keys: &Keys) -> OwnListKeys {
        let standing = self.read_model().registry().standing_with(&keys.opening);
        let (key, number) = id_of(&standing);
        let lowest = number.saturating_sub(EARLIER_NUMBERS_MAX);
        let numbers = || (lowest..=number).rev();
        if let Some(identity_key) = keys.secret_of(&key) {
            let mut own = numbers().map(|number| ListKey::of(&identity_key.list_key(number)));
            let present = own.next();
            let others = keys.identity.keys.iter().map(|(_, secret)| secret).filter(|secret| secret.public() != key);
            let of_others = others.flat_map(|secret| numbers().map(|number| ListKey::of(&secret.list_key(number))));
            return OwnListKeys { present, earlier: own.chain(of_others).collect() };
        }
        let mut handed = self.handed_list_keys(keys);
        // The present identity key's last.
        handed.sort_by_key(|(signer, sealed)| (*signer == key, sealed.number));
        let recipient = self.recipient(&keys.did(), &keys.device.public());
        let opened = handed.iter().rev().filter_map(|(signer, sealed)| {
            Some((*signer == key, ListKey::of(&*recipient.open(&keys.device, sealed).ok()?)))
        });
        let mut opened = opened.peekable();
        let present = opened.next_if(|(is_present, _)| *is_present).map(|(_, key)| key);
        OwnListKeys { present, earlier: opened.map(|(_, key)| key).collect() }
    }

    /// What this device was handed, each with the identity key that handed it.
    fn handed_list_keys(&self, keys: &Keys) -> Vec<(PublicKey, SealedListKey)> {
        let (did, device) = (keys.did(), keys.device.public());
        let with_device = addition(&keys.opening).and_then(|add| Some((keys.opening.addition().key, add.list_key?)));
        let read_model = self.read_model();
        let facts = read_model.registry().facts();
        let later = facts.by_identity(&did).filter_map(|fact| match &fact.body {
            Body::Statement(signed, _) => handed(signed).and_then(|keys| Some((signed.key, keys.key_for(&device)?))),
            _ => None,
        });
        // A statement is in the registry whoever signed it; those by strangers' keys open to nothing of this identity.
        let is_own = |(signer, _): &(PublicKey, SealedListKey)| read_model.registry().has_identity_key(&did, signer);
        with_device.into_iter().chain(later).filter(is_own).collect()
    }

    /// Returns the statement that hands the present list key to the devices that lack it, or `None` if all have it or this
    /// profile has no identity key to say so with.
    pub(crate) fn hand_out_list_key(&self, keys: &Keys) -> Option<Body> {
        let did = keys.did();
        let standing = self.read_model().registry().standing_with(&keys.opening);
        let (key, number) = id_of(&standing);
        let identity_key = keys.secret_of(&key)?;
        let list_key = identity_key.list_key(number);
        let others: Vec<DeviceAdd> = self.devices_without(&did, &keys.device.public(), &standing);
        if others.is_empty() {
            return None;
        }
        let sealed = others.iter().filter_map(|add| {
            let to = DeviceRequest { device: add.device, sealing_key: add.sealing_key };
            Some((add.device, self.seal_list_key(&did, &to, number, &list_key)?))
        });
        let statement = Statement::ListKeys(ListKeys::new(number, sealed));
        let signed = SignedStatement::sign(&self.context.network.topic, did, identity_key, statement);
        Some(Body::Statement(Box::new(signed), DeviceList::default()))
    }

    /// Seals the present list key to a device that is about to be added. Returns `None` if its sealing key is weak.
    pub(crate) fn list_key_for(
        &self,
        keys: &Keys,
        identity_key: &SecretKey,
        request: &DeviceRequest,
    ) -> Option<SealedListKey> {
        let (_, number) = id_of(&self.read_model().registry().standing_with(&keys.opening));
        self.seal_list_key(&keys.did(), request, number, &identity_key.list_key(number))
    }

    fn seal_list_key(&self, did: &Did, to: &DeviceRequest, number: u32, list_key: &[u8; 32]) -> Option<SealedListKey> {
        let mut random = Zeroizing::new([0; 32]);
        self.context.environment.random(random.as_mut_slice());
        self.recipient(did, &to.device).seal(&to.sealing_key, number, list_key, random)
    }

    fn recipient(&self, did: &Did, device: &PublicKey) -> Recipient {
        Recipient { topic: self.context.network.topic, did: *did, device: *device }
    }

    /// The devices that act for the identity, this one aside, and were not handed the present list key.
    fn devices_without(&self, did: &Did, own: &PublicKey, standing: &Standing) -> Vec<DeviceAdd> {
        let (key, number) = id_of(standing);
        let read_model = self.read_model();
        let registry = read_model.registry();
        let in_facts = registry.facts().by_identity(did).filter_map(|fact| match &fact.body {
            Body::Statement(signed, _) => Some(&**signed),
            _ => None,
        });
        let said: Vec<&SignedStatement> = in_facts.chain(registry.openings_of(did).map(Opening::addition)).collect();
        let of_present_key = said.iter().filter(|signed| signed.key == key).filter_map(|signed| handed(signed));
        let now: Vec<&ListKeys> = of_present_key.filter(|keys| keys.number == number).collect();
        let mut lacking: BTreeMap<PublicKey, DeviceAdd> = BTreeMap::new();
        for signed in said {
            let Statement::DeviceAdd(add) = &signed.statement else { continue };
            let counts = standing.device_in(&add.device).is_some_and(|device| device.addition == signed.digest());
            let with_addition = signed.key == key && add.list_key.is_some_and(|sealed| sealed.number == number);
            let has_it = with_addition || now.iter().any(|keys| keys.key_for(&add.device).is_some());
            if counts && add.device != *own && !has_it {
                lacking.insert(add.device, add.clone());
            }
        }
        lacking.into_values().collect()
    }
}

fn id_of(standing: &Standing) -> ListKeyId {
    (standing.link.key, standing.list_key_number())
}

fn addition(opening: &Opening) -> Option<&DeviceAdd> {
    match &opening.addition().statement {
        Statement::DeviceAdd(add) => Some(add),
        _ => None,
    }
}

fn handed(signed: &SignedStatement) -> Option<&ListKeys> {
    match &signed.statement {
        Statement::ListKeys(keys) => Some(keys),
        _ => None,
    }
}
