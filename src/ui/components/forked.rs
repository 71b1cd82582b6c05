//! Explains that an identity's key contradicts itself, what that means, and the one way on.

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
                    <strong>"Your identity contradicts itself."</strong>
                    " Its key signed two different changes for one place: this profile was copied to a second device by hand, or somebody else has your key. Everybody keeps both as proof, so none of its names counts any more. That can’t be taken back."
                </p>
                <p>
                    "What helps is a new identity: "
                    <a href=routes::settings(SettingsSection::Danger)>"forget this one"</a>
                    ", then claim a name anew; also the old one is free again. To use one identity on two devices, bring it there with the 24 words or a backup file."
                </p>
            </Notice>
        </div>
    }
}
