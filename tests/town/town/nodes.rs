//! Which nodes there are, as `nodes.json` has them.

use std::error::Error;
use std::path::{Path, PathBuf};

use gen_registry_node::net::key::NodeKey;
use serde::{Deserialize, Serialize};

/// Nodes of the town.
const NODES: u16 = 20;
/// The port of the first; the others follow.
const FIRST_PORT: u16 = 42_100;
/// Bits that name the range of a node that keeps one: each keeps a quarter of the people.
pub(crate) const RANGE_BITS: u8 = 2;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    /// Keeps everybody.
    Whole,
    /// Keeps the people of this of the four ranges.
    Range(u8),
    /// Has nothing whatever it is asked for.
    Denies,
    /// Proves every name with a receipt of no witness.
    Forges,
    /// Answers with the proof of another name.
    Mistakes,
    /// Takes every question and never answers.
    Silent,
}

impl Role {
    pub(crate) fn is_honest(self) -> bool {
        matches!(self, Self::Whole | Self::Range(_))
    }
}

/// A node and how it is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TownNode {
    pub(crate) role: Role,
    /// Its key, base 16.
    key: String,
    /// Where it listens.
    pub(crate) listen: String,
    /// The same with its peer id.
    pub(crate) address: String,
}

impl TownNode {
    pub(crate) fn key(&self) -> NodeKey {
        let bytes = gen_registry_core::digest::unhex(&self.key).expect("base 16");
        NodeKey::decode(&bytes).expect("a key")
    }

    /// The folder of its profile.
    pub(crate) fn folder(&self, town: &Path) -> PathBuf {
        town.join(self.listen.split('/').nth(4).expect("a port"))
    }
}

/// Three that keep everybody and seventeen that keep a range; of both together six lie.
fn role(number: u16) -> Role {
    match number {
        0 | 1 => Role::Whole,
        2 | 7 => Role::Silent,
        4 => Role::Forges,
        9 => Role::Mistakes,
        13 | 17 => Role::Denies,
        _ => Role::Range((number % 4) as u8),
    }
}

/// All of them, with keys of their own.
pub(crate) fn found() -> Vec<TownNode> {
    let node = |number: u16| {
        let key = NodeKey::fresh();
        let listen = format!("/ip4/127.0.0.1/tcp/{}/ws", FIRST_PORT + number);
        let address = format!("{listen}/p2p/{}", key.net_peer_id());
        TownNode { role: role(number), key: gen_registry_core::digest::hex(&key.encode()), listen, address }
    };
    (0..NODES).map(node).collect()
}

pub(crate) fn read(town: &Path) -> Result<Vec<TownNode>, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(town.join("nodes.json"))?)?)
}

pub(crate) fn write(town: &Path, nodes: &[TownNode]) -> Result<(), Box<dyn Error>> {
    Ok(std::fs::write(town.join("nodes.json"), serde_json::to_vec_pretty(nodes)?)?)
}
