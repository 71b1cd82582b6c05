//! What a node gives to peers and takes from them, seen through its own interface.

use std::cell::RefCell;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Command, ProfileChanges};
use gen_registry_core::document::{Document, Edit, SignedChange};
use gen_registry_core::identity::SigningIdentity;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::session::Verdict;
use gen_registry_core::sync::version_vector::DocumentVector;
use gen_registry_node::Node;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{StoreError, Table};

use crate::support::network::of_topic;
use crate::support::people::{TOPIC, at, claim, person};

struct Replica {
    node: Node,
    store: Rc<MemoryStore>,
}

impl Replica {
    fn open(store: Rc<MemoryStore>) -> Self {
        let network = of_topic(TOPIC);
        let environment = Rc::new(TestEnvironment::new(1, at(1_800_000_000_000)));
        Self { node: block_on(Node::start(store.clone(), environment, network)).unwrap(), store }
    }

    fn new() -> Self {
        Self::open(Rc::default())
    }

    fn restart(self) -> Self {
        Self::open(Rc::new(self.store.copy()))
    }

    fn admit(&self, changes: &[SignedChange]) -> Vec<Verdict> {
        block_on(self.node.admission().admit(changes.to_vec())).unwrap().verdicts
    }

    fn vector(&self, owner: &SigningIdentity) -> DocumentVector {
        block_on(self.node.replication().version_vectors(&[owner.identity()])).unwrap().remove(0)
    }

    fn holder(&self, name: &str) -> Option<String> {
        let state = self.node.replication().name_state(&name.parse().unwrap())?;
        state.holder().map(|tenure| tenure.holder.to_string())
    }

    fn beyond(&self, vector: &DocumentVector) -> Vec<SignedChange> {
        block_on(self.node.replication().changes_beyond(std::slice::from_ref(vector), 256 * 1024)).unwrap().0
    }
}

fn claims(author: &SigningIdentity, names: &[&str]) -> Vec<SignedChange> {
    let mut document = Document::new(author.identity());
    let mut change = |(name, seconds): (&&str, u64)| {
        let when = at(1_000 * seconds);
        let edit = Edit::AddFact(claim(author, name, when));
        document.edit(author, &TOPIC, &[3; 16], when, &[edit]).unwrap().signed().clone()
    };
    names.iter().zip(1..).map(&mut change).collect()
}

#[test]
fn verdicts_have_the_order_of_the_changes() {
    let (alice, bob, replica) = (person("alice"), person("bob"), Replica::new());
    let (of_alice, of_bob) = (claims(&alice, &["nova", "stella"]), claims(&bob, &["bob", "bobby"]));
    let forged = SignedChange { signature: vec![0; 64], ..of_alice[0].clone() };
    let broken = SignedChange { bytes: vec![0; 8], signature: bob_signs(&bob, &[0; 8]), owner: bob.identity() };
    let given = [of_bob[1].clone(), forged, of_alice[0].clone(), broken, of_alice[0].clone(), of_alice[1].clone()];
    let expected = [
        Verdict::Waiting,
        Verdict::Rejected(Rejection::Forged),
        Verdict::Admitted,
        Verdict::Rejected(Rejection::BadChange),
        Verdict::Known,
        Verdict::Admitted,
    ];
    assert_eq!(replica.admit(&given), expected);
    assert_eq!(replica.admit(&of_bob), [Verdict::Admitted, Verdict::Admitted]);
}

fn bob_signs(bob: &SigningIdentity, bytes: &[u8]) -> Vec<u8> {
    bob.sign(&TOPIC, "gen-registry/change/v1", bytes).to_vec()
}

#[test]
fn replicas_are_served_and_summarised_alike_everywhere() {
    let alice = person("alice");
    let all = claims(&alice, &["nova", "stella", "luna"]);
    let (full, part) = (Replica::new(), Replica::new());
    full.admit(&all);
    part.admit(&all[..1]);
    assert!(part.vector(&alice).lacks(&full.vector(&alice)));
    assert_eq!(full.beyond(&part.vector(&alice)), all[1..]);
    part.admit(&all[1..]);
    let summaries = |replica: &Replica| block_on(replica.node.replication().document_summaries()).unwrap();
    assert_eq!(summaries(&part), summaries(&full));
    assert_eq!(summaries(&full)[0].changed_at, 3);
    assert_eq!(summaries(&full.restart()), summaries(&part));
}

#[test]
fn page_omits_what_does_not_fit_and_names_the_owners() {
    let (alice, bob, replica) = (person("alice"), person("bob"), Replica::new());
    replica.admit(&claims(&alice, &["nova", "stella"]));
    replica.admit(&claims(&bob, &["bob"]));
    let vectors = [&alice, &bob].map(|person| DocumentVector::nothing(person.identity()));
    let (all, unfinished) = block_on(replica.node.replication().changes_beyond(&vectors, 256 * 1024)).unwrap();
    assert_eq!((all.len(), unfinished.len()), (3, 0));
    let (some, unfinished) = block_on(replica.node.replication().changes_beyond(&vectors, 600)).unwrap();
    assert_eq!((some.len(), unfinished), (1, vec![alice.identity(), bob.identity()]));
}

#[test]
fn writing_sessions_of_one_person_are_served_in_causal_order() {
    let (alice, replica) = (person("alice"), Replica::new());
    let mut document = Document::new(alice.identity());
    let mut made = Vec::new();
    for (second, actor) in [(1, 9), (2, 1), (3, 9), (4, 5), (5, 1)] {
        let edit = Edit::Bio(Some(format!("{second}")));
        made.push(document.edit(&alice, &TOPIC, &[actor; 16], at(second * 1_000), &[edit]).unwrap().signed().clone());
    }
    replica.admit(&made);
    assert_eq!(replica.beyond(&DocumentVector::nothing(alice.identity())), made);
}

#[test]
fn fork_proof_is_stored_passed_on_and_ends_ownership() {
    let mallory = person("mallory");
    let (one, other) = (claims(&mallory, &["nova", "luna"]), claims(&mallory, &["stella"]));
    let (first, second, third) = (Replica::new(), Replica::new(), Replica::new());
    first.admit(&one);
    second.admit(&other);
    assert!(first.holder("luna").is_some() && second.holder("stella").is_some());
    // What each serves the other is refused as a fork, and that is the proof.
    assert_eq!(
        second.admit(&first.beyond(&second.vector(&mallory))),
        [Verdict::Rejected(Rejection::Fork), Verdict::Waiting]
    );
    assert_eq!(second.holder("stella"), None);
    let second = second.restart();
    assert_eq!(second.holder("stella"), None);
    // From one who has the proof to one with half of the document, and to one with nothing of it.
    for replica in [&first, &third] {
        assert!(replica.vector(&mallory).lacks(&second.vector(&mallory)));
        let verdicts = replica.admit(&second.beyond(&replica.vector(&mallory)));
        assert!(verdicts.contains(&Verdict::Rejected(Rejection::Fork)), "{verdicts:?}");
        assert_eq!((replica.holder("luna"), replica.holder("nova"), replica.holder("stella")), (None, None, None));
    }
    // Who held names of it and who never saw one say the same.
    for replica in [&first, &second, &third] {
        for name in ["nova", "luna", "stella"] {
            assert_eq!(replica.node.replication().name_state(&name.parse().unwrap()), None, "{name}");
        }
    }
    let ids = |replica: &Replica| block_on(replica.node.replication().document_summaries()).unwrap()[0].id();
    assert_eq!((ids(&first), ids(&third)), (ids(&second), ids(&second)));
    // Nothing more comes in.
    assert_eq!(first.admit(&claims(&mallory, &["nova", "luna", "sol"])), [Verdict::Known; 3]);
    assert_eq!(first.holder("sol"), None);
}

#[test]
fn own_changes_are_announced_after_they_are_stored() {
    let replica = Replica::new();
    let told: Rc<RefCell<Vec<SignedChange>>> = Rc::default();
    let sink = told.clone();
    replica.node.announce_through(Rc::new(move |change| sink.borrow_mut().push(change.clone())));
    let register = |name: &str| Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() };
    block_on(replica.node.handle(register("alice"))).unwrap();
    let fault = gen_registry_node::store::StoreError::Full;
    replica.store.fail_commits(Some(fault));
    assert!(block_on(replica.node.handle(register("alicia"))).is_err());
    assert_eq!(*told.borrow(), block_on(replica.node.own_signed_changes()).unwrap());
    assert_eq!(told.borrow().len(), 1);
    let peer = Replica::new();
    assert_eq!(peer.admit(&told.borrow()), [Verdict::Admitted]);
    assert!(peer.holder("alice").is_some());
}

#[test]
fn change_the_store_refused_is_admitted_later() {
    let (alice, replica) = (person("alice"), Replica::new());
    let changes = claims(&alice, &["nova", "stella", "luna"]);
    assert_eq!(replica.admit(&changes[..1]), [Verdict::Admitted]);
    replica.store.fail_commits(Some(StoreError::Full));
    block_on(replica.node.admission().admit(changes[1..2].to_vec())).expect_err("the store is full");
    replica.store.fail_commits(None);
    // A resident document that is ahead of the store would call it known.
    assert_eq!(replica.admit(&changes[1..2]), [Verdict::Admitted]);
    assert_eq!(replica.admit(&changes[2..]), [Verdict::Admitted]);
    let vector = replica.vector(&alice);
    assert_eq!(replica.restart().vector(&alice), vector);
}

#[test]
fn damaged_change_is_admitted_again() {
    let (alice, replica) = (person("alice"), Replica::new());
    let changes = claims(&alice, &["nova", "stella"]);
    assert_eq!(replica.admit(&changes), [Verdict::Admitted, Verdict::Admitted]);
    let key = replica.store.keys(Table::Changes).pop().expect("two changes are stored");
    assert!(replica.store.tamper(Table::Changes, &key, |raw| raw.truncate(3)));
    assert_eq!(replica.vector(&alice).actors.values().map(|seen| seen.seq).sum::<u64>(), 1, "one is set aside");
    assert_eq!(replica.admit(&changes), [Verdict::Known, Verdict::Admitted]);
    assert_eq!(replica.vector(&alice).actors.values().map(|seen| seen.seq).sum::<u64>(), 2);
}

#[test]
fn waiting_changes_are_not_kept_in_memory() {
    let (alice, replica) = (person("alice"), Replica::new());
    let changes = claims(&alice, &["nova", "stella", "luna"]);
    assert_eq!(replica.admit(&changes[..1]), [Verdict::Admitted]);
    assert_eq!(replica.admit(&changes[2..]), [Verdict::Waiting]);
    assert_eq!(replica.admit(&changes[1..2]), [Verdict::Admitted]);
    assert_eq!(
        replica.admit(&changes[2..]),
        [Verdict::Admitted],
        "the page that brings it again is not told it is known"
    );
    assert_eq!(replica.admit(&changes[2..]), [Verdict::Known]);
}
