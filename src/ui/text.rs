//! Numbers in the reader's language, and the texts of [`crate::model::text`] with such numbers in them.

use js_sys::{Array, Intl, Object};
use wasm_bindgen::JsValue;

use crate::model;
pub use crate::model::text::{format_size, shorten_did, shorten_node};

/// A whole number with the browser's separators.
pub fn format_number(value: u64) -> String {
    let format = Intl::NumberFormat::new(&Array::new(), &Object::new()).format();
    format
        .call1(&JsValue::UNDEFINED, &JsValue::from_f64(value as f64))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_else(|| value.to_string())
}

/// “1 name”, “2 names”.
pub fn format_count(value: u64, one: &str, many: &str) -> String {
    model::text::format_count(value, one, many, format_number)
}

/// What an answer rests on. `registries` counts other people's.
pub fn format_basis(records: u64, registries: u64) -> String {
    model::text::format_basis(records, registries, format_number)
}

/// “7 minutes”, “3 hours”, “12 days”: a time to the nearest whole.
pub fn format_duration(millis: u64) -> String {
    model::text::format_duration(millis, format_number)
}
