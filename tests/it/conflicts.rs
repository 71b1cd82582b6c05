//! Many people who claim one name: it costs, and tells, as much as many names do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::{Answer, Command, Event};
use gen_registry_core::actors::Device;
use gen_registry_core::log::Body;
use gen_registry_core::log::body::Claim;
use gen_registry_core::name::ClaimedName;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Node;
use gen_registry_node::store::memory::MemoryStore;
use tokio::time::Instant;

use crate::crowd::shared::{name, start, topic};

const PEOPLE: u64 = 1_000;
const AT_ONCE: usize = 50;
/// The most claims that a report or an event names.
const SHOWN_MAX: usize = 32;

/// Openings and claims of many people, in pages; each claims the name that `name_of` says.
fn pages(name_of: impl Fn(u64) -> u64) -> Vec<Vec<Piece>> {
    let claims: Vec<Vec<Piece>> = (0..PEOPLE)
        .map(|nth| {
            let mut device = Device::of(topic(), &format!("rival {nth}"));
            let wanted = ClaimedName::Username(name(name_of(nth)));
            let at = Timestamp::from_millis(nth);
            let claim = Claim { name: wanted, after: None, round: 0, withdrawals: vec![], at, work: 0 };
            let claim = device.write(&Body::Claim(Box::new(claim)));
            [&device.opening, &claim].map(|entry| Piece::Entry(entry.encode())).to_vec()
        })
        .collect();
    claims.chunks(AT_ONCE).map(<[Vec<Piece>]>::concat).collect()
}

/// What became of a crowd.
struct Told {
    node: Node,
    took: Duration,
    conflicts: usize,
    most_losers: usize,
    /// Identities in all events about people.
    people: usize,
}

fn admit(pages: Vec<Vec<Piece>>) -> Told {
    let node = start(Rc::new(MemoryStore::new()));
    let (conflicts, people, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(RefCell::new(0)));
    let (counted, told, losing) = (conflicts.clone(), people.clone(), most.clone());
    node.subscribe(Rc::new(move |event: &Event| match event {
        Event::Conflict { losers, .. } => {
            counted.set(counted.get() + 1);
            let most = losers.len().max(*losing.borrow());
            *losing.borrow_mut() = most;
        }
        Event::PeopleChanged { dids } => told.set(told.get() + dids.len()),
        _ => {}
    }));
    let begun = Instant::now();
    for page in pages {
        assert_eq!(block_on(node.admission().admit(page)).unwrap().outcome.rejections, []);
    }
    let most_losers = *most.borrow();
    Told { node, took: begun.elapsed(), conflicts: conflicts.get(), most_losers, people: people.get() }
}

#[test]
fn thousand_claims_of_one_name_are_told_of_once_a_page_and_in_few_words() {
    let (one, many) = (admit(pages(|_| 7)), admit(pages(|nth| nth)));
    let pages = PEOPLE as usize / AT_ONCE;
    assert!((1..=pages).contains(&one.conflicts), "one for each page that brings more: {}", one.conflicts);
    assert_eq!(many.conflicts, 0);
    assert!((1..=SHOWN_MAX).contains(&one.most_losers), "{}", one.most_losers);
    assert!(one.people <= 2 * PEOPLE as usize, "each is told of when they come, and the holder again: {}", one.people);
    println!("{PEOPLE} claims of one name took {:?}, of as many names {:?}", one.took, many.took);

    let Answer::Name(report) =
        block_on(one.node.handle(Command::LookupUsername { name: name(7).to_string() })).unwrap()
    else {
        panic!("no report")
    };
    assert_eq!(report.losers.len(), SHOWN_MAX);
    assert_eq!(report.more_losers, PEOPLE - 1 - SHOWN_MAX as u64);
    assert!(report.losers.is_sorted_by_key(|loser| loser.claimed_at), "the earliest ones");
}
