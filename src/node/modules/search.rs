//! Search: feeds the index from the read model, stores it, and asks it.
//!
//! The index is a copy of what the read model knows, and may be lost at any time. Its life in a page:
//!
//! ```text
//!   start             nothing: most visits search for nothing, and the index is a program of its own in a worker
//!   first search      answered by a plain scan of the read model (`complete: false`); meanwhile `load`:
//!                       stored index ─► worker;  all modules ─► Update: unchanged ones cost little;  Keep: drop others
//!                       event ModulesChanged: the page asks again, and gets the index's answer
//!   later changes     `names_changed` notes what changed (`touched`); the next search feeds it first
//!   idle for 10 s     fed; if 32 documents or more are new, the index merges its segments and is stored in pieces
//!   worker lost       `reset`: scans answer until the next search has loaded it again
//! ```
//!
//! A module's stars and installs are added up when it is fed. An opinion that starts to count only because time passed moves it
//! in the order of results at its next change or at the next start; what a result shows is of now.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::input::parse_name;
use crate::modules::opinions::Opinions;
use crate::people::People;
use crate::platform::search::SearchBackend;
use crate::registry::{Registry, RegistryObserver};
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, StoreError, Table, Write};
use crate::time_slice::TimeSlice;
use gen_registry_api::*;
use gen_registry_core::document::ModuleFacet;
use gen_registry_core::keys::Did;
use gen_registry_core::modules::description::ModuleDescription;
use gen_registry_core::name::{FoldedName, ModuleName};
use gen_registry_core::search::service::{SearchRequest, SearchResponse};
use gen_registry_core::search::{Filter, Numbers, QUESTION_MAX_CHARS, SearchDocument, SearchQuery, SortBy};

/// People that are shown beside the modules.
const PEOPLE_BESIDE: u32 = 5;
/// Documents that are sent to the index at once.
const BATCH: usize = 256;
/// New documents from which merging and storing the index is worth it.
const MERGE_FROM: u64 = 32;
/// How long the index must be idle before it is merged and stored.
const QUIET: Duration = Duration::from_secs(10);
/// Bytes of one stored piece of the index: checking its checksum is a short task.
const PIECE_BYTES: usize = 256 * 1024;
/// The most pieces: no index is that large, so a damaged number reads no more.
const PIECES_MAX: u32 = 1_024;
/// The key of the head in [`Table::SearchIndex`].
const HEAD: &str = "head";

/// The head of a stored index. It is written in one batch with the pieces.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The number of pieces; they are numbered from 0.
    pieces: u32,
}

/// The service that searches modules and people.
pub(crate) struct ModuleSearch {
    context: Rc<Context>,
    registry: Rc<Registry>,
    catalog: Rc<ModuleCatalog>,
    people: Rc<People>,
    /// The index; none before the first search.
    backend: RefCell<Option<Rc<dyn SearchBackend>>>,
    /// Whether the index has everything that the read model had when it was loaded; what changed since is `touched`.
    ready: Cell<bool>,
    /// What changed since the index was fed.
    touched: RefCell<Touched>,
    /// Wakes the maintenance task. `None` if no such task runs: then the first search loads the index itself.
    maintenance: RefCell<Option<mpsc::UnboundedSender<()>>>,
    /// Held while the index is fed or asked.
    feeding: async_lock::Mutex<()>,
}

/// Modules and people whose documents changed since they were indexed.
#[derive(Default)]
struct Touched {
    modules: BTreeSet<FoldedName>,
    /// People with changed records: all modules they hold are indexed again, with their names.
    people: BTreeSet<Did>,
}

impl RegistryObserver for ModuleSearch {
    fn names_changed(&self, modules: &BTreeSet<ModuleName>, people: &BTreeSet<Did>) {
        if self.backend.borrow().is_some() {
            let mut touched = self.touched.borrow_mut();
            touched.modules.extend(modules.iter().map(ModuleName::folded));
            touched.people.extend(people);
        }
    }
}

/// The index does not work; a scan must answer.
struct Lost;

impl ModuleSearch {
    /// Creates the service; the index is not started.
    pub(crate) fn new(
        context: Rc<Context>,
        registry: Rc<Registry>,
        catalog: Rc<ModuleCatalog>,
        people: Rc<People>,
    ) -> Self {
        let (backend, ready, touched) = (RefCell::default(), Cell::default(), RefCell::default());
        let (maintenance, feeding) = (RefCell::default(), async_lock::Mutex::new(()));
        Self { context, registry, catalog, people, backend, ready, touched, maintenance, feeding }
    }

    /// Has the index loaded again by the next search.
    fn reset(&self) {
        self.ready.set(false);
        *self.touched.borrow_mut() = Touched::default();
    }

    /// Searches modules and people. Never fails: without an index a scan of the read model answers, marked as
    /// incomplete.
    pub(super) async fn search(
        &self,
        query: &str,
        filter: &ModuleFilter,
        sort: ModuleSort,
        limit: u32,
        cursor: Option<u32>,
    ) -> SearchResults {
        let text: String = query.chars().take(QUESTION_MAX_CHARS).collect();
        let is_maintained = self.maintenance.borrow().as_ref().is_some_and(|sender| sender.unbounded_send(()).is_ok());
        let is_ready = self.ready.get() || (!is_maintained && self.load().await.is_ok());
        let query = search_query(&text, filter, sort, cursor.unwrap_or(0), limit);
        let answer = if is_ready { self.ask_index(query).await } else { Err(Lost) };
        let (list, complete) = match answer {
            Ok(list) => (list, true),
            Err(Lost) => (self.catalog.scan(&text, filter, sort, limit, cursor), false),
        };
        let people = match text.trim() {
            "" => Vec::new(),
            begin => self.people.list(begin, PEOPLE_BESIDE, None).map(|page| page.people).unwrap_or_default(),
        };
        SearchResults { modules: list.modules, people, total: list.total, cursor: list.cursor, complete }
    }

    /// Returns modules that answer a peer's question, best first: of the index as it is, or, where it is not loaded or is being
    /// fed, of at most `scanned_max` modules. So a stranger starts no work that goes on.
    pub(super) async fn candidates(
        &self,
        text: &str,
        filter: &ModuleFilter,
        sort: ModuleSort,
        most: u32,
        scanned_max: usize,
    ) -> Vec<ModuleCard> {
        if let Some(_one_at_a_time) = self.feeding.try_lock().filter(|_| self.ready.get()) {
            let query = search_query(text, filter, sort, 0, most);
            if let SearchResponse::Found(found) = self.backend().ask(SearchRequest::Find(query)).await {
                return self.cards(&found.names);
            }
            self.reset();
        }
        self.catalog.scan_some(text, filter, sort, most, scanned_max).await
    }

    /// Returns modules as they are known now.
    fn cards(&self, names: &[String]) -> Vec<ModuleCard> {
        let read_model = self.registry.read_model();
        names.iter().filter_map(|name| self.catalog.card_of(&read_model, &parse_name(name).ok()?)).collect()
    }

    /// Feeds the index what is new and asks it. The results are shown from the read model, which is newer than the
    /// index.
    async fn ask_index(&self, query: SearchQuery) -> Result<ModuleList, Lost> {
        let _one_at_a_time = self.feeding.lock().await;
        self.feed().await?;
        let (skip, limit) = (query.skip, query.limit);
        let SearchResponse::Found(found) = self.backend().ask(SearchRequest::Find(query)).await else {
            self.reset();
            return Err(Lost);
        };
        let end = skip.saturating_add(limit);
        let cursor = (u64::from(end) < found.total).then_some(end);
        Ok(ModuleList { modules: self.cards(&found.names), cursor, total: found.total })
    }

    /// Returns the index, started at the first use.
    fn backend(&self) -> Rc<dyn SearchBackend> {
        self.backend.borrow_mut().get_or_insert_with(|| self.context.environment.search()).clone()
    }

    /// Loads the stored index and brings it up to date with the read model.
    async fn load(&self) -> Result<(), Lost> {
        let _one_at_a_time = self.feeding.lock().await;
        if self.ready.get() {
            return Ok(());
        }
        let backend = self.backend();
        // What changes from here on is noted.
        *self.touched.borrow_mut() = Touched::default();
        let stored = self.load_index().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the kept search index can't be read");
            None
        });
        // Bytes that are no index make it begin empty.
        let SearchResponse::Loaded(_) = backend.ask(SearchRequest::Load(stored.unwrap_or_default())).await else {
            return Err(Lost);
        };
        let names: Vec<FoldedName> = self.registry.read_model().modules(None).map(|(name, _)| name.folded()).collect();
        self.index_modules(names.iter()).await?;
        let keys = names.iter().map(|name| name.as_str().to_owned()).collect();
        let SearchResponse::Done { waiting } = backend.ask(SearchRequest::Keep(keys)).await else { return Err(Lost) };
        if waiting >= MERGE_FROM {
            self.save_index().await?;
        }
        self.ready.set(true);
        Ok(())
    }

    /// Feeds the index what changed. Returns how many documents it has not merged yet.
    async fn feed(&self) -> Result<u64, Lost> {
        let Touched { mut modules, people } = std::mem::take(&mut *self.touched.borrow_mut());
        if !people.is_empty() {
            let read_model = self.registry.read_model();
            let held = read_model.modules(None).filter(|(_, holder)| people.contains(holder));
            modules.extend(held.map(|(name, _)| name.folded()));
        }
        self.index_modules(modules.iter()).await
    }

    /// Updates the documents of modules in batches. Returns how many the index has not merged yet.
    async fn index_modules(&self, names: impl ExactSizeIterator<Item = &FoldedName>) -> Result<u64, Lost> {
        let (backend, mut names) = (self.backend(), names);
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        let mut waiting = 0;
        while names.len() > 0 {
            let (mut documents, mut removed) = (Vec::new(), Vec::new());
            for name in names.by_ref().take(BATCH) {
                match document(&self.catalog.opinions(&self.registry.read_model()), name) {
                    Some(document) => documents.push(document),
                    None => removed.push(name.as_str().to_owned()),
                }
                time_slice.yield_if_spent().await;
            }
            match backend.ask(SearchRequest::Update { documents, removed }).await {
                SearchResponse::Done { waiting: now } => waiting = now,
                _ => {
                    self.reset();
                    return Err(Lost);
                }
            }
        }
        Ok(waiting)
    }

    /// Starts the index at the first search and, once idle, merges and saves it. Never returns.
    pub async fn maintain(&self) {
        // Unbounded: one signal for each search, whose caller waits for the result.
        let (sender, mut searches) = mpsc::unbounded();
        *self.maintenance.borrow_mut() = Some(sender);
        while searches.next().await.is_some() {
            if !self.ready.get() && self.load().await.is_ok() {
                // A caller that got an unindexed answer searches again.
                self.context.emit(&Event::ModulesChanged { names: Vec::new() });
            }
            loop {
                select! {
                    again = searches.next() => if again.is_none() { return },
                    () = Delay::new(QUIET).fuse() => break,
                }
            }
            if self.ready.get() {
                let _one_at_a_time = self.feeding.lock().await;
                if matches!(self.feed().await, Ok(waiting) if waiting >= MERGE_FROM) && self.save_index().await.is_err()
                {
                    self.reset();
                }
            }
        }
    }

    /// Merges and stores the index. Failing to store it is harmless: it is built again the next time.
    async fn save_index(&self) -> Result<(), Lost> {
        let SearchResponse::Saved(bytes) = self.backend().ask(SearchRequest::MergeAndSave).await else {
            return Err(Lost);
        };
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        let mut batch = Vec::new();
        for (nth, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            batch.push(put(Table::SearchIndex, &piece_key(nth as u32), &serde_bytes::Bytes::new(piece)));
            time_slice.yield_if_spent().await;
        }
        let pieces = batch.len() as u32;
        if let Ok(StoredRecord::Record(Head { pieces: before })) =
            self.context.records.get(Table::SearchIndex, HEAD).await
        {
            let superfluous = (pieces..before.min(PIECES_MAX)).map(piece_key);
            batch.extend(superfluous.map(|key| Write::Delete { table: Table::SearchIndex, key }));
        }
        batch.push(put(Table::SearchIndex, HEAD, &Head { pieces }));
        if let Err(error) = self.context.records.commit(batch, Durability::Relaxed).await {
            tracing::warn!(%error, "the search index could not be stored");
        }
        Ok(())
    }

    /// Returns the stored index, or `None` if there is none or a piece of it is damaged.
    async fn load_index(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let StoredRecord::Record(Head { pieces }) = self.context.records.get(Table::SearchIndex, HEAD).await? else {
            return Ok(None);
        };
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        let mut bytes = Vec::new();
        for nth in 0..pieces.min(PIECES_MAX) {
            let piece = self.context.records.get::<serde_bytes::ByteBuf>(Table::SearchIndex, &piece_key(nth)).await?;
            let StoredRecord::Record(piece) = piece else { return Ok(None) };
            bytes.extend_from_slice(&piece);
            time_slice.yield_if_spent().await;
        }
        Ok(Some(bytes))
    }
}

/// Returns the key of a piece.
fn piece_key(nth: u32) -> String {
    format!("piece/{nth:04}")
}

/// Returns a question to the index.
fn search_query(text: &str, filter: &ModuleFilter, sort: ModuleSort, skip: u32, limit: u32) -> SearchQuery {
    let ModuleFilter { tag, owner, imports_nothing, exports } = filter.clone();
    let filter = Filter { tag, owner, imports_nothing, exports };
    SearchQuery { text: text.to_owned(), filter, order: order(sort), skip, limit }
}

/// Converts the sort order of a command.
fn order(sort: ModuleSort) -> SortBy {
    match sort {
        ModuleSort::Relevance => SortBy::Relevance,
        ModuleSort::Recent => SortBy::Recent,
        ModuleSort::Popular => SortBy::Popular,
        ModuleSort::Rated => SortBy::Rated,
        ModuleSort::Name => SortBy::Name,
    }
}

/// Returns a module as a document of the index, or `None` for a name without a holder, or without a release that
/// counts.
fn document(opinions: &Opinions<'_>, name: &FoldedName) -> Option<SearchDocument> {
    let read_model = opinions.read_model;
    let holder = read_model.module_name(name)?.holder()?;
    let module = read_model.module(name);
    let latest = module.newest()?;
    let spelled = read_model.spelled(&latest.release.module);
    let facet = read_model.facet(&spelled).cloned().unwrap_or_default();
    let ModuleFacet { description: ModuleDescription { title, description, tags, .. }, imports, exports } = facet;
    let words = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
    };
    let totals = opinions.totals(name);
    Some(SearchDocument {
        key: name.as_str().to_owned(),
        name: spelled.to_string(),
        title: title.unwrap_or_default(),
        description: description.unwrap_or_default(),
        tags: tags.into_iter().collect(),
        owner: holder.tenure.holder.to_string(),
        owner_name: read_model.username_of(&holder.tenure.holder).map(ToString::to_string).unwrap_or_default(),
        imports: words(imports),
        exports: words(exports),
        numbers: Numbers {
            published_at: latest.at.as_millis(),
            downloads: totals.downloads,
            score: totals.score(),
            size: latest.release.artifact.size,
        },
    })
}
