//! Proof of work for claims, where a network asks for it: taking names by the thousand should cost something.
//!
//! As in Hashcash (A. Back, "Hashcash: a denial of service counter-measure", 2002), a number is searched for with which
//! a hash begins with enough zero bits. The hash is the claim's own, over topic, author, name and date, so the work
//! serves for one claim only, and checking it means reading a hash that is known anyway. With 16 bits a claim takes
//! about 65,000 hashes.

use serde::{Deserialize, Serialize};

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::identity::Topic;
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

/// Finds the number for [`Claim::work`]. Takes about 2^bits hashes and is not bounded otherwise.
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
    use crate::keys::SecretKey;
    use crate::name::ClaimedName;
    use crate::time::Timestamp;

    const TOPIC: Topic = Topic::from_bytes([7; 32]);
    const BITS: u32 = 10;

    fn claim(name: &str, work: u64) -> Claim {
        let name = ClaimedName::Username(name.parse().expect("a name"));
        Claim { name, after: None, round: 0, withdrawals: vec![], at: Timestamp::from_millis(5), work }
    }

    #[test]
    fn work_counts_for_its_own_claim_only() {
        let [laptop, phone] = [1, 2].map(|seed| SecretKey::from_seed(&[seed; 32]).public());
        let shows = |topic: &Topic, device: &PublicKey, claim: Claim| {
            claim_shows_work(topic, device, &Body::Claim(Box::new(claim)).encode(), BITS)
        };
        assert!(!shows(&TOPIC, &laptop, claim("alice", 0)), "chance is not on their side");
        let work = solve(&PowJob::of_claim(&TOPIC, &laptop, &claim("alice", 0), BITS));
        assert!(shows(&TOPIC, &laptop, claim("alice", work)));
        assert!(!shows(&TOPIC, &laptop, claim("alicia", work)), "another name");
        assert!(!shows(&TOPIC, &phone, claim("alice", work)), "another device");
        assert!(!shows(&Topic::from_bytes([8; 32]), &laptop, claim("alice", work)), "another network");
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
