//! The tabs of one profile: a Web Lock that makes one of them the writer, and a BroadcastChannel between them.

use js_sys::Uint8Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{BroadcastChannel, MessageEvent};

#[wasm_bindgen(module = "/platform/browser/locks.js")]
extern "C" {
    /// `web-sys` has Web Locks only behind an unstable flag for the whole build.
    #[wasm_bindgen(js_name = holdLock)]
    fn hold_lock(name: &str) -> js_sys::Promise;
    /// Lets the next tab have a lock that this one holds.
    #[wasm_bindgen(js_name = releaseLock)]
    pub fn release_lock(name: &str);
    /// Nor has it the list of databases.
    #[wasm_bindgen(js_name = hasDatabase)]
    fn ask_for_database(name: &str) -> js_sys::Promise;
    /// Shows the person that the program has stopped, and releases the lock.
    #[wasm_bindgen(js_name = programStopped)]
    fn program_stopped(what: &str);
}

/// Makes a panic stop the page: the lock is released, so that another tab can write, and the person sees a notice
/// (`public/boot.js`).
pub fn stop_at_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        program_stopped(&panic.to_string());
    }));
}

/// What became of a request for a Web Lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebLock {
    /// This tab has it until it releases it, is closed or stops.
    Held,
    /// This browser has no Web Locks, or not at this address.
    Unsupported,
    /// The browser refused it.
    Refused,
}

/// Waits until this tab has the lock, where there are locks.
pub async fn request_lock(lock: &str) -> WebLock {
    match JsFuture::from(hold_lock(lock)).await {
        Ok(held) if held.is_truthy() => WebLock::Held,
        Ok(_) => WebLock::Unsupported,
        Err(_) => WebLock::Refused,
    }
}

/// Notes, in the moment in which a page goes, that the holder of a lease has gone. It stays for the pages that come later.
pub fn note_left(name: &str, lease: &str) {
    // Without this storage the lease runs out by itself.
    if let Some(storage) = local_storage() {
        storage.set_item(name, lease).ok();
    }
}

/// Returns the lease whose holder went last, as far as it was noted.
pub fn read_left(name: &str) -> Option<String> {
    local_storage()?.get_item(name).ok()?
}

/// Returns what can be written while a page goes: it waits for nothing.
fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// Returns whether a database exists, without creating it; false where the browser does not say.
pub async fn has_database(name: &str) -> bool {
    JsFuture::from(ask_for_database(name)).await.is_ok_and(|found| found.is_truthy())
}

/// A channel to all other tabs of this profile. Messages are byte strings; the sender does not receive its own.
pub struct TabChannel(BroadcastChannel);

impl TabChannel {
    /// Opens the channel, for as long as the page exists.
    pub fn open(name: &str, on_message: impl Fn(Vec<u8>) + 'static) -> Result<Self, JsValue> {
        let channel = BroadcastChannel::new(name)?;
        let listener = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            on_message(Uint8Array::new(&message.data()).to_vec());
        });
        // Lives as long as the page does.
        channel.set_onmessage(Some(listener.into_js_value().unchecked_ref()));
        Ok(Self(channel))
    }

    /// Sends a message to all other tabs.
    pub fn send(&self, message: &[u8]) {
        if let Err(error) = self.0.post_message(&Uint8Array::from(message)) {
            tracing::error!(?error, "a message to the other tabs was not sent");
        }
    }
}
