//! A registry as it was: from what a node stored of one, without verifying again what it verified before.
//!
//! Everything that was kept is admitted in the order in which it is read, which differs from the order in which it came.
//! Only one thing depends on that order: which claim a node knew as the holder before a rival was confirmed as well. So
//! that is stored, too ([`Registry::take_changed_holders`]).

use crate::keys::Did;
use crate::log::{Admitted, ChainRejection, Opening, SignedHeader};
use crate::network::NetworkHistory;
use crate::registry::Registry;
use crate::registry::holders::{KnownHolder, KnownHolders};

impl Registry {
    /// Begins to restore a registry. Afterwards everything is admitted that was kept: receipts and paths first, then the
    /// entries of each log in their order, openings before what follows them; then [`Registry::end_restoring`].
    pub fn restore(history: NetworkHistory, holders: impl IntoIterator<Item = KnownHolder>) -> Self {
        let mut registry = Self { is_restoring: true, ..Self::new(history) };
        registry.holders = KnownHolders::of(holders);
        registry
    }

    /// Takes the header of an entry of a changes log, whose body is elsewhere.
    pub fn restore_header(&mut self, header: &SignedHeader, operations: u64) -> Result<Admitted, ChainRejection> {
        let log = header.header().log;
        let Some(did) = self.opening(&log).map(Opening::did) else { return Ok(Admitted::Waiting) };
        let admitted = self.chain_of(log, &did).admit(header, operations)?;
        if matches!(admitted, Admitted::Extended | Admitted::Known) {
            self.headers.insert(header.id(), Box::new(*header));
        }
        Ok(admitted)
    }

    /// Ends what [`Registry::restore`] began: what is admitted from now on is verified.
    pub fn end_restoring(&mut self) {
        self.is_restoring = false;
        self.notice_holders_without_a_record();
        let identities: Vec<Did> = self.authorities.keys().copied().collect();
        identities.iter().for_each(|did| self.end_logs(did));
        self.touch_all();
    }
}
