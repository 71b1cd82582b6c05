//! Both roles of the handshake, every refusal, both sides of every limit, and the bytes as they travel.

use super::*;

fn offer(text: &str) -> Vec<u8> {
    Message::Offer(text.into()).encode()
}

fn answer(text: &str) -> Vec<u8> {
    Message::Answer(text.into()).encode()
}

fn candidate(text: &str) -> Vec<u8> {
    Message::Candidate(text.into()).encode()
}

/// An answerer that has the offer.
fn answering() -> State {
    let mut state = State::new(Role::Answerer);
    assert_eq!(state.handle(InEvent::Received(&offer("o"))), [OutEvent::RemoteDescription("o".into())]);
    state
}

/// An offerer that has sent its offer.
fn offering() -> State {
    let mut state = State::new(Role::Offerer);
    assert_eq!(state.handle(InEvent::LocalDescription("o".into())), [OutEvent::Send(offer("o"))]);
    state
}

#[test]
fn encodes_messages_as_these_bytes() {
    assert_eq!(offer("v=0"), [7, 0x08, 0, 0x12, 3, b'v', b'=', b'0']);
    assert_eq!(answer("v=0"), [7, 0x08, 1, 0x12, 3, b'v', b'=', b'0']);
    assert_eq!(candidate("{}"), [6, 0x08, 2, 0x12, 2, b'{', b'}']);
    let long = offer(&"x".repeat(200));
    assert_eq!(long[..7], [0xcd, 1, 0x08, 0, 0x12, 0xc8, 1]);
    assert_eq!(long.len(), 207);
}

#[test]
fn exchanges_offer_answer_and_candidates() {
    let mut alice = State::new(Role::Offerer);
    let mut bob = State::new(Role::Answerer);
    // A candidate may be found before the description is sent; it must not overtake it.
    assert_eq!(alice.handle(InEvent::LocalCandidate("a1".into())), []);
    let sent = alice.handle(InEvent::LocalDescription("o".into()));
    assert_eq!(sent, [OutEvent::Send(offer("o")), OutEvent::Send(candidate("a1"))]);
    let wire = [offer("o"), candidate("a1")].concat();
    let heard = bob.handle(InEvent::Received(&wire));
    assert_eq!(heard, [OutEvent::RemoteDescription("o".into()), OutEvent::RemoteCandidate("a1".into())]);
    assert_eq!(bob.handle(InEvent::LocalDescription("a".into())), [OutEvent::Send(answer("a"))]);
    assert_eq!(bob.handle(InEvent::LocalCandidate("b1".into())), [OutEvent::Send(candidate("b1"))]);
    let mut heard = Vec::new();
    for byte in [answer("a"), candidate("b1")].concat() {
        heard.extend(alice.handle(InEvent::Received(&[byte])));
    }
    assert_eq!(heard, [OutEvent::RemoteDescription("a".into()), OutEvent::RemoteCandidate("b1".into())]);
    // The responder may be done first.
    assert_eq!(bob.handle(InEvent::Connected), [OutEvent::Close]);
    assert_eq!(alice.handle(InEvent::ReceivedEnd), [OutEvent::RemoteCandidatesEnd]);
    assert_eq!(alice.handle(InEvent::LocalCandidate("a2".into())), [OutEvent::Send(candidate("a2"))]);
    assert_eq!(alice.handle(InEvent::Connected), [OutEvent::Close]);
    assert_eq!(alice.handle(InEvent::Received(&[0xff; 20])), [], "nothing matters any more");
}

#[test]
fn accepts_every_way_to_end_candidates() {
    for text in ["", "null", "\"\""] {
        assert_eq!(answering().handle(InEvent::Received(&candidate(text))), [OutEvent::RemoteCandidatesEnd]);
    }
}

#[test]
fn rejects_each_broken_rule_with_its_own_reason() {
    let raw = |body: &[u8]| [&[body.len() as u8], body].concat();
    for (mut state, bytes, rejection) in [
        (answering(), raw(&[0x0a, 0]), HandshakeRejection::Malformed(EnvelopeError::WrongType(1))),
        (answering(), raw(&[0x12, 1, b'x']), HandshakeRejection::NoType),
        (answering(), raw(&[0x08, 3, 0x12, 1, b'x']), HandshakeRejection::UnknownType(3)),
        (answering(), raw(&[0x08, 2]), HandshakeRejection::NoData),
        (answering(), raw(&[0x08, 2, 0x12, 1, 0xff]), HandshakeRejection::NotText),
        (State::new(Role::Answerer), candidate("c"), HandshakeRejection::CandidateTooEarly),
        (offering(), candidate("c"), HandshakeRejection::CandidateTooEarly),
        (State::new(Role::Answerer), answer("a"), HandshakeRejection::AnswerToNothing),
        (offering(), offer("o"), HandshakeRejection::OfferToOfferer),
        (answering(), offer("o"), HandshakeRejection::SecondDescription),
        (offering(), [answer("a"), answer("b")].concat(), HandshakeRejection::SecondDescription),
        (State::new(Role::Offerer), answer("a"), HandshakeRejection::AnswerTooEarly),
    ] {
        assert_eq!(state.handle(InEvent::Received(&bytes)).pop(), Some(OutEvent::Reject(rejection)));
        assert_eq!(state.handle(InEvent::Received(&candidate("c"))), [], "nothing follows a refusal");
        assert_eq!(state.handle(InEvent::Connected), [], "nothing follows a refusal");
    }
}

#[test]
fn rejects_an_end_before_the_description_or_inside_a_message() {
    for mut state in [State::new(Role::Answerer), offering()] {
        assert_eq!(state.handle(InEvent::ReceivedEnd), [OutEvent::Reject(HandshakeRejection::EndedEarly)]);
    }
    let mut state = answering();
    assert_eq!(state.handle(InEvent::Received(&candidate("c")[..3])), []);
    assert_eq!(state.handle(InEvent::ReceivedEnd), [OutEvent::Reject(HandshakeRejection::EndedInside)]);
}

#[test]
fn accepts_messages_up_to_the_limit_and_no_larger() {
    let overhead = offer(&"x".repeat(MESSAGE_MAX_BYTES / 2)).len() - MESSAGE_MAX_BYTES / 2;
    let largest = offer(&"x".repeat(MESSAGE_MAX_BYTES - overhead));
    assert_eq!(largest.len(), MESSAGE_MAX_BYTES);
    let heard = State::new(Role::Answerer).handle(InEvent::Received(&largest));
    assert!(matches!(heard[..], [OutEvent::RemoteDescription(_)]));
    let larger = offer(&"x".repeat(MESSAGE_MAX_BYTES - overhead + 1));
    // Its length alone is enough.
    let heard = State::new(Role::Answerer).handle(InEvent::Received(&larger[..3]));
    assert_eq!(heard, [OutEvent::Reject(HandshakeRejection::Oversized)]);
}

#[test]
fn rejects_too_many_candidates() {
    let mut state = answering();
    for _ in 0..CANDIDATES_MAX {
        assert_eq!(state.handle(InEvent::Received(&candidate("c"))), [OutEvent::RemoteCandidate("c".into())]);
    }
    let heard = state.handle(InEvent::Received(&candidate("c")));
    assert_eq!(heard, [OutEvent::Reject(HandshakeRejection::TooManyCandidates)]);
}

#[test]
fn rejects_too_many_bytes() {
    let mut state = answering();
    let filler = candidate(&"c".repeat(8 * 1024));
    let mut left = TOTAL_MAX_BYTES - offer("o").len();
    while left > filler.len() {
        assert!(matches!(state.handle(InEvent::Received(&filler))[..], [OutEvent::RemoteCandidate(_)]));
        left -= filler.len();
    }
    assert_eq!(state.handle(InEvent::Received(&filler[..left])), []);
    let heard = state.handle(InEvent::Received(&filler[left..left + 1]));
    assert_eq!(heard, [OutEvent::Reject(HandshakeRejection::TooManyBytes)]);
}

#[test]
fn sends_nothing_beyond_the_limits() {
    let mut state = State::new(Role::Offerer);
    let heard = state.handle(InEvent::LocalDescription("x".repeat(MESSAGE_MAX_BYTES)));
    assert_eq!(heard, [OutEvent::Reject(HandshakeRejection::OwnDescriptionOversized)]);
    let mut state = State::new(Role::Offerer);
    let longest = state.handle(InEvent::LocalDescription("x".repeat(TEXT_MAX_BYTES)));
    assert!(matches!(&longest[..], [OutEvent::Send(bytes)] if bytes.len() <= MESSAGE_MAX_BYTES));
    assert_eq!(state.handle(InEvent::LocalDescription("again".into())), []);
    let sent: usize = (0..CANDIDATES_MAX + 9).map(|_| state.handle(InEvent::LocalCandidate("c".into())).len()).sum();
    assert_eq!(sent, CANDIDATES_MAX);
    let mut state = offering();
    let long = "c".repeat(10 * 1024);
    let bytes: usize = (0..20)
        .flat_map(|_| state.handle(InEvent::LocalCandidate(long.clone())))
        .map(|event| if let OutEvent::Send(bytes) = event { bytes.len() } else { 0 })
        .sum();
    assert!(bytes > TOTAL_MAX_BYTES / 2 && bytes <= TOTAL_MAX_BYTES);
}
