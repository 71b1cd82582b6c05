//! A time that stays true while it is looked at.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::time;

/// A `<time>`: “3 minutes ago”, updated every minute; the exact time is its title.
#[component]
pub fn Moment(
    /// Milliseconds since 1970.
    at: u64,
) -> impl IntoView {
    let minute = app_state().shell.minute;
    view! {
        <time datetime=time::format_iso(at) title=time::format_exact(at)>
            {move || {
                minute.track();
                time::format_relative(at)
            }}
        </time>
    }
}
