//! What peers do wrong. Each case says which rule it breaks and whether the session survives it.

use super::*;
use crate::canonical::DecodeError;
use crate::limits::CHANGE_MAX_BYTES;
use crate::sync::session::budget::{ANNOUNCEMENTS_BURST, MESSAGES_BURST};
use crate::sync::wire::{PAGE_MIN_BYTES, PROTOCOL_VERSION, WANT_MAX};

/// A side that was greeted and has finished its first round with an honest peer.
fn ready(initiator: bool) -> Side {
    let mut sides = pair(changes(&person(1), 1, 1, 10), changes(&person(1), 1, 1, 10));
    connect(&mut sides, ENOUGH);
    let [a, b] = sides;
    if initiator { a } else { b }
}

/// The first rejection when a side receives this message, if any.
fn rejection_of(side: &mut Side, message: &Message) -> Option<Rejection> {
    side.rejected.clear();
    side.take(Input::Received(message.encode()), at(2));
    side.rejected.first().copied()
}

fn forged(changes: &[SignedChange]) -> Vec<SignedChange> {
    changes.iter().map(|change| SignedChange { signature: vec![1; 64], ..change.clone() }).collect()
}

#[test]
fn rejects_everything_before_the_hello() {
    let mut side = Side::new(Replica::default(), false);
    assert_eq!(rejection_of(&mut side, &Message::Done { round: 0 }), Some(Rejection::OutOfOrder));
    // Gossip may overtake the greeting: that is no fault, and nothing comes of it.
    assert_eq!(rejection_of(&mut side, &Message::Announce(changes(&person(1), 1, 1, 10))), None);
    assert!(side.replica.documents.is_empty());
    assert_eq!(rejection_of(&mut side, &Message::Hello(Hello::new(TOPIC))), None);
    assert_eq!(rejection_of(&mut side, &Message::Hello(Hello::new(TOPIC))), Some(Rejection::OutOfOrder));
}

#[test]
fn other_networks_versions_and_parameters_end_the_session_without_blame() {
    let hello = Hello::new(TOPIC);
    for (hello, why) in [
        (Hello { topic: Topic::from_bytes([8; 32]), ..hello.clone() }, Rejection::ForeignTopic),
        (Hello { version: PROTOCOL_VERSION + 1, ..hello.clone() }, Rejection::FutureVersion),
        (Hello { parameters: PARAMETERS_VERSION + 1, ..hello.clone() }, Rejection::OtherParameters),
        (Hello { page_bytes: PAGE_MIN_BYTES as u32 - 1, ..hello }, Rejection::OtherParameters),
    ] {
        let mut side = Side::new(Replica::default(), true);
        assert_eq!(rejection_of(&mut side, &Message::Hello(hello)), Some(why));
        assert_eq!((side.ended, why.mark()), (Some(why), 0));
        assert!(side.take(Input::Connected, at(3)).is_empty(), "an ended session says nothing");
    }
    let mut side = Side::new(Replica::default(), true);
    assert_eq!(rejection_of(&mut side, &Message::Hello(Hello { page_bytes: PAGE_MIN_BYTES as u32, ..hello })), None);
}

#[test]
fn rejects_what_was_not_asked_for() {
    let mine = changes(&person(9), 1, 1, 10);
    let unasked = Message::Changes { ticket: 99, changes: mine, unfinished: Vec::new() };
    let have = Message::Have(vec![DocumentVector::nothing(person(9).identity())]);
    for initiator in [true, false] {
        let mut side = ready(initiator);
        assert_eq!(rejection_of(&mut side, &unasked), Some(Rejection::Unasked));
        assert_eq!(rejection_of(&mut side, &have), Some(Rejection::Unasked));
        assert_eq!(rejection_of(&mut side, &Message::Want(vec![Digest::of(b"x")])), Some(Rejection::Unasked));
        assert_eq!(rejection_of(&mut side, &Message::Done { round: 1 }), Some(Rejection::OutOfOrder));
        assert_eq!(side.replica.documents.len(), 1, "nothing came in");
    }
    assert_eq!(
        rejection_of(&mut ready(true), &Message::Compare { round: 1, frame: vec![0x61] }),
        Some(Rejection::OutOfOrder)
    );
}

/// An answering side that has asked a peer for `claimed`; returns the ticket.
fn asked(claimed: &[SignedChange]) -> (Side, u64) {
    let mut side = Side::new(Replica::default(), false);
    let mut peer = Side::new(Replica::with(claimed.to_vec()), true);
    let mut to_side: VecDeque<Vec<u8>> = peer.take(Input::Connected, at(0)).into();
    to_side.extend(peer.take(Input::Received(Message::Hello(Hello::new(TOPIC)).encode()), at(0)));
    while let Some(message) = to_side.pop_front() {
        for reply in side.take(Input::Received(message), at(0)) {
            if let Ok(Message::Need { ticket, .. }) = Message::decode(&reply) {
                return (side, ticket);
            }
            to_side.extend(peer.take(Input::Received(reply), at(0)));
        }
    }
    panic!("the side should have asked");
}

#[test]
fn pages_are_held_to_what_was_asked() {
    let claimed = changes(&person(1), 1, 3, 10);
    let page = |ticket, changes: Vec<SignedChange>, unfinished: Vec<Identity>| Message::Changes {
        ticket,
        changes,
        unfinished,
    };
    let owner = person(1).identity();
    let backwards: Vec<SignedChange> = claimed.iter().rev().cloned().collect();
    let broken = vec![SignedChange { bytes: vec![0; 100], ..claimed[0].clone() }];
    for (changes, unfinished, why) in [
        (Vec::new(), Vec::new(), Rejection::Withheld),
        (Vec::new(), vec![owner], Rejection::Stalled),
        (changes(&person(2), 1, 1, 10), Vec::new(), Rejection::Unasked),
        (claimed.clone(), vec![person(2).identity()], Rejection::Unasked),
        (backwards, Vec::new(), Rejection::OutOfOrder),
        (broken, Vec::new(), Rejection::BadChange),
        (forged(&claimed), Vec::new(), Rejection::Forged),
        (forged(&claimed), vec![owner], Rejection::Forged),
    ] {
        let (mut side, ticket) = asked(&claimed);
        assert_eq!(rejection_of(&mut side, &page(ticket, changes, unfinished)), Some(why));
        assert!(side.replica.heads().iter().all(|(_, heads)| *heads == Document::new(owner).heads()));
    }
    let (mut side, ticket) = asked(&claimed);
    assert_eq!(rejection_of(&mut side, &page(ticket, claimed.clone(), Vec::new())), None);
    // A replayed answer finds no question.
    assert_eq!(rejection_of(&mut side, &page(ticket, claimed, Vec::new())), Some(Rejection::Unasked));
}

#[test]
fn garbage_is_counted_and_ends_the_session_in_the_end() {
    let mut side = ready(true);
    for count in 1..=5 {
        side.take(Input::Received(vec![200, 1, 2]), at(2));
        assert_eq!(side.rejected.len(), count);
        assert_eq!(side.ended.is_some(), count == 5);
    }
    assert_eq!(side.rejected[0], Rejection::Malformed(DecodeError::UnknownKind(200)));
    let mut side = ready(false);
    let frame = Message::Compare { round: 2, frame: vec![0x61, 0, 0, 2, 5] };
    assert_eq!(
        (rejection_of(&mut side, &frame), side.ended),
        (Some(Rejection::Comparison), Some(Rejection::Comparison))
    );
}

#[test]
fn floods_are_cut_off() {
    let mut side = ready(true);
    let need = Message::Need { ticket: 1, vectors: Vec::new() };
    let flood = (0..=MESSAGES_BURST).find_map(|_| rejection_of(&mut side, &need));
    assert_eq!((flood, side.ended), (Some(Rejection::TooManyMessages), Some(Rejection::TooManyMessages)));

    let mut side = ready(true);
    let announcement = Message::Announce(Vec::new());
    for _ in 0..ANNOUNCEMENTS_BURST {
        assert_eq!(rejection_of(&mut side, &announcement), None);
    }
    assert_eq!(rejection_of(&mut side, &announcement), Some(Rejection::TooManyAnnouncements));
    assert_eq!(side.ended, None);
}

#[test]
fn ends_a_session_that_asks_for_the_same_repeatedly() {
    let all = changes(&person(1), 1, 18, 50_000);
    let mut side = Side::new(Replica::with(all), false);
    assert_eq!(rejection_of(&mut side, &Message::Hello(Hello::new(TOPIC))), None);
    let need = Message::Need { ticket: 1, vectors: vec![DocumentVector::nothing(person(1).identity())] };
    let flood = (0..1_000).find_map(|_| rejection_of(&mut side, &need));
    assert_eq!((flood, side.ended), (Some(Rejection::TooManyBytes), Some(Rejection::TooManyBytes)));
}

#[test]
fn requests_that_the_host_has_not_answered_are_bounded() {
    let mut side = ready(true);
    for ticket in 0..=NEEDS_OUTSTANDING as u64 {
        // Straight into the session: no host answers.
        let need = Message::Need { ticket, vectors: Vec::new() };
        let outputs = side.session.handle(Input::Received(need.encode()), at(2));
        let refused = matches!(outputs[0], Output::Rejected { why: Rejection::TooManyRequests, .. });
        assert_eq!(refused, ticket == NEEDS_OUTSTANDING as u64);
    }
}

#[test]
fn a_silent_peer_is_given_up() {
    let (mut side, _) = asked(&changes(&person(1), 1, 1, 10));
    side.take(Input::Tick, at(0).plus(STALL_AFTER));
    assert_eq!(side.ended, None);
    side.take(Input::Tick, at(1).plus(STALL_AFTER));
    assert_eq!(side.ended, Some(Rejection::Stalled));
}

#[test]
fn oversized_parts_are_refused_and_the_largest_are_not() {
    let mut side = ready(true);
    let change = |bytes| Message::Changes {
        ticket: 99,
        changes: vec![SignedChange { owner: person(1).identity(), bytes: vec![0; bytes], signature: vec![0; 64] }],
        unfinished: Vec::new(),
    };
    assert_eq!(rejection_of(&mut side, &change(CHANGE_MAX_BYTES + 1)), Some(Rejection::Oversized));
    assert_eq!(rejection_of(&mut side, &change(CHANGE_MAX_BYTES)), Some(Rejection::Unasked));
    let want = |count| Message::Want(vec![Digest::of(b"x"); count]);
    assert_eq!(rejection_of(&mut side, &want(WANT_MAX + 1)), Some(Rejection::Oversized));
    assert_eq!(rejection_of(&mut side, &want(WANT_MAX)), Some(Rejection::Unasked));
}

#[test]
fn ends_after_too_many_pages_without_news() {
    let claimed = changes(&person(1), 1, 3, 10);
    let (mut side, mut ticket) = asked(&claimed);
    for idle in 1..=IDLE_PAGES_MAX + 1 {
        let page = Message::Changes { ticket, changes: claimed.clone(), unfinished: vec![person(1).identity()] };
        // Another peer was quicker with this page, and this one claims to have still more.
        side.session.handle(Input::Received(page.encode()), at(2));
        let outputs = side.session.handle(Input::Verdicts(vec![Verdict::Known; 3]), at(2));
        assert_eq!(outputs.contains(&Output::End(Rejection::Stalled)), idle > IDLE_PAGES_MAX);
        let answer = Input::Vectors(vec![DocumentVector::nothing(person(1).identity())]);
        for output in side.session.handle(answer, at(2)) {
            if let Output::Send(Message::Need { ticket: next, .. }) = output {
                ticket = next;
            }
        }
    }
}
