//! Times as people say them, in the browser's own language.

use js_sys::{Array, Date, Intl, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::dom;
use crate::model::time::{RelativeTime, relative_time};

/// A time as the browser has it.
fn date(at: u64) -> Date {
    Date::new(&JsValue::from_f64(at as f64))
}

/// Writes a time in the reader's language. Empty if the browser refuses the options.
fn format(at: u64, options: &[(&str, &str)]) -> String {
    let object = Object::new();
    for (key, value) in options {
        // A plain object takes every key.
        let _set = Reflect::set(&object, &(*key).into(), &(*value).into());
    }
    let format = Intl::DateTimeFormat::new(&Array::new(), &object).format();
    format.call1(&JsValue::UNDEFINED, &date(at)).ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// “2026-11-04T10:12:00.000Z”, for programs.
pub fn format_iso(at: u64) -> String {
    String::from(date(at).to_iso_string())
}

/// “4 November 2026 at 10:12”.
pub fn format_exact(at: u64) -> String {
    format(at, &[("dateStyle", "long"), ("timeStyle", "medium")])
}

/// “4 November 2026”.
pub fn format_day(at: u64) -> String {
    format(at, &[("dateStyle", "long")])
}

/// “10:12”.
pub fn format_clock(at: u64) -> String {
    format(at, &[("timeStyle", "short")])
}

/// “just now”, “40 s ago”, “3 min ago”: for what changes while it is looked at.
pub fn format_age(at: u64) -> String {
    crate::model::time::format_age(dom::now(), at)
}

/// “3 minutes ago”, “in 30 days”; for anything older than a month, the day.
pub fn format_relative(at: u64) -> String {
    match relative_time(dom::now(), at) {
        RelativeTime::JustNow => "just now".to_owned(),
        RelativeTime::Date => format_day(at),
        RelativeTime::Distance(value, unit) => {
            let options = Object::new();
            let _set = Reflect::set(&options, &"numeric".into(), &"auto".into());
            let format = Intl::RelativeTimeFormat::new(&Array::new(), &options);
            String::from(format.format(value, unit.key()))
        }
    }
}
