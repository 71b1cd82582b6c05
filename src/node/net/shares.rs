//! Room that many share: so much in all, and so much of it for one origin.
//!
//! For example, of 128 places one origin holds at most 16. Mallory's hundred peer ids at one address hold 16 of them, and
//! Alice, who comes from elsewhere, gets a place. When all 128 are taken nobody new gets one, but whoever has a place
//! takes it again: that is a renewal, and always passes.

use std::collections::HashMap;
use std::hash::Hash;

use crate::net::origin::Origin;

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its origin holds its share.
    Share,
    /// All together hold all there is.
    Full,
    /// Its origin, or its peer, asks too often.
    Rate,
}

/// What is held, by whom.
#[derive(Debug)]
pub struct Shares<K> {
    /// The most in all.
    max: usize,
    /// The most of one origin.
    max_of_origin: usize,
    /// The origin of each, or `None` if origins are not told apart.
    held: HashMap<K, Option<Origin>>,
    /// How many each origin holds; never 0.
    by_origin: HashMap<Origin, usize>,
}

impl<K: Eq + Hash> Shares<K> {
    /// Creates empty room for so many.
    pub fn new(max: usize, max_of_origin: usize) -> Self {
        Self { max, max_of_origin, held: HashMap::new(), by_origin: HashMap::new() }
    }

    /// Takes room, or refuses it. Who has it already has it again, with the origin it had.
    pub fn take(&mut self, key: K, origin: Option<Origin>) -> Result<(), Refusal> {
        if self.held.contains_key(&key) {
            return Ok(());
        }
        self.may_take(origin)?;
        if let Some(origin) = origin {
            *self.by_origin.entry(origin).or_default() += 1;
        }
        self.held.insert(key, origin);
        Ok(())
    }

    /// Returns why one more of this origin would be refused.
    pub fn may_take(&self, origin: Option<Origin>) -> Result<(), Refusal> {
        if origin.is_some_and(|origin| self.held_by(origin) >= self.max_of_origin) {
            Err(Refusal::Share)
        } else if self.held.len() >= self.max {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    /// Ends what is held under this key. Returns whether there was something.
    pub fn release(&mut self, key: &K) -> bool {
        let Some(origin) = self.held.remove(key) else { return false };
        if let Some(origin) = origin
            && let Some(count) = self.by_origin.get_mut(&origin)
        {
            *count -= 1;
            if *count == 0 {
                self.by_origin.remove(&origin);
            }
        }
        true
    }

    /// Returns how many are held in all.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Returns how many one origin holds.
    pub fn held_by(&self, origin: Origin) -> usize {
        self.by_origin.get(&origin).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn origin(last: u8) -> Option<Origin> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    #[test]
    fn one_origin_leaves_the_rest_to_others_and_renewals_pass() {
        let mut shares = Shares::new(6, 2);
        for number in 0..20 {
            let taken = shares.take(number, origin(1));
            assert_eq!(taken, if number < 2 { Ok(()) } else { Err(Refusal::Share) });
        }
        for (number, last) in [(30, 2), (31, 2), (32, 3), (33, 3)] {
            assert_eq!(shares.take(number, origin(last)), Ok(()));
        }
        assert_eq!(shares.take(40, origin(4)), Err(Refusal::Full));
        assert_eq!(shares.take(0, origin(1)), Ok(()), "a renewal");
        assert_eq!(shares.take(33, origin(1)), Ok(()), "a renewal from elsewhere");
        assert_eq!((shares.held(), shares.held_by(origin(3).expect("an origin"))), (6, 2));
        assert!(shares.release(&0) && !shares.release(&0));
        assert_eq!(shares.take(40, origin(4)), Ok(()), "there is room again");
    }

    #[test]
    fn released_room_leaves_nothing_behind() {
        let mut shares = Shares::new(10, 1);
        for number in 0..100 {
            assert_eq!(shares.take(number, origin(1)), Ok(()));
            assert!(shares.release(&number));
        }
        assert!(shares.held.is_empty() && shares.by_origin.is_empty());
        assert!((0..10).all(|number| shares.take(number, None).is_ok()), "origins are not told apart");
        assert_eq!(shares.take(10, None), Err(Refusal::Full));
    }
}
