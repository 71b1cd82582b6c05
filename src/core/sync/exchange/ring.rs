//! The part of a replica's states that one comparison looks at, as the reconciliation reads it.

use std::cell::Ref;

use negentropy::{Bound, Error, Id, Item, Negentropy, NegentropyStorageBase};

use crate::registry::{State, States};
use crate::ring::RingRange;
use crate::sync::exchange::FRAME_MAX_BYTES;
use crate::sync::rejection::Rejection;

/// The states of one range of the ring of identities.
pub(super) struct Ring<'a> {
    states: &'a [State],
}

impl<'a> Ring<'a> {
    /// The states whose places are in a range.
    /// Nobody's, without a range.
    pub(super) fn of(states: &'a Ref<'a, States>, range: Option<RingRange>) -> Self {
        let Some(range) = range else { return Self { states: &[] } };
        let all = states.sorted();
        let from = all.partition_point(|state| state.place < range.first());
        let to = all.partition_point(|state| state.place <= range.last());
        Self { states: &all[from..to] }
    }

    /// A machine for the next message of a comparison. It keeps nothing between two messages.
    pub(super) fn machine(&self) -> Result<Negentropy<'_, Self>, Rejection> {
        Negentropy::borrowed(self, FRAME_MAX_BYTES).map_err(|_| Rejection::Comparison)
    }
}

fn item(state: &State) -> Item {
    Item::with_timestamp_and_id(state.place, Id::from_byte_array(*state.digest.as_bytes()))
}

impl NegentropyStorageBase for Ring<'_> {
    fn size(&self) -> Result<usize, Error> {
        Ok(self.states.len())
    }

    fn get_item(&self, at: usize) -> Result<Option<Item>, Error> {
        Ok(self.states.get(at).map(item))
    }

    fn iterate(
        &self,
        begin: usize,
        end: usize,
        visit: &mut dyn FnMut(Item, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let range = self.states.get(begin..end).ok_or(Error::BadRange)?;
        for (state, at) in range.iter().zip(begin..) {
            if !visit(item(state), at)? {
                break;
            }
        }
        Ok(())
    }

    fn find_lower_bound(&self, first: usize, last: usize, bound: &Bound) -> usize {
        first + self.states[first..last].partition_point(|state| item(state) < bound.item)
    }
}
