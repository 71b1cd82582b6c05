//! Rate limit of notifications (coalescing): the first one is shown at once, later ones as a sum from time to time.
//!
//! A mention costs nothing but a channel message, and each would be a notification on the
//! page and one of the system.
//!
//! # Example
//! | time | event | notification |
//! |---|---|---|
//! | 0 s | Mallory mentions Alice in `#general` | at once |
//! | 1 s to 29 s | 40 more times | nothing |
//! | 30 s | | "40 more" |
//! | 60 s | | none: the next one is shown at once again |

use std::collections::BTreeMap;
use std::time::Duration;

/// Minimum time between two notifications of one place: two interruptions per minute are bearable.
pub const NOTIFY_EVERY: Duration = Duration::from_secs(30);

/// Recent notifications and the number of pending ones, by place. There are as many places as joined channels.
#[derive(Debug, Default)]
pub struct Bursts(BTreeMap<String, u64>);

impl Bursts {
    /// Returns whether a notification is shown at once. If not, it is pending until [`Bursts::end`], which is due
    /// [`NOTIFY_EVERY`] after the last one that was.
    pub fn begin(&mut self, place: &str) -> bool {
        if let Some(waiting) = self.0.get_mut(place) {
            *waiting += 1;
            return false;
        }
        self.0.insert(place.to_owned(), 0);
        true
    }

    /// Returns the number of pending notifications, to be shown now. If there were any, the next period begins.
    pub fn end(&mut self, place: &str) -> u64 {
        match self.0.get_mut(place).map(std::mem::take) {
            Some(0) | None => {
                self.0.remove(place);
                0
            }
            Some(waiting) => waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_is_told_of_in_one_sentence_at_a_time() {
        let mut bursts = Bursts::default();
        assert!(bursts.begin("general"));
        assert_eq!((0..1_000).filter(|_| bursts.begin("general")).count(), 0);
        assert!(bursts.begin("other"), "places do not disturb each other");
        assert_eq!(bursts.end("general"), 1_000);
        assert!(!bursts.begin("general"), "the sum counts as told");
        assert_eq!((bursts.end("general"), bursts.end("general")), (1, 0));
        assert!(bursts.begin("general"));
        assert_eq!(bursts.end("nowhere"), 0);
    }
}
