//! All limits of the relay.
//!
//! They protect one machine. Relays may differ, so none of them belongs to the network's parameters.
//!
//! Three kinds of limits, and what each is against:
//!
//! | limit | against |
//! |---|---|
//! | how much of something there is (`…_MAX`, `…_PER_PEER`) | using up memory, files and bandwidth |
//! | how often something is requested (`…_RATE`, in each [`RATE_TIME`]) | using up processor and disk time |
//! | how long something lasts (`…_TIME`) | holding what is no longer used |
//!
//! A limit for each peer keeps honest peers with a defect in check. It stops no attacker, who has as many peer ids as
//! he wants; limits for each IP address do, and limits in total protect the machine in any case. Behind a proxy all
//! peers have the proxy's address; the limits for each address are then switched off ([`RelayLimits::by_address`]).
//!
//! For example, a page that looks for connections costs one connection, one reservation for an hour and up to 24
//! circuits; each circuit lasts some seconds and carries about 20 KB of handshake, of the 1 MiB and two minutes that it
//! may use.

use std::{num::NonZeroU32, time::Duration};

use libp2p::{connection_limits::ConnectionLimits, relay, rendezvous};

use crate::net::REGISTRATION_SECONDS;

/// Peers with a reservation, under which others reach them.
pub const RESERVATIONS_MAX: usize = 128;
/// A profile has one node; further reservations are for the moment of a reconnection.
pub const RESERVATIONS_PER_PEER: usize = 4;
/// How long a reservation is valid for. libp2p's client renews it before.
pub const RESERVATION_TIME: Duration = Duration::from_secs(60 * 60);
/// All circuits together: four for each reservation.
pub const CIRCUITS_MAX: usize = 4 * RESERVATIONS_MAX;
/// Circuits of one peer, in either direction.
pub const CIRCUITS_PER_PEER: usize = 16;
/// A circuit is for the handshake of a direct connection, not for data.
pub const CIRCUIT_TIME: Duration = Duration::from_secs(2 * 60);
/// Bytes of one circuit, in both directions together.
pub const CIRCUIT_BYTES: u64 = 1024 * 1024;

/// Reservations (renewals, too) at once, and in each [`RATE_TIME`].
pub const RESERVATIONS_PER_PEER_RATE: NonZeroU32 = at_least_one(15);
/// The same of all peers at one address.
pub const RESERVATIONS_PER_IP_RATE: NonZeroU32 = at_least_one(60);
/// New circuits at once, and in each [`RATE_TIME`]. A browser looks for at most 24 connections.
pub const CIRCUITS_PER_PEER_RATE: NonZeroU32 = at_least_one(60);
/// The same of all peers at one address: many people may share one.
pub const CIRCUITS_PER_IP_RATE: NonZeroU32 = at_least_one(240);
/// The time that all rates are for.
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// Incoming connections: more than reservations, because many only discover other peers or query.
pub const CONNECTIONS_IN: u32 = 512;
/// Incoming connections that are not authenticated yet.
pub const CONNECTIONS_IN_PENDING: u32 = 64;
/// Outgoing connections: to other relays only.
pub const CONNECTIONS_OUT: u32 = 32;
/// Outgoing connections that are not authenticated yet.
pub const CONNECTIONS_OUT_PENDING: u32 = 16;
/// Connections of one peer id. A page has one, and a second one for a moment when it reconnects.
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Open connections from one address. Many people may share it, but not all of a network.
pub const CONNECTIONS_PER_ADDRESS: usize = 128;
/// New connections from one address in each [`RATE_TIME`].
pub const CONNECTIONS_PER_ADDRESS_RATE: u32 = 600;
/// Open streams of one connection, circuits included; yamux closes a connection that opens more.
pub const STREAMS_PER_CONNECTION: usize = 128;
/// Incoming streams of one connection whose protocol is being negotiated; further ones are dropped.
pub const STREAMS_NEGOTIATING: usize = 32;
/// A connection without reservation, circuit or stream is closed after this.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Registrations in all namespaces. A node without a reservation can't be reached, so far more would be useless.
pub const REGISTRATIONS_MAX: usize = 8 * RESERVATIONS_MAX;
/// Namespaces in which one peer is registered.
pub const REGISTRATIONS_PER_PEER: usize = 8;
/// libp2p stores replaced registrations until they expire, some 2 KiB each; a peer that replaces its own too often is
/// disconnected.
pub const REGISTRATIONS_PER_CONNECTION: usize = 64;
/// Registrations from one address in each [`RATE_TIME`]. Peer ids cost nothing; an address with more may open no
/// connection in that time.
pub const REGISTRATIONS_PER_ADDRESS_RATE: u32 = 240;
/// All that libp2p stores, replaced ones included. Above this, a peer that registers is disconnected.
pub const REGISTRATIONS_STORED: usize = 16 * REGISTRATIONS_MAX;
/// Addresses of one registration; a peer that sends more is disconnected.
pub const REGISTRATION_ADDRESSES: usize = 16;
/// Seconds. Replaced registrations, and those of peers that disconnected, are stored this long; with the protocol's
/// usual two hours a relay would be full of peers that have left.
pub const REGISTRATION_TTL_MAX: u64 = REGISTRATION_SECONDS;
/// Seconds; a registration for a shorter time is refused.
pub const REGISTRATION_TTL_MIN: u64 = 60;
/// Cookies that rendezvous stores, by which a client asks for what is new. Each may hold [`REGISTRATIONS_MAX`] ids.
/// This project's nodes send none.
pub const COOKIES_MAX: usize = 128;

/// Requests to the witness that are being read or answered.
pub const WITNESS_AT_ONCE: usize = 64;
/// The same of one peer.
pub const WITNESS_AT_ONCE_PER_PEER: usize = 4;
/// Requests of one peer to the witness in each [`RATE_TIME`]. A person claims few names; the starter catalogue's node asks
/// for some 35 entries at its first start; a page repeats requests that were not answered.
pub const WITNESS_REQUESTS_PER_PEER_RATE: u32 = 60;
/// The same of all peers together: peer ids cost nothing, and each receipt is written to the disk and stored
/// permanently.
pub const WITNESS_REQUESTS_RATE: u32 = 1_200;
/// From the opened stream to the answer.
pub const WITNESS_DEADLINE: Duration = Duration::from_secs(10);

/// How often other relays that are not connected are dialled.
pub const BOOTSTRAP_RETRY: Duration = Duration::from_secs(30);
/// The first address is available at once or never.
pub const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that are not closed this long after the signal to stop are dropped.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes a rate of a number, at compile time.
const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Returns the interval at which libp2p's limiter allows one more.
fn time_for_one(rate: NonZeroU32) -> Duration {
    RATE_TIME / rate.get()
}

/// The configurable limits; the constants of the same names are their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// [`RESERVATIONS_MAX`].
    pub reservations: usize,
    /// [`RESERVATION_TIME`].
    pub reservation_time: Duration,
    /// [`CIRCUITS_MAX`].
    pub circuits: usize,
    /// [`CIRCUITS_PER_PEER`].
    pub circuits_per_peer: usize,
    /// [`CIRCUIT_TIME`].
    pub circuit_time: Duration,
    /// [`CIRCUIT_BYTES`].
    pub circuit_bytes: u64,
    /// Whether there are limits for each address. Behind a proxy all peers have the same one.
    pub by_address: bool,
    /// [`CONNECTIONS_IN`].
    pub connections_in: u32,
    /// [`CONNECTIONS_PER_ADDRESS`].
    pub connections_per_address: usize,
    /// The limits of requests to the witness.
    pub witness: WitnessLimits,
}

/// The limits of requests to the witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessLimits {
    /// [`WITNESS_AT_ONCE`].
    pub at_once: usize,
    /// [`WITNESS_AT_ONCE_PER_PEER`].
    pub at_once_per_peer: usize,
    /// [`WITNESS_REQUESTS_RATE`].
    pub rate: u32,
    /// [`WITNESS_REQUESTS_PER_PEER_RATE`].
    pub rate_per_peer: u32,
    /// [`WITNESS_DEADLINE`].
    pub deadline: Duration,
}

impl Default for WitnessLimits {
    fn default() -> Self {
        Self {
            at_once: WITNESS_AT_ONCE,
            at_once_per_peer: WITNESS_AT_ONCE_PER_PEER,
            rate: WITNESS_REQUESTS_RATE,
            rate_per_peer: WITNESS_REQUESTS_PER_PEER_RATE,
            deadline: WITNESS_DEADLINE,
        }
    }
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            reservations: RESERVATIONS_MAX,
            reservation_time: RESERVATION_TIME,
            circuits: CIRCUITS_MAX,
            circuits_per_peer: CIRCUITS_PER_PEER,
            circuit_time: CIRCUIT_TIME,
            circuit_bytes: CIRCUIT_BYTES,
            by_address: true,
            connections_in: CONNECTIONS_IN,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            witness: WitnessLimits::default(),
        }
    }
}

impl RelayLimits {
    /// Returns libp2p's configuration of circuit relay v2.
    pub(super) fn relay(&self) -> relay::Config {
        let config = relay::Config {
            max_reservations: self.reservations,
            max_reservations_per_peer: RESERVATIONS_PER_PEER,
            reservation_duration: self.reservation_time,
            reservation_rate_limiters: Vec::new(),
            max_circuits: self.circuits,
            // libp2p refuses a peer that has more than this, so it allows one more than this.
            max_circuits_per_peer: self.circuits_per_peer.saturating_sub(1),
            max_circuit_duration: self.circuit_time,
            max_circuit_bytes: self.circuit_bytes,
            circuit_src_rate_limiters: Vec::new(),
        };
        let config = config
            .reservation_rate_per_peer(RESERVATIONS_PER_PEER_RATE, time_for_one(RESERVATIONS_PER_PEER_RATE))
            .circuit_src_per_peer(CIRCUITS_PER_PEER_RATE, time_for_one(CIRCUITS_PER_PEER_RATE));
        if !self.by_address {
            return config;
        }
        config
            .reservation_rate_per_ip(RESERVATIONS_PER_IP_RATE, time_for_one(RESERVATIONS_PER_IP_RATE))
            .circuit_src_per_ip(CIRCUITS_PER_IP_RATE, time_for_one(CIRCUITS_PER_IP_RATE))
    }

    /// Returns libp2p's limits on connections.
    pub(super) fn connections(&self) -> ConnectionLimits {
        ConnectionLimits::default()
            .with_max_established_incoming(Some(self.connections_in))
            .with_max_pending_incoming(Some(CONNECTIONS_IN_PENDING))
            .with_max_established_outgoing(Some(CONNECTIONS_OUT))
            .with_max_pending_outgoing(Some(CONNECTIONS_OUT_PENDING))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
    }
}

/// Returns libp2p's configuration of rendezvous. What it can't limit is limited by
/// [`registrations`](super::registrations).
pub(super) fn rendezvous() -> rendezvous::server::Config {
    rendezvous::server::Config::default()
        .with_min_ttl(REGISTRATION_TTL_MIN)
        .with_max_ttl(REGISTRATION_TTL_MAX)
        .with_max_registration_per_peer(REGISTRATIONS_PER_PEER)
        .with_max_registration_total(REGISTRATIONS_MAX)
        .with_max_stored_cookies(COOKIES_MAX)
}

#[cfg(test)]
mod tests {
    use libp2p::{Multiaddr, PeerId};

    use super::*;

    #[test]
    fn rate_of_one_address_renews_after_the_window() {
        let config = RelayLimits::default().relay();
        let began = tokio::time::Instant::now().into_std();
        let address: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().expect("an address");
        for (mut limiters, rate) in [
            (config.reservation_rate_limiters, RESERVATIONS_PER_IP_RATE),
            (config.circuit_src_rate_limiters, CIRCUITS_PER_IP_RATE),
        ] {
            // Another peer each time, so that only the address counts.
            let mut allows = |now| {
                let peer = PeerId::random();
                limiters.iter_mut().all(|limiter| limiter.try_next(peer, &address, now))
            };
            for later in [Duration::ZERO, RATE_TIME, 2 * RATE_TIME] {
                let all = (0..2 * rate.get()).filter(|_| allows(began + later)).count();
                assert_eq!(all, rate.get() as usize, "after {later:?}");
            }
        }
    }
}
