//! Networks: who is trusted to witness, by which rules, and how that changes without anybody being able to reassign a
//! name.
//!
//! A [`Genesis`] founds a network and its digest names it: the [`Topic`] under which everything is signed. A page pins the
//! genesis at its first visit, so a server that serves another one is another network and changes nothing in this one.
//!
//! The [`WitnessSet`] of a genesis can be succeeded by another ([`SetChange`]), signed with *succession keys* to whose
//! digests the set before committed. They are kept away from the witnesses, sign nothing else and are used once. What was
//! confirmed until then is listed under one Merkle root ([`Closing`]), and from then on counts with its path under that
//! root; so a witness key that was retired, and stolen afterwards, can confirm nothing any more.
//!
//! # What a set bears
//! With `k` of `n` receipts a fact is confirmed, and `k` is more than half of `n`, so two sets of `k` witnesses share at
//! least `2k - n`. A witness signs one fact for a slot ([`slot`](crate::slot)); only a liar signs two.
//!
//! | `k` of `n` | witnesses that may be lost, `n - k` | that may lie, `2k - n - 1` |
//! |---|---|---|
//! | 1 of 1 | 0 | 0 |
//! | 2 of 3 | 1 | 0 |
//! | 3 of 4 | 1 | 1 |
//! | 4 of 5 | 1 | 2 |
//!
//! With 2 of 3, Alice's claim of `rose` has the receipts of witnesses 1 and 2. For Bob's claim of `rose` to be confirmed
//! as well, witness 1 or 2 would have to sign a second claim of that name.

pub mod closing;
pub mod history;
pub mod set_change;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::PublicKey;
use crate::name::is_invisible;
use crate::proof_of_work::WORK_BITS_MAX;
use crate::time::Timestamp;

pub use closing::{Closing, ClosingPath, FactList};
pub use history::{FollowError, NetworkHistory};
pub use set_change::{SetChange, SetChangeError, SignedSetChange};

/// The most witnesses of one set.
pub const WITNESSES_MAX: usize = 15;
/// Characters of a network's name.
pub const NETWORK_NAME_MAX_CHARS: usize = 64;
/// The longest hold and cool-down.
pub const SPAN_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The widest clock skew that a network may allow.
pub const SKEW_MAX: Duration = Duration::from_secs(60 * 60);
/// The most names of one kind that a network may let one identity hold.
pub const HELD_MAX: u32 = 4_096;
/// With a shorter hold a thief is quicker than any owner: such a network is for tests.
pub const HOLD_FOR_PEOPLE: Duration = Duration::from_secs(24 * 60 * 60);

const GENESIS_FORMAT: u8 = 2;
const GENESIS_DOMAIN: &str = "gen-registry/genesis/v2";

/// The founding statement of a network. Only [`Genesis::check`]ed ones are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// For people; names nothing by itself.
    pub name: String,
    pub created_at: Timestamp,
    pub set: WitnessSet,
    pub parameters: Parameters,
    /// Makes two networks that are alike in everything else differ.
    pub nonce: [u8; 16],
}

/// The witnesses of a network, how many receipts confirm a fact, and who may name the next set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessSet {
    /// In ascending order, each once; empty in a network without witnesses.
    pub witnesses: Vec<PublicKey>,
    /// More than half of the witnesses; 0 without witnesses.
    pub threshold: u8,
    /// The digests of the succession keys, in ascending order, as many as there are witnesses.
    pub succession: Vec<Digest>,
}

/// The numbers by which a network judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The version of limits, folding tables and rules ([`PARAMETERS_VERSION`](crate::limits::PARAMETERS_VERSION)).
    pub version: u32,
    /// How long a give-up waits before it may be finished.
    pub hold: Duration,
    /// How long a name that was given up stays closed to everybody but its last holder and its receiver.
    pub cool_down: Duration,
    /// The most usernames that an identity holds at a time.
    pub usernames: u32,
    /// The most module names that an identity holds at a time.
    pub modules: u32,
    /// Zero bits that a claim's work must show; 0: none is asked for.
    pub work_bits: u32,
    /// How far two honest clocks may differ.
    pub skew: Duration,
}

/// The rule that a genesis or a witness set breaks; the message is for the person who founds the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error("these bytes are no genesis")]
    Unreadable(#[from] DecodeError),
    #[error("this network is of format {0}; this program knows format {GENESIS_FORMAT}")]
    Format(u8),
    #[error("a network has a name of 1 to {NETWORK_NAME_MAX_CHARS} characters that can be seen")]
    Name,
    #[error("a network has at most {WITNESSES_MAX} witnesses; this has {0}")]
    TooManyWitnesses(usize),
    #[error("witnesses and succession keys are listed in ascending order, each once")]
    Order,
    #[error("a threshold of {threshold} is not more than half of {witnesses} witnesses, or more than all")]
    Threshold { threshold: u8, witnesses: usize },
    #[error("there is one succession key for each witness: {witnesses} witnesses, {keys} keys")]
    Succession { witnesses: usize, keys: usize },
    #[error("a witness's key can't be a succession key as well: who steals the server would have both")]
    SameKey,
    #[error("{0} is out of its range")]
    Parameter(&'static str),
}

impl Parameters {
    /// What a network for people has.
    pub const fn for_people(version: u32) -> Self {
        Self {
            version,
            hold: Duration::from_secs(72 * 60 * 60),
            cool_down: Duration::from_secs(30 * 24 * 60 * 60),
            usernames: 5,
            modules: 256,
            work_bits: 18,
            skew: Duration::from_secs(5 * 60),
        }
    }

    /// What a network for tests has: the same, with short waits.
    pub const fn for_tests(version: u32) -> Self {
        Self {
            hold: Duration::from_secs(20),
            cool_down: Duration::from_secs(60),
            work_bits: 4,
            ..Self::for_people(version)
        }
    }

    /// Returns whether a network with these numbers is no place for names that matter.
    pub fn are_for_tests(&self) -> bool {
        self.hold < HOLD_FOR_PEOPLE
    }

    fn check(&self) -> Result<(), GenesisError> {
        let bad = [
            ("the hold", self.hold > SPAN_MAX),
            ("the cool-down", self.cool_down > SPAN_MAX || self.cool_down < self.hold),
            ("the number of usernames", self.usernames == 0 || self.usernames > HELD_MAX),
            ("the number of modules", self.modules == 0 || self.modules > HELD_MAX),
            ("the work", self.work_bits > WORK_BITS_MAX),
            ("the skew", self.skew.is_zero() || self.skew > SKEW_MAX),
        ];
        bad.into_iter().find(|(_, is_bad)| *is_bad).map_or(Ok(()), |(what, _)| Err(GenesisError::Parameter(what)))
    }

    fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.integer(self.version.into()).integer(millis(self.hold)).integer(millis(self.cool_down));
        let encoder = encoder.integer(self.usernames.into()).integer(self.modules.into());
        encoder.integer(self.work_bits.into()).integer(millis(self.skew))
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: small(decoder)?,
            hold: Duration::from_millis(decoder.integer()?),
            cool_down: Duration::from_millis(decoder.integer()?),
            usernames: small(decoder)?,
            modules: small(decoder)?,
            work_bits: small(decoder)?,
            skew: Duration::from_millis(decoder.integer()?),
        })
    }
}

impl WitnessSet {
    /// A set of these witnesses, put in order.
    pub fn new(
        witnesses: impl IntoIterator<Item = PublicKey>,
        threshold: u8,
        succession: impl IntoIterator<Item = Digest>,
    ) -> Self {
        let witnesses: BTreeSet<PublicKey> = witnesses.into_iter().collect();
        let succession: BTreeSet<Digest> = succession.into_iter().collect();
        Self { witnesses: witnesses.into_iter().collect(), threshold, succession: succession.into_iter().collect() }
    }

    /// Returns whether no witness is asked: the earlier date holds a name there.
    pub fn is_empty(&self) -> bool {
        self.witnesses.is_empty()
    }

    /// Returns whether this key's receipts count.
    pub fn has(&self, witness: &PublicKey) -> bool {
        self.witnesses.binary_search(witness).is_ok()
    }

    /// The number of witnesses that may be lost before nothing new is confirmed.
    pub fn may_lose(&self) -> usize {
        self.witnesses.len() - usize::from(self.threshold)
    }

    /// The number of witnesses that may lie before two facts can be confirmed for one slot.
    pub fn may_lie(&self) -> usize {
        (2 * usize::from(self.threshold)).saturating_sub(self.witnesses.len() + 1)
    }

    /// Checks that the set can decide anything, and that none but its own succession can replace it.
    pub fn check(&self) -> Result<(), GenesisError> {
        let (witnesses, keys) = (self.witnesses.len(), self.succession.len());
        if witnesses > WITNESSES_MAX {
            return Err(GenesisError::TooManyWitnesses(witnesses));
        }
        if !ascend(&self.witnesses) || !ascend(&self.succession) {
            return Err(GenesisError::Order);
        }
        let threshold = usize::from(self.threshold);
        let decides = if witnesses == 0 { threshold == 0 } else { 2 * threshold > witnesses && threshold <= witnesses };
        if !decides {
            return Err(GenesisError::Threshold { threshold: self.threshold, witnesses });
        }
        if keys != witnesses {
            return Err(GenesisError::Succession { witnesses, keys });
        }
        if self.witnesses.iter().any(|witness| self.succession.contains(&witness.digest())) {
            return Err(GenesisError::SameKey);
        }
        Ok(())
    }

    fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.byte(self.witnesses.len() as u8).byte(self.threshold);
        let encoder = self.witnesses.iter().fold(encoder, |encoder, witness| encoder.fixed(witness.as_bytes()));
        self.succession.iter().fold(encoder, |encoder, key| encoder.fixed(key.as_bytes()))
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (count, threshold) = (usize::from(decoder.byte()?), decoder.byte()?);
        if count > WITNESSES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let witnesses = (0..count).map(|_| PublicKey::decode(decoder)).collect::<Result<_, _>>()?;
        let succession = (0..count).map(|_| decoder.array().map(Digest::from_bytes)).collect::<Result<_, _>>()?;
        Ok(Self { witnesses, threshold, succession })
    }
}

impl Genesis {
    /// The built-in network without witnesses: the earlier date holds a name there, and every name says so.
    pub fn without_witnesses(version: u32) -> Self {
        Self {
            name: "gen-registry".to_owned(),
            created_at: Timestamp::default(),
            set: WitnessSet::default(),
            parameters: Parameters { work_bits: 0, ..Parameters::for_people(version) },
            nonce: [0; 16],
        }
    }

    /// The digest that names the network.
    pub fn topic(&self) -> Topic {
        Topic::from_bytes(*Digest::of(&Encoder::new().text(GENESIS_DOMAIN).bytes(&self.encode()).finish()).as_bytes())
    }

    /// Checks every rule of a genesis.
    pub fn check(&self) -> Result<(), GenesisError> {
        let is_seen = |c: char| !is_invisible(c) && (c == ' ' || !c.is_whitespace());
        let length = self.name.chars().count();
        if length == 0
            || length > NETWORK_NAME_MAX_CHARS
            || !self.name.chars().all(is_seen)
            || self.name.trim().is_empty()
        {
            return Err(GenesisError::Name);
        }
        self.set.check()?;
        // Only witnesses ask for work: elsewhere it would be done in vain.
        if self.set.witnesses.is_empty() && self.parameters.work_bits > 0 {
            return Err(GenesisError::Parameter("the work"));
        }
        self.parameters.check()
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().byte(GENESIS_FORMAT).text(&self.name).integer(self.created_at.as_millis());
        let encoder = self.parameters.encode(self.set.encode(encoder));
        let mut bytes = encoder.finish();
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// Reads what [`Genesis::encode`] wrote, and checks it.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        let mut decoder = Decoder::new(bytes);
        let format = decoder.byte()?;
        if format != GENESIS_FORMAT {
            return Err(GenesisError::Format(format));
        }
        let name = decoder.text()?.to_owned();
        let created_at = decoder.timestamp()?;
        let set = WitnessSet::decode(&mut decoder)?;
        let parameters = Parameters::decode(&mut decoder)?;
        let nonce = decoder.array()?;
        decoder.end()?;
        let genesis = Self { name, created_at, set, parameters, nonce };
        genesis.check()?;
        Ok(genesis)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a number of at most 32 bits.
fn small(decoder: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)
}

fn ascend<T: Ord>(values: &[T]) -> bool {
    values.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests;
