//! A command that is refused because the key is locked waits here for the passphrase and is then sent again.
//!
//! It never sees the passphrase: the unlock dialog sends it straight to the node.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use crate::app_state::gate::Gate;
use gen_registry_api::client::{Client, Listener, NodeConnection, Subscription};
use gen_registry_api::{Answer, Command, Failure, FailureCode};

/// Settled by the unlock dialog, with an answer once the key is unlocked.
pub type LockGate = Gate<()>;

/// Returns a client whose commands pass this gate.
pub fn guard(gate: LockGate, client: Client) -> Client {
    Client::new(Rc::new(GuardedLink { client, gate, listeners: RefCell::default() }))
}

/// The connection behind the gate: sends every command, and sends it again after unlocking.
struct GuardedLink {
    client: Client,
    gate: LockGate,
    /// Subscriptions of the connection behind, by the number that was handed out.
    listeners: RefCell<HashMap<u64, Subscription>>,
}

impl NodeConnection for GuardedLink {
    fn ask(&self, command: Command) -> LocalBoxFuture<'static, Result<Answer, Failure>> {
        let (client, gate) = (self.client.clone(), self.gate);
        Box::pin(async move {
            loop {
                match client.ask(command.clone()).await {
                    Err(failure) if failure.code == FailureCode::Locked => {
                        if gate.wait().await.is_none() {
                            return Err(failure);
                        }
                    }
                    outcome => return outcome,
                }
            }
        })
    }

    fn subscribe(&self, listener: Listener) -> u64 {
        let subscription = self.client.subscribe(move |event| listener(event));
        let mut listeners = self.listeners.borrow_mut();
        let id = listeners.keys().max().map_or(0, |last| last + 1);
        listeners.insert(id, subscription);
        id
    }

    fn unsubscribe(&self, id: u64) {
        self.listeners.borrow_mut().remove(&id);
    }
}
