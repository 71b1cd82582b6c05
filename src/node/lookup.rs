//! Looks names up beyond what is known here, and lets others find the own ones.
//!
//! A name proof that was found is a proof, but not the whole document. So its publisher is dialled, the document is asked for
//! in the ordinary exchange, of the peers that said to have it, and nothing that was found goes into the read model. A look-up asks in three
//! steps, and ends with the first that finds a holder:
//!
//! ```text
//!   this device   the read model                                                              at once
//!   peers         up to 8 connected peers, one request each (`/gen/find/1`)                   up to 4 s
//!   the network   Kademlia: the proofs stored under the hash of topic and name                up to 10 s,
//!                                                     from half a second after the peers were asked
//!                 ─► its publisher and, for a module, the providers of its file are dialled
//! ```
//!
//! - asking: `client`; answering connected peers: `server`; publishing own names and files: `publisher`; what Kademlia
//!   servers store: `validator`, and what they prove by themselves: `known`

mod client;
mod known;
mod publisher;
mod server;
mod validator;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::channel::mpsc;

use crate::blocks::ContentStore;
use crate::context::Context;
use crate::errors;
use crate::key_store::KeyStore;
use crate::modules;
use crate::peers::PeerTable;
use crate::registry::{Registry, RegistryObserver};
use crate::reputation::ReputationTracker;
use crate::request_rates::{RequestRates, Window};
use crate::retention::Retainer;
pub use client::{ASKS_PER_PEER_RATE, PEERS_PATIENCE};
use gen_registry_api::{Failure, NameKind};
use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::digest::Digest;
use gen_registry_core::name::{ClaimedName, parse_input};
use gen_registry_core::outcome::NameKey;
pub use publisher::PUBLISH_EVERY;
pub(crate) use publisher::run as publish;
pub use validator::RecordValidator;

/// The version of a find request.
const REQUEST_VERSION: u8 = 1;
/// Kinds of names in a find request.
const KIND_USERNAME: u8 = 1;
/// The kind of a module's name.
const KIND_MODULE: u8 = 2;

/// The service that looks names up, answers for them and publishes the own ones.
pub(crate) struct Lookups {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    peers: Rc<PeerTable>,
    reputation: Rc<ReputationTracker>,
    content: Rc<ContentStore>,
    retainer: Rc<Retainer>,
    /// How often peers ask here.
    request_rates: RequestRates,
    /// How often each peer is asked.
    asked: RequestRates,
    /// Wakes the publisher task, once it runs.
    wake: RefCell<Option<mpsc::Sender<()>>>,
    /// Whether everything is to be published again: a relay was connected, which may have stored nothing yet.
    everything: Cell<bool>,
    /// Verifies what this node stores for others, if it does.
    validator: RefCell<Option<RecordValidator>>,
    /// The names that are known here by the keys of their records, if this node answers for them.
    names_by_key: RefCell<Option<BTreeMap<Digest, NameKey>>>,
    /// How often what is kept here is proven to Kademlia.
    proofs: RefCell<Window>,
}

impl RegistryObserver for Lookups {
    fn states_changed(&self, names: &BTreeSet<NameKey>) {
        self.follow_names(names);
    }

    fn set_changed(&self) {
        if let Some(validator) = &*self.validator.borrow() {
            validator.follow(self.registry.read_model().registry().history().clone());
        }
        // Own records are shown under the new set.
        self.wake(true);
    }
}

impl Lookups {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        peers: Rc<PeerTable>,
        reputation: Rc<ReputationTracker>,
        content: Rc<ContentStore>,
        retainer: Rc<Retainer>,
    ) -> Self {
        let request_rates = RequestRates::new(context.limits.lookups_per_minute);
        let asked = RequestRates::new(client::ASKS_PER_PEER_RATE);
        let (wake, everything, validator) = (RefCell::default(), Cell::default(), RefCell::default());
        let names_by_key = RefCell::default();
        Self {
            context,
            keys,
            registry,
            peers,
            reputation,
            content,
            retainer,
            request_rates,
            asked,
            wake,
            everything,
            validator,
            names_by_key,
            proofs: RefCell::default(),
        }
    }

    /// Returns what verifies the records that this node stores for others, for as long as the node runs.
    pub(crate) fn validate_records(&self) -> RecordValidator {
        let validator = RecordValidator::new(self.registry.read_model().registry().history().clone());
        *self.validator.borrow_mut() = Some(validator.clone());
        validator
    }

    /// Lets own records be published when they change. Returns what wakes the publisher's task.
    pub(crate) fn open(&self) -> mpsc::Receiver<()> {
        let (wake, woken) = mpsc::channel(0);
        *self.wake.borrow_mut() = Some(wake);
        woken
    }

    /// Ends that: the node has left its network.
    pub(crate) fn close(&self) {
        *self.wake.borrow_mut() = None;
    }

    /// Wakes the publisher, because something of the own records changed or (`everything`) a relay was connected.
    pub(crate) fn wake(&self, everything: bool) {
        self.everything.set(self.everything.get() || everything);
        if let Some(wake) = &mut *self.wake.borrow_mut() {
            // Full: the task is awake already.
            wake.try_send(()).ok();
        }
    }
}

/// Encodes a find request: version, kind, name.
fn encode_request(name: &ClaimedName) -> Vec<u8> {
    let kind = match name.kind() {
        NameKind::Username => KIND_USERNAME,
        NameKind::Module => KIND_MODULE,
    };
    Encoder::new().byte(REQUEST_VERSION).byte(kind).text(name.as_str()).finish()
}

/// Decodes a find request of a peer.
fn decode_request(bytes: &[u8]) -> Result<ClaimedName, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    match decoder.byte()? {
        REQUEST_VERSION => {}
        other => return Err(DecodeError::UnknownKind(other)),
    }
    let kind = decoder.byte()?;
    let text = decoder.text()?;
    decoder.end()?;
    match kind {
        KIND_USERNAME => text.parse().map(ClaimedName::Username).map_err(|_| DecodeError::OutOfRange),
        KIND_MODULE => text.parse().map(ClaimedName::Module).map_err(|_| DecodeError::OutOfRange),
        other => Err(DecodeError::UnknownKind(other)),
    }
}

/// Parses a name as a person typed it.
fn parse(kind: NameKind, text: &str) -> Result<ClaimedName, Failure> {
    match kind {
        NameKind::Username => {
            parse_input(text).map(ClaimedName::Username).map_err(|error| errors::name_invalid(&error))
        }
        NameKind::Module => modules::input::parse_name(text).map(ClaimedName::Module),
    }
}

/// Returns the key by which the read model stores a name.
fn key_of(name: &ClaimedName) -> NameKey {
    (name.kind(), name.folded())
}
