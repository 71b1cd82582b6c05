//! Lists of closed sets over real witnesses: whole, in pages, withheld, and wrong.

use std::cell::Cell;

use futures::executor::block_on;
use futures::future::LocalBoxFuture;

use super::*;
use crate::receipts::support::{Link, Network, ask as ask_one, later, signed};
use crate::witness::tests::successions::{handed_over, signed_change, succeeded};
use gen_registry_core::actors::{BEGIN, Device, Person};
use gen_registry_core::log::Entry;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::exchange::admit;

/// So many releases and the claim of their module are one more fact than a page has.
const MORE_THAN_A_PAGE: usize = FACTS_PAGE_MAX;

/// A network that was succeeded, and a node that knew everything before.
struct Scene {
    after: Network,
    before: Network,
    alice: Device,
    entries: Vec<Entry>,
    node: RefCell<Registry>,
}

impl Scene {
    fn new(releases: usize) -> Self {
        let before = Network::new(3, 2);
        let mut alice = Person::new(before.history.topic(), 1).device(0, 1);
        let claim = alice.claim_module("crc-32");
        let mut entries = vec![claim.clone()];
        entries.extend((0..releases).map(|at| alice.release("crc-32", &format!("1.0.{at}"), claim.id())));
        let node = before.registry();
        for entry in &entries {
            let sign = |at: usize| signed(ask_one(&before.witnesses[at], &alice, entry, BEGIN));
            let receipt = |at| Receipt::decode(&before.history.topic(), &sign(at)).expect("a receipt");
            let receipts = vec![receipt(0), receipt(1)];
            node.borrow_mut().admit_alone(&alice.opening, entry, receipts, vec![]).expect("it is kept");
            before.pass_on(BEGIN);
        }
        let files: Vec<Vec<u8>> = before.witnesses[..2].iter().map(|witness| handed_over(witness)).collect();
        let change = signed_change(&before, &files);
        let after = succeeded(&before, &files, &change, later(10));
        let scene = Self { after, before, alice, entries, node };
        assert_eq!(scene.confirmed(), scene.entries.len());
        scene.node.borrow_mut().follow(change).expect("the next change");
        assert_eq!(scene.confirmed(), 0, "receipts of the closed set count no more");
        scene
    }

    /// How many of the entries are confirmed for the node.
    fn confirmed(&self) -> usize {
        let registry = self.node.borrow();
        let (confirmations, history) = (registry.confirmations(), registry.history());
        self.entries.iter().filter(|entry| confirmations.is_confirmed(history, &entry.id())).count()
    }

    fn watched<'a>(&self, alter: Alter<'a>) -> Watched<'a> {
        Watched { link: self.after.link(later(11)), asked: Cell::new(0), alter }
    }

    /// Takes the paths that there are, and returns how often a witness was asked.
    fn take(&self, closings: &Closings, link: &Watched<'_>, now: Timestamp) -> usize {
        link.asked.set(0);
        let witnesses = &self.after.history.set().witnesses;
        let pieces = block_on(closings.paths(&self.node, witnesses, link, now));
        admit(&mut self.node.borrow_mut(), &pieces, |_| Some(0));
        link.asked.get()
    }
}

/// What becomes of a witness's answer on its way.
type Alter<'a> = &'a dyn Fn(&PublicKey, Answer) -> Option<Answer>;

/// Witnesses that count what they are asked, and of which one may answer otherwise.
struct Watched<'a> {
    link: Link,
    asked: Cell<usize>,
    alter: Alter<'a>,
}

impl WitnessLink for Watched<'_> {
    fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            self.asked.set(self.asked.get() + 1);
            let answer = Answer::decode(&self.link.ask(witness, request).await?).expect("an answer");
            (self.alter)(witness, answer).map(|answer| answer.encode())
        })
    }
}

/// An answer as it is given.
fn honest(_: &PublicKey, answer: Answer) -> Option<Answer> {
    Some(answer)
}

#[test]
fn what_a_closed_set_confirmed_counts_again_with_its_path() {
    let (scene, closings) = (Scene::new(MORE_THAN_A_PAGE), Closings::default());
    let first = Cell::new(true);
    let busy = |_: &PublicKey, answer| if first.replace(false) { Some(answer) } else { Some(Answer::Busy) };
    assert_eq!(scene.take(&closings, &scene.watched(&busy), later(11)), 2);
    assert_eq!(scene.take(&closings, &scene.watched(&|_, _| None), later(11)), 1, "cut off");
    assert_eq!(scene.confirmed(), 0, "nothing of a list is believed before all of it is here");
    let link = scene.watched(&honest);
    assert_eq!(scene.take(&closings, &link, later(11)), 1, "it goes on with the second page");
    assert_eq!(scene.confirmed(), scene.entries.len());
    assert_eq!(scene.take(&closings, &link, later(12)), 0, "nothing is lacking");
    // What comes later without its path gets it from the list that is kept; what the list does not have gets none.
    let fresh = RefCell::new(Registry::new(scene.after.history.clone()));
    let rose = scene.alice.clone().claim("rose", None);
    for entry in [&scene.alice.opening, &scene.entries[0], &rose] {
        let _ = fresh.borrow_mut().admit(entry, 0);
    }
    let [Piece::Path(entry, _)] = &block_on(closings.paths(&fresh, &[], &link, later(12)))[..] else {
        panic!("one path")
    };
    assert_eq!(*entry, scene.entries[0].id());
}

#[test]
fn list_that_is_withheld_or_altered_is_asked_for_elsewhere() {
    let liar = Scene::new(0).after.history.set().witnesses[0];
    let altered = |witness: &PublicKey, answer: Answer| match answer {
        Answer::Facts(mut facts) if *witness == liar => {
            facts[3] = Digest::of(b"another");
            facts.sort_unstable();
            Some(Answer::Facts(facts))
        }
        answer => Some(answer),
    };
    let shortened = |witness: &PublicKey, answer: Answer| match answer {
        Answer::Facts(facts) if *witness == liar => Some(Answer::Facts(facts[1..].to_vec())),
        answer => Some(answer),
    };
    let withheld =
        |witness: &PublicKey, answer| if *witness == liar { Some(Answer::Facts(vec![])) } else { Some(answer) };
    let ways: [Alter<'_>; 3] = [&altered, &shortened, &withheld];
    for alter in ways {
        let (scene, closings) = (Scene::new(4), Closings::default());
        let link = scene.watched(alter);
        assert!(scene.take(&closings, &link, later(11)) > 0);
        assert_eq!(scene.confirmed(), 0);
        assert_eq!(scene.take(&closings, &link, later(12)), 0, "not at once again");
        assert_eq!(scene.take(&closings, &link, later(11).plus(RETRY_AFTER)), 1, "the next one is asked");
        assert_eq!(scene.confirmed(), scene.entries.len());
    }
}

#[test]
fn silent_witness_is_not_waited_for() {
    let (scene, closings) = (Scene::new(4), Closings::default());
    let silent = scene.after.history.set().witnesses[0];
    let busy = |witness: &PublicKey, answer| Some(if *witness == silent { Answer::Busy } else { answer });
    let link = scene.watched(&busy);
    assert_eq!((scene.take(&closings, &link, later(11)), scene.confirmed()), (1, 0));
    assert_eq!((scene.take(&closings, &link, later(11)), scene.confirmed()), (1, scene.entries.len()));
}

/// Witnesses of the set before have no list of it: it was not closed for them.
#[test]
fn set_that_is_not_closed_has_no_list() {
    let scene = Scene::new(4);
    let page = |set| Request::Closing(ClosingPage { topic: scene.before.history.topic(), set, from: 0 }).encode();
    for set in [0, 1] {
        assert_eq!(block_on(scene.before.witnesses[0].answer(&page(set), BEGIN)), Answer::Facts(vec![]));
    }
    let new = &scene.after.witnesses[0];
    let Answer::Facts(facts) = block_on(new.answer(&page(0), later(11))) else { panic!("no list") };
    assert_eq!(facts.len(), 5);
    for set in [1, 2, u32::MAX] {
        assert_eq!(block_on(new.answer(&page(set), later(11))), Answer::Facts(vec![]));
    }
    let behind = Request::Closing(ClosingPage { topic: scene.before.history.topic(), set: 0, from: u64::MAX }).encode();
    assert_eq!(block_on(new.answer(&behind, later(11))), Answer::Facts(vec![]));
}
