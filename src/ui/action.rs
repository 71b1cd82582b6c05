//! One action at a time: busy while it runs, its failure kept for the page to show. It knows nothing of the action.

use leptos::prelude::*;
use leptos::task::spawn_local;

use gen_registry_api::failure::Failure;

/// State of one action that a control starts.
#[derive(Clone, Copy)]
pub struct ActionState {
    pub busy: RwSignal<bool>,
    pub failure: RwSignal<Option<Failure>>,
}

impl ActionState {
    /// Nothing is running, and nothing failed.
    pub fn new() -> Self {
        Self { busy: RwSignal::new(false), failure: RwSignal::new(None) }
    }

    /// Starts `action` unless one is under way; `done` gets what it came to. The page may be gone by then.
    pub fn start<T: 'static>(
        self,
        action: impl Future<Output = Result<T, Failure>> + 'static,
        done: impl FnOnce(T) + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.failure.set(None);
        spawn_local(async move {
            let outcome = action.await;
            self.busy.try_set(false);
            match outcome {
                Ok(value) => done(value),
                Err(why) => {
                    self.failure.try_set(Some(why));
                }
            }
        });
    }
}
