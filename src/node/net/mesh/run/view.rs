//! Peers and relays as the host sees them.

use crate::net::key::NetPeerId;
use crate::net::mesh::run::EventLoop;
use crate::net::mesh::{MeshEvent, MeshView, PeerView, RelayView};

impl EventLoop {
    fn view(&self) -> MeshView {
        let relays = self.connection_manager.relays().map(|(_, address, connected, reserved)| RelayView {
            address: address.to_string(),
            connected,
            reserved,
        });
        let peers = self.peers.iter().map(|(peer, state)| PeerView {
            peer: NetPeerId::from(*peer),
            since: state.since,
            dialled: state.dialled,
            agent: state.agent.clone(),
            round_trip: state.round_trip,
            path: state.path,
        });
        let known = self
            .connection_manager
            .known()
            .into_iter()
            .map(|(peer, addresses)| (peer.to_string(), addresses.iter().map(ToString::to_string).collect()));
        MeshView { relays: relays.collect(), peers: peers.collect(), known: known.collect() }
    }

    pub(super) fn tell_changes(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let view = self.view();
        if view != self.told {
            self.told = view.clone();
            self.tell(MeshEvent::Changed(view));
        }
    }
}
