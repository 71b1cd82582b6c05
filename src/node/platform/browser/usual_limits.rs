//! The limits with which the page that people get starts: always the same ones.

use gen_registry_core::node_limits::NodeLimits;

/// Returns the usual limits.
pub fn limits() -> NodeLimits {
    NodeLimits::default()
}
