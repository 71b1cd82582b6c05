//! Finding modules by what is said of them: a full-text index, the only owner of `tantivy`.
//!
//! It is a large base that is built seldom and a small part with what is new since; [`SearchIndex::merge`] makes one of
//! the two. Texts are looked up in the index; what changes daily (downloads, ratings) is kept beside it and is
//! replaced without touching it. A question is a stranger's text: whatever it holds, it is cut to its bounds and
//! answered, never refused.
//!
//! - one part: `segment`; how a text becomes a query: `query`; kept as bytes: `snapshot`; asked from elsewhere:
//!   [`service`]

mod query;
mod segment;
pub mod service;
mod snapshot;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::search::query::{Leniency, words_of};
use crate::search::segment::{Part, TermStatistics};

/// Characters of a question that are looked at.
pub const QUESTION_MAX_CHARS: usize = 256;
/// Words of a question that are looked at.
pub const QUESTION_MAX_WORDS: usize = 8;
/// The longest page of an answer.
pub const FOUND_MAX: u32 = 200;
/// With fewer exact answers than this, likely misspellings count as well.
pub const ENOUGH: usize = 10;
/// So many new documents are merged into the base without waiting for a quiet time.
pub const FRESH_MAX: usize = 1_000;

/// What is said of one module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchDocument {
    /// The folded name: one document for each.
    pub key: String,
    /// As its holder spells it.
    pub name: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    /// The holder, `did:key:…`.
    pub owner: String,
    /// The holder's username, or nothing.
    pub owner_name: String,
    /// `namespace.name`
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub numbers: Numbers,
}

/// What modules are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// When the newest version was published, in milliseconds since 1970.
    pub published_at: u64,
    pub downloads: u64,
    /// Drawn towards the middle while there are few ratings.
    pub score: f64,
    /// Bytes of the newest version.
    pub size: u64,
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// Free text; the last word may be unfinished. Empty: everything that the filter lets through.
    pub text: String,
    pub filter: Filter,
    pub order: SortBy,
    pub skip: u32,
    /// At most [`FOUND_MAX`].
    pub limit: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub tag: Option<String>,
    pub owner: Option<String>,
    pub imports_nothing: bool,
    pub exports: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortBy {
    #[default]
    Relevance,
    Recent,
    Popular,
    Rated,
    Name,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHits {
    /// Names as their holders spell them, best first.
    pub names: Vec<String>,
    pub total: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the index does not work")]
    Engine(#[from] tantivy::TantivyError),
}

/// Kept bytes that are no index of this program: build it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIndex {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is of another version")]
    Version,
    #[error("it can't be read")]
    Unreadable,
}

/// The index.
pub struct SearchIndex {
    base: Part,
    /// New since the base was built; they hide what the base says of them.
    news: BTreeMap<String, SearchDocument>,
    /// The index of `news`, once it was asked for.
    fresh: Option<Part>,
}

impl Filter {
    fn keeps(&self, document: &SearchDocument) -> bool {
        self.tag.as_ref().is_none_or(|tag| document.tags.contains(tag))
            && self.owner.as_ref().is_none_or(|owner| *owner == document.owner)
            && (!self.imports_nothing || document.imports.is_empty())
            && self.exports.as_ref().is_none_or(|function| document.exports.contains(function))
    }
}

impl SearchDocument {
    fn says_the_same(&self, other: &Self) -> bool {
        Self { numbers: other.numbers, ..self.clone() } == *other
    }
}

impl SearchIndex {
    pub fn new() -> Result<Self, SearchError> {
        Ok(Self { base: Part::build(Vec::new())?, news: BTreeMap::new(), fresh: None })
    }

    /// Documents that can be found.
    pub fn len(&self) -> usize {
        self.base.len() + self.news.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Documents that wait for [`SearchIndex::merge`].
    pub fn waiting(&self) -> usize {
        self.news.len()
    }

    /// Adds documents or puts them in the place of earlier ones.
    pub fn update(&mut self, documents: Vec<SearchDocument>) {
        for document in documents {
            match self.base.get_mut(&document.key) {
                Some(known) if known.says_the_same(&document) => known.numbers = document.numbers,
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

    pub fn remove(&mut self, keys: &[String]) {
        for key in keys {
            self.base.hide(key);
            if self.news.remove(key).is_some() {
                self.fresh = None;
            }
        }
    }

    /// Removes all but these.
    pub fn keep(&mut self, keys: &BTreeSet<String>) {
        let gone: Vec<String> =
            self.base.keys().chain(self.news.keys()).filter(|key| !keys.contains(*key)).cloned().collect();
        self.remove(&gone);
    }

    /// Makes one of base and news. Takes about a third of a second for 10,000 documents.
    pub fn merge(&mut self) -> Result<(), SearchError> {
        let mut all: Vec<SearchDocument> = self.base.documents().cloned().collect();
        all.extend(self.news.values().cloned());
        all.sort_by(|one, other| one.key.cmp(&other.key));
        let base = Part::build(all)?;
        *self = Self { base, news: BTreeMap::new(), fresh: None };
        Ok(())
    }

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

/// From strict to lenient, until there are enough.
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

/// Best first; among equals the better match, then the more popular, then the name.
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
