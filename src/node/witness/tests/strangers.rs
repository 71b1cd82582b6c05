//! What strangers can and can't make a witness store.

use super::*;
use crate::receipts::support::{ask_with, request};
use crate::store::Table;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::slot::Slot;

/// All keys that a witness has stored.
fn stored(network: &Network, at: usize) -> Vec<String> {
    network.stores[at].keys(Table::Changes)
}

fn learn(network: &Network, device: &Device, entry: &Entry, receipts: Vec<Vec<u8>>) -> Vec<u8> {
    let (opening, entry) = (device.opening.encode(), entry.encode());
    Request::Learn(Learn { topic: network.history.topic(), opening, entry, receipts }).encode()
}

/// A receipt of a witness that signs whatever it likes.
fn receipt_by(network: &Network, key: &SecretKey, device: &Device, entry: &Entry) -> Vec<u8> {
    let topic = network.history.topic();
    let opening = gen_registry_core::log::Opening::decode(&topic, device.opening.body()).expect("an opening");
    let fact = gen_registry_core::outcome::Fact::of(&topic, entry, &opening).expect("it says something");
    let slots = fact.slots().iter().map(Slot::digest).collect();
    Receipt::sign(&topic, key, 0, entry.id(), slots, BEGIN).encode()
}

#[test]
fn refused_requests_leave_nothing() {
    let network = Network::new(3, 2);
    let witness = &network.witnesses[0];
    signed(ask(witness, &device(&network, 99), &device(&network, 99).claim("taken", None), BEGIN));
    let before = stored(&network, 0);
    for seed in 1..20 {
        let mut stranger = device(&network, seed);
        let claim = stranger.claim_module("crc-32");
        let release = stranger.release("crc-32", "1.0.0", claim.id());
        // Its claim is shown without a receipt, and with one of a stranger.
        let stranger_key = SecretKey::from_seed(&[seed; 32]);
        let pieces = vec![
            Piece::Entry(stranger.opening.encode()),
            Piece::Entry(claim.encode()),
            Piece::Receipt(receipt_by(&network, &stranger_key, &stranger, &claim)),
        ];
        let answer = ask_with(witness, &stranger, &release, pieces, BEGIN);
        assert_eq!(refused(answer), Code::Unknown);
        assert!(matches!(ask(witness, &stranger, &stranger.clone().claim("taken", None), BEGIN), Answer::Taken(_)));
    }
    assert_eq!(stored(&network, 0), before);
    let state = block_on(witness.state.lock());
    assert_eq!(state.registry.facts().names().count(), 1);
    assert!(state.registry.opening(&device(&network, 1).log()).is_none(), "not even an opening in memory");
}

/// Confirmed facts that come along are kept, whatever becomes of the request; forged ones end the reading.
#[test]
fn pieces_are_kept_only_if_the_set_confirmed_them() {
    let network = Network::new(3, 2);
    let mut alice = device(&network, 1);
    let crc = alice.claim_module("crc-32");
    let receipts: Vec<Piece> = network.witnesses[..2]
        .iter()
        .map(|witness| Piece::Receipt(signed(ask(witness, &alice, &crc, BEGIN))))
        .collect();
    let release = alice.release("crc-32", "1.0.0", crc.id());
    let third = &network.witnesses[2];
    let shown = |receipts: &[Piece]| {
        let entries = [Piece::Entry(crc.encode()), Piece::Entry(alice.opening.encode())];
        entries.into_iter().chain(receipts.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(refused(ask_with(third, &alice, &release, shown(&receipts[..1]), BEGIN)), Code::Unknown, "one is short");
    let mut forged = receipts.clone();
    if let Piece::Receipt(bytes) = &mut forged[1] {
        *bytes.last_mut().expect("bytes") ^= 1;
    }
    let answer = ask_with(third, &alice, &release, shown(&forged), BEGIN);
    assert_eq!(answer, Answer::NotServed(NotServed::Unreadable));
    assert!(stored(&network, 2).is_empty());
    signed(ask_with(third, &alice, &release, shown(&receipts), BEGIN));
    // Once more, twice in one request, and now that it is known they are not even read.
    let again = [shown(&receipts), shown(&forged)].concat();
    let more = alice.release("crc-32", "1.0.0", release.id());
    assert!(matches!(ask_with(third, &alice, &more, again, BEGIN), Answer::Taken(_)));
}

#[test]
fn learning_takes_a_witness_of_the_set() {
    let network = Network::new(3, 2);
    let witness = &network.witnesses[0];
    let mut alice = device(&network, 1);
    let rose = alice.claim("rose", None);
    let tell = |receipts: Vec<Vec<u8>>| block_on(witness.answer(&learn(&network, &alice, &rose, receipts), BEGIN));
    let by = |key: &SecretKey| receipt_by(&network, key, &alice, &rose);
    let unproven = Answer::NotServed(NotServed::Unproven);
    assert_eq!(tell(vec![]), unproven);
    assert_eq!(tell(vec![by(&SecretKey::from_seed(&[1; 32]))]), unproven);
    let mut forged = by(&network.keys[1]);
    *forged.last_mut().expect("bytes") ^= 1;
    assert_eq!(tell(vec![forged]), Answer::NotServed(NotServed::Unreadable));
    assert!(stored(&network, 0).is_empty());
    assert_eq!(tell(vec![by(&network.keys[1])]), Answer::Noted);
    let once = network.stores[0].commits();
    assert_eq!(tell(vec![by(&network.keys[1])]), Answer::Noted, "known already");
    assert_eq!(network.stores[0].commits(), once, "and not written again");
    // One vote of another is no reason to refuse a rival; the book says what this witness signed.
    let bob = device(&network, 2);
    signed(ask(witness, &bob, &bob.clone().claim("rose", None), BEGIN));
}

/// A device that its owner revoked gets nothing more, also after a restart; strangers can't revoke.
#[test]
fn what_an_identity_says_of_its_devices_is_learned() {
    let mut network = Network::new(3, 2);
    let alice = Person::new(network.history.topic(), 1);
    let (mut laptop, mut phone) = (alice.device(0, 1), alice.device(1, 2));
    let mut stolen = phone.clone();
    let revoke = laptop.revoke(&alice, &phone, None);
    let say =
        |network: &Network| block_on(network.witnesses[0].answer(&learn(network, &laptop, &revoke, vec![]), BEGIN));
    assert_eq!(say(&network), Answer::NotServed(NotServed::Unproven), "nothing of her is known");
    let rose = phone.claim("rose", None);
    signed(ask(&network.witnesses[0], &phone, &rose, BEGIN));
    let mallory = Person::new(network.history.topic(), 9);
    let forged = gen_registry_core::statement::SignedStatement::sign(
        &alice.topic,
        alice.did,
        &mallory.key(),
        gen_registry_core::statement::Statement::DeviceRevoke(gen_registry_core::statement::DeviceRevoke {
            device: phone.key.public(),
            cut: gen_registry_core::statement::Cut::default(),
        }),
    );
    let forged = phone.clone().carry(forged, gen_registry_core::statement::DeviceList::default());
    let answer = block_on(network.witnesses[0].answer(&learn(&network, &phone, &forged, vec![]), BEGIN));
    assert_eq!(answer, Answer::NotServed(NotServed::Unproven));
    assert_eq!(say(&network), Answer::Noted);
    stolen.claim("rose", None);
    let lily = stolen.claim("lily", None);
    assert_eq!(refused(ask(&network.witnesses[0], &phone, &lily, BEGIN)), Code::DeviceNotIn);
    network.restart(0, later(1));
    assert_eq!(refused(ask(&network.witnesses[0], &phone, &lily, later(1))), Code::DeviceNotIn);
}

/// The proof that a device signed twice is kept, and nothing of its log is signed from there on.
#[test]
fn fork_is_learned_with_a_question() {
    let mut network = Network::new(1, 1);
    let mut alice = device(&network, 1);
    let first = alice.claim("rose", None);
    signed(ask(&network.witnesses[0], &alice, &first, BEGIN));
    let (mut owner, mut thief) = (alice.clone(), alice.clone());
    let (one, other) = (owner.claim("lily", None), thief.claim("iris", None));
    let fork = Piece::Fork(one.signed_header().encode(), other.signed_header().encode());
    let unknown = owner.release("crc-32", "1.0.0", first.id());
    let answer = ask_with(&network.witnesses[0], &alice, &unknown, vec![fork], BEGIN);
    assert_eq!(refused(answer), Code::Forked);
    network.restart(0, later(1));
    assert_eq!(refused(ask(&network.witnesses[0], &alice, &one, later(1))), Code::Forked);
}

/// A fork is known from two entries that were signed; a proof of a lower one comes later, and both are known after a restart.
#[test]
fn lower_fork_takes_the_place_of_a_higher_one() {
    let mut network = Network::new(3, 2);
    let mut alice = device(&network, 1);
    let (mut thief, first) = (alice.clone(), alice.claim("rose", None));
    let other = thief.claim("lily", None);
    let mut again = alice.clone();
    let (second, rival) = (alice.claim("iris", None), again.claim("aster", None));
    for entry in [&first, &second] {
        signed(ask(&network.witnesses[0], &alice, entry, BEGIN));
    }
    let receipts = network.keys[1..].iter().map(|key| receipt_by(&network, key, &alice, &rival)).collect();
    let told = learn(&network, &alice, &rival, receipts);
    assert_eq!(block_on(network.witnesses[0].answer(&told, BEGIN)), Answer::Noted);
    let fork = |network: &Network| {
        let state = block_on(network.witnesses[0].state.lock());
        state.registry.fork_of(&alice.log()).map(gen_registry_core::log::ForkProof::seq)
    };
    assert_eq!(fork(&network), Some(2));
    let proof = Piece::Fork(first.signed_header().encode(), other.signed_header().encode());
    let bob = device(&network, 2);
    let release = bob.clone().release("crc-32", "1.0.0", first.id());
    assert_eq!(refused(ask_with(&network.witnesses[0], &bob, &release, vec![proof], BEGIN)), Code::NotHolder);
    assert_eq!(fork(&network), Some(1), "who asks need not be whose log it is");
    network.restart(0, later(1));
    assert_eq!(fork(&network), Some(1));
}

/// One other witness signs without end: it is stopped, and nobody else is.
#[test]
fn each_bound_holds_on_both_sides() {
    let network = Network::new(3, 2);
    let bounds = Bounds { receipts: 2, facts: 100, votes_of_another: 3 };
    let witness =
        Witness::start(network.stores[0].clone(), network.keys[0].clone(), network.history.genesis().clone(), BEGIN);
    let witness = block_on(witness).expect("it starts").with_bounds(bounds);
    let mut alice = device(&network, 1);
    let claims: Vec<Entry> = (0..5).map(|at| alice.claim(&format!("rose-{at}"), None)).collect();
    let tell = |by: &[usize], claim: &Entry| {
        let receipts = by.iter().map(|at| receipt_by(&network, &network.keys[*at], &alice, claim)).collect();
        block_on(witness.answer(&learn(&network, &alice, claim, receipts), BEGIN))
    };
    for claim in &claims[..3] {
        assert_eq!(tell(&[1], claim), Answer::Noted);
    }
    assert_eq!(tell(&[1], &claims[3]), Answer::Busy);
    assert_eq!(tell(&[2], &claims[3]), Answer::Noted, "another one has its own count");
    assert_eq!(tell(&[1, 2], &claims[4]), Answer::Noted, "what is confirmed does not count");
    assert_eq!(tell(&[2], &claims[0]), Answer::Noted, "and makes room");
    let mut bob = device(&network, 2);
    for name in ["lily", "iris"] {
        signed(claim(&witness, &mut bob, name, BEGIN));
    }
    assert_eq!(claim(&witness, &mut bob, "aster", BEGIN), Answer::Busy);
    let facts = block_on(witness.state.lock()).head.facts;
    let full = Bounds { receipts: 10, facts: facts + 1, votes_of_another: 10 };
    let witness = witness.with_bounds(full);
    signed(claim(&witness, &mut bob, "poppy", BEGIN));
    assert_eq!(claim(&witness, &mut bob, "daisy", BEGIN), Answer::Busy);
}

#[test]
fn queue_for_the_others_drops_the_oldest() {
    let network = Network::new(3, 2);
    let mut state = block_on(network.witnesses[0].state.lock());
    let waiting = |at: usize| Learn {
        topic: network.history.topic(),
        opening: at.to_be_bytes().to_vec(),
        entry: vec![],
        receipts: vec![],
    };
    state.outgoing.extend((0..OUTGOING_MAX).map(waiting));
    drop(state);
    let mut alice = device(&network, 1);
    signed(claim(&network.witnesses[0], &mut alice, "rose", BEGIN));
    let outgoing = block_on(network.witnesses[0].take_outgoing());
    assert_eq!(outgoing.len(), OUTGOING_MAX);
    assert!(matches!(&outgoing[0], Request::Learn(learn) if learn.opening == 1_usize.to_be_bytes()));
    assert!(matches!(outgoing.last(), Some(Request::Learn(learn)) if learn.receipts.len() == 1));
}

/// Any change of any request is answered, and nothing of it is signed twice.
#[test]
fn bytes_that_nobody_wrote_are_answered() {
    let network = Network::new(1, 1);
    let mut alice = device(&network, 1);
    let rose = alice.claim("rose", None);
    let pieces = vec![Piece::Entry(alice.opening.encode()), Piece::Receipt(vec![7; 200]), Piece::Fork(vec![], vec![1])];
    let asked = request(&alice, &rose, pieces);
    let told = learn(&network, &alice, &rose, vec![receipt_by(&network, &network.keys[0], &alice, &rose)]);
    for bytes in [asked, told] {
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            let answer = block_on(network.witnesses[0].answer(&bytes, BEGIN));
            // A byte of the pieces changes nothing for a claim that needs none, nor one of what is known already.
            let is_answered = matches!(answer, Answer::NotServed(_) | Answer::Signed(_) | Answer::Noted);
            assert!(is_answered, "{at}: {answer:?}");
            block_on(network.witnesses[0].answer(&bytes[..at], BEGIN));
        }
    }
    assert_eq!(block_on(network.witnesses[0].receipts()), 1);
    assert_eq!(block_on(network.witnesses[0].state.lock()).registry.facts().names().count(), 1);
}

/// A thief with the identity key adds a device after a give-up was announced, to veto with it. The witness sees its opening
/// for the first time with the veto.
#[test]
fn device_that_is_new_to_the_witness_was_added_now() {
    let network = Network::new(1, 1);
    let witness = &network.witnesses[0];
    let alice = Person::new(network.history.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let (rose, mut added) = (laptop.claim("rose", None), alice.device(1, 2));
    let give_up = laptop.give_up(&alice, rose.id(), None);
    for entry in [&rose, &give_up] {
        signed(ask(witness, &laptop, entry, BEGIN));
    }
    let veto = added.write(&gen_registry_core::log::Body::Veto(give_up.id()));
    assert_eq!(refused(ask(witness, &added, &veto, later(1))), Code::NoVeto);
    assert_eq!(refused(ask(witness, &added, &veto, later(1))), Code::NoVeto, "at each asking");
}
