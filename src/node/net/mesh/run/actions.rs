//! Doing what the keeping decided.

use std::rc::Rc;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};

use crate::net::REGISTRATION_SECONDS;
use crate::net::mesh::connection_manager::Action;
use crate::net::mesh::run::{DISCOVERED_MAX, EventLoop};
use crate::platform::Environment;

impl EventLoop {
    pub(super) fn act(&mut self, action: Action) {
        tracing::debug!(?action, "keeping connections");
        let now = self.now();
        let environment = self.environment.clone();
        let mut random = |below| random(&environment, below);
        match action {
            Action::DialRelay { relay, address } => {
                let dial = DialOpts::peer_id(relay).addresses(vec![address]).condition(PeerCondition::Always).build();
                if let Err(error) = self.swarm.dial(dial) {
                    tracing::debug!(%error, "a relay is not dialled");
                    self.connection_manager.relay_lost(&relay, now, &mut random);
                }
            }
            Action::Reserve { relay, address } => match self.swarm.listen_on(address.with(Protocol::P2pCircuit)) {
                Ok(listener) => drop(self.places.insert(listener, relay)),
                Err(error) => {
                    tracing::debug!(%error, "no place at a relay");
                    self.connection_manager.reserved(&relay, false, now, &mut random);
                }
            },
            Action::Register { relay } => {
                let namespace = self.namespace.clone();
                let rendezvous = &mut self.swarm.behaviour_mut().rendezvous;
                if let Err(error) = rendezvous.register(namespace, relay, Some(REGISTRATION_SECONDS)) {
                    tracing::debug!(%error, "not registered");
                }
            }
            Action::Discover { relay } => {
                let namespace = Some(self.namespace.clone());
                self.swarm.behaviour_mut().rendezvous.discover(namespace, None, Some(DISCOVERED_MAX), relay);
            }
            Action::Dial { peer, addresses } => {
                // A relayed connection, left from an attempt that failed, is no reason to wait when somebody wants the peer.
                let condition = if self.connection_manager.is_dial_target(&peer) {
                    PeerCondition::NotDialing
                } else {
                    PeerCondition::DisconnectedAndNotDialing
                };
                let dial = DialOpts::peer_id(peer).addresses(addresses).condition(condition);
                if let Err(error) = self.swarm.dial(dial.build()) {
                    tracing::debug!(%peer, %error, "a peer is not dialled");
                    self.connection_manager.dial_failed(&peer, now, &mut random);
                }
            }
        }
    }
}

/// A number below `below`; which is a handful of bits from even, and good enough to keep nodes apart.
pub(super) fn random(environment: &Rc<dyn Environment>, below: u64) -> u64 {
    let mut bytes = [0; 8];
    environment.random(&mut bytes);
    u64::from_le_bytes(bytes) % below.max(1)
}
