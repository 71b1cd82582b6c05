//! The search index in a worker of its own, with a program of its own (`src/bin/gen-registry-search.rs`), so that the
//! page's program does not contain the engine, and none of it is loaded before the first search.
//!
//! Unlike a job's worker it lives as long as the page. Requests and responses are matched by their order. A worker that
//! fails is terminated, all pending requests fail, and the next request starts another one, at most three times.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use js_sys::Uint8Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::platform::search::SearchBackend;
use gen_registry_core::search::service::{PROTOCOL, SearchRequest, SearchResponse, SearchService};

/// What `public/worker.js` is to load. Trunk gives a worker's files no hash.
const PROGRAM: &str = "js=/gen-registry-search.js&wasm=/gen-registry-search_bg.wasm";
/// Starts of the worker in the life of a page.
const STARTS_MAX: u32 = 3;

/// The worker's side: owns the index and answers for as long as the page exists.
pub fn serve() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let (answer_to, service) = (scope.clone(), RefCell::new(SearchService::default()));
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
        let bytes = Uint8Array::new(&message.data()).to_vec();
        let reply = match cbor4ii::serde::from_slice::<SearchRequest>(&bytes) {
            Ok(ask) => service.borrow_mut().reply(ask),
            Err(error) => {
                tracing::error!(%error, "a question can't be read");
                SearchResponse::Failed
            }
        };
        let bytes = cbor4ii::serde::to_vec(Vec::new(), &reply).unwrap_or_default();
        if let Err(error) = answer_to.post_message(&Uint8Array::from(bytes.as_slice())) {
            tracing::error!(?error, "the search index could not answer");
        }
    });
    scope.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
    if let Err(error) = scope.post_message(&JsValue::from_f64(PROTOCOL.into())) {
        tracing::error!(?error, "the search index could not report that it is ready");
    }
}

/// The page's side.
#[derive(Default)]
pub(super) struct InWorker {
    shared: Rc<SharedWorker>,
}

/// The worker and its requests.
#[derive(Default)]
struct SharedWorker {
    /// The worker, while there is one.
    worker: RefCell<Option<Worker>>,
    /// Whether the worker has reported that it is ready.
    ready: Cell<bool>,
    /// How often a worker was started.
    starts: Cell<u32>,
    /// Requests that wait for the worker to start.
    unsent: RefCell<Vec<Vec<u8>>>,
    /// Who waits for the responses, in the order of the requests.
    waiting: RefCell<VecDeque<oneshot::Sender<SearchResponse>>>,
}

impl SearchBackend for InWorker {
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse> {
        let (sender, receiver) = oneshot::channel();
        if self.shared.clone().send(&ask, sender).is_none() {
            self.shared.give_up();
        }
        Box::pin(async move { receiver.await.unwrap_or(SearchResponse::Failed) })
    }
}

impl SharedWorker {
    /// Sends a request, or stores it until the worker is ready. `None` if no worker can be started.
    fn send(self: Rc<Self>, ask: &SearchRequest, answer: oneshot::Sender<SearchResponse>) -> Option<()> {
        if self.worker.borrow().is_none() {
            self.clone().start()?;
        }
        let bytes = cbor4ii::serde::to_vec(Vec::new(), ask).ok()?;
        self.waiting.borrow_mut().push_back(answer);
        if self.ready.get() {
            return self.post(&bytes);
        }
        self.unsent.borrow_mut().push(bytes);
        Some(())
    }

    /// Starts a worker.
    fn start(self: Rc<Self>) -> Option<()> {
        if self.starts.get() >= STARTS_MAX {
            return None;
        }
        self.starts.set(self.starts.get() + 1);
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(PROGRAM);
        let worker = Worker::new_with_options("/worker.js", &options).ok()?;
        let shared = self.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            if shared.handle_message(&message.data()).is_none() {
                shared.give_up();
            }
        });
        let shared = self.clone();
        let on_error = Closure::<dyn Fn()>::new(move || shared.give_up());
        worker.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
        worker.set_onerror(Some(on_error.into_js_value().unchecked_ref()));
        *self.worker.borrow_mut() = Some(worker);
        Some(())
    }

    /// Handles a message of the worker. `None` if it makes no sense.
    fn handle_message(&self, data: &JsValue) -> Option<()> {
        if let Some(protocol) = data.as_f64() {
            self.ready.set(true);
            let unsent = std::mem::take(&mut *self.unsent.borrow_mut());
            return (protocol == f64::from(PROTOCOL))
                .then_some(())
                .and_then(|()| unsent.iter().try_for_each(|bytes| self.post(bytes)));
        }
        let reply = cbor4ii::serde::from_slice::<SearchResponse>(&Uint8Array::new(data).to_vec()).ok()?;
        let answer = self.waiting.borrow_mut().pop_front()?;
        // The caller may be gone.
        drop(answer.send(reply));
        Some(())
    }

    /// Sends bytes to the worker.
    fn post(&self, bytes: &[u8]) -> Option<()> {
        self.worker.borrow().as_ref()?.post_message(&Uint8Array::from(bytes)).ok()
    }

    /// Ends the worker; pending requests fail when their channels end.
    fn give_up(&self) {
        tracing::warn!("the worker that searches is lost");
        if let Some(worker) = self.worker.borrow_mut().take() {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
        self.ready.set(false);
        self.unsent.borrow_mut().clear();
        self.waiting.borrow_mut().clear();
    }
}
