//! The network that a profile belongs to: its genesis with the changes of its witnesses, and where others are found.
//!
//! A profile never changes its network, and no server can change it: the genesis is stored at the first visit
//! ([`pin`]), and afterwards counts, whatever a server says. Nor does a profile wait for a server that hangs. What
//! `/network.json` ([`parameters`]) leads to:
//!
//! | stored | the server answers | the page starts with | afterwards |
//! |---|---|---|---|
//! | nothing (first visit) | a network | its answer, after at most 2.5 s | – |
//! | nothing | nothing | the built-in network without witnesses, without relays | stays by itself |
//! | this network | other relays | the stored ones, at once | new relays count at once, also of a page that is open (`relay_renewal`), and the known ones stay known |
//! | this network | a change of the witnesses, signed by its succession | the stored witnesses | it counts from the next start |
//! | this network | any other change, or fewer changes | the stored witnesses and relays | ignored, and the page says so |
//! | this network | another genesis | the stored network | ignored, and the page shows both |

pub mod directory;
pub mod opening;
pub mod parameters;
pub mod pin;
#[cfg(test)]
pub(crate) mod samples;

use crate::net::ice::IceServer;
pub use gen_registry_api::{NetworkName, ParametersError};
use gen_registry_core::identity::Topic;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{Genesis, NetworkHistory};
pub use parameters::NetworkParameters;
pub use pin::settle;

/// One network: everything that must be the same for all who take part, and where to find others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    history: NetworkHistory,
    /// The digest of the genesis, part of everything that is signed for the network.
    pub topic: Topic,
    /// Multiaddresses of relays, each with the peer id at its end.
    pub relays: Vec<String>,
    /// Multiaddresses of nodes that pages can dial, each with the peer id at its end.
    pub public_nodes: Vec<String>,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
}

/// How other nodes are found: the part of a network that may change while a profile is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub relays: Vec<String>,
    pub public_nodes: Vec<String>,
    pub ice_servers: Vec<IceServer>,
}

impl Network {
    /// The network of this history, without a way to others.
    pub fn new(history: NetworkHistory) -> Self {
        let (relays, public_nodes, ice_servers) = Default::default();
        Self { topic: history.topic(), relays, public_nodes, ice_servers, history }
    }

    /// Returns the genesis and the changes of the witnesses that are followed.
    pub fn history(&self) -> &NetworkHistory {
        &self.history
    }

    /// Returns what people tell the network from others by.
    pub fn name(&self) -> NetworkName {
        name_of(self.history.genesis())
    }

    /// Returns how other nodes are found.
    pub fn endpoints(&self) -> Endpoints {
        let Self { relays, public_nodes, ice_servers, .. } = self.clone();
        Endpoints { relays, public_nodes, ice_servers }
    }

    /// Returns the network with these ways to others.
    #[must_use]
    pub fn reached_by(self, endpoints: Endpoints) -> Self {
        let Endpoints { relays, public_nodes, ice_servers } = endpoints;
        Self { relays, public_nodes, ice_servers, ..self }
    }
}

/// Returns what people tell the network of a genesis from others by.
pub fn name_of(genesis: &Genesis) -> NetworkName {
    NetworkName { name: genesis.name.clone(), topic: genesis.topic().into() }
}

impl Default for Network {
    /// The built-in network without witnesses, and without relays.
    fn default() -> Self {
        Self::new(NetworkHistory::new(Genesis::without_witnesses(PARAMETERS_VERSION)))
    }
}
