//! The relay: a public server for nodes that can't be dialled, above all browsers.
//!
//! It offers five things, each within [`limits`]:
//!
//! | service | protocol | for |
//! |---|---|---|
//! | reservations and circuits | circuit relay v2 | reaching a browser until both sides have a direct connection |
//! | discovery | rendezvous | finding the other nodes of a network |
//! | look-ups | Kademlia | self-certifying name records and provider records |
//! | the peer's own address | identify | every node |
//! | requests to a witness | the witness's own | receipts, if a witness runs beside the relay |
//!
//! For example, Alice's page connects, gets a reservation and registers. Bob's page discovers her registration, opens a
//! circuit through the relay, and over it negotiates a WebRTC connection. From then on the relay carries none of their
//! data, and they stay connected if it stops.
//!
//! It stores no documents and does not decide who holds a name. It forwards requests and answers of the witness without
//! reading them.
//!
//! - libp2p's protocols and their configuration: `behaviour`; the event loop: `event_loop`
//! - what is stored for Kademlia: `dht_server`; connections from one address: `ip_limiter`; who has a place: `places`;
//!   who is registered: `rendezvous`; where peers come from: `origins`, behind a proxy `proxied`
//! - the endpoint of a witness: [`witness`]

mod behaviour;
mod dht_server;
mod error;
mod event_loop;
mod ip_limiter;
pub mod key;
pub mod limits;
pub mod metrics;
pub mod numbers;
mod origins;
mod places;
mod proxied;
mod rendezvous;
mod window;
pub mod witness;

use std::{error::Error, io, net::TcpListener, sync::Arc};

use libp2p::{
    Swarm,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, TransportError},
    },
    metrics::Registry,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use libp2p::{Multiaddr, PeerId};

pub use crate::net::address;
pub use error::RelayError;

use crate::net::forwarded::TrustedProxies;
use crate::net::kademlia::kept_record::RecordArchive;
use crate::net::kademlia::values::ValidateRecord;
use crate::net::relay::{
    address::{peer_of, socket_of, websocket_origin, with_peer},
    behaviour::{Behaviour, Parts},
    dht_server::DhtServer,
    event_loop::RelayLoop,
    key::NodeKey,
    limits::{LISTEN_TIMEOUT, RelayLimits, STOP_TIMEOUT},
    metrics::{Counts, numbers_of},
    numbers::Numbers,
    origins::Origins,
    places::Places,
    rendezvous::Rendezvous,
    witness::{WitnessEndpoint, WitnessRequest},
};
use crate::net::streams::Incoming;

/// The configuration of a relay.
pub struct RelayOptions {
    /// The relay's key.
    pub key: NodeKey,
    /// Where it listens.
    pub listen: Multiaddr,
    /// The addresses at which others reach it, if they are not the ones it listens on.
    pub public: Vec<Multiaddr>,
    /// The proxies before it, whose word on a client's address is believed.
    pub proxies: TrustedProxies,
    /// Other relays to connect to, each with its peer id at the end.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether it is a Kademlia server.
    pub dht_server: bool,
    /// Validates records before they are stored. Without one, none is stored.
    pub validator: Option<Arc<dyn ValidateRecord>>,
    /// Where the records of its Kademlia are kept beyond its run.
    pub archive: Option<Box<dyn RecordArchive>>,
    /// The witness beside it.
    pub witness: Option<WitnessEndpoint>,
    /// Its limits.
    pub limits: RelayLimits,
}

/// A running relay. Dropping it stops it.
pub struct Relay {
    status: RelayStatus,
    /// Ends the event loop, also by being dropped.
    stop: oneshot::Sender<()>,
    /// Logs how the event loop ended.
    watcher: JoinHandle<()>,
}

/// The state of a running relay, for the page server and for tests.
#[derive(Clone)]
pub struct RelayStatus {
    peer: PeerId,
    /// Where it listens, whatever addresses are configured.
    local: Multiaddr,
    /// Its addresses; closed once the loop has ended.
    addresses: watch::Receiver<Vec<Multiaddr>>,
    /// The witness's queue, to see whether it still runs.
    witness: Option<mpsc::WeakSender<WitnessRequest>>,
    counts: Counts,
    numbers: Arc<Numbers>,
}

impl Relay {
    /// Starts a relay. Returns once it listens; fails if the port is taken, an address can't be used, or no address
    /// comes up within [`LISTEN_TIMEOUT`].
    pub async fn start(options: RelayOptions) -> Result<Self, RelayError> {
        refuse_a_shared_port(&options.listen)?;
        let mut registry = Registry::default();
        let places = options.places();
        let (key, proxies) = (options.key.clone().into_keypair(), options.proxies.clone());
        let swarm = behaviour::swarm(key, proxies, options.parts(&places)?, &mut registry)?;
        Self::begin(options, swarm, registry, places).await
    }

    /// Starts a relay on another transport than the network's. Its bytes are not counted.
    pub async fn start_on(
        transport: Boxed<(PeerId, StreamMuxerBox)>,
        options: RelayOptions,
    ) -> Result<Self, RelayError> {
        let places = options.places();
        let swarm = behaviour::swarm_on(transport, options.key.clone().into_keypair(), options.parts(&places)?);
        Self::begin(options, swarm, Registry::default(), places).await
    }

    /// Listens, then starts the tasks of the event loop, of rendezvous and of the witness's endpoint.
    async fn begin(
        options: RelayOptions,
        mut swarm: Swarm<Behaviour>,
        registry: Registry,
        places: Places,
    ) -> Result<Self, RelayError> {
        let RelayOptions { key, listen, public, bootstrap, validator, archive, witness, limits, .. } = options;
        let peer = key.peer_id();
        if let Some(address) = public.iter().find(|address| websocket_origin(address).is_none()) {
            return Err(RelayError::PublicKind(address.clone()));
        }
        let bootstrap = with_peer_ids(bootstrap)?;
        let listener = swarm.listen_on(listen.clone()).map_err(|source| listen_error(&listen, source))?;
        let (counts, origins) = (places.counts().clone(), places.origins().clone());
        let numbers = Arc::new(numbers_of(registry, &counts));
        // Weak: the status must not keep the witness running once its endpoint has ended.
        let witness_status = witness.as_ref().map(|endpoint| endpoint.questions.downgrade());
        let witness = witness.map(|endpoint| accept_witness_streams(&mut swarm, endpoint)).transpose()?;
        let (published_addresses, addresses) = watch::channel(Vec::new());
        let other_relays: Vec<PeerId> = bootstrap.iter().map(|(peer, _)| *peer).collect();
        let control = swarm.behaviour().streams.control();
        let dht = DhtServer::new(validator, archive, origins.clone(), other_relays.clone(), counts.clone());
        let rendezvous = Rendezvous::new(&limits, origins.clone(), counts.clone());
        let registering = swarm.behaviour_mut().streams.accept(rendezvous::PROTOCOL);
        // Ends with the swarm, which sends the streams.
        tokio::spawn(rendezvous.clone().serve(registering));
        let held = (places, rendezvous);
        let mut event_loop = RelayLoop::new(swarm, listener, counts.clone(), published_addresses, bootstrap, dht, held);
        event_loop.publish_addresses(public.into_iter().map(|address| with_peer(address, peer)).collect());
        let local = match tokio::time::timeout(LISTEN_TIMEOUT, event_loop.first_address()).await {
            Ok(Ok(address)) => {
                tracing::info!(%address, "relay listening");
                if websocket_origin(&address).is_none() {
                    tracing::warn!(%address, "browsers can't use this relay address: it has no /ws at its end");
                }
                with_peer(address, peer)
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(RelayError::NoAddress(listen, LISTEN_TIMEOUT)),
        };
        if let Some((endpoint, streams)) = witness {
            let protocol = endpoint.stream_protocol().map_err(|error| RelayError::Protocol(error.into()))?;
            for other in other_relays {
                let (outgoing, deadline) = (endpoint.outgoing.subscribe(), limits.witness.deadline);
                let passing_on = WitnessEndpoint::pass_on(outgoing, protocol.clone(), control.clone(), other, deadline);
                tokio::spawn(passing_on);
            }
            // Ends with the swarm, which sends the streams.
            tokio::spawn(endpoint.serve(streams, limits.witness, origins, counts.clone()));
        }
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(event_loop.run(stopped));
        let watcher = tokio::spawn(async move {
            match task.await {
                Ok(Ok(())) => tracing::info!("relay stopped"),
                Ok(Err(error)) => tracing::error!(error = &error as &dyn Error, "relay failed"),
                Err(error) => tracing::error!(%error, "relay task panicked"),
            }
        });
        let status = RelayStatus { peer, local, addresses, witness: witness_status, counts, numbers };
        Ok(Self { status, stop, watcher })
    }

    /// Returns a handle on the relay's state, which does not keep it running.
    pub fn view(&self) -> RelayStatus {
        self.status.clone()
    }

    /// Closes every connection, then returns.
    pub async fn stop(self) {
        // After a closed channel or the timeout there is nothing left to wait for.
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(2 * STOP_TIMEOUT, self.watcher).await;
    }
}

impl RelayOptions {
    /// Returns its places, all free.
    fn places(&self) -> Places {
        Places::new(&self.limits, Origins::new(self.limits.by_address), Counts::default())
    }

    /// Returns what its behaviours are made of.
    fn parts(&self, places: &Places) -> Result<Parts<'_>, RelayError> {
        let (dht_server, others) = (self.dht_server, self.other_relays()?);
        Ok(Parts { limits: &self.limits, places: places.clone(), dht_server, others })
    }

    /// Returns the peer ids of the configured other relays.
    fn other_relays(&self) -> Result<Vec<PeerId>, RelayError> {
        Ok(with_peer_ids(self.bootstrap.clone())?.into_iter().map(|(peer, _)| peer).collect())
    }
}

/// Returns each address with the peer id at its end.
fn with_peer_ids(bootstrap: Vec<Multiaddr>) -> Result<Vec<(PeerId, Multiaddr)>, RelayError> {
    let relays =
        bootstrap.into_iter().map(|address| peer_of(&address).map(|peer| (peer, address.clone())).ok_or(address));
    relays.collect::<Result<Vec<_>, _>>().map_err(RelayError::BootstrapWithoutPeer)
}

impl RelayStatus {
    /// Returns the relay's peer id.
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// Returns the address for programs on the same machine, with the peer id at its end.
    pub fn local_address(&self) -> &Multiaddr {
        &self.local
    }

    /// Returns the addresses for other nodes, each with the peer id at its end.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.borrow().clone()
    }

    /// Whether its task is running.
    pub fn is_running(&self) -> bool {
        // The task owns the sender.
        self.addresses.has_changed().is_ok()
    }

    /// Returns whether the witness accepts requests, or `None` if there is no witness.
    pub fn witness_is_running(&self) -> Option<bool> {
        let requests = self.witness.as_ref()?;
        Some(requests.upgrade().is_some_and(|requests| !requests.is_closed()))
    }

    /// Returns the counters.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns what the relay counts.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}

/// Lets peers open streams to the witness.
fn accept_witness_streams(
    swarm: &mut Swarm<Behaviour>,
    endpoint: WitnessEndpoint,
) -> Result<(WitnessEndpoint, Incoming), RelayError> {
    let protocol = endpoint.stream_protocol().map_err(|error| RelayError::Protocol(error.into()))?;
    let streams = swarm.behaviour_mut().streams.accept(protocol);
    Ok((endpoint, streams))
}

/// Fails if the port is in use. libp2p listens with SO_REUSEPORT, so a second relay would silently get every other
/// connection of the first.
fn refuse_a_shared_port(address: &Multiaddr) -> Result<(), RelayError> {
    match socket_of(address).map(TcpListener::bind) {
        Some(Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Err(RelayError::AddressTaken(address.clone())),
        // Every other error occurs again when libp2p listens.
        _ => Ok(()),
    }
}

/// Words an error of listening.
fn listen_error(address: &Multiaddr, source: TransportError<io::Error>) -> RelayError {
    match source {
        TransportError::MultiaddrNotSupported(address) => RelayError::AddressKind(address),
        source => RelayError::Listen { address: address.clone(), source },
    }
}
