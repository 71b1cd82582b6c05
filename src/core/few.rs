//! A set that has one element most of the time.
//!
//! A `BTreeSet` reserves room for eleven elements with its first: 352 bytes for one digest. Of most identities one opening,
//! one fact and one claim are known.

use std::collections::{BTreeSet, btree_set};
use std::iter::{Chain, Flatten};
use std::option;

/// An ordered set without a reserve of room while it has at most one element.
#[derive(Clone, Debug)]
pub(crate) enum Few<T> {
    One(T),
    /// None, or several.
    Many(BTreeSet<T>),
}

impl<T: Ord> Few<T> {
    /// Adds an element. Returns whether it was new.
    pub(crate) fn insert(&mut self, element: T) -> bool {
        match self {
            Self::Many(elements) if elements.is_empty() => *self = Self::One(element),
            Self::Many(elements) => return elements.insert(element),
            Self::One(known) if *known == element => return false,
            Self::One(_) => {
                let Self::One(known) = std::mem::take(self) else { return false };
                *self = Self::Many(BTreeSet::from([known, element]));
            }
        }
        true
    }

    /// Removes an element.
    pub(crate) fn remove(&mut self, element: &T) {
        match self {
            Self::One(known) if known == element => *self = Self::default(),
            Self::One(_) => {}
            Self::Many(elements) => drop(elements.remove(element)),
        }
    }

    /// Returns whether there is no element.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Many(elements) if elements.is_empty())
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(BTreeSet::new())
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = Chain<option::IntoIter<&'a T>, Flatten<option::IntoIter<&'a BTreeSet<T>>>>;

    /// In their order.
    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Few::One(element) => (Some(element), None),
            Few::Many(elements) => (None, Some(elements)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl<T: Ord> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = Chain<option::IntoIter<T>, btree_set::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::One(element) => (Some(element), BTreeSet::new()),
            Self::Many(elements) => (None, elements),
        };
        one.into_iter().chain(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is added and removed, it has what a `BTreeSet` has.
    #[test]
    fn has_what_a_set_has() {
        let mut state = 7u64;
        let (mut few, mut set) = (Few::<u64>::default(), BTreeSet::new());
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (element, adds) = (state >> 33 & 3, state >> 40 & 1 == 0);
            if adds {
                assert_eq!(few.insert(element), set.insert(element));
            } else {
                few.remove(&element);
                set.remove(&element);
            }
            assert!((&few).into_iter().eq(&set) && few.is_empty() == set.is_empty());
            assert!(few.clone().into_iter().eq(set.clone()));
        }
    }
}
