//! Requests to relays that are not connected yet. Pure.
//!
//! A witness stands beside a relay that this node need not use otherwise: its relay is connected for the question, which
//! waits until then. It is dropped, which answers "no such relay", once the relay can't be connected or the caller no longer
//! waits.

use futures::channel::oneshot;
use libp2p::PeerId;

use crate::net::mesh::request::RequestError;

/// Requests that wait for their relay; further ones are dropped. A node asks a few witnesses at once.
pub(super) const RELAY_QUESTIONS_MAX: usize = 32;

/// One request to a relay, and where its answer goes.
pub(super) struct RelayQuestion {
    pub(super) protocol: &'static str,
    pub(super) request: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
}

/// The requests that wait, in their order.
#[derive(Default)]
pub(super) struct RelayQuestions(Vec<(PeerId, RelayQuestion)>);

impl RelayQuestions {
    /// Has a request wait for its relay, if there is room.
    pub(super) fn wait(&mut self, relay: PeerId, question: RelayQuestion) {
        self.forget_abandoned();
        if self.0.len() < RELAY_QUESTIONS_MAX {
            self.0.push((relay, question));
        } else {
            tracing::debug!(%relay, "too many questions to relays");
        }
    }

    /// Takes the requests to a relay that was connected, or drops them if it can't be.
    pub(super) fn take(&mut self, relay: &PeerId) -> Vec<RelayQuestion> {
        self.0.extract_if(.., |(of, _)| of == relay).map(|(_, question)| question).collect()
    }

    /// Returns the relays that something waits for.
    pub(super) fn relays(&self) -> Vec<PeerId> {
        self.0.iter().map(|(relay, _)| *relay).collect()
    }

    /// Drops requests that were cancelled.
    pub(super) fn forget_abandoned(&mut self) {
        self.0.retain(|(_, question)| !question.answer.is_canceled());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> (RelayQuestion, oneshot::Receiver<Result<Vec<u8>, RequestError>>) {
        let (answer, answered) = oneshot::channel();
        (RelayQuestion { protocol: "/test/1", request: Vec::new(), answer }, answered)
    }

    #[test]
    fn questions_wait_for_their_relay_within_the_limit() {
        let (mut questions, relay) = (RelayQuestions::default(), PeerId::random());
        let mut waiting: Vec<_> = (0..RELAY_QUESTIONS_MAX)
            .map(|_| {
                let (question, answered) = question();
                questions.wait(relay, question);
                answered
            })
            .collect();
        let (more, mut dropped) = question();
        questions.wait(PeerId::random(), more);
        assert!(dropped.try_recv().is_err(), "there is no room");
        // A cancelled request makes room.
        waiting.pop();
        let (other, (more, mut kept)) = (PeerId::random(), question());
        questions.wait(other, more);
        assert_eq!(questions.take(&relay).len(), RELAY_QUESTIONS_MAX - 1);
        assert_eq!(questions.relays(), [other]);
        assert!(matches!(kept.try_recv(), Ok(None)), "it still waits");
        questions.take(&other);
        assert!(kept.try_recv().is_err(), "a relay that can't be connected answers nothing");
    }
}
