//! The one heading of a page. It names the tab, and takes the focus when the person has moved to the page.

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::app_state::app_state;
use crate::dom;

/// The end of every tab title.
const APP: &str = "Gen Registry";

/// The heading and path that the focus was last moved for; the first page leaves the focus where the browser put it.
#[derive(Clone, Copy)]
pub struct PageArrival {
    /// What the focus was last moved for.
    last: RwSignal<Option<String>>,
    /// How many headings there were so far.
    headings: StoredValue<u64>,
}

impl PageArrival {
    /// No page was reached yet.
    pub fn new() -> Self {
        Self { last: RwSignal::new(None), headings: StoredValue::new(0) }
    }

    /// A number for a heading. The one of the page that is being left sees the new path too, and sees it first.
    fn number(self) -> u64 {
        self.headings.update_value(|headings| *headings += 1);
        self.headings.get_value()
    }
}

/// The heading. Its title is the tab's title, too.
#[component]
pub fn PageHead(
    /// The heading's text, and the start of the tab's title.
    #[prop(into)]
    title: Signal<String>,
    #[prop(optional)] testid: Option<&'static str>,
    /// A number that changes when the page becomes another one without a new address.
    #[prop(optional, into)]
    step: Signal<u32>,
) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    let app_state = app_state();
    let arrival = expect_context::<PageArrival>();
    let number = arrival.number();
    let path = use_location().pathname;
    Effect::new(move |_| document().set_title(&format!("{} · {APP}", title.get())));
    Effect::new(move |_| {
        let here = format!("{number} {} {}", path.get(), step.get());
        let Some(heading) = heading.get() else {
            return;
        };
        let before = arrival.last.get_untracked();
        if before.as_ref() == Some(&here) {
            return;
        }
        arrival.last.set(Some(here));
        if before.is_some() && !is_searching() {
            request_animation_frame(move || {
                if !heading.is_connected() {
                    return;
                }
                let _not_focusable = heading.focus();
                // The focus has scrolled to the heading; the address may name a part further down.
                dom::show_named_part();
                if let Some(title) = title.try_get_untracked() {
                    app_state.shell.announce(title);
                }
            });
        } else if before.is_none() {
            dom::show_named_part();
        }
    });
    view! {
        <h1 class="page-title" tabindex="-1" node_ref=heading data-testid=testid>
            {move || title.get()}
        </h1>
    }
}

/// Whether the search box has the focus, which typing must keep.
fn is_searching() -> bool {
    dom::focused_element().is_some_and(|element| element.get_attribute("data-finds").is_some())
}
