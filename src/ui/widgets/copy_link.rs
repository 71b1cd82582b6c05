//! Copies the address of a page with the network in it, so that the one who opens it meets the same people and names.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::components::icon::{Icon, icon};
use crate::dom;
use gen_registry_api::write_network_fragment;

/// A button that copies a link to the page it is on.
#[component]
pub fn CopyLink() -> impl IntoView {
    let app_state = app_state();
    let copy = move |_| {
        let address = dom::page_address();
        spawn_local(async move {
            let report = match app_state.client().network().await {
                Ok(report) => report,
                Err(failure) => return app_state.shell.show_failure(&failure),
            };
            let link = format!("{address}#{}", write_network_fragment(&report.topic, &report.newest));
            if dom::copy(&link).await {
                app_state.shell.toasts.push(Tone::Plain, "The link is copied. It says which network it leads into.");
            } else {
                app_state
                    .shell
                    .toasts
                    .push(Tone::Bad, format!("The browser did not allow copying. Here it is: {link}"));
            }
        });
    };
    view! {
        <button type="button" class="button button-quiet button-small" on:click=copy data-testid="copy-link">
            {icon(Icon::Copy)}
            "Copy link"
        </button>
    }
}
