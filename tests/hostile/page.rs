//! The entry in a page: the act is in the address, the state in `globalThis.hostile`.

use std::rc::Rc;
use std::time::Duration;

use futures::future::select;
use futures::pin_mut;
use futures_timer::Delay;
use gen_registry_core::actors::Device;
use gen_registry_core::time::Timestamp;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::UrlSearchParams;

use crate::acts::ACTS;
use crate::crowd::Crowd;
use crate::floods::FLOODS;
use crate::peer::{Mallory, Side, Victim, sent};
use crate::siege::{Tally, besiege};

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
        if name == "siege" {
            let number = |what: &str| asked(what).parse::<usize>().expect("a number");
            let crowd = Crowd::new("crowd".to_owned(), number("crowd"));
            return hold_siege(victim, crowd, number("count"), Duration::from_secs(number("seconds") as u64)).await;
        }
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

/// Says every second how far it is.
async fn hold_siege(victim: Victim, crowd: Crowd, peers: usize, duration: Duration) {
    let tally = Rc::<Tally>::default();
    let said = tally.clone();
    let saying = async move {
        loop {
            say("siege", &said.text().into());
            Delay::new(Duration::from_secs(1)).await;
        }
    };
    let besieging = besiege(victim, crowd, peers, duration, tally.clone());
    pin_mut!(saying, besieging);
    select(saying, besieging).await;
    say("siege", &tally.text().into());
    say("state", &"done".into());
}

/// The 64 bytes of each of these identities of a crowd, as the server has them.
pub(crate) async fn crowd_bytes(place: &str, from: usize, count: usize) -> Vec<u8> {
    bytes_at(&format!("/{place}/names?from={from}&count={count}")).await
}

/// The entry of each of these.
pub(crate) async fn crowd_entries(place: &str, numbers: &[usize]) -> Vec<Vec<u8>> {
    if numbers.is_empty() {
        return Vec::new();
    }
    let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    let bytes = bytes_at(&format!("/{place}/entries?numbers={}", list.join(","))).await;
    bytes.chunks_exact(bytes.len() / numbers.len()).map(<[u8]>::to_vec).collect()
}

async fn bytes_at(path: &str) -> Vec<u8> {
    let global = js_sys::global();
    let fetch: Function = Reflect::get(&global, &"crowdBytes".into()).expect("a global object").into();
    let fetched: Promise = fetch.call1(&JsValue::NULL, &path.into()).expect("a function").into();
    Uint8Array::new(&JsFuture::from(fetched).await.expect("the server has the crowd")).to_vec()
}

fn say(what: &str, value: &JsValue) {
    let global = js_sys::global();
    let hostile = js_sys::Reflect::get(&global, &"hostile".into()).expect("the global object");
    let hostile = if hostile.is_undefined() { js_sys::Object::new().into() } else { hostile };
    js_sys::Reflect::set(&hostile, &what.into(), value).expect("a plain object");
    js_sys::Reflect::set(&global, &"hostile".into(), &hostile).expect("the global object");
}
