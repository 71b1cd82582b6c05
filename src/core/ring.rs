//! Ranges of the ring of identities.
//!
//! An identity's place on the ring is the first 8 bytes of its digest, so places are spread evenly. A range is all places
//! that begin with the same bits: of two ranges either one contains the other or they have nothing in common, and half of a
//! range is a range again.

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::keys::Did;

/// The most bits that name a range: with one identity for each of so many places there are 2^48 of them.
pub const BITS_MAX: u8 = 48;

/// All places whose first `bits` bits are those of `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRange {
    first: u64,
    bits: u8,
}

/// The place of an identity: its first 8 bytes, big-endian.
pub fn place_of(did: &Did) -> u64 {
    let bytes = did.as_bytes();
    u64::from_be_bytes(bytes[..8].try_into().expect("8 bytes"))
}

impl RingRange {
    /// The whole ring.
    pub const WHOLE: Self = Self { first: 0, bits: 0 };

    /// The range of `bits` bits around a place; at most [`BITS_MAX`] bits.
    pub fn around(place: u64, bits: u8) -> Self {
        let bits = bits.min(BITS_MAX);
        Self { first: place & !rest(bits), bits }
    }

    pub fn bits(&self) -> u8 {
        self.bits
    }

    pub fn first(&self) -> u64 {
        self.first
    }

    pub fn last(&self) -> u64 {
        self.first | rest(self.bits)
    }

    pub fn contains(&self, place: u64) -> bool {
        (self.first..=self.last()).contains(&place)
    }

    /// What two ranges have in common: the smaller one, or nothing.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let smaller = if self.bits >= other.bits { self } else { other };
        (self.contains(smaller.first) && other.contains(smaller.first)).then_some(*smaller)
    }

    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.byte(self.bits).integer(self.first)
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (bits, first) = (decoder.byte()?, decoder.integer()?);
        let range = Self::around(first, bits);
        if range == (Self { first, bits }) { Ok(range) } else { Err(DecodeError::OutOfRange) }
    }
}

/// The bits of a place that a range of `bits` bits leaves open.
fn rest(bits: u8) -> u64 {
    u64::MAX >> bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_range_is_a_range() {
        let place = 0xb7ff_0000_0000_0001;
        let mut before = RingRange::WHOLE;
        for bits in 1..=BITS_MAX {
            let range = RingRange::around(place, bits);
            assert!(range.contains(place) && before.contains(range.first()) && before.contains(range.last()));
            assert_eq!(range.intersect(&before), Some(range));
            assert_eq!(range.last() - range.first(), (before.last() - before.first()) / 2);
            let sibling = RingRange::around(place ^ 1 << (64 - bits), bits);
            assert_eq!(range.intersect(&sibling), None);
            before = range;
        }
        assert_eq!(RingRange::around(place, 64), before);
    }

    #[test]
    fn range_comes_back_from_its_bytes_and_has_one_form() {
        for range in [RingRange::WHOLE, RingRange::around(u64::MAX, 3), RingRange::around(7 << 60, BITS_MAX)] {
            let bytes = range.encode(Encoder::new()).finish();
            assert_eq!(RingRange::decode(&mut Decoder::new(&bytes)), Ok(range));
        }
        for (bits, first) in [(1, 1), (0, 1), (BITS_MAX + 1, 0)] {
            let bytes = Encoder::new().byte(bits).integer(first).finish();
            assert_eq!(RingRange::decode(&mut Decoder::new(&bytes)), Err(DecodeError::OutOfRange));
        }
    }
}
