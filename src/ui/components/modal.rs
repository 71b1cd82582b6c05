//! A native `<dialog>` that follows a signal. The browser keeps the focus inside and closes it on Escape.

use leptos::html;
use leptos::prelude::*;

/// `open` becomes false when the person closes it, however they do.
#[component]
pub fn Modal(
    /// Whether the dialog is on show; also set by the dialog itself.
    open: RwSignal<bool>,
    /// The dialog's heading and its accessible name.
    #[prop(into)]
    title: String,
    /// Unique on the page; the title gets it.
    id: &'static str,
    #[prop(optional)] testid: Option<&'static str>,
    /// Rendered again each time the dialog opens, so nothing that was typed stays.
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else {
            return;
        };
        if open.get() {
            if !dialog.open() {
                let _already_shown = dialog.show_modal();
            }
        } else if dialog.open() {
            dialog.close();
        }
    });
    view! {
        <dialog class="modal" node_ref=dialog aria-labelledby=id data-testid=testid on:close=move |_| open.set(false)>
            <h2 id=id class="modal-title">
                {title}
            </h2>
            // What was typed into an earlier showing is gone.
            {move || open.get().then(|| children())}
        </dialog>
    }
}
