//! The index as a service in a worker: requests and responses as data, one response for each request, in their order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::search::{SearchDocument, SearchError, SearchHits, SearchIndex, SearchQuery};

/// The version of these messages. A page may meet the worker of another build.
pub const PROTOCOL: u32 = 1;

/// What the service is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SearchRequest {
    /// Replaces the index by a saved one. Response: [`SearchResponse::Loaded`].
    Load(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Adds or replaces documents and removes others. Response: [`SearchResponse::Done`].
    Update { documents: Vec<SearchDocument>, removed: Vec<String> },
    /// Removes all but the documents of these keys. Response: [`SearchResponse::Done`].
    Keep(BTreeSet<String>),
    /// Answers a question. Response: [`SearchResponse::Found`].
    Find(SearchQuery),
    /// Merges what is new into the base and returns the index as bytes. Response: [`SearchResponse::Saved`].
    MergeAndSave,
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SearchResponse {
    /// How many documents were loaded, or `None` if the bytes are no index of this version.
    Loaded(Option<u64>),
    /// How many documents are not part of the base yet.
    Done {
        waiting: u64,
    },
    Found(SearchHits),
    Saved(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The engine failed; the index is dropped and must be filled again.
    Failed,
}

/// Owns the index; `None` until it is loaded or filled.
#[derive(Default)]
pub struct SearchService(Option<SearchIndex>);

impl SearchService {
    /// Carries out one request. Errors of the engine are logged and answered with [`SearchResponse::Failed`].
    pub fn reply(&mut self, request: SearchRequest) -> SearchResponse {
        self.work(request).unwrap_or_else(|error| {
            tracing::error!(%error, "the search index fails");
            self.0 = None;
            SearchResponse::Failed
        })
    }

    fn work(&mut self, request: SearchRequest) -> Result<SearchResponse, SearchError> {
        if let SearchRequest::Load(bytes) = &request {
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
        match request {
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
