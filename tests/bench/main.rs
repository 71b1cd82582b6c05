//! Native benchmarks: `make bench`. Each group has a named peer beside ours, so that the ratio can be read off one run.
//!
//! With `PEOPLE_FILE=path` nothing is measured: the records of 10,000 people are written there for the benchmark page
//! (`tests/bench/page.mjs`), one JSON line `[table, key, base-16 bytes]` each.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::rc::Rc;

use criterion::{BatchSize, Criterion};
use futures::executor::block_on;
use gen_registry::node::{Network, Node};
use gen_registry::platform::scripted::Scripted;
use gen_registry::registry::digest::Digest;
use gen_registry::registry::document::{Document, Edit, SignedChange};
use gen_registry::registry::fact::{ClaimedName, Fact, NameClaim, SignedFact};
use gen_registry::registry::identity::{Signed, SigningIdentity, Topic};
use gen_registry::registry::name::Username;
use gen_registry::registry::ownership::{Evidence, Rules};
use gen_registry::registry::time::Timestamp;
use gen_registry::store::memory::MemoryStore;
use gen_registry::store::{Store, Table};

const PEOPLE: u64 = 10_000;
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn topic() -> Topic {
    Network::default().topic
}

/// Names as people choose them: a word, a separator, a word, spread over the alphabet.
fn name(nth: u64) -> Username {
    const FIRST: [&str; 20] = [
        "ada", "bea", "cleo", "dora", "emil", "fritz", "gus", "hana", "ida", "jonas", "kara", "lena", "nora", "otto",
        "pia", "quinn", "rosa", "tess", "ursa", "zoe",
    ];
    let digits: String = nth.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    format!("{}_{digits}", FIRST[nth as usize % FIRST.len()]).parse().expect("a valid name")
}

fn person(nth: u64) -> SigningIdentity {
    SigningIdentity::from_entropy(Digest::of(&nth.to_be_bytes()).as_bytes())
}

fn claim(nth: u64) -> SignedFact {
    let name = ClaimedName::Username(name(nth));
    Signed::sign(&person(nth), &topic(), Fact::NameClaim(NameClaim { name, claimed_at: Timestamp::from_millis(nth) }))
}

/// What a person's first minutes write: a claim with a profile, in one change.
fn change(nth: u64) -> SignedChange {
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

/// A store that has met everybody.
fn crowded_store() -> Rc<MemoryStore> {
    let store = Rc::new(MemoryStore::new());
    let node = start(store.clone());
    let report = block_on(node.admit((0..PEOPLE).map(change).collect())).expect("the memory store takes all");
    assert_eq!(report.admitted as u64, PEOPLE);
    store
}

fn start(store: Rc<MemoryStore>) -> Node {
    let environment = Rc::new(Scripted::new(1, NOW));
    block_on(Node::start(store, environment, Network::default())).expect("the memory store opens")
}

fn ownership(criterion: &mut Criterion) {
    let facts: Vec<SignedFact> = (0..PEOPLE).map(claim).collect();
    let names: Vec<String> = (0..PEOPLE).map(|nth| name(nth).to_string()).collect();
    let mut group = criterion.benchmark_group("ownership of 10,000 names");
    group.bench_function("ours: from facts to holders", |bencher| {
        bencher.iter(|| {
            let mut evidence = Evidence::new(Rules::default());
            for fact in &facts {
                evidence.add(fact);
            }
            evidence.names().filter(|key| evidence.resolve(key, NOW).holder().is_some()).count()
        });
    });
    group.bench_function("peer: sort 10,000 names (std)", |bencher| {
        bencher.iter_batched_ref(|| names.clone(), |names| names.sort(), BatchSize::LargeInput);
    });
    group.finish();
}

fn lookup(criterion: &mut Criterion) {
    use gen_registry::registry::index::{Index, PersonRecord};
    let mut index = Index::new(Rules::default());
    index.put_all(
        (0..PEOPLE).map(|nth| {
            let mut record = PersonRecord::new(person(nth).identity());
            record.add_facts([claim(nth)]);
            record
        }),
        NOW,
    );
    let plain: HashMap<String, u64> = (0..PEOPLE).map(|nth| (name(nth).to_string(), nth)).collect();
    let asked = name(4_321);
    let mut group = criterion.benchmark_group("look-up among 10,000 people");
    group.bench_function("ours: name to holder", |bencher| {
        bencher.iter(|| index.state(black_box(&asked)).and_then(|state| state.holder()).map(|tenure| tenure.holder));
    });
    group.bench_function("peer: HashMap::get (std)", |bencher| {
        bencher.iter(|| plain.get(black_box(asked.as_str())).copied());
    });
    group.finish();
}

fn admission(criterion: &mut Criterion) {
    let change = change(7);
    let owner = change.owner;
    let mut group = criterion.benchmark_group("admit a change");
    group.bench_function("ours: verify, check, apply, read", |bencher| {
        bencher.iter_batched(
            || change.clone(),
            |change| {
                let mut document = Document::new(owner);
                document.admit(change.verify(&topic()).expect("honest")).expect("admitted");
                document.view(&topic())
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("peer: one ed25519 verification of the same bytes", |bencher| {
        let signature = change.signature.as_slice().try_into().expect("64 bytes");
        bencher.iter(|| owner.verify(&topic(), "gen-registry/change/v1", black_box(&change.bytes), signature));
    });
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let store = crowded_store();
    let mut group = criterion.benchmark_group("start with 10,000 documents");
    group.sample_size(10);
    group.bench_function("ours: open the profile", |bencher| bencher.iter(|| start(store.clone())));
    group.bench_function("peer: SHA-256 of the same records", |bencher| {
        bencher.iter(|| {
            let entries = block_on(store.scan(Table::People, "", None, usize::MAX)).expect("a scan");
            entries.iter().map(|(_, bytes)| Digest::of(bytes).as_bytes()[0]).fold(0_u8, u8::wrapping_add)
        });
    });
    group.finish();
}

fn write_people(path: &std::ffi::OsStr) {
    let store = crowded_store();
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
    std::fs::write(path, lines).expect("the file can be written");
}

fn main() {
    if let Some(path) = std::env::var_os("PEOPLE_FILE") {
        write_people(&path);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    ownership(&mut criterion);
    lookup(&mut criterion);
    admission(&mut criterion);
    load(&mut criterion);
    criterion.final_summary();
}
