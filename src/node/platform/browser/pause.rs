//! Lets other work of the page run. A message that the page sends to itself does it: timers wait at least 4 ms, and up
//! to a second in a hidden page.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageChannel, MessageEvent, MessagePort};

/// The tasks that wait for their message, in order.
type Waiting = Rc<RefCell<VecDeque<oneshot::Sender<()>>>>;

/// The message channel and its waiting tasks.
struct Turnstile {
    /// The port to which a waiting task sends its message.
    entrance: MessagePort,
    waiting: Waiting,
    /// The other end stays open as long as somebody has it.
    _exit: MessagePort,
}

thread_local! {
    /// One for the thread; `None` if the browser has no message channels. Then nothing pauses.
    static TURNSTILE: Option<Turnstile> = Turnstile::new().ok();
}

impl Turnstile {
    /// Opens the channel; its handler resolves one waiting task for each message.
    fn new() -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        let waiting = Waiting::default();
        let next = waiting.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |_| {
            let waiting = next.borrow_mut().pop_front();
            if let Some(waiting) = waiting {
                // The waiting task may have been dropped.
                waiting.send(()).ok();
            }
        });
        channel.port1().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
        Ok(Self { entrance: channel.port2(), waiting, _exit: channel.port1() })
    }

    /// Sends one message. Returns what is resolved when it arrives.
    fn enter(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        if self.entrance.post_message(&JsValue::NULL).is_err() {
            // No later message would arrive: all waiting tasks go on at once.
            self.waiting.borrow_mut().clear();
        }
        receiver
    }
}

/// Resolves once the events that were queued before have been handled.
pub async fn yield_now() {
    let waiting = TURNSTILE.with(|turnstile| turnstile.as_ref().map(Turnstile::enter));
    if let Some(waiting) = waiting {
        waiting.await.ok();
    }
}
