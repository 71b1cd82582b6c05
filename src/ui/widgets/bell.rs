//! How much is new where the person follows, and the way there.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::routes;
use crate::text;

/// A link to the notices, with the number of unread ones up to 99.
#[component]
pub fn Bell() -> impl IntoView {
    let app_state = app_state();
    let label = move || match app_state.live.unread.get() {
        0 => "Notifications".to_owned(),
        unread => text::format_count(unread, "new notification", "new notifications"),
    };
    view! {
        <a class="bell" href=routes::NOTICES aria-label=label title=label data-testid="bell">
            {icon(Icon::Bell)}
            {move || {
                let unread = app_state.live.unread.get();
                (unread > 0).then(|| view! { <span class="bell-count" aria-hidden="true">{unread.min(99)}</span> })
            }}
        </a>
    }
}
