//! Times as people say them, in the browser's own language.

use js_sys::{Array, Date, Intl, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::app_state::app_state;
use crate::dom;

const SECOND: f64 = 1000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

fn date(at: u64) -> Date {
    Date::new(&JsValue::from_f64(at as f64))
}

fn formatted(at: u64, options: &[(&str, &str)]) -> String {
    let object = Object::new();
    for (key, value) in options {
        // A plain object takes every key.
        let _set = Reflect::set(&object, &(*key).into(), &(*value).into());
    }
    let format = Intl::DateTimeFormat::new(&Array::new(), &object).format();
    format.call1(&JsValue::UNDEFINED, &date(at)).ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// “4 November 2026 at 10:12”.
pub fn exact(at: u64) -> String {
    formatted(at, &[("dateStyle", "long"), ("timeStyle", "medium")])
}

/// “4 November 2026”.
pub fn day(at: u64) -> String {
    formatted(at, &[("dateStyle", "long")])
}

/// “10:12”.
pub fn clock(at: u64) -> String {
    formatted(at, &[("timeStyle", "short")])
}

/// “just now”, “40 s ago”, “3 min ago”: for what changes while it is looked at.
pub fn seen(at: u64) -> String {
    let seconds = ((dom::now() - at as f64) / SECOND).max(0.0);
    match seconds as u64 {
        0..5 => "just now".to_owned(),
        seconds @ 5..90 => format!("{seconds} s ago"),
        seconds => format!("{} min ago", seconds.div_ceil(60)),
    }
}

/// “3 minutes ago”, “in 30 days”; for anything older than a month, the day.
pub fn relative(at: u64) -> String {
    let distance = at as f64 - dom::now();
    let size = distance.abs();
    if size < 45.0 * SECOND {
        return "just now".to_owned();
    }
    if size > 45.0 * DAY {
        return day(at);
    }
    let (unit, length) = if size < HOUR {
        ("minute", MINUTE)
    } else if size < DAY {
        ("hour", HOUR)
    } else {
        ("day", DAY)
    };
    let options = Object::new();
    let _set = Reflect::set(&options, &"numeric".into(), &"auto".into());
    let format = Intl::RelativeTimeFormat::new(&Array::new(), &options);
    String::from(format.format((distance / length).round(), unit))
}

/// A `<time>` that stays true while it is looked at.
#[component]
pub fn Moment(at: u64) -> impl IntoView {
    let minute = app_state().minute;
    let machine = String::from(date(at).to_iso_string());
    view! {
        <time datetime=machine title=exact(at)>
            {move || {
                minute.track();
                relative(at)
            }}
        </time>
    }
}
