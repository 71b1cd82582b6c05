//! Inputs and outputs of a session, as data.

use crate::digest::Digest;
use crate::document::SignedChange;
use crate::identity::Identity;
use crate::sync::rejection::Rejection;
use crate::sync::version_vector::{DocumentSummary, DocumentVector};
use crate::sync::wire::Message;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    Connected,
    Received(Vec<u8>),
    /// The answer to [`Output::AskSummaries`].
    Summaries(Vec<DocumentSummary>),
    /// The answer to [`Output::AskVectors`], in the order asked.
    Vectors(Vec<DocumentVector>),
    /// The answer to [`Output::AskChanges`].
    Changes {
        changes: Vec<SignedChange>,
        unfinished: Vec<Identity>,
    },
    /// What became of each change of [`Output::Admit`].
    Verdicts(Vec<Verdict>),
    /// Compare again. Only the initiator of a session does; a round that runs goes on.
    Resync,
    /// Own new changes, or others' that were new here, and the document's newest state.
    Announce {
        owner: Identity,
        changes: Vec<SignedChange>,
        heads: Vec<Digest>,
    },
    /// Some time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send(Message),
    AskSummaries,
    AskVectors(Vec<Identity>),
    AskChanges {
        vectors: Vec<DocumentVector>,
        max_bytes: usize,
    },
    Admit(Vec<SignedChange>),
    /// The peer announced a state, or changes that wait for others: a [`Input::Resync`] would fetch what is missing.
    Behind(Identity),
    /// A rule was broken. `mark` lowers what the peer has earned.
    Rejected {
        why: Rejection,
        mark: u32,
    },
    /// A round is complete.
    Synced,
    /// The session is over; nothing that comes in changes anything any more.
    End(Rejection),
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Admitted,
    Known,
    Waiting,
    Rejected(Rejection),
}
