//! The guides: their Markdown files, rendered, with a list of all pages and of the parts of this one.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::{Notice, NoticeTone, render_failure};
use crate::dom::{self, OwnFile};
use crate::query::{QueryState, use_query};
use crate::routes;
use crate::widgets::page_head::PageHead;
use gen_registry_api::client::Client;
use gen_registry_api::failure::Failure;
use gen_registry_api::{GUIDE_PAGES, GuidePage, GuideSection, RenderedGuide};

/// What became of the file of a guide.
#[derive(Clone, PartialEq)]
enum Loaded {
    /// The guide as HTML, with its sections.
    Guide(RenderedGuide),
    /// The server has no such file.
    Missing,
    Unreachable,
}

/// Fetches the Markdown file and has the node render it.
async fn load_guide(client: Client, page: GuidePage) -> Result<Loaded, Failure> {
    match dom::fetch_own_file(&routes::guide_file(page)).await {
        OwnFile::Text(text) => Ok(Loaded::Guide(client.render_guide(page.slug.to_owned(), text).await?)),
        OwnFile::Missing => Ok(Loaded::Missing),
        OwnFile::Unreachable => Ok(Loaded::Unreachable),
    }
}

/// The page of `/guide` and `/guide/name`. An unknown name shows the list of all guides.
#[component]
pub fn Guide() -> impl IntoView {
    let params = use_params_map();
    let slug = Memo::new(move |_| params.with(|params| params.get("page")).unwrap_or_else(|| "index".to_owned()));
    // An address that names the file is understood, too.
    let page = Memo::new(move |_| slug.with(|slug| GuidePage::find(slug.strip_suffix(".md").unwrap_or(slug))));
    let title = Signal::derive(move || page.get().map_or("There is no such guide", |page| page.title).to_owned());
    view! {
        <div class="page guide">
            <PageHead title testid="guide-title" />
            {move || match page.get() {
                Some(page) => view! { <Page page /> }.into_any(),
                None => render_absent(&slug.get()).into_any(),
            }}
        </div>
    }
}

/// A guide between the list of all and the links to its neighbours.
#[component]
fn Page(page: GuidePage) -> impl IntoView {
    let app_state = app_state();
    let again = RwSignal::new(());
    let loaded: QueryState<Loaded> =
        use_query(move || page.slug, move || again.track(), move |_| load_guide(app_state.client(), page));
    let guide = Memo::new(move |_| {
        loaded.with(|loaded| match loaded {
            Some(Ok(Loaded::Guide(guide))) => Some(guide.clone()),
            _ => None,
        })
    });
    Effect::new(move |_| {
        if guide.with(Option::is_some) {
            dom::show_named_part();
        }
    });
    view! {
        <div class="guide-body">
            <nav class="guide-pages" aria-label="Guides">
                {render_pages(Some(page))}
            </nav>
            <div class="guide-main">
                {move || sections(page, guide)}
                {move || match loaded.get() {
                    None => view! { <p class="muted" role="status">"Loading…"</p> }.into_any(),
                    Some(Ok(Loaded::Guide(guide))) => {
                        view! { <article class="markdown guide-text" data-testid="guide-text" inner_html=guide.html></article> }.into_any()
                    }
                    Some(Ok(Loaded::Missing)) => render_missing().into_any(),
                    Some(Ok(Loaded::Unreachable)) => view! { <Unreachable again /> }.into_any(),
                    Some(Err(failure)) => render_failure(failure),
                }}
                {render_neighbours(page)}
            </div>
        </div>
    }
}

/// Links to all guides; the current one is marked.
fn render_pages(current: Option<GuidePage>) -> impl IntoView {
    let row = move |page: GuidePage| {
        let here = (current == Some(page)).then_some("page");
        view! {
            <li>
                <a href=page.path() aria-current=here>
                    {page.title}
                </a>
            </li>
        }
    };
    view! { <ul>{GUIDE_PAGES.into_iter().map(row).collect_view()}</ul> }
}

/// The parts of a page that has several.
fn sections(page: GuidePage, guide: Memo<Option<RenderedGuide>>) -> impl IntoView {
    let sections = guide.with(|guide| guide.as_ref().map(|guide| guide.sections.clone())).unwrap_or_default();
    let row = move |section: GuideSection| {
        view! {
            <li>
                <a href=routes::guide_section(page, &section.id)>{section.title}</a>
            </li>
        }
    };
    (sections.len() > 5).then(|| {
        view! {
            <details class="guide-sections">
                <summary>"On this page"</summary>
                <ul>{sections.into_iter().map(row).collect_view()}</ul>
            </details>
        }
    })
}

/// Links to the guide before and the one after.
fn render_neighbours(page: GuidePage) -> impl IntoView {
    let at = GUIDE_PAGES.iter().position(|other| *other == page);
    let before = at.and_then(|at| at.checked_sub(1)).and_then(|at| GUIDE_PAGES.get(at).copied());
    let after = at.and_then(|at| GUIDE_PAGES.get(at + 1).copied());
    view! {
        <nav class="guide-neighbours" aria-label="Previous and next guide">
            {before
                .map(|page| {
                    view! {
                        <a class="button guide-before" rel="prev" href=page.path()>
                            {icon(Icon::Arrow)}
                            {page.title}
                        </a>
                    }
                })}
            {after
                .map(|page| {
                    view! {
                        <a class="button guide-after" rel="next" href=page.path()>
                            {page.title}
                            {icon(Icon::Arrow)}
                        </a>
                    }
                })}
        </nav>
    }
}

/// Says that there is no such guide, and lists all.
fn render_absent(slug: &str) -> impl IntoView {
    view! {
        <div class="guide-absent" data-testid="guide-absent">
            <p class="lead">{format!("No guide is called “{slug}”. These are all of them:")}</p>
            {render_pages(None)}
        </div>
    }
}

/// Says that the server has no such file.
fn render_missing() -> impl IntoView {
    view! {
        <Notice tone=NoticeTone::Warning>
            <p>
                <strong>"The server of this page does not have this guide."</strong>
            </p>
            <p>"It may serve another version of the app. Reload the page, or ask the server's operator."</p>
        </Notice>
    }
}

/// Says that nothing answers, with a button that tries again.
#[component]
fn Unreachable(again: RwSignal<()>) -> impl IntoView {
    view! {
        <div data-testid="guide-unreachable">
            <Notice tone=NoticeTone::Warning>
                <p>
                    <strong>"The server does not answer, and this guide is not stored on this device."</strong>
                </p>
                <p>"Guides are stored together with the app once it has loaded completely. Go online and try again."</p>
                <button type="button" class="button button-small" on:click=move |_| again.set(())>
                    {icon(Icon::Refresh)}
                    "Try again"
                </button>
            </Notice>
        </div>
    }
}
