//! Zip archives without compression. Modules hardly shrink in one, and stored entries can be compared byte by byte.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Packs files, given as name and content, in their order. Fails if a name occurs twice.
pub fn bundle<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> ZipResult<Vec<u8>> {
    let mut bundle = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        bundle.start_file(name, stored)?;
        bundle.write_all(bytes)?;
    }
    Ok(bundle.finish()?.into_inner())
}
