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
//! he wants; limits for each [origin](crate::net::origin::Origin) do (an IPv4 address, or a /64 of IPv6), and limits in
//! total protect the machine in any case. What is held is shared: one origin holds at most an eighth of it, so that
//! nobody uses up what is there for all. Behind a proxy the address that a trusted proxy names counts; where none is
//! trusted, all peers have the proxy's address, and the limits for each are switched off ([`RelayLimits::by_address`]).
//!
//! For example, a page that looks for connections costs one connection, one reservation for an hour and up to 24
//! circuits; each circuit lasts some seconds and carries about 20 KB of handshake, of the 1 MiB and two minutes that it
//! may use.

use std::{num::NonZeroU32, time::Duration};

use libp2p::{Multiaddr, connection_limits::ConnectionLimits, relay};

use crate::net::REGISTRATION_SECONDS;
use crate::net::origin::Origin;
use crate::net::relay::{places::Places, window::Window};
use crate::platform::{Environment, native::Native};

/// Peers with a reservation, under which others reach them.
pub const RESERVATIONS_MAX: usize = 128;
/// The same of one address: an eighth, for a household, a school or an attacker.
pub const RESERVATIONS_PER_ADDRESS: usize = RESERVATIONS_MAX / 8;
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
/// New reservations of all peers at one address in each [`RATE_TIME`]. Renewals do not count.
pub const RESERVATIONS_PER_ADDRESS_RATE: u32 = 60;
/// New circuits at once, and in each [`RATE_TIME`]. A browser looks for at most 24 connections.
pub const CIRCUITS_PER_PEER_RATE: NonZeroU32 = at_least_one(60);
/// New circuits of all peers at one address in each [`RATE_TIME`]: many people may share one. In [`CIRCUIT_TIME`] that is
/// less than half of all.
pub const CIRCUITS_PER_ADDRESS_RATE: u32 = 120;
/// The time that all rates are for.
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// Incoming connections: more than reservations, because many only discover other peers or query.
pub const CONNECTIONS_IN: u32 = 512;
/// Incoming connections that are not authenticated yet.
pub const CONNECTIONS_IN_PENDING: u32 = 128;
/// The same of one address: an eighth, so that whoever connects and says nothing keeps nobody out.
pub const CONNECTIONS_IN_PENDING_PER_ADDRESS: usize = CONNECTIONS_IN_PENDING as usize / 8;
/// Outgoing connections: to other relays only.
pub const CONNECTIONS_OUT: u32 = 32;
/// Outgoing connections that are not authenticated yet.
pub const CONNECTIONS_OUT_PENDING: u32 = 16;
/// Connections of one peer id. A page has one, and a second one for a moment when it reconnects.
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Open connections from one address: an eighth. Many people may share it, but not all of a network.
pub const CONNECTIONS_PER_ADDRESS: usize = CONNECTIONS_IN as usize / 8;
/// New connections from one address in each [`RATE_TIME`].
pub const CONNECTIONS_PER_ADDRESS_RATE: u32 = 600;
/// Open streams of one connection, circuits included; yamux closes a connection that opens more.
pub const STREAMS_PER_CONNECTION: usize = 128;
/// Incoming streams of one connection whose protocol is being negotiated; further ones are dropped.
pub const STREAMS_NEGOTIATING: usize = 32;
/// A connection without reservation, circuit or stream is closed after this.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Registrations in all namespaces. A node without a reservation can't be reached, so far more would be useless. Each takes
/// at most [`RENDEZVOUS_REQUEST_MAX_BYTES`].
pub const REGISTRATIONS_MAX: usize = 8 * RESERVATIONS_MAX;
/// The same of all peers at one address: an eighth.
pub const REGISTRATIONS_PER_ADDRESS: usize = REGISTRATIONS_MAX / 8;
/// Namespaces in which one peer is registered.
pub const REGISTRATIONS_PER_PEER: usize = 8;
/// Registrations of one peer, renewals too, in each [`RATE_TIME`]. A page registers again whenever its addresses change.
pub const REGISTRATIONS_PER_PEER_RATE: u32 = 64;
/// New registrations from one address in each [`RATE_TIME`]. Peer ids cost nothing.
pub const REGISTRATIONS_PER_ADDRESS_RATE: u32 = 240;
/// Addresses of one registration; one with more is refused.
pub const REGISTRATION_ADDRESSES: usize = 16;
/// Seconds; a registration for a longer time is refused. It ends with its connection in any case.
pub const REGISTRATION_TTL_MAX: u64 = REGISTRATION_SECONDS;
/// Seconds; a registration for a shorter time is refused.
pub const REGISTRATION_TTL_MIN: u64 = 60;
/// Bytes of a namespace, as in libp2p.
pub const NAMESPACE_MAX_BYTES: usize = 255;
/// Registrations in one answer, chosen by chance. This project's nodes ask for 64.
pub const DISCOVERED_MAX: usize = 128;
/// Bytes of a request to rendezvous: a signed record of [`REGISTRATION_ADDRESSES`] addresses of 120 bytes takes less. So
/// an answer has less than the 1 MiB that libp2p's client reads.
pub const RENDEZVOUS_REQUEST_MAX_BYTES: usize = 4 * 1024;
/// Requests to rendezvous that are being read or answered; further ones are dropped.
pub const RENDEZVOUS_AT_ONCE: usize = 64;
/// The same of all peers at one address: an eighth.
pub const RENDEZVOUS_AT_ONCE_PER_ADDRESS: usize = RENDEZVOUS_AT_ONCE / 8;
/// From the opened stream to the answer.
pub const RENDEZVOUS_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of the head of a request that a proxy passes on.
pub const PROXIED_HEAD_MAX_BYTES: usize = 16 * 1024;
/// A trusted proxy sends the head of a request at once.
pub const PROXIED_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections of trusted proxies whose head is being read; further ones are dropped.
pub const PROXIED_PENDING_MAX: usize = 256;

/// Requests to the witness that are being read or answered.
pub const WITNESS_AT_ONCE: usize = 64;
/// The same of one peer.
pub const WITNESS_AT_ONCE_PER_PEER: usize = 4;
/// The same of all peers at one address.
pub const WITNESS_AT_ONCE_PER_ADDRESS: usize = WITNESS_AT_ONCE / 4;
/// Requests of one peer to the witness in each [`RATE_TIME`]. A person claims few names; the starter catalogue's node asks
/// for some 35 entries at its first start, and shows what other witnesses signed of them; a page repeats requests that were
/// not answered, and fetches the list of a closed set.
pub const WITNESS_REQUESTS_PER_PEER_RATE: u32 = 120;
/// The same of all peers at one address.
pub const WITNESS_REQUESTS_PER_ADDRESS_RATE: u32 = 240;
/// Requests from one address that were of no use, in each [`RATE_TIME`]: they could not be read, a signature was wrong, or
/// the witness refused. They count here and not as requests, so that they take nothing from others.
pub const WITNESS_WASTED_PER_ADDRESS_RATE: u32 = 60;
/// The same of all peers together: peer ids cost nothing, and each receipt is written to the disk and stored
/// permanently.
pub const WITNESS_REQUESTS_RATE: u32 = 1_200;
/// From the opened stream to the answer.
pub const WITNESS_DEADLINE: Duration = Duration::from_secs(10);

/// How often other relays that are not connected are dialled.
pub const BOOTSTRAP_RETRY: Duration = Duration::from_secs(30);
/// Between two steps in which records of an earlier run are validated: peers are served meanwhile.
pub const RESTORE_EVERY: Duration = Duration::from_millis(20);
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
    /// [`RESERVATIONS_PER_ADDRESS`].
    pub reservations_per_address: usize,
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
    /// [`REGISTRATIONS_MAX`].
    pub registrations: usize,
    /// [`REGISTRATIONS_PER_ADDRESS`].
    pub registrations_per_address: usize,
    /// [`REGISTRATIONS_PER_ADDRESS_RATE`].
    pub registrations_per_address_rate: u32,
    /// Whether there are limits for each address. Behind a proxy that is not trusted all peers have the same one.
    pub by_address: bool,
    /// [`CONNECTIONS_IN`].
    pub connections_in: u32,
    /// [`CONNECTIONS_PER_ADDRESS`].
    pub connections_per_address: usize,
    /// [`CONNECTIONS_PER_ADDRESS_RATE`].
    pub connections_per_address_rate: u32,
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
    /// [`WITNESS_AT_ONCE_PER_ADDRESS`].
    pub at_once_per_address: usize,
    /// [`WITNESS_REQUESTS_RATE`].
    pub rate: u32,
    /// [`WITNESS_REQUESTS_PER_ADDRESS_RATE`].
    pub rate_per_address: u32,
    /// [`WITNESS_WASTED_PER_ADDRESS_RATE`].
    pub wasted_per_address: u32,
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
            at_once_per_address: WITNESS_AT_ONCE_PER_ADDRESS,
            rate: WITNESS_REQUESTS_RATE,
            rate_per_address: WITNESS_REQUESTS_PER_ADDRESS_RATE,
            wasted_per_address: WITNESS_WASTED_PER_ADDRESS_RATE,
            rate_per_peer: WITNESS_REQUESTS_PER_PEER_RATE,
            deadline: WITNESS_DEADLINE,
        }
    }
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            reservations: RESERVATIONS_MAX,
            reservations_per_address: RESERVATIONS_PER_ADDRESS,
            reservation_time: RESERVATION_TIME,
            circuits: CIRCUITS_MAX,
            circuits_per_peer: CIRCUITS_PER_PEER,
            circuit_time: CIRCUIT_TIME,
            circuit_bytes: CIRCUIT_BYTES,
            registrations: REGISTRATIONS_MAX,
            registrations_per_address: REGISTRATIONS_PER_ADDRESS,
            registrations_per_address_rate: REGISTRATIONS_PER_ADDRESS_RATE,
            by_address: true,
            connections_in: CONNECTIONS_IN,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            connections_per_address_rate: CONNECTIONS_PER_ADDRESS_RATE,
            witness: WitnessLimits::default(),
        }
    }
}

impl RelayLimits {
    /// Returns libp2p's configuration of circuit relay v2. Who gets a place is decided by `places`.
    pub(super) fn relay(&self, places: Places) -> relay::Config {
        // Each of its connections may hold the place of a peer; so this is never reached, which would end renewals.
        let never = self.reservations.saturating_mul(CONNECTIONS_PER_PEER as usize).saturating_add(1);
        let config = relay::Config {
            max_reservations: never,
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
        let mut config = config
            .reservation_rate_per_peer(RESERVATIONS_PER_PEER_RATE, time_for_one(RESERVATIONS_PER_PEER_RATE))
            .circuit_src_per_peer(CIRCUITS_PER_PEER_RATE, time_for_one(CIRCUITS_PER_PEER_RATE));
        let (origins, mut recent) = (places.origins().clone(), Window::default());
        config.circuit_src_rate_limiters.push(Box::new(move |_, address: &Multiaddr, _| {
            origins.of(address).is_none_or(|origin| may_open_circuit(&mut recent, origin, Native.now().as_millis()))
        }));
        // The last one: a place is taken when nothing else refuses it.
        config
            .reservation_rate_limiters
            .push(Box::new(move |peer, address: &Multiaddr, now| places.take(peer, address, now)));
        config
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

/// Counts a circuit of an origin, unless it is over its rate.
fn may_open_circuit(recent: &mut Window<Origin>, origin: Origin, now: u64) -> bool {
    let count = recent.count_mut(origin, now);
    let may_open = *count < CIRCUITS_PER_ADDRESS_RATE;
    *count += u32::from(may_open);
    may_open
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn circuits_of_one_address_are_limited_in_each_window() {
        let (mut recent, origin) = (Window::default(), Origin::from(IpAddr::from([192, 0, 2, 1])));
        for window in 1..3 {
            let now = window * RATE_TIME.as_millis() as u64;
            let opened = (0..2 * CIRCUITS_PER_ADDRESS_RATE).filter(|_| may_open_circuit(&mut recent, origin, now));
            assert_eq!(opened.count(), CIRCUITS_PER_ADDRESS_RATE as usize);
        }
    }
}
