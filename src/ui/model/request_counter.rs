//! Numbers requests so that only the answer to the latest one counts.

/// Which of several requests is the latest. The page's handle on it is `LatestRequest`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestCounter {
    latest: u64,
}

impl RequestCounter {
    /// Numbers a new request; every earlier one is out of date from now on.
    pub fn begin(&mut self) -> u64 {
        self.latest = self.latest.wrapping_add(1);
        self.latest
    }

    /// Whether nothing has begun since this request.
    pub fn is_latest(&self, request: u64) -> bool {
        self.latest == request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_request_counts() {
        let mut counter = RequestCounter::default();
        let first = counter.begin();
        assert!(counter.is_latest(first));
        let second = counter.begin();
        assert!(!counter.is_latest(first));
        assert!(counter.is_latest(second));
    }

    #[test]
    fn an_answer_may_come_in_any_order() {
        let mut counter = RequestCounter::default();
        let requests: Vec<u64> = (0..100).map(|_| counter.begin()).collect();
        let counting: Vec<u64> = requests.into_iter().rev().filter(|request| counter.is_latest(*request)).collect();
        assert_eq!(counting.len(), 1);
    }

    #[test]
    fn it_goes_round() {
        let mut counter = RequestCounter { latest: u64::MAX };
        let before = counter.latest;
        let after = counter.begin();
        assert_eq!(after, 0);
        assert!(counter.is_latest(after) && !counter.is_latest(before));
    }
}
