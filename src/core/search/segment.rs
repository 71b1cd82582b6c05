//! A segment: some documents and their index, built at once. Afterwards documents can only be hidden.

use std::collections::HashMap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::directory::RamDirectory;
use tantivy::query::{Bm25StatisticsProvider, Query};
use tantivy::schema::{Field, TantivyDocument, Term};
use tantivy::{DocId, Index, IndexSettings, ReloadPolicy, Score, Searcher, SegmentOrdinal, SegmentReader};

use crate::search::query::{FIELDS, WORDS, analyzer, joined, schema};
use crate::search::{SearchDocument, SearchError};

/// With fewer documents than this, the writer needs little memory.
const SMALL: usize = 1_000;
/// Bytes that a writer may use while it builds a large segment…
const MEMORY_OF_MANY: usize = 50_000_000;
/// … and a small one.
const MEMORY_OF_FEW: usize = 5_000_000;

/// A segment.
pub(super) struct Part {
    /// In the order in which they were indexed: Tantivy's document id is the position here.
    documents: Vec<SearchDocument>,
    /// Which documents are hidden, by position.
    hidden: Vec<bool>,
    /// The position of each document that is not hidden, by its key.
    places: HashMap<String, usize>,
    pub(super) directory: RamDirectory,
    pub(super) searcher: Searcher,
}

impl Part {
    /// Builds the segment of these documents.
    pub(super) fn build(documents: Vec<SearchDocument>) -> Result<Self, SearchError> {
        // The engine draws its files' names by chance; nothing follows from them.
        let directory = RamDirectory::create();
        // A page can't start another thread.
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let memory = if documents.len() < SMALL { MEMORY_OF_FEW } else { MEMORY_OF_MANY };
        let builder = Index::builder().schema(schema()).settings(settings);
        let tokenizers = tantivy::tokenizer::TokenizerManager::default();
        tokenizers.register(WORDS, analyzer());
        let mut writer = builder.tokenizers(tokenizers).single_segment_index_writer(directory.clone(), memory)?;
        for document in &documents {
            writer.add_document(indexed(document))?;
        }
        let index = writer.finalize()?;
        Self::over(&index, directory, documents)
    }

    /// Opens an index that holds exactly these documents, in this order.
    pub(super) fn over(
        index: &Index,
        directory: RamDirectory,
        documents: Vec<SearchDocument>,
    ) -> Result<Self, SearchError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let places = documents.iter().enumerate().map(|(place, document)| (document.key.clone(), place)).collect();
        Ok(Self { hidden: vec![false; documents.len()], documents, places, directory, searcher })
    }

    /// The number of documents that are not hidden.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The documents that are not hidden, in their order.
    pub(super) fn documents(&self) -> impl Iterator<Item = &SearchDocument> {
        self.documents.iter().zip(&self.hidden).filter(|(_, hidden)| !**hidden).map(|(document, _)| document)
    }

    /// All documents, hidden ones too, in their order.
    pub(super) fn all(&self) -> &[SearchDocument] {
        &self.documents
    }

    /// The hidden documents.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &SearchDocument> {
        self.documents.iter().zip(&self.hidden).filter(|(_, hidden)| **hidden).map(|(document, _)| document)
    }

    /// The keys of the documents that are not hidden, in no order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.places.keys()
    }

    /// The document of this key, to replace its numbers; the index has only its texts.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut SearchDocument> {
        self.places.get(key).and_then(|place| self.documents.get_mut(*place))
    }

    /// Hides a document; an unknown key is ignored.
    pub(super) fn hide(&mut self, key: &str) {
        if let Some(hidden) = self.places.remove(key).and_then(|place| self.hidden.get_mut(place)) {
            *hidden = true;
        }
    }

    /// All visible documents that match, each with its score, in no particular order.
    pub(super) fn matches(
        &self,
        query: &dyn Query,
        statistics: &TermStatistics,
    ) -> Result<Vec<(Score, &SearchDocument)>, SearchError> {
        // The engine's sets of documents must have room for one.
        if self.documents.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.searcher.search_with_statistics_provider(query, &Everything, statistics)?;
        let place = |(score, place): (Score, DocId)| {
            let place = place as usize;
            let shown = self.hidden.get(place) == Some(&false);
            self.documents.get(place).filter(|_| shown).map(|document| (score, document))
        };
        Ok(found.into_iter().filter_map(place).collect())
    }
}

/// The texts of a document, field by field.
fn indexed(document: &SearchDocument) -> TantivyDocument {
    let mut indexed = TantivyDocument::default();
    // Also as one word, for those who write it so.
    let whole = joined(&document.name);
    let name = if whole == document.name { whole.clone() } else { format!("{} {whole}", document.name) };
    let texts = [
        name,
        document.title.clone(),
        document.tags.join(" "),
        document.description.clone(),
        document.exports.join(" "),
        document.imports.join(" "),
        document.owner_name.clone(),
        whole,
    ];
    for (field, text) in FIELDS.iter().zip(texts) {
        if !text.is_empty() {
            indexed.add_text(field.number(), text);
        }
    }
    indexed
}

/// Word frequencies of both segments together, so that a document scores the same in either.
pub(super) struct TermStatistics<'a>(pub(super) &'a [&'a Part; 2]);

impl Bm25StatisticsProvider for TermStatistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.0.iter().map(|part| part.searcher.total_num_tokens(field)).sum()
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.0.iter().map(|part| part.searcher.total_num_docs()).sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.0.iter().map(|part| part.searcher.doc_freq(term)).sum()
    }
}

/// A Tantivy collector that keeps every match: results are sorted by numbers that Tantivy does not have.
struct Everything;

/// The matches in one Tantivy segment.
struct OfSegment(Vec<(Score, DocId)>);

impl Collector for Everything {
    type Fruit = Vec<(Score, DocId)>;
    type Child = OfSegment;

    fn for_segment(&self, _: SegmentOrdinal, _: &SegmentReader) -> tantivy::Result<OfSegment> {
        Ok(OfSegment(Vec::new()))
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, segments: Vec<Vec<(Score, DocId)>>) -> tantivy::Result<Vec<(Score, DocId)>> {
        // One segment by construction.
        Ok(segments.into_iter().next().unwrap_or_default())
    }
}

impl SegmentCollector for OfSegment {
    type Fruit = Vec<(Score, DocId)>;

    fn collect(&mut self, document: DocId, score: Score) {
        self.0.push((score, document));
    }

    fn harvest(self) -> Vec<(Score, DocId)> {
        self.0
    }
}
