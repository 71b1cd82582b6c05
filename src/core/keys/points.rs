//! The points of the curve that keys name. Finding the point of 32 bytes takes a third as long as verifying a signature, and
//! the entries of one identity name the same two keys again and again: the points of the last keys are kept.

use std::cell::RefCell;

use ed25519_dalek::VerifyingKey;

use crate::keys::KeyError;

/// Points that are kept on each thread: some 50 KiB.
const POINTS_KEPT: usize = 256;

thread_local! {
    /// Each key has one place, by its first byte.
    static POINTS: RefCell<[Option<VerifyingKey>; POINTS_KEPT]> = const { RefCell::new([None; POINTS_KEPT]) };
}

/// Returns the point of a key. Fails for bytes that name none, and for weak keys.
pub(super) fn read(bytes: &[u8; 32]) -> Result<VerifyingKey, KeyError> {
    let place = usize::from(bytes[0]);
    let known = POINTS.with_borrow(|points| points[place]);
    if let Some(key) = known.filter(|key| key.as_bytes() == bytes) {
        return Ok(key);
    }
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
    if key.is_weak() {
        return Err(KeyError::Weak);
    }
    POINTS.with_borrow_mut(|points| points[place] = Some(key));
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn keys_that_share_a_place_are_told_apart() {
        let keys: Vec<[u8; 32]> = (0..2_000u32)
            .map(|nth| {
                let mut seed = [0; 32];
                seed[..4].copy_from_slice(&nth.to_be_bytes());
                *SecretKey::from_seed(&seed).public().as_bytes()
            })
            .collect();
        for _ in 0..2 {
            for bytes in &keys {
                assert_eq!(read(bytes).expect("a key").as_bytes(), bytes);
            }
        }
        // The identity of the group has order one; the other bytes are no point.
        let (mut weak, mut none) = ([0; 32], [0; 32]);
        weak[0] = 1;
        none[0] = 2;
        for _ in 0..2 {
            assert_eq!(read(&weak), Err(KeyError::Weak));
            assert_eq!(read(&none), Err(KeyError::NotAPoint));
        }
    }
}
