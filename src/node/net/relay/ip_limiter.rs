//! Limits of connections from one origin: how many are open or begun, and how many are opened in each [`RATE_TIME`]. libp2p
//! counts by peer id only, and peer ids cost nothing.
//!
//! A connection is checked twice: before its handshake, against all limits, so that a flood costs no cryptography; and
//! after it, against the open ones, since several handshakes may have been under way at once. For example, 60
//! connections of one address are open and 10 more begin at the same moment: all 10 pass the first check, 4 of them the
//! second.
//!
//! [`RATE_TIME`]: super::limits::RATE_TIME

use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::limits::{CONNECTIONS_IN_PENDING_PER_ADDRESS, RelayLimits};
use super::origins::Origins;
use super::window::Window;
use crate::net::origin::Origin;
use crate::net::shares::Shares;
use crate::platform::{Environment, native::Native};

/// Why a connection is refused.
#[derive(Debug, thiserror::Error)]
#[error("too many connections from one address")]
pub(super) struct TooManyFromOneAddress;

/// Refuses connections; handles no streams.
pub(super) struct IpLimiter {
    origins: Origins,
    /// The open incoming connections. libp2p limits them in all.
    open: Shares<ConnectionId>,
    /// Incoming connections whose handshake is under way. libp2p limits them in all, too.
    pending: Shares<ConnectionId>,
    /// Connections that were opened in the current window.
    recent: Window<Origin>,
    /// [`RelayLimits::connections_per_address_rate`].
    rate: u32,
}

impl IpLimiter {
    /// Creates the limiter.
    pub(super) fn new(limits: &RelayLimits, origins: Origins) -> Self {
        let open = Shares::new(usize::MAX, limits.connections_per_address);
        let pending = Shares::new(usize::MAX, CONNECTIONS_IN_PENDING_PER_ADDRESS);
        Self { origins, open, pending, recent: Window::default(), rate: limits.connections_per_address_rate }
    }

    /// Counts a connection that is about to be accepted, or refuses it.
    fn admit(&mut self, id: ConnectionId, origin: Origin, now: u64) -> Result<(), TooManyFromOneAddress> {
        self.open.may_take(Some(origin)).map_err(|_| TooManyFromOneAddress)?;
        self.pending.may_take(Some(origin)).map_err(|_| TooManyFromOneAddress)?;
        let recent = self.recent.count_mut(origin, now);
        if *recent >= self.rate {
            return Err(TooManyFromOneAddress);
        }
        *recent += 1;
        self.pending.take(id, Some(origin)).map_err(|_| TooManyFromOneAddress)
    }
}

impl NetworkBehaviour for IpLimiter {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        match self.origins.of(remote) {
            Some(origin) => self.admit(id, origin, Native.now().as_millis()).map_err(ConnectionDenied::new),
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
        match self.open.may_take(self.origins.of(remote)) {
            Ok(()) => Ok(dummy::ConnectionHandler),
            Err(_) => Err(ConnectionDenied::new(TooManyFromOneAddress)),
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
                let origin = self.origins.of(established.endpoint.get_remote_address());
                self.pending.release(&established.connection_id);
                // It was admitted above; a refusal here only means that it is not counted.
                let _ = self.open.take(established.connection_id, origin);
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.release(&connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.open.release(&connection_id);
            }
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
    use std::net::IpAddr;

    use super::*;
    use crate::net::relay::limits::RATE_TIME;

    const NOW: u64 = 5;

    fn limiter() -> IpLimiter {
        let limits = RelayLimits { connections_per_address: 2, ..RelayLimits::default() };
        IpLimiter::new(&limits, Origins::new(true))
    }

    fn origin(last: u8) -> Origin {
        IpAddr::from([192, 0, 2, last]).into()
    }

    /// Lets a connection begin, and its handshake end.
    fn open(limiter: &mut IpLimiter, number: usize, from: Origin) -> Result<(), TooManyFromOneAddress> {
        let id = ConnectionId::new_unchecked(number);
        limiter.admit(id, from, NOW)?;
        limiter.pending.release(&id);
        limiter.open.take(id, Some(from)).map_err(|_| TooManyFromOneAddress)
    }

    #[test]
    fn open_connections_of_one_address_are_limited_until_some_close() {
        let mut limiter = limiter();
        assert!(open(&mut limiter, 0, origin(1)).is_ok() && open(&mut limiter, 1, origin(1)).is_ok());
        assert!(open(&mut limiter, 2, origin(1)).is_err());
        assert!(open(&mut limiter, 3, origin(2)).is_ok());
        limiter.open.release(&ConnectionId::new_unchecked(0));
        assert!(open(&mut limiter, 4, origin(1)).is_ok());
    }

    #[test]
    fn handshakes_of_one_address_are_limited_until_some_end() {
        let (mut limiter, id) = (limiter(), ConnectionId::new_unchecked);
        let begun = (0..100).filter(|number| limiter.admit(id(*number), origin(1), NOW).is_ok()).count();
        assert_eq!(begun, CONNECTIONS_IN_PENDING_PER_ADDRESS);
        assert!(limiter.admit(id(100), origin(2), NOW).is_ok());
        limiter.pending.release(&id(0));
        assert!(limiter.admit(id(101), origin(1), NOW).is_ok());
    }

    #[test]
    fn new_connections_of_one_address_are_limited_in_each_window() {
        let (mut limiter, mut next) = (limiter(), 0);
        let rate = limiter.rate;
        let mut admitted = |now| {
            let ids = (0..2 * rate).map(|_| {
                next += 1;
                ConnectionId::new_unchecked(next)
            });
            let admitted = ids.filter(|id| {
                let is_admitted = limiter.admit(*id, origin(1), now).is_ok();
                limiter.pending.release(id);
                is_admitted
            });
            admitted.count()
        };
        assert_eq!(admitted(NOW), rate as usize);
        assert_eq!(admitted(NOW + RATE_TIME.as_millis() as u64), rate as usize);
    }
}
