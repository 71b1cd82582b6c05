//! The pin: the network as a profile stored it at its first visit, and what an answer of a server may add to it.

use std::future::Future;

use crate::network::{Network, NetworkParameters, ParametersError};
use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Durability, StoreError, Table};

/// The key of [`Table::Settings`] under which the network is stored.
const RECORD: &str = "network";
/// Relays that stay known, of which the first [`RELAYS_KEPT`] give way to no other.
pub const RELAYS_KNOWN_MAX: usize = 16;
/// Relays from the profile's first visits, which a server that names others again and again does not crowd out.
pub const RELAYS_KEPT: usize = 8;

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
    if let Some(network) = read_pin(records).await? {
        return Ok(Start { network, fault: None, asked: false });
    }
    let (network, fault) = settle(records, asking.await).await?;
    Ok(Start { network, fault, asked: true })
}

/// Returns the profile's network with what the server's answer adds to it, and why the answer was ignored, if it was.
/// Stores what is new. Where nothing is stored yet, the answer's network is stored, for good.
pub async fn settle(
    records: &Records,
    answer: Option<NetworkParameters>,
) -> Result<(Network, Option<ParametersError>), StoreError> {
    let pinned = read_pin(records).await?;
    let Some(answer) = answer else { return Ok((pinned.unwrap_or_default(), None)) };
    let next = match &pinned {
        Some(pinned) => extend(pinned, &answer),
        None => Network::try_from(&answer),
    };
    match next {
        Ok(network) => {
            if pinned.as_ref() != Some(&network) {
                store_pin(records, &network).await?;
            }
            Ok((network, None))
        }
        Err(fault) => Ok((pinned.unwrap_or_default(), Some(fault))),
    }
}

/// Stores the network, for good.
pub async fn store_pin(records: &Records, network: &Network) -> Result<(), StoreError> {
    let record = put(Table::Settings, RECORD, &NetworkParameters::from(network));
    records.commit(vec![record], Durability::Strict).await
}

/// Returns the pinned network with what a server of the same network adds: changes that the succession signed, and ways
/// to others. Fails if anything in the answer is wrong; then none of it counts.
pub fn extend(pinned: &Network, answer: &NetworkParameters) -> Result<Network, ParametersError> {
    let genesis = answer.genesis()?;
    if genesis.topic() != pinned.topic {
        return Err(ParametersError::OtherNetwork(super::name_of(&genesis)));
    }
    let mut endpoints = answer.endpoints()?;
    let history = answer.follow(pinned.history())?;
    endpoints.relays = remember(&pinned.relays, endpoints.relays);
    Ok(Network::new(history).reached_by(endpoints))
}

/// Returns the known relays and the named ones, within [`RELAYS_KNOWN_MAX`]: those of the first visits stay, the oldest
/// of the others goes.
fn remember(known: &[String], named: Vec<String>) -> Vec<String> {
    let mut relays = known.to_vec();
    for relay in named {
        if !relays.contains(&relay) {
            relays.push(relay);
        }
    }
    while relays.len() > RELAYS_KNOWN_MAX {
        relays.remove(RELAYS_KEPT);
    }
    relays
}

/// Reads the pinned network. A record that can't be read is in quarantine by then, and counts as none.
async fn read_pin(records: &Records) -> Result<Option<Network>, StoreError> {
    Ok(match records.get::<NetworkParameters>(Table::Settings, RECORD).await? {
        StoredRecord::Record(stored) => match Network::try_from(&stored) {
            Ok(network) => Some(network),
            Err(fault) => {
                tracing::warn!(%fault, "the stored network can't be used");
                None
            }
        },
        StoredRecord::Nothing => None,
        StoredRecord::Damaged(found) => {
            tracing::warn!(why = %found.why, "the stored network can't be read");
            None
        }
    })
}

#[cfg(test)]
mod tests;
