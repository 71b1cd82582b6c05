//! How far away a time is, before it is put into words.

const SECOND: f64 = 1_000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// The unit of a [`RelativeTime`], named as `Intl.RelativeTimeFormat` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    Minute,
    Hour,
    Day,
}

impl TimeUnit {
    /// The name that `Intl.RelativeTimeFormat` takes.
    pub fn key(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// How a time is written beside now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RelativeTime {
    /// Less than a minute away.
    JustNow,
    /// So many units ahead; behind when negative.
    Distance(f64, TimeUnit),
    /// More than a month away: written as a date.
    Date,
}

/// The distance of `at` from `now`, both in milliseconds.
pub fn relative_time(now: f64, at: u64) -> RelativeTime {
    let distance = at as f64 - now;
    let size = distance.abs();
    if size < 45.0 * SECOND {
        return RelativeTime::JustNow;
    }
    if size > 45.0 * DAY {
        return RelativeTime::Date;
    }
    let (unit, length) = if size < HOUR {
        (TimeUnit::Minute, MINUTE)
    } else if size < DAY {
        (TimeUnit::Hour, HOUR)
    } else {
        (TimeUnit::Day, DAY)
    };
    RelativeTime::Distance((distance / length).round(), unit)
}

/// “just now”, “40 s ago”, “3 min ago”: for what changes while it is looked at. What is ahead counts as now.
pub fn format_age(now: f64, at: u64) -> String {
    let seconds = ((now - at as f64) / SECOND).max(0.0);
    match seconds as u64 {
        0..5 => "just now".to_owned(),
        seconds @ 5..90 => format!("{seconds} s ago"),
        seconds => format!("{} min ago", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn the_unit_grows_with_the_distance() {
        let ago = |millis: u64| relative_time(NOW as f64, NOW - millis);
        assert_eq!(ago(0), RelativeTime::JustNow);
        assert_eq!(ago(44_999), RelativeTime::JustNow);
        assert_eq!(ago(45_000), RelativeTime::Distance(-1.0, TimeUnit::Minute));
        assert_eq!(ago(3 * 60_000), RelativeTime::Distance(-3.0, TimeUnit::Minute));
        assert_eq!(ago(90 * 60_000), RelativeTime::Distance(-2.0, TimeUnit::Hour));
        assert_eq!(ago(30 * 3_600_000), RelativeTime::Distance(-1.0, TimeUnit::Day));
        assert_eq!(ago(46 * 24 * 3_600_000), RelativeTime::Date);
    }

    #[test]
    fn what_is_ahead_is_positive() {
        let ahead = relative_time(NOW as f64, NOW + 30 * 24 * 3_600_000);
        assert_eq!(ahead, RelativeTime::Distance(30.0, TimeUnit::Day));
        assert_eq!(relative_time(NOW as f64, 0), RelativeTime::Date);
        assert_eq!(relative_time(0.0, u64::MAX), RelativeTime::Date);
    }

    #[test]
    fn ages_are_short() {
        let age = |seconds: u64| format_age(NOW as f64, NOW - seconds * 1_000);
        assert_eq!(age(0), "just now");
        assert_eq!(age(4), "just now");
        assert_eq!(age(5), "5 s ago");
        assert_eq!(age(89), "89 s ago");
        assert_eq!(age(90), "2 min ago");
        assert_eq!(age(121), "3 min ago");
        assert_eq!(format_age(NOW as f64, NOW + 60_000), "just now");
    }

    #[test]
    fn units_have_the_names_of_the_browser() {
        assert_eq!([TimeUnit::Minute, TimeUnit::Hour, TimeUnit::Day].map(TimeUnit::key), ["minute", "hour", "day"]);
    }
}
