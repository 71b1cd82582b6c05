//! One person's page, found by name or by identity.

mod absent;
mod details;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::app_state::app_state;
use crate::components::notice::{Notice, NoticeTone};
use crate::model::people::format_username;
use crate::model::sentences::{describe_hold, describe_loss};
use crate::model::subject::SubjectRef;
use crate::query::use_query;
use crate::reactive::{query_view, select, slice_view, some_view};
use crate::widgets::copy_link::CopyLink;
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::widgets::profile_card::ProfileCard;
use crate::widgets::reputation::ReputationView;
use crate::widgets::subject::{BlockButton, FollowButton};
use crate::{routes, text};
use absent::Absent;
use details::Details;
pub use details::Identity;
use gen_registry_api::client::Client;
use gen_registry_api::failure::Failure;
use gen_registry_api::{LosingClaim, NameReport, Person, UsernameEntry};

/// What is known of a name, and the page of the person it leads to.
#[derive(Clone, PartialEq)]
struct PersonQuery {
    /// Who holds the name, who has held it, and who else claims it.
    report: NameReport,
    /// The holder, or the person who held it before.
    person: Option<Person>,
}

/// Asks who holds a name or has held it, and for that person.
async fn find_person(client: Client, name: String) -> Result<PersonQuery, Failure> {
    let report = client.lookup_username(name).await?;
    let person = match report.holder.as_ref().or(report.redirect.as_ref()) {
        Some(entry) => client.person(entry.person.did.clone()).await?.map(|person| *person),
        None => None,
    };
    Ok(PersonQuery { report, person })
}

/// The page of `/u/name`.
#[component]
pub fn PersonByName() -> impl IntoView {
    let app_state = app_state();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name")).unwrap_or_default());
    let found = use_query(
        move || name.get(),
        move || app_state.invalidation.people.track(),
        move |name| find_person(app_state.client(), name),
    );
    let title = Signal::derive(move || {
        let holder_name = found.with(|found| match found {
            Some(Ok(found)) => found
                .report
                .holder
                .as_ref()
                .or(found.report.redirect.as_ref())
                .map(|entry| format_username(entry.username())),
            _ => None,
        });
        holder_name.unwrap_or_else(|| name.get())
    });
    view! {
        <div class="page">
            <div class="page-top">
                <PageHead title testid="person-name" />
                <CopyLink />
            </div>
            {move || {
                // Another person is another page.
                name.track();
                query_view(found, render_answer)
            }}
        </div>
    }
}

/// The page of `/id/did`.
#[component]
pub fn PersonByDid() -> impl IntoView {
    let app_state = app_state();
    let params = use_params_map();
    let did = Memo::new(move |_| params.with(|params| params.get("did")).unwrap_or_default());
    let found = use_query(
        move || did.get(),
        move || app_state.invalidation.people.track(),
        move |did| {
            let client = app_state.client();
            async move { Ok(client.person(did).await?.map(|person| *person)) }
        },
    );
    let title = Signal::derive(move || {
        let name = found.with(|found| match found {
            Some(Ok(Some(person))) => person.entry.as_ref().map(|entry| format_username(entry.username())),
            _ => None,
        });
        name.unwrap_or_else(|| text::shorten_did(&did.get()))
    });
    view! {
        <div class="page">
            <div class="page-top">
                <PageHead title testid="person-name" />
                <CopyLink />
            </div>
            {move || {
                did.track();
                query_view(found, |person| some_view(person, |person| view! { <PersonView person /> }, render_unknown))
            }}
        </div>
    }
}

/// What is shown in place of an unknown identity.
fn render_unknown() -> impl IntoView {
    view! {
        <div class="empty">
            <p>"Nobody with this identity is known on this device."</p>
            <p class="muted">"They may be known elsewhere: their registry comes here once a peer that has it is met."</p>
            <a class="button" href=routes::PEOPLE>
                "See everybody known here"
            </a>
        </div>
    }
}

/// Where the name leads, who else claims it, and the person; for an absent one, ways to look further.
fn render_answer(found: Memo<PersonQuery>) -> impl IntoView {
    let basis = select(found, |found| (found.report.records, found.report.registries));
    // Whatever else comes to be known, who searches and waits here is not disturbed.
    let absent = move || {
        slice_view(
            found,
            |found| (found.report.asked.clone(), found.report.free_at, found.report.is_split()),
            |(asked, free_at, is_split)| (!is_split).then(|| view! { <Absent asked free_at /> }),
        )
    };
    let claims = |found: &PersonQuery| NameReport { records: 0, registries: 0, ..found.report.clone() };
    view! {
        {slice_view(found, claims, |report| {
            view! {
                {report.redirect.clone().filter(|_| report.holder.is_none()).map(|entry| render_redirect(&report, entry))}
                {report.holder.as_ref().and_then(|holder| render_other_name(&report, holder))}
                {report.holder.clone().map(|holder| render_contest(&report, &holder))}
                {report.is_split().then(|| render_split(&report))}
            }
        })}
        {some_view(select(found, |found| found.person.clone()), |person| view! { <PersonView person /> }, absent)}
        <p class="muted basis">
            {move || {
                let (records, registries) = basis.get();
                format!("This answer rests on {}.", text::format_basis(records, registries))
            }}
        </p>
    }
}

/// Says that the name was given up and who held it.
fn render_redirect(report: &NameReport, entry: UsernameEntry) -> impl IntoView + use<> {
    let old = report.asked.clone();
    let free_at = report.free_at;
    view! {
        <div data-testid="redirect">
            <Notice tone=NoticeTone::Info>
                <p>
                    <strong>{old}</strong>
                    " was given up. Its owner now goes by "
                    <a href=routes::person(entry.username())>{format_username(entry.username())}</a>
                    "."
                </p>
                {free_at.map(|at| view! { <p>"The old name is free for everyone " <Moment at /> "."</p> })}
            </Notice>
        </div>
    }
}

/// Says that the name is one of several that the person holds, and which one they go by.
fn render_other_name(report: &NameReport, holder: &UsernameEntry) -> Option<impl IntoView + use<>> {
    let goes_by = holder.username().to_owned();
    let spelled = report.spelled.clone().filter(|spelled| *spelled != goes_by)?;
    Some(view! {
        <div data-testid="other-name">
            <Notice tone=NoticeTone::Info>
                <p>
                    <strong>{spelled}</strong>
                    " is another name of this person, who goes by "
                    <a href=routes::person(&goes_by)>{format_username(&goes_by)}</a>
                    "."
                </p>
            </Notice>
        </div>
    })
}

/// Both claims, both times, and the rule that decided.
fn render_contest(report: &NameReport, holder: &UsernameEntry) -> Option<impl IntoView + use<>> {
    if report.losers.is_empty() {
        return None;
    }
    let why = report.why.map(describe_hold);
    Some(view! {
        <section class="card contest" aria-labelledby="contest-title">
            <h2 id="contest-title">"Others claim this name too"</h2>
            <p>
                <strong>{format_username(holder.username())}</strong>
                " holds it, claimed "
                <Moment at=holder.registered_at />
                ". "
                {why}
            </p>
            {render_claims(report)}
        </section>
    })
}

/// All claims of a name that nobody holds here, and what can be done.
fn render_split(report: &NameReport) -> impl IntoView + use<> {
    view! {
        <section class="card contest" aria-labelledby="contest-title" data-testid="split">
            <h2 id="contest-title">"Two people hold this name, so nobody does"</h2>
            <p>
                "The network’s witnesses have confirmed more than one claim of it: somebody has their keys, or they lie. This device met the claims together, so it takes none of them, and installs nothing from either."
            </p>
            <p class="muted">
                "Whoever knew the holder before still sees them: compare the safety words with the person you mean. The network’s operators can settle it."
            </p>
            {render_claims(report)}
        </section>
    }
}

/// Claims that don't hold the name: whose, of when, and why not.
fn render_claims(report: &NameReport) -> impl IntoView + use<> {
    let more = report.more_losers;
    let rows = report.losers.iter().cloned().map(|claim| {
        let LosingClaim { did, username, claimed_at, reason } = claim;
        view! {
            <li>
                <a href=routes::identity(&did)>{text::shorten_did(&did)}</a>
                " claimed "
                {username}
                " "
                <Moment at=claimed_at />
                ". "
                {describe_loss(reason)}
            </li>
        }
    });
    view! {
        <ul>{rows.collect_view()}</ul>
        {(more > 0).then(|| view! { <p class="muted">{format!("… and {} more.", text::format_number(more))}</p> })}
    }
}

/// All sections of a person. Each is rendered again only when its own part changed.
#[component]
fn PersonView(person: Memo<Person>) -> impl IntoView {
    let mine = select(person, |person| person.mine);
    let blocked = select(person, |person| person.blocked);
    let subject = move || SubjectRef::Person(person.with_untracked(|person| person.did.clone())).to_string();
    let card = |person: &Person| {
        let name = person.entry.as_ref().map(|entry| (entry.status, entry.registered_at));
        (person.public_key.clone(), person.profile.clone(), name, person.mine)
    };
    view! {
        {slice_view(person, |person| person.forked, |forked| forked.then(render_forked))}
        {slice_view(person, card, |(public_key, profile, named, mine)| {
            let name = match named {
                None => view! { <p class="muted">"Has no name at the moment."</p> }.into_any(),
                Some(_) => ().into_any(),
            };
            let (status, registered_at) = named.unzip();
            view! { <ProfileCard public_key profile name status registered_at mine /> }
        })}
        <Show when=move || mine.get()>
            <p>
                <a class="button" href=routes::ME>
                    "Edit my profile"
                </a>
            </p>
        </Show>
        <Show when=move || blocked.get()>
            <Notice tone=NoticeTone::Warning>
                <p>"You blocked this person: they are in no list of yours, and nothing of theirs is installed. The name stays theirs."</p>
            </Notice>
        </Show>
        <Show when=move || !mine.get()>
            <div class="actions">
                <FollowButton subject=subject() what="this person" />
                <BlockButton subject=subject() blocked what="this person" />
            </div>
        </Show>
        {slice_view(person, |person| person.reputation.clone(), |reputation| {
            (!reputation.reasons.is_empty())
                .then(|| {
                    view! {
                        <section class="card" aria-labelledby="reputation-title">
                            <h2 id="reputation-title">"What they earned here"</h2>
                            <ReputationView reputation />
                        </section>
                    }
                })
        })}
        {slice_view(
            person,
            |person| (person.did.clone(), person.history.clone(), person.safety_words.clone()),
            |(did, history, safety_words)| view! { <Details did history safety_words /> },
        )}
        {slice_view(person, |person| person.updated_at, |at| {
            at.map(|at| view! { <p class="muted basis">"Last news from this person reached this device " <Moment at /> "."</p> })
        })}
    }
}

/// Says that a log of one of the person's devices contradicts itself.
fn render_forked() -> impl IntoView {
    view! {
        <Notice tone=NoticeTone::Bad>
            <p>
                <strong>"One of this person’s devices contradicts itself."</strong>
                " Its log has two different entries for one place: the profile was copied by hand, or stolen. Both are kept as proof, and the device can write nothing more. What witnesses have confirmed stays."
            </p>
        </Notice>
    }
}
