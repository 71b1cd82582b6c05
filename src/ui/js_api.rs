//! The JavaScript API, `globalThis.genRegistry`, for scripts and embedders; described in `public/gen-registry.d.ts`.
//!
//! Uses the same boundary as the page: turns arguments into commands and answers into plain objects.
//! Errors are `Error` objects with a stable `code` and an `advice`.

mod block_list;
mod chat;
mod devices;
mod find;
mod modules;
mod notices;

use js_sys::{Array, Error, Function, Object, Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::app_state::backup_gate::{self, BackupGate};
use crate::model::sentences::explain;
use gen_registry_api::client::Client;
use gen_registry_api::*;

/// The default limit of `listAllUsernames`.
const LIST_LIMIT: u32 = 500;

/// Makes the API available to scripts and fires the event that it is ready.
pub(crate) fn install(client: Client, backup_gate: BackupGate) {
    let api = JsValue::from(GenRegistry { client, backup_gate });
    let installed = Reflect::set(&js_sys::global(), &"genRegistry".into(), &api);
    let told = web_sys::Event::new("gen-registry-ready")
        .and_then(|event| web_sys::window().map_or(Ok(true), |window| window.dispatch_event(&event)));
    if let Err(error) = installed.and(told) {
        tracing::error!(?error, "the JavaScript API could not be installed");
    }
}

/// The object that scripts call. Its methods are described in `public/gen-registry.d.ts`.
#[wasm_bindgen]
pub struct GenRegistry {
    client: Client,
    backup_gate: BackupGate,
}

/// The argument of `listAllUsernames`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct UsernameListOptions {
    prefix: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The argument of `getStatistics`.
#[derive(Deserialize)]
#[serde(default)]
struct StatisticsOptions {
    days: u32,
}

impl Default for StatisticsOptions {
    fn default() -> Self {
        Self { days: 30 }
    }
}

/// A change of profile may carry a new username.
#[derive(Default, Deserialize)]
#[serde(default)]
struct UserData {
    username: Option<String>,
    #[serde(flatten)]
    changes: ProfileChanges,
}

/// A looked-up person; `redirectedFrom` when the name was given up and its owner goes by another one now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LookedUp {
    #[serde(flatten)]
    entry: UsernameEntry,
    redirected_from: Option<String>,
    answered_by: Option<AnsweredBy>,
}

#[wasm_bindgen]
impl GenRegistry {
    /// Resolves once the registry answers.
    pub async fn ready(&self) -> Result<(), JsValue> {
        self.client.clone().who_am_i().await.map(drop).map_err(to_error)
    }

    /// A sentence for a reason that an answer holds as a code.
    pub fn explain(&self, reason: JsValue) -> Result<String, JsValue> {
        serde_wasm_bindgen::from_value(reason).map(explain).map_err(|error| to_error(bad_argument(&error)))
    }

    /// Returns this profile.
    pub async fn whoami(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().who_am_i().await.map_err(to_error)?)
    }

    /// True when the name is now this profile's, false when it is taken.
    #[wasm_bindgen(js_name = registerUsername)]
    pub async fn register_username(&self, name: String, user_data: JsValue) -> Result<bool, JsValue> {
        let data: UserData = from_js(user_data)?;
        match self.client.clone().register_username(name, data.changes).await {
            Ok(_) => Ok(true),
            Err(Failure { code: FailureCode::NameTaken | FailureCode::NameCoolingDown, .. }) => Ok(false),
            Err(failure) => Err(to_error(failure)),
        }
    }

    /// Returns the holder of a name, or `null`. A name that is confirmed for several people is not free.
    #[wasm_bindgen(js_name = lookupUsername)]
    pub async fn lookup_username(&self, name: String) -> Result<JsValue, JsValue> {
        let report = self.client.clone().lookup_username(name).await.map_err(to_error)?;
        if report.is_split() {
            return Err(to_error(Failure::new(
                FailureCode::NameContested,
                format!(
                    "The network's witnesses confirmed {} for several people, so nobody holds it here.",
                    report.asked
                ),
                "Ask the people you trust whose it was before. The network's operators can settle it.",
            )));
        }
        let redirected_from = report.holder.is_none().then_some(report.asked);
        let answered_by = report.answered_by;
        match report.holder.or(report.redirect) {
            Some(entry) => to_js(&LookedUp { entry, redirected_from, answered_by }),
            None => Ok(JsValue::NULL),
        }
    }

    /// An array of people with two more properties: `cursor` for the next call, and `total`.
    #[wasm_bindgen(js_name = listAllUsernames)]
    pub async fn list_all_usernames(&self, options: JsValue) -> Result<JsValue, JsValue> {
        let UsernameListOptions { prefix, limit, cursor } = from_js(options)?;
        let limit = limit.unwrap_or(LIST_LIMIT);
        let page = self.client.clone().list_usernames(prefix, limit, cursor).await.map_err(to_error)?;
        let people: Array = page.people.iter().map(to_js).collect::<Result<_, _>>()?;
        let cursor = page.cursor.map_or(JsValue::NULL, JsValue::from);
        Reflect::set(&people, &"cursor".into(), &cursor)?;
        Reflect::set(&people, &"total".into(), &JsValue::from_f64(page.total as f64))?;
        Ok(people.into())
    }

    /// Returns how many peers are connected.
    #[wasm_bindgen(js_name = getPeerCount)]
    pub async fn get_peer_count(&self) -> Result<f64, JsValue> {
        self.client.clone().status().await.map(|status| status.peers as f64).map_err(to_error)
    }

    /// The peers connected now.
    #[wasm_bindgen(js_name = getPeers)]
    pub async fn get_peers(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().network().await.map_err(to_error)?.peers)
    }

    /// Peers, relays and the network's parameters.
    #[wasm_bindgen(js_name = getNetwork)]
    pub async fn get_network(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().network().await.map_err(to_error)?)
    }

    /// Sums of what this device has seen. `{ days? }`: how far back, 1 to 366.
    #[wasm_bindgen(js_name = getStatistics)]
    pub async fn get_statistics(&self, options: JsValue) -> Result<JsValue, JsValue> {
        let StatisticsOptions { days } = from_js(options)?;
        to_js(&self.client.clone().statistics(days).await.map_err(to_error)?)
    }

    /// Makes the person; the answer's `lostName` says when the name was taken.
    #[wasm_bindgen(js_name = setupUser)]
    pub async fn setup_user(&self, name: Option<String>, user_data: JsValue) -> Result<JsValue, JsValue> {
        let data: UserData = from_js(user_data)?;
        to_js(&self.client.clone().setup_user(name, data.changes).await.map_err(to_error)?)
    }

    /// Changes the profile; a username in it renames.
    #[wasm_bindgen(js_name = updateProfile)]
    pub async fn update_profile(&self, changes: JsValue) -> Result<JsValue, JsValue> {
        let UserData { username, changes } = from_js(changes)?;
        let client = self.client.clone();
        if let Some(name) = username {
            client.rename(name).await.map_err(to_error)?;
        }
        if changes == ProfileChanges::default() {
            return to_js(&client.who_am_i().await.map_err(to_error)?);
        }
        to_js(&client.update_profile(changes).await.map_err(to_error)?)
    }

    /// The bytes of a picture by its CID, or null when neither this device nor a connected peer has it.
    #[wasm_bindgen(js_name = readBlock)]
    pub async fn read_block(&self, cid: String) -> Result<JsValue, JsValue> {
        let block = self.client.clone().block(cid).await.map_err(to_error)?;
        Ok(block.map_or(JsValue::NULL, |block| Uint8Array::from(block.bytes.as_slice()).into()))
    }

    /// Returns an encrypted backup file, once the person has chosen its passphrase in a dialog of the page.
    #[wasm_bindgen(js_name = exportBackup)]
    pub async fn export_backup(&self) -> Result<Uint8Array, JsValue> {
        let file = backup_gate::ask(self.backup_gate).await.map_err(to_error)?;
        Ok(Uint8Array::from(file.bytes.as_slice()))
    }

    /// Takes in a backup, or changes nothing.
    #[wasm_bindgen(js_name = importBackup)]
    pub async fn import_backup(&self, bytes: Uint8Array, passphrase: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().import_backup(bytes.to_vec(), passphrase).await.map_err(to_error)?)
    }

    /// Calls `listener` with every event; returns a function that ends it.
    pub fn subscribe(&self, listener: Function) -> JsValue {
        self.listen(listener, |_| true)
    }

    /// As `subscribe`, for events of one kind: `change`, `peer`, `conflict`, `module`, `install`, `announcement`,
    /// `presence` or `message`.
    pub fn on(&self, kind: &str, listener: Function) -> Result<JsValue, JsValue> {
        let wanted: fn(&Event) -> bool = match kind {
            "change" => |event| matches!(event, Event::MeChanged | Event::PeopleChanged { .. }),
            "peer" => |event| matches!(event, Event::NetworkChanged),
            "module" => |event| matches!(event, Event::ModulesChanged { .. }),
            "presence" => |event| matches!(event, Event::Presence { .. }),
            "message" => |event| matches!(event, Event::Message { .. }),
            "install" => |event| matches!(event, Event::Installing { .. }),
            "announcement" => |event| matches!(event, Event::Announcement { .. }),
            "conflict" => |event| matches!(event, Event::Conflict { .. } | Event::NameLost { .. }),
            _ => {
                return Err(to_error(Failure::new(
                    FailureCode::InvalidArgument,
                    format!("There are no events of the kind “{kind}”."),
                    "Listen to change, peer, conflict, module, install, announcement, presence or message.",
                )));
            }
        };
        Ok(self.listen(listener, wanted))
    }
}

impl GenRegistry {
    fn listen(&self, listener: Function, wanted: impl Fn(&Event) -> bool + 'static) -> JsValue {
        let subscription = self.client.subscribe(move |event| {
            if !wanted(event) {
                return;
            }
            let called = event_to_js(event).and_then(|event| listener.call1(&JsValue::UNDEFINED, &event));
            if let Err(error) = called {
                tracing::warn!(?error, "a script's listener failed");
            }
        });
        Closure::once_into_js(move || drop(subscription))
    }
}

/// Turns an answer into a plain object.
fn to_js<T: Serialize>(value: &T) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|error| to_error(bad_argument(&error)))
}

/// Adds the event's name as `event` beside its fields. Between tabs it is the key of the fields: an enum with its tag
/// inside is read from bytes with several times as much code.
fn event_to_js(event: &Event) -> Result<JsValue, JsValue> {
    let value = to_js(event)?;
    let (kind, rest) = if value.is_string() {
        (value, JsValue::UNDEFINED)
    } else {
        let entry = Array::from(&Object::entries(value.unchecked_ref()).get(0));
        (entry.get(0), entry.get(1))
    };
    let flat = Object::new();
    Reflect::set(&flat, &"event".into(), &kind)?;
    Ok(Object::assign(&flat, rest.unchecked_ref()).into())
}

/// Reads an argument; `undefined` and `null` are the default.
fn from_js<T: DeserializeOwned + Default>(value: JsValue) -> Result<T, JsValue> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(value).map_err(|error| to_error(bad_argument(&error)))
}

/// The failure for an argument of the wrong shape.
fn bad_argument(error: &serde_wasm_bindgen::Error) -> Failure {
    Failure::new(
        FailureCode::InvalidArgument,
        format!("An argument has not the right form: {error}."),
        "See gen-registry.d.ts for the forms.",
    )
}

/// A failure as an `Error` object with `code` and `advice`.
fn to_error(failure: Failure) -> JsValue {
    let error = Error::new(&failure.message);
    let code = serde_wasm_bindgen::to_value(&failure.code).unwrap_or(JsValue::NULL);
    for (key, value) in [("code", code), ("advice", failure.advice.into())] {
        if Reflect::set(&error, &key.into(), &value).is_err() {
            tracing::error!(key, "an error object refuses a property");
        }
    }
    error.unchecked_into()
}
