//! Many people who wrote what a person's first minutes write, for benchmarks and for stories. They exist nowhere else.
//!
//! They are of the built-in network without witnesses, where a claim holds its name by its date.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_core::actors::Device;
use gen_registry_core::document::{Document, Edit, Write};
use gen_registry_core::identity::Topic;
use gen_registry_core::log::body::Claim;
use gen_registry_core::log::{Body, Entry, Kind};
use gen_registry_core::name::{ClaimedName, Username};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;

pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// So many come in one page.
const AT_ONCE: u64 = 200;

pub fn topic() -> Topic {
    Network::default().topic
}

/// Names as people choose them: a word, a separator, a word, spread over the alphabet.
pub fn name(nth: u64) -> Username {
    const FIRST: [&str; 20] = [
        "ada", "bea", "cleo", "dora", "emil", "fritz", "gus", "hana", "ida", "jonas", "kara", "lena", "nora", "otto",
        "pia", "quinn", "rosa", "tess", "ursa", "zoe",
    ];
    let digits: String = nth.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    format!("{}_{digits}", FIRST[nth as usize % FIRST.len()]).parse().expect("a valid name")
}

/// What a person's first minutes write: a claim, and a profile in one change.
pub struct Beginning {
    pub device: Device,
    pub claim: Entry,
    pub change: Entry,
}

pub fn beginning(nth: u64) -> Beginning {
    let mut device = Device::of(topic(), &format!("person {nth}"));
    let (name, at) = (ClaimedName::Username(name(nth)), Timestamp::from_millis(nth));
    let claim = Claim { name, after: None, round: 0, withdrawals: vec![], at, work: 0 };
    let claim = device.write(&Body::Claim(Box::new(claim)));
    let edits = [
        Edit::JoinedAt(NOW),
        Edit::DisplayName(Some(format!("Person number {nth}"))),
        Edit::Bio(Some("Writes small modules and talks about them.".into())),
    ];
    let (log, writes) = (device.log().numbered(1), edits.iter().map(Edit::to_write).collect::<Vec<Write>>());
    let body = Document::default().write(log, NOW, &writes).expect("a small edit");
    let change = Entry::begin(&device.topic, &device.key, log, Kind::Change as u8, body);
    Beginning { device, claim, change }
}

impl Beginning {
    /// As a peer sends it.
    pub fn pieces(&self) -> Vec<Piece> {
        [&self.device.opening, &self.claim, &self.change].map(|entry| Piece::Entry(entry.encode())).to_vec()
    }
}

/// A store that has met so many.
pub fn crowded_store(people: u64) -> Rc<MemoryStore> {
    let store = Rc::new(MemoryStore::new());
    let node = start(store.clone());
    for first in (0..people).step_by(AT_ONCE as usize) {
        let page: Vec<Piece> = (first..people.min(first + AT_ONCE)).flat_map(|nth| beginning(nth).pieces()).collect();
        let expected = page.len();
        let report = block_on(node.admission().admit(page)).expect("the memory store takes all");
        assert_eq!(report.outcome.kept.len(), expected);
    }
    store
}

pub fn start(store: Rc<MemoryStore>) -> Node {
    let environment = Rc::new(TestEnvironment::new(1, NOW));
    block_on(Node::start(store, environment, Network::default())).expect("the memory store opens")
}
