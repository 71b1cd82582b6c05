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
        withdrawn: withdrawn(counted),
    }
}

/// Why nobody should take a release, if so: its author withdrew it, or it may not be the author's.
pub(crate) fn withdrawn(counted: &CountedRelease) -> Option<WithdrawnInfo> {
    if counted.is_compromised {
        return Some(WithdrawnInfo {
            reason: "Published with a device that its author had lost control of.".to_owned(),
            at: counted.at.as_millis(),
            compromised: true,
        });
    }
    let Withdrawn { reason, at, .. } = counted.withdrawn.as_ref()?;
    Some(WithdrawnInfo { reason: reason.clone(), at: at.as_millis(), compromised: false })
}

pub(crate) fn name_status(name: &NameState) -> NameStatus {
    match name.status() {
        Some(ClaimStatus::Confirmed) => NameStatus::Confirmed,
        Some(ClaimStatus::Contested) => NameStatus::Contested,
        Some(ClaimStatus::Provisional) => NameStatus::Provisional,
        None => NameStatus::Pending,
    }
}
