//! Ratings: this person's stars and review of a module.

use semver::Version;

use crate::RequestId;
use crate::modules::errors;
use crate::modules::input::parse_name;
use crate::modules::publish::Publisher;
use crate::registry::Draft;
use gen_registry_api::*;
use gen_registry_core::document::{Edit, Rating};
use gen_registry_core::keys::Did;
use gen_registry_core::limits::{RATINGS_MAX, REVIEW_MAX_CHARS};
use gen_registry_core::name::ModuleName;

impl Publisher {
    /// Rates a module in the own document, or removes the rating (`stars` is `None`). The installed version is recorded
    /// with it.
    pub(super) async fn rate(
        &self,
        id: Option<RequestId>,
        name: &str,
        stars: Option<u8>,
        review: &str,
    ) -> Result<(), Failure> {
        let name = parse_name(name)?;
        let keys = self.keys.keys_or_new()?;
        let review = review.trim();
        if review.chars().count() > REVIEW_MAX_CHARS {
            return Err(errors::details_invalid(format!("A review has at most {REVIEW_MAX_CHARS} characters.")));
        }
        if stars.is_some_and(|stars| !(1..=5).contains(&stars)) {
            return Err(errors::details_invalid("A rating has one to five stars.".to_owned()));
        }
        let (name, version) = self.may_rate(&name, &keys.did())?;
        let rating = stars.map(|stars| Rating { stars, review: review.to_owned(), at: self.context.now(), version });
        let edits = vec![Edit::Rate { name, rating }];
        self.registry.write(id, keys, Draft::of_edits(edits)).await.map(drop)
    }

    /// The module as its holder spells it, and the version of it that is installed.
    fn may_rate(&self, name: &ModuleName, own: &Did) -> Result<(ModuleName, Option<Version>), Failure> {
        let read_model = self.registry.read_model();
        if read_model.module(&name.folded()).releases.is_empty() {
            return Err(errors::unknown_module(name.as_str()));
        }
        let name = read_model.spelled(name);
        // A module that was rated before may always be rated again.
        let one_more = read_model.person(own).is_some_and(|own| {
            own.annotations.ratings.len() >= RATINGS_MAX && !own.annotations.ratings.contains_key(&name)
        });
        if one_more {
            return Err(errors::details_invalid(format!("An identity rates at most {RATINGS_MAX} modules.")));
        }
        let version = self.installations.version_of(&name);
        Ok((name, version))
    }
}
