//! The list of short messages in the corner of the page.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::app_state::toasts::{Toast, Toasts, Tone};
use crate::components::icon::{Icon, icon};

/// Every message, the newest last. Pointing at the list or moving the focus into it keeps them.
#[component]
pub fn ToastStack() -> impl IntoView {
    let toasts = app_state().shell.toasts;
    view! {
        <section
            class="toasts"
            aria-label="Messages"
            aria-live="polite"
            on:mouseenter=move |_| toasts.hold(true)
            on:mouseleave=move |_| toasts.hold(false)
            on:focusin=move |_| toasts.hold(true)
            on:focusout=move |_| toasts.hold(false)
        >
            <For each=move || toasts.list() key=|toast| toast.id let:toast>
                <ToastView toast toasts />
            </For>
        </section>
    }
}

/// One message with its buttons.
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
