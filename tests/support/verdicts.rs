//! Verdicts on many good and bad signatures, as one hash. Native and browser tests compare it with one constant: two
//! verifiers that disagree would let registries drift apart.

use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{PublicKey, SecretKey, Signature};
use gen_registry_core::name::Username;

/// What every build of this program must come to.
pub const EXPECTED: &str = "0e7d11b7a27255bda809a31cff732be6670479a905bf1839296f12af0afe90bf";

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const DOMAIN: &str = "gen-registry/verdict/v2";
const CASES: u16 = 600;

/// One byte for each case, hashed.
pub fn verdicts() -> String {
    let bytes: Vec<u8> = (0..CASES).map(verdict).chain(NAMES.iter().map(|name| name_verdict(name))).collect();
    assert!(bytes.contains(&0) && bytes.contains(&1), "good and bad ones are among the cases");
    Digest::of(&bytes).to_string()
}

/// A signature with, in two of three cases, one bit flipped in the key, in R or in S, or with S made non-canonical.
fn verdict(case: u16) -> u8 {
    let seed = Digest::of(&case.to_be_bytes());
    let signer = SecretKey::from_seed(seed.as_bytes());
    let mut key = *signer.public().as_bytes();
    let mut signature = *signer.sign(&TOPIC, DOMAIN, b"message").as_bytes();
    let bit = usize::from(seed.as_bytes()[0]);
    match case % 6 {
        1 => key[bit / 8] ^= 1 << (bit % 8),
        2 => signature[bit / 8] ^= 1 << (bit % 8),
        3 => signature[32 + bit / 8] ^= 1 << (bit % 8),
        4 => signature[63] |= 0x10,
        5 => signature[..32].copy_from_slice(&[0; 32]),
        _ => {}
    }
    let signature = Signature::from_bytes(signature);
    u8::from(PublicKey::from_bytes(&key).is_ok_and(|key| key.verify(&TOPIC, DOMAIN, b"message", &signature)))
}

/// Names whose verdict hangs on the Unicode tables.
const NAMES: [&str; 14] = [
    "alice",
    "bjørn",
    "мария",
    "p\u{430}ypal",
    "さくら",
    "カタカナ",
    "李小龙",
    "नमस्ते",
    "αλέξης",
    "ﬁnger",
    "a\u{200d}bc",
    "ٱلسلام",
    "שלום",
    "straße",
];

fn name_verdict(name: &str) -> u8 {
    match name.parse::<Username>() {
        Ok(name) => Digest::of(name.folded().as_str().as_bytes()).as_bytes()[0],
        Err(error) => error.rule().len() as u8,
    }
}
