//! The 24 words: shown once, then three of them asked for. They are forgotten by this page as soon as it lets go of
//! them.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::{FailureNotice, Notice, NoticeTone};

/// How many words the person types to show that they were written down.
const WORDS_TO_CHECK: usize = 3;

/// How far the person is.
#[derive(Clone, PartialEq)]
enum Stage {
    /// Nothing is on show.
    Hidden,
    /// All words are on show.
    Shown(Vec<String>),
    /// The words at these places are asked for.
    Asking(Vec<u32>),
    /// They were right.
    Checked,
}

/// Shows the words on demand and checks three of them. `on_checked` runs once they were right.
#[component]
pub fn RecoveryWords(#[prop(optional, into)] on_checked: Option<Callback<()>>) -> impl IntoView {
    let app_state = app_state();
    let stage = RwSignal::new(Stage::Hidden);
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let show = move |_| {
        let client = app_state.client();
        let phrase = async move { client.recovery_phrase().await };
        attempt.start(phrase, move |phrase| {
            stage.try_set(Stage::Shown(phrase.split_whitespace().map(str::to_owned).collect()));
        });
    };
    let on_passed = Callback::new(move |()| {
        stage.set(Stage::Checked);
        if let Some(on_checked) = on_checked {
            on_checked.run(());
        }
    });
    view! {
        <div class="recovery">
            {move || match stage.get() {
                Stage::Hidden => {
                    view! {
                        <p>
                            "Whoever has these words has your name. Make sure nobody looks over your shoulder, and have pen and paper ready."
                        </p>
                        <FailureNotice failure />
                        <button
                            type="button"
                            class="button"
                            disabled=move || busy.get()
                            data-testid="recovery-show"
                            on:click=show
                        >
                            {icon(Icon::Eye)}
                            "Show the 24 words"
                        </button>
                    }
                        .into_any()
                }
                Stage::Shown(words) => render_words(words, stage).into_any(),
                Stage::Asking(positions) => view! { <Check positions on_passed on_again=Callback::new(move |()| stage.set(Stage::Hidden)) /> }.into_any(),
                Stage::Checked => {
                    view! {
                        <Notice tone=NoticeTone::Good>
                            <p>"Checked. With these words your name can come back on any device."</p>
                        </Notice>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

/// The numbered words, and the button that goes on to checking them.
fn render_words(words: Vec<String>, stage: RwSignal<Stage>) -> impl IntoView {
    let total = words.len();
    view! {
        <p>"Write them down in this order. They are not shown again unless you ask for them."</p>
        <ol class="words" data-testid="recovery-words">
            {words.into_iter().map(|word| view! { <li>{word}</li> }).collect_view()}
        </ol>
        <button
            type="button"
            class="button button-main"
            data-testid="recovery-written"
            on:click=move |_| stage.set(Stage::Asking(positions(total)))
        >
            "I have written them down"
        </button>
    }
}

/// Different places, in order. Not a secret: any will do.
fn positions(total: usize) -> Vec<u32> {
    let mut left: Vec<u32> = (0..total as u32).collect();
    let mut chosen = Vec::new();
    while chosen.len() < WORDS_TO_CHECK && !left.is_empty() {
        let at = (js_sys::Math::random() * left.len() as f64) as usize;
        chosen.push(left.swap_remove(at.min(left.len() - 1)));
    }
    chosen.sort_unstable();
    chosen
}

/// A form for some of the words. `on_again` goes back to showing all.
#[component]
fn Check(positions: Vec<u32>, on_passed: Callback<()>, on_again: Callback<()>) -> impl IntoView {
    const IDS: [&str; WORDS_TO_CHECK] = ["recovery-word-1", "recovery-word-2", "recovery-word-3"];
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let answers: Vec<(u32, RwSignal<String>)> =
        positions.into_iter().map(|position| (position, RwSignal::new(String::new()))).collect();
    let fields = answers
        .iter()
        .zip(IDS)
        .map(|((position, value), id)| {
            view! { <TextField id label=format!("Word {}", position + 1) value=*value testid="recovery-word" /> }
        })
        .collect_view();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let words: Vec<(u32, String)> =
            answers.iter().map(|(position, word)| (*position, word.get_untracked().trim().to_lowercase())).collect();
        let client = app_state.client();
        attempt.start(async move { client.confirm_recovery_phrase(words).await }, move |me| {
            app_state.set_me(*me);
            on_passed.try_run(());
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>"To be sure, type these three from your paper."</p>
            <div class="three">{fields}</div>
            <FailureNotice failure />
            <div class="actions">
                <Submit label="Check" working="Checking…" busy testid="recovery-check" />
                <button type="button" class="button" on:click=move |_| on_again.run(())>
                    "Show the words again"
                </button>
            </div>
        </form>
    }
}
