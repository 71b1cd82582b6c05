//! Keys that work everywhere: `/` and Ctrl/⌘ K find modules and people, `?` lists the keys.
//!
//! The keys are listed in [`crate::components::help`].
//!
//! Single keys are left alone while the person writes, with a modifier, under an open dialog, or when switched off.

use leptos::ev;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::dom;
use crate::preferences::preferences;
use crate::routes;

/// Marks a field that finds.
const SEARCH_FIELDS: [&str; 2] = ["main [data-finds]", "header [data-finds]"];

/// Call once, inside the router.
pub fn listen(help: RwSignal<bool>) {
    let shortcuts = preferences().shortcuts;
    let navigate = use_navigate();
    let handle = window_event_listener(ev::keydown, move |event| {
        if event.default_prevented() || event.is_composing() || dom::find("dialog[open]").is_some() {
            return;
        }
        let key = event.key();
        let with_modifier = event.ctrl_key() || event.meta_key();
        let wants_search = if with_modifier {
            key.eq_ignore_ascii_case("k") && !event.alt_key() && !event.shift_key()
        } else {
            key == "/" && single_key_allowed(shortcuts)
        };
        if wants_search {
            event.prevent_default();
            focus_search(&navigate);
        } else if key == "?" && !with_modifier && single_key_allowed(shortcuts) {
            event.prevent_default();
            help.set(true);
        }
    });
    on_cleanup(move || handle.remove());
}

/// Whether keys without a modifier are switched on and would not be taken from a text.
fn single_key_allowed(shortcuts: RwSignal<bool>) -> bool {
    shortcuts.get_untracked() && !dom::is_typing()
}

/// Moves the focus into the search field of the page or of the header; on a phone leads to the list of modules.
fn focus_search(navigate: &impl Fn(&str, NavigateOptions)) {
    for selector in SEARCH_FIELDS {
        if let Some(field) = dom::find(selector).filter(dom::is_visible) {
            let _not_focusable = field.focus();
            return;
        }
    }
    // On a phone the header has no room for the field: the list of modules has one.
    navigate(routes::MODULES, NavigateOptions::default());
    set_timeout(|| dom::focus_soon("main [data-finds]"), std::time::Duration::from_millis(80));
}
