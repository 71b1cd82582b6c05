//! The search index in a worker of its own, with a program of its own (`src/bin/gen-registry-search.rs`), so that the
//! page's program does not contain the engine, and none of it is loaded before the first search.
//!
//! Unlike a job's worker it lives as long as the page ([`SharedWorker`]).

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::Uint8Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use crate::platform::browser::shared_worker::SharedWorker;
use crate::platform::search::SearchBackend;
use gen_registry_core::search::service::{PROTOCOL, SearchRequest, SearchResponse, SearchService};

/// What `public/worker.js` is to load. Trunk gives a worker's files no hash.
const PROGRAM: &str = "js=/gen-registry-search.js&wasm=/gen-registry-search_bg.wasm";

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
pub(super) struct InWorker(Rc<SharedWorker<SearchResponse>>);

impl Default for InWorker {
    fn default() -> Self {
        Self(Rc::new(SharedWorker::new(PROGRAM, PROTOCOL)))
    }
}

impl SearchBackend for InWorker {
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse> {
        let answer = self.0.ask(&ask);
        Box::pin(async move { answer.await.unwrap_or(SearchResponse::Failed) })
    }
}
