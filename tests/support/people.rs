//! The people of the tests: keys from names, facts in one line. They exist nowhere else.

use gen_registry_core::digest::Digest;
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim, NameRelinquish, Receipt, SignedFact};
use gen_registry_core::identity::{Signed, SigningIdentity, Topic};
use gen_registry_core::name::ModuleName;
use gen_registry_core::time::Timestamp;

pub const TOPIC: Topic = Topic::from_bytes([7; 32]);

/// The same name is always the same key.
pub fn person(name: &str) -> SigningIdentity {
    SigningIdentity::from_entropy(Digest::of(name.as_bytes()).as_bytes())
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn sign(author: &SigningIdentity, fact: Fact) -> SignedFact {
    Signed::sign(author, &TOPIC, fact)
}

pub fn claim(author: &SigningIdentity, name: &str, claimed_at: Timestamp) -> SignedFact {
    let name = ClaimedName::Username(name.parse().expect("a valid username"));
    sign(author, Fact::NameClaim(NameClaim { work: 0, name, claimed_at }))
}

pub fn module_claim(author: &SigningIdentity, name: &ModuleName, claimed_at: Timestamp) -> SignedFact {
    sign(author, Fact::NameClaim(NameClaim { work: 0, name: ClaimedName::Module(name.clone()), claimed_at }))
}

pub fn release(author: &SigningIdentity, claim: &SignedFact, at: Timestamp) -> SignedFact {
    sign(author, Fact::NameRelinquish(NameRelinquish { claim: claim.hash(), at }))
}

pub fn receipt(witness: &SigningIdentity, fact: &SignedFact, witnessed_at: Timestamp) -> SignedFact {
    sign(witness, Fact::Receipt(Receipt { fact: fact.hash(), witnessed_at }))
}
