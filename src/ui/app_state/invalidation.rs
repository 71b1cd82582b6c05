//! What has changed in the node since a screen last asked. Screens track a part and ask again.

use leptos::prelude::*;

/// A number that grows. An effect that tracks it runs again with each growth.
#[derive(Clone, Copy)]
pub struct Revision(RwSignal<u64>);

impl Revision {
    /// Nothing has changed yet.
    pub fn new() -> Self {
        Self(RwSignal::new(0))
    }

    /// Runs the surrounding effect or view again after the next change.
    pub fn track(self) {
        self.0.track();
    }

    /// Lets everybody who tracks it run again.
    pub fn bump(self) {
        self.0.update(|revision| *revision = revision.wrapping_add(1));
    }
}

/// One revision for each part of what the node knows.
#[derive(Clone, Copy)]
pub struct Invalidation {
    /// Names, profiles, who holds what.
    pub people: Revision,
    /// Modules, versions, ratings, installations.
    pub modules: Revision,
    /// Peers and relays that came or went.
    pub network: Revision,
    /// Notices and what is followed.
    pub notices: Revision,
    /// Who is online, and in which channels.
    pub presence: Revision,
}

impl Invalidation {
    /// Nothing has changed yet.
    pub fn new() -> Self {
        Self {
            people: Revision::new(),
            modules: Revision::new(),
            network: Revision::new(),
            notices: Revision::new(),
            presence: Revision::new(),
        }
    }
}
