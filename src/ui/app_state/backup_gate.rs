//! A script that asks for a backup waits here for the person, who sees a dialog of the page and chooses the passphrase: a
//! script gets the file and can't open it.

use crate::app_state::gate::Gate;
use gen_registry_api::BackupFile;
use gen_registry_api::failure::{Failure, FailureCode};

/// Opened by scripts, settled by the backup dialog.
pub type BackupGate = Gate<BackupFile>;

/// Opens the dialog and waits for the file. Fails with [`FailureCode::Declined`] if the person closes it.
pub async fn ask(gate: BackupGate) -> Result<BackupFile, Failure> {
    gate.wait().await.ok_or_else(|| {
        Failure::new(
            FailureCode::Declined,
            "No backup was given out.",
            "Ask again when it is wanted; the page then asks for the passphrase of the file.",
        )
    })
}
