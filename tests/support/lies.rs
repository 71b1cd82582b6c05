//! What liars say, message by message: for the simulated ones and for the real one. Nothing here sends anything.

use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::Did;
use gen_registry_core::log::body::Claim;
use gen_registry_core::log::{Body, Entry, EntryId, HEADER_BYTES, LogId};
use gen_registry_core::name::ClaimedName;
use gen_registry_core::registry::{Detail, LogState};
use gen_registry_core::sync::exchange::wire::{MESSAGE_MAX_BYTES, Message};
use gen_registry_core::time::Timestamp;

/// The bytes of a signature, at the end of a header.
const SIGNATURE_BYTES: usize = 64;

/// The next entry of somebody's facts log: the claim of a username, of this date.
pub fn claim(author: &mut Device, name: &str, at: Timestamp) -> Entry {
    let name = ClaimedName::Username(name.parse().expect("a valid username"));
    author.write(&Body::Claim(Box::new(Claim { name, after: None, round: 0, withdrawals: vec![], at, work: 0 })))
}

/// One bit of the signature is another; `place` says which byte has it.
pub fn forged(entry: &Entry, place: usize) -> Vec<u8> {
    let mut bytes = entry.encode();
    bytes[HEADER_BYTES - SIGNATURE_BYTES + place % SIGNATURE_BYTES] ^= 1;
    bytes
}

/// The entry as the next one of somebody else's log, with the signature as it was.
pub fn in_the_log_of(entry: &Entry, state: &LogState) -> Vec<u8> {
    let LogState { log: LogId { opening, device, number }, length, head, .. } = state;
    let head = head.as_ref().map_or([0; 32], |head| *head.as_bytes());
    let place = [
        opening.as_bytes().as_slice(),
        device.as_bytes(),
        &u64::from(*number).to_be_bytes(),
        &length.to_be_bytes(),
        &head,
    ]
    .concat();
    let mut bytes = entry.encode();
    bytes[..place.len()].copy_from_slice(&place);
    bytes
}

/// More than a message may have, whatever it were.
pub fn oversized() -> Vec<u8> {
    vec![7; MESSAGE_MAX_BYTES + 1]
}

/// "I have something of this identity": the log of an opening that there is not.
pub fn boast(did: Did) -> Message {
    let detail = Detail { did, openings: vec![*did.digest()], logs: vec![], beside: vec![] };
    Message::Details { details: vec![detail], is_last: false }
}

/// As many entries as one message can name, of which there is none.
pub fn long_boast(did: Did) -> Message {
    let entry =
        |number: u64| EntryId::from_digest(Digest::of(&[did.as_bytes().as_slice(), &number.to_be_bytes()].concat()));
    let beside = |first: u64| (first..first + 2_000).map(|number| (entry(number), Digest::of(b"a lie"))).collect();
    let detail = |first| Detail { did, openings: vec![], logs: vec![], beside: beside(first) };
    Message::Details { details: vec![detail(0), detail(2_000)], is_last: false }
}

/// "These changed": states that nobody has, others for each number.
pub fn unheard_of(did: Did, number: u64, count: u64) -> Message {
    let state = |nth: u64| Digest::of(&[number.to_be_bytes(), nth.to_be_bytes()].concat());
    Message::News((0..count).map(|nth| (did, state(nth))).collect())
}
