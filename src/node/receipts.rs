//! Asking witnesses for receipts of own claims, by itself.

use crate::node::Node;

impl Node {
    /// Asks for what is missing; does nothing without witnesses, without a relay, or while the key is locked.
    pub(in crate::node) async fn ask_for_receipts(&self) {}
}
