//! The keys that work everywhere.

use leptos::prelude::*;

use crate::components::modal::Modal;

/// A dialog with all keys. Says whether single keys are switched off.
#[component]
pub fn HelpDialog(
    /// Whether the dialog is on show.
    open: RwSignal<bool>,
    /// Whether single keys do anything.
    #[prop(into)]
    shortcuts: Signal<bool>,
) -> impl IntoView {
    view! {
        <Modal open id="help-title" title="Keys">
            <dl class="keys">
                <div>
                    <dt>
                        <kbd>"Ctrl"</kbd>
                        " or "
                        <kbd>"⌘"</kbd>
                        " + "
                        <kbd>"K"</kbd>
                    </dt>
                    <dd>"Find modules and people"</dd>
                </div>
                <div>
                    <dt>
                        <kbd>"/"</kbd>
                    </dt>
                    <dd>"Find modules and people"</dd>
                </div>
                <div>
                    <dt>
                        <kbd>"?"</kbd>
                    </dt>
                    <dd>"Show these keys"</dd>
                </div>
                <div>
                    <dt>
                        <kbd>"↓"</kbd>
                        " "
                        <kbd>"↑"</kbd>
                    </dt>
                    <dd>"Move through what was found"</dd>
                </div>
                <div>
                    <dt>
                        <kbd>"Esc"</kbd>
                    </dt>
                    <dd>"Close a dialog"</dd>
                </div>
            </dl>
            <p class="muted">
                {move || {
                    if shortcuts.get() {
                        "Single keys do nothing while you write. They can be switched off in Settings."
                    } else {
                        "Single keys are switched off in Settings."
                    }
                }}
            </p>
            <div class="actions">
                <button type="button" class="button button-main" on:click=move |_| open.set(false)>
                    "Close"
                </button>
            </div>
        </Modal>
    }
}
