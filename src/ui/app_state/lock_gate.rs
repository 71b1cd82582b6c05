//! A command that is refused because the key is locked waits here for the passphrase and is then sent again.
//!
//! It never sees the passphrase: the unlock dialog sends it straight to the node.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use leptos::prelude::*;

use gen_registry_api::client::{Client, Listener, NodeConnection, Subscription};
use gen_registry_api::{Answer, Command, Failure, FailureCode};

/// Cheap to copy; opened and closed by the unlock dialog.
#[derive(Clone, Copy)]
pub struct LockGate {
    /// Whether the unlock dialog is on show.
    pub is_asking: RwSignal<bool>,
    /// One sender for each command that waits; it receives whether the key was unlocked.
    waiting: StoredValue<Vec<oneshot::Sender<bool>>, LocalStorage>,
}

impl LockGate {
    /// An open gate: no command waits.
    pub fn new() -> Self {
        Self { is_asking: RwSignal::new(false), waiting: StoredValue::new_local(Vec::new()) }
    }

    /// A client whose commands pass this gate.
    pub fn guard(self, client: Client) -> Client {
        Client::new(Rc::new(GuardedLink { client, gate: self, listeners: RefCell::default() }))
    }

    /// Lets the waiting commands go on (`true`) or fail as they did (`false`).
    pub fn settle(self, unlocked: bool) {
        self.is_asking.set(false);
        let waiting = self.waiting.try_update_value(std::mem::take).unwrap_or_default();
        for sender in waiting {
            // A receiver that is gone has nothing to retry.
            let _gone = sender.send(unlocked);
        }
    }

    /// Opens the dialog and waits for what it comes to. Returns false if it was closed.
    async fn wait_for_unlock(self) -> bool {
        let (sender, receiver) = oneshot::channel();
        self.waiting.update_value(|waiting| waiting.push(sender));
        self.is_asking.set(true);
        receiver.await.unwrap_or(false)
    }
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
                        if !gate.wait_for_unlock().await {
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
