//! An eager developer: an edit and some installs on every day, releases, reviews, now and then a new device. What a fresh
//! peer fetches stays small, and she can still publish.
//!
//! `YEARS=50 cargo test --release -p gen-registry-core fifty_years` takes the whole time; without, it is one year.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Node, compare};
use crate::actors::{BEGIN, Device, Person, module, network};
use crate::document::checkpoint::{Checkpoint, Data, Map, Value};
use crate::document::{Document, Write, Written, count_operations};
use crate::keys::SecretKey;
use crate::log::{Capabilities, Entry, EntryId, Kind, LogId, SignedHeader};
use crate::receipt::Receipt;
use crate::slot::Slot;
use crate::statement::{Cut, CutLog, DeviceRevoke, Statement};
use crate::time::Timestamp;

const DAYS: u64 = 365;
const INSTALLS_A_DAY: usize = 6;
/// 2,000 of each in fifty years.
const DAYS_BETWEEN_RELEASES: u64 = 9;
/// 30 in fifty years.
const DAYS_BETWEEN_DEVICES: u64 = 608;
const REVIEW_BYTES: usize = 400;
const MOST_FETCHED: usize = 5 * 1024 * 1024;

/// A device's log of changes.
struct Changes {
    log: LogId,
    head: Option<SignedHeader>,
}

struct Developer {
    person: Person,
    device: Device,
    changes: Changes,
    devices: u64,
    node: Node,
    document: Document,
    data: HashMap<EntryId, Data>,
    witnesses: Vec<SecretKey>,
    now: Timestamp,
}

impl Developer {
    fn new() -> Self {
        let (history, witnesses) = network(3, 2);
        let person = Person::new(history.topic(), 1);
        let device = person.device(0, 1);
        let mut node = Node::new(history);
        node.give(&device.opening);
        let changes = Changes { log: device.log().numbered(1), head: None };
        let document = Document::default();
        Self { person, device, changes, devices: 1, node, document, data: HashMap::new(), witnesses, now: BEGIN }
    }

    /// Gives an entry of the facts log with two receipts.
    fn confirm(&mut self, entry: &Entry) {
        self.node.give(entry);
        let fact = self.node.registry.effect(entry).expect("its opening is here").expect("it says something");
        let slots: Vec<_> = fact.slots().iter().map(Slot::digest).collect();
        for witness in &self.witnesses[..2] {
            let receipt = Receipt::sign(&self.device.topic, witness, 0, entry.id(), slots.clone(), self.now);
            self.node.registry.add_receipt(receipt);
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
        self.node.registry.admit(&entry, operations).expect("within the bounds");
        self.node.store.insert(entry.id(), entry.encode());
        entry
    }

    fn edit(&mut self, writes: &[Write]) {
        let body = self.document.write(self.changes.log, self.now, writes).expect("it fits");
        let entry = self.append(Kind::Change, body);
        let seq = entry.header().seq;
        self.document
            .insert_change(self.changes.log, seq, entry.id(), entry.body(), &Capabilities::full())
            .expect("a change");
        assert!(self.document.counts(&entry.id()));
        if self.node.registry.chain(&self.changes.log).is_some_and(crate::log::Chain::is_checkpoint_due) {
            self.checkpoint();
        }
    }

    /// Writes a checkpoint, and drops what is older than the one before it.
    fn checkpoint(&mut self) {
        let ends = self.ends();
        let (checkpoint, data) = self.document.make_checkpoint(ends).expect("all is here");
        let entry = self.append(Kind::Checkpoint, checkpoint.encode());
        self.data.insert(entry.id(), data.clone());
        self.document.insert_checkpoint(entry.id(), checkpoint, Some(data));
        for header in self.node.registry.prune_document(&mut self.document) {
            self.node.store.remove(&header.id());
            self.data.remove(&header.id());
        }
    }

    /// The last entry of each changes log.
    fn ends(&self) -> Vec<(LogId, u64, EntryId)> {
        let logs = self.node.registry.logs_of(&self.person.did).filter(|(log, _)| !log.are_facts());
        logs.filter_map(|(log, chain)| Some((*log, chain.len() - 1, chain.head()?))).collect()
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
        self.node.give(&next.opening);
        let entry = next.state(&self.person, revoke);
        self.node.give(&entry);
        self.changes = Changes { log: next.log().numbered(1), head: None };
        self.device = next;
    }
}

/// What somebody has who got everything by comparing once.
fn rebuild(node: &Node, data: &HashMap<EntryId, Data>, fetched: &mut usize) -> Document {
    let mut document = Document::default();
    let mut entries: Vec<Entry> =
        node.store.values().map(|bytes| Entry::decode(&node.registry.topic(), bytes).expect("stored")).collect();
    entries.sort_by_key(|entry| (entry.header().log, entry.header().seq));
    for entry in entries.iter().filter(|entry| !entry.header().log.are_facts()) {
        let (log, seq) = (entry.header().log, entry.header().seq);
        match Kind::of(entry.header().kind) {
            Some(Kind::Checkpoint) => {
                let checkpoint = Checkpoint::decode(entry.body()).expect("a checkpoint");
                document.insert_checkpoint(entry.id(), checkpoint, None);
            }
            _ => document.insert_change(log, seq, entry.id(), entry.body(), &Capabilities::full()).expect("a change"),
        }
    }
    if let Some(standing) = document.standing() {
        let checkpoint = document.checkpoint(&standing).expect("it stands").clone();
        let bytes = data[&standing].encode();
        assert!(checkpoint.data.is_of(&bytes));
        *fetched += bytes.len();
        document.insert_checkpoint(standing, checkpoint, Some(Data::decode(&bytes).expect("data")));
    }
    document
}

#[test]
fn fifty_years_of_an_eager_developer_fit() {
    let years = std::env::var("YEARS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = StdRng::seed_from_u64(7);
    let mut anna = Developer::new();
    let claim = anna.device.claim_module("crc-32");
    anna.confirm(&claim);
    let (mut releases, mut reviews, mut installs) = (0, 0, 0);
    for day in 0..years * DAYS {
        anna.now = anna.now.plus(Duration::from_secs(24 * 60 * 60));
        if day % DAYS_BETWEEN_DEVICES == DAYS_BETWEEN_DEVICES - 1 {
            anna.change_device();
        }
        let mut writes = vec![Write::put(Map::Profile, "bio", Value::Text(format!("day {day}")))];
        for _ in 0..INSTALLS_A_DAY {
            let key = format!("module-{}", random.random_range(0..500));
            writes.push(Write { map: Map::Installs, key, what: Written::Added(1) });
            installs += 1;
        }
        if day % DAYS_BETWEEN_RELEASES == 0 {
            let release = anna.device.release("crc-32", &format!("1.{releases}.0"), claim.id());
            anna.confirm(&release);
            releases += 1;
            let review: Vec<u8> = (0..REVIEW_BYTES).map(|_| random.random_range(b' '..b'~')).collect();
            writes.push(Write::put(Map::Ratings, format!("reviewed-{reviews}"), Value::Bytes(review)));
            reviews += 1;
        }
        anna.edit(&writes);
    }
    let mut fresh = Node::new(anna.node.registry.history().clone());
    let traffic = compare(&mut anna.node, &mut fresh);
    assert_eq!(traffic.rejections, []);
    assert_eq!(fresh.registry.summaries(), anna.node.registry.summaries());
    let mut fetched = traffic.bytes;
    let document = rebuild(&fresh, &anna.data, &mut fetched);
    assert_eq!(document.data(), anna.document.data());
    let versions = fresh.registry.versions(&module("crc-32"));
    assert_eq!(versions.len(), releases);
    println!(
        "{years} years: {installs} installs, {releases} releases, {reviews} reviews, {} devices; a fresh peer fetches \
         {fetched} bytes, of which {} are the document",
        anna.devices,
        fetched - traffic.bytes
    );
    assert!(fetched <= MOST_FETCHED, "{fetched}");
    // And she goes on.
    let release = anna.device.release("crc-32", "99.0.0", claim.id());
    anna.confirm(&release);
    anna.edit(&[Write::put(Map::Profile, "bio", Value::Text("still here".into()))]);
    compare(&mut anna.node, &mut fresh);
    assert_eq!(fresh.registry.versions(&module("crc-32")).len(), releases + 1);
}
