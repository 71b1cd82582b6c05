//! The part of the JavaScript API that is about devices, keys, and ends of names.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{GenRegistry, from_js, to_error, to_js};
use gen_registry_api::*;

/// The second argument of `revokeDevice`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RevokeOptions {
    last_good: Option<LastGood>,
}

/// The argument of `rotateKey`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RotateOptions {
    phrase: Option<String>,
    new_words: bool,
    ends: Vec<DeviceEnd>,
}

/// The second argument of `giveUpName`, `finishGiveUp` and `veto`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NameOptions {
    to: Option<String>,
    kind: Option<NameKind>,
}

impl NameOptions {
    fn own(&self, name: String) -> OwnName {
        OwnName { kind: self.kind.unwrap_or(NameKind::Username), name }
    }
}

#[wasm_bindgen]
impl GenRegistry {
    /// Devices and keys of this profile's person.
    #[wasm_bindgen(js_name = listDevices)]
    pub async fn list_devices(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().devices().await.map_err(to_error)?)
    }

    /// The text by which this profile, which has no identity, asks to become a device of one.
    #[wasm_bindgen(js_name = requestDevice)]
    pub async fn request_device(&self) -> Result<String, JsValue> {
        self.client.clone().request_device().await.map_err(to_error)
    }

    /// Adds the device that made a request; returns the text that it needs back. Without capabilities it may do everything.
    #[wasm_bindgen(js_name = addDevice)]
    pub async fn add_device(&self, request: String, capabilities: JsValue) -> Result<String, JsValue> {
        let capabilities: Option<DeviceCapabilities> = from_js(capabilities)?;
        let capabilities = capabilities.unwrap_or_else(DeviceCapabilities::full);
        self.client.clone().add_device(request, capabilities).await.map_err(to_error)
    }

    /// Whose device this becomes by accepting an answer.
    #[wasm_bindgen(js_name = readDeviceGrant)]
    pub async fn read_device_grant(&self, grant: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().read_device_grant(grant).await.map_err(to_error)?)
    }

    /// Makes this profile a device of the identity that has added it.
    #[wasm_bindgen(js_name = acceptDeviceGrant)]
    pub async fn accept_device_grant(&self, grant: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().accept_device_grant(grant).await.map_err(to_error)?)
    }

    /// Ends a device, by its key. `{ lastGood? }`: `"everything"`, `"nothing"` or `{ entry: { id } }`.
    #[wasm_bindgen(js_name = revokeDevice)]
    pub async fn revoke_device(&self, key: String, options: JsValue) -> Result<JsValue, JsValue> {
        let RevokeOptions { last_good } = from_js(options)?;
        let last_good = last_good.unwrap_or(LastGood::Everything);
        to_js(&self.client.clone().revoke_device(key, last_good).await.map_err(to_error)?)
    }

    /// Replaces the identity key. `{ phrase?, newWords?, ends? }`: the words, as long as they are not on this device.
    #[wasm_bindgen(js_name = rotateKey)]
    pub async fn rotate_key(&self, options: JsValue) -> Result<JsValue, JsValue> {
        let RotateOptions { phrase, new_words, ends } = from_js(options)?;
        let words = WordsForRotation { phrase, make_new: new_words };
        to_js(&self.client.clone().rotate_key(words, ends).await.map_err(to_error)?)
    }

    /// Gives up a name of this profile. `{ to?, kind? }`: a did or a username; `"username"` or `"module"`.
    #[wasm_bindgen(js_name = giveUpName)]
    pub async fn give_up_name(&self, name: String, options: JsValue) -> Result<JsValue, JsValue> {
        let options: NameOptions = from_js(options)?;
        let own = options.own(name);
        to_js(&self.client.clone().give_up_name(Some(own), options.to).await.map_err(to_error)?)
    }

    /// Finishes giving up a name whose hold has passed.
    #[wasm_bindgen(js_name = finishGiveUp)]
    pub async fn finish_give_up(&self, name: String, options: JsValue) -> Result<JsValue, JsValue> {
        let options: NameOptions = from_js(options)?;
        to_js(&self.client.clone().finish_give_up(options.own(name)).await.map_err(to_error)?)
    }

    /// Takes back that a name is given up, until that is final.
    pub async fn veto(&self, name: String, options: JsValue) -> Result<JsValue, JsValue> {
        let options: NameOptions = from_js(options)?;
        to_js(&self.client.clone().veto_give_up(options.own(name)).await.map_err(to_error)?)
    }
}
