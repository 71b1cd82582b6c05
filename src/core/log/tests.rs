//! Entries and openings: encodings, signatures, and bodies without effect.

use super::*;
use crate::keys::Master;
use crate::statement::{DeviceAdd, SignedStatement, Statement};

const TOPIC: Topic = Topic::from_bytes([9; 32]);

fn device() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn add(number: u8, device: PublicKey) -> Statement {
    let capabilities = Capabilities::full();
    Statement::DeviceAdd(DeviceAdd { number, device, sealing_key: [1; 32], capabilities, list_key: None })
}

fn opening(master: &Master) -> Opening {
    let inception = master.inception();
    let statement = add(0, device().public());
    let signed = SignedStatement::sign(&TOPIC, inception.did(&TOPIC), &master.identity_key(0), statement);
    Opening::new(&TOPIC, inception, vec![], signed).expect("an opening")
}

#[test]
fn entry_reads_as_it_was_written() {
    let body = opening(&Master::from_entropy([1; 32])).encode();
    let entry = Entry::open(&TOPIC, &device(), body);
    let bytes = entry.encode();
    assert_eq!(Entry::decode(&TOPIC, &bytes), Ok(entry.clone()));
    assert_eq!(bytes.len(), HEADER_BYTES + 4 + entry.body().len());
    assert!(matches!(Body::of(&TOPIC, &entry), Ok(Body::Opening(_))));
    let elsewhere = Entry::decode(&Topic::from_bytes([8; 32]), &bytes);
    assert_eq!(elsewhere, Err(EntryError::Forged), "it is of this network only");
}

#[test]
fn every_flipped_bit_of_an_entry_is_noticed() {
    let body = Body::Veto(EntryId::from_digest(Digest::of(b"give-up"))).encode();
    let first = Entry::open(&TOPIC, &device(), vec![1]);
    let entry = Entry::after(&TOPIC, &device(), first.signed_header(), Kind::Veto as u8, body);
    let bytes = entry.encode();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Entry::decode(&TOPIC, &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn wrong_bodies_have_no_effect_and_a_reason() {
    let first = Entry::open(&TOPIC, &device(), vec![1]);
    let after = |number, kind: u8, body: Vec<u8>| match number {
        FACTS => Entry::after(&TOPIC, &device(), first.signed_header(), kind, body),
        _ => Entry::begin(&TOPIC, &device(), first.header().log.numbered(number), kind, body),
    };
    let reason = |entry: &Entry| Body::of(&TOPIC, entry).expect_err("it says nothing");
    assert!(matches!(reason(&first), BodyError::Opening(_)));
    assert_eq!(reason(&after(FACTS, 200, vec![])), BodyError::UnknownKind(200));
    assert_eq!(reason(&after(FACTS, Kind::Change as u8, vec![])), BodyError::OtherLog(Kind::Change as u8));
    assert_eq!(reason(&after(1, Kind::Veto as u8, vec![0; 32])), BodyError::OtherLog(Kind::Veto as u8));
    assert_eq!(reason(&after(FACTS, Kind::Opening as u8, vec![])), BodyError::Place);
    assert_eq!(reason(&after(FACTS, Kind::Veto as u8, vec![0; 33])), BodyError::Unreadable(DecodeError::LeftOver));
    assert_eq!(reason(&after(FACTS, Kind::Veto as u8, vec![0; 31])), BodyError::Unreadable(DecodeError::TooShort));
}

#[test]
fn opening_proves_whose_the_device_is() {
    let master = Master::from_entropy([1; 32]);
    let opening = opening(&master);
    assert_eq!(opening.did(), master.inception().did(&TOPIC));
    assert_eq!(Opening::decode_for(&TOPIC, &device().public(), &opening.encode()), Ok(opening.clone()));
    let other = SecretKey::from_seed(&[4; 32]).public();
    assert_eq!(Opening::decode_for(&TOPIC, &other, &opening.encode()), Err(OpeningError::OtherDevice));

    let (inception, did) = (master.inception(), opening.did());
    let by = |key: &SecretKey, statement| SignedStatement::sign(&TOPIC, did, key, statement);
    let thief = Master::from_entropy([2; 32]).identity_key(0);
    let refused = |links, add| Opening::new(&TOPIC, inception, links, add).expect_err("it proves nothing");
    assert_eq!(refused(vec![], by(&thief, add(0, other))), OpeningError::NotByIdentity);
    let next = by(
        &master.identity_key(0),
        Statement::Veto(crate::statement::Veto { announced: EntryId::from_digest(Digest::of(b"x")) }),
    );
    assert_eq!(refused(vec![], next), OpeningError::NoDevice);
}

#[test]
fn opening_shows_every_key_up_to_the_present_one() {
    use crate::statement::{DeviceList, NewWords, Rotate};
    let (master, other) = (Master::from_entropy([1; 32]), Master::from_entropy([5; 32]));
    let (inception, did) = (master.inception(), master.inception().did(&TOPIC));
    let devices = DeviceList::default().digest();
    let sign = |key: &SecretKey, statement| SignedStatement::sign(&TOPIC, did, key, statement);
    let rotate = |before, key: &SecretKey, next: PublicKey| {
        sign(key, Statement::Rotate(Rotate { before, key: key.public(), next: next.digest(), devices }))
    };
    let keys: Vec<SecretKey> = (0..4).map(|number| master.identity_key(number)).collect();
    let first = rotate(*did.digest(), &keys[1], keys[2].public());
    let words = sign(
        &keys[1],
        Statement::NewWords(NewWords { before: first.digest(), next: other.identity_key(1).public().digest() }),
    );
    let second = rotate(words.digest(), &other.identity_key(1), other.identity_key(2).public());
    let addition = sign(&other.identity_key(1), add(3, device().public()));
    let links = vec![first.clone(), words.clone(), second];
    let opening = Opening::new(&TOPIC, inception, links, addition.clone()).expect("an opening");
    assert_eq!(Opening::decode(&TOPIC, &opening.encode()), Ok(opening.clone()));
    assert_eq!(opening.link(&TOPIC).key, other.identity_key(1).public());

    let refused = |links: &[&SignedStatement], add: &SignedStatement| {
        Opening::new(&TOPIC, inception, links.iter().copied().cloned().collect(), add.clone()).expect_err("refused")
    };
    assert_eq!(refused(&[&first], &addition), OpeningError::NotByIdentity);
    assert_eq!(refused(&[&words, &first], &addition), OpeningError::OutOfOrder);
    // A thief with key 0 can't go to a key of their own.
    let thief = SecretKey::from_seed(&[8; 32]);
    let stolen = sign(
        &keys[0],
        Statement::Rotate(Rotate {
            before: *did.digest(),
            key: thief.public(),
            next: thief.public().digest(),
            devices,
        }),
    );
    assert_eq!(refused(&[&stolen], &addition), OpeningError::OtherKey);
    let many: Vec<&SignedStatement> = vec![&first; crate::statement::LINKS_MAX + 1];
    assert_eq!(refused(&many, &addition), OpeningError::TooManyLinks);
}

#[test]
fn capabilities_bound_what_a_device_may_publish() {
    let robot = Capabilities::of([Capability::Publish, Capability::Yank], "crc-*");
    assert!(robot.allow_publishing("crc-32") && !robot.allow_publishing("base64"));
    assert!(robot.allow(Capability::Yank) && !robot.allow(Capability::Claim) && !robot.are_full());
    let none = Capabilities::of([Capability::Chat], "*");
    assert!(!none.allow_publishing("crc-32"));
    for capabilities in [robot, none, Capabilities::full()] {
        let bytes = capabilities.encode(Encoder::new()).finish();
        assert_eq!(Capabilities::decode(&mut Decoder::new(&bytes)), Ok(capabilities));
    }
    for bytes in [Encoder::new().byte(128).text(""), Encoder::new().byte(4).text(""), Encoder::new().byte(1).text("*")]
    {
        assert!(Capabilities::decode(&mut Decoder::new(&bytes.finish())).is_err());
    }
}
