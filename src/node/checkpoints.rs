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
//!
//! Anybody can name data that nobody has. Such data is waited for in few of the places that there are, so it holds up
//! nobody else's ([`FetchQueue`]).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{self, join};
use futures::stream::FuturesUnordered;
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
/// Data of how many people are fetched at once.
const FETCHES_MAX: usize = 8;
/// How many of these may be such that no connected peer had before.
const REPEATED_FETCHES_MAX: usize = 3;
/// How often data is asked for again at each time, at most, the least often asked for first.
const REPEATS_MAX: usize = 12;

/// The service that completes documents.
pub(crate) struct Checkpoints {
    context: Rc<Context>,
    registry: Rc<Registry>,
    content: Rc<ContentStore>,
    /// Wakes the two halves of the task, once it runs: fetching, and writing again.
    wake: RefCell<Option<[mpsc::Sender<()>; 2]>>,
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
        for half in self.wake.borrow_mut().iter_mut().flatten() {
            // Full: it is awake already.
            half.try_send(()).ok();
        }
    }

    /// Completes documents for as long as the node is part of its network. Never returns.
    ///
    /// The halves run beside each other: a fetch that holds the write lock goes on while the other half waits for the lock.
    pub(crate) async fn run(self: Rc<Self>) {
        let ((fetch, fetch_woken), (write, write_woken)) = (mpsc::channel(0), mpsc::channel(0));
        *self.wake.borrow_mut() = Some([fetch, write]);
        join(self.fetch_missing(fetch_woken), self.write_lost(write_woken)).await;
    }

    /// Writes again what another device's checkpoint left out, whenever the own document may show that.
    async fn write_lost(&self, mut woken: mpsc::Receiver<()>) {
        loop {
            if let Err(failure) = self.registry.write_lost().await {
                tracing::warn!(code = ?failure.code, "what another device's checkpoint left out is not written again yet");
            }
            future::select(woken.next(), Delay::new(RETRY_EVERY)).await;
        }
    }

    /// Fetches the data that is missing. Awaits nothing but its fetches: each may hold the write lock.
    async fn fetch_missing(&self, mut woken: mpsc::Receiver<()>) {
        let mut queue = FetchQueue::default();
        let mut fetches = FuturesUnordered::new();
        let mut retry = Delay::new(RETRY_EVERY).fuse();
        loop {
            for (did, data) in queue.start(self.missing()) {
                fetches.push(async move { (did, self.complete(did, &data).await) }.boxed_local());
            }
            select! {
                (did, is_complete) = fetches.select_next_some() => {
                    queue.finish(&did, is_complete);
                    // It may be the own document, which now shows what was left out.
                    self.wake();
                }
                _ = woken.next() => {}
                () = retry => {
                    queue.repeat();
                    retry = Delay::new(RETRY_EVERY).fuse();
                }
            }
        }
    }

    /// Returns the missing checkpoint data with their identities, except those with refused documents.
    fn missing(&self) -> Vec<(Did, Artifact)> {
        let read_model = self.registry.read_model();
        let refused = read_model.registry().refused();
        let people = read_model.people().filter(|person| !refused.contains(&person.did));
        people.filter_map(|person| Some((person.did, person.missing.clone()?))).collect()
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
        // Fetched bytes that are not a checkpoint's data leave it missing: then they are not fetched at once again.
        let read_model = self.registry.read_model();
        read_model.person(&did).is_some_and(|person| person.missing.as_ref() != Some(data))
    }
}

/// Whose data is fetched next: places for data that is new, and fewer of them for data that no peer had before.
#[derive(Default)]
struct FetchQueue {
    /// What is being fetched, and whether it is for the first time.
    running: BTreeMap<Did, (Artifact, bool)>,
    failed: BTreeMap<Did, Failed>,
}

/// Data that no connected peer had.
struct Failed {
    data: Artifact,
    times: u32,
    /// Whether it is to be asked for again.
    is_due: bool,
}

impl FetchQueue {
    /// Returns what to fetch now of all that is missing, and counts it as running.
    fn start(&mut self, missing: Vec<(Did, Artifact)>) -> Vec<(Did, Artifact)> {
        let named: BTreeMap<Did, Artifact> = missing.into_iter().collect();
        // Whoever names other data has not failed with it.
        self.failed.retain(|did, failed| named.get(did) == Some(&failed.data));
        let waiting = named.into_iter().filter(|(did, _)| !self.running.contains_key(did));
        let (new, again): (Vec<_>, Vec<_>) = waiting.partition(|(did, _)| !self.failed.contains_key(did));
        let mut due: Vec<_> = again.into_iter().filter(|(did, _)| self.failed[did].is_due).collect();
        due.sort_by_key(|(did, _)| self.failed[did].times);

        let repeats = self.running.values().filter(|(_, is_first)| !is_first).count();
        due.truncate(REPEATED_FETCHES_MAX.saturating_sub(repeats));
        let mut started: Vec<_> = new.into_iter().map(|one| (one, true)).collect();
        started.extend(due.into_iter().map(|one| (one, false)));
        started.truncate(FETCHES_MAX.saturating_sub(self.running.len()));
        for ((did, data), is_first) in &started {
            self.running.insert(*did, (data.clone(), *is_first));
        }
        started.into_iter().map(|(one, _)| one).collect()
    }

    /// Takes what came of a fetch.
    fn finish(&mut self, did: &Did, is_complete: bool) {
        let Some((data, _)) = self.running.remove(did) else { return };
        if is_complete {
            self.failed.remove(did);
            return;
        }
        let times = self.failed.get(did).map_or(0, |failed| failed.times);
        self.failed.insert(*did, Failed { data, times: times.saturating_add(1), is_due: false });
    }

    /// Has data that failed be fetched again: that which failed least often.
    fn repeat(&mut self) {
        let mut by_times: Vec<&mut Failed> = self.failed.values_mut().collect();
        by_times.sort_by_key(|failed| failed.times);
        by_times.into_iter().take(REPEATS_MAX).for_each(|failed| failed.is_due = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::digest::Digest;

    fn person(number: u16) -> (Did, Artifact) {
        let digest = Digest::of(&number.to_be_bytes());
        (Did::from_digest(digest), Artifact::of(&number.to_be_bytes()))
    }

    fn people(numbers: std::ops::Range<u16>) -> Vec<(Did, Artifact)> {
        numbers.map(person).collect()
    }

    #[test]
    fn data_that_nobody_has_leaves_places_for_other_data() {
        let mut queue = FetchQueue::default();
        let strangers = people(0..500);
        // All of the strangers' data are asked for once, a few at a time.
        let mut asked = 0;
        loop {
            let started = queue.start(strangers.clone());
            if started.is_empty() {
                break;
            }
            assert!(started.len() <= FETCHES_MAX);
            asked += started.len();
            started.iter().for_each(|(did, _)| queue.finish(did, false));
        }
        assert_eq!(asked, 500, "each once");

        queue.repeat();
        let again = queue.start(strangers.clone());
        assert_eq!(again.len(), REPEATED_FETCHES_MAX);
        let (honest, data) = person(500);
        let mut missing = strangers;
        missing.push((honest, data.clone()));
        assert_eq!(queue.start(missing.clone()), [(honest, data)], "it waits for nobody");
        assert!(queue.start(missing.clone()).is_empty(), "nor is it asked for twice");
        queue.finish(&honest, true);
        missing.pop();

        // At each time as many as the bound says, and those first that were asked for least often.
        let mut repeated = again.len();
        again.iter().for_each(|(did, _)| queue.finish(did, false));
        loop {
            let started = queue.start(missing.clone());
            if started.is_empty() {
                break;
            }
            repeated += started.len();
            for (did, _) in &started {
                assert_eq!(queue.failed[did].times, 1);
                queue.finish(did, false);
            }
        }
        assert_eq!(repeated, REPEATS_MAX);
    }

    #[test]
    fn other_data_of_a_person_is_new() {
        let mut queue = FetchQueue::default();
        let (did, data) = person(1);
        assert_eq!(queue.start(vec![(did, data.clone())]).len(), 1);
        queue.finish(&did, false);
        assert!(queue.start(vec![(did, data)]).is_empty(), "not before the next time");
        let (_, other) = person(2);
        assert_eq!(queue.start(vec![(did, other.clone())]), [(did, other)]);
    }
}
