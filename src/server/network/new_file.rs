//! Files that operators are given: written whole or not at all, and never over another one, which may be all that is left
//! of something.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use gen_registry_core::digest::hex;
use gen_registry_node::platform::{Environment, native::Native};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum NewFileError {
    #[error("{} exists, and nothing is written over it. Name another file, or move that one away", .0.display())]
    Exists(PathBuf),
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Checks that nothing is there yet, before something is done that can't be done twice.
pub fn check_new(path: &Path) -> Result<(), NewFileError> {
    // A link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() { Err(NewFileError::Exists(path.to_owned())) } else { Ok(()) }
}

/// Writes a new file. Until its content is on the disk it has a name of its own, which only a crash leaves behind.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), NewFileError> {
    check_new(path)?;
    write(path, bytes).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewFileError::Exists(path.to_owned()),
        _ => NewFileError::Write { path: path.to_owned(), source },
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidFilename.into()) };
    let mut random = [0; 8];
    Native.random(&mut random);
    let mut unfinished_name = name.to_owned();
    unfinished_name.push(format!(".{}.new", hex(&random)));
    let unfinished = path.with_file_name(unfinished_name);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| name_it(&unfinished, path));
    // After it got its name, this takes away the other one.
    let removed = fs::remove_file(&unfinished);
    written?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name must be on the disk, too. Some systems can't open a folder; there it is not needed.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

/// Gives a file its name, unless another one has it.
fn name_it(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        // Some file systems have no links, those of memory sticks for one.
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {
            if path.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(unfinished, path)
        }
        linked => linked,
    }
}

/// Reads a file, and at most one byte more than it may have.
pub fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_written_whole_and_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_new(&path, b"first").unwrap();
        assert!(matches!(write_new(&path, b"second"), Err(NewFileError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let nowhere = folder.path().join("none").join("file");
        assert!(matches!(write_new(&nowhere, b""), Err(NewFileError::Write { .. })));
        assert!(matches!(write_new(Path::new("/"), b""), Err(NewFileError::Exists(_))));
    }

    #[cfg(unix)]
    #[test]
    fn link_that_leads_nowhere_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("link"), folder.path().join("target"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(write_new(&path, b"text"), Err(NewFileError::Exists(_))));
        assert!(!target.exists());
    }

    #[test]
    fn no_more_is_read_than_the_bound_and_one_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [7; 20]).unwrap();
        assert_eq!(read_bounded(&path, 20).unwrap().len(), 20);
        assert_eq!(read_bounded(&path, 9).unwrap().len(), 10);
    }
}
