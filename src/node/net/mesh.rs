//! A node among others: finds peers, keeps a handful of direct connections, and carries what its host sends.
//!
//! Independent of names, identities and documents. Received data is passed to the host as bytes of bounded length; the
//! host decides which peers misbehave.
//!
//! - `event_loop` routes events of the swarm, commands of the host and activity of streams to the parts:
//!   - `connector`, which drives the [`connection_manager`]: which peers to dial, and when
//!   - `stream_table`: sync streams (`link`), block and chat streams ([`blocks`]), requests (`request`, `relay_questions`), peer
//!     exchange ([`peer_exchange`])
//!   - `gossip`, scored as in `scoring`; [`dht_client`]: Kademlia queries; `connected_peers`: the host's view;
//!     `listen_addresses`: where a public node listens
//! - the host's side: [`MeshHandle`] with its queue of commands (`handle`), events (`types`) and their queue
//!   (`host_events`)
//! - libp2p's protocols and their configuration: `behaviour`
//!
//! How a host uses it:
//!
//! ```text
//!   let (mesh, handle, events) = Mesh::open(options, environment)?;    nothing is dialled yet
//!   mesh.run()                                                         one future, polled beside everything else
//!   events.next()  ─► Linked(link)                                     begin a session with this peer
//!                     Gossip { ticket, bytes }                         check it, then handle.validate(ticket, Accept)
//!                     Changed(view)                                    show it
//!   handle.publish(bytes)                                              to all subscribers; never waits
//!   handle.close() ─► Closing ─► handle.leave()                        the last messages are sent, then `run` returns
//! ```

mod behaviour;
pub mod blocks;
mod connected_peers;
pub mod connection_manager;
mod connector;
pub mod dht_client;
mod event_loop;
mod gossip;
mod handle;
mod host_events;
mod link;
mod listen_addresses;
pub mod peer_exchange;
mod relay_questions;
mod request;
mod scoring;
mod stream_table;
mod types;

use std::rc::Rc;

use futures::channel::mpsc;

use crate::net::transport::{self, TransportOptions, TransportStack};
use crate::platform::Environment;
use event_loop::EventLoop;
pub use handle::{COMMANDS_WAITING_MAX, MeshHandle};
use host_events::HostEvents;
pub use link::{LinkFault, LinkGuard, Outgoing};
pub use request::{ANSWER_MAX_BYTES, FIND_PROTOCOL, QuestionKind, REQUEST_MAX_BYTES, RequestError};
pub use types::{
    FoundValue, GossipTicket, GossipTopic, Link, Listening, MeshError, MeshEvent, MeshOptions, MeshView,
    MessageAcceptance, PeerView, RelayView,
};

/// A configured node. Nothing is dialled before [`Mesh::run`].
pub struct Mesh(EventLoop);

impl Mesh {
    /// Sets a node up on its platform's transport.
    pub fn open(
        options: MeshOptions,
        environment: Rc<dyn Environment>,
    ) -> Result<(Self, MeshHandle, mpsc::Receiver<MeshEvent>), MeshError> {
        let transport_options = TransportOptions { ice_servers: options.ice_servers.clone(), limits: options.limits };
        let stack = transport::open(&options.key.clone().into_keypair(), &transport_options)?;
        Self::open_on(stack, options, environment)
    }

    /// Sets a node up on another transport than its platform's.
    pub fn open_on(
        stack: TransportStack,
        options: MeshOptions,
        environment: Rc<dyn Environment>,
    ) -> Result<(Self, MeshHandle, mpsc::Receiver<MeshEvent>), MeshError> {
        let (handle, commands) = handle::channel(options.key.net_peer_id());
        let (swarm, reachability) = behaviour::swarm(&options, stack)?;
        let (events, received) = HostEvents::new();
        let event_loop = EventLoop::new(swarm, reachability, options, environment, commands, events)?;
        Ok((Self(event_loop), handle, received))
    }

    /// Runs until the host leaves or drops the receiver of events while closing.
    pub async fn run(self) {
        self.0.run().await;
    }
}
