//! Colours and keys of this page.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::preferences::{Theme, preferences};

/// The section. What is chosen holds at once and for this browser only.
#[component]
pub fn Looks() -> impl IntoView {
    let preferences = preferences();
    let option = move |theme: Theme, mark: Icon, label: &'static str| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="theme"
                    prop:checked=move || preferences.theme.get() == theme
                    on:change=move |_| preferences.choose_theme(theme)
                />
                {icon(mark)}
                <span>{label}</span>
            </label>
        }
    };
    view! {
        <section class="card" id="looks" aria-labelledby="looks-title">
            <h2 id="looks-title">"Looks and keys"</h2>
            <fieldset class="choices">
                <legend>"Colours"</legend>
                {option(Theme::System, Icon::Contrast, "As the system")}
                {option(Theme::Light, Icon::Sun, "Light")}
                {option(Theme::Dark, Icon::Moon, "Dark")}
            </fieldset>
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    prop:checked=move || preferences.shortcuts.get()
                    on:change:target=move |event| preferences.choose_shortcuts(event.target().checked())
                />
                <span>"Single-key shortcuts ("<kbd>"/"</kbd>" and "<kbd>"?"</kbd>")"</span>
            </label>
        </section>
    }
}
