//! Set reconciliation of all documents by negentropy; the only owner of that crate.
//!
//! An item is a document's state: its id is a hash over owner and heads, its timestamp the date of the newest change.
//! Ranges with equal fingerprints are skipped, others are split by 16, and small ones are listed. So the initiator
//! learns which states only one side has.
//!
//! Two peers with 10,000 documents each that differ in one exchange about four frames of some KiB in place of 10,000
//! ids.

use std::collections::HashMap;

use negentropy::{Id, Negentropy, NegentropyStorageVector};

use crate::digest::Digest;
use crate::identity::Identity;
use crate::sync::rejection::Rejection;
use crate::sync::version_vector::DocumentSummary;
use crate::sync::wire::FRAME_MAX_BYTES;

/// The most frames of one comparison. Each settles up to 16 times as many documents as the one before, so an honest
/// comparison needs a handful.
pub const STEPS_MAX: usize = 256;

/// What one frame taught the initiator, and the frame to send next.
#[derive(Debug, Default)]
pub(super) struct ComparisonStep {
    /// States that only the peer has.
    pub(super) want: Vec<Digest>,
    /// Owners of states that only this side has.
    pub(super) offer: Vec<Identity>,
    pub(super) frame: Option<Vec<u8>>,
}

pub(super) struct Comparison {
    initiator: bool,
    round: u64,
    steps: usize,
    over: bool,
    /// The reconciliation, once the summaries are here.
    machine: Option<Negentropy<'static, NegentropyStorageVector>>,
    /// The responder's first frame, until the summaries are here.
    first: Option<Vec<u8>>,
    /// Whose document a state is.
    owners: HashMap<Digest, Identity>,
}

impl Comparison {
    pub(super) fn new(initiator: bool) -> Self {
        Self { initiator, round: 0, steps: 0, over: true, machine: None, first: None, owners: HashMap::new() }
    }

    pub(super) fn round(&self) -> u64 {
        self.round
    }

    pub(super) fn is_round(&self, round: u64) -> bool {
        self.round == round
    }

    /// Returns whether the initiator has received the last frame. The other side can't know and does not need to.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The number of documents in this round.
    pub(super) fn documents(&self) -> usize {
        self.owners.len()
    }

    /// The memory this takes, estimated.
    pub(super) fn bytes(&self) -> usize {
        self.owners.len() * 128
    }

    /// The owner of a document's state as it was when the round began.
    pub(super) fn owner(&self, id: &Digest) -> Option<Identity> {
        self.owners.get(id).copied()
    }

    /// The initiator's next round.
    pub(super) fn begin(&mut self) {
        self.round += 1;
        (self.over, self.machine) = (false, None);
    }

    /// Returns whether a frame of this number begins the next round.
    pub(super) fn opens(&self, round: u64) -> bool {
        round == self.round + 1
    }

    /// The responder's next round, begun by the peer's first frame.
    pub(super) fn open(&mut self, round: u64, frame: Vec<u8>) {
        (self.round, self.over, self.machine, self.first) = (round, false, None, Some(frame));
    }

    /// Begins the reconciliation over these summaries.
    pub(super) fn start(&mut self, summaries: Vec<DocumentSummary>) -> Result<ComparisonStep, Rejection> {
        self.owners.clear();
        self.steps = 0;
        let mut storage = NegentropyStorageVector::with_capacity(summaries.len());
        for summary in summaries {
            let id = summary.id();
            storage.insert(summary.order(), Id::from_byte_array(*id.as_bytes())).map_err(|_| Rejection::Comparison)?;
            self.owners.insert(id, summary.owner);
        }
        storage.seal().map_err(|_| Rejection::Comparison)?;
        let mut machine = Negentropy::owned(storage, FRAME_MAX_BYTES as u64).map_err(|_| Rejection::Comparison)?;
        if self.initiator {
            let frame = machine.initiate().map_err(|_| Rejection::Comparison)?;
            self.machine = Some(machine);
            return Ok(ComparisonStep { frame: Some(frame), ..ComparisonStep::default() });
        }
        self.machine = Some(machine);
        self.over = true;
        let first = self.first.take().ok_or(Rejection::OutOfOrder)?;
        self.reconcile(self.round, &first)
    }

    /// Takes the peer's next frame.
    pub(super) fn reconcile(&mut self, round: u64, frame: &[u8]) -> Result<ComparisonStep, Rejection> {
        if round != self.round || (self.initiator && self.over) {
            return Err(Rejection::OutOfOrder);
        }
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Rejection::Comparison);
        }
        let machine = self.machine.as_mut().ok_or(Rejection::OutOfOrder)?;
        if !self.initiator {
            let frame = machine.reconcile(frame).map_err(|_| Rejection::Comparison)?;
            return Ok(ComparisonStep { frame: Some(frame), ..ComparisonStep::default() });
        }
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let frame = machine.reconcile_with_ids(frame, &mut have, &mut need).map_err(|_| Rejection::Comparison)?;
        self.over = frame.is_none();
        let digests = |ids: Vec<Id>| {
            // The crate gives them in the order of a randomly seeded map; a replayed run must not depend on that.
            let mut digests: Vec<Digest> = ids.into_iter().map(|id| Digest::from_bytes(id.to_bytes())).collect();
            digests.sort_unstable();
            digests
        };
        let want = digests(need);
        let offer = digests(have).iter().filter_map(|id| self.owner(id)).collect();
        Ok(ComparisonStep { want, offer, frame })
    }
}
