//! Runs another person's function in a worker of its own (`public/sandbox.js`), and ends the worker when time is up.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::platform::sandbox::{Argument, RESULT_MAX_CHARS, RUN_TIME, Returned, Run, RunError};

/// How long the worker may take to start; a busy browser takes its time.
const START_MILLIS: u32 = 20_000;

/// Runs a call and terminates the worker, whatever it is doing.
pub(super) async fn run(job: Run) -> Result<Returned, RunError> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options("/sandbox.js", &options).map_err(|_| RunError::Unavailable)?;
    let outcome = exchange(&worker, &job).await;
    worker.set_onmessage(None);
    worker.set_onerror(None);
    // Whatever it is doing.
    worker.terminate();
    outcome
}

/// Waits for the worker to start, sends it the call and waits for the answer, each for a limited time.
async fn exchange(worker: &Worker, job: &Run) -> Result<Returned, RunError> {
    let (ready, up) = oneshot::channel::<()>();
    let (answer, answered) = oneshot::channel::<JsValue>();
    let (ready, answer) = (RefCell::new(Some(ready)), Rc::new(RefCell::new(Some(answer))));
    let settle = {
        let answer = answer.clone();
        move |value: JsValue| {
            if let Some(answer) = answer.borrow_mut().take() {
                // The receiver is gone only if the run was given up.
                drop(answer.send(value));
            }
        }
    };
    let on_error = {
        let settle = settle.clone();
        Closure::<dyn Fn()>::new(move || settle(JsValue::NULL))
    };
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
        if message.data().is_null() {
            if let Some(ready) = ready.borrow_mut().take() {
                ready.send(()).ok();
            }
        } else {
            settle(message.data());
        }
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    match select(up, TimeoutFuture::new(START_MILLIS)).await {
        Either::Left((Ok(()), _)) => {}
        Either::Left((Err(_), _)) | Either::Right(_) => return Err(RunError::Unavailable),
    }
    worker.post_message(&message(job)).map_err(|_| RunError::Unavailable)?;
    let patience = u32::try_from(RUN_TIME.as_millis()).unwrap_or(u32::MAX);
    match select(answered, TimeoutFuture::new(patience)).await {
        Either::Left((Ok(value), _)) => read(&value),
        Either::Left((Err(_), _)) => Err(RunError::Unavailable),
        Either::Right(_) => Err(RunError::TimedOut),
    }
}

/// Encodes a call for the worker.
fn message(job: &Run) -> JsValue {
    let modules = job.modules.iter().map(|(name, bytes)| {
        object(&[("name", name.as_str().into()), ("bytes", Uint8Array::from(bytes.as_slice()).into())])
    });
    let arguments = job.arguments.iter().map(|argument| match argument {
        Argument::Number { kind, value } => object(&[("kind", kind.as_str().into()), ("value", value.as_str().into())]),
        Argument::Text(text) => object(&[("kind", "text".into()), ("value", text.as_str().into())]),
    });
    object(&[
        ("modules", modules.collect::<Array>().into()),
        ("function", job.function.as_str().into()),
        ("arguments", arguments.collect::<Array>().into()),
        ("results", job.results.iter().map(|kind| JsValue::from_str(kind)).collect::<Array>().into()),
        ("textResult", job.text_result.into()),
        ("mostText", (RESULT_MAX_CHARS as f64).into()),
    ])
}

/// Returns a JavaScript object with these fields.
fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Only a frozen object refuses.
        Reflect::set(&object, &(*name).into(), value).ok();
    }
    object.into()
}

/// Decodes the worker's answer. The worker's own code sends it, but a module could have taken that over: nothing but
/// the answer's form is relied on.
fn read(value: &JsValue) -> Result<Returned, RunError> {
    let text = |name: &str| Reflect::get(value, &name.into()).ok().and_then(|field| field.as_string());
    let message = text("message").unwrap_or_default();
    match text("kind").as_deref() {
        Some("notGranted") => return Err(RunError::NotGranted(message)),
        Some("arguments") => return Err(RunError::Arguments(message)),
        Some("link") => return Err(RunError::Link(message)),
        Some(_) => return Err(RunError::Trapped(message)),
        None => {}
    }
    let values = Reflect::get(value, &"values".into()).ok().filter(Array::is_array);
    let values = values.ok_or_else(|| RunError::Trapped("the worker ended".to_owned()))?;
    let millis = Reflect::get(value, &"millis".into()).ok().and_then(|millis| millis.as_f64()).unwrap_or_default();
    let values = Array::from(&values).iter().filter_map(|value| value.as_string()).collect();
    Ok(Returned { values, text: text("text"), millis })
}
