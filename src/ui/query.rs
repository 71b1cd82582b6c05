//! Questions to the node that follow what is on show.
//!
//! The last answer stays on show until the next one is here, and an answer that came too late is dropped.

use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::latest_request::LatestRequest;
use gen_registry_api::failure::Failure;

/// None while the first answer is awaited.
pub type QueryState<T> = RwSignal<Option<Result<T, Failure>>>;

/// Queries again whenever `key` changes (dropping the old answer) or `again` does (keeping it until the new one is in).
pub fn use_query<K, T, F, A>(key: impl Fn() -> K + 'static, again: impl Fn() + 'static, ask: F) -> QueryState<T>
where
    K: Clone + PartialEq + 'static,
    T: Clone + PartialEq + Send + Sync + 'static,
    F: Fn(K) -> A + 'static,
    A: Future<Output = Result<T, Failure>> + 'static,
{
    let answer: QueryState<T> = RwSignal::new(None);
    let latest = LatestRequest::new();
    Effect::new(move |previous: Option<K>| {
        again();
        let key = key();
        if previous.as_ref().is_some_and(|previous| *previous != key) {
            answer.set(None);
        }
        let request = latest.begin();
        let answering = ask(key.clone());
        spawn_local(async move {
            let outcome = answering.await;
            // An unchanged answer must not re-render the page under the reader's eyes.
            if request.is_latest() && answer.with_untracked(|old| old.as_ref() != Some(&outcome)) {
                answer.set(Some(outcome));
            }
        });
        key
    });
    answer
}
