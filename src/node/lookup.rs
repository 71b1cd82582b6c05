//! Looking names up beyond what is known here, and letting others find one's own.
//!
//! A record that was found is a proof, but not the whole: its publisher is dialled, so that the document arrives by
//! the ordinary way. Nothing that was found goes into the read model.
//!
//! - what a directory may keep: `validate`; asking: `client`; answering connected peers: `server`; telling the network
//!   what one has: `publisher`

mod client;
mod publisher;
mod server;
mod validator;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::channel::mpsc;

use crate::blocks::ContentStore;
use crate::context::Context;
use crate::errors;
use crate::key_store::KeyStore;
use crate::modules;
use crate::net::key::NetPeerId;
use crate::peering::PeerTable;
use crate::registry::Registry;
use crate::reputation::ReputationTracker;
use gen_registry_api::{Failure, NameKind};
use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::fact::ClaimedName;
use gen_registry_core::ownership::NameKey;
use gen_registry_core::time::Timestamp;
pub(crate) use publisher::run as publish;
pub use validator::RecordValidator;

const REQUEST_VERSION: u8 = 1;
const KIND_USERNAME: u8 = 1;
const KIND_MODULE: u8 = 2;

/// The service that looks names up, answers for them and publishes the own ones.
pub(crate) struct Lookups {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    peers: Rc<PeerTable>,
    reputation: Rc<ReputationTracker>,
    content: Rc<ContentStore>,
    /// How much each peer has asked lately.
    asked: RefCell<BTreeMap<NetPeerId, (Timestamp, u32)>>,
    /// Wakes the publisher task, once it runs.
    wake: RefCell<Option<mpsc::Sender<()>>>,
    /// Everything is to be published again: a relay came, which may know nothing.
    everything: Cell<bool>,
}

impl Lookups {
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        peers: Rc<PeerTable>,
        reputation: Rc<ReputationTracker>,
        content: Rc<ContentStore>,
    ) -> Self {
        let (asked, wake, everything) = (RefCell::default(), RefCell::default(), Cell::default());
        Self { context, keys, registry, peers, reputation, content, asked, wake, everything }
    }

    /// From now on own records are published when they change.
    pub(crate) fn open(&self) -> mpsc::Receiver<()> {
        let (wake, woken) = mpsc::channel(0);
        *self.wake.borrow_mut() = Some(wake);
        woken
    }

    pub(crate) fn close(&self) {
        *self.wake.borrow_mut() = None;
    }

    /// Something of one's own changed, or (`everything`) a relay came.
    pub(crate) fn wake(&self, everything: bool) {
        self.everything.set(self.everything.get() || everything);
        if let Some(wake) = &mut *self.wake.borrow_mut() {
            // Full: the task is awake already.
            wake.try_send(()).ok();
        }
    }
}

/// A question about a name, as peers ask it.
fn encode_request(name: &ClaimedName) -> Vec<u8> {
    let kind = match name.kind() {
        NameKind::Username => KIND_USERNAME,
        NameKind::Module => KIND_MODULE,
    };
    Encoder::new().byte(REQUEST_VERSION).byte(kind).text(name.as_str()).finish()
}

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

fn parse(kind: NameKind, text: &str) -> Result<ClaimedName, Failure> {
    match kind {
        NameKind::Username => {
            text.trim().parse().map(ClaimedName::Username).map_err(|error| errors::name_invalid(&error))
        }
        NameKind::Module => modules::parse_name(text).map(ClaimedName::Module),
    }
}

fn key_of(name: &ClaimedName) -> NameKey {
    (name.kind(), name.folded())
}
