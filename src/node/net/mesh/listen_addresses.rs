//! The addresses of a node that accepts connections from anyone, and how their changes are published.

use futures::channel::mpsc;
use libp2p::{Multiaddr, PeerId, Swarm};

use crate::net::address::{parse, parse_all, with_peer};
use crate::net::mesh::behaviour::Behaviour;
use crate::net::mesh::types::{Listening, MeshError};

/// The addresses of a public node, which are sent to its host (for `/network.json`) whenever they change.
pub(super) struct ListenAddresses {
    local_peer_id: PeerId,
    /// Where others reach the node, each with its peer id at the end.
    addresses: Vec<Multiaddr>,
    /// Whether the addresses were configured. If so, discovered listening addresses are not published.
    configured: bool,
    /// Where changed addresses are sent.
    published: mpsc::UnboundedSender<Vec<String>>,
}

impl ListenAddresses {
    /// Begins to listen, and publishes the configured public addresses, if any.
    pub(super) fn open(listening: Listening, swarm: &mut Swarm<Behaviour>) -> Result<Self, MeshError> {
        let Listening { listen, public, direct_max: _, addresses: published } = listening;
        let address = parse(&listen)?;
        let failed = |error: &dyn std::error::Error| MeshError::Listen { address: listen, why: error.to_string() };
        swarm.listen_on(address).map_err(|error| failed(&error))?;
        let public = parse_all(&public)?;
        for address in &public {
            swarm.add_external_address(address.clone());
        }
        let local_peer_id = *swarm.local_peer_id();
        let configured = !public.is_empty();
        let addresses = public.into_iter().map(|address| with_peer(address, local_peer_id)).collect();
        let server = Self { local_peer_id, addresses, configured, published };
        if configured {
            server.publish();
        }
        Ok(server)
    }

    /// Whether public addresses were configured, so that the node is reachable from the start.
    pub(super) fn is_configured(&self) -> bool {
        self.configured
    }

    /// Adds an address that the listener discovered. Returns whether it is to be registered at relays.
    pub(super) fn add(&mut self, address: &Multiaddr) -> bool {
        let address = with_peer(address.clone(), self.local_peer_id);
        if !self.configured && !self.addresses.contains(&address) {
            self.addresses.push(address);
            self.publish();
        }
        !self.configured
    }

    /// Sends the present addresses to the host.
    fn publish(&self) {
        // The receiver may have been dropped.
        self.published.unbounded_send(self.addresses.iter().map(ToString::to_string).collect()).ok();
    }
}
