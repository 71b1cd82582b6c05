//! Messages between clients and witnesses: one encoding each, every bound, and random bytes.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::actors::{BEGIN, network};
use crate::digest::Digest;
use crate::log::OpeningError;
use crate::outcome::NoEffect;

fn id(seed: u8) -> EntryId {
    EntryId::from_digest(Digest::of(&[seed]))
}

fn topic() -> Topic {
    network(1, 1).0.topic()
}

fn asked(pieces: Vec<Piece>) -> Request {
    Request::Ask(Ask { topic: topic(), opening: vec![1; 400], entry: vec![2; 300], pieces })
}

fn requests() -> Vec<Request> {
    let pieces = vec![
        Piece::Entry(vec![3; 90]),
        Piece::Receipt(vec![4; 60]),
        Piece::Path(id(1), vec![5; 40]),
        Piece::Fork(vec![6; 20], vec![7; 20]),
    ];
    let learn = Learn { topic: topic(), opening: vec![], entry: vec![8; 9], receipts: vec![vec![1; 157], vec![]] };
    vec![asked(vec![]), asked(pieces), Request::Learn(learn)]
}

fn answers() -> Vec<Answer> {
    let refused = |entry, until| Answer::Refused(Refused { code: Code::Held, entry, until });
    let mut answers = vec![
        Answer::Signed(vec![1; 157]),
        Answer::Taken(vec![Piece::Entry(vec![1; 9]), Piece::Path(id(2), vec![2; 9])]),
        refused(None, None),
        refused(Some(id(3)), Some(BEGIN)),
        Answer::Busy,
        Answer::Noted,
    ];
    let all = [NotServed::OtherNetwork, NotServed::Unreadable, NotServed::TooLarge, NotServed::Unproven];
    answers.extend(all.map(Answer::NotServed));
    answers
}

#[test]
fn messages_are_read_as_they_were_written() {
    for request in requests() {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    for answer in answers() {
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }
}

/// Whatever is read has one encoding, and no bytes make a decoder panic.
#[test]
fn decoders_are_total() {
    let (requests, answers) = (requests(), answers());
    let written: Vec<Vec<u8>> =
        requests.iter().map(Request::encode).chain(answers.iter().map(Answer::encode)).collect();
    let mut random = StdRng::seed_from_u64(1);
    let is_canonical = |bytes: &[u8]| {
        if let Ok(request) = Request::decode(bytes) {
            assert_eq!(request.encode(), bytes);
        }
        if let Ok(answer) = Answer::decode(bytes) {
            assert_eq!(answer.encode(), bytes);
        }
    };
    for (at, bytes) in written.iter().enumerate() {
        let is_refused = |bytes: &[u8]| match at < requests.len() {
            true => Request::decode(bytes) == Err(NotServed::Unreadable),
            false => Answer::decode(bytes).is_err(),
        };
        assert!((0..bytes.len()).all(|length| is_refused(&bytes[..length])));
        assert!(is_refused(&[bytes, &[0][..]].concat()));
        for _ in 0..2_000 {
            let mut bytes = bytes.clone();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            is_canonical(&bytes);
        }
    }
    for _ in 0..20_000 {
        let length = random.random_range(0..200);
        let bytes: Vec<u8> = (0..length).map(|_| random.random()).collect();
        is_canonical(&bytes);
    }
}

#[test]
fn bounds_of_a_request_hold_on_both_sides() {
    let with = |opening: usize, entry: usize| {
        Request::Ask(Ask { topic: topic(), opening: vec![0; opening], entry: vec![0; entry], pieces: vec![] }).encode()
    };
    assert!(Request::decode(&with(ENTRY_MAX_BYTES, ENTRY_MAX_BYTES)).is_ok());
    assert_eq!(Request::decode(&with(ENTRY_MAX_BYTES + 1, 0)), Err(NotServed::Unreadable));
    assert_eq!(Request::decode(&with(0, ENTRY_MAX_BYTES + 1)), Err(NotServed::Unreadable));
    let of_weight = |weight: usize| asked(vec![Piece::Entry(vec![0; weight - 8])]).encode();
    assert!(Request::decode(&of_weight(PIECES_MAX_BYTES)).is_ok());
    assert_eq!(Request::decode(&of_weight(PIECES_MAX_BYTES + 1)), Err(NotServed::TooLarge));
    let of_pieces = |count: usize| asked(vec![Piece::Receipt(vec![]); count]).encode();
    assert!(Request::decode(&of_pieces(PIECES_MAX)).is_ok());
    assert_eq!(Request::decode(&of_pieces(PIECES_MAX + 1)), Err(NotServed::TooLarge));
    assert_eq!(Request::decode(&vec![1; REQUEST_MAX_BYTES + 1]), Err(NotServed::TooLarge));
    assert_eq!(Request::decode(&vec![1; REQUEST_MAX_BYTES]), Err(NotServed::Unreadable));
    // The largest parts together are within the bound of the whole.
    let full = Ask {
        topic: topic(),
        opening: vec![0; ENTRY_MAX_BYTES],
        entry: vec![0; ENTRY_MAX_BYTES],
        pieces: vec![Piece::Entry(vec![0; PIECES_MAX_BYTES / PIECES_MAX - 8]); PIECES_MAX],
    };
    assert!(Request::decode(&Request::Ask(full).encode()).is_ok());
    let learn = |receipts: Vec<Vec<u8>>| {
        Request::decode(&Request::Learn(Learn { topic: topic(), opening: vec![], entry: vec![], receipts }).encode())
    };
    assert!(learn(vec![vec![0; RECEIPT_MAX_BYTES]; WITNESSES_MAX]).is_ok());
    assert_eq!(learn(vec![vec![]; WITNESSES_MAX + 1]), Err(NotServed::Unreadable));
    assert_eq!(learn(vec![vec![0; RECEIPT_MAX_BYTES + 1]]), Err(NotServed::Unreadable));
}

#[test]
fn bounds_of_an_answer_hold_on_both_sides() {
    let signed = |bytes: usize| Answer::decode(&Answer::Signed(vec![0; bytes]).encode());
    assert!(signed(RECEIPT_MAX_BYTES).is_ok() && signed(RECEIPT_MAX_BYTES + 1).is_err());
    let taken = |pieces: Vec<Piece>| Answer::decode(&Answer::Taken(pieces).encode());
    assert!(taken(vec![Piece::Receipt(vec![]); PIECES_MAX]).is_ok());
    assert!(taken(vec![Piece::Receipt(vec![]); PIECES_MAX + 1]).is_err());
    // One byte for the kind, eight for the number of pieces, five for the first one.
    let of_size = |bytes: usize| taken(vec![Piece::Entry(vec![0; bytes - 14])]);
    assert!(of_size(ANSWER_MAX_BYTES).is_ok() && of_size(ANSWER_MAX_BYTES + 1).is_err());
}

/// Numbers of codes are part of the protocol: none is used again, and each refusal has its own.
#[test]
fn each_refusal_has_its_code() {
    let numbers: Vec<u8> = Code::ALL.iter().map(|code| *code as u8).collect();
    assert_eq!(numbers, (1..=26).collect::<Vec<u8>>());
    assert!(Code::of(0).is_err() && Code::of(27).is_err());
    let refusals = [
        Refusal::Taken(id(1)),
        Refusal::NoEffect(NoEffect::NotAllowed),
        Refusal::Opening(OpeningError::OtherDevice),
        Refusal::OtherDevice,
        Refusal::NotWitnessed,
        Refusal::OtherSet { set: 0, present: 1 },
        Refusal::Closed,
        Refusal::DeviceNotIn,
        Refusal::Forked,
        Refusal::OtherKey,
        Refusal::Unknown(id(2)),
        Refusal::DatedAhead,
        Refusal::NoWork,
        Refusal::Held(id(3)),
        Refusal::NotAfterLastEnd(Some(id(4))),
        Refusal::CoolingDown { until: BEGIN },
        Refusal::TooManyNames { most: 5 },
        Refusal::NotWithdrawn(id(5)),
        Refusal::EarlierRound,
        Refusal::NotHolder,
        Refusal::NotLastMark(None),
        Refusal::HoldRuns { until: BEGIN },
        Refusal::Away { until: BEGIN },
        Refusal::NoVeto,
        Refusal::NotNextKey,
        Refusal::Reserved { until: BEGIN },
    ];
    let refused: Vec<Refused> = refusals.iter().map(Refused::from).collect();
    assert_eq!(refused.iter().map(|one| one.code).collect::<Vec<_>>(), Code::ALL);
    let with_time: Vec<Code> = refused.iter().filter(|one| one.until == Some(BEGIN)).map(|one| one.code).collect();
    assert_eq!(with_time, [Code::CoolingDown, Code::HoldRuns, Code::Away, Code::Reserved]);
    assert_eq!(refused[10].entry, Some(id(2)));
}
