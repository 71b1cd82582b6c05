//! The people: what each of them wrote, always the same bytes.

use gen_registry_core::actors::Device;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::document::{Document, Edit, Write};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::body::Release;
use gen_registry_core::log::{Body, Entry, Kind};
use gen_registry_core::name::ClaimedName;
use gen_registry_core::outcome::Fact;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::slot::Slot;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;

use super::worked::claim_any_with_work;

/// When they wrote.
const WRITTEN: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Everybody, with what confirms them.
pub(crate) struct People {
    pub(crate) network: Network,
    pub(crate) witness: SecretKey,
    pub(crate) people: u64,
    pub(crate) modules: u64,
}

/// A claim of a person with what shows whose it is and what confirms it.
pub(crate) struct Claimed {
    pub(crate) device: Device,
    pub(crate) claim: Entry,
    pub(crate) receipt: Receipt,
}

/// The digits of a number spelled as letters.
fn spelled(nth: u64) -> String {
    nth.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
}

/// Names as people choose them: a word, a separator, a word, spread over the alphabet.
pub(crate) fn username(nth: u64) -> String {
    const FIRST: [&str; 20] = [
        "ada", "bea", "cleo", "dora", "emil", "fritz", "gus", "hana", "ida", "jonas", "kara", "lena", "nora", "otto",
        "pia", "quinn", "rosa", "tess", "ursa", "zoe",
    ];
    format!("{}_{}", FIRST[nth as usize % FIRST.len()], spelled(nth))
}

pub(crate) fn module(nth: u64) -> String {
    const KINDS: [&str; 8] = ["hash", "parse", "sort", "draw", "pack", "graph", "audio", "maths"];
    format!("{}-{}", KINDS[nth as usize % KINDS.len()], spelled(nth))
}

impl People {
    /// The name that a person claims.
    pub(crate) fn name_of(&self, nth: u64) -> ClaimedName {
        ClaimedName::Username(username(nth).parse().expect("a username"))
    }

    pub(crate) fn module_name(&self, nth: u64) -> ClaimedName {
        ClaimedName::Module(module(nth).parse().expect("a module's name"))
    }

    /// A person's claim of their name.
    pub(crate) fn claimed(&self, nth: u64) -> Claimed {
        let mut device = Device::of(self.network.topic, &format!("person {nth}"));
        let claim = claim_any_with_work(&mut device, self.name_of(nth), WRITTEN, &self.network);
        let receipt = self.confirm(&device, &claim, &self.witness);
        Claimed { device, claim, receipt }
    }

    /// What somebody with this key says of an entry in the place of a witness.
    pub(crate) fn confirm(&self, device: &Device, entry: &Entry, key: &SecretKey) -> Receipt {
        let topic = self.network.topic;
        let fact = Fact::of(&topic, entry, &device.authority()).expect("it says something");
        let slots = fact.slots().iter().map(Slot::digest).collect();
        Receipt::sign(&topic, key, self.network.history().number(), entry.id(), slots, WRITTEN)
    }

    /// All that a person wrote, as a peer sends it: a name, a profile, and of some a module with one release.
    pub(crate) fn pieces(&self, nth: u64) -> Vec<Piece> {
        let Claimed { mut device, claim, receipt } = self.claimed(nth);
        let mut entries = vec![device.opening.clone(), claim];
        let mut receipts = vec![receipt];
        if let Some(module) = self.module_of(nth) {
            let claim = claim_any_with_work(&mut device, self.module_name(module), WRITTEN, &self.network);
            let ClaimedName::Module(name) = self.module_name(module) else { unreachable!("it is a module's") };
            let release = Release {
                module: name,
                version: semver::Version::new(1, 0, 0),
                artifact: Artifact::of(format!("the file of {module}").as_bytes()),
                dependencies: vec![],
                interface: None,
                under: claim.id(),
                at: WRITTEN,
            };
            let release = device.write(&Body::Release(Box::new(release)));
            receipts.extend([&claim, &release].map(|entry| self.confirm(&device, entry, &self.witness)));
            entries.extend([claim, release]);
        }
        entries.push(profile(&device, nth));
        let entries = entries.iter().map(|entry| Piece::Entry(entry.encode()));
        entries.chain(receipts.iter().map(|receipt| Piece::Receipt(receipt.encode()))).collect()
    }

    /// The module of a person who has one: they are spread evenly.
    fn module_of(&self, nth: u64) -> Option<u64> {
        let every = self.people.checked_div(self.modules)?.max(1);
        (nth.is_multiple_of(every) && nth / every < self.modules).then_some(nth / every)
    }
}

fn profile(device: &Device, nth: u64) -> Entry {
    let edits = [
        Edit::JoinedAt(WRITTEN),
        Edit::DisplayName(Some(format!("Person number {nth}"))),
        Edit::Bio(Some("Writes small modules and talks about them.".into())),
    ];
    let (log, writes) = (device.log().numbered(1), edits.iter().map(Edit::to_write).collect::<Vec<Write>>());
    let body = Document::default().write(log, WRITTEN, &writes).expect("a small edit");
    Entry::begin(&device.topic, &device.key, log, Kind::Change as u8, body)
}
