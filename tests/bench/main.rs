//! Native benchmarks: `make bench`. Each group has a named peer beside ours, so that the ratio can be read off one run.

#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "stories use the rest")]
mod crowd;

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use futures::executor::block_on;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Document, count_operations};
use gen_registry_core::log::Capabilities;
use gen_registry_core::name::NameKind;
use gen_registry_core::outcome::NameKey;
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::exchange::admit;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::validation::validate;
use gen_registry_node::Network;
use gen_registry_node::store::{Store, Table};

use crowd::{beginning, crowded_store, name, start, topic};

const PEOPLE: u64 = 10_000;

/// A registry that has everybody's claim.
fn crowded_registry() -> Registry {
    let mut registry = Registry::new(Network::default().history().clone());
    for nth in 0..PEOPLE {
        let beginning = beginning(nth);
        for entry in [&beginning.device.opening, &beginning.claim] {
            registry.admit(entry, 0).expect("an honest entry");
        }
    }
    registry
}

fn ownership(criterion: &mut Criterion) {
    let registry = crowded_registry();
    let keys: Vec<NameKey> = (0..PEOPLE).map(|nth| (NameKind::Username, name(nth).folded())).collect();
    let names: Vec<String> = (0..PEOPLE).map(|nth| name(nth).to_string()).collect();
    let mut group = criterion.benchmark_group("ownership of 10,000 names");
    group.bench_function("ours: from facts to holders", |bencher| {
        bencher.iter(|| keys.iter().filter(|key| registry.name(key).holder().is_some()).count());
    });
    group.bench_function("peer: sort 10,000 names (std)", |bencher| {
        bencher.iter_batched_ref(|| names.clone(), |names| names.sort(), BatchSize::LargeInput);
    });
    group.finish();
}

fn lookup(criterion: &mut Criterion) {
    let index = ReadModel::new(crowded_registry(), []);
    let plain: HashMap<String, u64> = (0..PEOPLE).map(|nth| (name(nth).to_string(), nth)).collect();
    let asked = name(4_321);
    assert!(index.state(&asked).and_then(|state| state.holder()).is_some());
    let mut group = criterion.benchmark_group("look-up among 10,000 people");
    group.bench_function("ours: name to holder", |bencher| {
        bencher.iter(|| index.state(black_box(&asked)).and_then(|state| state.holder()).map(|held| held.tenure.holder));
    });
    group.bench_function("peer: HashMap::get (std)", |bencher| {
        bencher.iter(|| plain.get(black_box(asked.as_str())).copied());
    });
    group.finish();
}

fn admission(criterion: &mut Criterion) {
    let beginning = beginning(7);
    let (device, change) = (&beginning.device, &beginning.change);
    let mut group = criterion.benchmark_group("admit a change");
    group.bench_function("ours: verify, check, apply, read", |bencher| {
        bencher.iter_batched(
            || {
                let mut registry = Registry::new(Network::default().history().clone());
                registry.admit(&device.opening, 0).expect("an opening");
                (registry, vec![Piece::Entry(change.encode())])
            },
            |(mut registry, pieces)| {
                let outcome = admit(&mut registry, &pieces, |entry| count_operations(entry.body()).ok());
                let entry = outcome.kept.first().expect("admitted");
                let mut document = Document::default();
                let log = entry.header().log;
                document
                    .insert_change(log, 0, entry.id(), entry.body(), &Capabilities::full())
                    .expect("an honest change");
                document.data()
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("peer: one ed25519 verification of the same bytes", |bencher| {
        let (bytes, domain) = (change.encode(), "gen-registry/bench/v2");
        let signature = device.key.sign(&topic(), domain, &bytes);
        bencher.iter(|| device.key.public().verify(&topic(), domain, black_box(&bytes), &signature));
    });
    group.finish();
}

/// As large as a typical module.
const MODULE_BYTES: usize = 100 * 1024;

/// A valid module with much code: the same function until it is large enough.
fn module() -> Vec<u8> {
    let one =
        "(func (param i32 i32) (result i32) (local i32) (block (loop (br_if 1 (i32.ge_u (local.get 2) (local.get 0)))
        (i32.store (i32.shl (local.get 2) (i32.const 2)) (i32.mul (local.get 1) (i32.load (local.get 2))))
        (local.set 2 (i32.add (local.get 2) (i32.const 1))) (br 0))) (call 0 (local.get 1) (local.get 2)))";
    let with = |functions| {
        let text = format!("(module (memory 1 16) (export \"f\" (func 0)) {})", one.repeat(functions));
        wat::parse_str(text).expect("a valid text")
    };
    let each = (with(200).len() - with(100).len()) / 100;
    with(MODULE_BYTES.div_ceil(each))
}

fn validation(criterion: &mut Criterion) {
    let module = module();
    assert!(module.len() >= MODULE_BYTES && validate(&module).is_valid());
    let mut group = criterion.benchmark_group("validate a module of 100 KiB");
    group.bench_function("ours: bounds, imports and exports, code, report", |bencher| {
        bencher.iter(|| validate(black_box(&module)).is_valid());
    });
    group.bench_function("peer: wasmparser's validator alone", |bencher| {
        bencher.iter(|| wasmparser::Validator::new().validate_all(black_box(&module)).is_ok());
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
    validation(&mut criterion);
    load(&mut criterion);
    criterion.final_summary();
}
