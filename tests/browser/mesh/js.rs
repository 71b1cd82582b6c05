//! A peer of another make: js-libp2p in the same page, dialled and dialling.

use js_sys::{Array, Function, Promise, Reflect};
use libp2p::{Multiaddr, PeerId};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::mesh::peer::{Peer, direct_address, patient, relay};

/// A running node of js-libp2p; see `js-peer/peer.mjs`.
struct JsPeer {
    module: JsValue,
    node: JsValue,
    id: PeerId,
}

fn call(module: &JsValue, name: &str, arguments: &[JsValue]) -> JsValue {
    let function: Function = Reflect::get(module, &name.into()).expect("a module").dyn_into().expect("a function");
    function.apply(&JsValue::NULL, &arguments.iter().collect::<Array>()).expect("it does not throw")
}

async fn settled(promise: JsValue) -> JsValue {
    patient(JsFuture::from(Promise::resolve(&promise))).await.expect("it settles").expect("js-libp2p is content")
}

impl JsPeer {
    async fn at(relay: &Multiaddr) -> Self {
        let import = Function::new_with_args("url", "return import(url)");
        let module = import.call1(&JsValue::NULL, &"/target/beside/js-peer.js".into()).expect("a promise");
        let module = settled(module).await;
        let node = settled(call(&module, "start", &[relay.to_string().into()])).await;
        let id = call(&module, "name", std::slice::from_ref(&node)).as_string().expect("a name");
        Self { id: id.parse().expect("a peer's name"), module, node }
    }

    async fn exchange(&self, address: &Multiaddr, said: &str) -> String {
        let arguments = [self.node.clone(), address.to_string().into(), said.into()];
        settled(call(&self.module, "exchange", &arguments)).await.as_string().expect("a text")
    }

    fn direct(&self, peer: PeerId) -> Option<f64> {
        call(&self.module, "direct", &[self.node.clone(), peer.to_string().into()]).as_f64()
    }

    async fn stop(self) {
        settled(call(&self.module, "stop", &[self.node])).await;
    }
}

#[wasm_bindgen_test]
async fn dials_js_libp2p() {
    let relay = relay().await;
    let (alice, js) = futures::future::join(Peer::at(&relay), JsPeer::at(&relay)).await;
    alice.dial(direct_address(&relay, js.id));
    alice.until("a direct connection", |seen| seen.direct(js.id).len() == 1).await;
    alice.exchange(js.id, b"hello from rust").await;
    alice.exchange(js.id, &vec![7; 256 * 1024]).await;
    alice.until_only_directly_connected(js.id).await;
    assert_eq!(js.direct(alice.id), Some(1.0));
    let direct = alice.seen.borrow().direct(js.id)[0].id;
    alice.until("it says what it speaks", |seen| seen.identified.iter().any(|(on, _)| *on == direct)).await;
    let other = js.id;
    js.stop().await;
    alice.until("it is seen that it left", |seen| seen.direct(other).is_empty()).await;
}

#[wasm_bindgen_test]
async fn accepts_a_connection_from_js_libp2p() {
    let relay = relay().await;
    let (alice, js) = futures::future::join(Peer::at(&relay), JsPeer::at(&relay)).await;
    let said = "hello from javascript ".repeat(4096);
    assert_eq!(js.exchange(&direct_address(&relay, alice.id), &said).await, said);
    alice.until("a direct connection", |seen| seen.direct(js.id).len() == 1).await;
    assert!(alice.seen.borrow().direct(js.id)[0].endpoint.is_listener());
    // Over the connection that js dialled.
    alice.exchange(js.id, b"and back").await;
    let other = js.id;
    js.stop().await;
    alice.until("it is seen that it left", |seen| seen.direct(other).is_empty()).await;
}
