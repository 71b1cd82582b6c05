//! Search beyond this device, at the person's request only (`/gen/search/2`).
//!
//! ```text
//!   this device   the ordinary search                                                        at once
//!   peers         up to 8 connected peers, one question each: names with their proofs        up to 4 s
//!   the network   where the text is a module's name: Kademlia, by the hash of that name      up to 4 s
//!                 ─► each proof is verified; whoever sent a wrong one is blamed, and all that it said is left out
//!                 ─► merged by folded name; what is known here is shown as it is known here
//! ```
//!
//! Nothing that was found goes into the read model. Opening a module looks its name up ([`crate::lookup`]), by which its
//! holder's logs and document arrive the ordinary way; titles and descriptions are what peers say until then.
//!
//! - asking: `client`; what the answers come to: `merge`; answering: `server`

mod client;
mod merge;
mod server;

use std::rc::Rc;

use crate::context::Context;
use crate::decisions::Decisions;
use crate::key_store::KeyStore;
use crate::lookup::Lookups;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::search::ModuleSearch;
use crate::peers::PeerTable;
use crate::registry::Registry;
use crate::reputation::ReputationTracker;
use crate::request_rates::{RequestRates, Window};

/// The service that asks peers for modules, and answers them.
pub(crate) struct NetworkSearch {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    peers: Rc<PeerTable>,
    reputation: Rc<ReputationTracker>,
    lookups: Rc<Lookups>,
    catalog: Rc<ModuleCatalog>,
    search: Rc<ModuleSearch>,
    /// Questions that this node asks of each peer.
    asked: RequestRates,
    /// Questions that each peer asks.
    answered: RequestRates,
    /// Held while one question is answered.
    answering: async_lock::Mutex<Window>,
}

impl NetworkSearch {
    /// Creates the service.
    #[expect(clippy::too_many_arguments, reason = "it stands above search, look-ups and peers")]
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        peers: Rc<PeerTable>,
        reputation: Rc<ReputationTracker>,
        lookups: Rc<Lookups>,
        catalog: Rc<ModuleCatalog>,
        search: Rc<ModuleSearch>,
    ) -> Self {
        let (asked, answered) =
            (RequestRates::new(client::ASKS_PER_PEER_RATE), RequestRates::new(context.limits.searches_per_minute));
        let answering = async_lock::Mutex::default();
        Self {
            context,
            keys,
            registry,
            decisions,
            peers,
            reputation,
            lookups,
            catalog,
            search,
            asked,
            answered,
            answering,
        }
    }
}
