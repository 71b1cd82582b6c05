//! The part of the JavaScript API that is about modules.

use std::collections::BTreeMap;

use js_sys::{Array, BigInt, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::{GenRegistry, from_js, to_error, to_js};
use gen_registry_api::*;

/// The default limit of `listModules`.
const LIST_LIMIT: u32 = 50;

/// `{ crc32: "^1" }`, or a list of `{ name, requirement }`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Requirements {
    ByName(BTreeMap<String, String>),
    List(Vec<Requirement>),
}

impl Default for Requirements {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl From<Requirements> for Vec<Requirement> {
    fn from(requirements: Requirements) -> Self {
        match requirements {
            Requirements::List(list) => list,
            Requirements::ByName(map) => {
                map.into_iter().map(|(name, requirement)| Requirement { name, requirement }).collect()
            }
        }
    }
}

/// The argument of `publish`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Draft {
    name: String,
    version: String,
    wasm: serde_bytes::ByteBuf,
    dependencies: Requirements,
    #[serde(flatten)]
    details: ModulePatch,
}

/// The argument of `listModules`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ModuleListOptions {
    filters: ModuleFilter,
    sort: ModuleSort,
    limit: Option<u32>,
    cursor: Option<u32>,
}

/// The argument of `search`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SearchOptions {
    filters: ModuleFilter,
    sort: Option<ModuleSort>,
    limit: Option<u32>,
    cursor: Option<u32>,
}

/// The argument of `install` and `importLockfile`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InstallOptions {
    /// Modules whose new imports are accepted; `*` for all.
    accept: Vec<String>,
}

/// The argument of `run`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RunOptions {
    text_result: bool,
}

#[wasm_bindgen]
impl GenRegistry {
    /// What can be said of a file without running it. Nothing is kept.
    #[wasm_bindgen(js_name = validateModule)]
    pub async fn validate_module(&self, bytes: Uint8Array) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().validate_module(bytes.to_vec()).await.map_err(to_error)?)
    }

    /// Signs and keeps a release. There is no way back.
    pub async fn publish(&self, draft: JsValue) -> Result<JsValue, JsValue> {
        let Draft { name, version, wasm, dependencies, details } = from_js(draft)?;
        let wasm = wasm.into_vec();
        let draft = Box::new(PublishDraft { name, version, wasm, dependencies: dependencies.into(), details });
        to_js(&self.client.clone().publish(draft).await.map_err(to_error)?)
    }

    /// Changes the description of an own module.
    #[wasm_bindgen(js_name = describeModule)]
    pub async fn describe_module(&self, name: String, changes: JsValue) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().describe_module(name, from_js(changes)?).await.map_err(to_error)?)
    }

    /// Withdraws a version; without a reason, takes that back.
    pub async fn yank(&self, name: String, version: String, reason: Option<String>) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().yank(name, version, reason).await.map_err(to_error)?)
    }

    /// A module's page, or null when it is unknown here.
    #[wasm_bindgen(js_name = getModule)]
    pub async fn get_module(&self, name: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().module_page(name).await.map_err(to_error)?)
    }

    /// Returns a page of the list of modules.
    #[wasm_bindgen(js_name = listModules)]
    pub async fn list_modules(&self, options: JsValue) -> Result<JsValue, JsValue> {
        let ModuleListOptions { filters, sort, limit, cursor } = from_js(options)?;
        let limit = limit.unwrap_or(LIST_LIMIT);
        to_js(&self.client.clone().list_modules(filters, sort, limit, cursor).await.map_err(to_error)?)
    }

    /// Modules by free text, best first, and people whose names begin with it.
    pub async fn search(&self, query: String, options: JsValue) -> Result<JsValue, JsValue> {
        let SearchOptions { filters, sort, limit, cursor } = from_js(options)?;
        let (sort, limit) = (sort.unwrap_or(ModuleSort::Relevance), limit.unwrap_or(LIST_LIMIT));
        to_js(&self.client.clone().search(query, filters, sort, limit, cursor).await.map_err(to_error)?)
    }

    /// As `search`, and asks connected peers, which see the question.
    #[wasm_bindgen(js_name = searchNetwork)]
    pub async fn search_network(&self, query: String, options: JsValue) -> Result<JsValue, JsValue> {
        let SearchOptions { filters, sort, limit, .. } = from_js(options)?;
        let (sort, limit) = (sort.unwrap_or(ModuleSort::Relevance), limit.unwrap_or(LIST_LIMIT));
        to_js(&*self.client.clone().search_network(query, filters, sort, limit).await.map_err(to_error)?)
    }

    /// One to five stars; null takes the rating back.
    pub async fn rate(&self, name: String, stars: Option<u8>, review: Option<String>) -> Result<JsValue, JsValue> {
        let review = review.unwrap_or_default();
        to_js(&self.client.clone().rate_module(name, stars, review).await.map_err(to_error)?)
    }

    /// What installing would come to. Nothing is fetched.
    pub async fn resolve(&self, requirements: JsValue) -> Result<JsValue, JsValue> {
        let requirements: Requirements = from_js(requirements)?;
        to_js(&self.client.clone().resolve_modules(requirements.into()).await.map_err(to_error)?)
    }

    /// Installs a module and what it needs.
    pub async fn install(
        &self,
        name: String,
        requirement: Option<String>,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let InstallOptions { accept } = from_js(options)?;
        let requirements = vec![Requirement { name, requirement: requirement.unwrap_or_else(|| "*".to_owned()) }];
        to_js(&self.client.clone().install_modules(requirements, accept).await.map_err(to_error)?)
    }

    /// Removes a module and what only it needed.
    pub async fn uninstall(&self, name: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().uninstall_module(name).await.map_err(to_error)?)
    }

    /// Returns every installed module.
    #[wasm_bindgen(js_name = listInstalled)]
    pub async fn list_installed(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().installed_modules().await.map_err(to_error)?)
    }

    /// Returns the bytes of a version on this device.
    #[wasm_bindgen(js_name = readModule)]
    pub async fn read_module(&self, name: String, version: String) -> Result<Uint8Array, JsValue> {
        let bytes = self.client.clone().read_module(name, version).await.map_err(to_error)?;
        Ok(Uint8Array::from(bytes.as_slice()))
    }

    /// What a version that is here asks for and offers, read off its bytes.
    #[wasm_bindgen(js_name = inspectModule)]
    pub async fn inspect_module(&self, name: String, version: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().inspect_module(name, version).await.map_err(to_error)?)
    }

    /// Calls a function in a sandbox. Numbers and bigints are numbers, strings are texts.
    #[wasm_bindgen(js_name = runExport)]
    pub async fn run_export(
        &self,
        name: String,
        version: Option<String>,
        function: String,
        arguments: Array,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let RunOptions { text_result } = from_js(options)?;
        let arguments = arguments.iter().map(argument).collect();
        to_js(
            &self
                .client
                .clone()
                .run_function(name, version, function, arguments, text_result)
                .await
                .map_err(to_error)?,
        )
    }

    /// Returns every installed module and the lockfile in one zip.
    #[wasm_bindgen(js_name = exportInstalled)]
    pub async fn export_installed(&self) -> Result<Uint8Array, JsValue> {
        let bytes = self.client.clone().export_installed().await.map_err(to_error)?;
        Ok(Uint8Array::from(bytes.as_slice()))
    }

    /// Returns the lockfile as text.
    #[wasm_bindgen(js_name = exportLockfile)]
    pub async fn export_lockfile(&self) -> Result<String, JsValue> {
        self.client.clone().export_lockfile().await.map_err(to_error)
    }

    /// Installs exactly what a lockfile names.
    #[wasm_bindgen(js_name = importLockfile)]
    pub async fn import_lockfile(&self, text: String, options: JsValue) -> Result<JsValue, JsValue> {
        let InstallOptions { accept } = from_js(options)?;
        to_js(&self.client.clone().import_lockfile(text, accept).await.map_err(to_error)?)
    }
}

/// A JavaScript value as an argument of a module's function: a number as its digits, anything else as a text.
fn argument(value: JsValue) -> RunArgument {
    match value.as_string() {
        Some(text) => RunArgument::Text(text),
        None => {
            let number = value.dyn_ref::<BigInt>().and_then(|number| number.to_string(10).ok());
            let text = number.map(String::from).or_else(|| value.as_f64().map(|number| number.to_string()));
            RunArgument::Number(text.unwrap_or_default())
        }
    }
}
