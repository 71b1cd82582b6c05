//! The pages of the directory that are on show, and the next one when the end comes into view.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{IntersectionObserver, IntersectionObserverEntry};

use crate::app_state::{AppState, app_state};
use crate::latest_request::{LatestRequest, RequestTicket};
use gen_registry_api::client::Client;
use gen_registry_api::failure::Failure;
use gen_registry_api::{PeoplePage, PersonSummary, UsernameEntry};

/// How many people are asked for at once.
const PAGE: u32 = 60;

/// As many rows as are on show, however many the node gives at once.
async fn fetch_rows(client: Client, prefix: String, rows: u32, after: Option<String>) -> Result<PeoplePage, Failure> {
    let mut page = client.list_usernames(prefix.clone(), rows, after).await?;
    while let Some(cursor) = page.cursor.clone().filter(|_| page.people.len() < rows as usize) {
        let missing = rows - page.people.len() as u32;
        let mut next = client.list_usernames(prefix.clone(), missing, Some(cursor)).await?;
        page.people.append(&mut next.people);
        page.cursor = next.cursor;
    }
    Ok(page)
}

/// A row; it is rendered again when anything that it shows has changed.
#[derive(Clone)]
pub struct Row {
    pub entry: Arc<UsernameEntry>,
    /// A hash of all that is shown. Compared for every row whenever the list grows, so it is computed once.
    pub key: u64,
}

impl Row {
    fn new(entry: UsernameEntry) -> Self {
        let mut hasher = DefaultHasher::new();
        let UsernameEntry { person, registered_at, status, .. } = &entry;
        let PersonSummary { did, username, display_name, avatar, mine, .. } = person;
        (did, username, registered_at, display_name, avatar, *status as u8, mine).hash(&mut hasher);
        Self { key: hasher.finish(), entry: Arc::new(entry) }
    }
}

/// The rows on show, and where the next page begins. Cheap to copy.
#[derive(Clone, Copy)]
pub struct PeopleList {
    /// The rows so far.
    pub people: RwSignal<Vec<Row>>,
    /// Where the next page begins; none at the end of the list.
    pub cursor: RwSignal<Option<String>>,
    /// How many there are in all; none until the first answer.
    pub total: RwSignal<Option<u64>>,
    /// First letters with the number of names.
    pub initials: RwSignal<Vec<(String, u64)>>,
    /// A page is on its way.
    pub loading: RwSignal<bool>,
    /// Why the last request failed.
    pub failure: RwSignal<Option<Failure>>,
    /// The element below the last row; coming into view, it loads the next page.
    pub end: NodeRef<html::P>,
    /// The start of the names that are listed.
    prefix: Memo<String>,
    /// The cursor in the address, of a link to a later page.
    after: Memo<Option<String>>,
    /// Drops answers for an earlier text.
    latest: LatestRequest,
    app_state: AppState,
}

impl PeopleList {
    /// Loads the first page, and again with every change of what is asked for or known. Call it inside a component.
    pub fn new(prefix: Memo<String>, after: Memo<Option<String>>) -> Self {
        let app_state = app_state();
        let directory = Self {
            people: RwSignal::new(Vec::new()),
            cursor: RwSignal::new(None),
            total: RwSignal::new(None),
            initials: RwSignal::new(Vec::new()),
            loading: RwSignal::new(false),
            failure: RwSignal::new(None),
            end: NodeRef::new(),
            prefix,
            after,
            latest: LatestRequest::new(),
            app_state,
        };
        Effect::new(move |before: Option<(String, Option<String>)>| {
            app_state.invalidation.people.track();
            let now = (prefix.get(), after.get());
            // News about people must not throw the reader back to the top.
            let count = directory.people.with_untracked(Vec::len) as u32;
            directory.begin(if before.as_ref() == Some(&now) { count.max(PAGE) } else { PAGE });
            now
        });
        directory.observe_end();
        directory
    }

    /// Loads the list from its beginning.
    fn begin(self, rows: u32) {
        let request = self.latest.begin();
        let (prefix, after) = (self.prefix.get_untracked(), self.after.get_untracked());
        self.loading.set(true);
        spawn_local(async move {
            let page = fetch_rows(self.app_state.client(), prefix, rows, after).await;
            self.accept(request, page, |people, page| *people = page);
        });
    }

    /// Adds the next page, unless one is on its way or there is none.
    pub fn load_more(self) {
        let Some(Some(cursor)) = self.cursor.try_get_untracked() else {
            return;
        };
        if self.loading.get_untracked() {
            return;
        }
        let request = self.latest.begin();
        let prefix = self.prefix.get_untracked();
        self.loading.set(true);
        spawn_local(async move {
            let page = self.app_state.client().list_usernames(prefix, PAGE, Some(cursor)).await;
            self.accept(request, page, |people, mut page| people.append(&mut page));
        });
    }

    /// Takes an answer, unless a newer request was begun.
    ///
    /// `place` puts the new rows in place of the old ones or after them. A failure leaves the rows as they are.
    fn accept(
        self,
        request: RequestTicket,
        page: Result<PeoplePage, Failure>,
        place: impl FnOnce(&mut Vec<Row>, Vec<Row>),
    ) {
        if !request.is_latest() {
            return;
        }
        self.loading.set(false);
        match page {
            Ok(page) => {
                self.failure.set(None);
                self.total.set(Some(page.total));
                if self.initials.with_untracked(|initials| *initials != page.initials) {
                    self.initials.set(page.initials);
                }
                self.people.update(|people| place(people, page.people.into_iter().map(Row::new).collect()));
                self.cursor.set(page.cursor);
                self.load_more_if_end_is_visible();
            }
            Err(failure) => self.failure.set(Some(failure)),
        }
    }

    /// The observer fires once when the end comes into view; a tall window may need several pages.
    fn load_more_if_end_is_visible(self) {
        request_animation_frame(move || {
            let Some(Some(end)) = self.end.try_get_untracked() else {
                return;
            };
            let height = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
            if end.get_bounding_client_rect().top() < height {
                self.load_more();
            }
        });
    }

    /// Loads the next page whenever the end of the list comes into view.
    fn observe_end(self) {
        Effect::new(move |_| {
            let Some(end) = self.end.get() else {
                return;
            };
            let callback = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
                let visible = entries
                    .iter()
                    .filter_map(|entry| entry.dyn_into::<IntersectionObserverEntry>().ok())
                    .any(|entry| entry.is_intersecting());
                if visible {
                    self.load_more();
                }
            });
            // Without an observer the link still works.
            if let Ok(observer) = IntersectionObserver::new(callback.as_ref().unchecked_ref()) {
                observer.observe(&end);
                let stored = StoredValue::new_local((observer, callback));
                on_cleanup(move || {
                    stored.try_with_value(|(observer, _)| observer.disconnect());
                });
            }
        });
    }
}
