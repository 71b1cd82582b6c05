//! A cache of verified signatures, so that the same bytes are not verified twice: several peers send one change, and a
//! page of changes that is requested again brings them again.
//!
//! An entry is a hash over network, owner, bytes and signature, so another signature over known bytes is verified like
//! any other. Only valid signatures are stored, in two generations: when the younger one is full, the older one is
//! dropped. Form is checked each time.

use std::cell::RefCell;
use std::collections::HashSet;

use gen_registry_core::canonical::Encoder;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{ChangeError, SignedChange, VerifiedChange};
use gen_registry_core::identity::Topic;
use gen_registry_core::limits::CHANGE_MAX_BYTES;

/// Entries of one generation: 32 bytes each, at most twice as many in all.
pub const GENERATION_MAX: usize = 4_096;

/// The cache.
#[derive(Debug, Default)]
pub struct Verified(RefCell<Generations>);

/// The two generations.
#[derive(Debug, Default)]
struct Generations {
    /// Entries since the last change of generations.
    young: HashSet<Digest>,
    /// The entries before them, until the next change.
    old: HashSet<Digest>,
}

impl Verified {
    /// Verifies a change as [`SignedChange::verify`] does, or decodes it only if its signature is in the cache.
    pub fn verify(&self, change: SignedChange, topic: &Topic) -> Result<VerifiedChange, ChangeError> {
        if change.bytes.len() > CHANGE_MAX_BYTES {
            return change.verify(topic);
        }
        let encoder = Encoder::new().fixed(topic.as_bytes()).fixed(change.owner.as_bytes());
        let digest = Digest::of(&encoder.bytes(&change.bytes).bytes(&change.signature).finish());
        if self.0.borrow().has(&digest) {
            return change.decode_unverified();
        }
        let verified = change.verify(topic)?;
        self.0.borrow_mut().add(digest);
        Ok(verified)
    }
}

impl Generations {
    /// Whether the entry is in either generation.
    fn has(&self, digest: &Digest) -> bool {
        self.young.contains(digest) || self.old.contains(digest)
    }

    /// Adds an entry; drops the older generation if the younger one is full.
    fn add(&mut self, digest: Digest) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::document::{Document, Edit};
    use gen_registry_core::identity::SigningIdentity;
    use gen_registry_core::time::Timestamp;

    const TOPIC: Topic = Topic::from_bytes([1; 32]);

    fn change() -> SignedChange {
        let author = SigningIdentity::from_entropy(&[1; 32]);
        let edits = [Edit::Bio(Some("bio".into()))];
        let mut document = Document::new(author.identity());
        document.edit(&author, &TOPIC, &[1; 16], Timestamp::default(), &edits).expect("an edit").signed().clone()
    }

    #[test]
    fn known_bytes_with_another_owner_signature_or_network_are_forged() {
        let (verified, change) = (Verified::default(), change());
        let first = verified.verify(change.clone(), &TOPIC);
        assert!(first.is_ok());
        assert_eq!(verified.verify(change.clone(), &TOPIC), first, "remembered");
        let mut altered = change.clone();
        altered.signature[0] ^= 1;
        assert_eq!(verified.verify(altered, &TOPIC), Err(ChangeError::Forged));
        let mut shorter = change.clone();
        shorter.signature.pop();
        assert_eq!(verified.verify(shorter, &TOPIC), Err(ChangeError::Forged));
        let other = SigningIdentity::from_entropy(&[2; 32]).identity();
        assert_eq!(verified.verify(SignedChange { owner: other, ..change.clone() }, &TOPIC), Err(ChangeError::Forged));
        assert_eq!(verified.verify(change, &Topic::from_bytes([2; 32])), Err(ChangeError::Forged));
    }

    #[test]
    fn refused_signatures_are_not_remembered() {
        let verified = Verified::default();
        let mut forged = change();
        forged.signature[0] ^= 1;
        for _ in 0..2 {
            assert_eq!(verified.verify(forged.clone(), &TOPIC), Err(ChangeError::Forged));
        }
        assert!(verified.0.borrow().young.is_empty());
    }

    #[test]
    fn two_generations_of_signatures_are_remembered() {
        let mut generations = Generations::default();
        let digest = |number: usize| Digest::of(&number.to_be_bytes());
        (0..2 * GENERATION_MAX).for_each(|number| generations.add(digest(number)));
        assert!(generations.has(&digest(0)), "as many as the bound");
        generations.add(digest(2 * GENERATION_MAX));
        assert!(!generations.has(&digest(0)), "the oldest go");
        assert!(generations.has(&digest(GENERATION_MAX)));
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION_MAX);
    }
}
