//! The part of the JavaScript API that looks beyond this device.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{GenRegistry, to_error, to_js};
use gen_registry_api::NameKind;

#[wasm_bindgen]
impl GenRegistry {
    /// Here first, then connected peers, then the wider network; `answeredBy` says which, or null if none had an
    /// answer.
    #[wasm_bindgen(js_name = findUsername)]
    pub async fn find_username(&self, name: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().find(NameKind::Username, name).await.map_err(to_error)?)
    }

    /// As `findUsername`, with the newest release in `found.release`.
    #[wasm_bindgen(js_name = findModule)]
    pub async fn find_module(&self, name: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().find(NameKind::Module, name).await.map_err(to_error)?)
    }
}
