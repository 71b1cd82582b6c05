//! The server of libp2p's rendezvous: who else is in a network.
//!
//! libp2p has such a server, but it can't be told that a peer left, lists it until its time is over, and refuses renewals
//! when its table is full. So anybody could fill it with peers that are not there. Here a registration ends with its
//! peer's last connection, one origin holds only a share of the table, renewals pass, and a discovery returns a choice by
//! chance. The messages are libp2p's, and so is the client's side.
//!
//! - `wire`: the messages
//! - `table`: who is listed

mod table;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asynchronous_codec::{Framed, FramedParts};
use futures::{SinkExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use prost::Message as _;
use tokio::task::JoinSet;
use tokio::time::timeout;
use unsigned_varint::codec::UviBytes;

use self::table::{Table, check_ttl};
use self::wire::{Discover, Kind, Message, Register, Status};
use crate::net::relay::limits::{
    DISCOVERED_MAX, NAMESPACE_MAX_BYTES, REGISTRATION_ADDRESSES, RENDEZVOUS_AT_ONCE, RENDEZVOUS_AT_ONCE_PER_ADDRESS,
    RENDEZVOUS_DEADLINE, RENDEZVOUS_REQUEST_MAX_BYTES, RelayLimits,
};
use crate::net::relay::metrics::{Counts, number};
use crate::net::relay::origins::Origins;
use crate::net::shares::{Refusal, Shares};
use crate::net::streams::Incoming;
use crate::platform::{Environment, native::Native};

/// Its name on the wire.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/rendezvous/1.0.0");

/// The server. Clones share its table.
#[derive(Clone)]
pub(super) struct Rendezvous {
    table: Arc<Mutex<Table>>,
    origins: Origins,
    counts: Counts,
}

impl Rendezvous {
    /// Creates a server that lists nobody yet.
    pub(super) fn new(limits: &RelayLimits, origins: Origins, counts: Counts) -> Self {
        Self { table: Arc::new(Mutex::new(Table::new(limits))), origins, counts }
    }

    /// Ends all registrations of a peer that has no connection any more.
    pub(super) fn on_disconnected(&self, peer: &PeerId) {
        let mut table = self.lock();
        table.on_disconnected(peer);
        self.show(&table);
    }

    /// Ends the registrations whose time is over.
    pub(super) fn expire(&self) {
        let mut table = self.lock();
        table.expire(now());
        self.show(&table);
    }

    /// Serves streams until the swarm ends. Those beyond the limits are dropped; their senders ask again.
    pub(super) async fn serve(self, mut streams: Incoming) {
        let mut at_once = Shares::new(RENDEZVOUS_AT_ONCE, RENDEZVOUS_AT_ONCE_PER_ADDRESS);
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                next = streams.next() => {
                    let Some((peer, stream)) = next else { break };
                    let Some(origin) = self.origins.of_connected(&peer) else { continue };
                    if at_once.may_take(origin).is_ok() {
                        let server = self.clone();
                        let task = tasks.spawn(async move {
                            // A peer that is too slow, or says nothing that can be read, gets no answer.
                            let _ = timeout(RENDEZVOUS_DEADLINE, server.exchange(peer, stream)).await;
                        });
                        let _ = at_once.take(task.id(), origin);
                    }
                }
                Some(ended) = tasks.join_next_with_id() => {
                    let task = match ended {
                        Ok((task, ())) => task,
                        Err(error) => error.id(),
                    };
                    at_once.release(&task);
                }
            }
        }
    }

    /// Reads one request and writes its answer, if it has one.
    async fn exchange(&self, peer: PeerId, stream: Stream) -> Option<()> {
        let mut codec = UviBytes::<bytes::Bytes>::default();
        codec.set_max_len(RENDEZVOUS_REQUEST_MAX_BYTES);
        let mut framed = Framed::new(stream, codec);
        let request = framed.next().await?.ok()?;
        let answer = self.answer(peer, Message::decode(request).ok()?)?;
        // The bound is for what others send.
        let FramedParts { io, .. } = framed.into_parts();
        let mut framed = Framed::new(io, UviBytes::<bytes::Bytes>::default());
        framed.send(answer.encode_to_vec().into()).await.ok()?;
        framed.close().await.ok()
    }

    /// Does what a peer asks for, and returns the answer.
    fn answer(&self, peer: PeerId, message: Message) -> Option<Message> {
        match Kind::try_from(message.kind?).ok()? {
            Kind::Register => {
                let outcome = self.register(peer, message.register?);
                match outcome {
                    Ok(_) => self.counts.registrations_accepted.inc(),
                    Err(_) => self.counts.registrations_refused.inc(),
                };
                Some(wire::registered(outcome))
            }
            Kind::Unregister => {
                let mut table = self.lock();
                table.unregister(&peer, &message.unregister?.namespace?);
                self.show(&table);
                None
            }
            Kind::Discover => {
                self.counts.discoveries.inc();
                Some(wire::discovered(self.discover(message.discover?)))
            }
            Kind::RegisterResponse | Kind::DiscoverResponse => None,
        }
    }

    /// Lists a peer, and returns for how many seconds.
    fn register(&self, peer: PeerId, register: Register) -> Result<u64, Status> {
        let ttl = check_ttl(register.ttl.unwrap_or(u64::MAX))?;
        let namespace = register.namespace.filter(|name| is_namespace(name)).ok_or(Status::InvalidNamespace)?;
        let bytes = register.signed_peer_record.ok_or(Status::InvalidSignedPeerRecord)?;
        let record = wire::record_of(&bytes).ok_or(Status::InvalidSignedPeerRecord)?;
        if record.peer_id() != peer || record.addresses().len() > REGISTRATION_ADDRESSES {
            return Err(Status::NotAuthorized);
        }
        let mut table = self.lock();
        // Under the lock: what begins after its peer was forgotten must not be listed.
        let origin = self.origins.of_connected(&peer).ok_or(Status::NotAuthorized)?;
        let listed = table.register((peer, origin), namespace, bytes, ttl, now());
        self.show(&table);
        listed.map(|()| ttl).map_err(|refusal| {
            match refusal {
                Refusal::Share => self.counts.registrations_refused_share.inc(),
                Refusal::Full => self.counts.registrations_refused_full.inc(),
                Refusal::Rate => self.counts.registrations_refused_rate.inc(),
            };
            Status::Unavailable
        })
    }

    /// Returns registrations of one namespace.
    fn discover(&self, discover: Discover) -> Result<Vec<Register>, Status> {
        let namespace = discover.namespace.filter(|name| is_namespace(name)).ok_or(Status::InvalidNamespace)?;
        let limit = discover.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DISCOVERED_MAX);
        let found = self.lock().discover(&namespace, limit.min(DISCOVERED_MAX), now(), &mut random);
        let found = found.into_iter().map(|(registration, ttl)| Register {
            namespace: Some(namespace.clone()),
            signed_peer_record: Some(registration.record),
            ttl: Some(ttl),
        });
        Ok(found.collect())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the gauge.
    fn show(&self, table: &Table) {
        self.counts.registrations.set(number(table.listed()));
    }
}

/// Whether a text may name a namespace.
fn is_namespace(text: &str) -> bool {
    text.len() <= NAMESPACE_MAX_BYTES
}

/// Returns a number below the given one, evenly enough for a choice.
fn random(below: u64) -> u64 {
    let mut bytes = [0; 8];
    Native.random(&mut bytes);
    u64::from_le_bytes(bytes) % below.max(1)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    Native.now().as_millis()
}
