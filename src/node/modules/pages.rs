//! Questions about modules, in the boundary's data.

use semver::Version;

use crate::modules::answers::{author, name_status, release_summary};
use crate::modules::catalog::ModuleCatalog;
use crate::modules::errors;
use crate::modules::input::parse_name;
use crate::modules::installed::InstalledModules;
use crate::modules::opinions::Opinions;
use gen_registry_api::*;
use gen_registry_core::document::{ModuleFacet, Rating};
use gen_registry_core::keys::Did;
use gen_registry_core::modules::ratings::{OpinionClass, RatingState, RatingTotals};
use gen_registry_core::modules::{CountedRelease, WhyNotCounted};
use gen_registry_core::name::{FoldedName, ModuleName, parse_input};
use gen_registry_core::read_model::{Availability, ReadModel};
use gen_registry_core::visible_text::visible;

/// Reviews on a module's page, the newest ones.
const REVIEWS_SHOWN: usize = 50;
/// Versions, the newest ones, of which a page says whether they are on this device.
const VERSIONS_LOOKED_AT: usize = 20;

impl ModuleCatalog {
    pub(super) fn check_name(&self, text: &str) -> ModuleNameCheck {
        let read_model = self.registry.read_model();
        let (name, verdict, versions) = match parse_input::<ModuleName>(text) {
            Err(error) => {
                let message = errors::sentence(&error.to_string());
                (None, NameVerdict::Invalid { rule: error.rule().to_owned(), message }, Vec::new())
            }
            Ok(name) => {
                let own = self.keys.identity();
                let verdict = match read_model.module_availability(&name, own.as_ref(), self.context.now()) {
                    Availability::Free | Availability::GivenToYou => NameVerdict::Available,
                    Availability::Contested => NameVerdict::Contested,
                    Availability::Yours => NameVerdict::Yours,
                    Availability::ClosedUntil(at) => NameVerdict::CoolingDown { free_at: at.as_millis() },
                    Availability::HeldBy(holder) => {
                        let holder = author(&read_model, &holder)
                            .username
                            .map(|username| format!("@{username}"))
                            .unwrap_or_else(|| "somebody without a name".to_owned());
                        let message = format!("{} belongs to {holder}.", read_model.spelled(&name));
                        NameVerdict::Invalid { rule: "taken".to_owned(), message }
                    }
                };
                let module = read_model.module(&name.folded());
                let versions = module.releases.keys().rev().map(Version::to_string).collect();
                (Some(name.to_string()), verdict, versions)
            }
        };
        ModuleNameCheck { text: text.to_owned(), name, verdict, versions }
    }

    pub(super) async fn page(&self, name: &str) -> Result<Option<ModulePage>, Failure> {
        let Ok(name) = parse_name(name) else { return Ok(None) };
        let folded = name.folded();
        let name = self.registry.read_model().spelled(&name);
        let Some(mut page) = self.page_of(&name) else { return Ok(None) };
        let latest = self.registry.read_model().module(&folded).latest().map(|latest| latest.release.version.clone());
        match latest.map(|version| self.closure(&name, &version)) {
            Some(Ok(closure)) => page.needed = closure.iter().map(|(name, counted)| needed(name, counted)).collect(),
            Some(Err(failure)) => page.unresolved = Some(failure),
            None => {}
        }
        page.installed = self.installed_module(&name);
        self.mark_versions_here(&mut page, &folded).await;
        Ok(Some(page))
    }

    /// What the read model alone knows of a module whose name somebody holds.
    fn page_of(&self, name: &ModuleName) -> Option<ModulePage> {
        let read_model = self.registry.read_model();
        let folded = name.folded();
        let name_state = read_model.module_name(&folded)?;
        let holder = name_state.holder()?.tenure.holder;
        let module = read_model.module(&folded);
        let opinions = self.opinions(&read_model);
        let ratings = read_model.ratings(&folded);
        let refused = module.others.iter().map(|refused| RefusedVersion {
            version: refused.release.version.to_string(),
            release: refused.entry.to_string(),
            author: author(&read_model, &refused.author),
            reason: release_refusal(refused.why),
        });
        let dependents = read_model.dependents(&folded).into_iter();
        let dependents =
            dependents.map(|(name, version)| Requirement { name: name.to_string(), requirement: version.to_string() });
        Some(ModulePage {
            name: name.to_string(),
            holder: author(&read_model, &holder),
            status: name_status(name_state),
            mine: self.keys.identity() == Some(holder),
            details: details(read_model.facet(name)),
            latest: module.latest().map(|release| release.release.version.to_string()),
            versions: module.releases.values().rev().map(|release| version_entry(&read_model, release)).collect(),
            refused: refused.collect(),
            needed: Vec::new(),
            unresolved: None,
            dependents: dependents.collect(),
            opinion: summary(&opinions.totals(&folded)),
            reviews: ratings.map(|ratings| self.reviews(&opinions, ratings)).unwrap_or_default(),
            installed: None,
            blocked: self.decisions.blocks_module(name, Some(&holder)),
            answered_by: AnsweredBy::Device,
        })
    }

    /// Looks at the store for the newest ones only.
    async fn mark_versions_here(&self, page: &mut ModulePage, folded: &FoldedName) {
        let module = self.registry.read_model().module(folded);
        for (entry, counted) in page.versions.iter_mut().zip(module.releases.values().rev()).take(VERSIONS_LOOKED_AT) {
            let progress = self.content.artifact_progress(&counted.release.artifact).await;
            entry.here = progress.is_ok_and(|progress| progress.done == progress.total);
        }
    }

    /// Returns the state that classifies opinions.
    pub(super) fn opinions<'a>(&'a self, read_model: &'a ReadModel) -> Opinions<'a> {
        Opinions { read_model, decisions: &self.decisions, now: self.context.now() }
    }

    /// The own review, then those that count, then the others, the newest first.
    fn reviews(&self, opinions: &Opinions<'_>, state: &RatingState) -> Vec<Review> {
        let own = self.keys.identity();
        let classed = state.ratings.iter().map(|(who, rating)| (who, opinions.class_of(who), rating));
        let mut all: Vec<_> = classed.filter(|(_, class, _)| *class != OpinionClass::Blocked).collect();
        all.sort_by_key(|(who, class, rating)| {
            (Some(**who) != own, *class != OpinionClass::Counted, std::cmp::Reverse(rating.at))
        });
        let review = |(who, class, rating): (&Did, OpinionClass, &Rating)| Review {
            author: author(opinions.read_model, who),
            counted: class == OpinionClass::Counted,
            stars: rating.stars,
            text: visible(&rating.review).into_owned(),
            at: rating.at.as_millis(),
            version: rating.version.as_ref().map(Version::to_string),
            mine: Some(*who) == own,
        };
        all.into_iter().take(REVIEWS_SHOWN).map(review).collect()
    }

    /// None for what is not there, and for what the person blocks.
    pub(super) fn card_of(&self, read_model: &ReadModel, name: &ModuleName) -> Option<ModuleCard> {
        let holder = read_model.module_name(&name.folded())?.holder()?.tenure.holder;
        let name = read_model.spelled(name);
        if self.decisions.blocks_module(&name, Some(&holder)) {
            return None;
        }
        card(&self.opinions(read_model), &self.installations.all(), &name, &holder, read_model.facet(&name))
    }
}

fn needed(name: &ModuleName, counted: &CountedRelease) -> NeededModule {
    NeededModule {
        name: name.to_string(),
        version: counted.release.version.to_string(),
        needs: counted.release.dependencies.iter().map(|needed| needed.name.to_string()).collect(),
    }
}

/// None for a name without a release that counts.
pub(super) fn card(
    opinions: &Opinions<'_>,
    installed: &InstalledModules,
    name: &ModuleName,
    holder: &Did,
    facet: Option<&ModuleFacet>,
) -> Option<ModuleCard> {
    let read_model = opinions.read_model;
    let module = read_model.module(&name.folded());
    let latest = module.newest()?;
    let facet = facet.cloned().unwrap_or_default();
    Some(ModuleCard {
        name: name.to_string(),
        title: facet.description.title,
        description: facet.description.description,
        tags: facet.description.tags.into_iter().collect(),
        version: latest.release.version.to_string(),
        published_at: latest.at.as_millis(),
        size: latest.release.artifact.size,
        holder: author(read_model, holder),
        opinion: summary(&opinions.totals(&name.folded())),
        imports_nothing: facet.imports.is_none(),
        deprecated: facet.description.deprecated.is_some(),
        installed: installed.get(name).map(|installed| installed.version.to_string()),
    })
}

fn version_entry(read_model: &ReadModel, counted: &CountedRelease) -> VersionEntry {
    VersionEntry {
        summary: release_summary(read_model, counted),
        published_at: counted.at.as_millis(),
        status: match read_model.registry().has_witnesses() {
            true => NameStatus::Confirmed,
            false => NameStatus::Provisional,
        },
        dependencies: counted
            .release
            .dependencies
            .iter()
            .map(|needed| Requirement { name: needed.name.to_string(), requirement: needed.requirement.to_string() })
            .collect(),
        here: false,
    }
}

fn release_refusal(why: WhyNotCounted) -> ReleaseRefusal {
    match why {
        WhyNotCounted::NotHolder => ReleaseRefusal::NotHolder,
        WhyNotCounted::Pending => ReleaseRefusal::Unconfirmed,
        WhyNotCounted::VersionTaken { .. } => ReleaseRefusal::VersionTaken,
    }
}

fn details(facet: Option<&ModuleFacet>) -> ModuleDetails {
    let facet = facet.cloned().unwrap_or_default();
    let words =
        |text: Option<String>| text.map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default();
    ModuleDetails { description: facet.description, imports: words(facet.imports), exports: words(facet.exports) }
}

fn summary(totals: &RatingTotals) -> RatingSummary {
    RatingSummary {
        stars: totals.stars(),
        ratings: totals.ratings,
        downloads: totals.downloads,
        ratings_apart: totals.ratings_apart,
        downloads_apart: totals.downloads_apart,
    }
}
