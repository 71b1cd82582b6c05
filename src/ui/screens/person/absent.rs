//! Nobody known here holds this name: a way on, whatever the person was after.

use leptos::prelude::*;

use crate::node::api::{NameKind, NameReport, NameVerdict};
use crate::ui::components::farther::Farther;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::components::person_row::PersonRow;
use crate::ui::components::search_box::SearchBox;
use crate::ui::dom;
use crate::ui::fetch::fetched;
use crate::ui::session::session;
use crate::ui::time::Moment;

const SIMILAR: u32 = 6;
/// Names that begin like this one count as similar.
const SIMILAR_START: usize = 2;

#[component]
pub fn Absent(report: NameReport) -> impl IntoView {
    let session = session();
    let asked = report.asked.clone();
    let check = {
        let asked = asked.clone();
        fetched(
            || (),
            || (),
            move |()| {
                let (client, asked) = (session.client(), asked.clone());
                async move { client.check_username(asked).await }
            },
        )
    };
    let similar = {
        let start: String = asked.chars().take(SIMILAR_START).collect();
        fetched(
            || (),
            || (),
            move |()| {
                let (client, start) = (session.client(), start.clone());
                async move { client.list_usernames(start, SIMILAR, None).await }
            },
        )
    };
    let claim = StoredValue::new(dom::encode(&asked));
    let free_at = report.free_at;
    view! {
        <div class="empty" data-testid="not-found-here">
            {icon(Icon::Search)}
            <p>
                <strong>"Not found here."</strong>
                " Nobody known on this device holds this name."
            </p>
            <Farther kind=NameKind::Username name=asked.clone() />
            {free_at.map(|at| view! { <p>"It was given up and is free for everyone " <Moment at /> "."</p> })}
            {move || match check.get() {
                Some(Ok(check)) => match check.verdict {
                    NameVerdict::Available => {
                        let claim = claim.get_value();
                        let (href, words) = if session.has_name() {
                            (format!("/me?rename={claim}#rename"), "Take it as your new name")
                        } else {
                            (format!("/welcome?step=name&name={claim}"), "Claim it")
                        };
                        Some(view! { <a class="button button-main" href=href>{words}</a> }.into_any())
                    }
                    NameVerdict::Invalid { message, .. } => {
                        Some(view! { <p>"It can’t be a name: " {message}</p> }.into_any())
                    }
                    _ => None,
                },
                _ => None,
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
