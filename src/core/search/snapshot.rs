//! A search index as bytes: a SHA-256 checksum, then documents and all files of the Tantivy directory in CBOR. Bytes
//! that are not exactly what was saved never reach the engine, which trusts its files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tantivy::directory::{Directory, RamDirectory};
use tantivy::{Index, TantivyError};

use crate::digest::Digest;
use crate::search::query::{FIELDS, WORDS, analyzer};
use crate::search::segment::Part;
use crate::search::{NotAnIndex, SearchDocument, SearchError, SearchIndex};

/// Raised with every change of the documents, the fields or the tokenizer.
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;
/// The files in which Tantivy keeps what an index consists of, and which files it manages.
const META: [&str; 2] = ["meta.json", ".managed.json"];

/// The content behind the checksum.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    documents: Vec<SearchDocument>,
    /// Keys of the base's hidden documents.
    hidden: Vec<String>,
    /// Documents that are not part of the base.
    news: Vec<SearchDocument>,
    /// Name and content of each file of the directory.
    files: Vec<(String, serde_bytes::ByteBuf)>,
}

impl SearchIndex {
    /// Encodes the index as it is, unmerged documents included.
    pub fn save(&self) -> Result<Vec<u8>, SearchError> {
        let base = &self.base;
        let index = base.searcher.index();
        let mut paths: BTreeSet<PathBuf> = META.into_iter().map(PathBuf::from).collect();
        paths.extend(index.directory().list_managed_files());
        let mut files = Vec::new();
        for path in paths {
            if base.directory.exists(&path).map_err(TantivyError::from)? {
                files.push((path.to_string_lossy().into_owned(), contents(&base.directory, &path)?.into()));
            }
        }
        let saved = Saved {
            version: VERSION,
            documents: base.all().to_vec(),
            hidden: base.hidden().map(|document| document.key.clone()).collect(),
            news: self.news.values().cloned().collect(),
            files,
        };
        let mut bytes = cbor4ii::serde::to_vec(vec![0; CHECKSUM_BYTES], &saved)
            .map_err(|error| TantivyError::InternalError(error.to_string()))?;
        let sum = Digest::of(&bytes[CHECKSUM_BYTES..]);
        bytes[..CHECKSUM_BYTES].copy_from_slice(sum.as_bytes());
        Ok(bytes)
    }

    /// Decodes a saved index. Any error means that the index must be built again.
    pub fn load(bytes: &[u8]) -> Result<Self, NotAnIndex> {
        let (sum, body) = bytes.split_at_checked(CHECKSUM_BYTES).ok_or(NotAnIndex::Checksum)?;
        if Digest::of(body).as_bytes() != sum {
            return Err(NotAnIndex::Checksum);
        }
        let saved: Saved = cbor4ii::serde::from_slice(body).map_err(|_| NotAnIndex::Unreadable)?;
        if saved.version != VERSION {
            return Err(NotAnIndex::Version);
        }
        let directory = RamDirectory::create();
        for (path, content) in saved.files {
            directory.atomic_write(Path::new(&path), &content).map_err(|_| NotAnIndex::Unreadable)?;
        }
        let index = Index::open(directory.clone()).map_err(|_| NotAnIndex::Unreadable)?;
        if index.schema().num_fields() != FIELDS.len() {
            return Err(NotAnIndex::Version);
        }
        index.tokenizers().register(WORDS, analyzer());
        let count = saved.documents.len() as u64;
        let base = Part::over(&index, directory, saved.documents).map_err(|_| NotAnIndex::Unreadable)?;
        if base.searcher.num_docs() != count {
            return Err(NotAnIndex::Unreadable);
        }
        let mut whole = Self { base, news: Default::default(), fresh: None };
        whole.remove(&saved.hidden);
        whole.update(saved.news);
        Ok(whole)
    }
}

/// Reads a file of the in-memory directory.
fn contents(directory: &RamDirectory, path: &Path) -> Result<Vec<u8>, TantivyError> {
    let file = directory.open_read(path)?;
    Ok(file.read_bytes()?.as_slice().to_vec())
}
