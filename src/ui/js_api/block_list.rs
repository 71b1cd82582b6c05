//! The part of the JavaScript API that is about reputations and lists.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{GenRegistry, from_js, to_error, to_js};
use gen_registry_api::*;

#[wasm_bindgen]
impl GenRegistry {
    /// What a peer (by its libp2p id) or a person (`did:gen:…`) has earned with this device: `{ score, low, reasons }`.
    #[wasm_bindgen(js_name = getReputation)]
    pub async fn get_reputation(&self, of: String) -> Result<JsValue, JsValue> {
        let kind = if of.starts_with("did:") { "person" } else { "peer" };
        to_js(&self.client.clone().reputation(format!("{kind}:{of}")).await.map_err(to_error)?)
    }

    /// The people, peers and modules this person blocks or trusts: `{ rows, shared }`.
    #[wasm_bindgen(js_name = getLists)]
    pub async fn get_lists(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().lists().await.map_err(to_error)?)
    }

    /// Puts `person:did:gen:…`, `peer:12D3…` or `module:name` on a list: `"block"`, `"allow"`, or `"neither"` to take
    /// it off both.
    pub async fn decide(&self, subject: String, verdict: JsValue, note: Option<String>) -> Result<JsValue, JsValue> {
        let Some(verdict) = from_js(verdict)? else {
            return Err(to_error(Failure::new(
                FailureCode::InvalidArgument,
                "No verdict was given.",
                "Say block, allow or neither.",
            )));
        };
        to_js(&self.client.clone().decide(subject, verdict, note).await.map_err(to_error)?)
    }
}
