//! Which version this is, whether a newer one waits, and installing.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::pwa::pwa;
use crate::widgets::install_offer::InstallButton;

/// The section.
#[component]
pub fn App() -> impl IntoView {
    let app_state = app_state();
    let pwa = pwa();
    let version = move || app_state.live.status.with(|status| status.as_ref().map(|status| status.version.clone()));
    let check = move |_| {
        pwa.check_for_update();
        app_state
            .shell
            .toasts
            .push(Tone::Plain, "Looking for a newer version. A bar at the top tells when there is one.");
    };
    view! {
        <section class="card" id="app" aria-labelledby="app-title">
            <h2 id="app-title">"App"</h2>
            <p>
                "Gen Registry "
                <span data-testid="version">{move || version().unwrap_or_default()}</span>
                {move || if pwa.offline_ready.get() { ", ready to work offline." } else { "." }}
            </p>
            <div class="actions">
                <button type="button" class="button" on:click=check>
                    "Look for a newer version"
                </button>
                <Show when=move || pwa.can_install()>
                    <InstallButton />
                </Show>
            </div>
            <p class="muted">
                {move || {
                    if pwa.installed.get() {
                        "It runs as an installed app."
                    } else if pwa.installable.get() {
                        "Installed, it starts like any other app, with or without a network."
                    } else {
                        "To install it, use your browser’s menu: “Install app”, or “Add to home screen” under Share on an iPhone."
                    }
                }}
            </p>
        </section>
    }
}
