//! What the handlers of HTTP requests share.

use std::path::PathBuf;

use gen_registry_node::Network;
use gen_registry_node::net::relay::RelayStatus;

use crate::catalogue_node::CatalogueNodeView;
use crate::counts::ServerCounts;

/// What HTTP handlers need: the page's folder, and the state of what runs beside it.
#[derive(Clone)]
pub struct Site {
    /// The folder with the built page.
    pub dist: PathBuf,
    /// The network's parameters.
    pub network: Network,
    /// The relay, if there is one.
    pub relay: Option<RelayStatus>,
    /// The catalogue's node, if there is one.
    pub catalogue: Option<CatalogueNodeView>,
    /// What the server counts.
    pub counts: ServerCounts,
}

impl Site {
    /// Takes over what the catalogue's node knows now.
    pub(crate) fn refresh_counts(&self) {
        if let Some(catalogue) = &self.catalogue {
            self.counts.show(catalogue.known());
        }
    }
}
