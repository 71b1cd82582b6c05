//! Searching in a whole node: what is published is found, also after a restart and with a damaged index.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_node::store::Table;

use crate::support::modules::{draft, wasm};
use crate::support::profile::TestProfile;

/// More than are worth keeping the index for.
const MANY: usize = 40;

fn modules(command: ModuleCommand) -> Command {
    Command::Modules { command }
}

fn search(profile: &TestProfile, query: &str, filter: ModuleFilter) -> SearchResults {
    let command =
        ModuleCommand::Search { query: query.to_owned(), filter, sort: ModuleSort::Relevance, limit: 10, cursor: None };
    match profile.ask(modules(command)) {
        Ok(Answer::Found(found)) => found,
        other => panic!("nothing was searched: {other:?}"),
    }
}

fn found(profile: &TestProfile, query: &str) -> Vec<String> {
    let found = search(profile, query, ModuleFilter::default());
    assert!(found.complete, "the index answered");
    assert!(found.modules.len() as u64 <= found.total);
    found.modules.into_iter().map(|card| card.name).collect()
}

/// The best match. Names like it may follow.
fn first(profile: &TestProfile, query: &str) -> String {
    found(profile, query).into_iter().next().expect("something is found")
}

fn publish(profile: &TestProfile, name: &str, changes: ModulePatch) {
    let mut draft = draft(name, "1.0.0", wasm("run", 1), &[]);
    draft.details = changes;
    let published = profile.ask(modules(ModuleCommand::Publish { draft: Box::new(draft) }));
    assert!(matches!(published, Ok(Answer::Published(_))), "{published:?}");
}

fn said(description: &str) -> ModulePatch {
    ModulePatch { description: Some(description.to_owned()), ..ModulePatch::default() }
}

/// Alice with many modules, searched once, so that her index is kept.
fn prolific() -> TestProfile {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    for nth in 0..MANY {
        publish(&alice, &format!("part-{nth}"), said(&format!("Piece of a whole, word{nth}")));
    }
    assert_eq!(first(&alice, "word17"), "part-17");
    alice
}

#[test]
fn published_module_is_found_by_peers() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice_smith");
    publish(&alice, "svg-renderer", said("Draws vector graphics into pixels"));
    assert!(found(&bob, "vector").is_empty());
    bob.learn_from(&alice);
    for query in ["vector", "graph", "svg", "vektor graphics", "alice"] {
        assert_eq!(found(&bob, query), ["svg-renderer"], "{query}");
    }
    // Described anew, withdrawn, renamed: what is found follows.
    let changes = ModulePatch { tags: Some(vec!["drawing".into()]), ..said("Pictures from text") };
    let described = modules(ModuleCommand::Describe { name: "svg-renderer".into(), changes });
    alice.ask(described).unwrap();
    bob.learn_from(&alice);
    assert!(found(&bob, "vector").is_empty(), "the old words are gone");
    assert_eq!(found(&bob, "pictures"), ["svg-renderer"]);
    let drawing = ModuleFilter { tag: Some("drawing".into()), ..ModuleFilter::default() };
    assert_eq!(search(&bob, "", drawing.clone()).total, 1);
    assert_eq!(search(&bob, "zzzz", drawing).total, 0);
    alice.clock.advance(std::time::Duration::from_secs(60));
    alice.me(Command::Rename { name: "grace_hopper".into() });
    bob.learn_from(&alice);
    assert_eq!(found(&bob, "hopper"), ["svg-renderer"], "by the owner's new name");
    let beside = search(&bob, "grace", ModuleFilter::default());
    assert_eq!(beside.people.len(), 1, "people stand beside");
}

#[test]
fn result_pages_continue_each_other() {
    let alice = prolific();
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let command = ModuleCommand::Search {
            query: "piece".into(),
            filter: ModuleFilter::default(),
            sort: ModuleSort::Name,
            limit: 7,
            cursor,
        };
        let Ok(Answer::Found(found)) = alice.ask(modules(command)) else { panic!("no answer") };
        assert_eq!(found.total, MANY as u64);
        names.extend(found.modules.into_iter().map(|card| card.name));
        cursor = found.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), MANY);
    assert!(names.is_sorted());
}

#[test]
fn stored_index_is_loaded_and_brought_up_to_date() {
    let alice = prolific();
    let kept = alice.store.keys(Table::SearchIndex);
    assert!(kept.len() > 1, "{kept:?}");
    let alice = alice.restart();
    // Not searched yet: nobody tells the index.
    publish(&alice, "latecomer", said("Came while the index slept"));
    assert_eq!(found(&alice, "slept"), ["latecomer"]);
    assert_eq!(first(&alice, "word17"), "part-17");
}

#[test]
fn damaged_index_is_rebuilt() {
    let alice = prolific();
    for key in alice.store.keys(Table::SearchIndex) {
        let mut length = 0;
        assert!(alice.store.tamper(Table::SearchIndex, &key, |raw| length = raw.len()));
        for place in (0..length).step_by(length / 8 + 1).chain([length - 1]) {
            let copy = Rc::new(alice.store.copy());
            assert!(copy.tamper(Table::SearchIndex, &key, |raw| raw[place] ^= 0x10));
            let again = TestProfile::open(copy, alice.clock.clone());
            assert_eq!(first(&again, "word17"), "part-17", "{key}, byte {place}");
            assert_eq!(search(&again, "piece", ModuleFilter::default()).total, MANY as u64);
            assert!(again.store.keys(Table::Quarantine).is_empty(), "nobody need know");
        }
        // Cut off, and gone.
        let copy = Rc::new(alice.store.copy());
        assert!(copy.tamper(Table::SearchIndex, &key, |raw| raw.truncate(raw.len() / 2)));
        assert_eq!(first(&TestProfile::open(copy, alice.clock.clone()), "word17"), "part-17");
    }
}

#[test]
fn read_model_answers_before_the_index_is_loaded() {
    let alice = prolific().restart();
    // Somebody tends the index now: who searches does not wait for it.
    let tended = alice.node.maintain_search();
    futures::pin_mut!(tended);
    block_on(async { assert!(futures::poll!(tended.as_mut()).is_pending()) });
    let answered = search(&alice, "WORD17", ModuleFilter::default());
    assert_eq!((answered.complete, answered.modules[0].name.as_str()), (false, "part-17"));
    // Its turn: it wakes the index.
    block_on(async { assert!(futures::poll!(tended.as_mut()).is_pending()) });
    assert_eq!(first(&alice, "whole word17"), "part-17");
}
