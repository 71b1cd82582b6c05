//! How often the person is told of the same kind of thing: at once for the first time, then all together from time to time.
//!
//! Anybody can write a name into a channel as often as the channel takes messages, and each would be a message on the
//! page and one of the system.
//!
//! # Example
//! | time | what happens | what is told |
//! |---|---|---|
//! | 0 s | Mallory mentions Alice in `#general` | at once |
//! | 1 s to 29 s | 40 more times | nothing |
//! | 30 s | | "40 more" |
//! | 60 s | | nothing: the next one is told of at once again |

use std::collections::BTreeMap;
use std::time::Duration;

/// After something was told of, more of the same place waits for so long: two interruptions in a minute are bearable.
pub const NOTIFY_EVERY: Duration = Duration::from_secs(30);

/// What was told of lately, and how much waits, by place. There are as many places as the person is in channels.
#[derive(Debug, Default)]
pub struct Bursts(BTreeMap<String, u64>);

impl Bursts {
    /// Returns whether one more is told of at once. If not, it waits for [`Bursts::end`], which is due [`NOTIFY_EVERY`]
    /// after the one that was.
    pub fn begin(&mut self, place: &str) -> bool {
        if let Some(waiting) = self.0.get_mut(place) {
            *waiting += 1;
            return false;
        }
        self.0.insert(place.to_owned(), 0);
        true
    }

    /// Returns how much waits, which is told of now. Then more waits for as long again; if nothing waited, it does not.
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
