//! Who may see that this person is here.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::notice::FailureNotice;
use crate::query::use_query;

/// The section, with the switch that makes this device invisible.
#[component]
pub fn Presence() -> impl IntoView {
    let app_state = app_state();
    let report = use_query(
        || (),
        move || app_state.invalidation.presence.track(),
        move |()| {
            let client = app_state.client();
            async move { client.online_users().await.map(|report| report.invisible) }
        },
    );
    let attempt = ActionState::new();
    let choose = move |invisible: bool| {
        let client = app_state.client();
        attempt.start(async move { client.set_invisible(invisible).await }, move |done| {
            report.set(Some(Ok(done.invisible)));
            app_state.shell.announce(if invisible { "You are invisible." } else { "Others see when you are here." });
        });
    };
    view! {
        <section class="card" id="presence" aria-labelledby="presence-title">
            <h2 id="presence-title">"Presence"</h2>
            <p class="muted">
                "While this app is open, everybody in the network can see that you are here, on how many devices and in which channels."
            </p>
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    data-testid="invisible"
                    prop:checked=move || matches!(report.get(), Some(Ok(true)))
                    on:change:target=move |event| choose(event.target().checked())
                />
                <span>"Invisible: nobody sees when this device is here"</span>
            </label>
            <p class="muted">"What you say in a channel is seen all the same. It holds for this device, also after the next start."</p>
            <FailureNotice failure=attempt.failure />
        </section>
    }
}
