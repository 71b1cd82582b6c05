//! What Leptos has no function for: saving and reading files, copying text, moving the focus, storage, media queries.
//!
//! Every function says what it returns if the browser refuses; none of them panics.

use js_sys::JSON;
use leptos::prelude::*;
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlElement, Response, Url};

/// Whether the page is in the background.
pub fn is_hidden() -> bool {
    document().visibility_state() != web_sys::VisibilityState::Visible
}

/// Whether the browser believes that there is a network. False is reliable, true is not.
pub fn is_online() -> bool {
    window().navigator().on_line()
}

/// Milliseconds since 1970-01-01 UTC, for showing times only.
pub fn now() -> f64 {
    js_sys::Date::now()
}

/// Bytes as an object of the browser. Returns `None` if the browser has no room for it.
pub fn blob(bytes: &[u8], media_type: &str) -> Option<Blob> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let options = BlobPropertyBag::new();
    options.set_type(media_type);
    Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()
}

/// Saves bytes as a file by way of a link. Returns false if the browser refused.
pub fn save_file(name: &str, bytes: &[u8]) -> bool {
    let Some(url) =
        blob(bytes, "application/octet-stream").and_then(|blob| Url::create_object_url_with_blob(&blob).ok())
    else {
        return false;
    };
    let Some(link) = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok())
    else {
        return false;
    };
    link.set_href(&url);
    link.set_download(name);
    // The router follows links it sees; this one is none of its business.
    link.set_rel("external");
    link.click();
    // The browser reads the file after the click has returned.
    set_timeout(
        move || {
            let _already_gone = Url::revoke_object_url(&url);
        },
        std::time::Duration::from_secs(60),
    );
    true
}

/// The file that was chosen in the field the event comes from. The same one can be chosen again.
pub fn take_chosen_file(event: &web_sys::Event) -> Option<web_sys::File> {
    let input: web_sys::HtmlInputElement = event.target()?.dyn_into().ok()?;
    let file = input.files()?.get(0);
    input.set_value("");
    file
}

/// The window event that is fired when [`take_offered_file`] has one.
pub const FILE_OFFERED: &str = "gen-registry-file";

/// A file that the system opened with the app or shared to it (`public/start.mjs`), once.
pub fn take_offered_file() -> Option<web_sys::File> {
    let boot = js_sys::Reflect::get(&window(), &"genRegistryBoot".into()).ok()?;
    let files: js_sys::Array = js_sys::Reflect::get(&boot, &"files".into()).ok()?.dyn_into().ok()?;
    files.shift().dyn_into().ok()
}

/// The failure to show for a file that the browser can't read.
pub fn unreadable_file() -> gen_registry_api::failure::Failure {
    gen_registry_api::failure::Failure::new(
        gen_registry_api::failure::FailureCode::InvalidArgument,
        "The browser could not read this file.",
        "Choose it again; it may have been moved or changed.",
    )
}

/// Copies a text. Returns false if the browser refused.
pub async fn copy(text: &str) -> bool {
    // Absent outside secure pages, whatever its type says.
    let navigator = window().navigator();
    if js_sys::Reflect::get(&navigator, &"clipboard".into()).map_or(true, |clipboard| clipboard.is_undefined()) {
        return false;
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Returns the first element that a selector matches.
pub fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten().and_then(|element| element.dyn_into().ok())
}

/// Moves the focus to an element after pending changes have reached the page.
pub fn focus_soon(selector: &'static str) {
    request_animation_frame(move || {
        if let Some(element) = find(selector) {
            let _not_focusable = element.focus();
        }
    });
}

/// Returns the element that has the focus.
pub fn focused_element() -> Option<HtmlElement> {
    document().active_element().and_then(|element| element.dyn_into().ok())
}

/// Scrolls to the element that the address's `#part` names, once it is rendered.
pub fn show_named_part() {
    request_animation_frame(|| {
        let hash = window().location().hash().unwrap_or_default();
        let part = hash.strip_prefix('#').and_then(|id| document().get_element_by_id(id));
        if let Some(part) = part {
            part.scroll_into_view();
        }
    });
}

/// Whether somebody is writing: single keys then belong to the text.
pub fn is_typing() -> bool {
    focused_element().is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT") || element.is_content_editable()
    })
}

/// Whether an element takes part in the layout.
pub fn is_visible(element: &HtmlElement) -> bool {
    element.offset_parent().is_some()
}

/// Whether a media query holds now.
pub fn matches_media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Reads a preference that [`store`] has written. Returns `None` also if the browser keeps nothing for this site.
pub fn load(key: &str) -> Option<String> {
    window().local_storage().ok().flatten()?.get_item(key).ok().flatten()
}

/// Keeps a preference for later visits; `None` removes it. A browser that keeps nothing is no error.
pub fn store(key: &str, value: Option<&str>) {
    if let Ok(Some(storage)) = window().local_storage() {
        let _full_or_denied = match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        };
    }
}

/// Asks the browser not to evict this site's data. Returns what it promised, or `None` if it can't be asked.
pub async fn persist_storage() -> Option<bool> {
    let navigator = window().navigator();
    if js_sys::Reflect::get(&navigator, &"storage".into()).map_or(true, |storage| storage.is_undefined()) {
        return None;
    }
    let answer = JsFuture::from(navigator.storage().persist().ok()?).await.ok()?;
    answer.as_bool()
}

/// Reads the bytes of a file. Fails if it was moved or changed since it was chosen.
pub async fn read_bytes(blob: &Blob) -> Result<Vec<u8>, JsValue> {
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

/// One of the app's own files, requested from its server or from the offline copy.
#[derive(Clone, PartialEq)]
pub enum OwnFile {
    Text(String),
    /// The server answered that there is none.
    Missing,
    /// Nothing answered.
    Unreachable,
}

/// Fetches a text file of the app by its path.
pub async fn fetch_own_file(path: &str) -> OwnFile {
    let Ok(response) = JsFuture::from(window().fetch_with_str(path)).await else { return OwnFile::Unreachable };
    let response: Response = response.unchecked_into();
    // Some hosts answer every address with the page.
    let is_page =
        response.headers().get("content-type").ok().flatten().is_some_and(|kind| kind.starts_with("text/html"));
    if !response.ok() || is_page {
        return OwnFile::Missing;
    }
    let Ok(text) = response.text() else { return OwnFile::Unreachable };
    match JsFuture::from(text).await.ok().and_then(|text| text.as_string()) {
        Some(text) => OwnFile::Text(text),
        None => OwnFile::Unreachable,
    }
}

/// Writes a value as indented JSON for people. Returns an empty text if it can't be serialized.
pub fn format_json(value: &impl Serialize) -> String {
    let object = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
    let text =
        object.ok().and_then(|object| JSON::stringify_with_replacer_and_space(&object, &JsValue::NULL, &2.into()).ok());
    text.map(String::from).unwrap_or_default()
}

/// Loads the page again.
pub fn reload() {
    let _refused = window().location().reload();
}

/// Loads the first page, whatever the address was.
pub fn load_first_page() {
    let _refused = window().location().assign("/");
}

/// The address of this page without query and fragment.
pub fn page_address() -> String {
    let location = window().location();
    format!("{}{}", location.origin().unwrap_or_default(), location.pathname().unwrap_or_default())
}

/// The address of another page of this site.
pub fn address_of(path: &str) -> String {
    format!("{}{path}", window().location().origin().unwrap_or_default())
}

/// A link as text: its host as the browser understands it, then path and query, without the slash at the end. User name and
/// password are left out, because they would read as the host. Any other link than one of a page is returned unchanged.
pub fn format_link(link: &str) -> String {
    let Ok(url) = Url::new(link) else { return link.to_owned() };
    if !matches!(url.protocol().as_str(), "http:" | "https:") {
        return link.to_owned();
    }
    format!("{}{}", url.host(), url.pathname()).trim_end_matches('/').to_owned() + &url.search()
}

/// Takes the fragment out of the address, without a step in the history.
pub fn drop_fragment() {
    let (window, address) = (window(), page_address());
    let search = window.location().search().unwrap_or_default();
    if let Ok(history) = window.history() {
        let _refused = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("{address}{search}")));
    }
}
