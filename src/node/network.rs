//! Which network a profile belongs to: what a server says, checked, and what was said the last time.
//!
//! A profile never changes its topic: its own document is signed for one.

use serde::{Deserialize, Serialize};

use crate::net::ice::IceServer;
use crate::registry::identity::Topic;
use crate::registry::limits::PARAMETERS_VERSION;
use crate::registry::ownership::Rules;
use crate::store::records::{Found, Records, put};
use crate::store::{Durability, StoreError, Table};

const RECORD: &str = "network";
/// Relays, witnesses and ICE servers, each.
pub const ENTRIES_MAX: usize = 16;
/// Of one address.
pub const ENTRY_MAX_BYTES: usize = 512;

/// One network: everything that must be the same for all who take part, and where to find others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub topic: Topic,
    pub rules: Rules,
    /// Multiaddresses, each with the relay's name at its end.
    pub relays: Vec<String>,
    pub ice_servers: Vec<IceServer>,
}

impl Default for Network {
    /// The public network, with the global topic of seed 000, and nobody to find it through.
    fn default() -> Self {
        let topic = "44f16e43a86cb2c6c6ddf61a51c83400023281f6cb9e003f0b839a729a3bdcbd".to_owned();
        let topic = topic.try_into().expect("64 hex digits");
        Self { topic, rules: Rules::default(), relays: Vec::new(), ice_servers: Vec::new() }
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
    #[serde(default)]
    pub ice_servers: Vec<IceServer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    #[error("the network's topic is not 64 hex digits")]
    Topic,
    #[error("this program knows the network's parameters up to version {PARAMETERS_VERSION}, not {0}")]
    Version(u32),
    #[error("a witness is not a did:key")]
    Witness,
    #[error("{threshold} receipts can't come from {witnesses} witnesses")]
    Threshold { threshold: usize, witnesses: usize },
    #[error("too many STUN or TURN servers, or one that is none")]
    IceServer,
    #[error("too many relays or witnesses, or one that is too long")]
    TooMuch,
    #[error("this profile belongs to another network")]
    OtherNetwork,
}

impl From<&Network> for NetworkParameters {
    fn from(network: &Network) -> Self {
        Self {
            topic: network.topic.into(),
            parameters_version: PARAMETERS_VERSION,
            relays: network.relays.clone(),
            witnesses: network.rules.witnesses.iter().map(ToString::to_string).collect(),
            threshold: network.rules.threshold,
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
        for list in [&parameters.relays, &parameters.witnesses] {
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
        let rules = Rules { witnesses: witnesses.into_iter().collect(), threshold };
        Ok(Self { topic, rules, relays: parameters.relays, ice_servers: parameters.ice_servers })
    }
}

/// The profile's network: as a server says now, else as it said the last time, else the public one. What a server says
/// of another network than the profile's is left aside.
pub async fn settle(
    records: &Records,
    said: Option<NetworkParameters>,
) -> Result<(Network, Option<ParametersError>), StoreError> {
    let kept = match records.get::<NetworkParameters>(Table::Settings, RECORD).await? {
        Found::Record(kept) => Network::try_from(kept).ok(),
        Found::Nothing => None,
        Found::Damaged(found) => {
            tracing::warn!(why = %found.why, "the network's parameters can't be read");
            None
        }
    };
    let Some(said) = said else { return Ok((kept.unwrap_or_default(), None)) };
    let fault = match (Network::try_from(said), &kept) {
        (Ok(network), Some(kept)) if network.topic != kept.topic => ParametersError::OtherNetwork,
        (Ok(network), _) => {
            if kept.as_ref() != Some(&network) {
                let record = put(Table::Settings, RECORD, &NetworkParameters::from(&network));
                records.commit(vec![record], Durability::Relaxed).await?;
            }
            return Ok((network, None));
        }
        (Err(error), _) => error,
    };
    Ok((kept.unwrap_or_default(), Some(fault)))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures::executor::block_on;

    use super::*;
    use crate::registry::identity::SigningIdentity;
    use crate::store::memory::MemoryStore;

    fn said() -> NetworkParameters {
        let witness = SigningIdentity::from_entropy(&[1; 32]).identity();
        let rules = Rules { witnesses: vec![witness], threshold: 1 };
        let relays = vec!["/ip4/127.0.0.1/tcp/1/ws".to_owned()];
        NetworkParameters::from(&Network { rules, relays, ..Network::default() })
    }

    #[test]
    fn what_a_server_says_is_checked() {
        assert!(Network::try_from(said()).is_ok());
        let stun = |urls: &str| IceServer { urls: urls.to_owned(), username: None, credential: None };
        let bad = [
            (NetworkParameters { topic: "x".into(), ..said() }, ParametersError::Topic),
            (NetworkParameters { parameters_version: 9, ..said() }, ParametersError::Version(9)),
            (NetworkParameters { witnesses: vec!["did:web:x".into()], ..said() }, ParametersError::Witness),
            (NetworkParameters { threshold: 2, ..said() }, ParametersError::Threshold { threshold: 2, witnesses: 1 }),
            (NetworkParameters { relays: vec![String::new(); ENTRIES_MAX + 1], ..said() }, ParametersError::TooMuch),
            (NetworkParameters { relays: vec!["a".repeat(ENTRY_MAX_BYTES + 1)], ..said() }, ParametersError::TooMuch),
            (NetworkParameters { ice_servers: vec![stun("http://x")], ..said() }, ParametersError::IceServer),
            (
                NetworkParameters { ice_servers: vec![stun("stun:x"); ENTRIES_MAX + 1], ..said() },
                ParametersError::IceServer,
            ),
        ];
        for (parameters, why) in bad {
            assert_eq!(Network::try_from(parameters), Err(why));
        }
    }

    #[test]
    fn what_was_said_last_counts_while_nobody_answers_and_another_network_is_left_aside() {
        let records = Records::new(Rc::new(MemoryStore::new()));
        let settle = |said| block_on(settle(&records, said)).expect("the memory store answers");
        assert_eq!(settle(None), (Network::default(), None));
        let network = Network::try_from(said()).expect("good parameters");
        assert_eq!(settle(Some(said())), (network.clone(), None));
        assert_eq!(settle(None), (network.clone(), None), "remembered");
        let other = NetworkParameters { topic: "ab".repeat(32), ..said() };
        assert_eq!(settle(Some(other)), (network.clone(), Some(ParametersError::OtherNetwork)));
        let broken = NetworkParameters { threshold: 5, ..said() };
        assert_eq!(settle(Some(broken)).0, network);
    }
}
