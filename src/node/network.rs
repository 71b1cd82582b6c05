//! The network that a profile belongs to: its parameters as a server names them, validated, and as they were stored.
//!
//! A profile never changes its topic: its own document is signed for one. Nor does it wait for a server that hangs.
//! What `/network.json` leads to:
//!
//! | stored | the server answers | the page starts with | afterwards |
//! |---|---|---|---|
//! | nothing (first visit) | this network | its answer, after at most 2.5 s | – |
//! | nothing | nothing | the public network without relays | stays by itself |
//! | this network | other relays | the stored parameters, at once | new relays count at once, the rest later |
//! | this network | other witnesses | the stored parameters | they count from the next start |
//! | this network | another topic | the stored parameters | the answer is ignored, and the page shows why |

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::key_state::{self, KeyState};
use crate::net::ice::IceServer;
use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Durability, StoreError, Table};
pub use gen_registry_api::ParametersError;
use gen_registry_core::document::StoredChange;
use gen_registry_core::identity::Topic;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::ownership::Rules;
use gen_registry_core::proof_of_work::WORK_BITS_MAX;

/// The key of [`Table::Settings`] under which the parameters are stored.
const RECORD: &str = "network";
/// Relays, public nodes, witnesses and ICE servers, of each at most so many.
pub const ENTRIES_MAX: usize = 16;
/// Bytes of one address or did.
pub const ENTRY_MAX_BYTES: usize = 512;

/// One network: everything that must be the same for all who take part, and where to find others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's topic, part of everything that is signed for it.
    pub topic: Topic,
    /// Witnesses, how many of them confirm a name, and the proof of work for claims.
    pub rules: Rules,
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
    /// Returns how other nodes are found.
    pub fn endpoints(&self) -> Endpoints {
        let Self { relays, public_nodes, ice_servers, .. } = self.clone();
        Endpoints { relays, public_nodes, ice_servers }
    }
}

impl Default for Network {
    /// The public network, with its built-in topic and without relays.
    fn default() -> Self {
        let topic = "44f16e43a86cb2c6c6ddf61a51c83400023281f6cb9e003f0b839a729a3bdcbd".to_owned();
        let topic = topic.try_into().expect("64 hex digits");
        let (relays, public_nodes, ice_servers) = Default::default();
        Self { topic, rules: Rules::default(), relays, public_nodes, ice_servers }
    }
}

/// `/network.json`: a network's parameters as a page reads them before it joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkParameters {
    /// 64 hex digits.
    pub topic: String,
    /// Of `registry::limits`.
    pub parameters_version: u32,
    pub relays: Vec<String>,
    /// `did:key:…`
    pub witnesses: Vec<String>,
    pub threshold: usize,
    /// Zero bits that a claim's hash must begin with; 0 or absent: no work is asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub work_bits: u32,
    /// Nodes that pages can dial. A page connects to no other address without WebRTC, whichever peer names one.
    #[serde(default, rename = "openNodes", skip_serializing_if = "Vec::is_empty")]
    pub public_nodes: Vec<String>,
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
}

fn is_zero(bits: &u32) -> bool {
    *bits == 0
}

impl From<&Network> for NetworkParameters {
    fn from(network: &Network) -> Self {
        Self {
            topic: network.topic.into(),
            parameters_version: PARAMETERS_VERSION,
            relays: network.relays.clone(),
            witnesses: network.rules.witnesses.iter().map(ToString::to_string).collect(),
            threshold: network.rules.threshold,
            work_bits: network.rules.work_bits,
            public_nodes: network.public_nodes.clone(),
            ice_servers: network.ice_servers.clone(),
        }
    }
}

impl TryFrom<NetworkParameters> for Network {
    type Error = ParametersError;

    fn try_from(parameters: NetworkParameters) -> Result<Self, ParametersError> {
        if parameters.parameters_version != PARAMETERS_VERSION {
            return Err(ParametersError::Version(parameters.parameters_version));
        }
        for list in [&parameters.relays, &parameters.witnesses, &parameters.public_nodes] {
            if list.len() > ENTRIES_MAX || list.iter().any(|entry| entry.len() > ENTRY_MAX_BYTES) {
                return Err(ParametersError::TooMuch);
            }
        }
        let bad = |server: &IceServer| server.check().is_err();
        if parameters.ice_servers.len() > ENTRIES_MAX || parameters.ice_servers.iter().any(bad) {
            return Err(ParametersError::IceServer);
        }
        let topic = parameters.topic.try_into().map_err(|_| ParametersError::Topic)?;
        let witnesses = parameters.witnesses.iter().map(|did| did.parse().map_err(|_| ParametersError::Witness));
        let witnesses: Vec<_> = witnesses.collect::<Result<_, _>>()?;
        let threshold = parameters.threshold;
        if threshold > witnesses.len() {
            return Err(ParametersError::Threshold { threshold, witnesses: witnesses.len() });
        }
        if parameters.work_bits > WORK_BITS_MAX {
            return Err(ParametersError::Work);
        }
        let work_bits = parameters.work_bits;
        let rules = Rules { witnesses: witnesses.into_iter().collect(), threshold, work_bits };
        let NetworkParameters { relays, public_nodes, ice_servers, .. } = parameters;
        Ok(Self { topic, rules, relays, public_nodes, ice_servers })
    }
}

/// What a profile is opened with.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    pub network: Network,
    /// Why the server's answer was ignored, if it was.
    pub fault: Option<ParametersError>,
    /// Whether the server was asked; else that is still to be done.
    pub asked: bool,
}

/// Returns the network to start with. Awaits `asking` only if nothing is stored.
pub async fn at_start(
    records: &Records,
    asking: impl Future<Output = Option<NetworkParameters>>,
) -> Result<Start, StoreError> {
    if let Some(network) = read_stored(records).await? {
        return Ok(Start { network, fault: None, asked: false });
    }
    let (network, fault) = settle(records, asking.await).await?;
    Ok(Start { network, fault, asked: true })
}

/// Returns the profile's network: as a server names it now, else as it was stored, else the public one. Stores a new
/// answer. An answer about another network than the profile's is ignored.
pub async fn settle(
    records: &Records,
    answer: Option<NetworkParameters>,
) -> Result<(Network, Option<ParametersError>), StoreError> {
    let stored = read_stored(records).await?;
    let Some(answer) = answer else { return Ok((stored.unwrap_or_default(), None)) };
    let network = match Network::try_from(answer) {
        Ok(network) => network,
        Err(fault) => return Ok((stored.unwrap_or_default(), Some(fault))),
    };
    let same = match &stored {
        Some(stored) => stored.topic == network.topic,
        None => may_belong_to(records, &network.topic).await?,
    };
    if !same {
        return Ok((stored.unwrap_or_default(), Some(ParametersError::OtherNetwork)));
    }
    if stored.as_ref() != Some(&network) {
        let record = put(Table::Settings, RECORD, &NetworkParameters::from(&network));
        records.commit(vec![record], Durability::Relaxed).await?;
    }
    Ok((network, None))
}

/// What a server said the last time.
async fn read_stored(records: &Records) -> Result<Option<Network>, StoreError> {
    Ok(match records.get::<NetworkParameters>(Table::Settings, RECORD).await? {
        StoredRecord::Record(stored) => Network::try_from(stored).ok(),
        StoredRecord::Nothing => None,
        StoredRecord::Damaged(found) => {
            tracing::warn!(why = %found.why, "the network's parameters can't be read");
            None
        }
    })
}

/// Whether a profile without stored parameters may belong to this network. It need not be new: no server may have
/// answered so far, or the record is lost. Then its own changes, which are signed for one network, decide. A profile
/// without changes may belong to any.
async fn may_belong_to(records: &Records, topic: &Topic) -> Result<bool, StoreError> {
    let StoredRecord::Record(key) = records.get(Table::Keys, key_state::RECORD).await? else { return Ok(true) };
    let Some(own) = KeyState::from_record(key).identity() else { return Ok(true) };
    let first = records.page::<StoredChange>(Table::Changes, &format!("{}/", own.to_hex()), None).await?;
    let mut changes = first.records.into_iter().map(|(_, change)| change.of(own));
    Ok(changes.next().is_none_or(|change| change.verify(topic).is_ok()))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures::FutureExt;
    use futures::executor::block_on;
    use futures::future::{pending, ready};

    use super::*;
    use crate::Node;
    use crate::platform::test_environment::TestEnvironment;
    use crate::store::memory::MemoryStore;
    use gen_registry_api::{Command, ProfileChanges};
    use gen_registry_core::identity::SigningIdentity;
    use gen_registry_core::time::Timestamp;

    fn sample() -> NetworkParameters {
        let witness = SigningIdentity::from_entropy(&[1; 32]).identity();
        let rules = Rules { witnesses: vec![witness], threshold: 1, work_bits: 0 };
        let relays = vec!["/ip4/127.0.0.1/tcp/1/ws".to_owned()];
        NetworkParameters::from(&Network { rules, relays, ..Network::default() })
    }

    #[test]
    fn parameters_from_a_server_are_validated() {
        assert!(Network::try_from(sample()).is_ok());
        let stun = |urls: &str| IceServer { urls: urls.to_owned(), username: None, credential: None };
        let bad = [
            (NetworkParameters { topic: "x".into(), ..sample() }, ParametersError::Topic),
            (NetworkParameters { parameters_version: 9, ..sample() }, ParametersError::Version(9)),
            (NetworkParameters { witnesses: vec!["did:web:x".into()], ..sample() }, ParametersError::Witness),
            (NetworkParameters { threshold: 2, ..sample() }, ParametersError::Threshold { threshold: 2, witnesses: 1 }),
            (NetworkParameters { relays: vec![String::new(); ENTRIES_MAX + 1], ..sample() }, ParametersError::TooMuch),
            (NetworkParameters { relays: vec!["a".repeat(ENTRY_MAX_BYTES + 1)], ..sample() }, ParametersError::TooMuch),
            (
                NetworkParameters { public_nodes: vec![String::new(); ENTRIES_MAX + 1], ..sample() },
                ParametersError::TooMuch,
            ),
            (NetworkParameters { ice_servers: vec![stun("http://x")], ..sample() }, ParametersError::IceServer),
            (
                NetworkParameters { ice_servers: vec![stun("stun:x"); ENTRIES_MAX + 1], ..sample() },
                ParametersError::IceServer,
            ),
        ];
        for (parameters, why) in bad {
            assert_eq!(Network::try_from(parameters), Err(why));
        }
    }

    #[test]
    fn last_parameters_count_while_the_server_is_silent_and_another_network_is_ignored() {
        let records = Records::new(Rc::new(MemoryStore::new()));
        let settle = |answer| block_on(settle(&records, answer)).expect("the memory store answers");
        assert_eq!(settle(None), (Network::default(), None));
        let network = Network::try_from(sample()).expect("good parameters");
        assert_eq!(settle(Some(sample())), (network.clone(), None));
        assert_eq!(settle(None), (network.clone(), None), "remembered");
        let other = NetworkParameters { topic: "ab".repeat(32), ..sample() };
        assert_eq!(settle(Some(other)), (network.clone(), Some(ParametersError::OtherNetwork)));
        let broken = NetworkParameters { threshold: 5, ..sample() };
        assert_eq!(settle(Some(broken)).0, network);
    }

    #[test]
    fn profile_with_parameters_does_not_wait_for_the_server() {
        let records = Records::new(Rc::new(MemoryStore::new()));
        let network = Network::try_from(sample()).expect("good parameters");
        let mut first = Box::pin(at_start(&records, pending()));
        assert!(first.as_mut().now_or_never().is_none(), "with nothing stored there is nothing to open a profile with");
        let start = |asking| block_on(at_start(&records, asking)).expect("the memory store answers");
        let first = start(ready(Some(sample())).left_future());
        assert_eq!(first, Start { network: network.clone(), fault: None, asked: true });
        // It never answers.
        let second = start(pending().right_future());
        assert_eq!(second, Start { network, fault: None, asked: false });
    }

    async fn write(store: &Rc<MemoryStore>, network: Network) {
        let environment = Rc::new(TestEnvironment::new(1, Timestamp::from_millis(1_800_000_000_000)));
        let node = Node::start(store.clone(), environment, network).await.expect("a profile opens");
        let claim = Command::RegisterUsername { name: "alice".into(), changes: ProfileChanges::default() };
        node.handle(claim).await.expect("a name is claimed");
    }

    #[test]
    fn a_profile_that_wrote_without_a_server_does_not_change_networks() {
        let elsewhere = NetworkParameters { topic: "ab".repeat(32), ..sample() };
        let other = Network::try_from(elsewhere.clone()).expect("good parameters");
        let settle = |store: &Rc<MemoryStore>, answer: &NetworkParameters| {
            block_on(settle(&Records::new(store.clone()), Some(answer.clone()))).expect("the memory store answers")
        };
        let left_aside = Some(ParametersError::OtherNetwork);
        let store = Rc::new(MemoryStore::new());
        block_on(write(&store, Network::default()));
        for _ in 0..2 {
            assert_eq!(settle(&store, &elsewhere), (Network::default(), left_aside));
        }
        assert_eq!(settle(&store, &sample()).1, None, "a server of its own network is listened to");
        // The same the other way round: written for the other network, and the record of it is gone.
        let store = Rc::new(MemoryStore::new());
        block_on(write(&store, other.clone()));
        assert_eq!(settle(&store, &sample()).1, left_aside);
        assert_eq!(settle(&store, &elsewhere), (other.clone(), None));
        // Who wrote nothing may go anywhere.
        assert_eq!(settle(&Rc::new(MemoryStore::new()), &elsewhere), (other, None));
    }
}
