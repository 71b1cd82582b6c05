//! The entry in a page: the act is in the address, the state in `globalThis.hostile`.

use gen_registry_core::actors::Device;
use gen_registry_core::time::Timestamp;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::UrlSearchParams;

use crate::acts::ACTS;
use crate::floods::FLOODS;
use crate::peer::{Mallory, Side, Victim, sent};

/// Runs something until the page ends.
pub(crate) fn run_beside(life: impl Future<Output = ()> + 'static) {
    spawn_local(life);
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

pub(crate) fn attack() {
    console_error_panic_hook::set_once();
    spawn_local(async {
        let search = web_sys::window().and_then(|window| window.location().search().ok()).expect("an address");
        let query = UrlSearchParams::new_with_str(&search).expect("a query");
        let asked = |what: &str| query.get(what).unwrap_or_else(|| panic!("the address names no {what}"));
        let name = asked("act");
        let relays = query.get_all("relay");
        let victim = Victim {
            peer: asked("peer").parse().expect("the victim's name"),
            topic: asked("topic").try_into().expect("a topic"),
            relays: relays
                .iter()
                .filter_map(|relay| relay.as_string())
                .map(|relay| relay.parse().expect("a relay's address"))
                .collect(),
        };
        let act = ACTS.into_iter().find(|(known, _)| *known == name);
        let flood = FLOODS.into_iter().find(|(known, _)| *known == name);
        let side = match (act, flood) {
            (Some((_, act)), _) => act.side(),
            (None, Some((_, flood))) => flood.side(),
            (None, None) => Side::Initiator,
        };
        let (mut mallory, life) = Mallory::new(victim, side);
        spawn_local(life);
        say("peer", &mallory.id.to_string().into());
        if flood.is_none_or(|(_, flood)| flood.is_direct()) {
            mallory.approach().await;
        }
        say("state", &"connected".into());
        let said = match (act, flood) {
            (Some((_, act)), _) => {
                let person = Device::of(mallory.victim.topic, &mallory.id.to_string());
                act.run_job(&mut mallory, person).await
            }
            (None, Some((_, flood))) => flood.run(&mut mallory, asked("count").parse().expect("a number")).await,
            (None, None) => panic!("no act is called {name}"),
        };
        say("said", &JsValue::from_f64(said as f64));
        say("bytes", &JsValue::from_f64(sent() as f64));
        say("state", &"done".into());
        mallory.sent_away().await;
        say("state", &"sent away".into());
        let again = mallory.is_let_in_again().await;
        say("letInAgain", &again.into());
    });
}

fn say(what: &str, value: &JsValue) {
    let global = js_sys::global();
    let hostile = js_sys::Reflect::get(&global, &"hostile".into()).expect("the global object");
    let hostile = if hostile.is_undefined() { js_sys::Object::new().into() } else { hostile };
    js_sys::Reflect::set(&hostile, &what.into(), value).expect("a plain object");
    js_sys::Reflect::set(&global, &"hostile".into(), &hostile).expect("the global object");
}
