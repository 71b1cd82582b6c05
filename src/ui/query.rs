//! Queries to the node that run again when what they depend on changes.
//!
//! The last answer stays until the next one is here, an answer that came too late is dropped (see
//! [`crate::latest_request`]), and an equal answer changes nothing, so that no view is rendered again for it.

use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::app_state;
use crate::latest_request::LatestRequest;
use gen_registry_api::NetworkReport;
use gen_registry_api::failure::Failure;

/// The answer to a query, or why there is none. `None` while the first answer is awaited.
pub type QueryState<T> = RwSignal<Option<Result<T, Failure>>>;

/// Asks at once, and again whenever one of two things changes.
///
/// - `key` says what is asked for. When it changes, the old answer is dropped at once.
/// - `again` tracks what the answer depends on. When that changes, the old answer stays until the new one is in.
///
/// `ask` sends the command for a key. Call this inside a component: the query ends with it.
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

/// Asks for the report of the network, at once and whenever peers, relays or the network's witnesses change.
pub fn use_network_report() -> QueryState<NetworkReport> {
    let app_state = app_state();
    use_query(
        || (),
        move || app_state.invalidation.network.track(),
        move |()| {
            let client = app_state.client();
            async move { client.network().await }
        },
    )
}
