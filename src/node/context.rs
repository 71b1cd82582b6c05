//! What every service of a node is given: network, clock, randomness, records and events.
//!
//! Services share one [`Context`] and reach the platform and the store through it only. It keeps what belongs to no
//! single service: the listeners and the list of damaged records.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use crate::errors;
use crate::network::Network;
use crate::platform::Environment;
use crate::store::records::{Damaged, Quarantined, Records};
use crate::store::{Batch, Durability};
use gen_registry_api::client::Listener;
use gen_registry_api::{Event, Failure, QuarantinedRecord};
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::time::Timestamp;

/// The surroundings of one profile's services.
pub(crate) struct Context {
    /// The network that the profile belongs to.
    pub(crate) network: Network,
    /// The platform: clock, randomness, workers.
    pub(crate) environment: Rc<dyn Environment>,
    /// The store.
    pub(crate) records: Records,
    /// What this node bounds for itself.
    pub(crate) limits: NodeLimits,
    /// The listeners to this profile's events.
    events: EventBus,
    /// Damaged records of this run and of earlier ones.
    quarantined: RefCell<Vec<QuarantinedRecord>>,
    /// How often the store lost something in this run.
    losses: Cell<u64>,
}

impl Context {
    /// Creates the context of one profile.
    pub(crate) fn new(
        network: Network,
        environment: Rc<dyn Environment>,
        records: Records,
        limits: NodeLimits,
    ) -> Self {
        Self {
            network,
            environment,
            records,
            limits,
            events: EventBus::default(),
            quarantined: RefCell::default(),
            losses: Cell::default(),
        }
    }

    /// Returns the time of this device's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// Returns a number below `bound` (0 if that is 0), from the system's secure source. `bound` is at most 256, since
    /// one byte is drawn.
    pub(crate) fn random_below(&self, bound: usize) -> usize {
        let mut byte = [0];
        self.environment.random(&mut byte);
        usize::from(byte[0]) % bound.max(1)
    }

    /// Returns a random place on the ring of identities.
    pub(crate) fn random_place(&self) -> u64 {
        let mut bytes = [0; 8];
        self.environment.random(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// Calls every listener with the event.
    pub(crate) fn emit(&self, event: &Event) {
        self.events.emit(event);
    }

    /// Returns the listeners.
    pub(crate) fn events(&self) -> &EventBus {
        &self.events
    }

    /// Stores a batch, all of it or nothing.
    ///
    /// # Errors
    ///
    /// As the person reads them: no room, or a store that fails.
    pub(crate) async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), Failure> {
        self.records.commit(batch, durability).await.map_err(errors::store_failed)
    }

    /// Moves a damaged record to quarantine, remembers it and emits an event. A failure to do so is only logged: the
    /// record stays where it is and is found again at the next start.
    pub(crate) async fn quarantine(&self, damaged: &Damaged) {
        let now = self.now();
        tracing::warn!(table = damaged.table.name(), key = %damaged.key, why = %damaged.why, "a damaged record");
        if let Err(error) = self.records.quarantine(damaged, now).await {
            tracing::error!(%error, "a damaged record could not be set aside");
        }
        self.losses.set(self.losses.get() + 1);
        let (table, key) = (damaged.table.name().to_owned(), damaged.key.clone());
        let record = QuarantinedRecord {
            table: table.clone(),
            key: key.clone(),
            reason: damaged.why.to_string(),
            at: now.as_millis(),
        };
        self.quarantined.borrow_mut().push(record);
        self.emit(&Event::Quarantined { table, key });
    }

    /// Takes over the records that earlier runs set aside.
    pub(crate) fn remember_quarantined(&self, earlier: impl IntoIterator<Item = Quarantined>) {
        let records = earlier.into_iter().map(|Quarantined { table, key, reason, at, .. }| {
            let at = at.as_millis();
            QuarantinedRecord { table, key, reason, at }
        });
        self.quarantined.borrow_mut().extend(records);
    }

    /// Returns every record in quarantine, of this run and of earlier ones.
    pub(crate) fn quarantined(&self) -> Ref<'_, Vec<QuarantinedRecord>> {
        self.quarantined.borrow()
    }

    /// Returns how often the store lost something in this run. A cache of what the store holds compares it: after a
    /// loss a peer must be able to bring the same again.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.get()
    }
}

/// The listeners to a node's events.
#[derive(Default)]
pub(crate) struct EventBus {
    listeners: RefCell<Vec<(u64, Listener)>>,
    next: Cell<u64>,
}

impl EventBus {
    /// Calls `listener` with every event until [`EventBus::unsubscribe`] is given the returned id.
    pub(crate) fn subscribe(&self, listener: Listener) -> u64 {
        let id = self.next.replace(self.next.get() + 1);
        self.listeners.borrow_mut().push((id, listener));
        id
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&self, id: u64) {
        self.listeners.borrow_mut().retain(|(known, _)| *known != id);
    }

    /// Calls every listener. One may subscribe or send a command while it is called.
    fn emit(&self, event: &Event) {
        // A listener may subscribe or send a command while it is called.
        let listeners: Vec<Listener> = self.listeners.borrow().iter().map(|(_, listener)| listener.clone()).collect();
        for listener in listeners {
            listener(event);
        }
    }
}
