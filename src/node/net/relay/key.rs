//! The relay's key: generated once, stored in a file that only its owner may read.
//!
//! It is a node's key, never a person's. A damaged file is an error, not a reason to generate a new key: the relay's
//! addresses contain its peer id.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

pub use crate::net::key::NodeKey;
use crate::net::key::NodeKeyError;

/// The file in the data folder, in libp2p's own encoding.
pub const KEY_FILE: &str = "relay.key";

/// Why the relay has no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("could not read the relay's key from {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write the relay's key to {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "the relay's key in {} is damaged. Bring the file back from a copy, or remove it: the relay then gets a new \
         key, and addresses that name the old one lead nowhere", path.display()
    )]
    Damaged { path: PathBuf, source: NodeKeyError },
}

impl NodeKey {
    /// Reads the key of this folder, or generates and stores one if there is none.
    pub fn load_or_create(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes).map_err(|source| KeyError::Damaged { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Self::fresh();
                key.save(folder).map_err(|source| KeyError::Write { path, source })?;
                Ok(key)
            }
            Err(source) => Err(KeyError::Read { path, source }),
        }
    }

    /// Writes the key into its file.
    fn save(&self, folder: &Path) -> io::Result<()> {
        save_secret(folder, KEY_FILE, &self.encode())
    }
}

/// Writes a file that only its owner may read, atomically: it is renamed to `name` once its content is on the disk.
/// Until then its name ends in `.new`; only a crash leaves such a file behind.
pub fn save_secret(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = only_for_the_owner().write(true).create_new(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    // The name must be on the disk, too. Some systems can't open a folder; there it is not needed.
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(_) => Ok(()),
    }
}

/// Creates an empty file that only its owner may read, e.g. for a database. Fails if it exists.
pub fn create_secret_file(path: &Path) -> io::Result<()> {
    only_for_the_owner().write(true).create_new(true).open(path).map(drop)
}

/// Opens files with the permissions of their owner only.
#[cfg(unix)]
fn only_for_the_owner() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Elsewhere the folder's permissions decide.
#[cfg(not(unix))]
fn only_for_the_owner() -> OpenOptions {
    OpenOptions::new()
}
