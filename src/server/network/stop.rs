//! Stopping a witness for good: the first step of a change of the witnesses.

use std::path::{Path, PathBuf};

use super::new_file::{NewFileError, check_new, write_new};
use super::{NETWORK_FILE, NetworkError, read_kept};
use crate::keys::{WITNESS_KEY, witness_text};
use crate::witness::{self, WitnessStartError};
use gen_registry_core::book::handover::Handover;

/// Why a witness is not stopped, or hands nothing over.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    #[error("{} has no {NETWORK_FILE}: it is no data folder of a server that was started", .0.display())]
    NoNetwork(PathBuf),
    #[error("{} has no witness's key: no witness runs here, and there is nothing to stop", .0.display())]
    NoWitness(PathBuf),
    #[error("the thread of the witness could not be started")]
    Thread(#[from] std::io::Error),
    #[error(transparent)]
    New(#[from] NewFileError),
}

/// Stops the witness of a data folder and writes what it hands over. Called again, it writes the same once more.
pub fn stop(data: &Path, out: &Path) -> Result<String, NetworkError> {
    check_new(out).map_err(StopError::from)?;
    let network = read_kept(data)?.ok_or_else(|| StopError::NoNetwork(data.to_owned()))?;
    let key = WITNESS_KEY.load(data)?.ok_or_else(|| StopError::NoWitness(data.to_owned()))?;
    let name = witness_text(&key.public());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StopError::from)?;
    let file = runtime.block_on(async {
        let witness = witness::open_book(data, key, network.history()).await?;
        witness.stop().await?;
        witness.export().await.map_err(WitnessStartError::from)
    })?;
    let handed = Handover::decode(&file).map_err(|fault| WitnessStartError::Witness(fault.into()))?;
    write_new(out, &file).map_err(StopError::from)?;
    Ok(format!(
        "The witness {name} of set {} of \"{}\" has stopped signing, for good.\n{} has the {} facts that it knows. Give \
         it to every operator who signs the change, and to every new witness; it is no secret.\n",
        handed.set,
        network.history().genesis().name,
        out.display(),
        handed.facts.len(),
    ))
}
