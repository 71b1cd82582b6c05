//! Checkpoints: one encoding, one first change, and every bound.

use super::*;

fn data() -> Data {
    let mut data = Data::default();
    data.put(Map::Profile, "bio", Some(Value::Text("writes checksums".into())));
    data.put(Map::Profile, "joined_at", Some(Value::Integer(5)));
    data.put(
        Map::Profile,
        "links",
        Some(Value::List(vec!["https://example.org".into(), "https://example.com".into()])),
    );
    data.put(Map::Modules, "crc-32/tag:hash", Some(Value::True));
    data.put(Map::Ratings, "base64", Some(Value::Bytes(vec![1, 2, 3])));
    data.put(Map::Installs, "base64", Some(Value::Counter(7)));
    data.put(Map::Private, "a1", Some(Value::Bytes(vec![9; 64])));
    data
}

#[test]
fn data_reads_as_it_was_written_and_as_the_document_says() {
    let data = data();
    let bytes = data.encode();
    assert_eq!(Data::decode(&bytes), Ok(data.clone()));
    assert_eq!(Data::of(&data.to_document()), data);
    assert_eq!(Data::of(&Data::default().to_document()), Data::default());
    for length in 0..bytes.len() {
        assert!(Data::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
}

/// Every node makes the first change by itself; a change of how it is made splits every document.
#[test]
fn first_change_is_the_same_everywhere() {
    let head = |data: &Data| data.to_document().get_heads()[0];
    assert_eq!(head(&data()), head(&Data::decode(&data().encode()).expect("data")));
    assert_eq!(head(&Data::default()).to_string(), "c57448248fb8751e02619065ffed97610bc7c334d0b0557d21b39f184bd532b9");
    assert_eq!(head(&data()).to_string(), "271e0e35696914487b65c67d40dc401d0bf9ab1aeb127af61fac26117cde533d");
}

#[test]
fn one_state_has_one_encoding() {
    let encoder = || Encoder::new().integer(2);
    let twice = encoder().byte(1).text("bio").byte(4).byte(1).text("bio").byte(4).finish();
    let backwards = encoder().byte(2).text("bio").byte(4).byte(1).text("bio").byte(4).finish();
    let unknown = Encoder::new().integer(1).byte(9).text("bio").byte(4).finish();
    let long = Encoder::new().integer(1).byte(1).text(&"x".repeat(KEY_MAX_BYTES + 1)).byte(4).finish();
    for bytes in [twice, backwards, unknown, long] {
        assert_eq!(Data::decode(&bytes), Err(DecodeError::OutOfRange));
    }
    assert_eq!(Data::decode(&vec![0; DATA_MAX_BYTES + 1]), Err(DecodeError::OutOfRange));
    let announced = Encoder::new().integer(u64::MAX).finish();
    assert_eq!(
        Data::decode(&announced),
        Err(DecodeError::TooShort),
        "no number is believed before the bytes are there"
    );
}

#[test]
fn checkpoint_reads_as_it_was_written_and_each_bound_is_kept() {
    let device = crate::keys::SecretKey::from_seed(&[1; 32]).public();
    let log = |seed: u8| LogId { opening: Digest::of(&[seed]), device, number: 1 };
    let entry = EntryId::from_digest(Digest::of(b"entry"));
    let mut covered = vec![(log(1), 4, entry), (log(2), 9, entry)];
    covered.sort_unstable_by_key(|(log, ..)| *log);
    let checkpoint = Checkpoint { number: 2, before: Some(entry), covered, data: Artifact::of(&data().encode()) };
    assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint.clone()));
    assert!(checkpoint.covers(&log(1), 4) && !checkpoint.covers(&log(1), 5) && !checkpoint.covers(&log(3), 0));
    let bad = |change: &dyn Fn(&mut Checkpoint)| {
        let mut bad = checkpoint.clone();
        change(&mut bad);
        Checkpoint::decode(&bad.encode())
    };
    assert_eq!(bad(&|checkpoint| checkpoint.number = 0), Err(DecodeError::OutOfRange));
    assert_eq!(bad(&|checkpoint| checkpoint.number = 1), Err(DecodeError::OutOfRange), "the first has none before it");
    assert_eq!(bad(&|checkpoint| checkpoint.before = None), Err(DecodeError::OutOfRange));
    assert_eq!(bad(&|checkpoint| checkpoint.covered.swap(0, 1)), Err(DecodeError::OutOfRange));
    let large = |checkpoint: &mut Checkpoint| checkpoint.data = Artifact::of(&vec![0; DATA_MAX_BYTES + 1]);
    assert_eq!(bad(&large), Err(DecodeError::OutOfRange));
    assert_eq!(Adopt::decode(&Adopt { checkpoint: entry }.encode()), Ok(Adopt { checkpoint: entry }));
    assert!(Adopt::decode(&[0; 33]).is_err());
}
