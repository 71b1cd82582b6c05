//! Somebody's face: their picture if this device has it, else the picture of their key.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::identicon::identicon;

/// Decoration beside a name.
#[component]
pub fn Avatar(#[prop(into)] public_key: String, cid: Option<String>) -> impl IntoView {
    let drawing = identicon(&public_key);
    let picture = cid.map(|cid| {
        let app_state = app_state();
        app_state.pictures.load(app_state.client(), &cid)
    });
    view! {
        <span class="avatar">
            {drawing}
            {picture
                .map(|picture| {
                    move || picture.get().map(|url| view! { <img class="avatar-picture" src=url alt="" /> })
                })}
        </span>
    }
}
