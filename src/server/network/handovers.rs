//! The files that witnesses handed over, as operators name them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::new_file::read_bounded;
use gen_registry_core::book::handover::{Gathered, HANDOVER_MAX_BYTES, HandoverError};
use gen_registry_core::network::NetworkHistory;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum HandoverFileError {
    #[error("could not read the hand-over {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the hand-over {} is not taken: {fault}", path.display())]
    Fault { path: PathBuf, fault: HandoverError },
}

/// Reads the hand-overs of the present set of a network.
pub fn gather(files: &[PathBuf], history: NetworkHistory) -> Result<Gathered, HandoverFileError> {
    let mut gathered = Gathered::new(history);
    for path in files {
        let bytes = read(path)?;
        gathered.add(&bytes).map_err(|fault| HandoverFileError::Fault { path: path.clone(), fault })?;
    }
    Ok(gathered)
}

fn read(path: &Path) -> Result<Vec<u8>, HandoverFileError> {
    let failed = |source| HandoverFileError::Read { path: path.to_owned(), source };
    // Before a gibibyte is read in vain.
    if fs::metadata(path).map_err(failed)?.len() > HANDOVER_MAX_BYTES as u64 {
        return Err(HandoverFileError::Fault { path: path.to_owned(), fault: HandoverError::TooLarge });
    }
    read_bounded(path, HANDOVER_MAX_BYTES as u64).map_err(failed)
}
