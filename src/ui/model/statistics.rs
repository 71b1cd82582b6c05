//! Curves and tables of what was counted day by day.

use gen_registry_api::{DailyCount, PeerCount, Statistics};

/// Milliseconds of a day.
pub const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// Of a curve, in units of its own picture.
pub const CURVE_WIDTH: f64 = 100.0;
pub const CURVE_HEIGHT: f64 = 28.0;

/// The sum after each day.
pub fn running_total(count: &DailyCount) -> Vec<u64> {
    let mut sum = count.before;
    count
        .days
        .iter()
        .map(|new| {
            sum += new;
            sum
        })
        .collect()
}

/// The last time that half of the peers or more went at once: how many there were before, and the count after.
pub fn last_drop(peers: &[PeerCount]) -> Option<(u64, PeerCount)> {
    let fell = peers.windows(2).rev().find(|two| two[0].peers >= 4 && two[1].peers * 2 <= two[0].peers);
    fell.map(|two| (two[0].peers, two[1].clone()))
}

/// The points of an SVG polyline, from left to right. What never changes lies low; a single value is a line.
pub fn curve_points(values: &[u64]) -> String {
    let most = values.iter().copied().max().unwrap_or_default().max(1) as f64;
    let least = values.iter().copied().min().unwrap_or_default() as f64;
    let span = (most - least).max(1.0);
    let step = CURVE_WIDTH / (values.len().max(2) - 1) as f64;
    let point = |(nth, value): (usize, &u64)| {
        let height = CURVE_HEIGHT - 2.0 - (*value as f64 - least) / span * (CURVE_HEIGHT - 4.0);
        format!("{:.2},{height:.2}", nth as f64 * step)
    };
    let mut points: Vec<String> = values.iter().enumerate().map(point).collect();
    if let [only] = points.as_slice() {
        let (_, height) = only.split_once(',').unwrap_or_default();
        points.push(format!("{CURVE_WIDTH},{height}"));
    }
    points.join(" ")
}

/// A day with the new names, modules and releases on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// Its first millisecond (UTC).
    pub begins: u64,
    /// Of names, modules and releases.
    pub counts: [u64; 3],
}

/// Every day of the names' time, in order; what was not counted is zero.
pub fn day_rows(begins: u64, names: &DailyCount, modules: &DailyCount, releases: &DailyCount) -> Vec<DayRow> {
    (0..names.days.len())
        .map(|nth| DayRow {
            begins: begins + nth as u64 * DAY_MILLIS,
            counts: [names, modules, releases].map(|count| count.days.get(nth).copied().unwrap_or_default()),
        })
        .collect()
}

/// Every day as a line of a CSV file, below a line of headings. Dates are UTC.
pub fn format_csv(statistics: &Statistics) -> String {
    let Statistics { begins, names, modules, releases, .. } = statistics;
    let mut lines = vec!["day,names,modules,releases".to_owned()];
    for DayRow { begins, counts } in day_rows(*begins, names, modules, releases) {
        lines.push(format!("{},{}", format_iso_date(begins), counts.map(|count| count.to_string()).join(",")));
    }
    lines.join("\n") + "\n"
}

/// The date of a time in milliseconds since 1970 (UTC), as `2026-11-04`.
///
/// Counts in eras of 400 years, each beginning on the first of March, so that leap days come last.
fn format_iso_date(millis: u64) -> String {
    const ERA_DAYS: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = millis / DAY_MILLIS + 719_468;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(before: u64, days: &[u64]) -> DailyCount {
        DailyCount { total: before + days.iter().sum::<u64>(), before, days: days.to_vec() }
    }

    fn peers(counts: &[u64]) -> Vec<PeerCount> {
        counts.iter().enumerate().map(|(at, peers)| PeerCount { at: at as u64, peers: *peers }).collect()
    }

    #[test]
    fn totals_begin_with_what_was_before() {
        assert_eq!(running_total(&daily(10, &[1, 0, 5])), [11, 11, 16]);
        assert_eq!(running_total(&daily(10, &[])), [0_u64; 0]);
    }

    #[test]
    fn only_a_fall_by_half_is_a_drop() {
        assert_eq!(last_drop(&peers(&[])), None);
        assert_eq!(last_drop(&peers(&[8])), None);
        assert_eq!(last_drop(&peers(&[8, 5, 4])), None);
        assert_eq!(last_drop(&peers(&[3, 0])), None);
        assert_eq!(last_drop(&peers(&[8, 4])), Some((8, PeerCount { at: 1, peers: 4 })));
        assert_eq!(last_drop(&peers(&[8, 4, 9, 1, 2])), Some((9, PeerCount { at: 3, peers: 1 })));
    }

    #[test]
    fn a_curve_goes_from_edge_to_edge() {
        assert_eq!(curve_points(&[]), "");
        assert_eq!(curve_points(&[5]), "0.00,26.00 100,26.00");
        assert_eq!(curve_points(&[0, 10]), "0.00,26.00 100.00,2.00");
        assert_eq!(curve_points(&[7, 7, 7]), "0.00,26.00 50.00,26.00 100.00,26.00");
        assert_eq!(curve_points(&[u64::MAX, 0]), "0.00,2.00 100.00,26.00");
    }

    #[test]
    fn days_without_a_count_are_zero() {
        let rows = day_rows(DAY_MILLIS, &daily(0, &[1, 2]), &daily(0, &[3]), &daily(0, &[]));
        assert_eq!(
            rows,
            [DayRow { begins: DAY_MILLIS, counts: [1, 3, 0] }, DayRow { begins: 2 * DAY_MILLIS, counts: [2, 0, 0] }]
        );
        assert_eq!(day_rows(0, &daily(0, &[]), &daily(0, &[1]), &daily(0, &[1])), []);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, date) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (10_957, "2000-01-01"),
            (11_016, "2000-02-29"),
            (20_761, "2026-11-04"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(format_iso_date(days * DAY_MILLIS), date);
            assert_eq!(format_iso_date(days * DAY_MILLIS + DAY_MILLIS - 1), date);
        }
    }

    #[test]
    fn a_file_has_a_line_for_each_day() {
        let statistics = Statistics {
            begins: 10_957 * DAY_MILLIS,
            names: daily(4, &[1, 0]),
            modules: daily(0, &[0, 2]),
            releases: daily(0, &[0, 3]),
            popular: Vec::new(),
            needed: Vec::new(),
            missing: Vec::new(),
            independent: 0,
            peers: Vec::new(),
        };
        assert_eq!(format_csv(&statistics), "day,names,modules,releases\n2000-01-01,1,0,0\n2000-01-02,0,2,3\n");
        let empty = Statistics { names: daily(0, &[]), ..statistics };
        assert_eq!(format_csv(&empty), "day,names,modules,releases\n");
    }
}
