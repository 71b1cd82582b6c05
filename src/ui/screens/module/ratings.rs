//! Ratings: one for each person, this profile's own first. Those that count are shown before the others, which stand
//! apart.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextArea};
use crate::components::icon::{Icon, icon};
use crate::components::module_facts::author_link;
use crate::components::notice::FailureNotice;
use crate::reactive::{bind_field, bind_text, keyed_list, select, slice_view};
use crate::text;
use crate::widgets::moment::Moment;
use gen_registry_api::{ModulePage, NameStatus, Review};

/// The list, and the form for everybody but the holder.
#[component]
pub fn Ratings(page: Memo<ModulePage>) -> impl IntoView {
    let name = page.with_untracked(|page| page.name.clone());
    let reviews = select(page, |page| page.reviews.clone());
    let own = select(reviews, |reviews| reviews.iter().find(|review| review.mine).cloned());
    let mine = select(page, |page| page.mine);
    let of_class = move |counted: bool| {
        select(reviews, move |reviews| {
            reviews.iter().filter(|review| review.counted == counted).cloned().collect::<Vec<_>>()
        })
    };
    let (counted, apart) = (of_class(true), of_class(false));
    let ratings_apart = select(page, |page| page.opinion.ratings_apart);
    let is_unconfirmed = select(page, |page| page.status == NameStatus::Provisional);
    view! {
        <section class="card" aria-labelledby="opinions-title">
            <h2 id="opinions-title">"What people say"</h2>
            <Show
                when=move || !counted.with(Vec::is_empty)
                fallback=move || view! { <p class="muted">{move || format_nobody(ratings_apart.get())}</p> }
            >
                {render_reviews(counted)}
            </Show>
            <Show when=move || { ratings_apart.get() > 0 }>
                <p class="muted" data-testid="ratings-apart">{move || format_apart(ratings_apart.get())}</p>
                {render_reviews(apart)}
            </Show>
            <Show when=move || is_unconfirmed.get()>
                <p class="muted">"Nothing confirms names in this network, so everybody’s ratings and installs count."</p>
            </Show>
            <Show when=move || !mine.get()>
                <Rate name=name.clone() own />
            </Show>
        </section>
    }
}

/// A list of reviews.
fn render_reviews(reviews: Memo<Vec<Review>>) -> impl IntoView {
    view! {
        <ul class="reviews">
            {keyed_list(
                reviews,
                |review| review.author.did.clone(),
                |review| slice_view(review, Clone::clone, render_review),
            )}
        </ul>
    }
}

/// Words that no rating counts.
fn format_nobody(apart: u64) -> &'static str {
    if apart == 0 { "Nobody known here has rated it." } else { "No rating counts yet." }
}

/// Words how many ratings do not count, and why.
fn format_apart(apart: u64) -> String {
    let ratings = text::format_count(apart, "rating", "ratings");
    format!(
        "And {ratings} from people whose name is not confirmed, or was less than a week ago. This changes neither the stars nor the order of lists."
    )
}

/// Stars, author, version and text of a rating.
fn render_review(review: Review) -> impl IntoView {
    view! {
        <li class="review">
            <p class="module-facts">
                <span class="stars">{icon(Icon::Star)} {review.stars} <span class="visually-hidden">" of 5 stars"</span></span>
                <span>{author_link(&review.author)}</span>
                {review.version.map(|version| view! { <span>{version}</span> })}
                <Moment at=review.at />
            </p>
            {(!review.text.is_empty()).then(|| view! { <p class="review-text">{review.text}</p> })}
        </li>
    }
}

/// The form for one's own rating, which can be changed and taken back.
#[component]
fn Rate(name: String, own: Memo<Option<Review>>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let kept_stars = select(own, |own| own.as_ref().map_or(0, |own| own.stars));
    let kept_text = select(own, |own| own.as_ref().map(|own| own.text.clone()).unwrap_or_default());
    let (stars, text) = (RwSignal::new(kept_stars.get_untracked()), RwSignal::new(kept_text.get_untracked()));
    let rebase = [bind_field(stars, kept_stars, Clone::clone), bind_text(text, kept_text)];
    let rated = select(own, Option::is_some);
    let send = StoredValue::new_local(move |given: Option<u8>| {
        let (client, name, review) = (app_state.client(), name.clone(), text.get_untracked());
        let message = if given.is_some() { "Your rating is saved." } else { "Your rating is taken back." };
        attempt.start(async move { client.rate_module(name, given, review).await }, move |_| {
            app_state.shell.toasts.push_good(message);
            rebase.iter().for_each(|rebase| rebase.run(()));
        });
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let given = stars.get_untracked();
        if given > 0 {
            send.with_value(|send| send(Some(given)));
        }
    };
    view! {
        <form class="rate" on:submit=submit>
            <fieldset class="rate-stars">
                <legend>"Your rating"</legend>
                {(1..=5_u8)
                    .map(|value| {
                        view! {
                            <label class="rate-star">
                                <input
                                    type="radio"
                                    name="stars"
                                    value=value.to_string()
                                    prop:checked=move || stars.get() == value
                                    on:change=move |_| stars.set(value)
                                />
                                {value}
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
            <TextArea id="review" label="What should others know? (optional)" value=text rows=3 max=2000 />
            <FailureNotice failure=attempt.failure />
            <div class="actions">
                <Submit
                    label="Save"
                    busy=attempt.busy
                    disabled=Signal::derive(move || stars.get() == 0)
                    testid="rate"
                />
                <Show when=move || rated.get()>
                    <button type="button" class="button" on:click=move |_| send.with_value(|send| send(None))>
                        "Take it back"
                    </button>
                </Show>
            </div>
        </form>
    }
}
