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
    /// Keeps strangers of a range, and these identities wherever they are: the first [`WANTED_MAX`].
    pub fn new(range: RingRange, wanted: impl IntoIterator<Item = Did>) -> Self {
        Self { range, wanted: wanted.into_iter().take(WANTED_MAX).collect() }
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
