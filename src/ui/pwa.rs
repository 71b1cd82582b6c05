//! Reads the state of the boot script and the service worker: a new version waits, the page can be installed, it works
//! offline.
//!
//! The script runs before this program and keeps its events in `window.genRegistryBoot`; nothing here registers
//! workers or caches anything.

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::dom;

/// What the boot script and the service worker have reported; take it from the context with [`pwa`].
#[derive(Clone, Copy)]
pub struct Pwa {
    /// A newer version is loaded and waits to be started.
    pub update_waiting: RwSignal<bool>,
    /// The browser has offered to install the page.
    pub installable: RwSignal<bool>,
    /// The page runs as an installed app, or has just been installed.
    pub installed: RwSignal<bool>,
    /// Everything that the page needs is stored for working offline.
    pub offline_ready: RwSignal<bool>,
}

/// The state of installation and updates. Call it where a component is made, not in its callbacks.
pub fn pwa() -> Pwa {
    expect_context::<Pwa>()
}

impl Pwa {
    /// Reads what was reported before this program ran and listens to what comes.
    pub fn listen() -> Self {
        let pwa = Self {
            update_waiting: RwSignal::new(flag("updateWaiting")),
            installable: RwSignal::new(install_prompt().is_some()),
            installed: RwSignal::new(dom::matches_media("(display-mode: standalone)")),
            offline_ready: RwSignal::new(flag("offlineReady")),
        };
        // These live as long as the page does.
        window_event_listener_untyped("gen-update-waiting", move |_| pwa.update_waiting.set(true));
        window_event_listener_untyped("gen-offline-ready", move |_| pwa.offline_ready.set(true));
        window_event_listener_untyped("gen-installable", move |_| pwa.installable.set(true));
        window_event_listener_untyped("gen-installed", move |_| {
            pwa.installable.set(false);
            pwa.installed.set(true);
        });
        pwa
    }

    /// Whether the browser would ask to install the page now.
    pub fn can_install(self) -> bool {
        self.installable.get() && !self.installed.get()
    }

    /// Starts the version that waits; reloads the page where the script can't do it.
    pub fn apply_update(self) {
        if !call("applyUpdate") {
            dom::reload();
        }
    }

    /// Has the browser ask the server for a newer version. [`Pwa::update_waiting`] turns true when there is one.
    pub fn check_for_update(self) {
        call("checkForUpdate");
    }

    /// Shows the browser's own question; it can be shown once per event. False: it was not shown or not accepted.
    pub async fn install(self) -> bool {
        let Some(prompt) = install_prompt() else {
            return false;
        };
        self.installable.set(false);
        let Some(dialog) = method(&prompt, "prompt").and_then(|show| show.call0(&prompt).ok()) else {
            return false;
        };
        let Ok(choice) = JsFuture::from(Promise::resolve(&dialog)).await else {
            return false;
        };
        Reflect::get(&choice, &"outcome".into()).ok().and_then(|o| o.as_string()).as_deref() == Some("accepted")
    }
}

/// Returns the object that the boot script left.
fn boot() -> Option<JsValue> {
    Reflect::get(&window(), &"genRegistryBoot".into()).ok().filter(JsValue::is_object)
}

/// Reads a flag of the boot script; a missing one is false.
fn flag(name: &str) -> bool {
    boot().and_then(|boot| Reflect::get(&boot, &name.into()).ok()).is_some_and(|value| value.is_truthy())
}

/// Returns the browser's own question for installing, kept by the boot script.
fn install_prompt() -> Option<JsValue> {
    Reflect::get(&boot()?, &"installPrompt".into()).ok().filter(JsValue::is_object)
}

/// Returns a method of an object.
fn method(object: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(object, &name.into()).ok()?.dyn_into().ok()
}

/// Calls a function of the boot script. Returns whether there was one.
fn call(name: &str) -> bool {
    boot().and_then(|boot| method(&boot, name)?.call0(&boot).ok()).is_some()
}
