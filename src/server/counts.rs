//! What the server counts beside the relay: its listener for pages, and what the catalogue's node knows.

use std::sync::Arc;

use gen_registry_node::net::relay::numbers::Numbers;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

/// What a listener counts. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpCounts {
    /// Open connections.
    pub(crate) connections: Gauge,
    /// Connections closed at once, over a limit.
    pub(crate) connections_refused: Counter,
    /// Requests that were answered.
    pub(crate) requests: Counter,
    /// Requests refused because their client has too many under way at a proxy.
    pub(crate) requests_refused: Counter,
}

/// What the catalogue's node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Other people.
    pub(crate) people: u64,
    /// Names, of people and modules.
    pub(crate) names: u64,
    /// Peers that are connected.
    pub(crate) peers: u64,
    /// Strangers of whom one is kept; 1 while there is room for all.
    pub(crate) strangers_share: u64,
}

/// The server's gauges and counters. Clones share them.
#[derive(Clone)]
pub struct ServerCounts {
    pub(crate) http: HttpCounts,
    people: Gauge,
    names: Gauge,
    peers: Gauge,
    strangers_share: Gauge,
    numbers: Arc<Numbers>,
}

impl Default for ServerCounts {
    fn default() -> Self {
        let http = HttpCounts::default();
        let (people, names, peers, strangers_share) = <(Gauge, Gauge, Gauge, Gauge)>::default();
        let mut numbers = Numbers::default();
        numbers.add_gauges("gen_http", &[("connections", "Connections for pages that are open", &http.connections)]);
        numbers.add_counters(
            "gen_http",
            &[
                ("requests", "Requests that were answered", &http.requests),
                (
                    "connections_refused",
                    "Connections for pages that were closed at once, over a limit",
                    &http.connections_refused,
                ),
                (
                    "requests_refused",
                    "Requests of clients that have too many under way at a proxy",
                    &http.requests_refused,
                ),
            ],
        );
        numbers.add_gauges(
            "gen_catalogue",
            &[
                ("people", "People whose registries the catalogue's node keeps", &people),
                ("names", "Names that the catalogue's node knows", &names),
                ("peers", "Peers that the catalogue's node is connected to", &peers),
                (
                    "strangers_share",
                    "Of so many strangers the catalogue's node keeps one; 1 while there is room for all",
                    &strangers_share,
                ),
            ],
        );
        Self { http, people, names, peers, strangers_share, numbers: Arc::new(numbers) }
    }
}

impl ServerCounts {
    /// Takes over what the catalogue's node knows now.
    pub(crate) fn show(&self, known: Known) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.people.set(number(known.people));
        self.names.set(number(known.names));
        self.peers.set(number(known.peers));
        self.strangers_share.set(number(known.strangers_share));
    }

    /// Returns the numbers.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}
