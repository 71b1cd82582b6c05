//! Hashing by the browser (Web Cryptography API), which does it on another thread and with the processor's own
//! instructions: some ten times as fast as the same in WebAssembly.

use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::SubtleCrypto;

use gen_registry_core::digest::Digest;

/// Up to this length the way to the other thread takes longer than hashing here.
const HASHED_HERE_MAX_BYTES: usize = 16 * 1024;
/// The algorithm's name in the browser.
const ALGORITHM: &str = "SHA-256";

/// Returns the browser's cryptography, which it has in a secure context only.
pub(crate) fn subtle_crypto() -> Option<SubtleCrypto> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into()).ok()?;
    Reflect::get(&crypto, &"subtle".into()).ok()?.dyn_into().ok()
}

/// Returns the SHA-256 hash, made by the browser if it can. The bytes are read before this returns.
pub(super) fn hash(bytes: &[u8]) -> LocalBoxFuture<'static, Digest> {
    if bytes.len() <= HASHED_HERE_MAX_BYTES {
        return ready(Digest::of(bytes)).boxed_local();
    }
    let begun = subtle_crypto().and_then(|subtle| {
        let copy = Uint8Array::from(bytes);
        Some((subtle.digest_with_str_and_buffer_source(ALGORITHM, &copy).ok()?, copy))
    });
    let Some((hashing, copy)) = begun else { return ready(Digest::of(bytes)).boxed_local() };
    async move {
        let hashed = JsFuture::from(hashing).await.ok().map(|hashed| Uint8Array::new(&hashed).to_vec());
        match hashed.and_then(|hash| hash.try_into().ok()) {
            Some(hash) => Digest::from_bytes(hash),
            None => Digest::of(&copy.to_vec()),
        }
    }
    .boxed_local()
}
