//! Which identities a node keeps: those it has to do with, wherever they are on the ring, and of all others those of one
//! range.
//!
//! The range is a duty: of strangers a node keeps whole ranges, so that two nodes can compare what both should have. A node
//! that has no room narrows its range by half; it never drops single strangers out of it.
//!
//! | class | who | bound |
//! |---|---|---|
//! | own | the identity of the profile | always kept |
//! | wanted | people one follows or trusts, authors of installed modules and of what those need, members of joined channels | [`WANTED_MAX`] |
//! | duty | strangers in the range | the node's quota |

use std::collections::BTreeSet;

use crate::keys::Did;
use crate::ring::{RingRange, place_of};

/// The most identities that are wanted whatever their places.
pub const WANTED_MAX: usize = 5_000;

/// Which identities a node keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    range: RingRange,
    wanted: BTreeSet<Did>,
}

impl Default for Retention {
    /// Everybody is kept.
    fn default() -> Self {
        Self { range: RingRange::WHOLE, wanted: BTreeSet::new() }
    }
}

impl Retention {
    /// Keeps strangers of a range, and these identities wherever they are: the first [`WANTED_MAX`] in the given order, so
    /// whom others could add in any number comes last.
    pub fn new(range: RingRange, in_order: impl IntoIterator<Item = Did>) -> Self {
        let mut wanted = BTreeSet::new();
        for did in in_order {
            if wanted.len() == WANTED_MAX {
                break;
            }
            wanted.insert(did);
        }
        Self { range, wanted }
    }

    /// The same with another range.
    pub fn with_range(self, range: RingRange) -> Self {
        Self { range, ..self }
    }

    /// The range of which every identity is kept.
    pub fn range(&self) -> RingRange {
        self.range
    }

    /// Returns whether an identity is kept.
    pub fn keeps(&self, did: &Did) -> bool {
        self.range.contains(place_of(did)) || self.wanted.contains(did)
    }

    /// Returns whether an identity is wanted wherever it is.
    pub fn is_wanted(&self, did: &Did) -> bool {
        self.wanted.contains(did)
    }

    /// The identities that are kept and that a comparison over `compared` does not look at.
    pub fn wanted_beyond(&self, compared: Option<RingRange>) -> impl Iterator<Item = &Did> {
        let is_compared = move |did: &Did| compared.is_some_and(|range| range.contains(place_of(did)));
        self.wanted.iter().filter(move |did| !is_compared(did))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    /// Channel messages cost nothing, under any number of identities.
    #[test]
    fn who_comes_first_is_wanted_however_many_follow() {
        let did = |nth: usize| Did::from_digest(Digest::of(&nth.to_be_bytes()));
        let elsewhere = |did: Did| RingRange::around(!place_of(&did), BITS);
        let crowd = || (1..=2 * WANTED_MAX).map(did);
        let own = did(0);
        let retention = Retention::new(elsewhere(own), [own].into_iter().chain(crowd()));
        assert!(retention.keeps(&own));
        assert_eq!(crowd().filter(|did| retention.is_wanted(did)).count(), WANTED_MAX - 1);
        // The same people more than once take one place each.
        let twice = Retention::new(elsewhere(own), (1..WANTED_MAX).chain(1..WANTED_MAX).map(did).chain([own]));
        assert!(twice.is_wanted(&own));
    }

    const BITS: u8 = 20;
}
