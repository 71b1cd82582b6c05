//! A script that asks for a backup waits here for the person, who sees a dialog of the page and chooses the passphrase: a
//! script gets the file and can't open it.

use futures::channel::oneshot;
use leptos::prelude::*;

use gen_registry_api::BackupFile;
use gen_registry_api::failure::{Failure, FailureCode};

/// Cheap to copy; opened by scripts, settled by the dialog.
#[derive(Clone, Copy)]
pub struct BackupGate {
    /// Whether the dialog is on show.
    pub is_asking: RwSignal<bool>,
    /// One sender for each call that waits.
    waiting: StoredValue<Vec<oneshot::Sender<BackupFile>>, LocalStorage>,
}

impl BackupGate {
    /// Nobody asks.
    pub fn new() -> Self {
        Self { is_asking: RwSignal::new(false), waiting: StoredValue::new_local(Vec::new()) }
    }

    /// Opens the dialog and waits for the file. Fails with [`FailureCode::Declined`] if the person closes it.
    pub async fn ask(self) -> Result<BackupFile, Failure> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.update_value(|waiting| waiting.push(sender));
        self.is_asking.set(true);
        receiver.await.map_err(|_| {
            Failure::new(
                FailureCode::Declined,
                "No backup was given out.",
                "Ask again when it is wanted; the page then asks for the passphrase of the file.",
            )
        })
    }

    /// Gives the file to those who wait, or nothing.
    pub fn settle(self, file: Option<BackupFile>) {
        self.is_asking.set(false);
        let waiting = self.waiting.try_update_value(std::mem::take).unwrap_or_default();
        for (sender, file) in waiting.into_iter().zip(std::iter::repeat(file)) {
            if let Some(file) = file {
                // A caller that is gone needs none.
                drop(sender.send(file));
            }
        }
    }
}
