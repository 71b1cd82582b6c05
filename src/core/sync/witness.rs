//! The policy of a witness (`/gen/witness/1`): may it sign a receipt for this fact, now?
//!
//! A receipt states: "I saw this claim at this time, and before it no other identity's claim of the same folded name".
//! So a witness refuses a second identity for a name it has receipted, unless the earlier holder gave the name up and
//! the cool-down is over. The date inside a claim matters only if it is in the future.
//!
//! # Example
//! | time | asked for | answer |
//! |---|---|---|
//! | 1 March, 10:00:02 | Alice's claim of `rose` | a receipt, 10:00:02 |
//! | 10:00:09 | the same claim again | the same receipt: 10:00:02 |
//! | 3 March | Bob's claim of `r0se`, dated 1 January | [`WitnessRefusal::Taken`], by Alice at 10:00:02 |
//! | 10 June | Alice's relinquishment | a receipt |
//! | 20 June | Carol's claim of `rose` | [`WitnessRefusal::CoolingDown`], free at 10 July |
//! | 12 July | Dan's claim of `rose` | a receipt; Dan is the holder here |
//!
//! Witnesses do not talk to each other. Two of them may see two rival claims in a different order and sign one each. The
//! claim that reaches the threshold is confirmed; if none does, [`ownership`](crate::ownership) orders them as provisional.
//!
//! # Stored before signed
//! [`ReceiptLog::consider`] changes nothing. The host stores the [`Record`] of an approval before it signs and answers,
//! then passes it to [`ReceiptLog::note`]. A witness that answered before it stored could contradict itself after a
//! crash.
//!
//! - the messages: [`wire`]

pub mod wire;

pub use wire::{NotServed, PROTOCOL, Request, WitnessAnswer};

use std::collections::HashMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::fact::{Fact, NameClaim, NameRelinquish, Receipt, Release, SignedFact};
use crate::identity::Identity;
use crate::limits::{CLOCK_SKEW, NAME_COOL_DOWN};
use crate::name::{FoldedName, NameKind};
use crate::ownership::NameKey;
use crate::proof_of_work::shows_work;
use crate::time::Timestamp;

/// One approval as the host stores it, in the order of approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The approved fact, as `Signed::encode` writes it.
    #[serde(with = "serde_bytes")]
    pub fact: Vec<u8>,
    pub witnessed_at: Timestamp,
}

/// A fact that may be receipted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// To be signed by the witness.
    pub receipt: Fact,
    /// To be stored before the receipt is given out; none when it is stored already.
    pub record: Option<Record>,
}

/// Why a fact gets no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessRefusal {
    #[error("only claims and releases of names, and releases of modules, are receipted")]
    NotAboutNames,
    #[error("the fact is dated too far ahead; ask again at {counts_from}")]
    FromTheFuture { counts_from: Timestamp },
    #[error("this witness has seen another identity take the name at {witnessed_at}")]
    Taken { by: Identity, witnessed_at: Timestamp },
    #[error("the name was given up and is free for everyone at {free_at}")]
    CoolingDown { free_at: Timestamp },
    #[error("this witness has not seen the claim that is released")]
    UnknownClaim,
    #[error("the released claim is another identity's")]
    NotYours,
    #[error("this witness has not seen the author take the module's name")]
    NotHolder,
    #[error("the claim does not show the work that this network asks for: {bits} bits")]
    NoWork { bits: u32 },
    #[error("this witness has seen another release of this version")]
    VersionTaken { first: Digest },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    holder: Identity,
    witnessed_at: Timestamp,
    released_at: Option<Timestamp>,
}

/// Everything a witness has receipted.
#[derive(Clone, Debug, Default)]
pub struct ReceiptLog {
    /// Of the network's rules.
    work_bits: u32,
    names: HashMap<NameKey, Entry>,
    claims: HashMap<Digest, (Identity, NameKey)>,
    /// The username each identity took last.
    usernames: HashMap<Identity, NameKey>,
    /// The first release of each version.
    versions: HashMap<(FoldedName, Version), Digest>,
    witnessed: HashMap<Digest, Timestamp>,
}

fn key(claim: &NameClaim) -> NameKey {
    (claim.name.kind(), claim.name.folded())
}

impl ReceiptLog {
    /// Refuses claims without this many bits of proof of work: by the network's rules they do not count.
    pub fn ask_for_work(&mut self, bits: u32) {
        self.work_bits = bits;
    }

    /// May `fact`, whose signature was verified, be receipted at `now`?
    pub fn consider(&self, fact: &SignedFact, now: Timestamp) -> Result<Approval, WitnessRefusal> {
        if let Some(at) = self.witnessed.get(&fact.hash()) {
            return Ok(Approval { receipt: receipt(fact, *at), record: None });
        }
        match fact.statement() {
            Fact::NameClaim(_) if !shows_work(&fact.hash(), self.work_bits) => {
                return Err(WitnessRefusal::NoWork { bits: self.work_bits });
            }
            Fact::NameClaim(claim) => {
                in_time(claim.claimed_at, now)?;
                self.is_open(fact.author(), &key(claim), now)?;
            }
            Fact::NameRelinquish(release) => {
                in_time(release.at, now)?;
                let (author, _) = self.claims.get(&release.claim).ok_or(WitnessRefusal::UnknownClaim)?;
                if *author != fact.author() {
                    return Err(WitnessRefusal::NotYours);
                }
            }
            Fact::Release(release) => {
                in_time(release.published_at, now)?;
                self.may_publish(fact.author(), release)?;
            }
            Fact::Receipt(_) | Fact::Yank(_) | Fact::Unyank(_) => return Err(WitnessRefusal::NotAboutNames),
        }
        let record = Record { fact: fact.encode(), witnessed_at: now };
        Ok(Approval { receipt: receipt(fact, now), record: Some(record) })
    }

    fn may_publish(&self, author: Identity, release: &Release) -> Result<(), WitnessRefusal> {
        let name = release.module.folded();
        let holder = self.names.get(&(NameKind::Module, name.clone())).filter(|entry| entry.released_at.is_none());
        if holder.is_none_or(|entry| entry.holder != author) {
            return Err(WitnessRefusal::NotHolder);
        }
        match self.versions.get(&(name, release.version.clone())) {
            Some(first) => Err(WitnessRefusal::VersionTaken { first: *first }),
            None => Ok(()),
        }
    }

    fn is_open(&self, author: Identity, key: &NameKey, now: Timestamp) -> Result<(), WitnessRefusal> {
        match self.names.get(key) {
            None => Ok(()),
            Some(entry) if entry.holder == author => Ok(()),
            Some(Entry { holder, witnessed_at, released_at: None }) => {
                Err(WitnessRefusal::Taken { by: *holder, witnessed_at: *witnessed_at })
            }
            Some(Entry { released_at: Some(released_at), .. }) => {
                let free_at = released_at.plus(NAME_COOL_DOWN);
                if now < free_at { Err(WitnessRefusal::CoolingDown { free_at }) } else { Ok(()) }
            }
        }
    }

    /// Takes in an approval that is stored now, or was at the last start.
    pub fn note(&mut self, fact: &SignedFact, witnessed_at: Timestamp) {
        self.witnessed.insert(fact.hash(), witnessed_at);
        match fact.statement() {
            Fact::NameClaim(claim) => self.note_claim(fact, claim, witnessed_at),
            Fact::NameRelinquish(release) => self.note_release(release, witnessed_at),
            Fact::Release(release) => {
                self.versions.entry((release.module.folded(), release.version.clone())).or_insert(fact.hash());
            }
            Fact::Receipt(_) | Fact::Yank(_) | Fact::Unyank(_) => {}
        }
    }

    fn note_claim(&mut self, fact: &SignedFact, claim: &NameClaim, witnessed_at: Timestamp) {
        let (author, key) = (fact.author(), key(claim));
        self.claims.insert(fact.hash(), (author, key.clone()));
        if key.0 == NameKind::Username {
            let last = self.usernames.insert(author, key.clone());
            // One live username for each identity: a newer claim releases the older one.
            if let Some(last) = last.filter(|last| *last != key) {
                self.release(&last, &author, witnessed_at);
            }
        }
        match self.names.get_mut(&key) {
            Some(entry) if entry.holder == author => entry.released_at = None,
            _ => drop(self.names.insert(key, Entry { holder: author, witnessed_at, released_at: None })),
        }
    }

    fn note_release(&mut self, release: &NameRelinquish, witnessed_at: Timestamp) {
        if let Some((author, key)) = self.claims.get(&release.claim).cloned() {
            self.release(&key, &author, witnessed_at.max(release.at));
        }
    }

    fn release(&mut self, key: &NameKey, author: &Identity, at: Timestamp) {
        if let Some(entry) = self.names.get_mut(key).filter(|entry| entry.holder == *author) {
            entry.released_at.get_or_insert(at);
        }
    }
}

fn in_time(dated: Timestamp, now: Timestamp) -> Result<(), WitnessRefusal> {
    if dated > now.plus(CLOCK_SKEW) {
        let skew = u64::try_from(CLOCK_SKEW.as_millis()).unwrap_or(u64::MAX);
        return Err(WitnessRefusal::FromTheFuture { counts_from: Timestamp::from_millis(dated.as_millis() - skew) });
    }
    Ok(())
}

fn receipt(fact: &SignedFact, witnessed_at: Timestamp) -> Fact {
    Fact::Receipt(Receipt { fact: fact.hash(), witnessed_at })
}

#[cfg(test)]
mod tests;
