//! Every bound of the relay, by name.
//!
//! They protect one machine, not an agreement: relays may differ, so nothing here belongs to the network's parameters.

use std::{num::NonZeroU32, time::Duration};

use libp2p::{connection_limits::ConnectionLimits, relay, rendezvous};

use crate::net::REGISTRATION_SECONDS;

/// Peers that may keep a place here under which others reach them.
pub const RESERVATIONS_MAX: usize = 128;
/// A profile has one node; a second place is for the moment of a reconnection.
pub const RESERVATIONS_PER_PEER: usize = 4;
pub const RESERVATION_TIME: Duration = Duration::from_secs(60 * 60);
/// All circuits together: four for each place.
pub const CIRCUITS_MAX: usize = 4 * RESERVATIONS_MAX;
pub const CIRCUITS_PER_PEER: usize = 16;
/// A circuit is for the handshake of a direct connection, not for data.
pub const CIRCUIT_TIME: Duration = Duration::from_secs(2 * 60);
/// Both directions together.
pub const CIRCUIT_BYTES: u64 = 1024 * 1024;

/// New places (renewals too) at once, and in each [`RATE_TIME`].
pub const RESERVATIONS_PER_PEER_RATE: NonZeroU32 = at_least_one(15);
pub const RESERVATIONS_PER_IP_RATE: NonZeroU32 = at_least_one(60);
/// New circuits at once, and in each [`RATE_TIME`]. A browser looks for at most 24 connections.
pub const CIRCUITS_PER_PEER_RATE: NonZeroU32 = at_least_one(60);
/// Many people may stand behind one address.
pub const CIRCUITS_PER_IP_RATE: NonZeroU32 = at_least_one(240);
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// Room for those with a place and as many who only ask.
pub const CONNECTIONS_IN: u32 = 512;
pub const CONNECTIONS_IN_PENDING: u32 = 64;
pub const CONNECTIONS_OUT: u32 = 32;
pub const CONNECTIONS_OUT_PENDING: u32 = 16;
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Open connections from one address. Many people may stand behind it, but not everybody.
pub const CONNECTIONS_PER_ADDRESS: usize = 128;
/// New connections from one address in each [`RATE_TIME`].
pub const CONNECTIONS_PER_ADDRESS_RATE: u32 = 600;
pub const STREAMS_PER_CONNECTION: usize = 128;
pub const STREAMS_NEGOTIATING: usize = 32;
/// A connection without reservation, circuit or stream is closed after this.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// In all namespaces. A node without a place can't be reached, so far more would be waste.
pub const REGISTRATIONS_MAX: usize = 8 * RESERVATIONS_MAX;
pub const REGISTRATIONS_PER_PEER: usize = 8;
/// libp2p keeps what a newer registration replaced until that expires, some 2 KiB each; who replaces too often is
/// disconnected.
pub const REGISTRATIONS_PER_CONNECTION: usize = 64;
/// In each [`RATE_TIME`]. Keys cost nothing; an address that registers more may open no connection in that time.
pub const REGISTRATIONS_PER_ADDRESS_RATE: u32 = 240;
/// All that libp2p keeps, also what was replaced. Above it, who registers is disconnected.
pub const REGISTRATIONS_KEPT: usize = 16 * REGISTRATIONS_MAX;
/// What a registration says besides is not worth its room; who sends more is disconnected.
pub const REGISTRATION_ADDRESSES: usize = 16;
/// Seconds. Short, because what was replaced stays so long, and so does who went without a word; the protocol's usual
/// two hours would fill a relay with people who left.
pub const REGISTRATION_TTL_MAX: u64 = REGISTRATION_SECONDS;
/// Seconds.
pub const REGISTRATION_TTL_MIN: u64 = 60;
/// Each may remember [`REGISTRATIONS_MAX`] numbers. Our own nodes ask without one.
pub const COOKIES_MAX: usize = 128;

/// Requests to the witness that are read, decided or answered.
pub const WITNESS_AT_ONCE: usize = 64;
pub const WITNESS_AT_ONCE_PER_PEER: usize = 4;
/// In [`RATE_TIME`]. A person takes a few names in a life; a page asks again for what it has not got.
pub const WITNESS_REQUESTS_PER_PEER_RATE: u32 = 30;
/// All peers together: keys cost nothing, and each receipt waits for the disk and is kept permanently.
pub const WITNESS_REQUESTS_RATE: u32 = 1_200;
/// From the opened stream to the answer.
pub const WITNESS_DEADLINE: Duration = Duration::from_secs(10);

/// How often relays that could not be reached, or were lost, are tried again.
pub const BOOTSTRAP_RETRY: Duration = Duration::from_secs(30);
/// The first address is there at once or never.
pub const LISTEN_PATIENCE: Duration = Duration::from_secs(5);
/// Connections that are not closed this long after the signal to stop are dropped.
pub const STOP_PATIENCE: Duration = Duration::from_secs(1);

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// libp2p lets one more in after each such time, whatever may come at once.
fn time_for_one(rate: NonZeroU32) -> Duration {
    RATE_TIME / rate.get()
}

/// The bounds that decide what a peer may do with the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    pub reservations: usize,
    pub reservation_time: Duration,
    pub circuits: usize,
    pub circuits_per_peer: usize,
    pub circuit_time: Duration,
    pub circuit_bytes: u64,
    /// Whether one address may do only so much in a time. Behind a proxy everybody has the proxy's address.
    pub by_address: bool,
    pub connections_in: u32,
    pub connections_per_address: usize,
    pub witness: WitnessLimits,
}

/// What peers may ask of the witness.
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
            // libp2p refuses a peer that has more than this, so it lets in one more than this.
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
    fn what_one_address_used_up_it_has_again_after_the_time() {
        let config = RelayLimits::default().relay();
        let began = tokio::time::Instant::now().into_std();
        let address: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().expect("an address");
        for (mut limiters, rate) in [
            (config.reservation_rate_limiters, RESERVATIONS_PER_IP_RATE),
            (config.circuit_src_rate_limiters, CIRCUITS_PER_IP_RATE),
        ] {
            // Somebody else each time, so that only the address counts.
            let mut let_in = |now| {
                let peer = PeerId::random();
                limiters.iter_mut().all(|limiter| limiter.try_next(peer, &address, now))
            };
            for later in [Duration::ZERO, RATE_TIME, 2 * RATE_TIME] {
                let all = (0..2 * rate.get()).filter(|_| let_in(began + later)).count();
                assert_eq!(all, rate.get() as usize, "after {later:?}");
            }
        }
    }
}
