//! Bars above the page: a new version waits, this page is older than its data, its clock is not that of others, or
//! something is wrong with what is stored ([`storage_bars`](super::storage_bars)).

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::pwa::pwa;
use crate::text;
use crate::widgets::storage_bars::StorageBars;

/// Shows none, one or several bars; the last one asks for a reload without which the page can't go on.
#[component]
pub fn UpdateBar() -> impl IntoView {
    let pwa = pwa();
    let later = RwSignal::new(false);
    let app_state = app_state();
    let reload_needed = app_state.shell.reload_needed;
    let clock = move || app_state.live.status.with(|status| status.as_ref().and_then(|status| status.clock_apart));
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
        <StorageBars />
        {move || {
            clock()
                .map(|apart| {
                    let side = if apart > 0 { "behind" } else { "ahead of" };
                    view! {
                        <div class="bar" role="alert" data-testid="clock-bar">
                            {icon(Icon::Warning)}
                            <p>
                                {format!(
                                    "This device’s clock is about {} {side} those of its peers. Until it is set right in the system’s settings, others don’t see you online and refuse what you write.",
                                    text::format_duration(apart.unsigned_abs()),
                                )}
                            </p>
                        </div>
                    }
                })
        }}
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
