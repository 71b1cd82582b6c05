//! The part of the JavaScript API that is about who is online and about channels.

use serde::Deserialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::{GenRegistry, from_js, to_error, to_js};

/// The default limit of `getMessages`.
const MESSAGES_LIMIT: u32 = 50;

/// The argument of `getMessages`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MessagesOptions {
    before: Option<String>,
    limit: Option<u32>,
}

#[wasm_bindgen]
impl GenRegistry {
    /// Shows this profile as online. Resolves to the people online.
    #[wasm_bindgen(js_name = registerUser)]
    pub async fn register_user(&self, username: Option<String>) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().register_user(username).await.map_err(to_error)?)
    }

    /// Announces to others that this device leaves.
    #[wasm_bindgen(js_name = unregisterUser)]
    pub async fn unregister_user(&self, username: Option<String>) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().unregister_user(username).await.map_err(to_error)?)
    }

    /// Everybody who is online, with their devices and channels.
    #[wasm_bindgen(js_name = getUsers)]
    pub async fn get_users(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().online_users().await.map_err(to_error)?.users)
    }

    /// Whether others see this profile (`visible`), the setting (`invisible`), and everybody who is online.
    #[wasm_bindgen(js_name = getPresence)]
    pub async fn get_presence(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().online_users().await.map_err(to_error)?)
    }

    /// Hides this device from others, also after the next start.
    #[wasm_bindgen(js_name = setInvisible)]
    pub async fn set_invisible(&self, invisible: bool) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().set_invisible(invisible).await.map_err(to_error)?)
    }

    /// `joinChannel("#general")`, or `joinChannel("alice", "#general")`.
    #[wasm_bindgen(js_name = joinChannel)]
    pub async fn join_channel(&self, first: String, second: Option<String>) -> Result<JsValue, JsValue> {
        let (username, channel) = user_and_channel(first, second);
        to_js(&self.client.clone().join_channel(username, channel).await.map_err(to_error)?)
    }

    /// Leaves a channel; its messages leave this device.
    #[wasm_bindgen(js_name = leaveChannel)]
    pub async fn leave_channel(&self, first: String, second: Option<String>) -> Result<JsValue, JsValue> {
        let (username, channel) = user_and_channel(first, second);
        to_js(&self.client.clone().leave_channel(username, channel).await.map_err(to_error)?)
    }

    /// The people in a channel; an empty list for an unknown one.
    #[wasm_bindgen(js_name = getChannelUsers)]
    pub async fn get_channel_users(&self, channel: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().channel_users(channel).await.map_err(to_error)?)
    }

    /// Returns every known channel.
    #[wasm_bindgen(js_name = listChannels)]
    pub async fn list_channels(&self) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().channels().await.map_err(to_error)?)
    }

    /// Posts a message.
    pub async fn say(&self, channel: String, text: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().say(channel, text).await.map_err(to_error)?)
    }

    /// The last messages, or with `{ before }` those before, oldest first.
    #[wasm_bindgen(js_name = getMessages)]
    pub async fn get_messages(&self, channel: String, options: JsValue) -> Result<JsValue, JsValue> {
        let MessagesOptions { before, limit } = from_js(options)?;
        let limit = limit.unwrap_or(MESSAGES_LIMIT);
        to_js(&self.client.clone().messages(channel, before, limit).await.map_err(to_error)?)
    }

    /// Sets what a channel is about; an empty text takes it away.
    #[wasm_bindgen(js_name = setTopicLine)]
    pub async fn set_topic_line(&self, channel: String, text: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().set_topic_line(channel, text).await.map_err(to_error)?)
    }

    /// Mutes a channel, or ends that.
    #[wasm_bindgen(js_name = muteChannel)]
    pub async fn mute_channel(&self, channel: String, muted: Option<bool>) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().mute_channel(channel, muted.unwrap_or(true)).await.map_err(to_error)?)
    }

    /// Everything in it has been read.
    #[wasm_bindgen(js_name = markChannelRead)]
    pub async fn mark_channel_read(&self, channel: String) -> Result<JsValue, JsValue> {
        to_js(&self.client.clone().mark_read(channel).await.map_err(to_error)?)
    }
}

/// Splits the arguments of a function that takes a channel, or a user and a channel.
fn user_and_channel(first: String, second: Option<String>) -> (Option<String>, String) {
    match second {
        Some(channel) => (Some(first), channel),
        None => (None, first),
    }
}
