//! Offers to install the app: once after the first success, and in the settings. Silent where it is installed already.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::pwa::pwa;

/// Where it is kept that the offer was put away.
const PUT_AWAY: &str = "gen-registry.install-offer";

/// After the first claim, until it is taken up or put away.
#[component]
pub fn InstallOffer() -> impl IntoView {
    let app_state = app_state();
    let pwa = pwa();
    let put_away = RwSignal::new(dom::load(PUT_AWAY).is_some());
    let away = move |_| {
        put_away.set(true);
        dom::store(PUT_AWAY, Some("no"));
    };
    view! {
        <Show when=move || app_state.shell.has_just_claimed.get() && pwa.can_install() && !put_away.get()>
            <aside class="card offer" aria-label="Install">
                {icon(Icon::Install)}
                <div>
                    <p>
                        <strong>"Keep Gen Registry at hand"</strong>
                    </p>
                    <p class="muted">"Installed, it starts like any other app, with or without a network."</p>
                </div>
                <div class="actions">
                    <InstallButton />
                    <button type="button" class="button button-small" on:click=away>
                        "No, thanks"
                    </button>
                </div>
            </aside>
        </Show>
    }
}

/// Opens the browser's own question for installing.
#[component]
pub fn InstallButton() -> impl IntoView {
    let app_state = app_state();
    let pwa = pwa();
    let install = move |_| {
        spawn_local(async move {
            if pwa.install().await {
                app_state.shell.toasts.push_good("Installed.");
            }
        });
    };
    view! {
        <button type="button" class="button button-main button-small" on:click=install>
            {icon(Icon::Install)}
            "Install"
        </button>
    }
}
