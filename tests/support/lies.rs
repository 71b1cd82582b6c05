//! What liars say, message by message: for the simulated ones and for the real one. Nothing here sends anything.

use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Document, Edit, SignedChange};
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim};
use gen_registry_core::identity::{Identity, Signed, SigningIdentity, Topic};
use gen_registry_core::sync::version_vector::DocumentVector;
use gen_registry_core::sync::wire::{MESSAGE_MAX_BYTES, Message};
use gen_registry_core::time::Timestamp;

/// The writing session of every lie: two changes of one author are for one place.
const SESSION: [u8; 16] = [9; 16];

/// The first change of somebody's document: a claim.
pub fn first_claim(author: &SigningIdentity, topic: &Topic, name: &str, claimed_at: Timestamp) -> SignedChange {
    let name = ClaimedName::Username(name.parse().expect("a valid username"));
    let fact = Signed::sign(author, topic, Fact::NameClaim(NameClaim { work: 0, name, claimed_at }));
    let mut document = Document::new(author.identity());
    let edited = document.edit(author, topic, &SESSION, claimed_at, &[Edit::AddFact(fact)]);
    edited.expect("a claim").signed().clone()
}

/// One bit of the signature is another; `place` says which byte has it.
pub fn forged(mut change: SignedChange, place: usize) -> SignedChange {
    let length = change.signature.len();
    change.signature[place % length] ^= 1;
    change
}

/// More than a message may have, whatever it were.
pub fn oversized() -> Vec<u8> {
    vec![7; MESSAGE_MAX_BYTES + 1]
}

/// "I have something of this document." There is nothing.
pub fn boast(owner: Identity) -> Message {
    Message::Have(vec![DocumentVector { forked: true, ..DocumentVector::nothing(owner) }])
}

/// Another one for each number: a state that nobody has.
pub fn unheard_of(owner: Identity, number: u64) -> Message {
    Message::AnnounceHeads { owner, heads: vec![Digest::of(&number.to_be_bytes())] }
}
