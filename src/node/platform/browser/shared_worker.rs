//! A worker that answers many requests. Requests and responses, both CBOR, are matched by their order. A worker that fails is
//! terminated, all pending requests fail, and the next request starts another one, at most three times.
//!
//! ```text
//!   page                                       worker
//!   new Worker("/worker.js")      ──────────►  loads its program
//!                                 ◄──────────  the version of its messages, a number: ready, and of which build
//!   a request                     ──────────►
//!   another                       ──────────►
//!                                 ◄──────────  the response to the first
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;
use js_sys::Uint8Array;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

/// Starts of one worker in the life of a page.
const STARTS_MAX: u32 = 3;

/// The worker and the requests whose responses, of type `A`, are due.
pub(super) struct SharedWorker<A> {
    /// What `public/worker.js` is to load.
    program: &'static str,
    /// The version of the messages.
    protocol: u32,
    /// The worker, while there is one.
    worker: RefCell<Option<Worker>>,
    /// Whether the worker has reported that it is ready.
    ready: Cell<bool>,
    /// How often a worker was started.
    starts: Cell<u32>,
    /// Requests that wait for the worker to start.
    unsent: RefCell<Vec<Vec<u8>>>,
    /// Who waits for the responses, in the order of the requests.
    waiting: RefCell<VecDeque<oneshot::Sender<A>>>,
}

impl<A: DeserializeOwned + 'static> SharedWorker<A> {
    /// A worker that is started at the first request.
    pub(super) fn new(program: &'static str, protocol: u32) -> Self {
        Self {
            program,
            protocol,
            worker: RefCell::default(),
            ready: Cell::default(),
            starts: Cell::default(),
            unsent: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// Sends a request. The response is cancelled if no worker can be had, or it fails.
    pub(super) fn ask(self: &Rc<Self>, ask: &impl Serialize) -> oneshot::Receiver<A> {
        let (sender, receiver) = oneshot::channel();
        if self.send(ask, sender).is_none() {
            self.give_up();
        }
        receiver
    }

    /// Returns how many responses are due.
    pub(super) fn pending(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Returns whether the worker has started.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// Ends the worker; pending requests are cancelled, and the next one starts another. It was no failure.
    pub(super) fn end(&self) {
        self.terminate();
        self.starts.set(0);
    }

    /// Sends a request, or stores it until the worker is ready. `None` if no worker can be started.
    fn send(self: &Rc<Self>, ask: &impl Serialize, answer: oneshot::Sender<A>) -> Option<()> {
        if self.worker.borrow().is_none() {
            self.start()?;
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
    fn start(self: &Rc<Self>) -> Option<()> {
        if self.starts.get() >= STARTS_MAX {
            return None;
        }
        self.starts.set(self.starts.get() + 1);
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(self.program);
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
            return (protocol == f64::from(self.protocol))
                .then_some(())
                .and_then(|()| unsent.iter().try_for_each(|bytes| self.post(bytes)));
        }
        let reply = cbor4ii::serde::from_slice::<A>(&Uint8Array::new(data).to_vec()).ok()?;
        let answer = self.waiting.borrow_mut().pop_front()?;
        // The caller may be gone.
        drop(answer.send(reply));
        Some(())
    }

    /// Sends bytes to the worker.
    fn post(&self, bytes: &[u8]) -> Option<()> {
        self.worker.borrow().as_ref()?.post_message(&Uint8Array::from(bytes)).ok()
    }

    /// Ends a worker that failed, or does not start; pending requests are cancelled.
    pub(super) fn give_up(&self) {
        tracing::warn!(program = self.program, "a worker is lost");
        self.terminate();
    }

    fn terminate(&self) {
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
