//! Waits for the offer of somebody who asked for a direct connection: not for long, and before anything is made for it.
//!
//! An open signalling stream occupies a slot of [`slots`](super::slots). Honest peers send their offer at once; a
//! stranger that says nothing, or a byte now and then, would keep others out.

use std::io;

use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, pin_mut};

use gen_registry_core::sync::signaling::{HandshakeRejection, InEvent, OutEvent, State};

/// Bytes of the signalling stream that are read at once.
pub const READ_BYTES: usize = 4096;

/// Why there is no offer.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    #[error("the handshake failed: {0}")]
    Rejected(#[from] HandshakeRejection),
    #[error("the signalling stream broke: {0}")]
    Signalling(#[from] io::Error),
    #[error("no offer in time")]
    TimedOut,
}

/// Feeds the answerer's machine until the offer is there, and returns what the machine wants done. `deadline` is over
/// after [`OFFER_SECONDS`](gen_registry_core::node_limits::OFFER_SECONDS).
pub async fn receive_offer<S: AsyncRead + Unpin>(
    signalling: &mut S,
    state: &mut State,
    deadline: impl Future<Output = ()>,
) -> Result<Vec<OutEvent>, OfferError> {
    let reading = read_offer(signalling, state);
    pin_mut!(reading, deadline);
    match select(reading, deadline).await {
        Either::Left((offer, _)) => offer,
        Either::Right(((), _)) => Err(OfferError::TimedOut),
    }
}

/// Reads until the machine has an offer. Whatever else it says before that is a rejection.
async fn read_offer<S: AsyncRead + Unpin>(signalling: &mut S, state: &mut State) -> Result<Vec<OutEvent>, OfferError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let length = signalling.read(&mut buffer).await?;
        let event = if length == 0 { InEvent::ReceivedEnd } else { InEvent::Received(&buffer[..length]) };
        let events = state.handle(event);
        match events.first() {
            Some(OutEvent::Reject(rejection)) => return Err((*rejection).into()),
            Some(_) => return Ok(events),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;
    use futures::executor::{LocalPool, block_on};
    use futures::future::{pending, ready};
    use futures::io::Cursor;
    use futures::stream::{TryStreamExt, iter};
    use futures::task::LocalSpawnExt;
    use futures::{AsyncRead, FutureExt, StreamExt};
    use gen_registry_core::node_limits::HANDSHAKES_PER_RELAY;
    use gen_registry_core::sync::signaling::{Message, Role};
    use libp2p::PeerId;

    use super::super::slots::Slots;
    use super::*;

    fn answerer() -> State {
        State::new(Role::Answerer)
    }

    /// Bytes that arrive one by one, and then nothing more.
    fn trickle(bytes: Vec<u8>) -> impl AsyncRead + Unpin {
        let pieces = iter(bytes.into_iter().map(|byte| Ok(vec![byte])));
        pieces.chain(futures::stream::pending()).into_async_read()
    }

    async fn offered(mut signalling: impl AsyncRead + Unpin) -> Result<Vec<OutEvent>, OfferError> {
        receive_offer(&mut signalling, &mut answerer(), pending()).await
    }

    #[test]
    fn offer_is_read_in_whatever_pieces_with_what_follows_it() {
        let offer = OutEvent::RemoteDescription("offer".into());
        let bytes = Message::Offer("offer".into()).encode();
        assert_eq!(block_on(offered(trickle(bytes.clone()))).expect("an offer"), std::slice::from_ref(&offer));
        let more = [bytes, Message::Candidate("{}".into()).encode()].concat();
        let both = [offer, OutEvent::RemoteCandidate("{}".into())];
        assert_eq!(block_on(offered(Cursor::new(more))).expect("an offer"), both);
    }

    #[test]
    fn anything_else_than_an_offer_is_refused_by_name() {
        for (bytes, rejection) in [
            (Message::Answer("answer".into()).encode(), HandshakeRejection::AnswerToNothing),
            (Message::Candidate("{}".into()).encode(), HandshakeRejection::CandidateTooEarly),
            (Vec::new(), HandshakeRejection::EndedEarly),
        ] {
            let refused = block_on(offered(Cursor::new(bytes)));
            assert!(matches!(&refused, Err(OfferError::Rejected(named)) if *named == rejection), "{refused:?}");
        }
    }

    #[test]
    fn silent_stranger_and_one_that_never_ends_its_offer_are_given_up() {
        let mut beginning = Message::Offer("offer".into()).encode();
        beginning.pop();
        for said in [Vec::new(), beginning] {
            let mut signalling = trickle(said);
            let waited = block_on(receive_offer(&mut signalling, &mut answerer(), ready(())));
            assert!(matches!(waited, Err(OfferError::TimedOut)), "{waited:?}");
        }
    }

    #[test]
    fn slots_of_silent_strangers_are_free_after_the_deadline() {
        let (slots, relay, mut pool) = (Slots::new(HANDSHAKES_PER_RELAY), PeerId::random(), LocalPool::new());
        let (over, deadline) = oneshot::channel::<()>();
        let deadline = deadline.map(drop).shared();
        for _ in 0..HANDSHAKES_PER_RELAY {
            let (slot, deadline) = (slots.take(PeerId::random(), relay).expect("a slot"), deadline.clone());
            let waiting = async move {
                let outcome = receive_offer(&mut trickle(Vec::new()), &mut answerer(), deadline).await;
                drop((outcome, slot));
            };
            pool.spawner().spawn_local(waiting).expect("it runs");
        }
        pool.run_until_stalled();
        assert!(slots.take(PeerId::random(), relay).is_none(), "all are taken");
        over.send(()).expect("they wait");
        pool.run_until_stalled();
        assert!(slots.take(PeerId::random(), relay).is_some());
    }
}
