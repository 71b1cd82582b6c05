//! What the read model shows of releases and their authors, in the boundary's data.

use gen_registry_api::*;
use gen_registry_core::keys::Did;
use gen_registry_core::modules::{CountedRelease, Withdrawn};
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::read_model::{ClaimStatus, NameState};

pub(crate) fn author(read_model: &ReadModel, identity: &Did) -> Author {
    Author { did: identity.to_string(), username: read_model.username_of(identity).map(ToString::to_string) }
}

/// A release that counts, in a line.
pub(crate) fn release_summary(read_model: &ReadModel, counted: &CountedRelease) -> ReleaseSummary {
    let release = &counted.release;
    ReleaseSummary {
        version: release.version.to_string(),
        release: counted.entry.to_string(),
        sha256: release.artifact.sha256.to_string(),
        size: release.artifact.size,
        author: author(read_model, &counted.author),
        withdrawn: counted.withdrawn.as_ref().map(withdrawn),
    }
}

pub(crate) fn withdrawn(withdrawn: &Withdrawn) -> WithdrawnInfo {
    WithdrawnInfo { reason: withdrawn.reason.clone(), at: withdrawn.at.as_millis() }
}

pub(crate) fn name_status(name: &NameState) -> NameStatus {
    match name.status() {
        Some(ClaimStatus::Confirmed) => NameStatus::Confirmed,
        Some(ClaimStatus::Contested) => NameStatus::Contested,
        Some(ClaimStatus::Provisional) => NameStatus::Provisional,
        None => NameStatus::Pending,
    }
}
