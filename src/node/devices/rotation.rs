//! Rotations: the statements by which the identity key is replaced by the next one.
//!
//! The key that comes next is fixed by the link before; who has the words has it. To words that somebody else may have
//! come *two* rotations, signed together: the first one, still from the old words, commits to a key of new words, and the
//! second one goes to that key. After the first one is confirmed nobody else can make the second.
//!
//! ```text
//!   key 0 ──Rotate──▶ key 1                        the key was stolen, the words were not
//!   key 0 ──Rotate──▶ key 1 ──Rotate──▶ key 2'     the words were stolen: 2' is of new words
//! ```

use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{Did, Master, SecretKey};
use gen_registry_core::log::{Body, Link};
use gen_registry_core::standing::{DeviceState, Standing};
use gen_registry_core::statement::{Cut, DeviceList, LINKS_MAX, Rotate, SignedStatement, Statement};

/// Statements that replace the identity key, and what they come to.
pub(crate) struct Rotation {
    /// In their order, each with the devices that stay.
    pub(crate) statements: Vec<(SignedStatement, DeviceList)>,
    /// The keys that they go to, with their numbers.
    pub(crate) keys: Vec<(u32, SecretKey)>,
}

/// Why a rotation can't be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RotationError {
    #[error("these words do not give the identity's next key")]
    OtherWords,
    #[error("an identity's key is replaced at most {LINKS_MAX} times")]
    TooMany,
}

impl Rotation {
    /// Signs the rotation to the next key of `words`, and with `new_words` the one to a key of these right after it.
    pub(crate) fn sign(
        topic: &Topic,
        did: Did,
        standing: &Standing,
        words: &Master,
        new_words: Option<&Master>,
        devices: &DeviceList,
    ) -> Result<Self, RotationError> {
        let mut rotation = Self { statements: Vec::new(), keys: Vec::new() };
        let number = standing.key_number() + 1;
        let after = new_words.unwrap_or(words);
        let first = rotation.add(topic, did, standing.link, (number, words), after, devices)?;
        if let Some(new_words) = new_words {
            rotation.add(topic, did, first, (number + 1, new_words), new_words, devices)?;
        }
        if standing.line.len() + rotation.statements.len() > LINKS_MAX {
            return Err(RotationError::TooMany);
        }
        Ok(rotation)
    }

    /// Signs one rotation, after `link`, to a key of some words, which commits to a key of the words `after`.
    fn add(
        &mut self,
        topic: &Topic,
        did: Did,
        link: Link,
        (number, words): (u32, &Master),
        after: &Master,
        devices: &DeviceList,
    ) -> Result<Link, RotationError> {
        let key = words.identity_key(number);
        let next = after.identity_key(number + 1).public().digest();
        let rotate = Rotate { before: link.digest, key: key.public(), next, devices: devices.digest() };
        let signed = SignedStatement::sign(topic, did, &key, Statement::Rotate(rotate));
        let link = link.follow(did, &signed).map_err(|_| RotationError::OtherWords)?;
        self.statements.push((signed, devices.clone()));
        self.keys.push((number, key));
        Ok(link)
    }

    /// What the log says.
    pub(crate) fn bodies(&self) -> Vec<Body> {
        let bodies = self.statements.iter();
        bodies.map(|(signed, devices)| Body::Statement(Box::new(signed.clone()), devices.clone())).collect()
    }

    /// The links that they add to the identity's keys.
    pub(crate) fn links(&self) -> Vec<SignedStatement> {
        self.statements.iter().map(|(signed, _)| signed.clone()).collect()
    }
}

/// The devices that a rotation leaves: those that act go on, or end where `ends` says; those that ended stay so. `own` is the
/// addition of the device that signs, which stays also if the key of before has revoked it.
pub(crate) fn devices_after(standing: &Standing, own: Option<Digest>, ends: &[(Digest, Cut)]) -> DeviceList {
    let of_device = |state: &DeviceState, addition: &Digest| {
        if own == Some(*addition) {
            return None;
        }
        let end = ends.iter().find(|(ended, _)| ended == addition).map(|(_, cut)| cut.clone());
        match state {
            DeviceState::In => end,
            DeviceState::EndedAt(before) => Some(end.map_or_else(|| before.clone(), |cut| before.earlier(&cut))),
        }
    };
    let known = standing.devices.values().map(|device| (device.addition, of_device(&device.state, &device.addition)));
    // One that is not named counts as ended before its first entry.
    let named = known.filter(|(_, end)| end.as_ref().is_none_or(|cut| !cut.logs().is_empty()));
    DeviceList::new(named.chain(own.map(|own| (own, None))))
}
