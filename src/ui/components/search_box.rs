//! A field that finds people by the start of their name. The address is the truth: it shows and changes `?q=`.

use gloo::timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};

use crate::ui::components::icon::{Icon, icon};
use crate::ui::dom;

const PAUSE_MS: u32 = 150;
const DIRECTORY: &str = "/people";

pub fn people_href(prefix: &str) -> String {
    if prefix.is_empty() { DIRECTORY.to_owned() } else { format!("{DIRECTORY}?q={}", dom::encode(prefix)) }
}

#[component]
pub fn SearchBox(
    /// Unique on the page.
    id: &'static str,
    label: &'static str,
    /// Text to begin with, where the address has none.
    #[prop(optional, into)]
    suggested: String,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let text = RwSignal::new(suggested);
    let navigate = use_navigate();
    let path = use_location().pathname;
    let query = use_query_map();
    let in_directory = move || path.get_untracked() == DIRECTORY;
    let turn = StoredValue::new(0_u64);
    // Going back, or choosing a letter, shows in the field; what is being typed is newer than the address.
    Effect::new(move |_| {
        let asked = query.with(|query| query.get("q")).unwrap_or_default();
        let here = path.get() == DIRECTORY;
        let writing = dom::focused().is_some_and(|element| element.id() == id);
        if here && !writing {
            text.set(asked);
        }
    });
    let typed = {
        let navigate = navigate.clone();
        move |_| {
            turn.update_value(|turn| *turn += 1);
            if !in_directory() {
                return;
            }
            let (mine, navigate) = (turn.get_value(), navigate.clone());
            spawn_local(async move {
                TimeoutFuture::new(PAUSE_MS).await;
                if turn.try_get_value() == Some(mine) && in_directory() {
                    let href = people_href(text.get_untracked().trim());
                    navigate(&href, NavigateOptions { replace: true, scroll: false, ..Default::default() });
                }
            });
        }
    };
    let into_results = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "ArrowDown"
            && let Some(first) = dom::find("main .person-link")
        {
            event.prevent_default();
            let _not_focusable = first.focus();
        }
    };
    let sent = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        turn.update_value(|turn| *turn += 1);
        let options = NavigateOptions { replace: in_directory(), scroll: false, ..Default::default() };
        navigate(&people_href(text.get_untracked().trim()), options);
    };
    view! {
        <form class="search" role="search" aria-label=label action=DIRECTORY on:submit=sent>
            <label class="search-field" for=id>
                {icon(Icon::Search)}
                <span class="visually-hidden">{label}</span>
                <input
                    class="input"
                    id=id
                    type="search"
                    name="q"
                    placeholder="Find people"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    enterkeyhint="search"
                    aria-keyshortcuts="/ Control+K"
                    data-finds="people"
                    data-testid=testid
                    bind:value=text
                    on:input=typed
                    on:keydown=into_results
                />
                <kbd class="search-key" aria-hidden="true">
                    "/"
                </kbd>
            </label>
        </form>
    }
}
