//! All limits of the relay.
//!
//! They protect one machine. Relays may differ, so none of them belongs to the network's parameters.

use std::{num::NonZeroU32, time::Duration};

use libp2p::{connection_limits::ConnectionLimits, relay, rendezvous};

use crate::net::REGISTRATION_SECONDS;

/// Peers with a reservation, under which others reach them.
pub const RESERVATIONS_MAX: usize = 128;
/// A profile has one node; further reservations are for the moment of a reconnection.
pub const RESERVATIONS_PER_PEER: usize = 4;
pub const RESERVATION_TIME: Duration = Duration::from_secs(60 * 60);
/// All circuits together: four for each reservation.
pub const CIRCUITS_MAX: usize = 4 * RESERVATIONS_MAX;
pub const CIRCUITS_PER_PEER: usize = 16;
/// A circuit is for the handshake of a direct connection, not for data.
pub const CIRCUIT_TIME: Duration = Duration::from_secs(2 * 60);
/// In both directions together.
pub const CIRCUIT_BYTES: u64 = 1024 * 1024;

/// Reservations (renewals, too) at once, and in each [`RATE_TIME`].
pub const RESERVATIONS_PER_PEER_RATE: NonZeroU32 = at_least_one(15);
pub const RESERVATIONS_PER_IP_RATE: NonZeroU32 = at_least_one(60);
/// New circuits at once, and in each [`RATE_TIME`]. A browser looks for at most 24 connections.
pub const CIRCUITS_PER_PEER_RATE: NonZeroU32 = at_least_one(60);
/// Many people may share one address.
pub const CIRCUITS_PER_IP_RATE: NonZeroU32 = at_least_one(240);
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// More than reservations: many connections only discover other peers or query.
pub const CONNECTIONS_IN: u32 = 512;
pub const CONNECTIONS_IN_PENDING: u32 = 64;
pub const CONNECTIONS_OUT: u32 = 32;
pub const CONNECTIONS_OUT_PENDING: u32 = 16;
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Open connections from one address. Many people may share it, but not all of a network.
pub const CONNECTIONS_PER_ADDRESS: usize = 128;
/// New connections from one address in each [`RATE_TIME`].
pub const CONNECTIONS_PER_ADDRESS_RATE: u32 = 600;
pub const STREAMS_PER_CONNECTION: usize = 128;
pub const STREAMS_NEGOTIATING: usize = 32;
/// A connection without reservation, circuit or stream is closed after this.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// In all namespaces. A node without a reservation can't be reached, so far more would be useless.
pub const REGISTRATIONS_MAX: usize = 8 * RESERVATIONS_MAX;
pub const REGISTRATIONS_PER_PEER: usize = 8;
/// libp2p stores replaced registrations until they expire, some 2 KiB each; a peer that replaces its own too often is
/// disconnected.
pub const REGISTRATIONS_PER_CONNECTION: usize = 64;
/// In each [`RATE_TIME`]. Peer ids cost nothing; an address with more registrations may open no connection in that time.
pub const REGISTRATIONS_PER_ADDRESS_RATE: u32 = 240;
/// All that libp2p stores, replaced ones included. Above this, a peer that registers is disconnected.
pub const REGISTRATIONS_STORED: usize = 16 * REGISTRATIONS_MAX;
/// Addresses of one registration; a peer that sends more is disconnected.
pub const REGISTRATION_ADDRESSES: usize = 16;
/// Seconds. Replaced registrations, and those of peers that disconnected, are stored this long; with the protocol's usual
/// two hours a relay would be full of peers that have left.
pub const REGISTRATION_TTL_MAX: u64 = REGISTRATION_SECONDS;
/// Seconds.
pub const REGISTRATION_TTL_MIN: u64 = 60;
/// Each may hold [`REGISTRATIONS_MAX`] ids. This project's nodes send none.
pub const COOKIES_MAX: usize = 128;

/// Requests to the witness that are being read or answered.
pub const WITNESS_AT_ONCE: usize = 64;
pub const WITNESS_AT_ONCE_PER_PEER: usize = 4;
/// In [`RATE_TIME`]. A person claims few names; a page repeats requests that were not answered.
pub const WITNESS_REQUESTS_PER_PEER_RATE: u32 = 30;
/// All peers together: peer ids cost nothing, and each receipt is written to the disk and stored permanently.
pub const WITNESS_REQUESTS_RATE: u32 = 1_200;
/// From the opened stream to the answer.
pub const WITNESS_DEADLINE: Duration = Duration::from_secs(10);

/// How often other relays that are not connected are dialled.
pub const BOOTSTRAP_RETRY: Duration = Duration::from_secs(30);
/// The first address is available at once or never.
pub const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that are not closed this long after the signal to stop are dropped.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

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

/// The configurable limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    pub reservations: usize,
    pub reservation_time: Duration,
    pub circuits: usize,
    pub circuits_per_peer: usize,
    pub circuit_time: Duration,
    pub circuit_bytes: u64,
    /// Whether there are limits for each address. Behind a proxy all peers have the same one.
    pub by_address: bool,
    pub connections_in: u32,
    pub connections_per_address: usize,
    pub witness: WitnessLimits,
}

/// The limits of requests to the witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessLimits {
    pub at_once: usize,
    pub at_once_per_peer: usize,
    pub rate: u32,
    pub rate_per_peer: u32,
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

    pub(super) fn connections(&self) -> ConnectionLimits {
        ConnectionLimits::default()
            .with_max_established_incoming(Some(self.connections_in))
            .with_max_pending_incoming(Some(CONNECTIONS_IN_PENDING))
            .with_max_established_outgoing(Some(CONNECTIONS_OUT))
            .with_max_pending_outgoing(Some(CONNECTIONS_OUT_PENDING))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
    }
}

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
