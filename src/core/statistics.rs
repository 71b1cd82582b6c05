//! Statistics over what one node has seen: growth of names, modules and releases by day, and rankings of modules by
//! installs and by dependents. Another node may have seen other things.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::modules::ModuleState;
use crate::name::{FoldedName, ModuleName};
use crate::time::Timestamp;

/// The longest period, in days.
pub const DAYS_MAX: u32 = 366;
/// The most modules in one ranking.
pub const RANKED_MAX: usize = 10;
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// How many there are, and how many of them came on each day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DailyCount {
    pub total: u64,
    /// Those that are older than the first day.
    pub before: u64,
    /// New ones of each day (UTC); the last is that of the observation.
    pub days: Vec<u64>,
}

/// One module of a ranking, and what it is ranked by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModuleRank {
    pub name: String,
    pub count: u64,
}

/// The result of a [`Tally`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analytics {
    /// When the first day begins, 00:00 UTC.
    pub begins: Timestamp,
    /// Usernames that have a holder, by the start of the tenure.
    pub names: DailyCount,
    /// Module names that have a holder, by the start of the tenure.
    pub modules: DailyCount,
    /// Releases that count, by their position.
    pub releases: DailyCount,
    /// Modules by counted installs.
    pub popular: Vec<ModuleRank>,
    /// Modules by the number of modules whose newest release depends on them directly.
    pub needed: Vec<ModuleRank>,
    /// Modules that are depended on and not known here, ranked likewise.
    pub missing: Vec<ModuleRank>,
    /// Modules whose newest release needs no other.
    pub independent: u64,
}

/// Counts what it is given, one name after the other.
pub struct Tally {
    first_day: u64,
    names: DailyCount,
    modules: DailyCount,
    releases: DailyCount,
    popular: Vec<ModuleRank>,
    /// The modules seen so far, and whether each has a release.
    known: BTreeMap<FoldedName, bool>,
    needed: BTreeMap<FoldedName, (ModuleName, u64)>,
    independent: u64,
}

/// The number of the day (UTC) since 1970.
fn day_of(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MILLIS
}

impl DailyCount {
    /// Zeros for this many days, at least one.
    fn over(days: usize) -> Self {
        Self { total: 0, before: 0, days: vec![0; days] }
    }

    /// Counts one. A date later than the last day counts on the last day, because clocks differ.
    fn count(&mut self, first_day: u64, at: Timestamp) {
        self.total += 1;
        let last = self.days.len() - 1;
        match day_of(at).checked_sub(first_day) {
            Some(nth) => self.days[usize::try_from(nth).unwrap_or(last).min(last)] += 1,
            None => self.before += 1,
        }
    }
}

impl Tally {
    /// A tally over the `days` days that end with the day of `now`; 1 to [`DAYS_MAX`], other numbers are clamped.
    pub fn new(now: Timestamp, days: u32) -> Self {
        let days = days.clamp(1, DAYS_MAX);
        let growth = DailyCount::over(days as usize);
        Self {
            first_day: day_of(now).saturating_sub(u64::from(days) - 1),
            names: growth.clone(),
            modules: growth.clone(),
            releases: growth,
            popular: Vec::new(),
            known: BTreeMap::new(),
            needed: BTreeMap::new(),
            independent: 0,
        }
    }

    /// Counts a username that is held since `since`.
    pub fn name(&mut self, since: Timestamp) {
        self.names.count(self.first_day, since);
    }

    /// Counts a module whose name is held since `since`, with its releases and the dependencies of its newest one.
    pub fn module(&mut self, name: &ModuleName, since: Timestamp, state: &ModuleState, installs: u64) {
        self.modules.count(self.first_day, since);
        for release in state.releases.values() {
            self.releases.count(self.first_day, release.at);
        }
        if installs > 0 {
            self.popular.push(ModuleRank { name: name.to_string(), count: installs });
        }
        self.known.insert(name.folded(), !state.releases.is_empty());
        let Some(newest) = state.newest() else { return };
        self.independent += u64::from(newest.release.dependencies.is_empty());
        for needed in &newest.release.dependencies {
            self.needed.entry(needed.name.folded()).or_insert_with(|| (needed.name.clone(), 0)).1 += 1;
        }
    }

    /// Sums up.
    pub fn finish(self) -> Analytics {
        let Self { known, needed, .. } = self;
        let is_known = |name: &FoldedName| known.get(name).copied().unwrap_or(false);
        let (mut here, mut missing) = (Vec::new(), Vec::new());
        for (folded, (name, count)) in needed {
            let list = if is_known(&folded) { &mut here } else { &mut missing };
            list.push(ModuleRank { name: name.to_string(), count });
        }
        Analytics {
            begins: Timestamp::default().plus(Duration::from_millis(self.first_day * DAY_MILLIS)),
            names: self.names,
            modules: self.modules,
            releases: self.releases,
            popular: ranked(self.popular),
            needed: ranked(here),
            missing: ranked(missing),
            independent: self.independent,
        }
    }
}

/// The first [`RANKED_MAX`] by count, then by name.
fn ranked(mut all: Vec<ModuleRank>) -> Vec<ModuleRank> {
    all.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
    all.truncate(RANKED_MAX);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon(day: u64) -> Timestamp {
        Timestamp::from_millis(day * DAY_MILLIS + DAY_MILLIS / 2)
    }

    #[test]
    fn counts_each_day_apart_and_older_ones_before() {
        let mut tally = Tally::new(noon(100), 7);
        let days = [3, 93, 94, 94, 100, 101];
        days.into_iter().for_each(|day| tally.name(noon(day)));
        let result = tally.finish();
        assert_eq!(result.names, DailyCount { total: 6, before: 2, days: vec![2, 0, 0, 0, 0, 0, 2] });
        assert_eq!(result.begins, Timestamp::from_millis(94 * DAY_MILLIS));
        assert_eq!(result.modules.total, 0);
    }

    #[test]
    fn clamps_the_number_of_days() {
        for (asked, days) in [(0, 1), (1, 1), (DAYS_MAX, DAYS_MAX), (u32::MAX, DAYS_MAX)] {
            assert_eq!(Tally::new(noon(1), asked).finish().names.days.len(), days as usize);
        }
    }

    #[test]
    fn ranks_in_a_fixed_order_within_the_bound() {
        let all = (0..2 * RANKED_MAX).map(|nth| ModuleRank { name: format!("m{nth:02}"), count: nth as u64 / 2 });
        let ranked = ranked(all.rev().collect());
        let names: Vec<&str> = ranked.iter().take(4).map(|rank| rank.name.as_str()).collect();
        assert_eq!((names, ranked.len()), (vec!["m18", "m19", "m16", "m17"], RANKED_MAX));
    }
}
