//! The part of the JavaScript API that is about following, and what it brings.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{GenRegistry, from_js, to_error, to_js};

#[wasm_bindgen]
impl GenRegistry {
    /// What is followed here: an array of `{ subject, since, username }`.
    #[wasm_bindgen(js_name = getFollows)]
    pub async fn get_follows(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().follows().await.map_err(to_error)?)
    }

    /// Begins to follow `person:did:gen:…`, `module:name` or `tag:text`.
    pub async fn follow(&self, subject: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().follow(subject, true).await.map_err(to_error)?)
    }

    /// Ends following.
    pub async fn unfollow(&self, subject: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().follow(subject, false).await.map_err(to_error)?)
    }

    /// The newest first: `{ notices, unread }`.
    #[wasm_bindgen(js_name = getNotices)]
    pub async fn get_notices(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().notices().await.map_err(to_error)?)
    }

    /// Without ids, all of them.
    #[wasm_bindgen(js_name = markNoticesRead)]
    pub async fn mark_notices_read(&self, ids: JsValue) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().mark_notices_read(from_js(ids)?).await.map_err(to_error)?)
    }

    /// Forgets all of them.
    #[wasm_bindgen(js_name = clearNotices)]
    pub async fn clear_notices(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().clear_notices().await.map_err(to_error)?)
    }
}
