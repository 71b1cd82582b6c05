//! Which network a page opens, before anything of a profile is read.
//!
//! | shown the last time | the address is a link to | the server belongs to | the page opens |
//! |---|---|---|---|
//! | A | – or A | anything | A |
//! | A | B | anything | A, and offers the choice |
//! | nothing | – | A | A, for good |
//! | nothing | – | says nothing | the built-in network, for good once an identity was made there |
//! | nothing | A | A | A, for good |
//! | nothing | B | A, or says nothing | nothing: the person chooses |
//!
//! So no server and no link moves a profile, and a link leads nobody into another network than its own.

use std::future::Future;

use crate::network::directory::{DirectoryError, NetworkDirectory};
use crate::network::{Network, NetworkParameters, ParametersError};
use crate::store::StoreError;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;

/// What a link to a page of the registry says of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub topic: Topic,
    /// The newest change of the witnesses that its maker knew, or the topic.
    pub newest: Digest,
}

/// What a page begins with.
#[allow(clippy::large_enum_variant, reason = "a page makes one, once")]
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// The profile of this network.
    Profile {
        network: Network,
        /// What the server was found to say, if it was asked already.
        served: Option<Served>,
    },
    /// Nothing yet: it came by a link to a network that its server does not belong to, and has none of its own.
    Undecided { served: Served },
}

/// What a server said of its network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Its network, if that can be joined.
    pub network: Option<Network>,
    /// Why it is left aside.
    pub fault: Option<ParametersError>,
}

impl Served {
    /// A network that is left aside since it is another one.
    fn other(network: Network) -> Self {
        Self { fault: Some(ParametersError::OtherNetwork(network.name())), network: Some(network) }
    }
}

/// Decides what the page opens, and records it. Awaits `asking`, the answer of the page's server, only where this browser
/// shows no network yet; and `has_identity`, whether the built-in network has a profile with an identity, only where a
/// page began there before.
pub async fn decide(
    directory: &NetworkDirectory,
    link: Option<Link>,
    asking: impl Future<Output = Option<NetworkParameters>>,
    has_identity: impl Future<Output = bool>,
) -> Result<Opening, StoreError> {
    if let Some(network) = directory.shown().await? {
        return Ok(Opening::Profile { network, served: None });
    }
    let answer = asking.await.map(|answer| Network::try_from(&answer));
    let alone = Network::default();
    let (network, served) = match (link, answer) {
        (Some(link), _) if link.topic == alone.topic => (alone, Served::default()),
        (Some(link), Some(Ok(served))) if served.topic == link.topic => match served.history().has(&link.newest) {
            true => (served, Served::default()),
            // It does not know what the link's maker knew: it is behind, or it hides a change.
            false => {
                let fault = Some(ParametersError::LinkUnknown);
                return Ok(Opening::Undecided { served: Served { network: Some(served), fault } });
            }
        },
        (Some(_), Some(Ok(served))) => return Ok(Opening::Undecided { served: Served::other(served) }),
        (Some(_), answer) => {
            let fault = answer.and_then(Result::err);
            return Ok(Opening::Undecided { served: Served { network: None, fault } });
        }
        (None, Some(Ok(served))) => {
            let stays = served.topic != alone.topic && directory.was_alone().await? && has_identity.await;
            if stays { (alone, Served::other(served)) } else { (served, Served::default()) }
        }
        (None, answer) => {
            directory.note_alone().await?;
            let served = Some(Served { network: None, fault: answer.and_then(Result::err) });
            return Ok(Opening::Profile { network: alone, served });
        }
    };
    match directory.show(&network).await {
        Ok(()) => Ok(Opening::Profile { network, served: Some(served) }),
        Err(DirectoryError::Store(error)) => Err(error),
        // It shows none, so this can't be where it has many; the page works all the same.
        Err(DirectoryError::Full) => Ok(Opening::Profile { network, served: Some(served) }),
    }
}

#[cfg(test)]
mod tests;
