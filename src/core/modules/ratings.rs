//! Ratings of modules and counted installs: sums over all documents.
//!
//! There is one rating for each person and module, by construction. Installs are what people count of themselves; the
//! sum is an estimate and is called one.

use std::collections::{BTreeMap, HashMap};

use crate::document::{ModuleAnnotations, Rating};
use crate::identity::Identity;
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
    pub ratings: BTreeMap<Identity, Rating>,
    pub installs: BTreeMap<Identity, u64>,
}

impl Ratings {
    /// Replaces what one person rated and installed `before` by what the person's document says `now`.
    pub fn replace(&mut self, who: Identity, before: Option<&ModuleAnnotations>, now: &ModuleAnnotations) {
        if let Some(before) = before {
            for name in before.ratings.keys().chain(before.installs.keys()) {
                let name = name.folded();
                if let Some(opinion) = self.0.get_mut(&name) {
                    opinion.ratings.remove(&who);
                    opinion.installs.remove(&who);
                    if opinion.ratings.is_empty() && opinion.installs.is_empty() {
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
    use crate::identity::SigningIdentity;
    use crate::name::ModuleName;
    use crate::time::Timestamp;

    fn person(seed: u8) -> Identity {
        SigningIdentity::from_entropy(&[seed; 32]).identity()
    }

    fn shelf(name: &str, stars: u8, installs: u64) -> ModuleAnnotations {
        let name: ModuleName = name.parse().expect("a name");
        let rating = Rating { stars, review: String::new(), at: Timestamp::default(), version: None };
        ModuleAnnotations {
            ratings: BTreeMap::from([(name.clone(), rating)]),
            installs: BTreeMap::from([(name, installs)]),
            ..ModuleAnnotations::default()
        }
    }

    #[test]
    fn a_newer_rating_takes_the_place_of_the_older_one() {
        let mut opinions = Ratings::default();
        let module = "crc-32".parse::<ModuleName>().expect("a name").folded();
        let (first, second) = (shelf("crc_32", 1, 3), shelf("crc-32", 5, 1_000));
        opinions.replace(person(1), None, &first);
        opinions.replace(person(1), Some(&first), &second);
        opinions.replace(person(2), None, &shelf("crc.32", 4, 2));
        let opinion = opinions.on(&module).expect("an opinion");
        assert_eq!((opinion.ratings.len(), opinion.stars()), (2, Some(4.5)));
        assert_eq!(opinion.downloads(), INSTALLS_OF_ONE_MAX + 2, "nobody counts for a crowd");
        opinions.replace(person(1), Some(&second), &ModuleAnnotations::default());
        opinions.replace(person(2), Some(&shelf("crc.32", 4, 2)), &ModuleAnnotations::default());
        assert!(opinions.on(&module).is_none(), "nothing is left behind");
    }

    #[test]
    fn one_enthusiast_does_not_beat_many_content() {
        let rated = |stars: u8, people: std::ops::Range<u8>| {
            let mut opinions = Ratings::default();
            people.for_each(|seed| opinions.replace(person(seed), None, &shelf("crc", stars, 1)));
            opinions.on(&"crc".parse::<ModuleName>().expect("a name").folded()).expect("one").score()
        };
        assert!(rated(4, 1..40) > rated(5, 1..2));
    }
}
