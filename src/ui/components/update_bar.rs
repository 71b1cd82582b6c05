//! Bars above the page: a new version waits, or this page is older than its data.

use leptos::prelude::*;

use crate::ui::components::icon::{Icon, icon};
use crate::ui::dom;
use crate::ui::pwa::pwa;
use crate::ui::session::session;

#[component]
pub fn UpdateBar() -> impl IntoView {
    let pwa = pwa();
    let later = RwSignal::new(false);
    let reload_needed = session().reload_needed;
    let waiting = move || pwa.update_waiting.get() && !later.get() && !reload_needed.get();
    view! {
        <Show when=waiting>
            <div class="bar" role="region" aria-label="New version" data-testid="update-bar">
                {icon(Icon::Refresh)} <p>"A new version is ready."</p>
                <button
                    type="button"
                    class="button button-main button-small"
                    data-testid="update-reload"
                    on:click=move |_| pwa.apply_update()
                >
                    "Reload"
                </button>
                <button type="button" class="button button-small" on:click=move |_| later.set(true)>
                    "Later"
                </button>
            </div>
        </Show>
        <Show when=move || reload_needed.get()>
            <div class="bar bar-blocking" role="alert" data-testid="reload-bar">
                {icon(Icon::Warning)}
                <p>"Another tab runs a newer version. This page must be reloaded before it can go on."</p>
                <button type="button" class="button button-main button-small" on:click=move |_| dom::reload()>
                    "Reload now"
                </button>
            </div>
        </Show>
    }
}
