//! Heavy work in a dedicated worker: the same WebAssembly program started once more, without a page.
//!
//! A worker lives for one job; its memory (64 MiB while stretching) goes with it.

use std::cell::RefCell;

use futures::channel::oneshot;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, UrlSearchParams, Worker, WorkerOptions, WorkerType};

use crate::registry::work::{Job, Product, perform as perform_here};

/// True in the copy of the program that runs inside a worker.
pub fn is_worker() -> bool {
    js_sys::global().is_instance_of::<DedicatedWorkerGlobalScope>()
}

/// The worker's side: waits for its one job.
pub fn serve() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let answer_to = scope.clone();
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
        let bytes = Uint8Array::new(&message.data()).to_vec();
        let product = cbor4ii::serde::from_slice::<Job>(&bytes).ok().map(|job| perform_here(&job));
        if let Err(error) = post(&product, |value| answer_to.post_message(value)) {
            tracing::error!(?error, "a worker could not answer");
        }
    });
    scope.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
    // The page sends the job once it hears this.
    if let Err(error) = scope.post_message(&JsValue::NULL) {
        tracing::error!(?error, "a worker could not report that it is ready");
    }
}

/// The page's side. Where no worker can be had the work is done here, which blocks the page for about a second.
pub(super) async fn perform(job: Job) -> Product {
    match run(&job).await {
        Some(product) => product,
        None => {
            tracing::warn!("no worker can be had; long work on the main thread");
            perform_here(&job)
        }
    }
}

async fn run(job: &Job) -> Option<Product> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    options.set_name(&program_files()?);
    let worker = Worker::new_with_options("/worker.js", &options).ok()?;
    let (sender, receiver) = oneshot::channel::<Option<Product>>();
    let sender = RefCell::new(Some(sender));
    let settle = move |outcome| {
        if let Some(sender) = sender.borrow_mut().take() {
            // The receiver is gone only when nobody waits any more.
            drop(sender.send(outcome));
        }
    };
    let settle = std::rc::Rc::new(settle);
    let on_message = {
        let (worker, settle, job) = (worker.clone(), settle.clone(), cbor4ii::serde::to_vec(Vec::new(), job).ok()?);
        Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            if message.data().is_null() {
                let sent = worker.post_message(&Uint8Array::from(job.as_slice()));
                if sent.is_err() {
                    settle(None);
                }
            } else {
                let answer = Uint8Array::new(&message.data()).to_vec();
                settle(cbor4ii::serde::from_slice::<Option<Product>>(&answer).ok().flatten());
            }
        })
    };
    let on_error = Closure::<dyn Fn()>::new(move || settle(None));
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    let outcome = receiver.await.ok().flatten();
    worker.set_onmessage(None);
    worker.set_onerror(None);
    worker.terminate();
    outcome
}

fn post(product: &Option<Product>, send: impl Fn(&JsValue) -> Result<(), JsValue>) -> Result<(), JsValue> {
    let bytes = cbor4ii::serde::to_vec(Vec::new(), product).map_err(|error| JsValue::from_str(&error.to_string()))?;
    send(&Uint8Array::from(bytes.as_slice()))
}

/// `public/boot.js` leaves the addresses of the program's two files behind; `public/worker.js` reads them as a query.
fn program_files() -> Option<String> {
    let boot = Reflect::get(&js_sys::global(), &"genRegistryBoot".into()).ok()?;
    let assets = Reflect::get(&boot, &"assets".into()).ok()?;
    let address = |name: &str| Reflect::get(&assets, &name.into()).ok()?.as_string();
    let query = UrlSearchParams::new().ok()?;
    query.append("js", &address("js")?);
    query.append("wasm", &address("wasm")?);
    Some(query.to_string().into())
}
