//! Calls that wait until the person has answered a dialog of the page.

use futures::channel::oneshot;
use leptos::prelude::*;

/// Opened by calls, settled by the dialog. Cheap to copy.
pub struct Gate<T: 'static> {
    /// Whether the dialog is on show.
    pub is_asking: RwSignal<bool>,
    /// One sender for each call that waits.
    waiting: StoredValue<Vec<oneshot::Sender<T>>, LocalStorage>,
}

impl<T> Clone for Gate<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Gate<T> {}

impl<T: Clone> Gate<T> {
    /// Returns a gate at which no call waits.
    pub fn new() -> Self {
        Self { is_asking: RwSignal::new(false), waiting: StoredValue::new_local(Vec::new()) }
    }

    /// Opens the dialog and waits for the answer. Returns `None` if the person closes it.
    pub async fn wait(self) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.update_value(|waiting| waiting.push(sender));
        self.is_asking.set(true);
        receiver.await.ok()
    }

    /// Gives the answer to all calls that wait; `None` if the person closed the dialog.
    pub fn settle(self, answer: Option<T>) {
        self.is_asking.set(false);
        let waiting = self.waiting.try_update_value(std::mem::take).unwrap_or_default();
        for (sender, answer) in waiting.into_iter().zip(std::iter::repeat(answer)) {
            if let Some(answer) = answer {
                // A caller that is gone needs none.
                sender.send(answer).ok();
            }
        }
    }
}
