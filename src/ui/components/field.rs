//! A labelled field with its hint and its error, wired for screen readers. What is typed stays, whatever happens.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};

/// A single line of text.
///
/// The hint, if there is one, is named as the field's description. `max` limits the letters that can be typed.
#[component]
pub fn TextField(
    /// Unique on the page.
    id: &'static str,
    /// The text above the field.
    #[prop(into)]
    label: String,
    /// What is typed; the field follows it both ways.
    value: RwSignal<String>,
    /// A sentence below the field.
    #[prop(optional, into)]
    hint: String,
    #[prop(optional)] testid: Option<&'static str>,
    /// The `type` of the input.
    #[prop(default = "text")]
    kind: &'static str,
    /// What the browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    #[prop(optional)] placeholder: Option<&'static str>,
    /// How many letters can be typed.
    #[prop(optional)]
    max: Option<u32>,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    let described = (!hint.is_empty()).then(|| hint_id.clone());
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
            </label>
            <input
                class="input"
                id=id
                type=kind
                autocomplete=autocomplete
                placeholder=placeholder
                spellcheck="false"
                autocapitalize="off"
                maxlength=max
                data-testid=testid
                aria-describedby=described
                bind:value=value
            />
            {(!hint.is_empty()).then(|| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
        </div>
    }
}

/// Several lines of text; otherwise like [`TextField`].
#[component]
pub fn TextArea(
    id: &'static str,
    /// The text above the field.
    #[prop(into)]
    label: String,
    /// What is typed; the field follows it both ways.
    value: RwSignal<String>,
    /// A sentence below the field.
    #[prop(optional, into)]
    hint: String,
    #[prop(optional)] testid: Option<&'static str>,
    /// The height of the field, in lines.
    #[prop(default = 4)]
    rows: u32,
    /// How many letters can be typed.
    #[prop(optional)]
    max: Option<u32>,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    let described = (!hint.is_empty()).then(|| hint_id.clone());
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
            </label>
            <textarea
                class="input"
                id=id
                rows=rows
                autocomplete="off"
                maxlength=max
                data-testid=testid
                aria-describedby=described
                bind:value=value
            ></textarea>
            {(!hint.is_empty()).then(|| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
        </div>
    }
}

/// A passphrase with a button that shows what was typed.
#[component]
pub fn PassphraseField(
    id: &'static str,
    /// The text above the field.
    #[prop(into)]
    label: String,
    /// What is typed; the field follows it both ways.
    value: RwSignal<String>,
    /// A sentence below the field.
    #[prop(optional, into)]
    hint: String,
    #[prop(optional)] testid: Option<&'static str>,
    /// It is being chosen here, not remembered.
    #[prop(optional)]
    fresh: bool,
) -> impl IntoView {
    let is_visible = RwSignal::new(false);
    let hint_id = format!("{id}-hint");
    let described = (!hint.is_empty()).then(|| hint_id.clone());
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
            </label>
            <div class="input-group">
                <input
                    class="input"
                    id=id
                    type=move || if is_visible.get() { "text" } else { "password" }
                    autocomplete=if fresh { "new-password" } else { "current-password" }
                    spellcheck="false"
                    autocapitalize="off"
                    data-testid=testid
                    aria-describedby=described
                    bind:value=value
                />
                <button
                    type="button"
                    class="button button-icon"
                    aria-label="Show what was typed"
                    aria-pressed=move || is_visible.get().to_string()
                    on:click=move |_| is_visible.update(|is_visible| *is_visible = !*is_visible)
                >
                    {move || icon(if is_visible.get() { Icon::EyeOff } else { Icon::Eye })}
                </button>
            </div>
            {(!hint.is_empty()).then(|| view! { <p class="field-hint" id=hint_id>{hint}</p> })}
        </div>
    }
}

/// Sends a form; says so while it is under way, and can't be pressed twice.
#[component]
pub fn Submit(
    /// The text above the field.
    #[prop(into)]
    label: String,
    /// Whether the form is being sent.
    #[prop(into)]
    busy: Signal<bool>,
    /// The button's text meanwhile.
    #[prop(default = "Working…")]
    working: &'static str,
    /// Whether the form is not ready to be sent.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    #[prop(optional)] testid: Option<&'static str>,
    #[prop(default = "button button-main")] class: &'static str,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            class=class
            data-testid=testid
            disabled=move || busy.get() || disabled.get()
            aria-busy=move || busy.get().then_some("true")
        >
            {move || if busy.get() { view! { <span class="spinner" aria-hidden="true"></span> }.into_any() } else { ().into_any() }}
            {move || if busy.get() { working.to_owned() } else { label.clone() }}
        </button>
    }
}
