//! Lists of modules without the index: every module is looked at.

use gen_registry_api::*;
use gen_registry_core::document::ModuleFacet;
use gen_registry_core::keys::Did;
use gen_registry_core::modules::description::ModuleDescription;
use gen_registry_core::name::ModuleName;
use gen_registry_core::search::QUESTION_MAX_WORDS;

use crate::modules::catalog::ModuleCatalog;
use crate::modules::pages::card;
use crate::time_slice::TimeSlice;

/// Modules that are looked at before the time is: less than a millisecond of work.
const STEP: usize = 64;

/// What is looked for: words in lower case, conditions, an order.
struct Wanted<'a> {
    words: Vec<String>,
    filter: &'a ModuleFilter,
    /// A text that is no identity names nobody.
    owner: Option<Option<Did>>,
    sort: ModuleSort,
}

impl<'a> Wanted<'a> {
    fn new(text: &str, filter: &'a ModuleFilter, sort: ModuleSort) -> Self {
        let words = text.to_lowercase().split_whitespace().take(QUESTION_MAX_WORDS).map(str::to_owned).collect();
        let owner = filter.owner.as_ref().map(|did| did.parse().ok());
        Self { words, filter, owner, sort }
    }
}

impl ModuleCatalog {
    pub(super) fn list(&self, filter: &ModuleFilter, sort: ModuleSort, limit: u32, cursor: Option<u32>) -> ModuleList {
        self.scan("", filter, sort, limit, cursor)
    }

    /// The modules of which each word of `text` is said, letter by letter.
    pub(super) fn scan(
        &self,
        text: &str,
        filter: &ModuleFilter,
        sort: ModuleSort,
        limit: u32,
        cursor: Option<u32>,
    ) -> ModuleList {
        let mut cards = Vec::new();
        self.scan_step(&Wanted::new(text, filter, sort), None, usize::MAX, &mut cards);
        sort_cards(&mut cards);
        let begin = cursor.unwrap_or(0) as usize;
        let (total, end) = (cards.len(), begin.saturating_add(limit as usize));
        let modules = cards.into_iter().map(|(_, card)| card).skip(begin).take(limit as usize).collect();
        ModuleList { modules, cursor: (end < total).then_some(end as u32), total: total as u64 }
    }

    /// The best of the same, in time slices, of at most `scanned_max` modules.
    pub(super) async fn scan_some(
        &self,
        text: &str,
        filter: &ModuleFilter,
        sort: ModuleSort,
        most: u32,
        scanned_max: usize,
    ) -> Vec<ModuleCard> {
        let (wanted, mut cards, mut after) = (Wanted::new(text, filter, sort), Vec::new(), None);
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        for _ in 0..scanned_max.div_ceil(STEP) {
            after = self.scan_step(&wanted, after.as_ref(), STEP, &mut cards);
            sort_cards(&mut cards);
            cards.truncate(most as usize);
            if after.is_none() {
                break;
            }
            time_slice.yield_if_spent().await;
        }
        cards.into_iter().map(|(_, card)| card).collect()
    }

    /// Adds what is wanted of the next modules. Returns the last one that it looked at, or `None` if no more follow.
    fn scan_step(
        &self,
        wanted: &Wanted<'_>,
        after: Option<&ModuleName>,
        count: usize,
        cards: &mut Vec<(f64, ModuleCard)>,
    ) -> Option<ModuleName> {
        let (read_model, installed) = (self.registry.read_model(), self.installations.all());
        let opinions = self.opinions(&read_model);
        let mut modules = read_model.modules(after);
        let mut last = None;
        for (name, holder) in modules.by_ref().take(count) {
            last = Some(name);
            let is_owned = wanted.owner.is_none_or(|owner| owner == Some(*holder));
            if !is_owned || self.decisions.blocks_module(name, Some(holder)) {
                continue;
            }
            let facet = read_model.facet(name);
            if !has_wanted_facet(wanted.filter, facet.unwrap_or(&ModuleFacet::default())) {
                continue;
            }
            let Some(likeness) = match_weight(&wanted.words, name, facet) else { continue };
            let Some(card) = card(&opinions, &installed, name, holder, facet) else { continue };
            let weight = match wanted.sort {
                ModuleSort::Name => 0.0,
                ModuleSort::Relevance if !wanted.words.is_empty() => likeness,
                ModuleSort::Recent | ModuleSort::Relevance => card.published_at as f64,
                ModuleSort::Popular => card.opinion.downloads as f64,
                ModuleSort::Rated => opinions.totals(&name.folded()).score(),
            };
            cards.push((weight, card));
        }
        last.filter(|_| modules.next().is_some()).cloned()
    }
}

/// Best first. Stable: the order of the names among equals.
fn sort_cards(cards: &mut [(f64, ModuleCard)]) {
    cards.sort_by(|(one, _), (other, _)| other.total_cmp(one));
}

/// Whether a module with this description passes the filter.
fn has_wanted_facet(filter: &ModuleFilter, facet: &ModuleFacet) -> bool {
    let exports = |wanted: &String| facet.exports.as_ref().is_some_and(|all| all.split(' ').any(|word| word == wanted));
    filter.tag.as_ref().is_none_or(|tag| facet.description.tags.contains(tag))
        && (!filter.imports_nothing || facet.imports.is_none())
        && filter.exports.as_ref().is_none_or(exports)
}

/// How well words, in lower case, match what is said of a module: the worst of them counts. None where one is not said.
fn match_weight(words: &[String], name: &ModuleName, facet: Option<&ModuleFacet>) -> Option<f64> {
    let weights = words.iter().map(|word| {
        if name.as_str().contains(word.as_str()) {
            return Some(2.0);
        }
        let ModuleDescription { title, description, tags, .. } = &facet?.description;
        let said =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.to_lowercase().contains(word.as_str()));
        (said(title) || said(description) || tags.contains(word)).then_some(1.0)
    });
    weights.into_iter().try_fold(2.0, |worst: f64, weight| Some(worst.min(weight?)))
}
