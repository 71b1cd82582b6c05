//! A node that listens for everybody: where it listens, and what it says of that.

use futures::channel::mpsc;
use libp2p::{Multiaddr, PeerId, Swarm};

use crate::net::address::with_peer;
use crate::net::mesh::behaviour::Behaviour;
use crate::net::mesh::{Listening, MeshError};

pub(super) struct Server {
    me: PeerId,
    /// Where others reach it.
    addresses: Vec<Multiaddr>,
    /// Those addresses were given; what the listener finds out changes nothing.
    announced: bool,
    told: mpsc::UnboundedSender<Vec<String>>,
}

impl Server {
    pub(super) fn open(listening: Listening, swarm: &mut Swarm<Behaviour>) -> Result<Self, MeshError> {
        let Listening { listen, public, direct_max: _, told } = listening;
        let address: Multiaddr = listen.parse().map_err(|_| MeshError::Address(listen.clone()))?;
        let failed = |error: &dyn std::error::Error| MeshError::Listen { address: listen, why: error.to_string() };
        swarm.listen_on(address).map_err(|error| failed(&error))?;
        let public = parse(&public)?;
        for address in &public {
            swarm.add_external_address(address.clone());
        }
        let me = *swarm.local_peer_id();
        let announced = !public.is_empty();
        let addresses = public.into_iter().map(|address| with_peer(address, me)).collect();
        let server = Self { me, addresses, announced, told };
        if announced {
            server.tell();
        }
        Ok(server)
    }

    pub(super) fn is_announced(&self) -> bool {
        self.announced
    }

    /// Takes note of a listening address. Returns whether it is to be announced.
    pub(super) fn listens_at(&mut self, address: &Multiaddr) -> bool {
        let address = with_peer(address.clone(), self.me);
        if !self.announced && !self.addresses.contains(&address) {
            self.addresses.push(address);
            self.tell();
        }
        !self.announced
    }

    fn tell(&self) {
        // The receiver may have been dropped.
        self.told.unbounded_send(self.addresses.iter().map(ToString::to_string).collect()).ok();
    }
}

pub(in crate::net::mesh) fn parse(texts: &[String]) -> Result<Vec<Multiaddr>, MeshError> {
    texts.iter().map(|text| text.parse().map_err(|_| MeshError::Address(text.clone()))).collect()
}
