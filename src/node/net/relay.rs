//! The relay: the one node of a network that everybody can reach, for those who can't be reached.
//!
//! It brings browsers together until they are connected directly, and says who else is there. It holds no person's
//! document and takes no side in who holds a name; in Kademlia it stores what proves itself, and without somebody who
//! can they share, nothing. A witness may run beside it; the relay carries its requests and answers and reads neither.
//!
//! - how it is set up: `behaviour`; what it does with events: `run`; its bounds: [`limits`]
//! - what Kademlia stores here: `dht_server`; how many come from one address: `ip_limiter`
//! - the way to a witness: [`witness`]

mod behaviour;
mod dht_server;
mod ip_limiter;
pub mod key;
pub mod limits;
pub mod metrics;
mod registrations;
mod run;
mod window;
pub mod witness;

use std::{error::Error, io, net::TcpListener, sync::Arc, time::Duration};

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

use crate::net::kademlia::values::ValidateRecord;
use crate::net::relay::{
    address::{peer_of, socket_of, websocket_origin, with_peer},
    behaviour::Behaviour,
    dht_server::DhtServer,
    key::{KeyError, NodeKey},
    limits::{LISTEN_PATIENCE, RelayLimits, STOP_PATIENCE},
    metrics::{Counts, Metrics},
    run::RelayLoop,
    witness::{WitnessEndpoint, WitnessRequest},
};
use crate::net::streams::Incoming;

#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the relay could not set up its connections")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    #[error(
        "the relay's address {0} is taken by another program. Stop that program, or choose another port: gen-registry \
         serve --p2p /ip4/127.0.0.1/tcp/9091/ws (or --no-p2p, to serve only the page)"
    )]
    AddressTaken(Multiaddr),
    #[error("the relay can't listen on {0}; an address looks like /ip4/127.0.0.1/tcp/9090/ws")]
    AddressKind(Multiaddr),
    #[error("the relay could not listen on {address}")]
    Listen { address: Multiaddr, source: TransportError<io::Error> },
    #[error("the relay got no address to listen on for {0} in {1:?}")]
    NoAddress(Multiaddr, Duration),
    #[error("no browser can use the public address {0}; one looks like /dns4/example.org/tcp/443/wss")]
    PublicKind(Multiaddr),
    #[error("the address {0} of another relay does not end with its name: /p2p/12D3…")]
    BootstrapWithoutPeer(Multiaddr),
    #[error("the witness's protocol can't be offered")]
    Protocol(#[source] Box<dyn Error + Send + Sync>),
    #[error("the relay's listener closed")]
    ListenerClosed(#[source] io::Error),
}

/// How to run the relay.
#[derive(Clone)]
pub struct RelayOptions {
    pub key: NodeKey,
    pub listen: Multiaddr,
    /// Under which addresses others reach it, when those are not the ones it listens on.
    pub public: Vec<Multiaddr>,
    /// Other relays to meet, each with its name at the end.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether it answers questions about who has which content.
    pub dht_server: bool,
    /// Validates values that are to be stored; without one, none are.
    pub validator: Option<Arc<dyn ValidateRecord>>,
    /// The witness beside it.
    pub witness: Option<WitnessEndpoint>,
    pub limits: RelayLimits,
}

/// A running relay. Dropping it stops it.
pub struct Relay {
    view: RelayStatus,
    stop: oneshot::Sender<()>,
    watcher: JoinHandle<()>,
}

/// What others may see of a running relay.
#[derive(Clone)]
pub struct RelayStatus {
    peer: PeerId,
    /// Where it listens, whatever address it announces.
    local: Multiaddr,
    addresses: watch::Receiver<Vec<Multiaddr>>,
    questions: Option<mpsc::WeakSender<WitnessRequest>>,
    counts: Counts,
    metrics: Arc<Metrics>,
}

impl Relay {
    /// Starts it; returns once it listens.
    pub async fn start(options: RelayOptions) -> Result<Self, RelayError> {
        refuse_a_shared_port(&options.listen)?;
        let mut registry = Registry::default();
        let RelayOptions { key, limits, dht_server, .. } = &options;
        let key = key.clone().into_keypair();
        let swarm = behaviour::swarm(key, limits, *dht_server, options.others()?, &mut registry).await?;
        Self::begin(options, swarm, registry).await
    }

    /// The same relay on another transport than the network's; its bytes are not counted.
    pub async fn start_on(
        transport: Boxed<(PeerId, StreamMuxerBox)>,
        options: RelayOptions,
    ) -> Result<Self, RelayError> {
        let RelayOptions { key, limits, dht_server, .. } = &options;
        let key = key.clone().into_keypair();
        let swarm = behaviour::swarm_on(transport, key, limits, *dht_server, options.others()?);
        Self::begin(options, swarm, Registry::default()).await
    }

    async fn begin(options: RelayOptions, mut swarm: Swarm<Behaviour>, registry: Registry) -> Result<Self, RelayError> {
        let RelayOptions { key, listen, public, bootstrap, dht_server: _, validator, witness, limits } = options;
        let peer = key.peer_id();
        if let Some(address) = public.iter().find(|address| websocket_origin(address).is_none()) {
            return Err(RelayError::PublicKind(address.clone()));
        }
        let bootstrap = named(bootstrap)?;
        let listener = swarm.listen_on(listen.clone()).map_err(|source| refused(&listen, source))?;
        let counts = Counts::default();
        let metrics = Arc::new(Metrics::new(registry, &counts));
        // The view's own end does not keep the witness going once the door is gone.
        let questions = witness.as_ref().map(|door| door.questions.downgrade());
        let door = witness.map(|door| offer(&mut swarm, door)).transpose()?;
        let (told, addresses) = watch::channel(Vec::new());
        let mut running = RelayLoop::new(
            swarm,
            listener,
            counts.clone(),
            told,
            bootstrap,
            DhtServer::new(validator, limits.by_address),
        );
        running.announce(public.into_iter().map(|address| with_peer(address, peer)).collect());
        let local = match tokio::time::timeout(LISTEN_PATIENCE, running.first_address()).await {
            Ok(Ok(address)) => {
                tracing::info!(%address, "the relay listens");
                if websocket_origin(&address).is_none() {
                    tracing::warn!("browsers can't use this address: it has no /ws at its end");
                }
                with_peer(address, peer)
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(RelayError::NoAddress(listen, LISTEN_PATIENCE)),
        };
        if let Some((door, streams)) = door {
            // Ends with the swarm, which holds the other end of the streams.
            tokio::spawn(door.serve(streams, limits.witness, counts.clone()));
        }
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(running.run(stopped));
        let watcher = tokio::spawn(async move {
            match task.await {
                Ok(Ok(())) => tracing::info!("the relay stopped"),
                Ok(Err(error)) => tracing::error!(error = &error as &dyn Error, "the relay ended"),
                Err(error) => tracing::error!(%error, "the relay broke"),
            }
        });
        Ok(Self { view: RelayStatus { peer, local, addresses, questions, counts, metrics }, stop, watcher })
    }

    pub fn view(&self) -> RelayStatus {
        self.view.clone()
    }

    /// Closes every connection, then returns.
    pub async fn stop(self) {
        // A closed channel and an elapsed time both mean that there is nothing left to wait for.
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(2 * STOP_PATIENCE, self.watcher).await;
    }
}

impl RelayOptions {
    /// The configured other relays.
    fn others(&self) -> Result<Vec<PeerId>, RelayError> {
        Ok(named(self.bootstrap.clone())?.into_iter().map(|(peer, _)| peer).collect())
    }
}

fn named(bootstrap: Vec<Multiaddr>) -> Result<Vec<(PeerId, Multiaddr)>, RelayError> {
    let named =
        bootstrap.into_iter().map(|address| peer_of(&address).map(|peer| (peer, address.clone())).ok_or(address));
    named.collect::<Result<Vec<_>, _>>().map_err(RelayError::BootstrapWithoutPeer)
}

impl RelayStatus {
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// Where programs of the same machine reach it, its name at the end.
    pub fn local_address(&self) -> &Multiaddr {
        &self.local
    }

    /// Where others reach it, its name at the end of each.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.borrow().clone()
    }

    /// Whether its task is still there.
    pub fn is_running(&self) -> bool {
        // The task owns the other end.
        self.addresses.has_changed().is_ok()
    }

    /// Whether the witness behind it still takes questions; none when there is no witness.
    pub fn witness_is_running(&self) -> Option<bool> {
        let questions = self.questions.as_ref()?;
        Some(questions.upgrade().is_some_and(|questions| !questions.is_closed()))
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// From now on peers may open streams to the witness.
fn offer(swarm: &mut Swarm<Behaviour>, door: WitnessEndpoint) -> Result<(WitnessEndpoint, Incoming), RelayError> {
    let protocol = door.stream_protocol().map_err(|error| RelayError::Protocol(error.into()))?;
    let streams = swarm.behaviour_mut().streams.accept(protocol);
    Ok((door, streams))
}

/// libp2p listens with SO_REUSEPORT: a second relay would quietly get every other connection of the first.
fn refuse_a_shared_port(address: &Multiaddr) -> Result<(), RelayError> {
    match socket_of(address).map(TcpListener::bind) {
        Some(Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Err(RelayError::AddressTaken(address.clone())),
        // Every other fault comes back when libp2p listens.
        _ => Ok(()),
    }
}

fn refused(address: &Multiaddr, source: TransportError<io::Error>) -> RelayError {
    match source {
        TransportError::MultiaddrNotSupported(address) => RelayError::AddressKind(address),
        source => RelayError::Listen { address: address.clone(), source },
    }
}
