//! What the page's own server says about the network. It may be away; then nothing is said.

use futures::future::{Either, select};
use gloo::timers::future::TimeoutFuture;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

const PATH: &str = "/network.json";
/// A server that is not there is known at once; one that hangs must not keep a person from their registry.
const PATIENCE_MILLIS: u32 = 2_500;

/// None when nothing, or nothing readable, came in time.
pub async fn fetch<T: DeserializeOwned>() -> Option<T> {
    let asking = Box::pin(ask());
    match select(asking, TimeoutFuture::new(PATIENCE_MILLIS)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            tracing::info!("the server says nothing about the network in time");
            None
        }
    }
}

async fn ask<T: DeserializeOwned>() -> Option<T> {
    let window = web_sys::window()?;
    let response: Response = JsFuture::from(window.fetch_with_str(PATH)).await.ok()?.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let json = JsFuture::from(response.json().ok()?).await.ok()?;
    serde_wasm_bindgen::from_value(json).map_err(|error| tracing::warn!(%error, "unreadable parameters")).ok()
}
