//! The lease of the writing tab: which of a profile's tabs may write, stored in the database itself.
//!
//! ```text
//!   meta/lease    "owner/term/renewals"      9f31c2…/4/17: the tab 9f31c2… in the fourth term, renewed 17 times
//! ```
//!
//! Transactions of IndexedDB are in order across tabs. Every write transaction of the holder reads the lease first and is
//! aborted unless owner and term are its own, so nothing that a former holder asks for takes place, however late it is.
//! A lease is taken by a transaction that names what it replaces: of two tabs that try at once, one has it.
//!
//! Where the browser has Web Locks they decide who takes it, and nobody waits. Elsewhere a tab takes it that saw it
//! unchanged for long (`tabs::writer`).

use crate::store::StoreError;
use crate::store::indexed_db::{IndexedDb, StoreEvent};

/// A lease that this tab took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) owner: String,
    pub(super) term: u64,
}

impl Lease {
    /// Returns the stored form.
    pub(super) fn text(&self, renewals: u64) -> String {
        format!("{}/{renewals}", self.name())
    }

    /// Returns owner and term.
    fn name(&self) -> String {
        format!("{}/{}", self.owner, self.term)
    }

    /// Whether a stored lease is this one, however often it was renewed.
    pub(super) fn is(&self, stored: Option<&str>) -> bool {
        stored.and_then(parse).is_some_and(|(lease, _)| lease == *self)
    }
}

/// Returns the lease and how often it was renewed.
fn parse(stored: &str) -> Option<(Lease, u64)> {
    let mut parts = stored.split('/');
    let owner = parts.next()?.to_owned();
    let (term, renewals) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((Lease { owner, term }, renewals))
}

/// Returns what follows a stored lease when a tab takes it.
fn successor(owner: &str, stored: Option<&str>) -> (Lease, String) {
    let term = stored.and_then(parse).map_or(1, |(lease, _)| lease.term + 1);
    let lease = Lease { owner: owner.to_owned(), term };
    let text = lease.text(0);
    (lease, text)
}

/// Returns a stored lease as it is after another renewal, if it is this one.
fn renewed(lease: &Lease, stored: Option<&str>) -> Option<String> {
    let (found, renewals) = stored.and_then(parse)?;
    (found == *lease).then(|| lease.text(renewals + 1))
}

/// Returns what a stored lease is called, however often it was renewed: its owner and term.
pub fn name_of(stored: &str) -> Option<String> {
    parse(stored).map(|(lease, _)| lease.name())
}

/// A lease that could not be taken yet: there was no room for it.
#[derive(Clone, Debug)]
pub(super) struct PendingLease {
    owner: String,
    seen: Option<String>,
}

impl IndexedDb {
    /// Returns the stored lease as it is: another text after each renewal.
    pub async fn read_lease(&self) -> Result<Option<String>, StoreError> {
        self.0.with_connection(async |connection| connection.read_lease().await).await
    }

    /// Takes the lease for a tab, if what is stored is still `seen`. From then on every commit takes place under it.
    pub async fn take_lease(&self, owner: &str, seen: Option<&str>) -> Result<bool, StoreError> {
        let (lease, text) = successor(owner, seen);
        let seen = seen.map(str::to_owned);
        let taken = self
            .0
            .with_connection(async |connection| {
                let (seen, text) = (seen.clone(), text.clone());
                connection.write_lease(move |stored| (stored == seen).then_some(text)).await
            })
            .await?;
        if taken {
            tracing::debug!(term = lease.term, "this tab has the lease");
            self.0.lease.replace(Some(lease));
        }
        Ok(taken)
    }

    /// Has the first commit take the lease, before it writes. A full device still shows what is on it.
    pub fn take_lease_later(&self, owner: &str, seen: Option<&str>) {
        let pending = PendingLease { owner: owner.to_owned(), seen: seen.map(str::to_owned) };
        self.0.pending_lease.replace(Some(pending));
    }

    /// Takes the lease that could not be taken before. Fails with [`StoreError::NotWriter`] if another tab has taken it.
    pub(super) async fn take_pending_lease(&self) -> Result<(), StoreError> {
        let Some(pending) = self.0.pending_lease.borrow().clone() else { return Ok(()) };
        let taken = self.take_lease(&pending.owner, pending.seen.as_deref()).await?;
        self.0.pending_lease.take();
        // Another commit of this page may have been faster.
        if taken || self.0.lease.borrow().is_some() {
            return Ok(());
        }
        (self.0.listener)(StoreEvent::Superseded);
        Err(StoreError::NotWriter)
    }

    /// Returns the name of the lease that this tab took last.
    pub fn lease_name(&self) -> Option<String> {
        self.0.lease.borrow().as_ref().map(Lease::name)
    }

    /// Shows that the holder still runs. Fails with [`StoreError::NotWriter`] once another tab has the lease.
    pub async fn renew_lease(&self) -> Result<(), StoreError> {
        // One that is still to be taken has nothing to show.
        let Some(lease) = self.0.lease.borrow().clone() else { return Ok(()) };
        let renewed = self
            .0
            .with_connection(async |connection| {
                let lease = lease.clone();
                connection.write_lease(move |stored| renewed(&lease, stored.as_deref())).await
            })
            .await?;
        if renewed {
            return Ok(());
        }
        (self.0.listener)(StoreEvent::Superseded);
        Err(StoreError::NotWriter)
    }
}
