//! Two replicas that compare: in pages, over forks, at random, and with liars.

mod fifty_years;
mod pages;
mod swarm;

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom;

use super::wire::MESSAGE_MAX_BYTES;
use super::*;
use crate::actors::{BEGIN, Person, Replica, network, username};
use crate::canonical::DecodeError;
use crate::keys::SecretKey;
use crate::log::body::Withdrawal;
use crate::log::{self, Entry, EntryId};
use crate::network::NetworkHistory;
use crate::outcome::NoEffect;
use crate::receipt::Receipt;
use crate::registry::tests::orders::{Case, Item};
use crate::retention::Retention;
use crate::ring::place_of;
use crate::statement::StatementError;

/// What one comparison took.
#[derive(Debug, Default)]
struct Traffic {
    messages: usize,
    bytes: usize,
    rejections: Vec<Rejection>,
}

/// Two nodes at the ends of a stream that keeps order.
struct Pair<'a> {
    sides: [(Exchange, &'a mut Replica); 2],
    queues: [VecDeque<Input>; 2],
    traffic: Traffic,
    synced: [usize; 2],
    step: u64,
}

impl<'a> Pair<'a> {
    /// The stream is open and both have greeted.
    fn new(one: &'a mut Replica, other: &'a mut Replica) -> Self {
        Self::with_allowance(one, other, Rc::default())
    }

    /// The same where the first side takes so many newcomers.
    fn with_allowance(one: &'a mut Replica, other: &'a mut Replica, allowance: Rc<RefCell<NodeBudget>>) -> Self {
        let sides = [(Exchange::new(true, allowance), one), (Exchange::new(false, Rc::default()), other)];
        let queues = [[Input::Opened].into(), [Input::Opened].into()];
        let mut pair = Self { sides, queues, traffic: Traffic::default(), synced: [0, 0], step: 0 };
        pair.run(usize::MAX);
        pair
    }

    fn put(&mut self, at: usize, input: Input) {
        self.queues[at].push_back(input);
    }

    /// Passes on what is on its way, at most so many inputs.
    fn run(&mut self, most: usize) {
        for _ in 0..most {
            let Some(at) = (0..2).find(|at| !self.queues[*at].is_empty()) else { return };
            self.step += 1;
            assert!(self.step < 100_000, "it ends");
            self.take(at);
        }
    }

    fn take(&mut self, at: usize) {
        let input = self.queues[at].pop_front().expect("it is not empty");
        let (exchange, node) = &mut self.sides[at];
        for output in exchange.handle(input, &node.registry, BEGIN.plus(Duration::from_secs(self.step))) {
            match output {
                Output::Send(message) => {
                    let bytes = message.encode();
                    assert!(bytes.len() <= MESSAGE_MAX_BYTES);
                    assert_eq!(Message::decode(&bytes), Ok(message));
                    self.traffic.messages += 1;
                    self.traffic.bytes += bytes.len();
                    self.queues[1 - at].push_back(Input::Message(bytes));
                }
                Output::Load { ticket, asks } => {
                    let parts = plan_answer(&node.registry, &asks);
                    let pieces = load_answer(parts, |entry| node.store.get(entry).cloned());
                    self.queues[at].push_back(Input::Loaded { ticket, pieces });
                }
                Output::Admit(pieces) => {
                    let outcome = admit(&mut node.registry, &pieces, |_| Some(0));
                    node.store.extend(outcome.kept.iter().map(|entry| (entry.id(), entry.encode())));
                    self.queues[at].push_back(Input::Admitted(outcome));
                }
                Output::Follow(changes) => {
                    for bytes in changes {
                        let change = SignedSetChange::decode(&node.registry.topic(), &bytes).expect("signed");
                        node.registry.follow(change).expect("the next change");
                    }
                }
                Output::Rejected(rejection) => self.traffic.rejections.push(rejection),
                Output::Synced => self.synced[at] += 1,
                Output::Ended => {}
            }
        }
    }
}

/// Runs one round between two nodes.
fn compare(one: &mut Replica, other: &mut Replica) -> Traffic {
    let mut pair = Pair::new(one, other);
    pair.put(0, Input::Begin);
    pair.run(usize::MAX);
    let Pair { sides, synced, traffic, .. } = pair;
    assert!(!sides[0].0.is_busy() && !sides[1].0.is_busy(), "the round ends");
    assert_eq!(synced, [1, 1]);
    traffic
}

/// Runs one round between two nodes, in which the first asks for people by name.
fn compare_and_ask(one: &mut Replica, other: &mut Replica, wanted: Vec<Did>) -> Traffic {
    let mut pair = Pair::new(one, other);
    pair.put(0, Input::Want(wanted));
    pair.put(0, Input::Begin);
    pair.run(usize::MAX);
    pair.traffic
}

#[test]
fn two_replicas_come_to_the_same_in_one_round() {
    let (history, _) = network(1, 1);
    let (mut one, mut other) = (Replica::new(history.clone()), Replica::new(history.clone()));
    for seed in 1..=40 {
        let person = Person::new(history.topic(), seed);
        let mut device = person.device(0, seed);
        let node = if seed % 2 == 0 { &mut one } else { &mut other };
        node.give(&device.opening);
        for at in 0..5 {
            node.give(&device.claim(&format!("name-{seed}-{at}"), None));
        }
    }
    let traffic = compare(&mut one, &mut other);
    assert_eq!(traffic.rejections, []);
    assert_eq!(one.registry.summaries(), other.registry.summaries());
    assert_eq!((one.store.len(), other.store.len()), (240, 240));
    let again = compare(&mut one, &mut other);
    assert!(again.messages <= 6 && again.bytes < 1_000, "equal replicas say little: {again:?}");
}

#[test]
fn long_log_comes_in_pages_and_a_part_of_it_is_not_sent_twice() {
    let (history, _) = network(1, 1);
    let (mut one, mut other) = (Replica::new(history.clone()), Replica::new(history.clone()));
    let mut device = Person::new(history.topic(), 1).device(0, 1);
    one.give(&device.opening);
    for at in 0..3_000 {
        one.give(&device.claim(&format!("name-{at}"), None));
    }
    let all: usize = one.store.values().map(Vec::len).sum();
    let first = compare(&mut one, &mut other);
    assert!(all > 2 * PAGE_MAX_BYTES && first.bytes < all + all / 10, "{} of {all}", first.bytes);
    for at in 0..10 {
        one.give(&device.claim(&format!("more-{at}"), None));
    }
    let second = compare(&mut one, &mut other);
    assert!(second.bytes < 10_000, "only what is new: {second:?}");
    assert_eq!(one.registry.summaries(), other.registry.summaries());
}

/// Two branches of equal length: both sides find the fork, and no carrier is marked.
#[test]
fn branches_of_equal_length_are_found() {
    let (history, _) = network(1, 1);
    let (mut one, mut other) = (Replica::new(history.clone()), Replica::new(history.clone()));
    let mut owner = Person::new(history.topic(), 1).device(0, 1);
    let common: Vec<Entry> = (0..40).map(|at| owner.claim(&format!("name-{at}"), None)).collect();
    let mut thief = owner.clone();
    for node in [&mut one, &mut other] {
        node.give(&owner.opening);
        common.iter().for_each(|entry| node.give(entry));
    }
    for at in 0..20 {
        one.give(&owner.claim(&format!("hers-{at}"), None));
        other.give(&thief.claim(&format!("stolen-{at}"), None));
    }
    let traffic = compare(&mut one, &mut other);
    compare(&mut one, &mut other);
    assert_eq!(traffic.rejections, []);
    for node in [&one, &other] {
        let chain = node.registry.chain(&owner.log()).expect("the log");
        assert_eq!((chain.len(), chain.fork()), (41, Some(41)));
    }
    assert_eq!(one.registry.summaries(), other.registry.summaries());
}

/// Random logs with forks, revocations and rotations are spread over replicas, which meet at random.
#[test]
fn replicas_that_meet_at_random_come_to_the_same() {
    for seed in 0..40 {
        let mut case = Case::new(seed);
        let mut nodes: Vec<Replica> = (0..4).map(|_| Replica::new(case.history.clone())).collect();
        let mut items = case.items.clone();
        // Each item is given to one replica, those of a device in their order; a fork may be anywhere.
        let mut receipts = Vec::new();
        for item in items.drain(..) {
            let at = case.random.random_range(0..nodes.len());
            match item {
                Item::Entry(entry) => {
                    // Every replica has the openings.
                    if entry.header().seq == 0 {
                        nodes.iter_mut().for_each(|node| node.give(&entry));
                    }
                    let near = case.random.random_range(1..=nodes.len());
                    for step in 0..near {
                        let at = (at + step) % nodes.len();
                        nodes[at].give(&entry);
                    }
                }
                Item::Receipt(receipt) => receipts.push(receipt),
            }
        }
        for receipt in receipts {
            // A receipt goes where its entry is.
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            order.shuffle(&mut case.random);
            if let Some(at) = order.into_iter().find(|at| nodes[*at].store.contains_key(&receipt.entry)) {
                nodes[at].registry.add_receipt(*receipt);
            }
        }
        for round in 0..40 {
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            order.shuffle(&mut case.random);
            let (low, high) = (order[0].min(order[1]), order[0].max(order[1]));
            let (left, right) = nodes.split_at_mut(high);
            let traffic = compare(&mut left[low], &mut right[0]);
            left[low].refresh();
            right[0].refresh();
            assert_eq!(traffic.rejections, [], "seed {seed}, round {round}");
        }
        let first = (nodes[0].registry.summaries(), case.verdict(&nodes[0].registry));
        for node in &nodes[1..] {
            assert_eq!(node.registry.summaries(), first.0, "seed {seed}");
            if first.1.names.iter().all(|name| name.contested.is_empty()) {
                assert_eq!(case.verdict(&node.registry), first.1, "seed {seed}");
            }
        }
    }
}

#[test]
fn peers_of_another_network_are_told_apart_before_anything_is_compared() {
    let (one, _) = network(1, 1);
    let (other, _) = network(3, 2);
    let (one, other) = (Registry::new(one), Registry::new(other));
    let mut exchange = Exchange::new(true, Rc::default());
    let foreign = Message::Hello(hello(&other)).encode();
    let outputs = exchange.handle(Input::Message(foreign), &one, BEGIN);
    assert!(outputs.contains(&Output::Rejected(Rejection::ForeignTopic)), "{outputs:?}");
    let mut exchange = Exchange::new(true, Rc::default());
    let early = Message::Done { round: 0 }.encode();
    assert!(exchange.handle(Input::Message(early), &one, BEGIN).contains(&Output::Rejected(Rejection::OutOfOrder)));
}

#[test]
fn each_message_has_its_bounds() {
    let state = Digest::of(b"state");
    let want = |count: usize| Message::Want(vec![state; count]).encode();
    assert!(Message::decode(&want(WANT_MAX)).is_ok());
    assert_eq!(Message::decode(&want(WANT_MAX + 1)), Err(DecodeError::OutOfRange));
    let need = |count: usize| Message::Need { ticket: 1, asks: vec![Ask::Opening(state); count] }.encode();
    assert!(Message::decode(&need(ASKS_MAX)).is_ok());
    assert_eq!(Message::decode(&need(ASKS_MAX + 1)), Err(DecodeError::OutOfRange));
    assert_eq!(Message::decode(&vec![3; MESSAGE_MAX_BYTES + 1]), Err(DecodeError::OutOfRange));
    let announced = crate::canonical::Encoder::new().byte(5).integer(u64::MAX).finish();
    assert_eq!(Message::decode(&announced), Err(DecodeError::OutOfRange));
    assert_eq!(Message::decode(&[12]), Err(DecodeError::UnknownKind(12)));
}

#[test]
fn pieces_that_prove_their_own_fault_are_marked_and_the_rest_is_taken() {
    let (history, _) = network(1, 1);
    let mut node = Replica::new(history.clone());
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    let claim = laptop.claim("rose", None);
    let mut forged = claim.encode();
    forged[crate::log::HEADER_BYTES - 1] ^= 1;
    let pieces = [
        Piece::Entry(laptop.opening.encode()),
        Piece::Entry(forged),
        Piece::Receipt(vec![1, 2, 3]),
        Piece::Fork(claim.signed_header().encode(), claim.signed_header().encode()),
        Piece::Entry(claim.encode()),
    ];
    let outcome = admit(&mut node.registry, &pieces, |_| Some(0));
    assert_eq!(outcome.rejections, [Rejection::Forged, Rejection::Forged, Rejection::BadChange]);
    assert_eq!(outcome.kept, [laptop.opening.clone(), claim]);
    assert_eq!(node.registry.name(&username("rose")).others.len(), 1);
}

#[test]
fn change_of_the_set_is_carried_by_who_knows_it() {
    use crate::actors::succession_key;
    use crate::keys::SecretKey;
    use crate::network::{Closing, FactList, SetChange, WitnessSet};
    let (history, _) = network(1, 1);
    let change = SetChange {
        number: 1,
        before: history.newest(),
        set: WitnessSet::new([SecretKey::from_seed(&[50; 32]).public()], 1, [succession_key(1, 0).public().digest()]),
        version: 1,
        closing: Closing::of(&FactList::default()),
    };
    let signature = change.sign(&history.topic(), &succession_key(0, 0));
    let signed = SignedSetChange::new(&history.topic(), change, vec![signature]).expect("valid");
    for knowing in [0, 1] {
        let mut nodes = [Replica::new(history.clone()), Replica::new(history.clone())];
        nodes[knowing].registry.follow(signed.clone()).expect("the next change");
        let [one, other] = &mut nodes;
        compare(one, other);
        assert_eq!((one.registry.history().number(), other.registry.history().number()), (1, 1));
    }
}

/// A statement inside an entry with a bad signature: the entry says nothing, and who carries it is not marked.
#[test]
fn bad_signature_inside_an_entry_marks_nobody() {
    let (history, _) = network(1, 1);
    let mut node = Replica::new(history.clone());
    let [mut alice, mut bob] = [1, 2].map(|seed| Person::new(history.topic(), seed).device(0, seed));
    let hers = alice.claim("rose", None);
    let forged = Withdrawal::sign(&alice.topic, &bob.key, hers.id());
    let second = bob.clone().claim_again("rose", None, 1, vec![forged]);
    // It says that Alice's device signed, which it did not.
    let mut bytes = second.body().to_vec();
    let place = bytes.windows(32).position(|window| window == bob.key.public().as_bytes()).expect("the key is there");
    bytes[place..place + 32].copy_from_slice(alice.key.public().as_bytes());
    let entry = bob.write_raw(log::Kind::Claim as u8, bytes);
    let pieces = [Piece::Entry(bob.opening.encode()), Piece::Entry(entry.encode())];
    let Outcome { kept, rejections, .. } = admit(&mut node.registry, &pieces, |_| Some(0));
    assert_eq!((kept.len(), rejections), (2, vec![]), "it is kept and passed on");
    let effect = node.registry.effect(&entry).expect("its opening is here");
    assert_eq!(effect, Err(NoEffect::Body(log::BodyError::Statement(StatementError::Forged))));
    assert!(node.registry.name(&username("rose")).others.is_empty());
}

/// A peer that sends details without end, or asks for one long log many times, takes a bounded share of memory.
#[test]
fn what_a_peer_makes_a_node_hold_is_bounded() {
    let (history, _) = network(1, 1);
    let mut node = Replica::new(history.clone());
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    node.give(&laptop.opening);
    for at in 0..3_000 {
        node.give(&laptop.claim(&format!("name-{at}"), None));
    }
    let asks = vec![Ask::Log { log: laptop.log(), known: vec![] }; ASKS_MAX];
    assert_eq!(plan_answer(&node.registry, &asks).len(), pieces::PARTS_MAX);

    let mut exchange = Exchange::new(false, Rc::default());
    exchange.handle(Input::Message(Message::Hello(hello(&node.registry)).encode()), &node.registry, BEGIN);
    let beside: Vec<(EntryId, Digest)> =
        (0..BESIDE_MAX).map(|at| (EntryId::from_digest(Digest::of(&at.to_be_bytes())), Digest::of(b"x"))).collect();
    let mut ended = false;
    for at in 0..5_000u64 {
        let did = Did::from_digest(Digest::of(&(at % 900).to_be_bytes()));
        let detail = Detail { did, openings: vec![Digest::of(b"o")], logs: vec![], beside: beside.clone() };
        let message = Message::Details { details: vec![detail], is_last: false }.encode();
        let outputs = exchange.handle(Input::Message(message), &node.registry, BEGIN);
        ended |= outputs.contains(&Output::Ended);
        assert!(exchange.pending_bytes <= PENDING_MAX_BYTES);
    }
    assert!(ended, "a flood of messages ends the exchange");
}

/// What changes between rounds is there at once, from either side, however many changes are joined into one piece of news.
#[test]
fn news_bring_what_changed_without_a_comparison() {
    let (history, _) = network(1, 1);
    let (mut one, mut other) = (Replica::new(history.clone()), Replica::new(history.clone()));
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    let mut pair = Pair::new(&mut one, &mut other);
    for (from, name) in [(0, "rose"), (1, "lily")] {
        pair.sides[from].1.give(&laptop.opening);
        for nth in 0..5 {
            let claim = laptop.claim(&format!("{name}-{nth}"), None);
            pair.sides[from].1.give(&claim);
        }
        pair.put(from, Input::Changed(vec![laptop.did]));
        pair.run(usize::MAX);
        assert_eq!(pair.sides[0].1.registry.summaries(), pair.sides[1].1.registry.summaries(), "{name}");
    }
    let before = pair.traffic.messages;
    pair.put(0, Input::Changed(vec![laptop.did]));
    pair.run(usize::MAX);
    assert_eq!(pair.traffic.messages, before + 1, "the same once more is no news");
    assert!(pair.traffic.rejections.is_empty(), "{:?}", pair.traffic.rejections);
}

/// A round that begins while news are fetched, and news in the middle of a round, at every moment of both.
#[test]
fn news_and_rounds_do_not_disturb_each_other() {
    for moment in 0..40 {
        for from in [0, 1] {
            let (history, _) = network(1, 1);
            let (mut one, mut other) = (Replica::new(history.clone()), Replica::new(history.clone()));
            let (alice, bob) = (Person::new(history.topic(), 1), Person::new(history.topic(), 2));
            let (mut laptop, mut bobs) = (alice.device(0, 1), bob.device(0, 2));
            let claims: Vec<Entry> = (0..5).map(|nth| laptop.claim(&format!("rose-{nth}"), None)).collect();
            let mut pair = Pair::new(&mut one, &mut other);
            for entry in [&laptop.opening].into_iter().chain(&claims) {
                pair.sides[0].1.give(entry);
            }
            let (first, second) = if moment % 2 == 0 {
                (Input::Begin, Input::Changed(vec![bobs.did]))
            } else {
                (Input::Changed(vec![laptop.did]), Input::Begin)
            };
            pair.put(0, first);
            pair.run(moment / 2);
            let claim = bobs.claim("iris", None);
            pair.sides[from].1.give(&bobs.opening);
            pair.sides[from].1.give(&claim);
            let at = if matches!(second, Input::Begin) { 0 } else { from };
            pair.put(at, second);
            pair.put(from, Input::Changed(vec![bobs.did]));
            pair.run(usize::MAX);
            assert!(pair.traffic.rejections.is_empty(), "{moment} {from}: {:?}", pair.traffic.rejections);
            assert_eq!(pair.sides[0].1.registry.summaries(), pair.sides[1].1.registry.summaries(), "{moment} {from}");
        }
    }
}

/// A small device keeps a quarter of the ring and whom it wants; the other one keeps everybody.
#[test]
fn a_node_that_keeps_a_range_gets_all_of_it_and_nobody_else() {
    let (history, _) = network(1, 1);
    let (mut small, mut whole) = (Replica::new(history.clone()), Replica::new(history.clone()));
    let mut dids = Vec::new();
    for seed in 1..=80 {
        let person = Person::new(history.topic(), seed);
        let mut device = person.device(0, seed);
        whole.give(&device.opening);
        whole.give(&device.claim(&format!("name-{seed}"), None));
        dids.push(person.did);
    }
    let range = RingRange::around(place_of(&dids[0]), 2);
    let is_inside = |did: &Did| range.contains(place_of(did));
    let wanted = *dids.iter().find(|did| !is_inside(did)).expect("three quarters are");
    small.registry.retain(Retention::new(range, [wanted]));
    let traffic = compare_and_ask(&mut small, &mut whole, vec![wanted]);
    assert_eq!(traffic.rejections, []);
    let inside: BTreeSet<Did> = dids.iter().copied().filter(is_inside).collect();
    assert!((5..40).contains(&inside.len()), "about a quarter: {}", inside.len());
    let expected: BTreeSet<Did> = inside.iter().copied().chain([wanted]).collect();
    assert_eq!(small.registry.identities().copied().collect::<BTreeSet<_>>(), expected);
    let again = compare(&mut small, &mut whole);
    assert!(again.messages <= 6 && again.bytes < 1_100, "equal where they compare: {again:?}");

    // News and details of others are not taken, and nobody is marked for them.
    let outside = *dids.iter().find(|did| !is_inside(did) && **did != wanted).expect("there are more");
    let mut pair = Pair::new(&mut small, &mut whole);
    pair.put(1, Input::Changed(vec![outside]));
    pair.run(usize::MAX);
    assert_eq!(pair.traffic.rejections, []);
    assert_eq!(small.registry.identities().count(), expected.len());

    // It narrows while a stream is open, and widens again.
    let narrow = RingRange::around(place_of(&dids[0]), 4);
    for (range, count) in [(narrow, expected.len()), (RingRange::WHOLE, dids.len())] {
        small.registry.retain(Retention::new(range, [wanted]));
        let mut pair = Pair::new(&mut small, &mut whole);
        pair.put(0, Input::RangeChanged);
        pair.put(0, Input::Begin);
        pair.run(usize::MAX);
        assert_eq!(pair.traffic.rejections, []);
        assert_eq!(small.registry.identities().count(), count);
    }
    assert_eq!(small.registry.summaries(), whole.registry.summaries());
}

/// Nodes whose ranges have nothing in common exchange what one of them asks for by name.
#[test]
fn who_is_asked_for_by_name_comes_with_the_history_of_their_names() {
    let (history, keys) = network(1, 1);
    let (mut small, mut whole) = (Replica::new(history.clone()), Replica::new(history.clone()));
    let (bob, alice) = (Person::new(history.topic(), 1), Person::new(history.topic(), 2));
    let (mut bobs, mut laptop) = (bob.device(0, 1), alice.device(0, 2));
    let confirm = |entry: &Entry| {
        let slots = vec![*entry.id().digest()];
        crate::receipt::Receipt::sign(&history.topic(), &keys[0], 0, entry.id(), slots, BEGIN)
    };
    let claim = bobs.claim("rose", None);
    let lily = bobs.claim("lily", None);
    let give_up = bobs.give_up(&bob, claim.id(), None);
    let finish = bobs.finish(&bob, give_up.id(), claim.id().digest());
    let hers = laptop.claim("rose", Some(finish.id()));
    let entries = [&bobs.opening, &claim, &lily, &give_up, &finish, &laptop.opening, &hers];
    entries.iter().for_each(|entry| whole.give(entry));
    [&claim, &lily, &give_up, &finish, &hers].iter().for_each(|entry| {
        whole.registry.add_receipt(confirm(entry));
    });
    let rose = username("rose");
    assert_eq!(whole.registry.name(&rose).holder().map(|held| held.holder), Some(alice.did));

    let elsewhere = RingRange::around(!place_of(&alice.did), 20);
    small.registry.retain(Retention::new(elsewhere, [alice.did]));
    compare(&mut small, &mut whole);
    assert_eq!(small.registry.identities().count(), 0);
    compare_and_ask(&mut small, &mut whole, vec![alice.did]);
    assert_eq!(small.registry.name(&rose), whole.registry.name(&rose));
    assert_eq!(small.registry.digest_of(&alice.did), whole.registry.digest_of(&alice.did));
    assert!(small.registry.facts().get(&lily.id()).is_none(), "what nobody asked for");
}

/// A replica with so many people who have written nothing but their openings and a claim, which is confirmed or not.
fn crowd(history: &NetworkHistory, keys: &[SecretKey], people: u16, is_confirmed: bool) -> Replica {
    let mut node = Replica::new(history.clone());
    for nth in 0..people {
        let mut entropy = [0; 32];
        entropy[..2].copy_from_slice(&nth.to_be_bytes());
        let person = Person::of_entropy(history.topic(), entropy);
        let mut device = person.device(0, 1);
        let claim = device.claim(&format!("name-{nth}"), None);
        node.give(&device.opening);
        node.give(&claim);
        if is_confirmed {
            let slots = vec![*claim.id().digest()];
            node.registry.add_receipt(Receipt::sign(&history.topic(), &keys[0], 0, claim.id(), slots, BEGIN));
        }
    }
    node
}

fn take_in(small: &mut Replica, crowd: &mut Replica, allowance: &Rc<RefCell<NodeBudget>>) -> Vec<Rejection> {
    let mut pair = Pair::with_allowance(small, crowd, allowance.clone());
    pair.put(0, Input::Begin);
    pair.run(usize::MAX);
    assert!(!pair.sides[0].0.is_busy(), "the round ends");
    pair.traffic.rejections
}

#[test]
fn people_without_a_confirmed_name_are_taken_as_far_as_the_allowance_goes() {
    let (history, keys) = network(1, 1);
    let (mut small, mut nameless) = (Replica::new(history.clone()), crowd(&history, &keys, 50, false));
    let allowance = Rc::new(RefCell::new(NodeBudget::new(10, 0)));
    for _ in 0..2 {
        assert_eq!(take_in(&mut small, &mut nameless, &allowance), []);
        assert_eq!(small.registry.identity_count(), 10, "of all rounds and peers together");
    }
    // Those who are known already go on.
    let known = *small.registry.identities().next().expect("ten of them");
    let before = small.registry.digest_of(&known);
    let mut others = crowd(&history, &keys, 50, true);
    assert_eq!(take_in(&mut small, &mut others, &allowance), []);
    assert_eq!(small.registry.identity_count(), 50, "a confirmed name is no newcomer's");
    assert_ne!(small.registry.digest_of(&known), before);
}

#[test]
fn wanted_people_need_no_allowance() {
    let (history, keys) = network(1, 1);
    let (mut small, mut nameless) = (Replica::new(history.clone()), crowd(&history, &keys, 50, false));
    let wanted = *nameless.registry.identities().next().expect("fifty");
    small.registry.retain(Retention::new(RingRange::WHOLE, [wanted]));
    take_in(&mut small, &mut nameless, &Rc::new(RefCell::new(NodeBudget::new(0, 0))));
    assert_eq!(small.registry.identities().copied().collect::<Vec<_>>(), [wanted]);
}

/// A peer that offers people of whom it has nothing.
#[test]
fn people_who_do_not_come_use_up_no_allowance() {
    let (history, keys) = network(1, 1);
    let (mut node, crowd) = (Replica::new(history.clone()), crowd(&history, &keys, 300, false));
    let allowance = Rc::new(RefCell::new(NodeBudget::new(300, 0)));
    let mut exchange = Exchange::new(true, allowance.clone());
    let mut inputs = VecDeque::from([Input::Message(Message::Hello(hello(&node.registry)).encode())]);
    let dids: Vec<Did> = crowd.registry.identities().copied().collect();
    for dids in dids.chunks(WANT_MAX) {
        let details = dids.iter().map(|did| crowd.registry.detail_of(did).expect("it is there")).collect();
        inputs.push_back(Input::Message(Message::Details { details, is_last: false }.encode()));
    }
    let mut asked = 0;
    while let Some(input) = inputs.pop_front() {
        for output in exchange.handle(input, &node.registry, BEGIN) {
            match output {
                Output::Send(Message::Need { ticket, asks }) => {
                    asked += asks.len();
                    inputs.push_front(Input::Message(Message::Pieces { ticket, pieces: vec![] }.encode()));
                }
                Output::Admit(pieces) => {
                    inputs.push_front(Input::Admitted(admit(&mut node.registry, &pieces, |_| Some(0))));
                }
                _ => {}
            }
        }
    }
    assert!(asked >= 300 && node.registry.identity_count() == 0, "all were asked for, and nobody came");
    let mut honest = crowd;
    assert_eq!(take_in(&mut node, &mut honest, &allowance), []);
    assert_eq!(node.registry.identity_count(), 300);
}

/// A peer that calls everybody confirmed, and has no receipt to show.
#[test]
fn who_is_falsely_called_confirmed_comes_once_in_a_page() {
    let (history, keys) = network(1, 1);
    let crowd = crowd(&history, &keys, 2_000, false);
    let mut registry = Registry::new(history);
    let mut exchange = Exchange::new(true, Rc::new(RefCell::new(NodeBudget::new(0, 0))));
    let mut inputs: VecDeque<Input> = VecDeque::new();
    inputs.push_back(Input::Message(Message::Hello(hello(&registry)).encode()));
    let dids: Vec<Did> = crowd.registry.identities().copied().collect();
    for dids in dids.chunks(WANT_MAX) {
        let details = dids.iter().map(|did| {
            let mut detail = crowd.registry.detail_of(did).expect("it is there");
            detail.beside.push((EntryId::from_digest(*did.digest()), *did.digest()));
            detail
        });
        let message = Message::Details { details: details.collect(), is_last: false };
        inputs.push_back(Input::Message(message.encode()));
    }
    while let Some(input) = inputs.pop_front() {
        for output in exchange.handle(input, &registry, BEGIN) {
            match output {
                Output::Send(Message::Need { ticket, asks }) => {
                    let openings =
                        asks.iter().filter(|ask| matches!(ask, Ask::Opening(_))).cloned().collect::<Vec<_>>();
                    let parts = plan_answer(&crowd.registry, &openings);
                    let pieces = load_answer(parts, |entry| crowd.store.get(entry).cloned());
                    inputs.push_front(Input::Message(Message::Pieces { ticket, pieces }.encode()));
                }
                Output::Admit(pieces) => inputs.push_front(Input::Admitted(admit(&mut registry, &pieces, |_| Some(0)))),
                _ => {}
            }
        }
    }
    assert!(registry.identity_count() <= ASKS_MAX + WANT_MAX, "{}", registry.identity_count());
}

/// Pages are on their way whenever a node narrows its range.
#[test]
fn what_was_asked_for_before_the_range_was_narrowed_is_not_taken() {
    let (history, keys) = network(1, 1);
    let mut most_dropped = 0;
    for moment in 0..40 {
        let (mut small, mut whole) = (Replica::new(history.clone()), crowd(&history, &keys, 150, false));
        let first = *whole.registry.identities().next().expect("there are some");
        let range = RingRange::around(place_of(&first), 3);
        let mut pair = Pair::new(&mut small, &mut whole);
        pair.put(0, Input::Begin);
        pair.run(moment);
        let is_due = !pair.sides[0].0.asked.is_empty();
        pair.sides[0].1.registry.retain(Retention::new(range, []));
        let outside = |registry: &Registry| registry.identities().filter(|did| !range.contains(place_of(did))).count();
        let before = outside(&pair.sides[0].1.registry);
        pair.put(0, Input::RangeChanged);
        pair.run(usize::MAX);
        assert_eq!(outside(&pair.sides[0].1.registry), before, "after {moment} steps");
        assert!(!pair.sides[0].0.is_busy() && pair.traffic.rejections.is_empty(), "after {moment} steps");
        most_dropped += usize::from(is_due);
    }
    assert!(most_dropped > 0, "at some moment a page was due");
}
