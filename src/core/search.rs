//! Full-text search for modules: an index in memory, the only owner of `tantivy`.
//!
//! # Two parts
//! Tantivy builds immutable segments, and building one takes time. So the index is a large *base*, built rarely, and a
//! small part with the documents that are new since. An updated document is hidden in the base and added to the new
//! part; [`SearchIndex::merge`] makes one base of both. Numbers that change daily (downloads, ratings) are kept beside
//! the texts and replaced without building anything.
//!
//! # How a question is answered
//! A question is a stranger's text: it is cut to [`QUESTION_MAX_CHARS`] and [`QUESTION_MAX_WORDS`] and answered, never
//! refused. It is asked up to three times, from strict to lenient, until there are [`ENOUGH`] answers. For `image
//! resze`:
//! 1. every word as written, the last one perhaps unfinished: `resze` begins no word, so nothing is found;
//! 2. one typing error in each word of four letters or more: modules about `image` and `resize` are found;
//! 3. only if nothing was found yet: one of the words is enough.
//!
//! A match in the name weighs ten times one in the description; `query` lists all weights.
//!
//! - one part: `segment`; from a text to a query: `query`; as bytes: `snapshot`; as a service: [`service`]

mod query;
mod segment;
pub mod service;
mod snapshot;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::limits::QUESTION_MAX_CHARS;
use crate::search::query::{Leniency, words_of};
use crate::search::segment::{Part, TermStatistics};

/// The most words of a question that are looked up.
pub const QUESTION_MAX_WORDS: usize = 8;
/// The most names on one page of an answer.
pub const FOUND_MAX: u32 = 200;
/// With fewer answers than this, the next more lenient way of asking is tried.
pub const ENOUGH: usize = 10;
/// With more new documents than this, a search merges them into the base first.
pub const FRESH_MAX: usize = 1_000;

/// What is indexed of one module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchDocument {
    /// The folded name ([`FoldedName`](crate::name::FoldedName)); there is one document for each.
    pub key: String,
    /// As its holder spells it.
    pub name: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    /// The holder, `did:gen:…`.
    pub owner: String,
    /// The holder's username, or empty.
    pub owner_name: String,
    /// Imports as `namespace.name`.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub numbers: Numbers,
}

/// What results are sorted by; not part of the text index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// When the newest version was published, in milliseconds since 1970.
    pub published_at: u64,
    pub downloads: u64,
    /// The Bayesian average of the ratings ([`RatingTotals::score`](crate::modules::ratings::RatingTotals::score)).
    pub score: f64,
    /// Bytes of the newest version.
    pub size: u64,
}

/// A question: text, filter, order and page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Free text; the last word may be unfinished. Empty: everything that the filter admits.
    pub text: String,
    pub filter: Filter,
    pub order: SortBy,
    /// Results to leave out at the beginning.
    pub skip: u32,
    /// At most [`FOUND_MAX`].
    pub limit: u32,
}

/// Conditions that a document must meet; all of those that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub tag: Option<String>,
    pub owner: Option<String>,
    pub imports_nothing: bool,
    pub exports: Option<String>,
}

/// The order of the results, best first. Equal ones are ordered by relevance, downloads and key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortBy {
    /// By the match with the text; without a text, newest first.
    #[default]
    Relevance,
    Recent,
    Popular,
    Rated,
    Name,
}

/// One page of results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHits {
    /// Names as their holders spell them, best first.
    pub names: Vec<String>,
    /// The number of results on all pages.
    pub total: u64,
}

/// A failure of the engine; questions themselves never fail.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the index does not work")]
    Engine(#[from] tantivy::TantivyError),
}

/// Why saved bytes are no index of this program; it must be built again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIndex {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is of another version")]
    Version,
    #[error("it can't be read")]
    Unreadable,
}

/// The index: a base and what is new since.
pub struct SearchIndex {
    base: Part,
    /// New since the base was built; the base hides its documents of these keys.
    news: BTreeMap<String, SearchDocument>,
    /// The index of `news`, built at the first question after a change.
    fresh: Option<Part>,
}

impl Filter {
    /// Returns whether the document meets every condition.
    fn keeps(&self, document: &SearchDocument) -> bool {
        self.tag.as_ref().is_none_or(|tag| document.tags.contains(tag))
            && self.owner.as_ref().is_none_or(|owner| *owner == document.owner)
            && (!self.imports_nothing || document.imports.is_empty())
            && self.exports.as_ref().is_none_or(|function| document.exports.contains(function))
    }
}

impl SearchDocument {
    /// Returns whether only the numbers differ.
    fn has_same_texts(&self, other: &Self) -> bool {
        Self { numbers: other.numbers, ..self.clone() } == *other
    }
}

impl SearchIndex {
    /// An empty index.
    pub fn new() -> Result<Self, SearchError> {
        Ok(Self { base: Part::build(Vec::new())?, news: BTreeMap::new(), fresh: None })
    }

    /// The number of documents that can be found.
    pub fn len(&self) -> usize {
        self.base.len() + self.news.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of documents that [`SearchIndex::merge`] would bring into the base.
    pub fn waiting(&self) -> usize {
        self.news.len()
    }

    /// Adds documents, or replaces those of the same keys.
    pub fn update(&mut self, documents: Vec<SearchDocument>) {
        for document in documents {
            match self.base.get_mut(&document.key) {
                Some(known) if known.has_same_texts(&document) => known.numbers = document.numbers,
                _ => {
                    if self.news.get(&document.key) != Some(&document) {
                        self.base.hide(&document.key);
                        self.fresh = None;
                        self.news.insert(document.key.clone(), document);
                    }
                }
            }
        }
    }

    /// Removes the documents of these keys; unknown ones are ignored.
    pub fn remove(&mut self, keys: &[String]) {
        for key in keys {
            self.base.hide(key);
            if self.news.remove(key).is_some() {
                self.fresh = None;
            }
        }
    }

    /// Removes all documents but those of these keys.
    pub fn keep(&mut self, keys: &BTreeSet<String>) {
        let gone: Vec<String> =
            self.base.keys().chain(self.news.keys()).filter(|key| !keys.contains(*key)).cloned().collect();
        self.remove(&gone);
    }

    /// Builds a new base of all documents. Takes about a third of a second for 10,000 of them.
    pub fn merge(&mut self) -> Result<(), SearchError> {
        let mut all: Vec<SearchDocument> = self.base.documents().cloned().collect();
        all.extend(self.news.values().cloned());
        all.sort_by(|one, other| one.key.cmp(&other.key));
        let base = Part::build(all)?;
        *self = Self { base, news: BTreeMap::new(), fresh: None };
        Ok(())
    }

    /// Answers a question. Takes `&mut self` because it may build the index of what is new.
    pub fn find(&mut self, question: &SearchQuery) -> Result<SearchHits, SearchError> {
        if self.news.len() > FRESH_MAX {
            self.merge()?;
        }
        let fresh = match self.fresh.take() {
            Some(fresh) => fresh,
            None => Part::build(self.news.values().cloned().collect())?,
        };
        let parts = [&self.base, &fresh];
        let mut matches = all_matches(&parts, question)?;
        let total = matches.len() as u64;
        let wanted = question.skip.saturating_add(question.limit.min(FOUND_MAX)) as usize;
        let order = |one: &(f32, &SearchDocument), other: &(f32, &SearchDocument)| compare(question.order, one, other);
        if wanted < matches.len() {
            // Only what is shown must be in order.
            matches.select_nth_unstable_by(wanted, order);
            matches.truncate(wanted);
        }
        matches.sort_unstable_by(order);
        let names = matches.iter().skip(question.skip as usize).map(|(_, document)| document.name.clone()).collect();
        self.fresh = Some(fresh);
        Ok(SearchHits { names, total })
    }
}

/// Every match with its score, from strict to lenient until there are [`ENOUGH`].
fn all_matches<'a>(
    parts: &[&'a Part; 2],
    question: &SearchQuery,
) -> Result<Vec<(f32, &'a SearchDocument)>, SearchError> {
    let words = words_of(&question.text);
    let keeps = |document: &SearchDocument| question.filter.keeps(document);
    if words.is_empty() {
        let asked = !question.text.trim().is_empty();
        let all = parts.iter().flat_map(|part| part.documents()).filter(|document| !asked && keeps(document));
        return Ok(all.map(|document| (0.0, document)).collect());
    }
    let statistics = TermStatistics(parts);
    let mut found = Vec::new();
    for leniency in [Leniency::AsWritten, Leniency::Misspelt, Leniency::AnyWord] {
        if leniency == Leniency::AnyWord && !(found.is_empty() && words.len() > 1) {
            break;
        }
        let query = query::query(&words, leniency);
        found.clear();
        for part in parts {
            let matches = part.matches(&query, &statistics)?;
            found.extend(matches.into_iter().filter(|(_, document)| keeps(document)));
        }
        if found.len() >= ENOUGH {
            break;
        }
    }
    Ok(found)
}

/// The order of two matches under `order`.
fn compare(order: SortBy, one: &(f32, &SearchDocument), other: &(f32, &SearchDocument)) -> Ordering {
    let ((one_score, one), (other_score, other)) = (one, other);
    let numbers = |document: &SearchDocument| document.numbers;
    let first = match order {
        SortBy::Relevance if *one_score == 0.0 && *other_score == 0.0 => {
            numbers(other).published_at.cmp(&numbers(one).published_at)
        }
        SortBy::Relevance => Ordering::Equal,
        SortBy::Recent => numbers(other).published_at.cmp(&numbers(one).published_at),
        SortBy::Popular => numbers(other).downloads.cmp(&numbers(one).downloads),
        SortBy::Rated => numbers(other).score.total_cmp(&numbers(one).score),
        SortBy::Name => one.name.cmp(&other.name),
    };
    first
        .then_with(|| other_score.total_cmp(one_score))
        .then_with(|| numbers(other).downloads.cmp(&numbers(one).downloads))
        .then_with(|| one.key.cmp(&other.key))
}
