//! Several files as one: a zip archive without compression. Modules hardly shrink, and stored entries keep their
//! hashes when they are unpacked.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Name and content of each file, in order; no name twice.
pub fn bundle<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> ZipResult<Vec<u8>> {
    let mut bundle = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        bundle.start_file(name, stored)?;
        bundle.write_all(bytes)?;
    }
    Ok(bundle.finish()?.into_inner())
}
