//! A person as others see them.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::model::people::is_openable;
use crate::widgets::avatar::Avatar;
use crate::widgets::moment::Moment;
use gen_registry_api::{NameStatus, Profile};

/// The card: picture, name, marks, text and links of a person. What is missing takes no room.
#[component]
pub fn ProfileCard(
    /// As hex digits, for the picture of a person without one.
    #[prop(into)]
    public_key: String,
    /// What the person says of themselves.
    profile: Profile,
    /// The name, or what is shown instead.
    name: AnyView,
    /// How certain the name is; none without a name.
    #[prop(optional_no_strip)]
    status: Option<NameStatus>,
    /// When the name was claimed.
    #[prop(optional_no_strip)]
    registered_at: Option<u64>,
    /// Whether it is this profile's own card.
    #[prop(optional)]
    mine: bool,
) -> impl IntoView {
    let Profile { display_name, bio, avatar, links, joined_at } = profile;
    view! {
        <section class="card profile-card" aria-label="Profile">
            <Avatar public_key cid=avatar />
            <div class="profile-text">
                {name}
                {display_name.map(|display_name| view! { <p class="profile-display">{display_name}</p> })}
                <p class="profile-marks">
                    {mine.then(|| view! { <span class="badge badge-accent">"You"</span> })}
                    {status.map(render_status)}
                </p>
                {bio.map(|bio| view! { <p class="profile-bio">{bio}</p> })}
                {(!links.is_empty())
                    .then(|| {
                        view! {
                            <ul class="profile-links" aria-label="Links">
                                {links.into_iter().map(render_link).collect_view()}
                            </ul>
                        }
                    })}
                <p class="muted profile-times">
                    {registered_at.map(|at| view! { <span>"Name claimed " <Moment at /></span> })}
                    {joined_at.map(|at| view! { <span>"Joined " <Moment at /></span> })}
                </p>
            </div>
        </section>
    }
}

/// A link if a browser would open it as a page or mail, else its text.
fn render_link(link: String) -> impl IntoView {
    if !is_openable(&link) {
        return view! { <li>{link}</li> }.into_any();
    }
    let label = dom::format_link(&link);
    view! {
        <li>
            {icon(Icon::Link)}
            <a href=link target="_blank" rel="external noopener noreferrer nofollow">
                {label}
            </a>
        </li>
    }
    .into_any()
}

/// How certain it is that the name is this person's; the title explains it.
fn render_status(status: NameStatus) -> impl IntoView {
    let (class, mark, word, meaning) = match status {
        NameStatus::Intent => (
            "badge",
            Icon::Clock,
            "Wanted",
            "It is yours as soon as a witness of the network has seen it. Until then only this device knows of it.",
        ),
        NameStatus::Pending => (
            "badge",
            Icon::Clock,
            "Pending",
            "It is claimed, and not enough of the network’s witnesses have signed it yet.",
        ),
        NameStatus::Provisional => (
            "badge",
            Icon::Clock,
            "Provisional",
            "This network has no witnesses. Should an earlier claim turn up, that one holds.",
        ),
        NameStatus::Confirmed => (
            "badge badge-good",
            Icon::Seal,
            "Confirmed",
            "Enough witnesses have signed the claim: nobody can take the name.",
        ),
        NameStatus::Contested => (
            "badge badge-warning",
            Icon::Warning,
            "Contested",
            "Somebody else’s claim is confirmed as well: witnesses of the network contradict themselves.",
        ),
    };
    view! {
        <span class=class title=meaning>
            {icon(mark)}
            {word}
        </span>
    }
}
