//! What the measuring script calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::Digest;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::blocks::{Pin, Progress};
use gen_registry_node::network::NetworkParameters;
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::browser::Browser;
use gen_registry_node::store::indexed_db::IndexedDb;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

thread_local! {
    static NODE: RefCell<Option<Rc<Node>>> = const { RefCell::new(None) };
}

fn node() -> Rc<Node> {
    NODE.with_borrow(std::clone::Clone::clone).expect("join comes first")
}

fn failed(error: impl std::fmt::Display) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

/// Takes part in the network that a server names in `/network.json`.
#[wasm_bindgen]
pub async fn join(parameters: String) -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    let store = IndexedDb::open("bench-blocks", |_| {}).await.map_err(failed)?;
    let parameters: NetworkParameters = serde_json::from_str(&parameters).map_err(failed)?;
    let network = Network::try_from(&parameters).map_err(failed)?;
    let node = Rc::new(Node::start(Rc::new(store), Rc::new(Browser), network).await.map_err(failed)?);
    let peering = Peering::open(node.clone()).await.map_err(failed)?;
    spawn_local(peering.run());
    NODE.set(Some(node));
    Ok(())
}

/// Keeps a file; what it is called.
#[wasm_bindgen]
pub async fn keep_file(bytes: Vec<u8>) -> Result<String, JsValue> {
    let artifact = node().content().keep_artifact(&bytes, Pin::Own).await.map_err(failed)?;
    let blocks: Vec<String> = artifact.blocks.iter().map(Digest::to_string).collect();
    Ok(format!("{} {} {}", artifact.sha256, artifact.size, blocks.join(" ")))
}

/// Fetches a file: milliseconds until its first block was here and stored, its last one, and all was checked.
#[wasm_bindgen]
pub async fn fetch_file(name: String) -> Result<Vec<f64>, JsValue> {
    let words: Vec<&str> = name.split(' ').collect();
    let [sha256, size, blocks @ ..] = &words[..] else { return Err(failed("not a file's name")) };
    let artifact = Artifact {
        sha256: sha256.parse().map_err(failed)?,
        size: size.parse().map_err(failed)?,
        blocks: blocks.iter().map(|block| block.parse()).collect::<Result<_, _>>().map_err(failed)?,
    };
    let clock = web_sys::window().and_then(|window| window.performance()).expect("a page has a clock");
    let began = clock.now();
    let (first, last) = (Cell::new(0.0), Cell::new(0.0));
    let progress = |Progress { done, .. }: Progress| {
        if done > 0 && first.get() == 0.0 {
            first.set(clock.now() - began);
        }
        last.set(clock.now() - began);
    };
    node().content().fetch(&artifact, progress).await.map_err(failed)?;
    Ok(vec![first.get(), last.get(), clock.now() - began])
}
