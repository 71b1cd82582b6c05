//! Runs CPU-heavy jobs in a dedicated worker with a program of its own (`src/bin/gen-registry-work.rs`), so that the
//! page's program does not contain what reads modules.
//!
//! ```text
//!   page                                       worker
//!   new Worker("/worker.js")      ──────────►  loads its program
//!                                 ◄──────────  PROTOCOL, a number: ready, and of which build
//!   the job, CBOR                 ──────────►  runs it
//!                                 ◄──────────  its output, CBOR
//!   terminate()
//! ```
//!
//! A worker lives for one job; its memory (64 MiB while a key is derived) is freed with it. Only preparing pages has a
//! worker that stays while they arrive ([`prepare_page`]).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture, select};
use gloo::timers::callback::Timeout;
use gloo::timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::platform::browser::shared_worker::SharedWorker;
use gen_registry_core::identity::Topic;
use gen_registry_core::jobs::{Job, JobOutput, PROTOCOL, perform as perform_here};
use gen_registry_core::sync::exchange::PreparedPage;

/// What `public/worker.js` is to load. Trunk gives a worker's files no hash.
const PROGRAM: &str = "js=/gen-registry-work.js&wasm=/gen-registry-work_bg.wasm";

/// How long a page waits for the worker that prepares pages to start. Its files come from the server, which may hang; the
/// page is admitted without it then.
const START_PATIENCE_MILLIS: u32 = 2_000;
/// How long the worker that prepares pages stays without work.
const IDLE_MILLIS: u32 = 10_000;

thread_local! {
    /// The worker that prepares pages.
    static PREPARER: Rc<SharedWorker<Option<JobOutput>>> = Rc::new(SharedWorker::new(PROGRAM, PROTOCOL));
    /// When it is ended: each request puts it off.
    static END: RefCell<Option<Timeout>> = const { RefCell::new(None) };
}

/// Begins to prepare a page of pieces, from the page's side. Returns `None` if no worker can be had.
pub(super) fn prepare_page(topic: Topic, page: &[u8]) -> Option<LocalBoxFuture<'static, Option<PreparedPage>>> {
    let preparer = PREPARER.with(Rc::clone);
    let answer = preparer.ask(&Job::PreparePage { topic, page: page.to_vec().into() });
    put_off_the_end();
    Some(Box::pin(async move {
        let answer = match select(answer, TimeoutFuture::new(START_PATIENCE_MILLIS)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, answer)) => {
                if !preparer.is_ready() {
                    preparer.give_up();
                }
                answer.await
            }
        };
        match answer {
            Ok(Some(JobOutput::PagePrepared(prepared))) => Some(prepared),
            Ok(_) | Err(_) => None,
        }
    }))
}

/// Has the worker that prepares pages end once it had nothing to do for a while.
fn put_off_the_end() {
    let end = Timeout::new(IDLE_MILLIS, || {
        PREPARER.with(|preparer| match preparer.pending() {
            0 => preparer.end(),
            _ => put_off_the_end(),
        });
    });
    END.with(|place| place.replace(Some(end)));
}

/// The worker's side: carries out jobs, most often one.
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
    // The page sends the job once it receives this.
    if let Err(error) = scope.post_message(&JsValue::from_f64(PROTOCOL.into())) {
        tracing::error!(?error, "a worker could not report that it is ready");
    }
}

/// Runs a job, from the page's side. Returns `None` if no worker starts, or it is of another build.
pub(super) async fn run_job(job: Job) -> Option<JobOutput> {
    let product = run(job).await;
    if product.is_none() {
        tracing::warn!("no worker can be had for long work");
    }
    product
}

/// Starts a worker for one job and waits for its output.
async fn run(job: Job) -> Option<JobOutput> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    options.set_name(PROGRAM);
    let worker = Worker::new_with_options("/worker.js", &options).ok()?;
    let (sender, receiver) = oneshot::channel::<Option<JobOutput>>();
    let sender = RefCell::new(Some(sender));
    let settle = move |outcome| {
        if let Some(sender) = sender.borrow_mut().take() {
            // The receiver is gone only if the job was given up.
            drop(sender.send(outcome));
        }
    };
    let settle = Rc::new(settle);
    let question = Cell::new(cbor4ii::serde::to_vec(Vec::new(), &job).ok()?);
    // Whole files may be in it; neither copy stays longer than it must.
    drop(job);
    let on_message = {
        let (worker, settle) = (worker.clone(), settle.clone());
        Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            if let Some(protocol) = message.data().as_f64() {
                let speaks = protocol == f64::from(PROTOCOL);
                if !speaks || worker.post_message(&Uint8Array::from(question.take().as_slice())).is_err() {
                    settle(None);
                }
            } else {
                let answer = Uint8Array::new(&message.data()).to_vec();
                settle(cbor4ii::serde::from_slice::<Option<JobOutput>>(&answer).ok().flatten());
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

/// Encodes and sends an output.
fn post(product: &Option<JobOutput>, send: impl Fn(&JsValue) -> Result<(), JsValue>) -> Result<(), JsValue> {
    let bytes = cbor4ii::serde::to_vec(Vec::new(), product).map_err(|error| JsValue::from_str(&error.to_string()))?;
    send(&Uint8Array::from(bytes.as_slice()))
}
