//! Statistics of open direct connections, from the browser.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::Reflect;
use libp2p::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::connection::{Connection, Watch};
use crate::net::path::{KINDS, Stat, path_of};
use gen_registry_api::ConnectionPath;

/// Weak references to the connections of each peer, the oldest first.
type Watches = HashMap<PeerId, Vec<Watch>>;

/// The open direct connections to each peer.
#[derive(Clone)]
pub struct Paths(SendWrapper<Rc<RefCell<Watches>>>);

impl Default for Paths {
    fn default() -> Self {
        Self(SendWrapper::new(Rc::default()))
    }
}

impl Paths {
    /// Adds a connection; forgets those that have ended.
    pub fn add(&self, peer: PeerId, connection: &Connection) {
        let mut all = self.0.borrow_mut();
        all.retain(|_, watches| {
            watches.retain(|watch| watch.peer().is_some());
            !watches.is_empty()
        });
        all.entry(peer).or_default().push(connection.watched());
    }

    /// Returns the path of the newest connection to a peer, or `None` without one, or where the browser reports
    /// nothing.
    pub async fn measure(&self, peer: PeerId) -> Option<ConnectionPath> {
        // The newest one: an older one is about to be closed.
        let connection = self.0.borrow().get(&peer)?.iter().rev().find_map(Watch::peer)?;
        let report = JsFuture::from(connection.get_stats()).await.ok()?;
        path_of(&entries(&report))
    }
}

/// Returns the entries of the used kinds from pairs of id and entry.
fn entries(report: &JsValue) -> Vec<Stat> {
    let Ok(Some(pairs)) = js_sys::try_iter(report) else { return Vec::new() };
    let is_used = |entry: &JsValue| {
        let kind = Reflect::get(entry, &"type".into()).ok().and_then(|kind| kind.as_string());
        kind.is_some_and(|kind| KINDS.contains(&kind.as_str()))
    };
    pairs
        .filter_map(Result::ok)
        .filter_map(|pair| Reflect::get_u32(&pair, 1).ok())
        .filter(is_used)
        .filter_map(|entry| serde_wasm_bindgen::from_value(entry).ok())
        .collect()
}
