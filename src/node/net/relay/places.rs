//! Who holds a place: a reservation, under which a browser is reached through this relay.
//!
//! libp2p refuses every request once its own bound is reached, also those of peers that renew what they have. Its bound
//! is therefore set out of reach, and this one stands before it, as the last of its rate limiters: a renewal passes,
//! a new place is given while there is room for its origin, and its origin does not ask too often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::limits::{RESERVATIONS_PER_ADDRESS_RATE, RelayLimits};
use super::metrics::{Counts, number};
use super::origins::Origins;
use super::window::Window;
use crate::net::origin::Origin;
use crate::net::shares::{Refusal, Shares};
use crate::platform::{Environment, native::Native};

/// The places. Clones share them.
#[derive(Clone)]
pub(super) struct Places {
    origins: Origins,
    /// How long a place lasts.
    time: Duration,
    counts: Counts,
    held: Arc<Mutex<Held>>,
}

/// The places that are held.
struct Held {
    shares: Shares<PeerId>,
    /// When each of them ends, unless it is renewed.
    until: HashMap<PeerId, Instant>,
    /// New places that each origin asked for in the current window.
    recent: Window<Origin>,
}

impl Places {
    /// Begins with all places free.
    pub(super) fn new(limits: &RelayLimits, origins: Origins, counts: Counts) -> Self {
        let shares = Shares::new(limits.reservations, limits.reservations_per_address);
        let held = Held { shares, until: HashMap::new(), recent: Window::default() };
        Self { origins, time: limits.reservation_time, counts, held: Arc::new(Mutex::new(held)) }
    }

    /// Gives or renews the place of a peer with this address. Returns whether it has one.
    pub(super) fn take(&self, peer: PeerId, address: &Multiaddr, now: Instant) -> bool {
        let mut held = self.lock();
        let taken = held.take(peer, self.origins.of(address));
        match taken {
            Ok(()) => {
                held.until.insert(peer, now + self.time);
            }
            Err(refusal) => self.count(refusal),
        }
        self.show(&held);
        taken.is_ok()
    }

    /// Returns the counters of the relay.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns the origins of peers.
    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Ends the place of a peer that has no connection any more.
    pub(super) fn on_disconnected(&self, peer: &PeerId) {
        let mut held = self.lock();
        held.shares.release(peer);
        held.until.remove(peer);
        self.show(&held);
    }

    /// Ends the places that were not renewed.
    pub(super) fn expire(&self, now: Instant) {
        let mut held = self.lock();
        let Held { shares, until, .. } = &mut *held;
        until.retain(|peer, until| {
            let stays = *until > now;
            if !stays {
                shares.release(peer);
            }
            stays
        });
        self.show(&held);
    }

    /// Counts a refusal by its reason.
    fn count(&self, refusal: Refusal) {
        match refusal {
            Refusal::Full => self.counts.reservations_refused_full.inc(),
            Refusal::Share => self.counts.reservations_refused_share.inc(),
            Refusal::Rate => self.counts.reservations_refused_rate.inc(),
        };
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the gauge.
    fn show(&self, held: &Held) {
        self.counts.reservations.set(number(held.shares.held()));
    }
}

impl Held {
    /// Gives or renews a place. Only a new one counts for the rate of its origin, so that nobody loses a place by what
    /// others of the same address do.
    fn take(&mut self, peer: PeerId, origin: Option<Origin>) -> Result<(), Refusal> {
        if !self.until.contains_key(&peer)
            && let Some(origin) = origin
        {
            let recent = self.recent.count_mut(origin, Native.now().as_millis());
            if *recent >= RESERVATIONS_PER_ADDRESS_RATE {
                return Err(Refusal::Rate);
            }
            *recent += 1;
        }
        self.shares.take(peer, origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_end_when_they_are_not_renewed() {
        let (time, began) = (Duration::from_secs(60), tokio::time::Instant::now().into_std());
        let counts = Counts::default();
        let limits = RelayLimits {
            reservations: 2,
            reservations_per_address: 1,
            reservation_time: time,
            ..RelayLimits::default()
        };
        let places = Places::new(&limits, Origins::new(true), counts.clone());
        let [alice, bob, carol] = [PeerId::random(), PeerId::random(), PeerId::random()];
        let address = |last: u8| format!("/ip4/192.0.2.{last}/tcp/1/ws").parse::<Multiaddr>().expect("an address");
        assert!(places.take(alice, &address(1), began) && places.take(bob, &address(2), began));
        assert!(!places.take(carol, &address(1), began), "the share of her address");
        assert!(!places.take(carol, &address(3), began), "all are taken");
        assert_eq!((counts.reservations_refused_share.get(), counts.reservations_refused_full.get()), (1, 1));
        assert!(places.take(alice, &address(1), began + time / 2), "a renewal");
        places.expire(began + time);
        assert_eq!(counts.reservations.get(), 1);
        assert!(places.take(carol, &address(3), began + time));
        places.on_disconnected(&carol);
        places.on_disconnected(&alice);
        let held = places.lock();
        assert!(held.until.is_empty() && held.shares.held() == 0 && counts.reservations.get() == 0);
    }

    #[test]
    fn renewals_pass_when_their_address_asks_too_often() {
        let places = Places::new(&RelayLimits::default(), Origins::new(true), Counts::default());
        let address: Multiaddr = "/ip4/192.0.2.1/tcp/1/ws".parse().expect("an address");
        let (alice, now) = (PeerId::random(), tokio::time::Instant::now().into_std());
        assert!(places.take(alice, &address, now));
        for _ in 0..2 * RESERVATIONS_PER_ADDRESS_RATE {
            places.take(PeerId::random(), &address, now);
        }
        assert!(places.counts.reservations_refused_rate.get() > 0, "it asks too often");
        assert!(places.take(alice, &address, now));
    }
}
