//! The story of the names, and how to make sure that this is the right person.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::qr::QrCode;
use crate::query::use_query;
use crate::widgets::did::DidChip;
use crate::widgets::history::History;
use crate::{dom, routes};
use gen_registry_api::{HistoryEntry, NetworkReport, write_network_fragment};

/// Names beside the identity.
#[component]
pub fn Details(did: String, history: Vec<HistoryEntry>, safety_words: Vec<String>) -> impl IntoView {
    view! {
        <div class="columns">
            <section class="card" aria-labelledby="history-title">
                <h2 id="history-title">"Names"</h2>
                <History entries=history />
            </section>
            <Identity did safety_words />
        </div>
    }
}

/// The identity as text, as words to compare by voice, and as the QR code of a link that names the network, too.
#[component]
pub fn Identity(did: String, safety_words: Vec<String>) -> impl IntoView {
    let app_state = app_state();
    let path = routes::identity(&did);
    let report = use_query(|| (), || (), move |()| async move { app_state.client().network().await });
    let link = move |report: NetworkReport| {
        format!("{}#{}", dom::address_of(&path), write_network_fragment(&report.topic, &report.newest))
    };
    view! {
        <section class="card identity" aria-labelledby="identity-title">
            <h2 id="identity-title">"Identity"</h2>
            <DidChip did />
            {(!safety_words.is_empty())
                .then(|| {
                    view! {
                        <div>
                            <h3>"Safety words"</h3>
                            <p class="muted">
                                "Read these aloud to each other, on the phone or face to face. If they are the same on both devices, this is the right key."
                            </p>
                            <ol class="safety-words">
                                {safety_words.into_iter().map(|word| view! { <li>{word}</li> }).collect_view()}
                            </ol>
                        </div>
                    }
                })}
            <details class="qr-box">
                <summary>"Show as QR code"</summary>
                {move || {
                    let report = report.get().and_then(Result::ok);
                    report.map(|report| view! { <QrCode text=link(report) label="QR code of this identity" /> })
                }}
            </details>
        </section>
    }
}
