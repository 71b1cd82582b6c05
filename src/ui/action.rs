//! One action at a time: busy while it runs, its failure kept for the page to show.
//!
//! A control that sends a command owns one, disables itself while it is busy and shows the failure beside itself.

use leptos::prelude::*;
use leptos::task::spawn_local;

use gen_registry_api::failure::Failure;

/// State of one action that a control starts.
#[derive(Clone, Copy)]
pub struct ActionState {
    /// An action is running; buttons are disabled meanwhile.
    pub busy: RwSignal<bool>,
    /// Why the last action failed; none while one runs and after a success.
    pub failure: RwSignal<Option<Failure>>,
}

impl ActionState {
    /// Nothing is running, and nothing failed.
    pub fn new() -> Self {
        Self { busy: RwSignal::new(false), failure: RwSignal::new(None) }
    }

    /// Starts `action` unless one is running. `done` gets its result; a failure is kept instead.
    ///
    /// The page may be gone by then: `done` must not rely on signals of the component.
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
