//! Who signed the newest version, the hash of its bytes, and what it asks for and offers.

use leptos::prelude::*;

use crate::components::module_facts::author_link;
use crate::reactive::slice_view;
use crate::widgets::did::DidChip;
use crate::widgets::moment::Moment;
use gen_registry_api::{ModulePage, NameStatus, VersionEntry};

/// The section; nothing for a module without a version that counts.
#[component]
pub fn Provenance(page: Memo<ModulePage>) -> impl IntoView {
    let take = |page: &ModulePage| {
        let latest =
            page.versions.iter().find(|version| Some(&version.summary.version) == page.latest.as_ref()).cloned();
        (latest, page.details.imports.clone(), page.details.exports.clone())
    };
    slice_view(page, take, |(latest, imports, exports)| latest.map(|latest| render_version(latest, imports, exports)))
}

/// Names as a list, or a sentence if there are none.
fn render_names(names: Vec<String>, nothing: &'static str) -> AnyView {
    if names.is_empty() {
        return view! { <p class="muted">{nothing}</p> }.into_any();
    }
    view! { <ul class="names">{names.into_iter().map(|name| view! { <li><code>{name}</code></li> }).collect_view()}</ul> }
        .into_any()
}

/// Signer, date, hashes and checks of a version, then what it asks for and offers.
fn render_version(version: VersionEntry, imports: Vec<String>, exports: Vec<String>) -> impl IntoView {
    let witnessed = match version.status {
        NameStatus::Confirmed => "The network’s witnesses have seen it.",
        _ => "No witness has confirmed it; the date is its author’s.",
    };
    let checked = if version.here {
        "All of its bytes are on this device; each was compared with the hash when it came."
    } else {
        "Its bytes are not on this device. They are compared with the hash when they come."
    };
    view! {
        <section class="card" aria-labelledby="provenance-title">
            <h2 id="provenance-title">"Where it comes from"</h2>
            <dl class="origin">
                <dt>"Signed by"</dt>
                <dd>{author_link(&version.summary.author)} " " <DidChip did=version.summary.author.did.clone() /></dd>
                <dt>"Published"</dt>
                <dd><Moment at=version.published_at /> ". " {witnessed}</dd>
                <dt>"SHA-256"</dt>
                <dd><code class="hash">{version.summary.sha256}</code></dd>
                <dt>"Release"</dt>
                <dd><code class="hash">{version.summary.release}</code></dd>
                <dt>"Checked"</dt>
                <dd>{checked}</dd>
            </dl>
            <h3>"Asks for"</h3>
            {render_names(imports, "Nothing: it computes with what it is given.")}
            <h3>"Offers"</h3>
            {render_names(exports, "Its author names no function.")}
        </section>
    }
}
