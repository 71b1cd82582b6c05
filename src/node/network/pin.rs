//! The pin: the network as a profile stored it at its first visit, and what an answer of a server may add to it.

use crate::key_state::{self, KeyRecord};
use crate::network::{Network, NetworkParameters, ParametersError};
use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Durability, StoreError, Table};

/// The key of [`Table::Settings`] under which the network is stored.
const RECORD: &str = "network";
/// Relays that stay known, of which the first [`RELAYS_KEPT`] give way to no other.
pub const RELAYS_KNOWN_MAX: usize = 16;
/// Relays from the profile's first visits, which a server that names others again and again does not crowd out.
pub const RELAYS_KEPT: usize = 8;

/// Returns the network of a profile: as it is pinned there, else `network`, which is pinned now. Waits for no server.
pub async fn at_start(records: &Records, network: Network) -> Result<Network, StoreError> {
    if let Some(pinned) = read_pin(records, &network).await? {
        return Ok(pinned);
    }
    store_pin(records, &network).await?;
    Ok(network)
}

/// Returns whether a native node's store is of this network; an empty one is from now on. One that has an identity and no
/// pin is of a version that knew no genesis.
pub async fn is_of(records: &Records, network: &Network) -> Result<bool, StoreError> {
    match records.get::<NetworkParameters>(Table::Settings, RECORD).await? {
        StoredRecord::Record(stored) => Ok(stored.genesis().is_ok_and(|genesis| genesis.topic() == network.topic)),
        StoredRecord::Damaged(_) => Ok(false),
        StoredRecord::Nothing => {
            let key = records.get::<KeyRecord>(Table::Keys, key_state::RECORD).await?;
            let is_empty = matches!(key, StoredRecord::Nothing);
            if is_empty {
                store_pin(records, network).await?;
            }
            Ok(is_empty)
        }
    }
}

/// Returns the profile's network with what the server's answer adds to it, and why the answer was ignored, if it was.
/// Stores what is new.
pub async fn settle(
    records: &Records,
    own: &Network,
    answer: Option<NetworkParameters>,
) -> Result<(Network, Option<ParametersError>), StoreError> {
    let pinned = read_pin(records, own).await?.unwrap_or_else(|| own.clone());
    let Some(answer) = answer else { return Ok((pinned, None)) };
    match extend(&pinned, &answer) {
        Ok(network) => {
            if pinned != network {
                store_pin(records, &network).await?;
            }
            Ok((network, None))
        }
        Err(fault) => Ok((pinned, Some(fault))),
    }
}

/// Stores the network.
async fn store_pin(records: &Records, network: &Network) -> Result<(), StoreError> {
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

/// Reads the pinned network, if it is `own`: what can't be read, or is another network's, counts as none, and the
/// database's name says which network it is.
async fn read_pin(records: &Records, own: &Network) -> Result<Option<Network>, StoreError> {
    let stored = match records.get::<NetworkParameters>(Table::Settings, RECORD).await? {
        StoredRecord::Record(stored) => stored,
        StoredRecord::Nothing => return Ok(None),
        StoredRecord::Damaged(found) => {
            tracing::warn!(why = %found.why, "the stored network can't be read");
            return Ok(None);
        }
    };
    match Network::try_from(&stored) {
        Ok(network) => Ok(Some(network).filter(|network| network.topic == own.topic)),
        Err(fault) => {
            tracing::warn!(%fault, "the stored network can't be used");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
