//! Keys: from words to an identity, and what a signature counts for.

use ed25519_dalek::VerifyingKey;

use super::*;

const TOPIC: Topic = Topic::from_bytes([9; 32]);
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

#[test]
fn words_and_network_give_one_identity() {
    let master = Master::from_words(WORDS).expect("24 words");
    assert_eq!(master.words().as_str(), WORDS);
    let did = master.inception().did(&TOPIC);
    assert_eq!(did, Master::from_entropy([0; 32]).inception().did(&TOPIC));
    assert_ne!(did, master.inception().did(&Topic::from_bytes([8; 32])), "another network, another identity");
    assert_ne!(did, Master::from_entropy([1; 32]).inception().did(&TOPIC));
    assert_eq!(did.to_string().parse(), Ok(did));
    assert!(did.to_string().starts_with("did:gen:z"), "{did}");
}

/// A change of the derivation changes every identity.
#[test]
fn derivation_stays_as_it_is() {
    let master = Master::from_entropy([0; 32]);
    assert_eq!(master.inception().did(&TOPIC).to_string(), "did:gen:z9ZFmzuYFAuw7LavwB6wKApdUnUY8cmyZEXJhJVigj4ZY");
}

#[test]
fn inception_commits_to_the_second_key() {
    let master = Master::from_entropy([7; 32]);
    let inception = master.inception();
    assert_eq!(inception.key, master.identity_key(0).public());
    assert_eq!(inception.next, master.identity_key(1).public().digest());
    assert_ne!(master.identity_key(1).public(), master.identity_key(2).public());
    let key = master.identity_key(0);
    assert_ne!(key.list_key(0), key.list_key(1));
}

#[test]
fn signature_counts_for_one_key_network_domain_and_text_only() {
    let (alice, bob) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let signature = alice.sign(&TOPIC, "gen-registry/note/v2", b"hello");
    let key = alice.public();
    assert!(key.verify(&TOPIC, "gen-registry/note/v2", b"hello", &signature));
    assert!(!bob.public().verify(&TOPIC, "gen-registry/note/v2", b"hello", &signature));
    assert!(!key.verify(&Topic::from_bytes([8; 32]), "gen-registry/note/v2", b"hello", &signature));
    assert!(!key.verify(&TOPIC, "gen-registry/memo/v2", b"hello", &signature));
    assert!(!key.verify(&TOPIC, "gen-registry/note/v2", b"hallo", &signature));
}

#[test]
fn weak_keys_and_other_bytes_are_no_keys() {
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(KeyError::Weak), "a point of order 4");
    let no_point = (2..=255).map(|byte| [byte; 32]).find(|bytes| VerifyingKey::from_bytes(bytes).is_err());
    assert_eq!(PublicKey::from_bytes(&no_point.expect("half of all texts are none")), Err(KeyError::NotAPoint));
}

#[test]
fn only_the_one_text_of_a_did_is_read() {
    let did = Master::from_entropy([0; 32]).inception().did(&TOPIC);
    let text = did.to_string();
    for bad in [
        text.replace("did:gen:", "did:key:"),
        text.replace("did:gen:z", "did:gen:f"),
        format!("{text}1"),
        text[..text.len() - 2].to_owned(),
        format!("did:gen:z{}", "1".repeat(80)),
        String::new(),
    ] {
        assert_eq!(bad.parse::<Did>(), Err(DidError), "{bad}");
    }
}

#[test]
fn safety_words_differ_between_people() {
    let [alice, bob] = [1, 2].map(|seed| Master::from_entropy([seed; 32]).inception().did(&TOPIC));
    assert_eq!(alice.safety_words().len(), SAFETY_WORDS);
    assert_ne!(alice.safety_words(), bob.safety_words());
}
