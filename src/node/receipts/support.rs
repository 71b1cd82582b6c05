//! A network of witnesses over real stores, for the tests of this folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::LocalBoxFuture;

use super::{Outcome, WitnessLink, collect};
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::witness::Witness;
use gen_registry_core::actors::{BEGIN, Device, network};
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::log::Entry;
use gen_registry_core::network::NetworkHistory;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire::{Answer, Ask, Request};
use gen_registry_core::sync::exchange::admit;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;

pub(crate) fn later(seconds: u64) -> Timestamp {
    BEGIN.plus(Duration::from_secs(seconds))
}

/// Witnesses with their keys and stores.
pub(crate) struct Network {
    pub history: NetworkHistory,
    pub keys: Vec<SecretKey>,
    pub stores: Vec<Rc<MemoryStore>>,
    pub witnesses: Vec<Rc<Witness>>,
}

impl Network {
    /// So many witnesses, of which `threshold` confirm.
    pub(crate) fn new(witnesses: u8, threshold: u8) -> Self {
        let (history, keys) = network(witnesses, threshold);
        let stores: Vec<Rc<MemoryStore>> = keys.iter().map(|_| Rc::new(MemoryStore::new())).collect();
        let start = |(key, store): (&SecretKey, &Rc<MemoryStore>)| started(&history, key, store.clone(), BEGIN);
        let witnesses = keys.iter().zip(&stores).map(start).collect();
        Self { history, keys, stores, witnesses }
    }

    /// Ends a witness and starts it again from what is stored.
    pub(crate) fn restart(&mut self, at: usize, now: Timestamp) {
        let store = Rc::new(self.stores[at].copy());
        self.stores[at] = store.clone();
        self.witnesses[at] = started(&self.history, &self.keys[at], store, now);
    }

    /// A registry that knows nothing but the network.
    pub(crate) fn registry(&self) -> RefCell<Registry> {
        RefCell::new(Registry::new(self.history.clone()))
    }

    /// The witnesses, reached at one time.
    pub(crate) fn link(&self, now: Timestamp) -> Link {
        let witnesses = self.witnesses.iter().map(|witness| (witness.key(), witness.clone())).collect();
        Link { witnesses, now }
    }

    /// Passes on what the witnesses signed, until none has more to say.
    pub(crate) fn pass_on(&self, now: Timestamp) {
        for witness in &self.witnesses {
            for request in block_on(witness.take_outgoing()) {
                for other in self.witnesses.iter().filter(|other| other.key() != witness.key()) {
                    block_on(other.answer(&request.encode(), now));
                }
            }
        }
    }
}

pub(crate) fn started(history: &NetworkHistory, key: &SecretKey, store: Rc<dyn Store>, now: Timestamp) -> Rc<Witness> {
    Rc::new(block_on(Witness::start(store, key.clone(), history.genesis().clone(), now)).expect("it starts"))
}

/// Who can be reached.
pub(crate) struct Link {
    pub witnesses: BTreeMap<PublicKey, Rc<Witness>>,
    pub now: Timestamp,
}

impl Link {
    /// Only this one.
    pub(crate) fn only(mut self, witness: &Witness) -> Self {
        self.witnesses.retain(|key, _| *key == witness.key());
        self
    }

    /// All but this one.
    pub(crate) fn without(mut self, witness: &Witness) -> Self {
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
pub(crate) fn collected(registry: &RefCell<Registry>, device: &Device, entry: &Entry, link: &Link) -> Outcome {
    resumed(registry, device, entry, &[], link)
}

/// The same with receipts of before.
pub(crate) fn resumed(
    registry: &RefCell<Registry>,
    device: &Device,
    entry: &Entry,
    known: &[Receipt],
    link: &Link,
) -> Outcome {
    asked(registry, device, entry, vec![], known, link)
}

/// Asks with what the entry builds on, and admits what came of it.
pub(crate) fn asked(
    registry: &RefCell<Registry>,
    device: &Device,
    entry: &Entry,
    pieces: Vec<Piece>,
    known: &[Receipt],
    link: &Link,
) -> Outcome {
    let outcome = block_on(collect(registry, &device.opening, entry, pieces, known, link)).expect("it says something");
    match &outcome {
        Outcome::Confirmed(receipts) => {
            let mut registry = registry.borrow_mut();
            registry.admit_alone(&device.opening, entry, receipts.clone(), vec![]).expect("it is confirmed");
        }
        Outcome::Lost { proof, .. } | Outcome::Split { proof, .. } => {
            admit(&mut registry.borrow_mut(), proof, |_| Some(0));
        }
        _ => {}
    }
    outcome
}

pub(crate) fn request(device: &Device, entry: &Entry, pieces: Vec<Piece>) -> Vec<u8> {
    let (opening, entry) = (device.opening.encode(), entry.encode());
    Request::Ask(Ask { topic: device.topic, opening, entry, pieces }).encode()
}

/// Asks one witness.
pub(crate) fn ask(witness: &Witness, device: &Device, entry: &Entry, now: Timestamp) -> Answer {
    block_on(witness.answer(&request(device, entry, vec![]), now))
}

/// The same with what the entry builds on.
pub(crate) fn ask_with(
    witness: &Witness,
    device: &Device,
    entry: &Entry,
    pieces: Vec<Piece>,
    now: Timestamp,
) -> Answer {
    block_on(witness.answer(&request(device, entry, pieces), now))
}

/// The receipt's bytes of an answer.
pub(crate) fn signed(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Signed(receipt) => receipt,
        other => panic!("not signed: {other:?}"),
    }
}
