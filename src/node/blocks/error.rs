//! Why content can't be had, and how that reads.

use crate::errors;
use crate::store::StoreError;
use gen_registry_api::{Failure, FailureCode};
use gen_registry_core::artifact::ArtifactError;

/// Why content could not be stored, fetched or read. Blocks that were stored before the failure remain.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{missing} blocks are missing, and nobody who is connected has them")]
    Nobody { missing: usize },
    #[error("this node is in no network")]
    Alone,
    #[error("some of it is not here")]
    Incomplete,
    #[error("its blocks are not the whole that it names")]
    Contradiction,
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Store(error) => errors::store_failed(error),
            ContentError::Nobody { .. } | ContentError::Alone | ContentError::Incomplete => Self::new(
                FailureCode::ContentMissing,
                "Nobody who is connected right now has all of it.",
                "What has arrived is kept. Try again when more people are connected.",
            ),
            error @ (ContentError::Artifact(_) | ContentError::Contradiction) => Self::new(
                FailureCode::ContentInvalid,
                errors::sentence(&error.to_string()),
                "It can't be used. Whoever published it has to publish a new version.",
            ),
        }
    }
}
