//! Calling a function of the module in the sandbox.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::run::{Callable, callables, parse_numbers};
use crate::query::use_query;
use gen_registry_api::{Report, RunArgument, RunOutcome};

/// The section; nothing until the version was inspected, and nothing for one without functions.
#[component]
pub fn Run(name: String, version: String) -> impl IntoView {
    let app_state = app_state();
    let subject = (name.clone(), version.clone());
    let report = use_query(
        move || subject.clone(),
        || (),
        move |(name, version)| {
            let client = app_state.client();
            async move { client.inspect_module(name, version).await }
        },
    );
    move || match report.get() {
        Some(Ok(report)) => Some(view! { <Sandbox name=name.clone() version=version.clone() report=*report /> }),
        _ => None,
    }
}

/// The form: a function, its arguments as numbers or as a text, and the result.
#[component]
fn Sandbox(name: String, version: String, report: Report) -> impl IntoView {
    let app_state = app_state();
    let functions = callables(&report.exports);
    let attempt = ActionState::new();
    let outcome = RwSignal::new(None::<RunOutcome>);
    let chosen = RwSignal::new(0_usize);
    let (numbers, text, as_text) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(true));
    let stored = StoredValue::new((functions.clone(), report));
    let texts = Memo::new(move |_| {
        stored.with_value(|(functions, report)| {
            functions.get(chosen.get()).is_some_and(|f| f.takes_text(&report.exports))
        })
    });
    let text_result = Memo::new(move |_| {
        stored.with_value(|(functions, _)| {
            functions.get(chosen.get()).is_some_and(|function| texts.get() && function.gives_text())
        })
    });
    let signature = move || stored.with_value(|(functions, _)| functions.get(chosen.get()).map(Callable::signature));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(function) =
            stored.with_value(|(functions, _)| functions.get(chosen.get_untracked()).map(|f| f.name.clone()))
        else {
            return;
        };
        let with_text = texts.get_untracked() && as_text.get_untracked();
        let arguments = if with_text {
            vec![RunArgument::Text(text.get_untracked())]
        } else {
            parse_numbers(&numbers.get_untracked())
        };
        let (client, name, version) = (app_state.client(), name.clone(), Some(version.clone()));
        let reads_text = with_text && text_result.get_untracked();
        outcome.set(None);
        attempt.start(
            async move { client.run_function(name, version, function, arguments, reads_text).await },
            move |ran| outcome.set(Some(ran)),
        );
    };
    (!functions.is_empty()).then(move || {
        view! {
            <section class="card" aria-labelledby="run-title">
                <h2 id="run-title">"Try it"</h2>
                <p class="muted">
                    "It runs in a sandbox without network or storage, for at most 5 seconds and with at most 64 MiB."
                </p>
                <form class="run" on:submit=submit>
                    <label class="pick">
                        <span class="pick-label">"Function"</span>
                        <select
                            class="input"
                            data-testid="run-function"
                            on:change:target=move |event| chosen.set(event.target().value().parse().unwrap_or(0))
                        >
                            {functions
                                .iter()
                                .enumerate()
                                .map(|(at, function)| view! { <option value=at.to_string()>{function.name.clone()}</option> })
                                .collect_view()}
                        </select>
                    </label>
                    <p class="muted run-signature">{signature}</p>
                    <Show when=move || texts.get()>
                        <label class="pick pick-check">
                            <input type="checkbox" bind:checked=as_text />
                            "Give it a text"
                        </label>
                    </Show>
                    <Show
                        when=move || texts.get() && as_text.get()
                        fallback=move || {
                            view! {
                                <label class="pick">
                                    <span class="pick-label">"Numbers, with commas in between"</span>
                                    <input
                                        class="input"
                                        type="text"
                                        autocomplete="off"
                                        data-testid="run-numbers"
                                        bind:value=numbers
                                    />
                                </label>
                            }
                        }
                    >
                        <label class="pick">
                            <span class="pick-label">"Text"</span>
                            <textarea class="input" rows="3" data-testid="run-text" bind:value=text></textarea>
                        </label>
                    </Show>
                    <button
                        type="submit"
                        class="button button-main"
                        disabled=move || attempt.busy.get()
                        data-testid="run"
                    >
                        {icon(Icon::Play)}
                        {move || if attempt.busy.get() { "Running…" } else { "Run" }}
                    </button>
                </form>
                <FailureNotice failure=attempt.failure />
                <div role="status">
                    {move || outcome.get().map(|outcome| view! { <Outcome outcome /> })}
                </div>
            </section>
        }
    })
}

/// What a call returned and how long it took.
#[component]
fn Outcome(outcome: RunOutcome) -> impl IntoView {
    let values: Vec<String> =
        outcome.values.into_iter().map(|value| format!("{} ({})", value.value, value.kind)).collect();
    let result = outcome
        .text
        .unwrap_or_else(|| if values.is_empty() { "It returned nothing.".to_owned() } else { values.join(", ") });
    view! {
        <pre class="run-outcome" data-testid="run-outcome">{result}</pre>
        <p class="muted">{format!("{:.1} ms", outcome.millis)}</p>
    }
}
