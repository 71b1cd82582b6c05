//! A field that finds: people by the start of their name, or modules by any word (and people beside them). The address
//! is the truth: it shows and changes `?q=`.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::latest_request::LatestRequest;
use crate::routes;

/// The pause in typing after which the address follows, in milliseconds.
const PAUSE_MS: u32 = 150;
/// A result that the arrow keys reach.
const RESULTS: &str = "main .module-link, main .person-link";

/// A search field.
///
/// On the page that lists what it finds it changes the address while somebody types; elsewhere it leads to that page
/// when
/// the form is sent. Arrow down moves the focus into the results.
#[component]
pub fn SearchBox(
    /// Unique on the page.
    id: &'static str,
    /// The accessible name of the field.
    #[prop(into)]
    label: Signal<String>,
    /// Finds modules, except where people are listed; else people only.
    #[prop(optional)]
    everything: bool,
    /// Text to begin with, where the address has none.
    #[prop(optional, into)]
    suggested: String,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let text = RwSignal::new(suggested);
    let navigate = use_navigate();
    let path = use_location().pathname;
    let query = use_query_map();
    let place = move |path: &str| if everything && path != routes::PEOPLE { routes::MODULES } else { routes::PEOPLE };
    let in_place = move || path.with_untracked(|path| path == place(path));
    let href = move || {
        let (text, place) = (text.get_untracked().trim().to_owned(), path.with_untracked(|path| place(path)));
        if place == routes::PEOPLE || !in_place() {
            return routes::search(place, &text);
        }
        // Filters stay while the text changes.
        let mut wanted = query.get_untracked();
        wanted.remove("q");
        if !text.is_empty() {
            wanted.insert("q", text);
        }
        format!("{}{}", routes::MODULES, wanted.to_query_string())
    };
    let latest = LatestRequest::new();
    // Going back, or choosing a letter, shows in the field; what is being typed is newer than the address.
    Effect::new(move |_| {
        let wanted = query.with(|query| query.get("q")).unwrap_or_default();
        let here = path.with(|path| path == place(path));
        let writing = dom::focused_element().is_some_and(|element| element.id() == id);
        if here && !writing {
            text.set(wanted);
        }
    });
    let search_later = {
        let navigate = navigate.clone();
        move |_| {
            let request = latest.begin();
            if !in_place() {
                return;
            }
            let navigate = navigate.clone();
            spawn_local(async move {
                TimeoutFuture::new(PAUSE_MS).await;
                if request.is_latest() && in_place() {
                    navigate(&href(), NavigateOptions { replace: true, scroll: false, ..Default::default() });
                }
            });
        }
    };
    let enter_results = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "ArrowDown"
            && let Some(first) = dom::find(RESULTS)
        {
            event.prevent_default();
            let _not_focusable = first.focus();
        }
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        // A pause in typing that is under way leads nowhere any more.
        latest.begin();
        let options = NavigateOptions { replace: in_place(), scroll: false, ..Default::default() };
        navigate(&href(), options);
    };
    let finds_modules = move || path.with(|path| place(path) == routes::MODULES);
    view! {
        <form
            class="search"
            role="search"
            aria-label=label
            action=move || path.with(|path| place(path))
            on:submit=submit
        >
            <label class="search-field" for=id>
                {icon(Icon::Search)}
                <span class="visually-hidden">{label}</span>
                <input
                    class="input"
                    id=id
                    type="search"
                    name="q"
                    placeholder=move || if finds_modules() { "Find modules and people" } else { "Find people" }
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    enterkeyhint="search"
                    aria-keyshortcuts="/ Control+K"
                    data-finds=move || if finds_modules() { "modules" } else { "people" }
                    data-testid=testid
                    bind:value=text
                    on:input=search_later
                    on:keydown=enter_results
                />
                <kbd class="search-key" aria-hidden="true">
                    "/"
                </kbd>
            </label>
        </form>
    }
}

/// Arrow keys move through the links of a list; Up on the first returns to the page's search field.
pub fn walk(event: &leptos::ev::KeyboardEvent, links: &str) {
    let down = match event.key().as_str() {
        "ArrowDown" => true,
        "ArrowUp" => false,
        _ => return,
    };
    let Some(here) = dom::focused_element().filter(|element| element.matches(links).unwrap_or(false)) else { return };
    event.prevent_default();
    let row = here.parent_element();
    let next = row.and_then(|row| if down { row.next_element_sibling() } else { row.previous_element_sibling() });
    let link = next.and_then(|row| row.query_selector(links).ok().flatten());
    let target = match link {
        Some(link) => link.dyn_into::<HtmlElement>().ok(),
        None if !down => dom::find("main [data-finds]"),
        None => None,
    };
    if let Some(target) = target {
        let _not_focusable = target.focus();
    }
}
