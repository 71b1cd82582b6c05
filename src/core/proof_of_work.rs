//! Proof of work for claims, where a network asks for it: taking names by the thousand should cost something.
//!
//! As in Hashcash (A. Back, "Hashcash: a denial of service counter-measure", 2002), a number is searched for with which
//! a hash begins with enough zero bits. The hash is the claim's own, over topic, author, name and date, so the work
//! serves for one claim only, and checking it means reading a hash that is known anyway. With 16 bits a claim takes
//! about 65,000 hashes.

use serde::{Deserialize, Serialize};

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::fact::{Fact, NameClaim};
use crate::identity::{Identity, Statement, Topic, signing_bytes};
use crate::keys::PublicKey;
use crate::log::Body;
use crate::log::body::Claim;

/// The most zero bits that are solved for. More would keep a phone busy for minutes.
pub const WORK_BITS_MAX: u32 = 24;
/// The number is the last field of a claim's bytes.
const NUMBER_BYTES: usize = 8;
const WORK_DOMAIN: &str = "gen-registry/claim-work/v2";

/// A claim to find a number for, as it goes to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PowJob {
    /// The bytes that are hashed; the last [`NUMBER_BYTES`] are replaced.
    message: serde_bytes::ByteBuf,
    bits: u32,
}

impl PowJob {
    /// The job for a claim that `device` will write. `bits` beyond [`WORK_BITS_MAX`] are not worked for.
    pub fn of_claim(topic: &Topic, device: &PublicKey, claim: &Claim, bits: u32) -> Self {
        let claim = Claim { work: 1, ..claim.clone() };
        let message = work_message(topic, device, &Body::Claim(Box::new(claim)).encode()).into();
        Self { message, bits: bits.min(WORK_BITS_MAX) }
    }

    /// The job for a claim of `author`. `bits` beyond [`WORK_BITS_MAX`] are not worked for.
    pub fn new(topic: &Topic, author: &Identity, claim: &NameClaim, bits: u32) -> Self {
        // Any number but 0, which means "no work".
        let claim = Fact::NameClaim(NameClaim { work: 1, ..claim.clone() });
        let message = signing_bytes(topic, claim.domain(), author, &claim.encode()).into();
        Self { message, bits: bits.min(WORK_BITS_MAX) }
    }
}

/// Returns whether the hash of a claim begins with at least this many zero bits.
pub fn shows_work(claim: &Digest, bits: u32) -> bool {
    let mut zeros = 0;
    for byte in claim.as_bytes() {
        zeros += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    zeros >= bits
}

/// Returns whether the body of a claim shows at least this many zero bits, for the device that writes it.
pub fn claim_shows_work(topic: &Topic, device: &PublicKey, body: &[u8], bits: u32) -> bool {
    shows_work(&Digest::of(&work_message(topic, device, body)), bits)
}

/// What is hashed: the claim's body, whose last field is the number, for one network and device.
fn work_message(topic: &Topic, device: &PublicKey, body: &[u8]) -> Vec<u8> {
    // The body is last and without its length: `solve` replaces the last bytes.
    let mut message = Encoder::new().text(WORK_DOMAIN).fixed(topic.as_bytes()).fixed(device.as_bytes()).finish();
    message.extend_from_slice(body);
    message
}

/// Finds the number for [`NameClaim::work`]. Takes about 2^bits hashes and is not bounded otherwise.
pub fn solve(job: &PowJob) -> u64 {
    let mut message = job.message.to_vec();
    let place = message.len().saturating_sub(NUMBER_BYTES);
    (1..=u64::MAX)
        .find(|number| {
            message[place..].copy_from_slice(&number.to_be_bytes());
            shows_work(&Digest::of(&message), job.bits)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::ClaimedName;
    use crate::identity::{Signed, SigningIdentity};
    use crate::time::Timestamp;

    const TOPIC: Topic = Topic::from_bytes([7; 32]);
    const BITS: u32 = 10;

    fn claim(name: &str, work: u64) -> NameClaim {
        let name = ClaimedName::Username(name.parse().expect("a name"));
        NameClaim { name, claimed_at: Timestamp::from_millis(5), work }
    }

    #[test]
    fn work_counts_for_its_own_claim_only() {
        let author = SigningIdentity::from_entropy(&[1; 32]);
        let sign = |who: &SigningIdentity, claim| Signed::sign(who, &TOPIC, Fact::NameClaim(claim)).hash();
        assert!(!shows_work(&sign(&author, claim("alice", 0)), BITS), "chance is not on their side");
        let work = solve(&PowJob::new(&TOPIC, &author.identity(), &claim("alice", 0), BITS));
        assert!(shows_work(&sign(&author, claim("alice", work)), BITS));
        assert!(!shows_work(&sign(&author, claim("alicia", work)), BITS), "another name");
        let other = SigningIdentity::from_entropy(&[2; 32]);
        assert!(!shows_work(&sign(&other, claim("alice", work)), BITS), "another person");
        let elsewhere = Signed::sign(&author, &Topic::from_bytes([8; 32]), Fact::NameClaim(claim("alice", work)));
        assert!(!shows_work(&elsewhere.hash(), BITS), "another network");
    }

    #[test]
    fn counts_zero_bits_across_bytes() {
        let mut bytes = [0xff; 32];
        assert!(shows_work(&Digest::from_bytes(bytes), 0) && !shows_work(&Digest::from_bytes(bytes), 1));
        (bytes[0], bytes[1]) = (0, 0b0001_0000);
        assert!(shows_work(&Digest::from_bytes(bytes), 11) && !shows_work(&Digest::from_bytes(bytes), 12));
        assert!(shows_work(&Digest::from_bytes([0; 32]), 256));
    }
}
