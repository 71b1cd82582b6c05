//! Asking the witnesses of the set for receipts of one entry: the client's side.
//!
//! In which order they are asked and what follows from their answers is decided by `core::sync::asking`; here the requests
//! go out. What came of it is for the caller to store and to admit. Until then nobody but the witnesses has seen the entry. So
//! a stranger who sees a claim on its way, and shows a claim of their own, comes too late at every witness that was asked.
//!
//! # When the votes are split
//! [`Outcome::Split`] says which claim stays ([`Split::stays`]). The client of every other one signs a
//! [`Withdrawal`](gen_registry_core::log::body::Withdrawal) and passes it on in its log; the one that stays claims again with all of them
//! ([`Split::next_round`]), and asks for that claim like for any other.

use std::cell::RefCell;

use futures::future::LocalBoxFuture;

use gen_registry_core::keys::PublicKey;
use gen_registry_core::log::{Entry, EntryId, Opening, OpeningError};
use gen_registry_core::outcome::NoEffect;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire::{self, Ask, Refused, Request};
use gen_registry_core::sync::asking::{Answer, Asking, Split, Step};
use gen_registry_core::sync::exchange::wire::Piece;

/// A way to the witnesses.
pub trait WitnessLink {
    /// Carries a request to a witness and returns its answer; `None` if it can't be reached in time.
    fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>>;
}

/// What is known, for as long as it is looked at.
pub trait Known {
    /// Calls `read` with the registry.
    fn with_registry(&self, read: &mut dyn FnMut(&Registry));
}

impl Known for RefCell<Registry> {
    fn with_registry(&self, read: &mut dyn FnMut(&Registry)) {
        read(&self.borrow());
    }
}

/// Reads something from what is known.
fn with<T>(known: &dyn Known, mut read: impl FnMut(&Registry) -> T) -> T {
    let mut result = None;
    known.with_registry(&mut |registry| result = Some(read(registry)));
    result.expect("the registry is there to be read")
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is confirmed by these receipts.
    Confirmed(Vec<Receipt>),
    /// Another entry has what it asks for; what shows that comes along.
    Lost { to: EntryId, proof: Vec<Piece> },
    /// The witnesses signed rivals, and none can be confirmed in this round; what shows that comes along.
    Split { split: Split, proof: Vec<Piece> },
    /// A rule forbids it, until a time or for good.
    Refused(Refused),
    /// Too few witnesses answered. These have signed, and answer the same when they are asked again.
    Exhausted(Vec<Receipt>),
    /// The network has no witnesses.
    NoWitnesses,
}

/// Why an entry is not shown to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("the log does not begin with a valid opening: {0}")]
    Opening(#[from] OpeningError),
    #[error("the entry says nothing: {0}")]
    NoEffect(#[from] NoEffect),
}

/// Asks the witnesses of the present set one after the other for receipts of an entry.
///
/// `pieces` show what it builds on ([`foundations`](gen_registry_core::sync::asking::foundations::foundations)). `known` are
/// the receipts of an earlier [`Outcome::Exhausted`]: who has some goes on where a rival has others, and sees that the votes
/// are split.
pub async fn collect(
    registry: &dyn Known,
    opening: &Entry,
    entry: &Entry,
    pieces: Vec<Piece>,
    known: &[Receipt],
    link: &dyn WitnessLink,
) -> Result<Outcome, AskError> {
    if !with(registry, Registry::has_witnesses) {
        return Ok(Outcome::NoWitnesses);
    }
    let topic = with(registry, Registry::topic);
    let read = Opening::decode_for(&topic, &entry.header().log.device, opening.body())?;
    let mut asking =
        with(registry, |registry| Asking::new(registry, &read, entry))?.with_receipts(known.iter().cloned());
    let request = Request::Ask(Ask { topic, opening: opening.encode(), entry: entry.encode(), pieces }).encode();
    let mut proof = Vec::new();
    let mut step = asking.first().map_or(Step::Confirmed, Step::Next);
    loop {
        match step {
            Step::Next(witness) => {
                let answer = link.ask(&witness, &request).await.and_then(|bytes| wire::Answer::decode(&bytes).ok());
                step = with(registry, |registry| take(registry, &mut asking, answer.clone(), &mut proof));
            }
            Step::Confirmed => return Ok(Outcome::Confirmed(asking.receipts().to_vec())),
            Step::Lost(to) => return Ok(Outcome::Lost { to, proof }),
            Step::Split(split) => return Ok(Outcome::Split { split, proof }),
            Step::Refused(refused) => return Ok(Outcome::Refused(refused)),
            Step::Exhausted => return Ok(Outcome::Exhausted(asking.receipts().to_vec())),
        }
    }
}

/// Takes one answer, and keeps what shows a rival.
fn take(registry: &Registry, asking: &mut Asking, answer: Option<wire::Answer>, proof: &mut Vec<Piece>) -> Step {
    let answer = answer.map_or(Answer::Nothing, |answer| Answer::of(registry, answer));
    let shown = match &answer {
        Answer::Taken(pieces) => pieces.clone(),
        Answer::Signed(_) | Answer::Refused(_) | Answer::Nothing => Vec::new(),
    };
    let before: usize = asking.shown_answers();
    let step = asking.answer(registry, answer);
    if asking.shown_answers() > before {
        proof.extend(shown);
    }
    step
}

#[cfg(test)]
pub(crate) mod support;
#[cfg(test)]
mod tests;
