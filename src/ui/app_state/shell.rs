//! What the frame around every page shows: messages, the live region, the bar that asks for a reload.

use leptos::prelude::*;

use super::invalidation::Revision;
use super::toasts::{Toasts, Tone};
use gen_registry_api::failure::Failure;

/// State of the page itself, not of the registry.
#[derive(Clone, Copy)]
pub struct Shell {
    /// Short messages in the corner of the page.
    pub toasts: Toasts,
    /// The sentence in the polite live region: see [`Shell::announce`].
    pub announcement: RwSignal<String>,
    /// The page is older than the data.
    pub reload_needed: RwSignal<bool>,
    /// The browser removed the site's data under the open page, and this page stored them again.
    pub storage_rewritten: RwSignal<bool>,
    /// Grows with every minute, so that relative times stay true.
    pub minute: Revision,
    /// The person has just claimed a name here: the moment to offer installing.
    pub has_just_claimed: RwSignal<bool>,
}

impl Shell {
    /// No message, nothing to announce.
    pub fn new() -> Self {
        Self {
            toasts: Toasts::new(),
            announcement: RwSignal::new(String::new()),
            reload_needed: RwSignal::new(false),
            storage_rewritten: RwSignal::new(false),
            minute: Revision::new(),
            has_just_claimed: RwSignal::new(false),
        }
    }

    /// Has a screen reader say a sentence.
    pub fn announce(self, text: impl Into<String>) {
        self.announcement.set(text.into());
    }

    /// Shows a failure for which there is no control that it could be shown at.
    pub fn show_failure(self, failure: &Failure) {
        self.toasts.push(Tone::Bad, format!("{} {}", failure.message, failure.advice));
    }
}
