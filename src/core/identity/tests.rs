//! Keys against published vectors; signatures against everything that must not pass for one.

use super::*;

fn alice() -> SigningIdentity {
    SigningIdentity::from_entropy(&[1; 32])
}

const TOPIC: Topic = Topic([9; 32]);

#[derive(Clone, Debug, PartialEq)]
struct Note(String);

impl Statement for Note {
    fn domain(&self) -> &'static str {
        "gen-registry/note/v1"
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

impl Statement for Order {
    fn domain(&self) -> &'static str {
        "gen-registry/order/v1"
    }
    fn encode(&self) -> Vec<u8> {
        Encoder::new().text(&self.0).finish()
    }
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Note::decode(bytes).map(|note| Self(note.0))
    }
}

#[test]
fn did_key_as_published() {
    // did:key method, test vector for Ed25519 (the seed is 32 zero bytes)
    let identity = SigningIdentity::from_entropy(&[0; 32]).identity();
    assert_eq!(identity.to_string(), "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp");
    assert_eq!(identity.to_string().parse(), Ok(identity));
}

#[test]
fn what_is_no_did_says_why() {
    for (text, error) in [
        ("did:web:example.org", IdentityError::NotDidKey),
        ("did:key:zzzz!", IdentityError::NotDidKey),
        ("did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc", IdentityError::NotEd25519),
    ] {
        assert_eq!(text.parse::<Identity>(), Err(error), "{text}");
    }
}

/// The points of order 1, 2, 4 and 8 (Curve25519 cofactor subgroup), in the encodings `from_bytes` accepts.
const WEAK_KEYS: [&str; 5] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

#[test]
fn rejects_weak_keys() {
    for hex in WEAK_KEYS {
        assert_eq!(Identity::from_bytes(&bytes_from_hex(hex).unwrap()), Err(IdentityError::Weak), "{hex}");
    }
}

#[test]
fn words_and_key_are_the_same_thing() {
    let phrase = alice().recovery_phrase();
    assert_eq!(phrase.split(' ').count(), RECOVERY_WORDS);
    let again = SigningIdentity::from_recovery_phrase(&format!("  {}\n", phrase.to_uppercase())).unwrap();
    assert_eq!(again.identity(), alice().identity());
    // BIP 39 vector: 256 bits of zeroes
    assert!(SigningIdentity::from_entropy(&[0; 32]).recovery_phrase().ends_with("abandon abandon art"));
}

#[test]
fn wrong_words_say_which() {
    let phrase = alice().recovery_phrase();
    let words: Vec<&str> = phrase.split(' ').collect();
    let error = |words: &[&str]| SigningIdentity::from_recovery_phrase(&words.join(" ")).err();
    assert_eq!(error(&words[..23]), Some(PhraseError::WordCount(23)));
    let mut unknown = words.clone();
    unknown[4] = "gallifrey";
    assert_eq!(error(&unknown), Some(PhraseError::UnknownWord(5)));
    let mut swapped = words.clone();
    let other = (1..24).find(|at| words[*at] != words[0]).unwrap();
    swapped.swap(0, other);
    assert_eq!(error(&swapped), Some(PhraseError::Checksum));
}

#[test]
fn safety_words_differ_between_people() {
    assert_eq!(alice().identity().safety_words().len(), SAFETY_WORDS);
    let bob = SigningIdentity::from_entropy(&[2; 32]).identity();
    assert_ne!(alice().identity().safety_words(), bob.safety_words());
}

#[test]
fn a_signature_serves_once() {
    let signed = Signed::sign(&alice(), &TOPIC, Note("hello".into()));
    let bytes = signed.encode();
    assert_eq!(Signed::<Note>::verify(&bytes, &TOPIC).unwrap(), signed);
    // as another type, for another network
    assert_eq!(Signed::<Order>::verify(&bytes, &TOPIC).unwrap_err(), SignatureError::Forged);
    assert_eq!(Signed::<Note>::verify(&bytes, &Topic([8; 32])).unwrap_err(), SignatureError::Forged);
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = Signed::sign(&alice(), &TOPIC, Note("hello".into())).encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Signed::<Note>::verify(&flipped, &TOPIC).is_err(), "bit {bit}");
    }
}

#[test]
fn others_statements_inside_a_change_are_verified() {
    let bob = SigningIdentity::from_entropy(&[2; 32]);
    let mut forged = Signed::sign(&bob, &TOPIC, Note("hello".into())).encode();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let within = |owner: &SigningIdentity, bytes: &[u8]| {
        Signed::<Note>::verify_within_change_of(&owner.identity(), bytes, &TOPIC).is_ok()
    };
    assert!(!within(&alice(), &forged));
    assert!(within(&alice(), &Signed::sign(&bob, &TOPIC, Note("hello".into())).encode()));
}

/// As the words are shown, copied, written down and pasted again.
#[test]
fn recovery_words_are_read_as_people_write_them_down() {
    let key = SigningIdentity::from_entropy(&[9; 32]);
    let phrase = key.recovery_phrase();
    let words: Vec<&str> = phrase.split(' ').collect();
    let numbered = |write: &dyn Fn(usize, &str) -> String, between: &str| {
        words.iter().enumerate().map(|(n, word)| write(n + 1, word)).collect::<Vec<_>>().join(between)
    };
    for (what, text) in [
        ("lines", words.join("\r\n")),
        ("numbers", numbered(&|n, word| format!("{n}. {word}"), "\n")),
        ("numbers on one line", numbered(&|n, word| format!("{n} {word}"), "  ")),
        ("numbers without a space", numbered(&|n, word| format!("{n}.{word}"), " ")),
        ("numbers glued to the words", numbered(&|n, word| format!("{n}{word}"), " ")),
        ("numbers in brackets", numbered(&|n, word| format!("({n}) {word};"), "\t")),
        ("a colon", numbered(&|n, word| format!("{n}: {word}"), "\n")),
        ("commas", words.join(", ")),
        ("capitals", phrase.to_uppercase()),
        ("quotation marks", format!("“{}”", phrase.as_str())),
        ("a blank of no width", format!("\u{feff}{}\u{200b}", phrase.as_str())),
        (
            "soft hyphens",
            words.iter().map(|word| format!("{}\u{ad}{}", &word[..2], &word[2..])).collect::<Vec<_>>().join(" "),
        ),
    ] {
        let read = SigningIdentity::from_recovery_phrase(&text).map(|read| read.identity());
        assert_eq!(read, Ok(key.identity()), "{what}: {text}");
    }
    let ordinals = |n: usize, word: &str| {
        let end = match n % 10 {
            1 if n != 11 => "st",
            2 if n != 12 => "nd",
            3 if n != 13 => "rd",
            _ => "th",
        };
        format!("{n}{end} {word}")
    };
    let read = SigningIdentity::from_recovery_phrase(&numbered(&ordinals, "\n")).map(|read| read.identity());
    assert_eq!(read, Ok(key.identity()), "ordinals");
    assert_eq!(SigningIdentity::from_recovery_phrase("1, 2, 3").map(drop), Err(PhraseError::WordCount(0)));
}
