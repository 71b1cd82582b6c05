//! The index as it is asked from elsewhere: questions and replies as data, one reply for each question, in their order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::registry::search::{Document, Found, Question, SearchError, SearchIndex};

/// Both sides must speak the same: a page may meet the program of another build.
pub const PROTOCOL: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Begins anew, with what was saved. Reply: `Loaded`.
    Load(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Reply: `Done`.
    Update { documents: Vec<Document>, removed: Vec<String> },
    /// Removes all but these. Reply: `Done`.
    Keep(BTreeSet<String>),
    /// Reply: `Found`.
    Find(Question),
    /// Makes one of what is old and new. Reply: `Saved`, to be kept.
    MergeAndSave,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// How many documents came with it; none when it was of no use.
    Loaded(Option<u64>),
    /// How many documents are not yet part of the base.
    Done {
        waiting: u64,
    },
    Found(Found),
    Saved(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It does not work.
    Failed,
}

/// Owns the index.
#[derive(Default)]
pub struct Desk(Option<SearchIndex>);

impl Desk {
    pub fn reply(&mut self, ask: Ask) -> Reply {
        self.work(ask).unwrap_or_else(|error| {
            tracing::error!(%error, "the search index fails");
            self.0 = None;
            Reply::Failed
        })
    }

    fn work(&mut self, ask: Ask) -> Result<Reply, SearchError> {
        if let Ask::Load(bytes) = &ask {
            return Ok(Reply::Loaded(match SearchIndex::load(bytes) {
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
            Ask::Load(_) => Ok(Reply::Loaded(None)),
            Ask::Update { documents, removed } => {
                index.remove(&removed);
                index.update(documents);
                Ok(Reply::Done { waiting: index.waiting() as u64 })
            }
            Ask::Keep(keys) => {
                index.keep(&keys);
                Ok(Reply::Done { waiting: index.waiting() as u64 })
            }
            Ask::Find(question) => Ok(Reply::Found(index.find(&question)?)),
            Ask::MergeAndSave => {
                if index.waiting() > 0 {
                    index.merge()?;
                }
                Ok(Reply::Saved(index.save()?))
            }
        }
    }
}
