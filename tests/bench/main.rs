//! Native benchmarks: `make bench`. Each group has a named peer beside ours, so that the ratio can be read off one run.

#[path = "../shared/crowd.rs"]
#[allow(dead_code, reason = "stories use the rest")]
mod crowd;

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use futures::executor::block_on;
use gen_registry::registry::digest::Digest;
use gen_registry::registry::document::Document;
use gen_registry::registry::fact::SignedFact;
use gen_registry::registry::ownership::{Evidence, Rules};
use gen_registry::store::{Store, Table};

use crowd::{NOW, change, claim, crowded_store, name, person, start, topic};

const PEOPLE: u64 = 10_000;

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
    let store = crowded_store(PEOPLE);
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

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    ownership(&mut criterion);
    lookup(&mut criterion);
    admission(&mut criterion);
    load(&mut criterion);
    criterion.final_summary();
}
