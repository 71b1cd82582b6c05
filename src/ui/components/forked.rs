//! Explains that the log of this device contradicts itself, what that means, and the way on.

use leptos::prelude::*;

use crate::components::notice::{Notice, NoticeTone};
use crate::routes::{self, SettingsSection};

/// The explanation, with a link to the place in the settings where the identity is forgotten.
#[component]
pub fn ForkedNotice() -> impl IntoView {
    view! {
        <div data-testid="forked">
            <Notice tone=NoticeTone::Bad>
                <p>
                    <strong>"Somebody writes with the key of this device."</strong>
                    " Its log has two different entries for one place: this profile was copied by hand, or stolen. Everybody keeps both as proof. Write nothing more on this device: it may count for nobody. Your names, modules and releases stay yours."
                </p>
                <p>
                    "To go on here, "
                    <a href=routes::settings(SettingsSection::Danger)>"forget the identity on this device"</a>
                    ", then restore it with the 24 words: that gives this device a key of its own. If you don’t know of a copy, somebody may have stolen the profile."
                </p>
            </Notice>
        </div>
    }
}
