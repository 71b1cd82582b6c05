//! How many connections one address may have, and how many new ones in a time. libp2p counts by peer only, and keys
//! cost nothing.

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

#[derive(Debug, thiserror::Error)]
#[error("too many connections from one address")]
pub(super) struct TooManyFromOneAddress;

/// Refuses connections; has none of its own to do anything with.
pub(super) struct IpLimiter {
    /// `None`: all connections have the same address, that of a proxy.
    most: Option<usize>,
    open: HashMap<ConnectionId, IpAddr>,
    from: HashMap<IpAddr, usize>,
    lately: Window<IpAddr>,
}

impl IpLimiter {
    pub(super) fn new(most: Option<usize>) -> Self {
        Self { most, open: HashMap::new(), from: HashMap::new(), lately: Window::default() }
    }

    fn let_in(&mut self, address: IpAddr, now: u64) -> Result<(), TooManyFromOneAddress> {
        let Some(most) = self.most else { return Ok(()) };
        let lately = self.lately.of(address, now);
        if self.from.get(&address).copied().unwrap_or(0) >= most || *lately >= CONNECTIONS_PER_ADDRESS_RATE {
            return Err(TooManyFromOneAddress);
        }
        *lately += 1;
        Ok(())
    }

    /// Refuses connections from an address until the window in which connections are counted is over.
    pub(super) fn shut_out(&mut self, address: IpAddr, now: u64) {
        *self.lately.of(address, now) = CONNECTIONS_PER_ADDRESS_RATE;
    }

    fn note(&mut self, id: ConnectionId, address: IpAddr) {
        if self.open.insert(id, address).is_none() {
            *self.from.entry(address).or_default() += 1;
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(address) = self.open.remove(&id) else { return };
        if let Some(count) = self.from.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&address);
            }
        }
    }
}

/// The first part of an address, where it is one.
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
            Some(address) => self.let_in(address, Native.now().as_millis()).map_err(ConnectionDenied::new),
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
        let address = ip_of(remote).and_then(|address| self.from.get(&address));
        match (address, self.most) {
            (Some(open), Some(most)) if *open >= most => Err(ConnectionDenied::new(TooManyFromOneAddress)),
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
                    self.note(established.connection_id, address);
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => self.forget(connection_id),
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
    fn one_address_has_only_so_many_and_gets_them_back() {
        let now = 5;
        let (crowded, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut crowd = IpLimiter::new(Some(2));
        for number in 0..2 {
            assert!(crowd.let_in(crowded, now).is_ok());
            crowd.note(ConnectionId::new_unchecked(number), crowded);
        }
        assert!(crowd.let_in(crowded, now).is_err());
        assert!(crowd.let_in(other, now).is_ok());
        crowd.forget(ConnectionId::new_unchecked(0));
        assert!(crowd.let_in(crowded, now).is_ok());
        crowd.forget(ConnectionId::new_unchecked(1));
        assert!(crowd.from.is_empty() && crowd.open.is_empty());
        assert!((0..1000).all(|_| IpLimiter::new(None).let_in(crowded, now).is_ok()), "behind a proxy");
    }

    #[test]
    fn coming_and_going_without_end_is_too_much() {
        let now = 5;
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut crowd = IpLimiter::new(Some(2));
        let mut come =
            |now| (0..2 * CONNECTIONS_PER_ADDRESS_RATE).filter(|_| crowd.let_in(address, now).is_ok()).count();
        assert_eq!(come(now), CONNECTIONS_PER_ADDRESS_RATE as usize);
        assert_eq!(come(now + RATE_TIME.as_millis() as u64), CONNECTIONS_PER_ADDRESS_RATE as usize);
    }

    #[test]
    fn who_is_shut_out_comes_again_after_the_time() {
        let now = 5;
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut crowd = IpLimiter::new(Some(2));
        assert!(crowd.let_in(address, now).is_ok());
        crowd.shut_out(address, now);
        assert!(crowd.let_in(address, now + 1).is_err());
        assert!(crowd.let_in(IpAddr::from([192, 0, 2, 2]), now + 1).is_ok(), "others are not meant");
        assert!(crowd.let_in(address, now + RATE_TIME.as_millis() as u64).is_ok());
    }
}
