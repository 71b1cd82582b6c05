//! The handle on the node: sends commands, and waits for the passphrase when the key is locked.

use leptos::prelude::*;

use super::lock_gate::{LockGate, guard};
use gen_registry_api::client::Client;

/// Commands through it ask for the passphrase and try again when the key is locked.
#[derive(Clone, Copy)]
pub struct NodeAccess {
    client: StoredValue<Client, LocalStorage>,
    /// Where commands wait for the passphrase; the unlock dialog opens it.
    pub gate: LockGate,
}

impl NodeAccess {
    /// Puts a gate before the client.
    pub fn new(client: Client) -> Self {
        let gate = LockGate::new();
        Self { client: StoredValue::new_local(guard(gate, client)), gate }
    }

    /// A handle that may be moved into a task.
    pub fn client(self) -> Client {
        self.client.get_value()
    }
}
