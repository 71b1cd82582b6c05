//! The file in which a change of the witnesses goes from one operator to the next, until enough have signed it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::new_file::{NewFileError, read_bounded, write_new};
use gen_registry_core::digest::{hex, unhex};
use gen_registry_core::identity::Topic;
use gen_registry_core::network::{SetChangeError, SignedSetChange};

/// The most bytes of a file: twice what the digits of the longest change need.
pub const CHANGE_FILE_MAX_BYTES: u64 = 16 * 1024;

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ChangeFileError {
    #[error("could not read the change in {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has more than {CHANGE_FILE_MAX_BYTES} bytes: it is no change of the witnesses", .0.display())]
    TooLong(PathBuf),
    #[error("{} is no change of the witnesses: it is not what `network change` or `network sign` wrote", .0.display())]
    Format(PathBuf),
    #[error("the change in {} is of another network, {topic}", path.display())]
    OtherNetwork { path: PathBuf, topic: String },
    #[error("the change in {} is not taken: {fault}. Ask whoever passed it on for another copy", path.display())]
    Fault { path: PathBuf, fault: SetChangeError },
}

/// The text of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeFile {
    topic: Topic,
    /// The canonical bytes of the change and its signatures, in hexadecimal digits.
    set_change: String,
}

/// Reads a change of this network, and verifies its signatures.
pub fn read(path: &Path, topic: &Topic) -> Result<SignedSetChange, ChangeFileError> {
    let text = read_bounded(path, CHANGE_FILE_MAX_BYTES)
        .map_err(|source| ChangeFileError::Read { path: path.to_owned(), source })?;
    if text.len() as u64 > CHANGE_FILE_MAX_BYTES {
        return Err(ChangeFileError::TooLong(path.to_owned()));
    }
    let format = || ChangeFileError::Format(path.to_owned());
    let file: ChangeFile = serde_json::from_slice(&text).map_err(|_| format())?;
    if file.topic != *topic {
        return Err(ChangeFileError::OtherNetwork { path: path.to_owned(), topic: file.topic.into() });
    }
    let bytes = unhex(&file.set_change).ok_or_else(format)?;
    SignedSetChange::decode(topic, &bytes).map_err(|fault| ChangeFileError::Fault { path: path.to_owned(), fault })
}

/// Writes a change into a new file.
pub fn write(path: &Path, topic: &Topic, signed: &SignedSetChange) -> Result<(), NewFileError> {
    let file = ChangeFile { topic: *topic, set_change: hex(&signed.encode()) };
    let text = serde_json::to_string_pretty(&file).expect("texts can be written");
    write_new(path, (text + "\n").as_bytes())
}
