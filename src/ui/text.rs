//! Numbers, counts and identifiers as people read them.

use js_sys::{Array, Intl, Object};
use wasm_bindgen::JsValue;

pub fn number(value: u64) -> String {
    let format = Intl::NumberFormat::new(&Array::new(), &Object::new()).format();
    format
        .call1(&JsValue::UNDEFINED, &JsValue::from_f64(value as f64))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_else(|| value.to_string())
}

/// “1 name”, “2 names”.
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// What an answer rests on. `registries` counts other people's.
pub fn basis(records: u64, registries: u64) -> String {
    match registries {
        0 => format!("{} known on this device", count(records, "name", "names")),
        _ => format!("{} from {}", count(records, "name", "names"), count(registries, "registry", "registries")),
    }
}

/// “7 minutes”, “3 hours”, “12 days”: a time to the nearest whole.
pub fn span(millis: u64) -> String {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let rounded = |unit: u64| (millis + unit / 2) / unit;
    match millis {
        0..HOUR => count(rounded(MINUTE), "minute", "minutes"),
        HOUR..DAY => count(rounded(HOUR), "hour", "hours"),
        _ => count(rounded(DAY), "day", "days"),
    }
}

pub fn size(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    let bytes = bytes as f64;
    if bytes < STEP {
        format!("{bytes} bytes")
    } else if bytes < STEP * STEP {
        format!("{:.0} KiB", bytes / STEP)
    } else if bytes < STEP * STEP * STEP {
        format!("{:.1} MiB", bytes / STEP / STEP)
    } else {
        format!("{:.1} GiB", bytes / STEP / STEP / STEP)
    }
}

/// The two ends of a long identifier.
pub fn shortened(did: &str) -> String {
    let key = did.strip_prefix("did:key:").unwrap_or(did);
    let letters: Vec<char> = key.chars().collect();
    if letters.len() <= 16 {
        return did.to_owned();
    }
    let start: String = letters.iter().take(8).collect();
    let end: String = letters.iter().skip(letters.len() - 6).collect();
    format!("did:key:{start}…{end}")
}

/// The end of a node's name: all begin alike.
pub fn node(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let end: String = letters.iter().skip(letters.len().saturating_sub(8)).collect();
    format!("…{end}")
}
