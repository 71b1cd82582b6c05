//! What a node takes from peers and says of itself, through its own interface: in any order, over a store that fails, and
//! after a restart.

use std::cell::RefCell;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::keys::Did;
use gen_registry_core::sync::exchange::Outcome;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{StoreError, Table};
use gen_registry_node::{Network, Node};

use crate::support::profile::TestProfile;

struct Replica {
    node: Node,
    store: Rc<MemoryStore>,
}

/// What a replica shows of a person.
#[derive(Debug, PartialEq)]
struct Shown {
    username: Option<String>,
    bio: Option<String>,
    links: Vec<String>,
}

impl Replica {
    fn open(store: Rc<MemoryStore>) -> Self {
        let environment = Rc::new(TestEnvironment::new(2, Timestamp::from_millis(1_800_000_000_000)));
        Self { node: block_on(Node::start(store.clone(), environment, Network::default())).unwrap(), store }
    }

    fn new() -> Self {
        Self::open(Rc::default())
    }

    fn restart(self) -> Self {
        Self::open(Rc::new(self.store.copy()))
    }

    fn admit(&self, pieces: &[Piece]) -> Outcome {
        block_on(self.node.admission().admit(pieces.to_vec())).unwrap().outcome
    }

    /// How many entries are kept of these.
    fn keeps(&self, pieces: &[Piece]) -> usize {
        let outcome = self.admit(pieces);
        assert_eq!(outcome.rejections, []);
        outcome.kept.len()
    }

    /// `None` where nothing is known of the person.
    fn shown(&self, did: &str) -> Option<Shown> {
        let person = match block_on(self.node.handle(Command::Person { did: did.to_owned() })).unwrap() {
            Answer::Person(person) => person?,
            other => panic!("{other:?}"),
        };
        let username = person.entry.and_then(|entry| entry.person.username);
        Some(Shown { username, bio: person.profile.bio, links: person.profile.links })
    }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

/// What peers send of a profile, each piece once.
fn pieces_of(profile: &TestProfile) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in block_on(profile.node.own_pieces()).unwrap() {
        if !pieces.contains(&piece) {
            pieces.push(piece);
        }
    }
    pieces
}

/// Somebody who claimed two names and wrote three changes; what peers send of them, and what they show.
fn written() -> (String, Vec<Piece>, Shown) {
    let alice = TestProfile::new(1);
    let did = alice.claim("alice").did.unwrap();
    alice.me(bio("one"));
    alice.rename("alicia");
    alice.me(bio("two"));
    let links = vec!["https://example.org".to_owned()];
    alice.me(Command::UpdateProfile { changes: ProfileChanges { links: Some(links.clone()), ..Default::default() } });
    (did, pieces_of(&alice), Shown { username: Some("alicia".into()), bio: Some("two".into()), links })
}

#[test]
fn pieces_in_any_order_come_to_the_same_and_outlive_a_restart() {
    let (did, pieces, expected) = written();
    for turned in 0..pieces.len() {
        let replica = Replica::new();
        let mut order = pieces.clone();
        order.rotate_left(turned);
        if turned % 2 == 1 {
            order.reverse();
        }
        // What waits is not kept: peers send it again until there is nothing new.
        let mut kept = 0;
        for piece in std::iter::repeat_n(&order, pieces.len()).flatten() {
            kept += replica.keeps(std::slice::from_ref(piece));
        }
        assert_eq!(kept, pieces.len(), "{turned}: each is kept once");
        assert_eq!(replica.shown(&did).as_ref(), Some(&expected), "{turned}");
        let replica = replica.restart();
        assert_eq!(replica.shown(&did).as_ref(), Some(&expected), "{turned}");
        assert_eq!(replica.keeps(&pieces), 0, "{turned}: all of it is known");
    }
}

#[test]
fn what_waits_is_neither_stored_nor_taken_for_known() {
    let (_, pieces, _) = written();
    let replica = Replica::new();
    assert_eq!(replica.keeps(&pieces[..1]), 1);
    let before = [Table::Facts, Table::Headers, Table::Changes].map(|table| replica.store.keys(table));
    assert_eq!(replica.keeps(&pieces[2..3]), 0, "what it follows is missing");
    assert_eq!([Table::Facts, Table::Headers, Table::Changes].map(|table| replica.store.keys(table)), before);
    assert_eq!(replica.keeps(&pieces[1..2]), 1);
    assert_eq!(replica.keeps(&pieces[2..3]), 1, "the page that brings it again is not told that it is known");
    assert_eq!(replica.keeps(&pieces[2..3]), 0);
}

#[test]
fn own_changes_are_announced_after_they_are_stored() {
    let alice = TestProfile::new(1);
    let announced: Rc<RefCell<Vec<Did>>> = Rc::default();
    let sink = announced.clone();
    alice.node.announce_through(Rc::new(move |did| sink.borrow_mut().push(*did)));
    let did = alice.claim("alice").did.unwrap();
    assert!(announced.borrow().iter().map(ToString::to_string).eq([&*did]));
    alice.store.fail_commits(Some(StoreError::Full));
    let stored = pieces_of(&alice);
    alice.code(Command::RegisterUsername { name: "alicia".into(), changes: ProfileChanges::default() });
    alice.code(bio("never"));
    assert_eq!(announced.borrow().len(), 1);
    assert_eq!(pieces_of(&alice), stored, "nothing else is passed on");
    let peer = Replica::new();
    assert_eq!(peer.keeps(&stored), stored.len());
    assert_eq!(peer.shown(&did).unwrap().username.as_deref(), Some("alice"));
}

/// What the store refused is fetched again by the next start, whatever came after it.
#[test]
fn entries_that_the_store_refused_are_admitted_later() {
    let (did, pieces, expected) = written();
    for refused in 1..pieces.len() {
        let replica = Replica::new();
        assert_eq!(replica.keeps(&pieces[..refused]), refused);
        replica.store.fail_commits(Some(StoreError::Full));
        block_on(replica.node.admission().admit(pieces[refused..refused + 1].to_vec())).expect_err("the store is full");
        replica.store.fail_commits(None);
        replica.admit(&pieces[refused..]);
        let replica = replica.restart();
        for _ in 0..2 {
            replica.admit(&pieces);
        }
        assert_eq!(replica.shown(&did).as_ref(), Some(&expected), "{refused}");
        let replica = replica.restart();
        assert_eq!(replica.keeps(&pieces), 0, "{refused}: all of it is stored");
        assert_eq!(replica.shown(&did).as_ref(), Some(&expected), "{refused}");
    }
}

/// Each record of somebody is damaged once; what is lost comes again from peers.
#[test]
fn damaged_entry_is_admitted_again() {
    let (did, pieces, expected) = written();
    for table in [Table::Facts, Table::Headers, Table::Changes, Table::People] {
        let replica = Replica::new();
        replica.keeps(&pieces);
        for key in replica.store.keys(table) {
            let copy = Rc::new(replica.store.copy());
            assert!(copy.tamper(table, &key, |raw| raw.truncate(3)));
            let damaged = Replica::open(copy);
            for _ in 0..2 {
                damaged.admit(&pieces);
            }
            assert_eq!(damaged.shown(&did).as_ref(), Some(&expected), "{table:?} {key}");
            let again = damaged.restart();
            assert_eq!(again.shown(&did).as_ref(), Some(&expected), "{table:?} {key}");
        }
    }
}
