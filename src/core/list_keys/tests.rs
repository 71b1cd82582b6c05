//! A list key on its way to a device, and what must not open it.

use super::*;
use crate::digest::Digest;

const LIST_KEY: [u8; 32] = [3; 32];

fn phone() -> SecretKey {
    SecretKey::from_seed(&[11; 32])
}

fn to_phone() -> Recipient {
    let did = Did::from_digest(Digest::of(b"alice"));
    Recipient { topic: Topic::from_bytes([1; 32]), did, device: phone().public() }
}

fn sealed(random: u8) -> SealedListKey {
    let random = Zeroizing::new([random; 32]);
    to_phone().seal(&phone().sealing_key(), 4, &LIST_KEY, random).expect("an honest key")
}

#[test]
fn a_list_key_opens_on_the_device_that_it_is_sealed_to() {
    assert_eq!(to_phone().open(&phone(), &sealed(1)).map(|key| *key), Ok(LIST_KEY));
    assert_ne!(sealed(1), sealed(2), "drawn for each seal");
    let thief = SecretKey::from_seed(&[12; 32]);
    assert_eq!(to_phone().open(&thief, &sealed(1)), Err(NotForThisDevice));
}

#[test]
fn a_list_key_serves_no_other_purpose() {
    let key = sealed(1);
    let elsewhere = Recipient { topic: Topic::from_bytes([2; 32]), ..to_phone() };
    let somebody = Recipient { did: Did::from_digest(Digest::of(b"bob")), ..to_phone() };
    let other_device = Recipient { device: SecretKey::from_seed(&[12; 32]).public(), ..to_phone() };
    for other in [elsewhere, somebody, other_device] {
        assert_eq!(other.open(&phone(), &key), Err(NotForThisDevice));
    }
    assert_eq!(to_phone().open(&phone(), &SealedListKey { number: 5, ..key }), Err(NotForThisDevice));
    for at in 0..SEALED_KEY_BYTES {
        let mut changed = key;
        changed.sealed[at] ^= 1;
        // X25519 leaves the highest bit out of account (RFC 7748, section 5); HPKE binds the key as it was sent.
        assert_eq!(to_phone().open(&phone(), &changed), Err(NotForThisDevice), "byte {at}");
    }
}

#[test]
fn nothing_is_sealed_to_a_weak_key() {
    assert_eq!(to_phone().seal(&[0; 32], 0, &LIST_KEY, Zeroizing::new([1; 32])), None);
}

#[test]
fn keys_are_handed_out_once_for_each_device() {
    let (phone, tablet) = (phone().public(), SecretKey::from_seed(&[12; 32]).public());
    let keys = ListKeys::new(4, [(tablet, sealed(1)), (phone, sealed(2)), (tablet, sealed(3))]);
    assert_eq!(keys.key_for(&phone), Some(sealed(2)));
    assert_eq!(keys.key_for(&SecretKey::from_seed(&[13; 32]).public()), None);
    let bytes = keys.encode(Encoder::new()).finish();
    assert_eq!(ListKeys::decode(&mut Decoder::new(&bytes)), Ok(keys.clone()));
    let swapped = ListKeys { keys: keys.keys.iter().rev().copied().collect(), ..keys };
    let bytes = swapped.encode(Encoder::new()).finish();
    assert_eq!(ListKeys::decode(&mut Decoder::new(&bytes)), Err(DecodeError::OutOfRange));
}
