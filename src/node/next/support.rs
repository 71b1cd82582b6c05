//! A network of witnesses over real stores, for the tests of this folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::LocalBoxFuture;

use super::receipts::{Outcome, WitnessLink, collect};
use super::witness::Witness;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use gen_registry_core::actors::{BEGIN, Device, network};
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::log::Entry;
use gen_registry_core::network::NetworkHistory;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire::{Answer, Ask, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;

pub(super) fn later(seconds: u64) -> Timestamp {
    BEGIN.plus(Duration::from_secs(seconds))
}

/// Witnesses with their keys and stores.
pub(super) struct Network {
    pub history: NetworkHistory,
    pub keys: Vec<SecretKey>,
    pub stores: Vec<Rc<MemoryStore>>,
    pub witnesses: Vec<Rc<Witness>>,
}

impl Network {
    /// So many witnesses, of which `threshold` confirm.
    pub(super) fn new(witnesses: u8, threshold: u8) -> Self {
        let (history, keys) = network(witnesses, threshold);
        let stores: Vec<Rc<MemoryStore>> = keys.iter().map(|_| Rc::new(MemoryStore::new())).collect();
        let start = |(key, store): (&SecretKey, &Rc<MemoryStore>)| started(&history, key, store.clone(), BEGIN);
        let witnesses = keys.iter().zip(&stores).map(start).collect();
        Self { history, keys, stores, witnesses }
    }

    /// Ends a witness and starts it again from what is stored.
    pub(super) fn restart(&mut self, at: usize, now: Timestamp) {
        let store = Rc::new(self.stores[at].copy());
        self.stores[at] = store.clone();
        self.witnesses[at] = started(&self.history, &self.keys[at], store, now);
    }

    /// A registry that knows nothing but the network.
    pub(super) fn registry(&self) -> RefCell<Registry> {
        RefCell::new(Registry::new(self.history.clone()))
    }

    /// The witnesses, reached at one time.
    pub(super) fn link(&self, now: Timestamp) -> Link {
        let witnesses = self.witnesses.iter().map(|witness| (witness.key(), witness.clone())).collect();
        Link { witnesses, now }
    }

    /// Passes on what the witnesses signed, until none has more to say.
    pub(super) fn pass_on(&self, now: Timestamp) {
        for witness in &self.witnesses {
            for request in block_on(witness.take_outgoing()) {
                for other in self.witnesses.iter().filter(|other| other.key() != witness.key()) {
                    block_on(other.answer(&request.encode(), now));
                }
            }
        }
    }
}

pub(super) fn started(history: &NetworkHistory, key: &SecretKey, store: Rc<dyn Store>, now: Timestamp) -> Rc<Witness> {
    Rc::new(block_on(Witness::start(store, key.clone(), history.genesis().clone(), now)).expect("it starts"))
}

/// Who can be reached.
pub(super) struct Link {
    pub witnesses: BTreeMap<PublicKey, Rc<Witness>>,
    pub now: Timestamp,
}

impl Link {
    /// Only this one.
    pub(super) fn only(mut self, witness: &Witness) -> Self {
        self.witnesses.retain(|key, _| *key == witness.key());
        self
    }

    /// All but this one.
    pub(super) fn without(mut self, witness: &Witness) -> Self {
        self.witnesses.retain(|key, _| *key != witness.key());
        self
    }
}

impl WitnessLink for Link {
    fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let witness = self.witnesses.get(witness)?;
            Some(witness.answer(request, self.now).await.encode())
        })
    }
}

/// Asks all that can be reached for receipts of an entry.
pub(super) fn collected(registry: &RefCell<Registry>, device: &Device, entry: &Entry, link: &Link) -> Outcome {
    resumed(registry, device, entry, &[], link)
}

/// The same with receipts of before.
pub(super) fn resumed(
    registry: &RefCell<Registry>,
    device: &Device,
    entry: &Entry,
    known: &[Receipt],
    link: &Link,
) -> Outcome {
    block_on(collect(registry, &device.opening, entry, vec![], known, link)).expect("it says something")
}

pub(super) fn request(device: &Device, entry: &Entry, pieces: Vec<Piece>) -> Vec<u8> {
    let (opening, entry) = (device.opening.encode(), entry.encode());
    Request::Ask(Ask { topic: device.topic, opening, entry, pieces }).encode()
}

/// Asks one witness.
pub(super) fn ask(witness: &Witness, device: &Device, entry: &Entry, now: Timestamp) -> Answer {
    block_on(witness.answer(&request(device, entry, vec![]), now))
}

/// The same with what the entry builds on.
pub(super) fn ask_with(
    witness: &Witness,
    device: &Device,
    entry: &Entry,
    pieces: Vec<Piece>,
    now: Timestamp,
) -> Answer {
    block_on(witness.answer(&request(device, entry, pieces), now))
}

/// The receipt's bytes of an answer.
pub(super) fn signed(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Signed(receipt) => receipt,
        other => panic!("not signed: {other:?}"),
    }
}
