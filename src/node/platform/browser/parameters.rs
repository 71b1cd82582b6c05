//! What the page's own server says about the network, if it can be reached: a page works without its server.

use futures::future::{Either, select};
use gloo::timers::future::TimeoutFuture;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// Where the parameters are.
const PATH: &str = "/network.json";
/// How long to wait. A server that is down is noticed at once; one that hangs must not keep a person from the registry.
const PATIENCE_MILLIS: u32 = 2_500;

/// Returns the parameters, or `None` if nothing readable arrives in time.
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

/// Fetches and decodes the parameters.
async fn ask<T: DeserializeOwned>() -> Option<T> {
    let window = web_sys::window()?;
    let response: Response = JsFuture::from(window.fetch_with_str(PATH)).await.ok()?.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let json = JsFuture::from(response.json().ok()?).await.ok()?;
    serde_wasm_bindgen::from_value(json).map_err(|error| tracing::warn!(%error, "unreadable parameters")).ok()
}
