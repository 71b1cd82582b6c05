//! Signatures against everything that must not pass for one.

use super::*;
use crate::actors::Person;
use crate::log::Capabilities;

const TOPIC: Topic = Topic::from_bytes([9; 32]);

#[derive(Clone, Debug, PartialEq)]
struct Note(String);

impl Signable for Note {
    fn domain(&self) -> &'static str {
        "gen-registry/note/v2"
    }
    fn encode(&self) -> Vec<u8> {
        Encoder::new().text(&self.0).finish()
    }
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let note = Self(decoder.text()?.to_owned());
        decoder.end()?;
        Ok(note)
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Order(String);

impl Signable for Order {
    fn domain(&self) -> &'static str {
        "gen-registry/order/v2"
    }
    fn encode(&self) -> Vec<u8> {
        Encoder::new().text(&self.0).finish()
    }
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Note::decode(bytes).map(|note| Self(note.0))
    }
}

fn note() -> Note {
    Note("hello".into())
}

#[test]
fn signature_serves_once() {
    let signed = Signed::sign(&SecretKey::from_seed(&[1; 32]), &TOPIC, note());
    let bytes = signed.encode();
    assert_eq!(Signed::<Note>::verify(&bytes, &TOPIC), Ok(signed));
    // As another type, for another network.
    assert_eq!(Signed::<Order>::verify(&bytes, &TOPIC).unwrap_err(), SignatureError::Forged);
    assert_eq!(Signed::<Note>::verify(&bytes, &Topic::from_bytes([8; 32])).unwrap_err(), SignatureError::Forged);
}

#[test]
fn every_flipped_bit_is_refused() {
    let laptop = Person::new(TOPIC, 1).device(0, 1);
    let opening = Opening::decode(&TOPIC, laptop.opening.body()).expect("an opening");
    let authored = Authored::sign(&laptop.key, &TOPIC, &opening, note());
    let bytes = authored.encode();
    assert_eq!(Authored::<Note>::verify(&bytes, &TOPIC), Ok(authored.clone()));
    assert_eq!(Authored::<Note>::decode_unverified(&bytes, &TOPIC), Ok(authored));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Authored::<Note>::verify(&flipped, &TOPIC).is_err(), "bit {bit}");
    }
}

/// A device speaks for its own identity only, and only where it may.
#[test]
fn opening_of_another_device_or_without_the_capability_is_refused() {
    let (alice, mallory) = (Person::new(TOPIC, 1), Person::new(TOPIC, 2));
    let (laptop, hers) = (alice.device(0, 1), mallory.device(0, 2));
    let opening = |body: &[u8]| Opening::decode(&TOPIC, body).expect("an opening");
    let signed = Signed::sign(&hers.key, &TOPIC, note());
    let stolen = Encoder::new().bytes(laptop.opening.body()).bytes(&signed.encode()).finish();
    assert_eq!(
        Authored::<Note>::verify(&stolen, &TOPIC).unwrap_err(),
        SignatureError::Opening(OpeningError::OtherDevice)
    );
    let quiet = alice.device_with(1, 3, Capabilities::of([Capability::Rate], ""));
    let said = Authored::sign(&quiet.key, &TOPIC, &opening(quiet.opening.body()), note()).encode();
    assert_eq!(Authored::<Note>::verify(&said, &TOPIC).unwrap_err(), SignatureError::NotAllowed);
}

#[test]
fn opening_that_is_shown_has_a_bound() {
    let signed = Signed::sign(&SecretKey::from_seed(&[1; 32]), &TOPIC, note()).encode();
    for (bytes, is_bound) in [(SHOWN_OPENING_MAX_BYTES, false), (SHOWN_OPENING_MAX_BYTES + 1, true)] {
        let said = Encoder::new().bytes(&vec![0; bytes]).bytes(&signed).finish();
        let refused = Authored::<Note>::verify(&said, &TOPIC).unwrap_err();
        assert_eq!(refused == SignatureError::Unreadable(DecodeError::OutOfRange), is_bound, "{refused}");
    }
}
