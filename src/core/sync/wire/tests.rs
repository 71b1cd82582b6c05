//! Every message survives its way, nothing else is read, and each limit has two sides.

use super::*;
use crate::identity::SigningIdentity;

const TOPIC: Topic = Topic::from_bytes([7; 32]);

fn owner(seed: u8) -> Identity {
    SigningIdentity::from_entropy(&[seed; 32]).identity()
}

fn change(bytes: usize) -> SignedChange {
    SignedChange { owner: owner(1), bytes: vec![5; bytes], signature: vec![6; SIGNATURE_BYTES] }
}

fn vector(actors: usize) -> DocumentVector {
    let actor = |number: usize| {
        let mut actor = vec![0; ACTOR_MAX_BYTES];
        actor[..8].copy_from_slice(&(number as u64).to_be_bytes());
        (actor, Seen { seq: 3, trail: Digest::of(b"trail") })
    };
    DocumentVector { owner: owner(1), forked: false, actors: (0..actors).map(actor).collect() }
}

fn samples() -> Vec<Message> {
    vec![
        Message::Hello(Hello::new(TOPIC)),
        Message::Compare { round: 1, frame: vec![0x61, 1, 2] },
        Message::Want(vec![Digest::of(b"a"), Digest::of(b"b")]),
        Message::Have(vec![vector(2), DocumentVector { forked: true, ..DocumentVector::nothing(owner(2)) }]),
        Message::Need { ticket: 7, vectors: vec![vector(0)] },
        Message::Changes { ticket: 7, changes: vec![change(10), change(0)], unfinished: vec![owner(3)] },
        Message::Done { round: 1 },
        Message::Announce(vec![change(100)]),
        Message::AnnounceHeads { owner: owner(1), heads: vec![Digest::of(b"a")] },
    ]
}

#[test]
fn messages_round_trip() {
    for message in samples() {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn no_part_of_a_message_is_one_and_nothing_may_follow() {
    for message in samples() {
        let bytes = message.encode();
        for end in 0..bytes.len() {
            assert!(matches!(Message::decode(&bytes[..end]), Err(Rejection::Malformed(_))), "{message:?} {end}");
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(Message::decode(&longer), Err(Rejection::Malformed(DecodeError::LeftOver)));
    }
}

#[test]
fn flipped_bits_give_another_message_in_its_one_form_or_none() {
    for message in samples() {
        let bytes = message.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = Message::decode(&flipped) {
                assert_eq!(other.encode(), flipped);
            }
        }
    }
}

/// A message with a list, one at its limit and one beyond.
fn sides(at_limit: Message, beyond: Message) {
    assert!(Message::decode(&at_limit.encode()).is_ok());
    assert_eq!(Message::decode(&beyond.encode()), Err(Rejection::Oversized));
}

#[test]
fn each_limit_has_two_sides() {
    let compare = |bytes| Message::Compare { round: 1, frame: vec![0; bytes] };
    sides(compare(FRAME_MAX_BYTES), compare(FRAME_MAX_BYTES + 1));
    let want = |count| Message::Want(vec![Digest::of(b"a"); count]);
    sides(want(WANT_MAX), want(WANT_MAX + 1));
    let have = |count| Message::Have(vec![vector(1); count]);
    sides(have(VECTORS_MAX), have(VECTORS_MAX + 1));
    let long = |actors| Message::Have(vec![vector(actors)]);
    sides(long(VECTOR_MAX_ACTORS), long(VECTOR_MAX_ACTORS + 1));
    let heads = |count| Message::AnnounceHeads { owner: owner(1), heads: vec![Digest::of(b"a"); count] };
    sides(heads(HEADS_MAX), heads(HEADS_MAX + 1));
    let changes = |bytes| Message::Changes { ticket: 1, changes: vec![change(bytes)], unfinished: Vec::new() };
    sides(changes(CHANGE_MAX_BYTES), changes(CHANGE_MAX_BYTES + 1));
    let around = Message::Announce(vec![change(0)]).encode().len();
    let announce = |bytes| Message::Announce(vec![change(bytes)]);
    sides(announce(GOSSIP_MAX_BYTES - around), announce(GOSSIP_MAX_BYTES - around + 1));
    let unfinished = |count| Message::Changes { ticket: 1, changes: Vec::new(), unfinished: vec![owner(1); count] };
    sides(unfinished(VECTORS_MAX), unfinished(VECTORS_MAX + 1));
    let mut signed = change(10);
    signed.signature.push(0);
    sides(Message::Announce(vec![change(10)]), Message::Announce(vec![signed]));
    assert_eq!(Message::decode(&vec![200; MESSAGE_MAX_BYTES + 1]), Err(Rejection::Oversized));
    assert_eq!(Message::decode(&vec![200; MESSAGE_MAX_BYTES]), Err(DecodeError::UnknownKind(200).into()));
}

#[test]
fn a_full_page_fits_into_a_message() {
    let one = change(CHANGE_MAX_BYTES - 4 * 1024);
    let page = vec![one.clone(); SYNC_PAGE_BYTES / change_weight(&one)];
    let message = Message::Changes { ticket: 1, changes: page, unfinished: vec![owner(1); VECTORS_MAX] };
    assert!(message.encode().len() <= MESSAGE_MAX_BYTES);
    assert!(Message::decode(&message.encode()).is_ok());
}

#[test]
fn claimed_lengths_allocate_nothing() {
    let bytes = Encoder::new().byte(WANT).integer(u64::MAX).finish();
    assert_eq!(Message::decode(&bytes), Err(Rejection::Oversized));
    let bytes = Encoder::new().byte(COMPARE).integer(1).finish();
    assert_eq!(Message::decode(&[bytes, vec![255; 4]].concat()), Err(DecodeError::TooShort.into()));
}

#[test]
fn a_newer_version_is_recognised_whatever_follows() {
    let bytes = Encoder::new().byte(HELLO).integer(u64::from(PROTOCOL_VERSION) + 1).text("anything").finish();
    assert_eq!(Message::decode(&bytes), Err(Rejection::FutureVersion));
}

#[test]
fn vectors_have_one_spelling_and_keys_must_be_keys() {
    let vector = |actors: &[(&[u8], u64)]| {
        let encoder = Encoder::new().byte(HAVE).integer(1).fixed(owner(1).as_bytes()).byte(0);
        let encoder = actors.iter().fold(encoder.integer(actors.len() as u64), |encoder, (actor, seq)| {
            encoder.bytes(actor).integer(*seq).fixed(&[0; 32])
        });
        Message::decode(&encoder.finish())
    };
    assert!(vector(&[(b"a", 1), (b"b", 1)]).is_ok());
    for bad in [&[(&b"b"[..], 1), (b"a", 1)][..], &[(b"a", 1), (b"a", 1)], &[(b"a", 0)]] {
        assert_eq!(vector(bad), Err(DecodeError::OutOfRange.into()));
    }
    assert_eq!(vector(&[(&[0; ACTOR_MAX_BYTES + 1], 1)]), Err(Rejection::Oversized));
    let weak = Encoder::new().byte(ANNOUNCE_HEADS).fixed(&[0; 32]).integer(0).finish();
    assert_eq!(Message::decode(&weak), Err(DecodeError::OutOfRange.into()));
}
