//! When a witness could be reached: a record that is written every few minutes, from which a start and a clock that jumped
//! show a break.
//!
//! A witness that was away may have missed a veto, and signs no end until it has been back for a third of the hold.

use std::time::Duration;

use super::records::Presence;
use gen_registry_core::time::Timestamp;

/// How long a witness is silent before that counts as a break, unless the hold is short.
pub const AWAY_AFTER: Duration = Duration::from_secs(5 * 60);
/// The part of the hold that is a break in any case: short ones in networks for tests.
pub const AWAY_PART_OF_HOLD: u32 = 6;

/// The shortest pause between two notes of a host that the witness can be reached.
const NOTE_EVERY_MIN: Duration = Duration::from_millis(50);
/// How often a host notes that the witness can be reached, unless the hold is short.
const NOTE_EVERY_MAX: Duration = Duration::from_secs(60);

/// How long the witnesses of a network may be silent before that counts as a break.
fn away_after(hold: Duration) -> Duration {
    AWAY_AFTER.min(hold / AWAY_PART_OF_HOLD)
}

/// How often a host notes that the witness can be reached: several times in what counts as a break.
pub(super) fn note_every(hold: Duration) -> Duration {
    (away_after(hold) / 3).clamp(NOTE_EVERY_MIN, NOTE_EVERY_MAX)
}

/// Since when the witness can be reached without a break.
pub(super) struct Reachable {
    presence: Presence,
    away_after: Duration,
    /// The `last` that is stored.
    stored: Option<Timestamp>,
}

impl Reachable {
    /// What was stored, continued or ended by a break until `now`.
    pub(super) fn new(stored: Option<Presence>, hold: Duration, now: Timestamp) -> Self {
        let away_after = away_after(hold);
        let presence = match stored {
            // The clock was set back: how long the break was can't be known.
            Some(stored) if now.plus(away_after) < stored.last => Presence { since: stored.last, last: stored.last },
            Some(stored) if now <= stored.last.plus(away_after) => stored,
            _ => Presence { since: now, last: now },
        };
        Self { presence, away_after, stored: None }
    }

    pub(super) fn since(&self) -> Timestamp {
        self.presence.since
    }

    /// Notes that the witness can be reached. Returns whether it came back after a break.
    pub(super) fn note(&mut self, now: Timestamp) -> bool {
        let is_back = now > self.presence.last.plus(self.away_after);
        if is_back {
            self.presence.since = now;
        }
        self.presence.last = self.presence.last.max(now);
        is_back
    }

    /// What is to be stored, if the stored record is older than half of what counts as a break.
    pub(super) fn due(&self) -> Option<Presence> {
        let is_due = self.stored.is_none_or(|stored| self.presence.last >= stored.plus(self.away_after / 2));
        is_due.then_some(self.presence)
    }

    pub(super) fn note_stored(&mut self, stored: Presence) {
        self.stored = Some(stored.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::actors::BEGIN;

    const HOLD: Duration = Duration::from_secs(72 * 60 * 60);

    fn later(seconds: u64) -> Timestamp {
        BEGIN.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn break_is_longer_than_five_minutes() {
        let mut reachable = Reachable::new(None, HOLD, BEGIN);
        assert!(!reachable.note(later(300)));
        assert_eq!(reachable.since(), BEGIN);
        assert!(reachable.note(later(601)));
        assert_eq!(reachable.since(), later(601));
    }

    #[test]
    fn start_continues_what_was_stored_or_notes_the_break() {
        let stored = Presence { since: BEGIN, last: later(1_000) };
        let since = |now| Reachable::new(Some(stored), HOLD, now).since();
        assert_eq!((since(later(1_300)), since(later(1_301))), (BEGIN, later(1_301)));
        assert_eq!(Reachable::new(None, HOLD, later(9)).since(), later(9), "nothing is known");
        assert_eq!((since(later(700)), since(later(699))), (BEGIN, later(1_000)), "the clock was set back");
    }

    #[test]
    fn record_is_written_at_most_twice_in_what_counts_as_a_break() {
        let mut reachable = Reachable::new(None, HOLD, BEGIN);
        let mut written = 0;
        for seconds in 0..=600 {
            reachable.note(later(seconds));
            if let Some(due) = reachable.due() {
                reachable.note_stored(due);
                written += 1;
            }
        }
        assert_eq!(written, 5);
    }

    #[test]
    fn clock_that_is_set_back_ends_nothing_and_short_holds_have_short_breaks() {
        let mut reachable = Reachable::new(None, HOLD, later(1_000));
        assert!(!reachable.note(BEGIN) && !reachable.note(later(1_300)));
        let mut reachable = Reachable::new(None, Duration::from_secs(60), BEGIN);
        assert!(!reachable.note(later(10)) && reachable.note(later(21)));
    }
}
