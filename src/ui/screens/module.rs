//! One module: what it is, its versions, what it needs and who needs it, who signed it, what people say; and what can be
//! done with it here.

mod graph;
mod install;
mod opinions;
mod owner;
mod provenance;
mod run;
mod versions;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::node::api::{ModuleDetails, ModulePage, NameKind, NameStatus};
use crate::ui::components::farther::Farther;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::components::markdown::Markdown;
use crate::ui::components::module_row::{Stars, Tags, author_link};
use crate::ui::components::notice::{Notice, NoticeTone};
use crate::ui::components::page_head::PageHead;
use crate::ui::components::subject::{BlockButton, FollowButton};
use crate::ui::fetch::fetched;
use crate::ui::screens::channels::channel_href;
use crate::ui::session::session;
use crate::ui::text;

#[component]
pub fn Module() -> impl IntoView {
    let session = session();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name")).unwrap_or_default());
    let page = fetched(
        move || name.get(),
        move || session.modules_changed.track(),
        move |name| {
            let client = session.client();
            async move { client.module_page(name).await }
        },
    );
    let begun = install::Begun::new();
    let title = Signal::derive(move || match page.get() {
        Some(Ok(Some(page))) => page.name,
        _ => name.get(),
    });
    view! {
        <div class="page">
            <PageHead title testid="module-title" />
            {move || match page.get() {
                None => view! { <p class="muted" role="status">"Looking…"</p> }.into_any(),
                Some(Err(failure)) => view! { <p>{failure.message} " " {failure.advice}</p> }.into_any(),
                Some(Ok(None)) => absent(&name.get()).into_any(),
                Some(Ok(Some(page))) => view! { <Shown page=*page begun /> }.into_any(),
            }}
        </div>
    }
}

fn absent(name: &str) -> impl IntoView + use<> {
    view! {
        <div class="empty">
            {icon(Icon::Module)}
            <p>{format!("No module named “{name}” is known on this device.")}</p>
            <Farther kind=NameKind::Module name=name.to_owned() />
            <a class="button" href="/modules">
                "Look at all modules"
            </a>
        </div>
    }
}

#[component]
fn Shown(page: ModulePage, begun: install::Begun) -> impl IntoView {
    let ModuleDetails { title, description, license, repository, readme, tags, deprecated, .. } = page.details.clone();
    let query = use_query_map();
    let wanted = query.with_untracked(|query| query.get("install"));
    let downloads = page.opinion.downloads;
    view! {
        <div class="module-intro">
            {title.map(|title| view! { <p class="lead">{title}</p> })}
            {description.map(|description| view! { <p>{description}</p> })}
            <p class="module-facts">
                <span>"by " {author_link(&page.holder)}</span>
                {page.latest.clone().map(|latest| view! { <span data-testid="latest">{latest}</span> })}
                {license.map(|license| view! { <span>{license}</span> })}
                <Stars opinion=page.opinion />
                {(downloads > 0)
                    .then(|| view! { <span title="An estimate: what people say of themselves">{text::count(downloads, "install", "installs")}</span> })}
                {(page.status == NameStatus::Contested).then(|| view! { <span class="badge badge-warning">"Contested name"</span> })}
                {repository
                    .map(|link| view! { <a rel="external noreferrer nofollow ugc" target="_blank" href=link.clone()>"Source"</a> })}
            </p>
            <Tags tags />
            <p>
                <a class="button button-small" href=channel_href(&format!("#module/{}", page.name)) data-testid="discussion">
                    {icon(Icon::Talk)}
                    "Discussion"
                </a>
            </p>
            {deprecated
                .map(|reason| {
                    view! {
                        <Notice tone=NoticeTone::Warning>
                            <p>
                                <strong>"Its author says that nobody should begin to use it. "</strong>
                                {reason}
                            </p>
                        </Notice>
                    }
                })}
        </div>
        {page.blocked.then(|| view! {
            <Notice tone=NoticeTone::Warning>
                <p>"It is on your blocklist, or its publisher is: it is in no list of yours and can’t be installed."</p>
            </Notice>
        })}
        {(!page.mine).then(|| {
            let subject = format!("module:{}", page.name);
            view! {
                <div class="actions">
                    <FollowButton subject=subject.clone() what="this module" />
                    <BlockButton subject blocked=page.blocked what="this module" />
                </div>
            }
        })}
        <install::Install page=page.clone() wanted begun />
        {readme.map(|cid| view! { <Readme cid /> })}
        <run::Run page=page.clone() />
        <versions::Versions page=page.clone() />
        <versions::Dependencies page=page.clone() />
        <provenance::Provenance page=page.clone() />
        <opinions::Opinions page=page.clone() />
        {page.mine.then(|| view! { <owner::Owner page=page.clone() /> })}
    }
}

#[component]
fn Readme(cid: String) -> impl IntoView {
    let session = session();
    let html = fetched(
        move || cid.clone(),
        || (),
        move |cid| {
            let client = session.client();
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
