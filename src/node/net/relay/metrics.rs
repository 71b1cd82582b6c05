//! What a relay counts.
//!
//! No address and no peer id is ever a label, so the metrics may be public.

use libp2p::relay;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use crate::net::relay::numbers::Numbers;

/// The counters and gauges. Clones share them. `numbers_of` registers each with a help text.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Open connections.
    pub connections: Gauge,
    /// Connections since the start.
    pub connections_opened: Counter,
    /// Incoming connections that failed, or were over a limit.
    pub connections_refused: Counter,
    /// Reservations that are held.
    pub reservations: Gauge,
    /// Reservations that were given or renewed.
    pub reservations_accepted: Counter,
    /// Reservations over a limit; the next three count reasons, the others are over the rate or the bound of one peer.
    pub reservations_refused: Counter,
    /// Reservations refused because the address holds its share.
    pub reservations_refused_share: Counter,
    /// Reservations refused because all are held.
    pub reservations_refused_full: Counter,
    /// Reservations refused because the address is over its rate.
    pub reservations_refused_rate: Counter,
    /// Open circuits.
    pub circuits: Gauge,
    /// Circuits since the start.
    pub circuits_opened: Counter,
    /// Circuits over a limit, or to a peer without a reservation.
    pub circuits_refused: Counter,
    /// Circuits that ended by a limit, or by a lost connection.
    pub circuits_cut: Counter,
    /// Registrations that a discovery may return.
    pub registrations: Gauge,
    /// Registrations that were given or renewed.
    pub registrations_accepted: Counter,
    /// Registrations that were refused; the next three count reasons, the others were invalid.
    pub registrations_refused: Counter,
    /// Registrations refused because the address or the peer holds its share.
    pub registrations_refused_share: Counter,
    /// Registrations refused because the table is full.
    pub registrations_refused_full: Counter,
    /// Registrations refused because the address or the peer is over its rate.
    pub registrations_refused_rate: Counter,
    /// Discoveries that were served.
    pub discoveries: Counter,
    /// Peers in the routing table.
    pub kademlia_peers: Gauge,
    /// Records that are stored.
    pub kademlia_values: Gauge,
    /// Records that were stored or renewed.
    pub kademlia_values_accepted: Counter,
    /// Records that were refused; `kademlia_refused_…` count the reasons.
    pub kademlia_values_refused: Counter,
    /// Records refused because this relay can't validate records.
    pub kademlia_refused_no_network: Counter,
    /// Records refused because they are too long.
    pub kademlia_refused_oversized: Counter,
    /// Records refused because they can't be decoded.
    pub kademlia_refused_unreadable: Counter,
    /// Records refused because a signature is invalid.
    pub kademlia_refused_forged: Counter,
    /// Records refused because they belong to another key.
    pub kademlia_refused_wrong_key: Counter,
    /// Records refused because they break a rule of the network.
    pub kademlia_refused_rule: Counter,
    /// Records refused because a better one is stored.
    pub kademlia_refused_not_better: Counter,
    /// Records refused because a peer, an address or all together are over their rate.
    pub kademlia_refused_too_often: Counter,
    /// Records refused because there is no room.
    pub kademlia_refused_full: Counter,
    /// Provider records that were stored or renewed.
    pub kademlia_providers_accepted: Counter,
    /// Provider records that were refused.
    pub kademlia_providers_refused: Counter,
    /// Receipts that were given, or given again.
    pub witness_receipts: Counter,
    /// Facts that got no receipt.
    pub witness_refusals: Counter,
    /// Requests that the witness could not serve.
    pub witness_not_served: Counter,
    /// Requests that did not reach the witness; the next two count reasons.
    pub witness_turned_away: Counter,
    /// Requests that did not reach the witness because a peer, an address or all together are over a rate.
    pub witness_turned_away_rate: Counter,
    /// Requests that did not reach the witness because its address had too many that were of no use.
    pub witness_turned_away_wasted: Counter,
    /// Requests that wait for the witness.
    pub witness_waiting: Gauge,
}

impl Counts {
    /// Counts what becomes of requests for reservations, and circuits.
    pub(super) fn count_relay_event(&self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { .. } => {
                self.reservations_accepted.inc();
            }
            relay::Event::ReservationReqDenied { .. } => {
                self.reservations_refused.inc();
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

/// Returns the numbers of a relay under the prefix `gen_relay`, after those of libp2p.
pub(super) fn numbers_of(registry: Registry, counts: &Counts) -> Numbers {
    let mut numbers = Numbers::new(registry);
    numbers.add_gauges(
        "gen_relay",
        &[
            ("connections", "Connections to the relay that are open", &counts.connections),
            ("reservations", "Reservations that are held", &counts.reservations),
            ("circuits", "Circuits that are open", &counts.circuits),
            ("rendezvous_registrations", "Registrations that are listed", &counts.registrations),
            ("kademlia_peers", "Peers in the routing table", &counts.kademlia_peers),
            ("kademlia_values", "Values that are stored and served", &counts.kademlia_values),
            ("witness_waiting", "Requests that wait for the witness", &counts.witness_waiting),
        ],
    );
    numbers.add_counters(
        "gen_relay",
        &[
            ("connections_opened", "Connections to the relay", &counts.connections_opened),
            (
                "connections_refused",
                "Connections to the relay that failed or were over a limit",
                &counts.connections_refused,
            ),
            ("reservations_accepted", "Reservations given or renewed", &counts.reservations_accepted),
            ("reservations_refused", "Reservations over a limit", &counts.reservations_refused),
            (
                "reservations_refused_share",
                "Reservations refused because one address holds its share",
                &counts.reservations_refused_share,
            ),
            (
                "reservations_refused_full",
                "Reservations refused because all are held",
                &counts.reservations_refused_full,
            ),
            (
                "reservations_refused_rate",
                "Reservations refused because one address asked too often",
                &counts.reservations_refused_rate,
            ),
            ("circuits_opened", "Circuits", &counts.circuits_opened),
            ("circuits_refused", "Circuits over a limit, or to a peer that isn't here", &counts.circuits_refused),
            ("circuits_cut", "Circuits that ended by a limit or a lost connection", &counts.circuits_cut),
            ("rendezvous_registrations_accepted", "Registrations given or renewed", &counts.registrations_accepted),
            ("rendezvous_registrations_refused", "Registrations refused", &counts.registrations_refused),
            (
                "rendezvous_registrations_refused_share",
                "Registrations refused because one address or peer holds its share",
                &counts.registrations_refused_share,
            ),
            (
                "rendezvous_registrations_refused_full",
                "Registrations refused because the table is full",
                &counts.registrations_refused_full,
            ),
            (
                "rendezvous_registrations_refused_rate",
                "Registrations refused because one address or peer sent too many",
                &counts.registrations_refused_rate,
            ),
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
            ("witness_receipts", "Receipts given by the witness, given again too", &counts.witness_receipts),
            ("witness_refusals", "Facts that the witness gave no receipt", &counts.witness_refusals),
            (
                "witness_not_served",
                "Requests that the witness could not serve, or not then",
                &counts.witness_not_served,
            ),
            ("witness_turned_away", "Requests that never reached the witness", &counts.witness_turned_away),
            (
                "witness_turned_away_rate",
                "Requests that never reached the witness, over a rate",
                &counts.witness_turned_away_rate,
            ),
            (
                "witness_turned_away_wasted",
                "Requests that never reached the witness, of an address with too many useless ones",
                &counts.witness_turned_away_wasted,
            ),
        ],
    );
    numbers
}
