//! Ratings of modules and counted installs: sums over all documents.
//!
//! There is one rating for each person and module, by construction. Installs are what people count of themselves; the
//! sum is an estimate and is called one.

use std::collections::{BTreeMap, HashMap};

use crate::document::{ModuleAnnotations, Rating};
use crate::keys::Did;
use crate::name::FoldedName;

/// A module counts as if it had this many more ratings…
const PRIOR_RATINGS: f64 = 5.0;
/// … of this many stars each (Bayesian average). One rating of 5 stars scores 3.33; forty of 4 score 3.89.
const PRIOR_STARS: f64 = 3.0;
/// The most that one person adds to a module's installs: several devices and updates, but no inflated counters.
pub const INSTALLS_OF_ONE_MAX: u64 = 20;

/// The ratings and installs of all modules.
#[derive(Clone, Debug, Default)]
pub struct Ratings(HashMap<FoldedName, RatingState>);

/// The ratings and installs of one module, by person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RatingState {
    pub ratings: BTreeMap<Did, Rating>,
    pub installs: BTreeMap<Did, u64>,
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
    /// The mean of the stars, 1 to 5, or `None` without ratings.
    pub fn stars(&self) -> Option<f64> {
        let count = self.ratings.len();
        (count > 0).then(|| self.sum_of_stars() / count as f64)
    }

    /// The value to sort by: the Bayesian average of the stars, which is 3 without ratings.
    pub fn score(&self) -> f64 {
        (self.sum_of_stars() + PRIOR_RATINGS * PRIOR_STARS) / (self.ratings.len() as f64 + PRIOR_RATINGS)
    }

    fn sum_of_stars(&self) -> f64 {
        self.ratings.values().map(|rating| f64::from(rating.stars)).sum()
    }

    /// The estimated number of installs.
    pub fn downloads(&self) -> u64 {
        self.installs.values().map(|count| (*count).min(INSTALLS_OF_ONE_MAX)).sum()
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
        assert_eq!((state.ratings.len(), state.stars()), (2, Some(4.5)));
        assert_eq!(state.downloads(), INSTALLS_OF_ONE_MAX + 2, "one person adds a bounded number");
        ratings.replace(person(1), Some(&second), &ModuleAnnotations::default());
        ratings.replace(person(2), Some(&annotations("crc.32", 4, 2)), &ModuleAnnotations::default());
        assert!(ratings.on(&module).is_none(), "nothing is left behind");
    }

    #[test]
    fn scores_many_good_ratings_above_a_single_best_one() {
        let rated = |stars: u8, people: std::ops::Range<u8>| {
            let mut ratings = Ratings::default();
            people.for_each(|seed| ratings.replace(person(seed), None, &annotations("crc", stars, 1)));
            ratings.on(&"crc".parse::<ModuleName>().expect("a name").folded()).expect("one").score()
        };
        assert!(rated(4, 1..40) > rated(5, 1..2));
    }
}
