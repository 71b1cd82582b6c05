//! The key pair of a node and the peer id derived from it. Never a person's: identities have keys of their own.
//!
//! Stores nothing; its owner persists [`NodeKey::encode`].

use std::{fmt, str::FromStr};

use libp2p::{
    PeerId,
    identity::{DecodingError, KeyType, Keypair, ParseError, PublicKey, ed25519},
    multihash::Multihash,
};

/// Why stored bytes are no key of a node.
#[derive(Debug, thiserror::Error)]
pub enum NodeKeyError {
    #[error("the key can't be read")]
    Damaged(#[from] DecodingError),
    #[error("the key is of the kind {0}; only Ed25519 is used")]
    Kind(KeyType),
}

/// An ed25519 key pair. Has no `Debug`.
#[derive(Clone)]
pub struct NodeKey(Keypair);

impl NodeKey {
    /// Generates a key that is not stored.
    pub fn fresh() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// Reads what [`NodeKey::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, NodeKeyError> {
        match Keypair::from_protobuf_encoding(bytes)? {
            key if key.key_type() == KeyType::Ed25519 => Ok(Self(key)),
            key => Err(NodeKeyError::Kind(key.key_type())),
        }
    }

    /// Returns libp2p's own encoding (libp2p/specs, `peer-ids`), with the secret key.
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_protobuf_encoding().expect("an Ed25519 key has an encoding")
    }

    /// Returns the peer id that belongs to the key.
    pub fn peer_id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }

    /// Returns the same id as a type of this crate.
    pub fn net_peer_id(&self) -> NetPeerId {
        NetPeerId(self.peer_id())
    }

    /// Returns the seed of the key pair, for signing; wipe it after use.
    pub fn seed(&self) -> [u8; 32] {
        let key = self.0.clone().try_into_ed25519().expect("only Ed25519 keys are generated or decoded");
        let mut seed = [0; 32];
        seed.copy_from_slice(key.secret().as_ref());
        seed
    }

    /// Returns the key pair for libp2p's own use.
    pub(super) fn into_keypair(self) -> Keypair {
        self.0
    }
}

/// A libp2p peer id for code outside `net`, which must not name libp2p. `Net` sets it apart from libp2p's own `PeerId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetPeerId(PeerId);

impl NetPeerId {
    /// Returns the id as libp2p's own type.
    pub(super) fn peer_id(self) -> PeerId {
        self.0
    }

    /// Returns the ed25519 public key that the id embeds (libp2p/specs, `peer-ids`), or `None` if it is of another
    /// kind.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        let hash: &Multihash<64> = self.0.as_ref();
        let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
        let key = key.try_into_ed25519().ok()?.to_bytes();
        (Self::from_public_key(&key) == Some(*self)).then_some(key)
    }

    /// Returns the id of an ed25519 public key, or `None` if the bytes are no valid key.
    pub fn from_public_key(key: &[u8; 32]) -> Option<Self> {
        let key = ed25519::PublicKey::try_from_bytes(key).ok()?;
        Some(Self(PublicKey::from(key).to_peer_id()))
    }
}

impl From<PeerId> for NetPeerId {
    fn from(peer: PeerId) -> Self {
        Self(peer)
    }
}

impl fmt::Display for NetPeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for NetPeerId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_round_trips_and_damaged_bytes_are_rejected() {
        let key = NodeKey::fresh();
        let again = NodeKey::decode(&key.encode()).expect("its own bytes");
        assert_eq!(again.net_peer_id(), key.net_peer_id());
        assert_eq!(key.net_peer_id().to_string().parse().ok(), Some(key.net_peer_id()));
        let public = key.net_peer_id().public_key().expect("an Ed25519 peer id embeds its key");
        assert_eq!(NetPeerId::from_public_key(&public), Some(key.net_peer_id()));
        let same = Keypair::ed25519_from_bytes(key.seed()).expect("a seed");
        assert_eq!(same.public().to_peer_id(), key.peer_id());
        let mut damaged = key.encode();
        damaged.truncate(damaged.len() - 1);
        assert!(matches!(NodeKey::decode(&damaged), Err(NodeKeyError::Damaged(_))));
    }
}
