//! Native benchmarks: `make bench`. Each group has a named peer beside ours, so that the ratio can be read off one run.

#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "stories use the rest")]
mod crowd;

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use futures::executor::block_on;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::Document;
use gen_registry_core::fact::SignedFact;
use gen_registry_core::ownership::{Evidence, Rules};
use gen_registry_core::validation::validate;
use gen_registry_node::store::{Store, Table};

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
    use gen_registry_core::read_model::{PersonRecord, ReadModel};
    let mut index = ReadModel::new(Rules::default());
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
