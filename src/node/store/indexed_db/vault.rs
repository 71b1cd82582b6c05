//! The seal of what is secret in a browser's database: stored under a key that no script can read out.
//!
//! ```text
//!   meta/vault   { key: CryptoKey (AES-GCM, 256 bits, not extractable), nonce, sealed }
//!                                     │ opens
//!                                     ▼
//!                sealing key (32 bytes, in memory while the database is open)
//!                                     │ XChaCha20-Poly1305, with table and key as its context
//!                                     ▼
//!   keys/*, quarantine/*   MAGIC ‖ nonce ‖ sealed value
//! ```
//!
//! The browser (W3C, Web Cryptography API) seals the sealing key once; values are sealed with that one here, since a write
//! that waits for a promise would lose its place among the other writes. A script that reads the database gets no secret
//! from it, and a value that was moved to another place does not open. It is no protection from a person who copies the
//! whole profile folder of the browser: for that there is the passphrase.
//!
//! Without a secure context a browser has no such key, and some can't store one in private windows. There is no vault then,
//! values are stored as they are, and [`Store::seals_secrets`](crate::store::Store::seals_secrets) says so.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesGcmParams, AesKeyGenParams, CryptoKey, IdbDatabase, SubtleCrypto};
use zeroize::Zeroizing;

use super::connection::{Fault, META};
use super::transaction::Transaction;
use crate::platform::Environment;
use crate::platform::browser::Browser;
use crate::platform::browser::hashing::subtle_crypto;
use crate::store::{Durability, StoreError, Table};
use gen_registry_core::sealing::{self, NONCE_BYTES, StretchedKey};

/// The key in [`META`] of the browser's key and the sealing key under it.
const VAULT: &str = "vault";
/// The beginning of a sealed value. What is stored as it is begins with a checksum.
const MAGIC: &[u8; 16] = b"gen-sealed-val-1";
/// Authenticated with every sealed value, before its table and key.
const CONTEXT: &str = "gen-registry/database/v1";
/// The algorithm of the browser's key.
const ALGORITHM: &str = "AES-GCM";
/// Bits of the browser's key.
const KEY_BITS: u16 = 256;
/// Bytes of a nonce of AES-GCM (NIST SP 800-38D, section 8.2.1).
const GCM_NONCE_BYTES: usize = 12;

/// What seals and opens the values of one database.
pub(super) struct Vault {
    key: StretchedKey,
}

impl Vault {
    /// Returns the vault of a database, made now if it has none: of two pages that make one, the first does. `read` returns
    /// what is stored in [`META`]. Returns `None` where the browser offers no such key or does not store it.
    pub(super) async fn open(
        database: &IdbDatabase,
        read: impl AsyncFn(&'static str) -> Result<Option<JsValue>, Fault>,
    ) -> Result<Option<Self>, Fault> {
        let Some(subtle) = subtle_crypto() else {
            tracing::info!("the browser keeps no keys for this page: secrets are stored as they are");
            return Ok(None);
        };
        if let Some(stored) = read(VAULT).await? {
            return Ok(open_stored(&subtle, &stored).await);
        }
        let made = match make(&subtle).await {
            Ok(made) => made,
            Err(error) => {
                tracing::warn!(?error, "the browser made no key: secrets are stored as they are");
                return Ok(None);
            }
        };
        let writing = Transaction::begin(database, [META].into(), Durability::Strict)?;
        writing.change(META, VAULT, StoreError::Taken, |stored| stored.is_none().then_some(made))?;
        match writing.finish().await {
            // Another page was faster, or a full device has no room for it, or this browser stores no keys.
            Ok(()) | Err(Fault::Store(_)) => {}
            Err(fault @ Fault::Closed) => return Err(fault),
        }
        match read(VAULT).await? {
            Some(stored) => Ok(open_stored(&subtle, &stored).await),
            None => Ok(None),
        }
    }

    /// Returns the stored form of a value.
    pub(super) fn seal(&self, table: Table, key: &str, value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        Browser.random(&mut nonce);
        let sealed = sealing::seal(&self.key, &nonce, context(table, key).as_bytes(), value);
        [MAGIC.as_slice(), &nonce, &sealed].concat()
    }

    /// Returns the value of a stored form. What was not sealed, or does not open, stays as it is: the record's own check
    /// finds a damaged one.
    pub(super) fn unseal(&self, table: Table, key: &str, stored: Vec<u8>) -> Vec<u8> {
        let opened = stored.strip_prefix(MAGIC.as_slice()).and_then(<[u8]>::split_first_chunk);
        let opened = opened
            .and_then(|(nonce, sealed)| sealing::open(&self.key, nonce, context(table, key).as_bytes(), sealed).ok());
        opened.map_or(stored, |value| value.to_vec())
    }
}

/// What a sealed value is bound to.
fn context(table: Table, key: &str) -> String {
    format!("{CONTEXT}/{}/{key}", table.name())
}

/// Makes the browser's key and a sealing key, and returns what is to be stored of them.
async fn make(subtle: &SubtleCrypto) -> Result<JsValue, JsValue> {
    let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
    let algorithm = AesKeyGenParams::new(ALGORITHM, KEY_BITS);
    let is_extractable = false;
    let made = subtle.generate_key_with_object(&algorithm, is_extractable, &usages)?;
    let key: CryptoKey = JsFuture::from(made).await?.dyn_into()?;

    let mut nonce = [0; GCM_NONCE_BYTES];
    Browser.random(&mut nonce);
    let mut sealing_key = Zeroizing::new([0; 32]);
    Browser.random(sealing_key.as_mut_slice());
    let nonce = Uint8Array::from(nonce.as_slice());
    let sealing_key = Uint8Array::from(sealing_key.as_slice());
    let sealed =
        subtle.encrypt_with_object_and_buffer_source(&AesGcmParams::new(ALGORITHM, &nonce), &key, &sealing_key)?;
    let sealed = JsFuture::from(sealed).await?;
    sealing_key.fill(0, 0, sealing_key.length());

    let stored = Object::new();
    Reflect::set(&stored, &"key".into(), &key)?;
    Reflect::set(&stored, &"nonce".into(), &nonce)?;
    Reflect::set(&stored, &"sealed".into(), &Uint8Array::new(&sealed))?;
    Ok(stored.into())
}

/// Opens a stored vault; `None`, and a word in the log, if it does not open.
async fn open_stored(subtle: &SubtleCrypto, stored: &JsValue) -> Option<Vault> {
    let opening = async {
        let key: CryptoKey = Reflect::get(stored, &"key".into())?.dyn_into()?;
        let nonce: Uint8Array = Reflect::get(stored, &"nonce".into())?.dyn_into()?;
        let sealed: Uint8Array = Reflect::get(stored, &"sealed".into())?.dyn_into()?;
        let params = AesGcmParams::new(ALGORITHM, &nonce);
        let opened = subtle.decrypt_with_object_and_buffer_source(&params, &key, &sealed)?;
        Ok::<_, JsValue>(Uint8Array::new(&JsFuture::from(opened).await?))
    };
    match opening.await {
        Ok(opened) if opened.length() == 32 => {
            let mut key = Zeroizing::new([0; 32]);
            opened.copy_to(key.as_mut_slice());
            opened.fill(0, 0, opened.length());
            Some(Vault { key })
        }
        Ok(_) => {
            tracing::error!("the sealing key of this database has another length");
            None
        }
        Err(error) => {
            tracing::error!(?error, "the sealing key of this database does not open");
            None
        }
    }
}
