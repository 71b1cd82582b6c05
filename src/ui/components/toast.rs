//! Short messages about what has just happened, with a way back where there is one.
//!
//! Failures stay until they are put away; good news leaves by itself, but not while it is pointed at or focused.

use std::time::Duration;

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};

const SHOWN_FOR: Duration = Duration::from_secs(8);
/// More than this many at once are not readable.
const MOST: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Plain,
    Bad,
}

#[derive(Clone)]
struct Toast {
    id: u64,
    tone: Tone,
    text: String,
    undo: Option<Callback<()>>,
}

#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: StoredValue<u64>,
    /// Pointed at or focused: nothing leaves.
    held: RwSignal<bool>,
}

impl Toasts {
    pub fn new() -> Self {
        Self { list: RwSignal::new(Vec::new()), next: StoredValue::new(0), held: RwSignal::new(false) }
    }

    pub fn push(self, tone: Tone, text: impl Into<String>) {
        self.add(tone, text.into(), None);
    }

    pub fn good(self, text: impl Into<String>) {
        self.add(Tone::Good, text.into(), None);
    }

    pub fn with_undo(self, text: impl Into<String>, undo: Callback<()>) {
        self.add(Tone::Good, text.into(), Some(undo));
    }

    fn add(self, tone: Tone, text: String, undo: Option<Callback<()>>) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        self.list.update(|list| {
            // The same sentence twice is noise.
            list.retain(|toast| toast.text != text);
            list.push(Toast { id, tone, text, undo });
            if list.len() > MOST {
                list.remove(0);
            }
        });
        if tone != Tone::Bad {
            self.leave_later(id);
        }
    }

    fn leave_later(self, id: u64) {
        set_timeout(
            move || {
                if self.held.get_untracked() {
                    self.leave_later(id);
                } else {
                    self.dismiss(id);
                }
            },
            SHOWN_FOR,
        );
    }

    fn dismiss(self, id: u64) {
        self.list.update(|list| list.retain(|toast| toast.id != id));
        if self.list.with_untracked(Vec::is_empty) {
            self.held.set(false);
        }
    }
}

#[component]
pub fn ToastStack(toasts: Toasts) -> impl IntoView {
    let hold = move |held: bool| toasts.held.set(held);
    view! {
        <section
            class="toasts"
            aria-label="Messages"
            aria-live="polite"
            on:mouseenter=move |_| hold(true)
            on:mouseleave=move |_| hold(false)
            on:focusin=move |_| hold(true)
            on:focusout=move |_| hold(false)
        >
            <For each=move || toasts.list.get() key=|toast| toast.id let:toast>
                <ToastView toast toasts />
            </For>
        </section>
    }
}

#[component]
fn ToastView(toast: Toast, toasts: Toasts) -> impl IntoView {
    let Toast { id, tone, text, undo } = toast;
    let (class, mark) = match tone {
        Tone::Good => ("toast toast-good", Icon::Check),
        Tone::Plain => ("toast", Icon::Info),
        Tone::Bad => ("toast toast-bad", Icon::Warning),
    };
    view! {
        <div class=class data-testid="toast">
            {icon(mark)} <p>{text}</p>
            {undo
                .map(|undo| {
                    let take_back = move |_| {
                        toasts.dismiss(id);
                        undo.run(());
                    };
                    view! {
                        <button type="button" class="button button-quiet" on:click=take_back>
                            "Undo"
                        </button>
                    }
                })}
            <button type="button" class="button button-icon" aria-label="Put away" on:click=move |_| toasts.dismiss(id)>
                {icon(Icon::Cross)}
            </button>
        </div>
    }
}
