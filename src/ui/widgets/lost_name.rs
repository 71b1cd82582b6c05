//! Explains that a claimed name belongs to somebody else, why, and what to do now.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::notice::{Notice, NoticeTone};
use crate::model::people::format_username;
use crate::model::sentences::describe_loss;
use crate::routes::{self, WelcomeStep};

/// A banner for a name that this profile claimed and does not hold; nothing otherwise.
#[component]
pub fn LostNameBanner() -> impl IntoView {
    let app_state = app_state();
    let lost = Memo::new(move |_| {
        app_state.live.me.with(|me| me.as_ref().filter(|me| !me.forked).and_then(|me| me.lost_name.clone()))
    });
    view! {
        {move || {
            lost.get()
                .map(|lost| {
                    let holder = lost
                        .holder
                        .map(|holder| {
                            view! {
                                " It is held by " <a href=routes::person(holder.username())>{format_username(holder.username())}</a> "."
                            }
                        });
                    view! {
                        <div class="banner" role="region" aria-label="Name lost">
                            <Notice tone=NoticeTone::Warning>
                                <p>
                                    <strong>{format!("The name {} is not yours.", lost.name)}</strong>
                                    {holder}
                                </p>
                                <p>{describe_loss(lost.reason)}</p>
                                <p>
                                    "Everything else of your profile is as it was. "
                                    <a href=routes::welcome(WelcomeStep::Name)>"Choose another name"</a>
                                </p>
                            </Notice>
                        </div>
                    }
                })
        }}
    }
}
