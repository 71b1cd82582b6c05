//! The beginning of a witness of a later set: its book is made of what the set before handed over.
//!
//! The book is made beside its place and gets its name when it is whole. One that broke off has signed nothing, so the next
//! start makes it again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{BOOK_FILE, WitnessStartError};
use crate::network::handovers::gather;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::network::NetworkHistory;
use gen_registry_node::net::relay::key::create_secret_file;
use gen_registry_node::platform::{Environment, native::Native};
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::witness::Witness;

/// The book while it is made.
const UNFINISHED_FILE: &str = "witness.db.new";
/// What SQLite puts beside a file that is open, or was when the program ended.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Makes the book of the witness `key` of the present set, in place of an empty one.
pub(super) async fn begin(
    folder: &Path,
    key: &SecretKey,
    history: &NetworkHistory,
    handovers: &[PathBuf],
) -> Result<(), WitnessStartError> {
    let Some(change) = history.changes().last() else { return Ok(()) };
    let mut before = history.clone();
    before.leave(history.number());
    if handovers.is_empty() {
        return Err(WitnessStartError::NoHandover { set: history.number(), needed: before.set().threshold });
    }
    let gathered = gather(handovers, before)?;
    let unfinished = folder.join(UNFINISHED_FILE);
    let failed = |source| WitnessStartError::Begin { path: folder.join(BOOK_FILE), source };
    remove(&unfinished).map_err(failed)?;
    create_secret_file(&unfinished).map_err(failed)?;
    let store = Rc::new(SqliteStore::open(&unfinished)?);
    // Dropped at once: the file is closed, and all of it is in one piece.
    drop(Witness::succeed(store, key.clone(), &gathered, change.clone(), Native.now()).await?);
    if beside(&unfinished).any(|path| path.exists()) {
        return Err(failed(io::Error::other("the file could not be closed")));
    }
    fs::rename(&unfinished, folder.join(BOOK_FILE)).map_err(failed)?;
    // The name must be on the disk, too. Some systems can't open a folder; there it is not needed.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all()).map_err(failed)?;
    tracing::info!(
        set = history.number(),
        facts = change.change().closing.facts,
        passed_over = gathered.passed_over(),
        "the witness begins with what the set before confirmed"
    );
    Ok(())
}

fn beside(path: &Path) -> impl Iterator<Item = PathBuf> {
    BESIDE.into_iter().map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// Removes a book that broke off, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    for path in beside(path).chain([path.to_owned()]) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
