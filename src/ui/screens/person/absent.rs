//! The page of a name without a known holder, with ways on for each purpose.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::search_box::SearchBox;
use crate::model::lookup::describe_offer;
use crate::query::use_query;
use crate::widgets::moment::Moment;
use crate::widgets::network_lookup::NetworkLookup;
use crate::widgets::person_row::PersonRow;
use crate::{dom, routes};
use gen_registry_api::{FindReport, NameCheck, NameKind, NameVerdict};

/// How many similar names are shown.
const SIMILAR: u32 = 6;
/// Names that begin like this one count as similar.
const SIMILAR_START: usize = 2;

/// Searches further, offers to claim the name if it is free, and lists names that begin alike.
#[component]
pub fn Absent(
    asked: String,
    /// When the name, which was given up, is free for everyone.
    #[prop(optional_no_strip)]
    free_at: Option<u64>,
) -> impl IntoView {
    let app_state = app_state();
    let people = move || app_state.invalidation.people.track();
    let check = {
        let asked = asked.clone();
        use_query(
            || (),
            people,
            move |()| {
                let (client, asked) = (app_state.client(), asked.clone());
                async move { client.check_username(asked).await }
            },
        )
    };
    let similar = {
        let start: String = asked.chars().take(SIMILAR_START).collect();
        use_query(
            || (),
            people,
            move |()| {
                let (client, start) = (app_state.client(), start.clone());
                async move { client.list_usernames(start, SIMILAR, None).await }
            },
        )
    };
    let wanted = StoredValue::new(asked.clone());
    let lookup = RwSignal::new(None::<FindReport>);
    let offer = Memo::new(move |_| {
        let free = matches!(check.get(), Some(Ok(NameCheck { verdict: NameVerdict::Available, .. })));
        if free && !app_state.live.is_forked() { describe_offer(lookup.get().as_ref(), dom::now()) } else { None }
    });
    view! {
        <div class="empty" data-testid="not-found-here">
            {icon(Icon::Search)}
            <p>
                <strong>"Not found here."</strong>
                " Nobody known on this device holds this name."
            </p>
            <NetworkLookup kind=NameKind::Username name=asked.clone() report_to=lookup />
            {free_at.map(|at| view! { <p>"It was given up and is free for everyone " <Moment at /> "."</p> })}
            {move || match check.get() {
                Some(Ok(NameCheck { verdict: NameVerdict::Invalid { message, .. }, .. })) => {
                    Some(view! { <p>"It can’t be a name: " {message}</p> })
                }
                _ => None,
            }}
            {move || {
                let wanted = wanted.get_value();
                let (href, words) = if app_state.live.has_name() {
                    (routes::rename(&wanted), "Take it as your new name")
                } else {
                    (routes::claim(&wanted), "Claim it")
                };
                offer
                    .get()
                    .map(|basis| {
                        view! {
                            <p data-testid="free">{basis}</p>
                            <a class="button button-main" href=href>{words}</a>
                        }
                    })
            }}
            <SearchBox id="absent-search" label="Find people by name" suggested=asked />
        </div>
        {move || {
            similar
                .get()
                .and_then(Result::ok)
                .filter(|page| !page.people.is_empty())
                .map(|page| {
                    view! {
                        <section aria-labelledby="similar-title">
                            <h2 id="similar-title">"Names that begin alike"</h2>
                            <ul class="people people-grid">
                                {page.people.into_iter().map(|entry| view! { <PersonRow entry /> }).collect_view()}
                            </ul>
                        </section>
                    }
                })
        }}
    }
}
