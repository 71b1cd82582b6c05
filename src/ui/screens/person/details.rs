//! The story of the names, and how to make sure that this is the right person.

use leptos::prelude::*;

use crate::components::qr::QrCode;
use crate::widgets::did::DidChip;
use crate::widgets::history::History;
use gen_registry_api::HistoryEntry;

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

/// The identity as text, as words to compare by voice, and as a QR code.
#[component]
pub fn Identity(did: String, safety_words: Vec<String>) -> impl IntoView {
    let code = did.clone();
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
                <QrCode text=code label="QR code of this identity" />
            </details>
        </section>
    }
}
