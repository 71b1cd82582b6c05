//! Explains that the log of this device contradicts itself, what that means, and the way on.

use leptos::prelude::*;

use crate::components::notice::{Notice, NoticeTone};
use crate::routes::{self, SettingsSection};

/// The explanation, with a links to where this device gets a new key and the old one is revoked.
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
                    <a href=routes::settings(SettingsSection::Restore)>"enter the 24 words"</a>
                    ": that gives this device a new key. Then revoke the old one under "
                    <a href=routes::DEVICES>"Devices and keys"</a>
                    ", and say there what was still yours. If you don’t know of a copy, somebody may have stolen the profile: replace the identity key, too."
                </p>
            </Notice>
        </div>
    }
}
