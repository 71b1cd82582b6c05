//! The limits with which a page of a build for tests starts: `globalThis.genRegistryLimits`, where it is set.
//!
//! Only builds with debug assertions have this file. What people get has `usual_limits.rs` in its place, whatever a script
//! says.

use js_sys::Reflect;

use gen_registry_core::node_limits::NodeLimits;

/// The property of the global object.
const NAME: &str = "genRegistryLimits";

/// Returns the limits that a test gave, or the usual ones. Unreadable ones are an error of the test, which must not pass
/// by accident.
pub fn limits() -> NodeLimits {
    let given = Reflect::get(&js_sys::global(), &NAME.into()).unwrap_or_default();
    if given.is_undefined() {
        return NodeLimits::default();
    }
    serde_wasm_bindgen::from_value(given).unwrap_or_else(|error| panic!("{NAME}: {error}"))
}
