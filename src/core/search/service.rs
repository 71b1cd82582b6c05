//! The index as it is asked from elsewhere: questions and replies as data, one reply for each question, in their order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::search::{SearchDocument, SearchError, SearchHits, SearchIndex, SearchQuery};

/// Both sides must speak the same: a page may meet the program of another build.
pub const PROTOCOL: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SearchRequest {
    /// Starts over from a saved snapshot. Response: `Loaded`.
    Load(#[serde(with = "serde_bytes")] Vec<u8>),
    /// SearchResponse: `Done`.
    Update { documents: Vec<SearchDocument>, removed: Vec<String> },
    /// Removes all but these. SearchResponse: `Done`.
    Keep(BTreeSet<String>),
    /// SearchResponse: `Found`.
    Find(SearchQuery),
    /// Makes one of what is old and new. SearchResponse: `Saved`, to be kept.
    MergeAndSave,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SearchResponse {
    /// How many documents came with it; none when it was of no use.
    Loaded(Option<u64>),
    /// How many documents are not yet part of the base.
    Done {
        waiting: u64,
    },
    Found(SearchHits),
    Saved(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It does not work.
    Failed,
}

/// Owns the index.
#[derive(Default)]
pub struct SearchService(Option<SearchIndex>);

impl SearchService {
    pub fn reply(&mut self, ask: SearchRequest) -> SearchResponse {
        self.work(ask).unwrap_or_else(|error| {
            tracing::error!(%error, "the search index fails");
            self.0 = None;
            SearchResponse::Failed
        })
    }

    fn work(&mut self, ask: SearchRequest) -> Result<SearchResponse, SearchError> {
        if let SearchRequest::Load(bytes) = &ask {
            return Ok(SearchResponse::Loaded(match SearchIndex::load(bytes) {
                Ok(index) => Some(self.0.insert(index).len() as u64),
                Err(why) => {
                    tracing::info!(%why, "the kept search index is of no use");
                    self.0 = None;
                    None
                }
            }));
        }
        let index = match &mut self.0 {
            Some(index) => index,
            nothing => nothing.insert(SearchIndex::new()?),
        };
        match ask {
            SearchRequest::Load(_) => Ok(SearchResponse::Loaded(None)),
            SearchRequest::Update { documents, removed } => {
                index.remove(&removed);
                index.update(documents);
                Ok(SearchResponse::Done { waiting: index.waiting() as u64 })
            }
            SearchRequest::Keep(keys) => {
                index.keep(&keys);
                Ok(SearchResponse::Done { waiting: index.waiting() as u64 })
            }
            SearchRequest::Find(question) => Ok(SearchResponse::Found(index.find(&question)?)),
            SearchRequest::MergeAndSave => {
                if index.waiting() > 0 {
                    index.merge()?;
                }
                Ok(SearchResponse::Saved(index.save()?))
            }
        }
    }
}
