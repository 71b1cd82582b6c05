//! An eager developer: an edit and some installs on every day, releases, long reviews, now and then a new device. The same
//! life for a test of the core and for one in a browser.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::actors::{Device, Person, Replica};
use crate::artifact::Artifact;
use crate::document::checkpoint::{Data, Map, Value};
use crate::document::{Document, Edit, Rating, Write, count_operations};
use crate::log::body::{Claim, Release};
use crate::log::{Body, Capabilities, Chain, Entry, EntryId, Kind, LogId, SignedHeader};
use crate::name::{ClaimedName, ModuleName};
use crate::network::NetworkHistory;
use crate::random::Random;
use crate::receipt::Receipt;
use crate::statement::{Cut, CutLog, DeviceRevoke, Statement};
use crate::time::Timestamp;

/// Of what she installs, and of what she writes in reviews.
pub const SEED: u64 = 7;
/// Days of a year.
pub const DAYS: u64 = 365;
/// How many of fifty years: 2,000 releases and as many reviews, which is also how many of them are read.
pub const RELEASES_MAX: u64 = 2_000;
const INSTALLS_A_DAY: usize = 6;
/// Modules that she installs again and again.
const INSTALLED: u64 = 500;
const DAYS_BETWEEN_RELEASES: u64 = 9;
/// 30 in fifty years.
const DAYS_BETWEEN_DEVICES: u64 = 608;
const REVIEW_CHARS: usize = 400;
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Has an entry of a device confirmed, at some moment: returns the receipts for it.
pub type Confirm = Box<dyn FnMut(&Device, &Entry, Timestamp) -> Vec<Receipt>>;

/// A device's log of changes.
struct Changes {
    log: LogId,
    head: Option<SignedHeader>,
}

/// The developer, and all that she has.
pub struct Developer {
    pub person: Person,
    pub replica: Replica,
    pub document: Document,
    /// What her checkpoints name.
    pub data: HashMap<EntryId, Data>,
    /// Everything that was confirmed, in order.
    pub receipts: Vec<Receipt>,
    /// How often she installed each module.
    pub installs: BTreeMap<ModuleName, u64>,
    pub releases: u64,
    /// How many devices she has had.
    pub devices: u64,
    device: Device,
    changes: Changes,
    confirm: Confirm,
    /// The claim of her module's name.
    claim: EntryId,
    day: u64,
    now: Timestamp,
    random: Random,
}

impl Developer {
    /// The name of the module that she publishes.
    pub fn module() -> ModuleName {
        "crc-32".parse().expect("a module's name")
    }

    /// The module that her review of this number is about.
    pub fn reviewed(nth: u64) -> ModuleName {
        format!("reviewed-{nth}").parse().expect("a module's name")
    }

    /// On her first day, with the name of a module and a username.
    pub fn new(person: Person, history: NetworkHistory, begin: Timestamp, confirm: Confirm) -> Self {
        let device = person.device(0, 1);
        let mut replica = Replica::new(history);
        replica.give(&device.opening);
        let mut anna = Self {
            replica,
            changes: Changes { log: device.log().numbered(1), head: None },
            document: Document::default(),
            data: HashMap::new(),
            receipts: Vec::new(),
            installs: BTreeMap::new(),
            releases: 0,
            devices: 1,
            claim: device.opening.id(),
            device,
            person,
            confirm,
            day: 0,
            now: begin,
            random: Random::new(SEED),
        };
        anna.claim(ClaimedName::Username("anna_smith".parse().expect("a username")));
        anna.claim = anna.claim(ClaimedName::Module(Self::module()));
        anna
    }

    /// Lives so many years.
    pub fn live(&mut self, years: u64) {
        (0..years * DAYS).for_each(|_| self.live_a_day());
    }

    fn live_a_day(&mut self) {
        self.now = self.now.plus(A_DAY);
        if self.day % DAYS_BETWEEN_DEVICES == DAYS_BETWEEN_DEVICES - 1 {
            self.change_device();
        }
        let mut writes = vec![Edit::Bio(Some(format!("day {}", self.day))).to_write()];
        for _ in 0..INSTALLS_A_DAY {
            let name: ModuleName = format!("module-{}", self.random.below(INSTALLED)).parse().expect("a module's name");
            writes.push(Edit::CountInstalls { name: name.clone(), count: 1 }.to_write());
            *self.installs.entry(name).or_default() += 1;
        }
        if self.day.is_multiple_of(DAYS_BETWEEN_RELEASES) && self.releases < RELEASES_MAX {
            let (name, rating) = (Self::reviewed(self.releases), Some(self.review()));
            self.publish(&format!("1.{}.0", self.releases));
            writes.push(Edit::Rate { name, rating }.to_write());
        }
        self.edit(&writes);
        self.day += 1;
    }

    fn review(&mut self) -> Rating {
        let review = (0..REVIEW_CHARS).map(|_| char::from(b' ' + self.random.below(95) as u8)).collect();
        Rating { stars: 1 + self.random.below(5) as u8, review, at: self.now, version: None }
    }

    fn claim(&mut self, name: ClaimedName) -> EntryId {
        let claim = Claim { name, after: None, round: 0, withdrawals: vec![], at: self.now, work: 0 };
        let entry = self.device.write(&Body::Claim(Box::new(claim)));
        self.have_confirmed(&entry);
        entry.id()
    }

    /// Publishes a version of her module.
    pub fn publish(&mut self, version: &str) {
        let artifact = Artifact::of(format!("{version} of {}", self.now).as_bytes());
        let release = Release {
            module: Self::module(),
            version: version.parse().expect("a version"),
            artifact,
            dependencies: vec![],
            interface: None,
            under: self.claim,
            at: self.now,
        };
        let entry = self.device.write(&Body::Release(Box::new(release)));
        self.have_confirmed(&entry);
        self.releases += 1;
    }

    fn have_confirmed(&mut self, entry: &Entry) {
        self.replica.give(entry);
        for receipt in (self.confirm)(&self.device, entry, self.now) {
            self.replica.registry.add_receipt(receipt.clone());
            self.receipts.push(receipt);
        }
    }

    fn append(&mut self, kind: Kind, body: Vec<u8>) -> Entry {
        let (topic, key) = (self.device.topic, &self.device.key);
        let entry = match &self.changes.head {
            Some(head) => Entry::after(&topic, key, head, kind as u8, body),
            None => Entry::begin(&topic, key, self.changes.log, kind as u8, body),
        };
        self.changes.head = Some(*entry.signed_header());
        let operations = if kind == Kind::Change { count_operations(entry.body()).expect("a change") } else { 0 };
        self.replica.registry.admit(&entry, operations).expect("within the bounds");
        self.replica.store.insert(entry.id(), entry.encode());
        entry
    }

    /// Changes her document.
    pub fn edit(&mut self, writes: &[Write]) {
        let body = self.document.write(self.changes.log, self.now, writes).expect("it fits");
        let entry = self.append(Kind::Change, body);
        let seq = entry.header().seq;
        self.document
            .insert_change(self.changes.log, seq, entry.id(), entry.body(), &Capabilities::full())
            .expect("a change");
        assert!(self.document.counts(&entry.id()));
        if self.replica.registry.chain(&self.changes.log).is_some_and(Chain::is_checkpoint_due) {
            self.checkpoint();
        }
    }

    /// Says something of herself.
    pub fn say(&mut self, bio: &str) {
        self.edit(&[Write::put(Map::Profile, "bio", Value::Text(bio.into()))]);
    }

    /// Writes a checkpoint, and drops what is older than the one before it.
    fn checkpoint(&mut self) {
        let ends = self.replica.registry.ends_of_changes(&self.person.did);
        let (checkpoint, data) = self.document.make_checkpoint(ends).expect("all is here");
        let entry = self.append(Kind::Checkpoint, checkpoint.encode());
        self.data.insert(entry.id(), data.clone());
        self.document.insert_checkpoint(entry.id(), checkpoint, Some(data));
        for header in self.replica.registry.prune_document(&mut self.document) {
            self.replica.store.remove(&header.id());
            self.data.remove(&header.id());
        }
    }

    /// A new device takes over, and revokes the one before at its last entries.
    fn change_device(&mut self) {
        self.checkpoint();
        let seed = 1 + self.devices as u8;
        let mut next = self.person.device((self.devices % 60) as u8, seed);
        self.devices += 1;
        let facts = self.device.last_good();
        let last = self.changes.head.expect("it wrote a checkpoint");
        let changes = CutLog { log: 1, seq: last.header().seq, entry: last.id() };
        let cut = Cut::new(self.device.log().opening, [facts, changes]);
        let revoke = Statement::DeviceRevoke(DeviceRevoke { device: self.device.key.public(), cut });
        self.replica.give(&next.opening);
        let entry = next.state(&self.person, revoke);
        self.replica.give(&entry);
        self.changes = Changes { log: next.log().numbered(1), head: None };
        self.device = next;
    }
}
