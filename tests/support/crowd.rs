//! Many people who wrote what a person's first minutes write, for benchmarks and for stories. They exist nowhere else.

use std::fmt::Write as _;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Document, Edit, SignedChange};
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim, SignedFact};
use gen_registry_core::identity::{Signed, SigningIdentity, Topic};
use gen_registry_core::name::Username;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, Table};

pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

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

pub fn person(nth: u64) -> SigningIdentity {
    SigningIdentity::from_entropy(Digest::of(&nth.to_be_bytes()).as_bytes())
}

pub fn claim(nth: u64) -> SignedFact {
    let name = ClaimedName::Username(name(nth));
    Signed::sign(
        &person(nth),
        &topic(),
        Fact::NameClaim(NameClaim { work: 0, name, claimed_at: Timestamp::from_millis(nth) }),
    )
}

/// What a person's first minutes write: a claim with a profile, in one change.
pub fn change(nth: u64) -> SignedChange {
    let author = person(nth);
    let edits = [
        Edit::JoinedAt(NOW),
        Edit::DisplayName(Some(format!("Person number {nth}"))),
        Edit::Bio(Some("Writes small modules and talks about them.".into())),
        Edit::AddFact(claim(nth)),
    ];
    let mut document = Document::new(author.identity());
    document.edit(&author, &topic(), &[nth as u8; 16], NOW, &edits).expect("a small edit").signed().clone()
}

/// A store that has met so many.
pub fn crowded_store(people: u64) -> Rc<MemoryStore> {
    let store = Rc::new(MemoryStore::new());
    let node = start(store.clone());
    let report =
        block_on(node.admission().admit((0..people).map(change).collect())).expect("the memory store takes all");
    assert_eq!(report.admitted as u64, people);
    store
}

pub fn start(store: Rc<MemoryStore>) -> Node {
    let environment = Rc::new(TestEnvironment::new(1, NOW));
    block_on(Node::start(store, environment, Network::default())).expect("the memory store opens")
}

/// What such a store holds, one JSON line `[table, key, base-16 bytes]` for each record.
pub fn lines(people: u64) -> String {
    let store = crowded_store(people);
    let mut lines = String::new();
    for table in [Table::People, Table::Changes, Table::Settings] {
        for (key, bytes) in block_on(store.scan(table, "", None, usize::MAX)).expect("a scan") {
            let mut hex = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                write!(hex, "{byte:02x}").expect("a String takes all");
            }
            writeln!(lines, "[\"{}\",\"{key}\",\"{hex}\"]", table.name()).expect("a String takes all");
        }
    }
    lines
}
