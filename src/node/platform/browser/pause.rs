//! Letting other work of the page go first. A message to oneself does it: timers wait at least 4 ms, and in a page that
//! a hidden page throttles to once a second.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageChannel, MessageEvent, MessagePort};

type Waiting = Rc<RefCell<VecDeque<oneshot::Sender<()>>>>;

struct Turnstile {
    entrance: MessagePort,
    waiting: Waiting,
    /// The other end stays open as long as somebody has it.
    _exit: MessagePort,
}

thread_local! {
    static TURNSTILE: Option<Turnstile> = Turnstile::new().ok();
}

impl Turnstile {
    fn new() -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        let waiting = Waiting::default();
        let next = waiting.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |_| {
            let turn = next.borrow_mut().pop_front();
            if let Some(turn) = turn {
                // The waiting task may have been dropped.
                turn.send(()).ok();
            }
        });
        channel.port1().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
        Ok(Self { entrance: channel.port2(), waiting, _exit: channel.port1() })
    }

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

pub async fn yield_now() {
    let turn = TURNSTILE.with(|turnstile| turnstile.as_ref().map(Turnstile::enter));
    if let Some(turn) = turn {
        turn.await.ok();
    }
}
