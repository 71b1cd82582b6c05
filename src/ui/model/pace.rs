//! Rate limit of refreshes: a few right after each other, then one from time to time (a virtual scheduling GCRA).
//!
//! # Example
//! A burst of 4, then every 500 ms: refreshes at 0, 120, 240 and 360 ms need not wait; the next one, at 480 ms, waits 20 ms,
//! the one after that 500 ms. After two quiet seconds four may follow each other again.

use std::time::Duration;

/// How often something may be done in the long run, and in a burst.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    every: Duration,
    burst: u32,
    /// When all that was done is paid for, in milliseconds.
    due: f64,
}

impl Pace {
    /// Allows `burst` acts at once, and one `every` so often in the long run.
    pub fn new(every: Duration, burst: u32) -> Self {
        Self { every, burst, due: f64::NEG_INFINITY }
    }

    /// Takes the next act into account, and returns how long it has to wait. `now` is in milliseconds; a clock that was set
    /// back makes nothing wait longer than a burst would.
    pub fn take(&mut self, now: f64) -> Duration {
        let every = self.every.as_secs_f64() * 1_000.0;
        let allowed = every * f64::from(self.burst.saturating_sub(1));
        let due = self.due.clamp(now, now + allowed + every);
        self.due = due + every;
        Duration::from_secs_f64((due - allowed - now).max(0.0) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pace: &mut Pace, times: &[f64]) -> Vec<u128> {
        times.iter().map(|now| pace.take(*now).as_millis()).collect()
    }

    #[test]
    fn few_are_done_at_once_and_a_run_of_them_at_the_lasting_rate() {
        let mut pace = Pace::new(Duration::from_millis(500), 4);
        assert_eq!(waits(&mut pace, &[0.0, 120.0, 240.0, 360.0]), [0, 0, 0, 0]);
        assert_eq!(waits(&mut pace, &[480.0, 500.0]), [20, 500]);
        assert_eq!(waits(&mut pace, &[5_000.0; 4]), [0, 0, 0, 0], "it was quiet");
    }

    #[test]
    fn clock_that_was_set_back_makes_nothing_wait_for_hours() {
        let mut pace = Pace::new(Duration::from_millis(500), 4);
        waits(&mut pace, &[1e12; 5]);
        assert_eq!(waits(&mut pace, &[0.0]), [500]);
    }
}
