//! Limits of connections from one address: how many are open, and how many are opened in each [`RATE_TIME`]. libp2p
//! counts by peer id only, and peer ids cost nothing.
//!
//! A connection is checked twice: before its handshake, against both limits, so that a flood costs no cryptography; and
//! after it, against the open ones, since several handshakes may have been under way at once. For example, 100
//! connections of one address are open and 64 more begin at the same moment: all 64 pass the first check, 28 of them
//! the second.
//!
//! [`RATE_TIME`]: super::limits::RATE_TIME

use std::collections::HashMap;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::limits::CONNECTIONS_PER_ADDRESS_RATE;
use super::window::Window;
use crate::platform::{Environment, native::Native};

/// Why a connection is refused.
#[derive(Debug, thiserror::Error)]
#[error("too many connections from one address")]
pub(super) struct TooManyFromOneAddress;

/// Refuses connections; handles no streams.
pub(super) struct IpLimiter {
    /// `None` if all connections have the same address, that of a proxy.
    max: Option<usize>,
    /// The address of each open incoming connection.
    open: HashMap<ConnectionId, IpAddr>,
    /// The number of open connections from each address.
    open_by_address: HashMap<IpAddr, usize>,
    /// Connections that were opened in the current window.
    recent: Window<IpAddr>,
}

impl IpLimiter {
    /// Creates the limiter. `max` is the limit of open connections from one address; `None` switches both limits off.
    pub(super) fn new(max: Option<usize>) -> Self {
        Self { max, open: HashMap::new(), open_by_address: HashMap::new(), recent: Window::default() }
    }

    /// Counts a connection that is about to be accepted, or refuses it.
    fn admit(&mut self, address: IpAddr, now: u64) -> Result<(), TooManyFromOneAddress> {
        let Some(max) = self.max else { return Ok(()) };
        let recent = self.recent.count_mut(address, now);
        if self.open_by_address.get(&address).copied().unwrap_or(0) >= max || *recent >= CONNECTIONS_PER_ADDRESS_RATE {
            return Err(TooManyFromOneAddress);
        }
        *recent += 1;
        Ok(())
    }

    /// Refuses connections from an address until the window in which connections are counted is over.
    pub(super) fn block(&mut self, address: IpAddr, now: u64) {
        *self.recent.count_mut(address, now) = CONNECTIONS_PER_ADDRESS_RATE;
    }

    /// Counts an open connection.
    fn on_opened(&mut self, id: ConnectionId, address: IpAddr) {
        if self.open.insert(id, address).is_none() {
            *self.open_by_address.entry(address).or_default() += 1;
        }
    }

    /// Ends the count of a connection.
    fn on_closed(&mut self, id: ConnectionId) {
        let Some(address) = self.open.remove(&id) else { return };
        if let Some(count) = self.open_by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.open_by_address.remove(&address);
            }
        }
    }
}

/// Returns the IP address at the start of an address, if there is one.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(address) => Some(IpAddr::V4(address)),
        Protocol::Ip6(address) => Some(IpAddr::V6(address)),
        _ => None,
    }
}

impl NetworkBehaviour for IpLimiter {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match ip_of(remote) {
            Some(address) => self.admit(address, Native.now().as_millis()).map_err(ConnectionDenied::new),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let address = ip_of(remote).and_then(|address| self.open_by_address.get(&address));
        match (address, self.max) {
            (Some(open), Some(max)) if *open >= max => Err(ConnectionDenied::new(TooManyFromOneAddress)),
            _ => Ok(dummy::ConnectionHandler),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) if established.endpoint.is_listener() => {
                if let Some(address) = ip_of(established.endpoint.get_remote_address()) {
                    self.on_opened(established.connection_id, address);
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => self.on_closed(connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::relay::limits::RATE_TIME;

    #[test]
    fn open_connections_of_one_address_are_limited_until_some_close() {
        let now = 5;
        let (crowded, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut limiter = IpLimiter::new(Some(2));
        for number in 0..2 {
            assert!(limiter.admit(crowded, now).is_ok());
            limiter.on_opened(ConnectionId::new_unchecked(number), crowded);
        }
        assert!(limiter.admit(crowded, now).is_err());
        assert!(limiter.admit(other, now).is_ok());
        limiter.on_closed(ConnectionId::new_unchecked(0));
        assert!(limiter.admit(crowded, now).is_ok());
        limiter.on_closed(ConnectionId::new_unchecked(1));
        assert!(limiter.open_by_address.is_empty() && limiter.open.is_empty());
        assert!((0..1000).all(|_| IpLimiter::new(None).admit(crowded, now).is_ok()), "behind a proxy");
    }

    #[test]
    fn new_connections_of_one_address_are_limited_in_each_window() {
        let now = 5;
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut limiter = IpLimiter::new(Some(2));
        let mut admitted =
            |now| (0..2 * CONNECTIONS_PER_ADDRESS_RATE).filter(|_| limiter.admit(address, now).is_ok()).count();
        assert_eq!(admitted(now), CONNECTIONS_PER_ADDRESS_RATE as usize);
        assert_eq!(admitted(now + RATE_TIME.as_millis() as u64), CONNECTIONS_PER_ADDRESS_RATE as usize);
    }

    #[test]
    fn blocked_address_is_admitted_again_after_the_window() {
        let now = 5;
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut limiter = IpLimiter::new(Some(2));
        assert!(limiter.admit(address, now).is_ok());
        limiter.block(address, now);
        assert!(limiter.admit(address, now + 1).is_err());
        assert!(limiter.admit(IpAddr::from([192, 0, 2, 2]), now + 1).is_ok(), "other addresses are not blocked");
        assert!(limiter.admit(address, now + RATE_TIME.as_millis() as u64).is_ok());
    }
}
