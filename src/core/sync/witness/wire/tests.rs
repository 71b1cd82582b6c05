//! Requests and answers survive their way, nothing else is read, and each limit has two sides.

use super::*;
use crate::digest::Digest;
use crate::fact::{ClaimedName, NameClaim, Receipt};
use crate::identity::{Signed, SigningIdentity};
use crate::sync::simulator::Random;

const TOPIC: Topic = Topic::from_bytes([7; 32]);

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn claim(name: &str) -> SignedFact {
    let name = ClaimedName::Username(name.parse().unwrap());
    Signed::sign(&person(1), &TOPIC, Fact::NameClaim(NameClaim { work: 0, name, claimed_at: at(5) }))
}

fn receipt(witness: &SigningIdentity, fact: Digest) -> Vec<u8> {
    Signed::sign(witness, &TOPIC, Fact::Receipt(Receipt { fact, witnessed_at: at(9) })).encode()
}

fn request() -> Request {
    Request { topic: TOPIC, fact: claim("nova").encode() }
}

fn answers() -> Vec<WitnessAnswer> {
    let refusals = [
        WitnessRefusal::NotAboutNames,
        WitnessRefusal::FromTheFuture { counts_from: at(1) },
        WitnessRefusal::Taken { by: person(2).identity(), witnessed_at: at(2) },
        WitnessRefusal::CoolingDown { free_at: Timestamp::LATEST },
        WitnessRefusal::UnknownClaim,
        WitnessRefusal::NotYours,
        WitnessRefusal::NotHolder,
        WitnessRefusal::NoWork { bits: 20 },
        WitnessRefusal::VersionTaken { first: claim("nova").hash() },
    ];
    let mut answers = vec![WitnessAnswer::Receipt(receipt(&person(9), claim("nova").hash())), WitnessAnswer::Busy];
    answers.extend(refusals.map(WitnessAnswer::Refused));
    answers.extend([NotServed::ForeignTopic, NotServed::Unreadable, NotServed::BadFact].map(WitnessAnswer::NotServed));
    answers
}

#[test]
fn messages_round_trip() {
    assert_eq!(Request::decode(&request().encode()), Ok(request()));
    for answer in answers() {
        assert_eq!(WitnessAnswer::decode(&answer.encode()), Ok(answer));
    }
}

#[test]
fn no_part_is_a_message_and_nothing_may_follow() {
    let whole = request().encode();
    for end in 0..whole.len() {
        assert_eq!(Request::decode(&whole[..end]), Err(DecodeError::TooShort.into()), "{end}");
    }
    assert_eq!(Request::decode(&[whole, vec![0]].concat()), Err(DecodeError::LeftOver.into()));
    for answer in answers() {
        let whole = answer.encode();
        for end in 0..whole.len() {
            assert_eq!(WitnessAnswer::decode(&whole[..end]), Err(DecodeError::TooShort.into()), "{answer:?} {end}");
        }
        assert_eq!(WitnessAnswer::decode(&[whole, vec![0]].concat()), Err(DecodeError::LeftOver.into()));
    }
}

#[test]
fn each_limit_has_two_sides() {
    let request = |bytes| Request::decode(&Request { topic: TOPIC, fact: vec![1; bytes] }.encode());
    assert!(request(FACT_MAX_BYTES).is_ok());
    let over = WireError::Oversized { most: REQUEST_MAX_BYTES, found: REQUEST_MAX_BYTES + 1 };
    assert_eq!(request(FACT_MAX_BYTES + 1), Err(over));
    let answer = |bytes| WitnessAnswer::decode(&WitnessAnswer::Receipt(vec![1; bytes]).encode());
    assert!(answer(FACT_MAX_BYTES).is_ok());
    let over = WireError::Oversized { most: ANSWER_MAX_BYTES, found: ANSWER_MAX_BYTES + 1 };
    assert_eq!(answer(FACT_MAX_BYTES + 1), Err(over));
    // A length alone allocates nothing.
    let claimed = Encoder::new().fixed(TOPIC.as_bytes()).finish();
    assert_eq!(Request::decode(&[claimed, vec![255; 4]].concat()), Err(DecodeError::TooShort.into()));
    let dated =
        |millis| WitnessAnswer::decode(&Encoder::new().byte(REFUSED).byte(COOLING_DOWN).integer(millis).finish());
    assert!(dated(Timestamp::LATEST.as_millis()).is_ok());
    assert_eq!(dated(Timestamp::LATEST.as_millis() + 1), Err(DecodeError::OutOfRange.into()));
}

#[test]
fn each_unknown_part_is_an_error_of_its_own() {
    let answer = |bytes: &[u8]| WitnessAnswer::decode(bytes);
    for unknown in [0, 5, 255] {
        assert_eq!(answer(&[unknown]), Err(DecodeError::UnknownKind(unknown).into()));
    }
    for unknown in [0, 10, 255] {
        assert_eq!(answer(&[REFUSED, unknown]), Err(WireError::UnknownRefusal(unknown)));
    }
    for unknown in [0, 4, 255] {
        assert_eq!(answer(&[NOT_SERVED, unknown]), Err(WireError::UnknownReason(unknown)));
    }
    let weak = Encoder::new().byte(REFUSED).byte(TAKEN).fixed(&[0; 32]).integer(1).finish();
    assert_eq!(answer(&weak), Err(WireError::NoKey));
}

#[test]
fn random_and_flipped_bytes_are_read_in_their_one_form_or_not_at_all() {
    let mut random = Random::new(1);
    let mut samples: Vec<Vec<u8>> = answers().iter().map(WitnessAnswer::encode).chain([request().encode()]).collect();
    for _ in 0..4_000 {
        let length = random.below(64) as usize;
        samples.push((0..length).map(|_| random.number() as u8).collect());
    }
    for sample in samples {
        for bit in 0..sample.len() * 8 {
            let mut bytes = sample.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(answer) = WitnessAnswer::decode(&bytes) {
                assert_eq!(answer.encode(), bytes);
            }
            if let Ok(request) = Request::decode(&bytes) {
                assert_eq!(request.encode(), bytes);
            }
        }
    }
}

#[test]
fn only_the_asked_witness_s_receipt_for_this_fact_will_do() {
    let (witness, other) = (person(9), person(8));
    let fact = claim("nova");
    let check = |bytes: &[u8]| check_receipt(bytes, &[witness.identity()], &fact, &TOPIC);
    let good = receipt(&witness, fact.hash());
    assert_eq!(check(&good).map(|receipt| receipt.author()), Ok(witness.identity()));
    assert_eq!(check(&receipt(&other, fact.hash())), Err(ReceiptError::OtherWitness));
    assert_eq!(check(&receipt(&witness, claim("stella").hash())), Err(ReceiptError::OtherFact));
    assert_eq!(check(&fact.encode()), Err(ReceiptError::NotAReceipt));
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(check(&forged), Err(ReceiptError::Signature(SignatureError::Forged)));
    let elsewhere = check_receipt(&good, &[witness.identity()], &fact, &Topic::from_bytes([8; 32]));
    assert_eq!(elsewhere, Err(ReceiptError::Signature(SignatureError::Forged)));
}
