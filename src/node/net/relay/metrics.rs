//! The relay's metrics, in the format of Prometheus.
//!
//! No address and no peer id is ever a label, so the metrics may be public.

use std::fmt;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use libp2p::relay;

/// The media type of [`Metrics::text`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters and gauges, each explained by its help text in [`Metrics::new`]. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub connections: Gauge,
    pub connections_opened: Counter,
    pub connections_refused: Counter,
    pub reservations: Gauge,
    pub reservations_accepted: Counter,
    pub reservations_refused: Counter,
    pub circuits: Gauge,
    pub circuits_opened: Counter,
    pub circuits_refused: Counter,
    pub circuits_cut: Counter,
    pub registrations: Gauge,
    pub registrations_kept: Gauge,
    pub registrations_accepted: Counter,
    pub registrations_refused: Counter,
    pub discoveries: Counter,
    pub kademlia_peers: Gauge,
    pub kademlia_values: Gauge,
    pub kademlia_values_accepted: Counter,
    pub kademlia_values_refused: Counter,
    pub kademlia_refused_no_network: Counter,
    pub kademlia_refused_oversized: Counter,
    pub kademlia_refused_unreadable: Counter,
    pub kademlia_refused_forged: Counter,
    pub kademlia_refused_wrong_key: Counter,
    pub kademlia_refused_rule: Counter,
    pub kademlia_refused_not_better: Counter,
    pub kademlia_refused_too_often: Counter,
    pub kademlia_refused_full: Counter,
    pub kademlia_providers_accepted: Counter,
    pub kademlia_providers_refused: Counter,
    pub peers_disconnected: Counter,
    pub witness_receipts: Counter,
    pub witness_refusals: Counter,
    pub witness_not_served: Counter,
    pub witness_turned_away: Counter,
}

impl Counts {
    /// Counts reservations and circuits.
    pub(super) fn count_relay_event(&self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { renewed, .. } => {
                self.reservations_accepted.inc();
                if !renewed {
                    self.reservations.inc();
                }
            }
            relay::Event::ReservationReqDenied { .. } => {
                self.reservations_refused.inc();
            }
            relay::Event::ReservationClosed { .. } | relay::Event::ReservationTimedOut { .. } => {
                self.reservations.dec();
            }
            relay::Event::CircuitReqAccepted { .. } => {
                self.circuits.inc();
                self.circuits_opened.inc();
            }
            relay::Event::CircuitReqDenied { .. } => {
                self.circuits_refused.inc();
            }
            relay::Event::CircuitClosed { error, .. } => {
                self.circuits.dec();
                if error.is_some() {
                    self.circuits_cut.inc();
                }
            }
            _ => {}
        }
    }
}

/// Converts a count for a gauge.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The counters, and the bandwidth that libp2p counts.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Registers every counter under the prefix `gen_relay`.
    pub(super) fn new(mut registry: Registry, counts: &Counts) -> Self {
        let part = registry.sub_registry_with_prefix("gen_relay");
        for (name, help, gauge) in [
            ("connections", "Connections that are open", &counts.connections),
            ("reservations", "Reservations that are held", &counts.reservations),
            ("circuits", "Circuits that are open", &counts.circuits),
            ("rendezvous_registrations", "Registrations that are listed", &counts.registrations),
            (
                "rendezvous_registrations_kept",
                "Registrations that take memory, replaced ones too",
                &counts.registrations_kept,
            ),
            ("kademlia_peers", "Peers in the routing table", &counts.kademlia_peers),
            ("kademlia_values", "Values that are stored and served", &counts.kademlia_values),
        ] {
            part.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            ("connections_opened", "Connections since the start", &counts.connections_opened),
            ("connections_refused", "Connections that failed or were over a limit", &counts.connections_refused),
            ("reservations_accepted", "Reservations given or renewed", &counts.reservations_accepted),
            ("reservations_refused", "Reservations over a limit", &counts.reservations_refused),
            ("circuits_opened", "Circuits since the start", &counts.circuits_opened),
            ("circuits_refused", "Circuits over a limit, or to a peer that isn't here", &counts.circuits_refused),
            ("circuits_cut", "Circuits that ended by a limit or a lost connection", &counts.circuits_cut),
            ("rendezvous_registrations_accepted", "Registrations given or renewed", &counts.registrations_accepted),
            ("rendezvous_registrations_refused", "Registrations refused", &counts.registrations_refused),
            ("rendezvous_discoveries", "Lists of peers handed out", &counts.discoveries),
            ("kademlia_values_accepted", "Values stored or kept longer", &counts.kademlia_values_accepted),
            ("kademlia_values_refused", "Values refused, for whatever reason", &counts.kademlia_values_refused),
            (
                "kademlia_values_refused_no_network",
                "Values refused because this relay belongs to no network",
                &counts.kademlia_refused_no_network,
            ),
            ("kademlia_values_refused_oversized", "Values refused as too long", &counts.kademlia_refused_oversized),
            (
                "kademlia_values_refused_unreadable",
                "Values refused that can't be read",
                &counts.kademlia_refused_unreadable,
            ),
            ("kademlia_values_refused_forged", "Values refused for a signature", &counts.kademlia_refused_forged),
            (
                "kademlia_values_refused_wrong_key",
                "Values refused that are about something else",
                &counts.kademlia_refused_wrong_key,
            ),
            ("kademlia_values_refused_rule", "Values refused by a rule of names", &counts.kademlia_refused_rule),
            (
                "kademlia_values_refused_not_better",
                "Values refused because a better one is here",
                &counts.kademlia_refused_not_better,
            ),
            (
                "kademlia_values_refused_too_often",
                "Values refused because one peer or address sent too many",
                &counts.kademlia_refused_too_often,
            ),
            ("kademlia_values_refused_full", "Values refused for want of room", &counts.kademlia_refused_full),
            ("kademlia_providers_accepted", "Provider records stored", &counts.kademlia_providers_accepted),
            ("kademlia_providers_refused", "Provider records refused", &counts.kademlia_providers_refused),
            ("peers_disconnected", "Peers sent away for what they did", &counts.peers_disconnected),
            ("witness_receipts", "Receipts given by the witness, given again too", &counts.witness_receipts),
            ("witness_refusals", "Facts that the witness gave no receipt", &counts.witness_refusals),
            (
                "witness_not_served",
                "Requests that the witness could not serve, or not then",
                &counts.witness_not_served,
            ),
            ("witness_turned_away", "Requests that never reached the witness", &counts.witness_turned_away),
        ] {
            part.register(name, help, counter.clone());
        }
        Self { registry }
    }

    /// Returns the metrics as text, in the format of [`METRICS_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
