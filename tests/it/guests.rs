//! A node that has all the connections it keeps: who asks for it finds it, and it finds others.

use std::time::Duration;

use gen_registry_node::net::key::NetPeerId;
use gen_registry_node::net::mesh::connection_manager::DIRECT_MAX;
use tokio::time::sleep;

use crate::support::memory_network::{Founded, join};
use crate::support::node::TestNode;
use crate::support::wait::{eventually, in_one_thread};

#[test]
fn full_node_is_found_by_whoever_asks_for_it() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let relay = founded.relay(vec![]).await;
        let network = founded.through(&relay);
        let full = join(network.clone()).await;
        let id = full.mesh.local_peer_id();
        let mut others = Vec::new();
        for _ in 0..DIRECT_MAX {
            let other = join(network.clone()).await;
            other.mesh.connect_to(id);
            eventually("one more is connected", async || is_connected(&other, id).await).await;
            others.push(other);
        }
        eventually("it is full", async || full.network().await.peers.len() >= DIRECT_MAX).await;

        let late = join(network.clone()).await;
        late.mesh.connect_to(id);
        eventually("the full node is found", async || is_connected(&late, id).await).await;
        // Neither is closed again.
        sleep(Duration::from_secs(2)).await;
        assert!(is_connected(&late, id).await);
        assert!(full.network().await.peers.len() > DIRECT_MAX);

        let sought = join(network).await;
        full.mesh.connect_to(sought.mesh.local_peer_id());
        eventually("a full node finds others", async || is_connected(&sought, id).await).await;
    });
}

async fn is_connected(node: &TestNode, peer: NetPeerId) -> bool {
    let id = peer.to_string();
    node.network().await.peers.iter().any(|known| known.id == id)
}
