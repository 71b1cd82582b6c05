//! One module: what it is, its versions, what it needs and who needs it, who signed it, what people say; and what can
//! be done with it here.

mod graph;
mod install;
mod owner;
mod provenance;
mod ratings;
mod run;
mod versions;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::markdown::Markdown;
use crate::components::module_facts::{Stars, Tags, author_link};
use crate::components::notice::{Notice, NoticeTone};
use crate::model::subject::SubjectRef;
use crate::model::versions::find_runnable;
use crate::query::use_query;
use crate::reactive::{query_view, select, slice_view, some_view};
use crate::widgets::copy_link::CopyLink;
use crate::widgets::network_lookup::NetworkLookup;
use crate::widgets::page_head::PageHead;
use crate::widgets::subject::{BlockButton, FollowButton};
use crate::{routes, text};
use gen_registry_api::{Author, ModuleDescription, ModuleDetails, ModulePage, NameKind, NameStatus, RatingSummary};

/// The page of `/m/name`. An unknown name is searched for at peers and in the wider network.
#[component]
pub fn Module() -> impl IntoView {
    let app_state = app_state();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name")).unwrap_or_default());
    let page = use_query(
        move || name.get(),
        move || app_state.invalidation.modules.track(),
        move |name| {
            let client = app_state.client();
            async move { Ok(client.module_page(name).await?.map(|page| *page)) }
        },
    );
    let installation = install::Installation::new();
    let title = Signal::derive(move || match page.get() {
        Some(Ok(Some(page))) => page.name,
        _ => name.get(),
    });
    view! {
        <div class="page">
            <div class="page-top">
                <PageHead title testid="module-title" />
                <CopyLink />
            </div>
            {move || {
                // Another module is another page.
                let wanted_name = name.get();
                query_view(
                    page,
                    move |page| {
                        let wanted_name = wanted_name.clone();
                        some_view(page, move |page| view! { <ModuleView page installation /> }, move || render_absent(&wanted_name))
                    },
                )
            }}
        </div>
    }
}

/// What is shown in place of an unknown module.
fn render_absent(name: &str) -> impl IntoView + use<> {
    view! {
        <div class="empty">
            {icon(Icon::Module)}
            <p>{format!("No module named “{name}” is known on this device.")}</p>
            <NetworkLookup kind=NameKind::Module name=name.to_owned() />
            <a class="button" href=routes::MODULES>
                "Look at all modules"
            </a>
        </div>
    }
}

/// All sections of the page. Each is rendered again only when its own part changed.
#[component]
fn ModuleView(page: Memo<ModulePage>, installation: install::Installation) -> impl IntoView {
    let query = use_query_map();
    let wanted = query.with_untracked(|query| query.get("install"));
    let (mine, blocked) = (select(page, |page| page.mine), select(page, |page| page.blocked));
    let name = select(page, |page| page.name.clone());
    let subject = move || SubjectRef::Module(name.get_untracked()).to_string();
    let to_install = |page: &ModulePage| {
        let installed = page.installed.as_ref().map(|installed| installed.summary.version.clone());
        install::InstallSubject { name: page.name.clone(), newest: page.latest.clone(), installed }
    };
    view! {
        {slice_view(
            page,
            |page| (page.details.clone(), page.holder.clone(), page.latest.clone(), page.opinion, page.status),
            |(details, holder, latest, opinion, status)| render_intro(details, &holder, latest, opinion, status),
        )}
        <p>
            <a
                class="button button-small"
                href=move || routes::channel(&format!("#module/{}", name.get()))
                data-testid="discussion"
            >
                {icon(Icon::Talk)}
                "Discussion"
            </a>
        </p>
        {slice_view(page, |page| page.details.description.deprecated.clone(), |reason| reason.map(render_deprecated))}
        <Show when=move || blocked.get()>
            <Notice tone=NoticeTone::Warning>
                <p>"It is on your blocklist, or its publisher is: it is in no list of yours and can’t be installed."</p>
            </Notice>
        </Show>
        <Show when=move || !mine.get()>
            <div class="actions">
                <FollowButton subject=subject() what="this module" />
                <BlockButton subject=subject() blocked what="this module" />
            </div>
        </Show>
        {slice_view(page, to_install, move |subject| view! { <install::Install subject wanted=wanted.clone() installation /> })}
        {slice_view(page, |page| page.details.description.readme.clone(), |readme| readme.map(|cid| view! { <Readme cid /> }))}
        {slice_view(page, find_runnable, |version| version.map(|(name, version)| view! { <run::Run name version /> }))}
        <versions::Versions page />
        <versions::Dependencies page />
        <provenance::Provenance page />
        <ratings::Ratings page />
        <Show when=move || mine.get()>
            <owner::Owner page />
        </Show>
    }
}

/// What the module is, who holds it, and its tags.
fn render_intro(
    details: ModuleDetails,
    holder: &Author,
    latest: Option<String>,
    opinion: RatingSummary,
    status: NameStatus,
) -> impl IntoView + use<> {
    let ModuleDescription { title, description, license, repository, tags, .. } = details.description;
    let (tags, downloads) = (tags.into_iter().collect::<Vec<_>>(), opinion.downloads);
    view! {
        <div class="module-intro">
            {title.map(|title| view! { <p class="lead">{title}</p> })}
            {description.map(|description| view! { <p>{description}</p> })}
            <p class="module-facts">
                <span>"by " {author_link(holder)}</span>
                {latest.map(|latest| view! { <span data-testid="latest">{latest}</span> })}
                {license.map(|license| view! { <span>{license}</span> })}
                <Stars opinion />
                {(downloads > 0)
                    .then(|| view! { <span title="An estimate: what people say of themselves">{text::format_count(downloads, "install", "installs")}</span> })}
                {(status == NameStatus::Contested).then(|| view! { <span class="badge badge-warning">"Contested name"</span> })}
                {repository
                    .map(|link| view! { <a rel="external noreferrer nofollow ugc" target="_blank" href=link>"Source"</a> })}
            </p>
            <Tags tags />
        </div>
    }
}

/// The warning of the module's author.
fn render_deprecated(reason: String) -> impl IntoView {
    view! {
        <Notice tone=NoticeTone::Warning>
            <p>
                <strong>"Its author says that nobody should begin to use it. "</strong>
                {reason}
            </p>
        </Notice>
    }
}

/// The readme, once its block is on this device.
#[component]
fn Readme(cid: String) -> impl IntoView {
    let app_state = app_state();
    let html = use_query(
        move || cid.clone(),
        || (),
        move |cid| {
            let client = app_state.client();
            async move { client.readme(cid).await }
        },
    );
    view! {
        {move || match html.get() {
            Some(Ok(Some(html))) => {
                Some(
                    view! {
                        <section class="card" aria-label="Readme">
                            <Markdown html />
                        </section>
                    }
                        .into_any(),
                )
            }
            Some(Ok(None)) => Some(view! { <p class="muted">"The readme is not on this device yet."</p> }.into_any()),
            _ => None,
        }}
    }
}
