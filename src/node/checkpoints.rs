//! Brings documents up to the checkpoints that stand: fetches the data of others' checkpoints from peers, and writes the
//! own values again that another device's checkpoint left out.
//!
//! A checkpoint's entry only names its data. Until that is here, a person is shown as before:
//!
//! ```text
//!   an entry comes: checkpoint 3 of Alice, data of 40 KiB   her record says that the data is missing
//!        ─► its block is fetched from a connected peer       verified by its hash
//!        ─► her document is read again                       her record is of today
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;

use crate::blocks::ContentStore;
use crate::context::Context;
use crate::registry::{Registry, RegistryObserver};
use gen_registry_core::artifact::Artifact;
use gen_registry_core::keys::Did;
use gen_registry_core::name::ModuleName;

/// When data that no connected peer had is asked for again.
const RETRY_EVERY: Duration = Duration::from_secs(30);

/// The service that completes documents.
pub(crate) struct Checkpoints {
    context: Rc<Context>,
    registry: Rc<Registry>,
    content: Rc<ContentStore>,
    /// Wakes the task, once it runs.
    wake: RefCell<Option<mpsc::Sender<()>>>,
}

impl RegistryObserver for Checkpoints {
    fn names_changed(&self, _modules: &BTreeSet<ModuleName>, people: &BTreeSet<Did>) {
        let read_model = self.registry.read_model();
        let is_missing = |did: &Did| read_model.person(did).is_some_and(|person| person.missing.is_some());
        if people.iter().any(is_missing) {
            self.wake();
        }
    }

    fn own_document_changed(&self) {
        self.wake();
    }
}

impl Checkpoints {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, registry: Rc<Registry>, content: Rc<ContentStore>) -> Self {
        Self { context, registry, content, wake: RefCell::default() }
    }

    fn wake(&self) {
        if let Some(wake) = &mut *self.wake.borrow_mut() {
            // Full: the task is awake already.
            wake.try_send(()).ok();
        }
    }

    /// Completes documents for as long as the node is part of its network. Never returns.
    pub(crate) async fn run(self: Rc<Self>) {
        let (wake, mut woken) = mpsc::channel(0);
        *self.wake.borrow_mut() = Some(wake);
        loop {
            if let Err(failure) = self.registry.write_lost().await {
                tracing::warn!(code = ?failure.code, "what another device's checkpoint left out is not written again yet");
            }
            let mut has_completed = false;
            for (did, data) in self.missing() {
                has_completed |= self.complete(did, &data).await;
            }
            // One of them may be the own document, which now shows what was left out.
            if has_completed {
                continue;
            }
            select! {
                _ = woken.next() => {}
                () = Delay::new(RETRY_EVERY).fuse() => {}
            }
        }
    }

    /// The data that is missing, and whose.
    fn missing(&self) -> Vec<(Did, Artifact)> {
        let read_model = self.registry.read_model();
        read_model.people().filter_map(|person| Some((person.did, person.missing.clone()?))).collect()
    }

    /// Fetches data and reads the document again. Returns whether it is complete.
    async fn complete(&self, did: Did, data: &Artifact) -> bool {
        if let Err(error) = self.content.fetch_data(data).await {
            tracing::debug!(%error, "the data of a checkpoint is not to be had now");
            return false;
        }
        if let Err(error) = self.registry.read_again(&did).await {
            tracing::warn!(%error, "a document is not completed yet");
        }
        self.context.environment.yield_now().await;
        // Fetched bytes that are not a checkpoint's data leave it missing; without this check the loop would not end.
        let read_model = self.registry.read_model();
        read_model.person(&did).is_some_and(|person| person.missing.as_ref() != Some(data))
    }
}
