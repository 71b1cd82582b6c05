//! A stranger's Markdown on a page. The node makes the HTML (`registry::markdown`), and only such HTML may come here.

use leptos::prelude::*;

/// Renders HTML as it is: only HTML that the node made may come here.
#[component]
pub fn Markdown(html: String) -> impl IntoView {
    view! { <div class="markdown" inner_html=html></div> }
}
