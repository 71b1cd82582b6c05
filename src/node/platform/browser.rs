//! The browser's environment, and what only a page has: workers, and the one tab that writes.

#[cfg(debug_assertions)]
pub mod given_limits;
#[cfg(not(debug_assertions))]
#[path = "browser/usual_limits.rs"]
pub mod given_limits;
pub mod hashing;
pub mod job_worker;
pub mod log;
pub mod parameters;
mod pause;
mod sandbox;
pub mod search_worker;
mod shared_worker;
pub mod tabs;

use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::{Promise, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{PageTransitionEvent, StorageManager, VisibilityState};

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::SearchBackend;
use crate::platform::{Environment, StorageUse};
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::sync::exchange::PreparedPage;
use gen_registry_core::time::Timestamp;

/// The environment of a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Browser;

impl Environment for Browser {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(js_sys::Date::now() as u64)
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("every browser that runs WebAssembly has crypto.getRandomValues");
    }

    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>> {
        Box::pin(job_worker::run_job(job))
    }

    fn prepare_page(&self, topic: Topic, page: &[u8]) -> Option<LocalBoxFuture<'static, Option<PreparedPage>>> {
        job_worker::prepare_page(topic, page)
    }

    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>> {
        Box::pin(sandbox::run(job))
    }

    fn search(&self) -> Rc<dyn SearchBackend> {
        Rc::new(search_worker::InWorker::default())
    }

    fn hash(&self, bytes: &[u8]) -> LocalBoxFuture<'static, Digest> {
        hashing::hash(bytes)
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        Box::pin(storage_use())
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        Box::pin(pause::yield_now())
    }
}

/// Returns what the browser reports; each part is missing in some browser.
async fn storage_use() -> StorageUse {
    let Some(manager) = storage_manager() else { return StorageUse::default() };
    let estimate = resolve(manager.estimate()).await;
    let number = |name: &str| {
        let value = estimate.as_ref().and_then(|estimate| Reflect::get(estimate, &name.into()).ok());
        value.and_then(|value| value.as_f64()).map(|value| value as u64)
    };
    StorageUse {
        used: number("usage"),
        quota: number("quota"),
        persisted: resolve(manager.persisted()).await.and_then(|value| value.as_bool()),
    }
}

/// Returns the storage manager, where there is one.
fn storage_manager() -> Option<StorageManager> {
    let storage = web_sys::window()?.navigator().storage();
    // `navigator.storage` is undefined outside secure contexts, whatever its binding says.
    storage.is_instance_of::<StorageManager>().then_some(storage)
}

/// Awaits a promise; a failure is `None`.
async fn resolve(promise: Result<Promise, JsValue>) -> Option<JsValue> {
    JsFuture::from(promise.ok()?).await.ok()
}

/// Calls `act` when the page is closed. What it begins is carried out only as far as it waits for nothing.
pub fn when_leaving(act: impl Fn() + 'static) {
    let Some(window) = web_sys::window() else { return };
    let act = Closure::<dyn Fn(PageTransitionEvent)>::new(move |event: PageTransitionEvent| {
        // A page that is put aside may be shown again as it is.
        if !event.persisted() {
            act();
        }
    });
    let act = act.into_js_value();
    if let Err(error) = window.add_event_listener_with_callback("pagehide", act.unchecked_ref()) {
        tracing::warn!(?error, "the browser does not tell when the page goes");
    }
}

/// Calls `act` whenever the browser reports that there may be a network again, or the page becomes visible.
pub fn when_online(act: impl Fn() + 'static) {
    let Some(window) = web_sys::window() else { return };
    let document = window.document();
    let page = document.clone();
    let act = Closure::<dyn Fn()>::new(move || {
        // The same event fires when the page is hidden.
        if page.as_ref().is_none_or(|document| document.visibility_state() == VisibilityState::Visible) {
            act();
        }
    });
    let act = act.into_js_value();
    let act = act.unchecked_ref();
    let listening = window.add_event_listener_with_callback("online", act).and_then(|()| {
        document.map_or(Ok(()), |document| document.add_event_listener_with_callback("visibilitychange", act))
    });
    if let Err(error) = listening {
        tracing::warn!(?error, "the browser does not tell when it is online again");
    }
}
