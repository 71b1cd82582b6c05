//! Pages that were prepared beforehand are admitted as they would be without: the same is kept, stored and said.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_core::actors::{Device, Person};
use gen_registry_core::document::{Document, Edit, Write, count_operations};
use gen_registry_core::identity::Topic;
use gen_registry_core::log::{Capabilities, Capability, Entry, Kind};
use gen_registry_core::sync::exchange::wire::{Message, Piece};
use gen_registry_core::sync::exchange::{OPERATIONS_MAX, PreparedPage, prepare_page};
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, Table};
use gen_registry_node::{Network, Node};

use crate::support::people::{LONG_AGO, claim};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn topic() -> Topic {
    Network::default().topic
}

/// A node, and everything in its store.
struct Taker {
    node: Node,
    store: Rc<MemoryStore>,
}

impl Taker {
    fn new() -> Self {
        let store = Rc::new(MemoryStore::new());
        let environment = Rc::new(TestEnvironment::new(1, NOW));
        Self { node: block_on(Node::start(store.clone(), environment, Network::default())).unwrap(), store }
    }

    fn stored(&self) -> Vec<(Table, String, Vec<u8>)> {
        let of = |table| {
            let entries = block_on(self.store.scan(table, "", None, usize::MAX)).unwrap();
            entries.into_iter().map(move |(key, bytes)| (table, key, bytes))
        };
        Table::ALL.into_iter().flat_map(of).collect()
    }
}

/// What a device wrote of its changes log.
struct Writer {
    device: Device,
    document: Document,
    changes: Vec<Entry>,
}

impl Writer {
    fn new(device: Device) -> Self {
        Self { device, document: Document::default(), changes: Vec::new() }
    }

    fn write(&mut self, bio: &str) -> Entry {
        let log = self.device.log().numbered(1);
        let writes: Vec<Write> = [Edit::Bio(Some(bio.to_owned())).to_write()].into();
        let body = self.document.write(log, NOW, &writes).unwrap();
        let entry = self.append(body);
        let (at, full) = (self.changes.len() as u64 - 1, Capabilities::full());
        self.document.insert_change(log, at, entry.id(), entry.body(), &full).unwrap();
        entry
    }

    /// A change with many values.
    fn write_many(&mut self, nth: usize) -> Entry {
        let writes: Vec<Write> = (0..250)
            .map(|at| Edit::CountInstalls { name: format!("m-{nth}-{at}").parse().unwrap(), count: 1 }.to_write())
            .collect();
        let body = Document::default().write(self.device.log().numbered(1), NOW, &writes).unwrap();
        self.append(body)
    }

    fn append(&mut self, body: Vec<u8>) -> Entry {
        let (kind, key) = (Kind::Change as u8, &self.device.key);
        let entry = match self.changes.last() {
            Some(last) => Entry::after(&topic(), key, last.signed_header(), kind, body),
            None => Entry::begin(&topic(), key, self.device.log().numbered(1), kind, body),
        };
        self.changes.push(entry.clone());
        entry
    }
}

fn alice() -> Writer {
    Writer::new(Device::of(topic(), "alice"))
}

fn pieces<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Piece> {
    entries.into_iter().map(|entry| Piece::Entry(entry.encode())).collect()
}

fn prepared(pieces: &[Piece]) -> PreparedPage {
    prepare_page(&topic(), &Message::Pieces { ticket: 1, pieces: pieces.to_vec() }.encode())
}

/// Gives both nodes these pages, one of them prepared. Returns how many documents were prepared.
fn admitted_alike(pages: &[Vec<Piece>]) -> Vec<usize> {
    let (plain, ahead) = (Taker::new(), Taker::new());
    let mut documents = Vec::new();
    for page in pages {
        let prepared = prepared(page);
        documents.push(prepared.documents.len());
        let one = block_on(plain.node.admission().admit(page.clone())).unwrap();
        let other = block_on(ahead.node.admission().admit_prepared(page.clone(), prepared)).unwrap();
        assert_eq!((one.outcome, one.people), (other.outcome, other.people));
        assert_eq!(plain.stored(), ahead.stored());
    }
    documents
}

#[test]
fn person_in_one_page_is_prepared_and_admitted_alike() {
    let mut alice = alice();
    let name = claim(&mut alice.device, "alice", LONG_AGO);
    let changes = ["one", "two", "three"].map(|bio| alice.write(bio));
    let entries: Vec<&Entry> = [&alice.device.opening, &name].into_iter().chain(&changes).collect();
    assert_eq!(admitted_alike(&[pieces(entries.iter().copied())]), [1]);
    let [document] = &prepared(&pieces(entries)).documents[..] else { panic!("one document") };
    assert_eq!((document.counted(), document.data()), (3, alice.document.data()));
}

/// More comes later, of the same and of another device, and is added to what was prepared.
#[test]
fn later_pages_add_to_a_prepared_document() {
    let person = Person::of_entropy(topic(), [7; 32]);
    let (mut phone, mut laptop) = (Writer::new(person.device(0, 1)), Writer::new(person.device(1, 2)));
    let (one, two) = (phone.write("of the phone"), phone.write("of the phone, again"));
    let other = laptop.write("of the laptop");
    let pages = [pieces([&phone.device.opening, &one]), pieces([&two]), pieces([&laptop.device.opening, &other])];
    assert_eq!(admitted_alike(&pages), [1, 0, 1], "the laptop's is prepared in vain: more of her is here");
    assert_eq!(admitted_alike(&[pages.concat()]), [2], "neither says all of her");
}

#[test]
fn what_a_page_does_not_show_alone_is_left_to_admission() {
    let mut alice = alice();
    let changes = ["one", "two", "three"].map(|bio| alice.write(bio));
    let [one, two, three] = &changes;
    let opening = &alice.device.opening;
    let mut forged = pieces([opening, one, two, three]);
    let Some(Piece::Entry(bytes)) = forged.get_mut(2) else { panic!("an entry") };
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(admitted_alike(&[forged]), [0], "a piece between is forged");
    assert_eq!(admitted_alike(&[pieces([opening, two, three])]), [0], "the beginning is missing");
    assert_eq!(admitted_alike(&[pieces([opening]), pieces(&changes)]), [0, 0], "the opening came before");
    assert_eq!(admitted_alike(&[pieces([one, opening, two])]), [0], "it came too early");
    let key = &alice.device.key;
    let checkpoint = Entry::after(&topic(), key, three.signed_header(), Kind::Checkpoint as u8, vec![1]);
    assert_eq!(admitted_alike(&[pieces([opening, one, two, three, &checkpoint])]), [0], "it is based on other data");
}

/// Both changes are signed for one place: a page with the proof of it takes away what a prepared document was made of.
#[test]
fn forked_log_is_admitted_alike() {
    let (mut alice, mut again) = (alice(), self::alice());
    let (one, other) = (alice.write("one"), again.write("the other"));
    let two = alice.write("two");
    let headers = [&one, &other].map(|entry| entry.signed_header().encode());
    let [first, second] = headers;
    let mut page = pieces([&alice.device.opening, &one, &two]);
    page.push(Piece::Fork(first, second));
    assert_eq!(admitted_alike(&[page]), [1]);
}

/// A device without the right to it changes nothing of the profile; a body that is no change is not kept.
#[test]
fn changes_without_effect_are_admitted_alike() {
    let person = Person::of_entropy(topic(), [8; 32]);
    let mut publisher = Writer::new(person.device_with(0, 3, Capabilities::of([Capability::Publish], "*")));
    let bio = publisher.write("not allowed");
    let page = pieces([&publisher.device.opening, &bio]);
    assert_eq!(prepared(&page).documents[0].counted(), 0);
    assert_eq!(admitted_alike(&[page]), [1]);
    let mut alice = alice();
    let (one, noise) = (alice.write("one"), alice.append(b"noise".to_vec()));
    assert_eq!(admitted_alike(&[pieces([&alice.device.opening, &one, &noise])]), [1]);
}

/// Many changes of one page that announce as much as a change may: the bound of a log is checked only at admission, so without a
/// bound of its own the worker would apply all of them.
#[test]
fn operations_that_are_applied_beforehand_are_bounded() {
    let mut alice = alice();
    let entries: Vec<Entry> = (0..100).map(|nth| alice.write_many(nth)).collect();
    let operations: u64 = entries.iter().map(|entry| count_operations(entry.body()).unwrap()).sum();
    assert!(operations > OPERATIONS_MAX, "{operations}");
    let page = pieces([&alice.device.opening].into_iter().chain(&entries));
    assert_eq!(prepared(&page).documents, [], "more than is applied");
    assert!(prepared(&page).valid.iter().all(|is_valid| *is_valid));
    let half = pieces([&alice.device.opening].into_iter().chain(&entries[..40]));
    assert_eq!(prepared(&half).documents.len(), 1, "the test can fail");
    assert_eq!(admitted_alike(&[page]), [0]);
}

/// What a worker says is believed only where it says of what it is made: here it speaks of other entries.
#[test]
fn document_of_other_entries_is_not_taken() {
    let mut alice = alice();
    let (one, two) = (alice.write("one"), alice.write("two"));
    let short = prepared(&pieces([&alice.device.opening, &one]));
    let (page, taker) = (pieces([&alice.device.opening, &one, &two]), Taker::new());
    block_on(taker.node.admission().admit_prepared(page.clone(), short)).unwrap();
    let plain = Taker::new();
    block_on(plain.node.admission().admit(page)).unwrap();
    assert_eq!(taker.stored(), plain.stored());
}
