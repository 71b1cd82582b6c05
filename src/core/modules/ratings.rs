//! Ratings of modules and counted installs: sums over all documents.
//!
//! There is one rating for each person and module, by construction. Installs are what people count of themselves; the
//! sum is an estimate and is called one.
//!
//! Identities cost nothing, so opinions count only of people with a username that witnesses confirmed at least
//! [`NAMED_FOR`] ago. Those of others are added up apart, and what blocked people say is left out ([`OpinionClass`]).
//!
//! # Example
//! Alice (confirmed in May) gives `crc32` 4 stars. Fifty identities that were made today give it 1 star each, and count
//! 20 installs each. The totals say: 4 stars of one rating, no installs; apart from that 50 ratings and 1,000 installs.
//! [`RatingTotals::score`] is the same as without the fifty.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::document::{ModuleAnnotations, Rating};
use crate::keys::Did;
use crate::name::FoldedName;

/// A module counts as if it had this many more ratings…
const PRIOR_RATINGS: f64 = 5.0;
/// … of this many stars each (Bayesian average). One rating of 5 stars scores 3.33; forty of 4 score 3.89.
const PRIOR_STARS: f64 = 3.0;
/// The most that one person adds to a module's installs: several devices and updates, but no inflated counters.
pub const INSTALLS_OF_ONE_MAX: u64 = 20;
/// How long ago, by their receipts, witnesses must have confirmed a person's username for the person's opinions to
/// count. Each name costs work and a witness's time, so a crowd is not free; a week is longer than a campaign is
/// worth planning for, gives others time to block who floods, and is short for somebody who stays.
pub const NAMED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The ratings and installs of all modules.
#[derive(Clone, Debug, Default)]
pub struct Ratings(HashMap<FoldedName, RatingState>);

/// The ratings and installs of one module, by person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RatingState {
    pub ratings: BTreeMap<Did, Rating>,
    pub installs: BTreeMap<Did, u64>,
}

/// What is done with a person's opinions of modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpinionClass {
    /// Part of stars, counts and order.
    Counted,
    /// Shown apart, and part of nothing: the person has no name that was confirmed long enough ago.
    Apart,
    /// Neither shown nor counted: the owner of this device blocked the person.
    Blocked,
}

/// The ratings and installs of one module, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RatingTotals {
    sum_of_stars: u64,
    /// Ratings that count.
    pub ratings: u64,
    /// The estimated number of installs that count.
    pub downloads: u64,
    /// Ratings that are shown apart.
    pub ratings_apart: u64,
    /// Installs that are shown apart.
    pub downloads_apart: u64,
}

impl Ratings {
    /// Replaces what one person rated and installed `before` by what the person's document says `now`.
    pub fn replace(&mut self, who: Did, before: Option<&ModuleAnnotations>, now: &ModuleAnnotations) {
        if let Some(before) = before {
            for name in before.ratings.keys().chain(before.installs.keys()) {
                let name = name.folded();
                if let Some(state) = self.0.get_mut(&name) {
                    state.ratings.remove(&who);
                    state.installs.remove(&who);
                    if state.ratings.is_empty() && state.installs.is_empty() {
                        self.0.remove(&name);
                    }
                }
            }
        }
        for (name, rating) in &now.ratings {
            self.0.entry(name.folded()).or_default().ratings.insert(who, rating.clone());
        }
        for (name, count) in &now.installs {
            self.0.entry(name.folded()).or_default().installs.insert(who, *count);
        }
    }

    /// What is known of one module, or `None` if it has neither ratings nor installs.
    pub fn on(&self, module: &FoldedName) -> Option<&RatingState> {
        self.0.get(module)
    }
}

impl RatingState {
    /// Adds up what people say, each by the class of the person's opinions.
    pub fn totals(&self, class_of: impl Fn(&Did) -> OpinionClass) -> RatingTotals {
        let mut totals = RatingTotals::default();
        for (who, rating) in &self.ratings {
            match class_of(who) {
                OpinionClass::Counted => {
                    totals.sum_of_stars += u64::from(rating.stars);
                    totals.ratings += 1;
                }
                OpinionClass::Apart => totals.ratings_apart += 1,
                OpinionClass::Blocked => {}
            }
        }
        for (who, count) in &self.installs {
            let count = (*count).min(INSTALLS_OF_ONE_MAX);
            match class_of(who) {
                OpinionClass::Counted => totals.downloads += count,
                OpinionClass::Apart => totals.downloads_apart += count,
                OpinionClass::Blocked => {}
            }
        }
        totals
    }
}

impl RatingTotals {
    /// The mean of the stars that count, 1 to 5, or `None` without such ratings.
    pub fn stars(&self) -> Option<f64> {
        (self.ratings > 0).then(|| self.sum_of_stars as f64 / self.ratings as f64)
    }

    /// The value to sort by: the Bayesian average of the stars that count, which is 3 without any.
    pub fn score(&self) -> f64 {
        (self.sum_of_stars as f64 + PRIOR_RATINGS * PRIOR_STARS) / (self.ratings as f64 + PRIOR_RATINGS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::name::ModuleName;
    use crate::time::Timestamp;

    fn person(seed: u8) -> Did {
        Did::from_digest(Digest::of(&[seed]))
    }

    fn annotations(name: &str, stars: u8, installs: u64) -> ModuleAnnotations {
        let name: ModuleName = name.parse().expect("a name");
        let rating = Rating { stars, review: String::new(), at: Timestamp::default(), version: None };
        ModuleAnnotations {
            ratings: BTreeMap::from([(name.clone(), rating)]),
            installs: BTreeMap::from([(name, installs)]),
            ..ModuleAnnotations::default()
        }
    }

    #[test]
    fn replaces_the_older_rating_of_a_person() {
        let mut ratings = Ratings::default();
        let module = "crc-32".parse::<ModuleName>().expect("a name").folded();
        let (first, second) = (annotations("crc_32", 1, 3), annotations("crc-32", 5, 1_000));
        ratings.replace(person(1), None, &first);
        ratings.replace(person(1), Some(&first), &second);
        ratings.replace(person(2), None, &annotations("crc.32", 4, 2));
        let state = ratings.on(&module).expect("a state");
        let totals = state.totals(|_| OpinionClass::Counted);
        assert_eq!((totals.ratings, totals.stars()), (2, Some(4.5)));
        assert_eq!(totals.downloads, INSTALLS_OF_ONE_MAX + 2, "one person adds a bounded number");
        ratings.replace(person(1), Some(&second), &ModuleAnnotations::default());
        ratings.replace(person(2), Some(&annotations("crc.32", 4, 2)), &ModuleAnnotations::default());
        assert!(ratings.on(&module).is_none(), "nothing is left behind");
    }

    #[test]
    fn scores_many_good_ratings_above_a_single_best_one() {
        let rated = |stars: u8, people: std::ops::Range<u8>| {
            let mut ratings = Ratings::default();
            people.for_each(|seed| ratings.replace(person(seed), None, &annotations("crc", stars, 1)));
            let state = ratings.on(&"crc".parse::<ModuleName>().expect("a name").folded()).expect("one").clone();
            state.totals(|_| OpinionClass::Counted).score()
        };
        assert!(rated(4, 1..40) > rated(5, 1..2));
    }
}
