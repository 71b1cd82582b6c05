//! Pages of changes and of vectors: their order and their size.

use std::collections::BTreeMap;

use crate::document::SignedChange;
use crate::identity::Identity;
use crate::sync::rejection::Rejection;
use crate::sync::version_vector::DocumentVector;
use crate::sync::wire::VECTORS_MAX;

/// Vectors in one message go up to about this, except a single one.
const VECTORS_BYTES: usize = 32 * 1024;

pub(super) fn owners(changes: &[SignedChange]) -> Vec<Identity> {
    changes.iter().map(|change| change.owner).collect()
}

/// Checks that the changes of each writing session come in their order, so that what arrives can be admitted at once.
pub(super) fn check_order(changes: &[SignedChange]) -> Result<(), Rejection> {
    let mut last: BTreeMap<(Identity, Vec<u8>), u64> = BTreeMap::new();
    for change in changes {
        let Ok(place) = change.id() else { return Err(Rejection::BadChange) };
        let last = last.entry((change.owner, place.actor)).or_default();
        // The two changes that prove a fork stand in one place.
        if place.seq < *last {
            return Err(Rejection::OutOfOrder);
        }
        *last = place.seq;
    }
    Ok(())
}

/// Cuts a list of vectors so that each part fits into a message.
pub(super) fn parts(vectors: Vec<DocumentVector>) -> Vec<Vec<DocumentVector>> {
    let mut parts: Vec<Vec<DocumentVector>> = Vec::new();
    let mut bytes = 0;
    for vector in vectors {
        let weight = vector.weight();
        match parts.last_mut() {
            Some(part) if bytes + weight <= VECTORS_BYTES && part.len() < VECTORS_MAX => {
                bytes += weight;
                part.push(vector);
            }
            _ => {
                bytes = weight;
                parts.push(vec![vector]);
            }
        }
    }
    parts
}
