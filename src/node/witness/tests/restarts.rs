//! Restarts in each moment, stores that lost something or are another's, and clocks that were set back.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::{Batch, StoreError, Table, Write};
use gen_registry_core::actors::network;
use gen_registry_core::keys::SecretKey;

/// What keeps a witness with this store from starting.
fn refused_start(network: &Network, store: Rc<MemoryStore>, key: &SecretKey) -> WitnessError {
    let start = Witness::start(store, key.clone(), network.history.genesis().clone(), later(5));
    block_on(start).err().expect("it does not start")
}

/// A network of one whose witness has signed two claims and learned nothing else.
fn used() -> (Network, Device, Vec<Entry>) {
    let network = Network::new(1, 1);
    let mut alice = device(&network, 1);
    let claims: Vec<Entry> = ["rose", "lily"].iter().map(|name| alice.claim(name, None)).collect();
    for claim in &claims {
        signed(ask(&network.witnesses[0], &alice, claim, BEGIN));
    }
    (network, alice, claims)
}

#[test]
fn stored_and_not_sent_is_sent_at_the_next_asking() {
    let (mut network, alice, claims) = used();
    let before = signed(ask(&network.witnesses[0], &alice, &claims[0], BEGIN));
    network.restart(0, later(5));
    assert_eq!(signed(ask(&network.witnesses[0], &alice, &claims[0], later(5))), before);
    let bob = device(&network, 2);
    assert!(matches!(ask(&network.witnesses[0], &bob, &bob.clone().claim("rose", None), later(5)), Answer::Taken(_)));
    assert_eq!(block_on(network.witnesses[0].receipts()), 2);
}

/// A full disk: nothing is answered, at no asking, and after a restart or with room again the first who comes gets it.
#[test]
fn nothing_is_sent_that_is_not_stored() {
    let mut network = Network::new(1, 1);
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let (rose, rival) = (alice.claim("rose", None), bob.claim("rose", None));
    network.stores[0].fail_commits(Some(StoreError::Full));
    for seconds in 0..3 {
        assert_eq!(ask(&network.witnesses[0], &alice, &rose, later(seconds)), Answer::Busy);
    }
    assert!(block_on(network.witnesses[0].take_outgoing()).is_empty());
    network.stores[0].fail_commits(None);
    signed(ask(&network.witnesses[0], &bob, &rival, later(4)));
    network.restart(0, later(5));
    assert!(matches!(ask(&network.witnesses[0], &alice, &rose, later(5)), Answer::Taken(_)));
    signed(ask(&network.witnesses[0], &bob, &rival, later(5)));
}

/// Each record that is lost or damaged, one at a time, the last ones as well.
#[test]
fn store_that_lost_a_record_is_not_used() {
    let (network, ..) = used();
    let store = &network.stores[0];
    let mut checked = 0;
    for table in [Table::Changes, Table::Settings] {
        for key in store.keys(table) {
            // Without it the witness counts as away until now, and the version is written again.
            if key == "next/presence" || key == "schema" {
                continue;
            }
            let lost = Rc::new(store.copy());
            block_on(lost.commit(vec![Write::Delete { table, key: key.clone() }], Durability::Strict))
                .expect("a delete");
            let error = refused_start(&network, lost, &network.keys[0]);
            assert!(
                matches!(error, WitnessError::Incomplete { .. } | WitnessError::Damaged(_) | WitnessError::NoOwner),
                "{key}: {error}"
            );
            let damaged = Rc::new(store.copy());
            assert!(damaged.tamper(table, &key, |raw| *raw.last_mut().expect("bytes") ^= 1));
            let error = refused_start(&network, damaged, &network.keys[0]);
            assert!(matches!(error, WitnessError::Damaged(_)), "{key}: {error}");
            checked += 1;
        }
    }
    // Owner, head, an opening, two facts, two receipts.
    assert_eq!(checked, 7);
}

#[test]
fn store_of_another_key_or_network_is_not_used() {
    let (network, ..) = used();
    let copy = || Rc::new(network.stores[0].copy());
    let stranger = SecretKey::from_seed(&[1; 32]);
    assert!(matches!(refused_start(&network, copy(), &stranger), WitnessError::OtherKey));
    assert!(matches!(refused_start(&network, Rc::new(MemoryStore::new()), &stranger), WitnessError::NotOfSet));
    let mut genesis = network.history.genesis().clone();
    genesis.nonce = [9; 16];
    let other = block_on(Witness::start(copy(), network.keys[0].clone(), genesis, BEGIN)).err();
    assert!(matches!(other, Some(WitnessError::OtherNetwork)));
    // A request of another network is not looked at.
    let mut genesis = super::super::Genesis { nonce: [9; 16], ..self::network(1, 1).0.genesis().clone() };
    genesis.name = "another".into();
    let alice = Person::new(genesis.topic(), 1).device(0, 1);
    let answer = ask(&network.witnesses[0], &alice, &alice.clone().claim("iris", None), BEGIN);
    assert_eq!(answer, Answer::NotServed(NotServed::OtherNetwork));
}

#[test]
fn clock_far_behind_the_newest_receipt_signs_nothing() {
    let (mut network, mut alice, claims) = used();
    let skew = network.history.genesis().parameters.skew.as_millis() as u64;
    let back = |millis: u64| Timestamp::from_millis(BEGIN.as_millis() - millis);
    network.restart(0, back(skew + 1));
    let witness = &network.witnesses[0];
    let iris = alice.claim("iris", None);
    assert_eq!(ask(witness, &alice, &iris, back(skew + 1)), Answer::Busy);
    signed(ask(witness, &alice, &claims[0], back(skew + 1)));
    let receipt = signed(ask(witness, &alice, &iris, back(skew)));
    let receipt = Receipt::decode(&alice.topic, &receipt).expect("a receipt");
    assert_eq!(receipt.at, BEGIN, "times of receipts do not go back");
}

/// An operator brings an older copy back. The others have what it signed since, and show it.
#[test]
fn older_copy_of_the_store_signs_nothing_more() {
    let mut network = Network::new(3, 2);
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let old = Rc::new(network.stores[0].copy());
    let rose = alice.claim("rose", None);
    signed(ask(&network.witnesses[0], &alice, &rose, BEGIN));
    let passed_on = block_on(network.witnesses[0].take_outgoing());
    network.stores[0] = old;
    network.restart(0, later(1));
    for request in passed_on {
        assert_eq!(block_on(network.witnesses[0].answer(&request.encode(), later(1))), Answer::Busy);
    }
    assert_eq!(claim(&network.witnesses[0], &mut bob, "rose", later(2)), Answer::Busy);
    let store = Rc::new(network.stores[0].copy());
    assert!(matches!(refused_start(&network, store, &network.keys[0]), WitnessError::SetBack));
}

/// The witness does not know its own unconfirmed vote any less after a restart: the second receipt confirms it.
#[test]
fn own_vote_is_confirmed_by_anothers_after_a_restart() {
    let mut network = Network::new(3, 2);
    let mut alice = device(&network, 1);
    let crc = alice.claim_module("crc-32");
    signed(ask(&network.witnesses[0], &alice, &crc, BEGIN));
    signed(ask(&network.witnesses[1], &alice, &crc, BEGIN));
    network.restart(0, later(1));
    let release = alice.release("crc-32", "1.0.0", crc.id());
    assert_eq!(refused(ask(&network.witnesses[0], &alice, &release, later(1))), Code::Unknown);
    network.pass_on(later(1));
    signed(ask(&network.witnesses[0], &alice, &release, later(1)));
    network.restart(0, later(2));
    let release = alice.release("crc-32", "1.1.0", crc.id());
    signed(ask(&network.witnesses[0], &alice, &release, later(2)));
}

/// A store that has written before it says so.
struct LateStore(Rc<MemoryStore>);

impl Store for LateStore {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.0.get(table, key)
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<crate::store::Entry>, StoreError>> {
        self.0.scan(table, prefix, after, limit)
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        let written = self.0.commit(batch, durability);
        Box::pin(async move {
            let written = written.await;
            futures::pending!();
            written
        })
    }
}

/// Polls a future so many times, then drops it.
fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = Box::pin(future);
    (0..times).find_map(|_| future.as_mut().now_or_never())
}

/// The host breaks an answer off while it is being stored. Nothing more is answered until the witness is started again, and
/// then what was stored counts.
#[test]
fn answer_that_is_broken_off_leaves_nothing_unsaid() {
    let mut network = Network::new(1, 1);
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let rose = alice.claim("rose", None);
    let late: Rc<dyn Store> = Rc::new(LateStore(network.stores[0].clone()));
    let start = Witness::start(late, network.keys[0].clone(), network.history.genesis().clone(), BEGIN);
    let witness = polled(start, 9).expect("it starts").expect("a store of its own");
    assert!(polled(witness.note_reachable(BEGIN), 9).is_some(), "when it was reachable is stored");
    let asked = crate::receipts::support::request(&alice, &rose, vec![]);
    assert!(polled(witness.answer(&asked, BEGIN), 1).is_none(), "it is broken off");
    for _ in 0..2 {
        assert_eq!(polled(witness.answer(&asked, BEGIN), 9), Some(Answer::Busy));
    }
    assert!(polled(witness.stop(), 9).expect("it answers").is_err());
    network.restart(0, later(1));
    assert!(matches!(claim(&network.witnesses[0], &mut bob, "rose", later(1)), Answer::Taken(_)));
    signed(ask(&network.witnesses[0], &alice, &rose, later(1)));
}
