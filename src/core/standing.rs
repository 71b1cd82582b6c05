//! The standing of an identity: which key speaks for it, and which devices act for it, computed from its statements.
//!
//! The same statements give the same standing in any order. Links decide the key ([`Link`]); of two rotations that follow
//! one link the confirmed one counts, and in a network without witnesses the one with the smaller digest. Devices are those
//! that the present key added, and those of before that its rotation lets stay.
//!
//! # Example: the thief
//! Alice's laptop, with identity key 0 on it, is copied. The thief adds a device, number 5, and revokes Alice's phone. She
//! has her 24 words, so on a fresh profile she rotates: key 1, with a list that says "the phone stays, the laptop ends at
//! its entry 40". The thief's device is not named: nothing of it counts but what witnesses signed meanwhile. The thief's
//! revocation was by key 0, which speaks no more, and the list says that the phone stays. For the thief to stop her, he
//! would need key 1, to which the inception committed and which only the words give.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, Inception, PublicKey};
use crate::log::{Capabilities, EntryId, Link};
use crate::statement::{Cut, DeviceAdd, DeviceList, LINKS_MAX, SignedStatement, Statement};

/// Everything that is known of one identity's statements. A growing set; adding commutes.
#[derive(Clone, Debug)]
pub struct Statements {
    did: Did,
    inception: Inception,
    additions: Additions,
    revocations: BTreeMap<Signed, SignedStatement>,
    /// With the list of devices that a rotation has.
    links: BTreeMap<Signed, (SignedStatement, DeviceList)>,
    /// The entries in which a link was said: confirming one of them confirms it.
    said_in: BTreeMap<Digest, BTreeSet<EntryId>>,
}

/// Additions of devices, each once, in the order of what they say. Most identities have one, for which a map would reserve
/// the room of eleven.
#[derive(Clone, Debug, Default)]
struct Additions(Vec<(Signed, Arc<SignedStatement>)>);

/// What is said, and by which key: two keys may say the same, and one of them may be a stranger's.
type Signed = (Digest, PublicKey);

/// Whether the statement in an entry is in effect. Depends on the network: confirmed, or known and not forbidden.
pub trait Effects {
    /// Whether the entry counts: in a network with witnesses, whether it is confirmed.
    fn counts(&self, entry: &EntryId) -> bool;
    /// Whether a finish of what this entry announced counts.
    fn is_finished(&self, announced: &EntryId) -> bool;
}

/// Who speaks and acts for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The last link in effect.
    pub link: Link,
    /// The digests of all links up to it.
    pub links: BTreeSet<Digest>,
    /// The links up to it as they were signed, in order: what an opening under the present key shows.
    pub line: Vec<SignedStatement>,
    /// Two rotations that follow one link are both confirmed: more witnesses lied than the set bears.
    pub is_contested: bool,
    /// By device key: those that are in, and those that ended.
    pub devices: BTreeMap<PublicKey, Device>,
}

/// One device of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The digest of the addition that counts.
    pub addition: Digest,
    pub number: u8,
    pub capabilities: Capabilities,
    pub state: DeviceState,
}

/// Whether a device acts for its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceState {
    In,
    /// What came after these entries does not count, unless it is confirmed.
    EndedAt(Cut),
}

impl Statements {
    /// The statements of an identity of which nothing but its inception is known.
    pub fn new(topic: &Topic, inception: Inception) -> Self {
        Self {
            did: inception.did(topic),
            inception,
            additions: Additions::default(),
            revocations: BTreeMap::new(),
            links: BTreeMap::new(),
            said_in: BTreeMap::new(),
        }
    }

    pub fn did(&self) -> Did {
        self.did
    }

    pub fn inception(&self) -> &Inception {
        &self.inception
    }

    /// Adds a statement, and the entry in which it was said. An opening says its statements in no entry of their own.
    pub fn add(&mut self, signed: &SignedStatement, devices: &DeviceList, said_in: Option<EntryId>) {
        if signed.did != self.did {
            return;
        }
        let digest = signed.digest();
        let said = (digest, signed.key);
        match &signed.statement {
            Statement::DeviceAdd(_) => self.additions.insert(said, || Arc::new(signed.clone())),
            Statement::DeviceRevoke(_) => {
                self.revocations.entry(said).or_insert_with(|| signed.clone());
            }
            Statement::Rotate(rotate) => {
                // An opening shows the rotation without its list; the list comes with the entry.
                let has_list = rotate.devices == devices.digest();
                let known = self.links.entry(said).or_insert_with(|| (signed.clone(), DeviceList::default()));
                if has_list {
                    known.1 = devices.clone();
                }
            }
            Statement::NewWords(_) => {
                self.links.entry(said).or_insert_with(|| (signed.clone(), DeviceList::default()));
            }
            // Whoever needs a list key looks for it among the facts.
            Statement::GiveUp(_) | Statement::Finish(_) | Statement::Veto(_) | Statement::ListKeys(_) => return,
        }
        if let Some(entry) = said_in {
            self.said_in.entry(digest).or_default().insert(entry);
        }
    }

    /// Adds the addition of a device as an opening shows it, without a copy.
    pub(crate) fn add_device(&mut self, signed: Arc<SignedStatement>) {
        if signed.did == self.did && matches!(signed.statement, Statement::DeviceAdd(_)) {
            self.additions.insert((signed.digest(), signed.key), || signed);
        }
    }

    /// All statements that may ever count, each with the key that signed it.
    pub fn signed(&self) -> impl Iterator<Item = &(Digest, PublicKey)> {
        let links = self.known_links();
        let stand_alone = self.additions.iter().chain(&self.revocations);
        let links_that_follow = self.links.iter().map(|(said, (signed, _))| (said, signed));
        stand_alone
            .chain(links_that_follow)
            .filter(move |(_, signed)| follows(&links, self.did, signed))
            .map(|(said, _)| said)
    }

    /// Returns whether a statement may ever count: it is by a key of this identity, or the next link of one. Statements by
    /// other keys are valid signatures of strangers, of which anybody with a device can make any number.
    pub fn accept(&self, signed: &SignedStatement) -> bool {
        follows(&self.known_links(), self.did, signed)
    }

    /// Returns whether anything was said to change the key of the inception.
    pub fn have_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// Returns whether a key was ever the identity's, as far as its links say.
    pub fn has_key(&self, key: &PublicKey) -> bool {
        self.known_links().iter().any(|link| link.key == *key)
    }

    /// The inception and every link that follows a known one, in effect or not.
    fn known_links(&self) -> Vec<Link> {
        let mut known = vec![Link { digest: *self.did.digest(), key: self.inception.key, next: self.inception.next }];
        let mut at = 0;
        while let Some(link) = known.get(at).copied() {
            let next = self.links.values().filter_map(|(signed, _)| link.follow(self.did, signed).ok());
            let next: Vec<Link> = next.filter(|next| known.iter().all(|one| one != next)).collect();
            known.extend(next);
            at += 1;
        }
        known
    }

    /// Computes the standing.
    pub fn resolve(&self, topic: &Topic, effects: &dyn Effects) -> Standing {
        let mut link = Link::first(topic, &self.inception);
        let mut devices = self.devices_of(&link, BTreeMap::new());
        let mut is_contested = false;
        let mut links = BTreeSet::from([link.digest]);
        let mut line = Vec::new();
        let mut keys = BTreeSet::from([link.key]);
        for _ in 0..LINKS_MAX {
            let mut next = self.links.values().filter_map(|(signed, list)| {
                let followed = link.follow(self.did, signed).ok()?;
                self.is_in_effect(signed, effects).then_some((followed, list, signed))
            });
            let Some((followed, list, signed)) = next.next() else { break };
            is_contested |= next.next().is_some();
            link = followed;
            links.insert(link.digest);
            line.push(signed.clone());
            devices = match &signed.statement {
                Statement::Rotate(_) => self.devices_of(&link, self.after_rotation(devices, list, &keys)),
                _ => devices,
            };
            keys.insert(link.key);
        }
        Standing { link, links, line, is_contested, devices }
    }

    fn is_in_effect(&self, signed: &SignedStatement, effects: &dyn Effects) -> bool {
        let mut said_in = self.said_in.get(&signed.digest()).into_iter().flatten();
        match &signed.statement {
            Statement::Rotate(_) => said_in.any(|entry| effects.counts(entry)),
            Statement::NewWords(_) => said_in.any(|entry| effects.is_finished(entry)),
            _ => false,
        }
    }

    /// What is left of the devices after a rotation with this list. What it names counts also if the key of before had
    /// revoked it, or let another addition count instead: the holder of that key may have been a thief.
    fn after_rotation(
        &self,
        before: BTreeMap<PublicKey, Device>,
        list: &DeviceList,
        keys: &BTreeSet<PublicKey>,
    ) -> BTreeMap<PublicKey, Device> {
        let ended = |device: Device| Device { state: DeviceState::EndedAt(Cut::default()), ..device };
        let mut devices: BTreeMap<_, _> = before.into_iter().map(|(key, device)| (key, ended(device))).collect();
        // Of two additions of one device the smaller one counts.
        for (addition, cut) in list.additions().iter().rev() {
            let signed = keys.iter().find_map(|key| self.additions.get(&(*addition, *key)));
            let Some(Statement::DeviceAdd(add)) = signed.map(|signed| &signed.statement) else { continue };
            let state = cut.clone().map_or(DeviceState::In, DeviceState::EndedAt);
            devices.insert(add.device, Device::of(*addition, add, state));
        }
        devices
    }

    /// The devices under one key: those that stay from before, what the key adds, and without what it revokes.
    fn devices_of(&self, link: &Link, staying: BTreeMap<PublicKey, Device>) -> BTreeMap<PublicKey, Device> {
        let mut devices = staying;
        let mut taken: BTreeSet<u8> =
            devices.values().filter(|device| device.state == DeviceState::In).map(|device| device.number).collect();
        // In the order of digests: of two additions with one number, or of one device, the smaller one counts.
        for ((addition, _), signed) in self.additions.iter().filter(|(_, signed)| signed.key == link.key) {
            let Statement::DeviceAdd(add) = &signed.statement else { continue };
            let DeviceAdd { number, device, capabilities, .. } = add;
            if devices.contains_key(device) || !taken.insert(*number) {
                continue;
            }
            let added = Device {
                addition: *addition,
                number: *number,
                capabilities: capabilities.clone(),
                state: DeviceState::In,
            };
            devices.insert(*device, added);
        }
        for signed in self.revocations.values().filter(|signed| signed.key == link.key) {
            let Statement::DeviceRevoke(revoke) = &signed.statement else { continue };
            // Of a device that is not added here nothing is known; it ends all the same once it is.
            if let Some(device) = devices.get_mut(&revoke.device) {
                device.end(&revoke.cut);
            }
        }
        devices
    }
}

/// Whether a statement is by the key of one of these links, or the rotation that one of them commits to.
fn follows(links: &[Link], did: Did, signed: &SignedStatement) -> bool {
    links.iter().any(|link| match &signed.statement {
        Statement::Rotate(_) => link.follow(did, signed).is_ok(),
        _ => link.key == signed.key,
    })
}

impl Additions {
    fn place_of(&self, said: &Signed) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(said))
    }

    fn insert(&mut self, said: Signed, signed: impl FnOnce() -> Arc<SignedStatement>) {
        if let Err(place) = self.place_of(&said) {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(place, (said, signed()));
        }
    }

    fn get(&self, said: &Signed) -> Option<&SignedStatement> {
        self.place_of(said).ok().map(|place| self.0[place].1.as_ref())
    }

    fn iter(&self) -> impl Iterator<Item = (&Signed, &SignedStatement)> {
        self.0.iter().map(|(said, signed)| (said, signed.as_ref()))
    }
}

impl Device {
    fn of(addition: Digest, add: &DeviceAdd, state: DeviceState) -> Self {
        Self { addition, number: add.number, capabilities: add.capabilities.clone(), state }
    }

    /// Ends the device; of several ends the earliest counts.
    fn end(&mut self, cut: &Cut) {
        self.state = match &self.state {
            DeviceState::In => DeviceState::EndedAt(cut.clone()),
            DeviceState::EndedAt(before) => DeviceState::EndedAt(before.earlier(cut)),
        };
    }
}

impl Standing {
    /// The number of the present key: how often it was rotated.
    pub fn key_number(&self) -> u32 {
        self.line.iter().filter(|link| matches!(link.statement, Statement::Rotate(_))).count() as u32
    }

    /// How many devices ended: the number of the present list key ([`list_keys`](crate::list_keys)).
    pub fn list_key_number(&self) -> u32 {
        self.devices.values().filter(|device| device.state != DeviceState::In).count() as u32
    }

    /// The numbers of all devices that were ever added.
    pub fn used_numbers(&self) -> impl Iterator<Item = u8> {
        self.devices.values().map(|device| device.number)
    }

    /// The device, if it acts for the identity now.
    pub fn device_in(&self, device: &PublicKey) -> Option<&Device> {
        self.devices.get(device).filter(|device| device.state == DeviceState::In)
    }
}

#[cfg(test)]
mod tests;
