//! The networks of this browser as the node shows them: its own, those it could switch to, and what its server says.

use std::cell::RefCell;

use crate::Node;
use crate::errors;
use crate::network::directory::NetworkDirectory;
use crate::network::opening::Served;
use crate::network::{self, Endpoints, Network, NetworkName, NetworkParameters, ParametersError};
use gen_registry_api::{Event, Failure};
use gen_registry_core::identity::Topic;
use gen_registry_core::network::SignedSetChange;

/// What a host that has several networks gives the node. A native node has one.
#[derive(Default)]
pub(crate) struct Networks {
    /// The networks of this browser.
    directory: RefCell<Option<NetworkDirectory>>,
    /// Their names, once they were read.
    names: RefCell<Option<Vec<NetworkName>>>,
    /// The network that the page's server belongs to, if it is another one.
    served: RefCell<Option<Network>>,
}

impl Node {
    /// Gives the node the networks of its browser, and what the server is known to say.
    pub fn keep_networks(&self, directory: NetworkDirectory, served: Option<Served>) {
        self.networks.directory.replace(Some(directory));
        if let Some(Served { network, fault }) = served {
            self.networks.served.replace(network);
            self.note_server(fault);
        }
    }

    /// Returns how other nodes are found, as it was known at the start.
    pub fn endpoints(&self) -> Endpoints {
        self.context.network.endpoints()
    }

    /// Stores what the server's answer adds to the network and returns how others are found. A change of the
    /// witnesses counts at once. On failure it returns the old endpoints.
    pub async fn refresh_endpoints(&self, answer: Option<NetworkParameters>) -> Endpoints {
        let other = answer.as_ref().and_then(|answer| Network::try_from(answer).ok());
        self.networks.served.replace(other.filter(|other| other.topic != self.context.network.topic));
        match network::settle(&self.context.records, &self.context.network, answer).await {
            Ok((fresh, fault)) => {
                self.note_server(fault);
                let changes = fresh.history().changes().iter().map(SignedSetChange::encode);
                if let Err(failure) = self.admission.follow(&changes.collect::<Vec<_>>()).await {
                    tracing::warn!(code = ?failure.code, "a change of the witnesses is not stored");
                }
                fresh.endpoints()
            }
            Err(error) => {
                tracing::warn!(%error, "the network's parameters of today will not be known tomorrow");
                self.endpoints()
            }
        }
    }

    /// Records whether what the page's server says was left aside, and why; the network screen shows it.
    pub fn note_server(&self, fault: Option<ParametersError>) {
        if let Some(fault) = &fault {
            tracing::warn!(%fault, "what the server says of the network is left aside");
        }
        let changed = self.peers.note_server_fault(fault);
        if changed {
            self.context.emit(&Event::NetworkChanged);
        }
    }

    /// Returns the networks of this browser, this node's own among them.
    pub(crate) async fn list_networks(&self) -> Vec<NetworkName> {
        if let Some(names) = &*self.networks.names.borrow() {
            return names.clone();
        }
        let directory = self.networks.directory.borrow().clone();
        let listed = match directory {
            Some(directory) => directory.all().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut names: Vec<NetworkName> = listed.iter().map(Network::name).collect();
        names.push(self.context.network.name());
        names.sort();
        names.dedup();
        self.networks.names.replace(Some(names.clone()));
        names
    }

    /// Has the page open another network's profile from its next start: one of this browser, or that of its server.
    /// This network's profile stays as it is.
    pub(crate) async fn open_network(&self, topic: &str) -> Result<(), Failure> {
        let Ok(topic) = Topic::try_from(topic.to_owned()) else { return Err(errors::unknown_network()) };
        let Some(directory) = self.networks.directory.borrow().clone() else { return Err(errors::unknown_network()) };
        let served = self.networks.served.borrow().clone().filter(|served| served.topic == topic);
        let own = (self.context.network.topic == topic).then(|| self.context.network.clone());
        let network = match directory.find(&topic).await.map_err(errors::store_failed)? {
            Some(listed) => Some(listed),
            None => served.or(own),
        };
        let network = network.ok_or_else(errors::unknown_network)?;
        self.networks.names.replace(None);
        directory.show(&network).await.map_err(errors::not_listed)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures::executor::block_on;

    use super::*;
    use crate::network::samples::{elsewhere, parameters};
    use crate::platform::test_environment::TestEnvironment;
    use crate::store::memory::MemoryStore;
    use crate::store::records::Records;
    use gen_registry_api::{Answer, Command, FailureCode, NetworkReport};
    use gen_registry_core::time::Timestamp;

    fn node() -> (Node, NetworkDirectory) {
        let environment = Rc::new(TestEnvironment::new(1, Timestamp::from_millis(1_800_000_000_000)));
        let own = Network::try_from(&parameters()).unwrap();
        let node = block_on(Node::start(Rc::new(MemoryStore::new()), environment, own.clone())).unwrap();
        let directory = NetworkDirectory::new(Records::new(Rc::new(MemoryStore::new())));
        block_on(directory.show(&own)).unwrap();
        node.keep_networks(directory.clone(), None);
        (node, directory)
    }

    fn report(node: &Node) -> NetworkReport {
        match block_on(node.handle(Command::Network)) {
            Ok(Answer::Network(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn server_of_another_network_is_shown_beside_the_own_one_and_opened_only_on_demand() {
        let (node, directory) = node();
        let (own, other) = (Network::try_from(&parameters()).unwrap(), Network::try_from(&elsewhere()).unwrap());
        let open = |topic: Topic| block_on(node.handle(Command::OpenNetwork { topic: topic.into() }));
        assert_eq!(open(other.topic).unwrap_err().code, FailureCode::UnknownNetwork, "nobody named it yet");
        let endpoints = block_on(node.refresh_endpoints(Some(elsewhere())));
        assert_eq!(endpoints, own.endpoints(), "none of its relays is used");
        let shown = report(&node);
        assert_eq!((shown.topic, shown.name), (String::from(own.topic), own.name().name));
        assert_eq!(shown.left_aside, Some(ParametersError::OtherNetwork(other.name())));
        assert_eq!(shown.networks, [own.name()]);
        assert_eq!(block_on(directory.shown()).unwrap(), Some(own.clone()));
        open(other.topic).unwrap();
        assert_eq!(block_on(directory.shown()).unwrap(), Some(other));
        assert_eq!(report(&node).networks.len(), 2);
        open(own.topic).unwrap();
        assert_eq!(block_on(directory.shown()).unwrap(), Some(own));
        let nonsense = block_on(node.handle(Command::OpenNetwork { topic: "x".into() }));
        assert_eq!(nonsense.unwrap_err().code, FailureCode::UnknownNetwork);
    }
}
