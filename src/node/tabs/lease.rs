//! Waiting for the lease of the writing tab, where the browser has no Web Locks.
//!
//! The holder renews the lease every [`RENEWAL_MILLIS`], and at once when a waiting tab asks for it: timers of a hidden
//! page may run once a minute only, messages arrive all the same. A tab that looks every [`LOOK_MILLIS`] and finds
//! [`LOOKS_MAX`] times the same has waited long enough. That counts its own looks and no clock, so a device that slept
//! takes the lease from nobody. A holder that is closed leaves a note, in storage that can be written while a page goes,
//! and the lease is taken at once, also by a page that comes later: the same tab, reloaded.
//!
//! A holder that was only slow loses nothing but the lease: what it asks the store for afterwards is refused
//! ([`store::indexed_db`](crate::store::indexed_db)).

use futures::FutureExt;
use gloo::timers::future::TimeoutFuture;

use super::{Message, RESEND_MILLIS, SENDINGS_MAX, Tab};
use crate::platform::browser::tabs::{note_left, read_left};
use crate::store::StoreError;
use crate::store::indexed_db::{IndexedDb, name_of};

/// How often the holder renews the lease by itself.
pub(super) const RENEWAL_MILLIS: u32 = 3_000;
/// How often a waiting tab looks at the lease.
const LOOK_MILLIS: u32 = 1_000;
/// How often in succession it finds the same before it takes the lease.
const LOOKS_MAX: u32 = 8;

const _: () = assert!(RENEWAL_MILLIS < LOOK_MILLIS * LOOKS_MAX, "a holder that runs keeps its lease");
const _: () = assert!(LOOK_MILLIS * LOOKS_MAX < RESEND_MILLIS * SENDINGS_MAX, "a command waits for the next holder");

/// Notes that this tab goes and writes nothing more.
pub(super) fn leave(store: &IndexedDb, note: &str) {
    if let Some(lease) = store.lease_name() {
        note_left(note, &lease);
    }
}

/// Takes the lease from whoever has it. For a tab that has the Web Lock: the one before is gone.
pub(super) async fn take(store: &IndexedDb, tab: &str) -> Result<(), StoreError> {
    loop {
        let stored = store.read_lease().await?;
        if take_over(store, tab, stored.as_deref()).await? {
            return Ok(());
        }
    }
}

/// Takes the lease if what is stored is still `seen`. On a full device the first write that has room takes it.
async fn take_over(store: &IndexedDb, tab: &str, seen: Option<&str>) -> Result<bool, StoreError> {
    match store.take_lease(tab, seen).await {
        Err(StoreError::Full) => {
            store.take_lease_later(tab, seen);
            Ok(true)
        }
        outcome => outcome,
    }
}

/// Waits until nobody has the lease, or its holder is gone or silent, and takes it. `note` names where a holder notes that
/// it goes.
pub(super) async fn wait(store: &IndexedDb, tab: &Tab, note: &str) -> Result<(), StoreError> {
    let mut seen = None;
    let mut looks = 0;
    loop {
        tab.let_pass().await;
        let stored = store.read_lease().await?;
        looks = if seen.as_ref() == Some(&stored) { looks + 1 } else { 0 };
        let is_free = match &stored {
            // In a database that was emptied under this page, the holder is about to write what it has.
            None => !store.was_emptied(),
            Some(lease) => name_of(lease).is_none_or(|lease| read_left(note) == Some(lease)),
        };
        if (is_free || looks >= LOOKS_MAX) && take_over(store, tab.id(), stored.as_deref()).await? {
            return Ok(());
        }
        tab.send(&Message::RenewLease);
        seen = Some(stored);
        let mut gone = tab.0.writer.when_tab_goes().fuse();
        futures::select! {
            _ = gone => {}
            () = TimeoutFuture::new(LOOK_MILLIS).fuse() => {}
        }
    }
}
