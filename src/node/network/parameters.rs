//! `/network.json`: what a server says of its network. Hostile until decoded and checked.

use serde::{Deserialize, Serialize};

use crate::net::ice::IceServer;
use crate::network::{Endpoints, Network, ParametersError};
use gen_registry_core::digest::{hex, unhex};
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::history::SET_CHANGES_MAX;
use gen_registry_core::network::{FollowError, Genesis, NetworkHistory, SignedSetChange};

/// Relays, public nodes and ICE servers, of each at most so many.
pub const ENTRIES_MAX: usize = 16;
/// Bytes of one address.
pub const ENTRY_MAX_BYTES: usize = 512;
/// Bytes of a genesis; the longest has about 1,300.
pub const GENESIS_MAX_BYTES: usize = 2_048;
/// Bytes of a change of the witnesses; the longest has about 2,500.
pub const SET_CHANGE_MAX_BYTES: usize = 4_096;

/// A network as servers, files and stored records have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkParameters {
    /// Of `core::limits`.
    pub parameters_version: u32,
    /// The canonical bytes of the genesis, in hexadecimal digits.
    pub genesis: String,
    /// The canonical bytes of each change of the witnesses, in hexadecimal digits and in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    #[serde(default)]
    pub relays: Vec<String>,
    /// Nodes that pages can dial. A page connects to no other address without WebRTC, whichever peer names one.
    #[serde(default, rename = "openNodes", skip_serializing_if = "Vec::is_empty")]
    pub public_nodes: Vec<String>,
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
}

impl From<&Network> for NetworkParameters {
    fn from(network: &Network) -> Self {
        let Endpoints { relays, public_nodes, ice_servers } = network.endpoints();
        Self {
            parameters_version: PARAMETERS_VERSION,
            genesis: hex(&network.history.genesis().encode()),
            changes: network.history.changes().iter().map(|change| hex(&change.encode())).collect(),
            relays,
            public_nodes,
            ice_servers,
        }
    }
}

impl NetworkParameters {
    /// Decodes the genesis, which names the network. Fails with [`ParametersError::Version`] if the network has rules
    /// that this program does not know, and with [`ParametersError::Genesis`].
    pub fn genesis(&self) -> Result<Genesis, ParametersError> {
        if self.parameters_version != PARAMETERS_VERSION {
            return Err(ParametersError::Version(self.parameters_version));
        }
        if self.genesis.len() > 2 * GENESIS_MAX_BYTES {
            return Err(ParametersError::TooMuch);
        }
        let bytes = unhex(&self.genesis).ok_or(ParametersError::Genesis)?;
        let genesis = Genesis::decode(&bytes).map_err(|_| ParametersError::Genesis)?;
        known_version(genesis.parameters.version)?;
        Ok(genesis)
    }

    /// Returns the history that follows from `known` when the changes that are named here are followed, each checked
    /// before the next one is read. Fails if one is not followed, or is missing; the caller then keeps what it has.
    pub fn follow(&self, known: &NetworkHistory) -> Result<NetworkHistory, ParametersError> {
        if self.changes.len() > SET_CHANGES_MAX {
            return Err(ParametersError::TooMuch);
        }
        let mut history = known.clone();
        for (number, change) in (1..).zip(&self.changes) {
            if change.len() > 2 * SET_CHANGE_MAX_BYTES {
                return Err(ParametersError::TooMuch);
            }
            let bytes = unhex(change).ok_or(ParametersError::SetChange(number))?;
            let signed = SignedSetChange::decode(&history.topic(), &bytes);
            let signed = signed.map_err(|_| ParametersError::SetChange(number))?;
            if signed.change().number != number {
                return Err(ParametersError::SetChange(number));
            }
            known_version(signed.change().version)?;
            history.follow(signed).map_err(|error| match error {
                FollowError::Rival { number } => ParametersError::Rival(number),
                FollowError::Ahead { .. } | FollowError::Unsigned { .. } => ParametersError::SetChange(number),
                FollowError::TooMany => ParametersError::TooMuch,
            })?;
        }
        let served = self.changes.len() as u32;
        match served < known.number() {
            true => Err(ParametersError::Behind { served, known: known.number() }),
            false => Ok(history),
        }
    }

    /// Checks the ways to others.
    pub fn endpoints(&self) -> Result<Endpoints, ParametersError> {
        for list in [&self.relays, &self.public_nodes] {
            if list.len() > ENTRIES_MAX || list.iter().any(|entry| entry.len() > ENTRY_MAX_BYTES) {
                return Err(ParametersError::TooMuch);
            }
        }
        if self.ice_servers.len() > ENTRIES_MAX || self.ice_servers.iter().any(|server| server.check().is_err()) {
            return Err(ParametersError::IceServer);
        }
        let Self { relays, public_nodes, ice_servers, .. } = self.clone();
        Ok(Endpoints { relays, public_nodes, ice_servers })
    }
}

/// Rules of a later version are not guessed at.
fn known_version(version: u32) -> Result<(), ParametersError> {
    if version > PARAMETERS_VERSION { Err(ParametersError::Version(version)) } else { Ok(()) }
}

impl TryFrom<&NetworkParameters> for Network {
    type Error = ParametersError;

    fn try_from(parameters: &NetworkParameters) -> Result<Self, ParametersError> {
        let endpoints = parameters.endpoints()?;
        let history = parameters.follow(&NetworkHistory::new(parameters.genesis()?))?;
        Ok(Self::new(history).reached_by(endpoints))
    }
}

#[cfg(test)]
mod tests;
