//! Which profile a tab opens: the networks of this browser, the link in its address, and what its server says.

use std::rc::Rc;

use crate::errors;
use crate::key_state::{self, KeyState};
use crate::network::Network;
use crate::network::directory::NetworkDirectory;
use crate::network::opening::{self, Link, Opening, Served};
use crate::platform::browser::parameters;
use crate::platform::browser::tabs::has_database;
use crate::store::indexed_db::IndexedDb;
use crate::store::memory::MemoryStore;
use crate::store::records::{Records, StoredRecord};
use crate::store::{Store, StoreError, Table};
use gen_registry_api::{Answer, Command, Failure, FailureCode, NetworkReport, read_network_fragment};
use gen_registry_core::identity::Topic;

/// The database that lists this browser's networks.
const DIRECTORY: &str = "gen-registry-networks";
/// The database of the first version, whose profiles belonged to no genesis.
const EARLIER_DATABASE: &str = "gen-registry";

/// What a tab found when it was opened.
pub(super) struct Found {
    pub(super) directory: NetworkDirectory,
    pub(super) opening: Opening,
    /// The network of the link by which the tab was opened.
    pub(super) linked: Option<Topic>,
    pub(super) earlier_profile: bool,
}

/// Decides which profile this tab opens.
pub(super) async fn find() -> Result<Found, StoreError> {
    let store: Rc<dyn Store> = match IndexedDb::open(DIRECTORY, || {}).await {
        Ok(store) => Rc::new(store),
        Err(StoreError::Newer) => return Err(StoreError::Newer),
        Err(_) => Rc::new(MemoryStore::new()),
    };
    let directory = NetworkDirectory::new(Records::new(store));
    let link = link_in_address();
    let opening = opening::decide(&directory, link, parameters::fetch(), has_identity()).await?;
    let earlier_profile = has_database(EARLIER_DATABASE).await;
    Ok(Found { directory, opening, linked: link.map(|link| link.topic), earlier_profile })
}

/// The name of the database of a network's profile, and of the channel between its tabs.
pub(super) fn database_of(topic: &Topic) -> String {
    format!("gen-registry-{}", String::from(*topic))
}

/// The name of the Web Lock that the writer of a network's profile holds.
pub(super) fn lock_of(topic: &Topic) -> String {
    format!("gen-registry-writer-{}", String::from(*topic))
}

/// What the page's address says of its network.
fn link_in_address() -> Option<Link> {
    let hash = web_sys::window()?.location().hash().ok()?;
    let (topic, newest) = read_network_fragment(&hash)?;
    Some(Link { topic: topic.try_into().ok()?, newest: newest.try_into().ok()? })
}

/// Whether the profile of the built-in network has an identity.
async fn has_identity() -> bool {
    let topic = Network::default().topic;
    let database = database_of(&topic);
    let Ok(store) = IndexedDb::open(&database, || {}).await else { return false };
    let store = Rc::new(store);
    let key = Records::new(store.clone()).get(Table::Keys, key_state::RECORD).await;
    if let Some(store) = Rc::into_inner(store) {
        store.close();
    }
    match key {
        Ok(StoredRecord::Record(key)) => KeyState::from_record(key, &topic).is_ok(),
        Ok(StoredRecord::Nothing | StoredRecord::Damaged(_)) | Err(_) => false,
    }
}

/// A tab that belongs to no network: the person has to choose first.
pub(super) struct Undecided {
    pub(super) directory: NetworkDirectory,
    pub(super) served: Served,
}

impl Undecided {
    /// Carries out what can be without a network.
    pub(super) async fn carry_out(&self, command: Command) -> Result<Answer, Failure> {
        match command {
            Command::Network => Ok(self.report()),
            Command::OpenNetwork { topic } => {
                let network = self.served.network.as_ref().filter(|network| String::from(network.topic) == topic);
                let network = network.ok_or_else(errors::unknown_network)?;
                self.directory.show(network).await.map_err(errors::not_listed)?;
                Ok(self.report())
            }
            _ => Err(Failure::new(
                FailureCode::NoNetwork,
                "This page belongs to no network yet.",
                "Choose a network first.",
            )),
        }
    }

    fn report(&self) -> Answer {
        Answer::Network(NetworkReport { left_aside: self.served.fault.clone(), ..NetworkReport::default() })
    }
}
