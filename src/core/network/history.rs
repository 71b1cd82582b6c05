//! The changes of the witness set that a node follows: a chain from the genesis to the present set.

use crate::digest::Digest;
use crate::identity::Topic;
use crate::network::{Genesis, SignedSetChange, WitnessSet};

/// The most changes of one network: a chain that anybody could lengthen must end.
pub const SET_CHANGES_MAX: usize = 1_024;

/// A genesis and the changes after it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkHistory {
    topic: Topic,
    genesis: Genesis,
    changes: Vec<SignedSetChange>,
}

/// Why a change is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// The changes between are fetched first.
    #[error("it is change {number} of the set, and this node knows {known}")]
    Ahead { number: u32, known: u32 },
    /// Two signed changes with one number. No date and no order of arrival decides: this node goes on with the one that
    /// its past, its link or its pairing names, else the person is asked.
    #[error("it is another change {number} than the one that this node follows")]
    Rival { number: u32 },
    #[error("only {signers} of the {needed} keys that the set before named have signed it")]
    Unsigned { signers: usize, needed: u8 },
    #[error("the set has changed {SET_CHANGES_MAX} times")]
    TooMany,
}

impl NetworkHistory {
    /// The history of a network whose set never changed.
    pub fn new(genesis: Genesis) -> Self {
        Self { topic: genesis.topic(), genesis, changes: Vec::new() }
    }

    pub fn topic(&self) -> Topic {
        self.topic
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The changes in order; that of number `n` is at `n - 1`.
    pub fn changes(&self) -> &[SignedSetChange] {
        &self.changes
    }

    /// The number of the present set: 0 for that of the genesis.
    pub fn number(&self) -> u32 {
        self.changes.len() as u32
    }

    /// The set that witnesses now.
    pub fn set(&self) -> &WitnessSet {
        self.set_of(self.number()).expect("the present set is there")
    }

    /// The set of a number, or `None` for one that this node does not know.
    pub fn set_of(&self, number: u32) -> Option<&WitnessSet> {
        match number.checked_sub(1) {
            None => Some(&self.genesis.set),
            Some(at) => self.changes.get(at as usize).map(|signed| &signed.change().set),
        }
    }

    /// The change that closed the set of a number, or `None` for the present set.
    pub fn closing_of(&self, number: u32) -> Option<&SignedSetChange> {
        self.changes.get(number as usize)
    }

    /// The newest change, or the topic: what links carry.
    pub fn newest(&self) -> Digest {
        self.changes.last().map_or(Digest::from_bytes(*self.topic.as_bytes()), SignedSetChange::digest)
    }

    /// Returns whether this history has what a link carries: the newest change that its maker knew, or the topic.
    pub fn has(&self, newest: &Digest) -> bool {
        newest.as_bytes() == self.topic.as_bytes() || self.changes.iter().any(|change| change.digest() == *newest)
    }

    /// Follows the next change. One that is known already changes nothing.
    pub fn follow(&mut self, signed: SignedSetChange) -> Result<(), FollowError> {
        let (number, known) = (signed.change().number, self.number());
        if number > known + 1 {
            return Err(FollowError::Ahead { number, known });
        }
        if number <= known {
            let followed = self.changes[number as usize - 1].digest();
            return if followed == signed.digest() { Ok(()) } else { Err(FollowError::Rival { number }) };
        }
        if signed.change().before != self.newest() {
            return Err(FollowError::Rival { number });
        }
        let before = self.set();
        let (signers, needed) = (signed.signers_of(before), before.threshold);
        // A network without witnesses has no succession, and no set that could change.
        if before.is_empty() || signers < usize::from(needed) {
            return Err(FollowError::Unsigned { signers, needed });
        }
        if self.changes.len() >= SET_CHANGES_MAX {
            return Err(FollowError::TooMany);
        }
        self.changes.push(signed);
        Ok(())
    }

    /// Goes back to before change `number` (1 or more), so that the other change of that number can be followed. Only a
    /// person decides this.
    pub fn leave(&mut self, number: u32) {
        self.changes.truncate((number as usize).saturating_sub(1));
    }
}
