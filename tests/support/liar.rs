//! A node that serves other bytes than it should.

use std::rc::Rc;

use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::cid_of;
use gen_registry_node::Network;
use gen_registry_node::store::records::put;
use gen_registry_node::store::{Durability, Store, Table};

use crate::support::node::WatchedNode;
use crate::support::store::WatchedStore;

/// One who says of other bytes that they are the ones that are wanted.
pub async fn liar(network: &Network, artifact: &Artifact, bytes: &[u8], flipped: usize, bit: u32) -> WatchedNode {
    let store = Rc::<WatchedStore>::default();
    let mut bytes = bytes.to_vec();
    bytes[flipped] ^= 1 << bit;
    let lies = artifact.blocks.iter().enumerate().map(|(nth, block)| {
        let bytes = serde_bytes::ByteBuf::from(&bytes[artifact.block_range(nth)]);
        put(Table::Blocks, &cid_of(block).to_string(), &bytes)
    });
    store.commit(lies.collect(), Durability::Strict).await.unwrap();
    WatchedNode::join_with(store, network.clone()).await
}
