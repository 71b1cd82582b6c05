//! Whom this node keeps, and eviction when there are more strangers than it has room for.
//!
//! Whoever the person has to do with is wanted wherever they are: people who are followed or trusted, authors of installed
//! and followed modules, authors of messages in joined channels, and, until the node ends, whom look-ups found. Of all others the node keeps one range of the ring
//! ([`gen_registry_core::retention`]). Once there are more than its quota, the range is narrowed by half, and who is outside
//! is evicted:
//!
//! ```text
//!   every 2 s, under the write lock   wanted again; more strangers than the quota? ─► half the range, stored
//!   then, 64 identities at a time     evict from memory ─► delete from the store ─► show ─► let others run
//! ```
//!
//! So a flood of a million identities costs room for the quota, and after each narrowing twice as many are needed to
//! fill it again. Own writes never wait for more than one slice.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use futures_timer::Delay;
use serde::{Deserialize, Serialize};

use crate::channel_store::ChannelStore;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::entries;
use crate::key_store::KeyStore;
use crate::modules::installed::Installations;
use crate::net::key::NetPeerId;
use crate::notices::Notices;
use crate::registry::{Changed, Registry, person_key};
use crate::store::records::put;
use crate::store::{Batch, Durability, Table, Write};
use gen_registry_api::Failure;
use gen_registry_core::block_list::{BlockDecision, Subject};
use gen_registry_core::keys::Did;
use gen_registry_core::name::ModuleName;
use gen_registry_core::registry::Evicted;
use gen_registry_core::retention::Retention;
use gen_registry_core::ring::{BITS_MAX, RingRange, place_of};
use gen_registry_core::time::Timestamp;

/// Identities that are evicted in one go: a page draws between two of these.
const EVICTED_AT_ONCE: usize = 64;
/// How often it is seen whether there are too many.
const REVIEW_EVERY: Duration = Duration::from_secs(2);
/// How long a range stays narrow before it may be widened again, where a quarter of the quota is used.
const WIDEN_AFTER: Duration = Duration::from_secs(3_600);
/// What a stranger takes on the disk, in bytes, with what a database adds.
const STRANGER_BYTES: u64 = 5_000;
/// Of what the platform lets a page store, strangers take one part of so many. The database has as much again for a while: until
/// a flood is evicted, and what was evicted is compacted.
const STORAGE_PARTS: u64 = 20;
/// How many peers are asked by name for who is wanted: each of them learns whom the person has to do with.
const ASKED_PEERS_MAX: usize = 3;

/// Identities that look-ups found and that stay while the node runs: more than a person opens in an evening.
const FOUND_MAX: usize = 64;
/// Peers that are remembered of each of them as those that said to have it.
const FOUND_AT_MAX: usize = 16;

/// The key of [`Table::Settings`] under which the range is stored.
pub(crate) const RECORD: &str = "retention";

/// The range of a node as it is stored. Without a record a node keeps everybody.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RangeRecord {
    /// How many strangers the person wants to be kept.
    most: Option<usize>,
    /// A place in the range; drawn when it is narrowed first.
    place: u64,
    /// How many bits name the range.
    bits: u8,
    changed_at: Timestamp,
}

/// How many strangers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StrangersQuota {
    /// At the most.
    pub(crate) most: usize,
    /// Of so many one is kept.
    pub(crate) share: u64,
}

/// The service that decides whom this node keeps.
pub(crate) struct Retainer {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    installations: Rc<Installations>,
    notices: Rc<Notices>,
    channels: Rc<ChannelStore>,
    range: Cell<RangeRecord>,
    /// How many strangers are kept where the person chose nothing.
    default_quota: Cell<usize>,
    asked_peers: RefCell<BTreeSet<NetPeerId>>,
    found: RefCell<VecDeque<FoundIdentity>>,
}

/// An identity that a look-up found.
struct FoundIdentity {
    did: Did,
    /// The peers that said to have it: only they are asked for it, since they know already who looked for it.
    at: BTreeSet<NetPeerId>,
}

impl RangeRecord {
    fn range(&self) -> RingRange {
        RingRange::around(self.place, self.bits)
    }
}

impl Retainer {
    /// Creates the service with the stored range.
    #[expect(clippy::too_many_arguments, reason = "who is wanted is known in all of these")]
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        installations: Rc<Installations>,
        notices: Rc<Notices>,
        channels: Rc<ChannelStore>,
        range: RangeRecord,
    ) -> Self {
        let (range, default_quota) = (Cell::new(range), Cell::new(context.limits.strangers));
        let (asked_peers, found) = (RefCell::default(), RefCell::default());
        Self {
            context,
            keys,
            registry,
            decisions,
            installations,
            notices,
            channels,
            range,
            default_quota,
            asked_peers,
            found,
        }
    }

    /// Sets how many strangers are kept where the person chose nothing.
    pub(crate) fn set_default_quota(&self, most: usize) {
        self.default_quota.set(most);
    }

    /// Keeps at most so many strangers from now on. The range begins whole again, and is narrowed as far as necessary.
    pub(crate) async fn keep_strangers(&self, most: usize) -> Result<(), Failure> {
        {
            let _one_at_a_time = self.registry.begin_write().await;
            self.store(RangeRecord { most: Some(most), ..RangeRecord::default() }).await?;
        }
        self.review().await
    }

    /// Returns how many strangers are kept at the most, and of how many one.
    pub(crate) fn quota(&self) -> StrangersQuota {
        StrangersQuota { most: self.most(), share: 1 << self.range().bits() }
    }

    fn most(&self) -> usize {
        self.range.get().most.unwrap_or_else(|| self.default_quota.get())
    }

    async fn store(&self, record: RangeRecord) -> Result<(), Failure> {
        self.context.commit(vec![put(Table::Settings, RECORD, &record)], Durability::Strict).await?;
        self.range.set(record);
        Ok(())
    }

    /// Keeps no more strangers by default than the platform has room for: on a phone with a quota of 200 MB 2,000.
    async fn fit_storage(&self) {
        let quota = self.context.environment.storage_use().await.quota;
        let most =
            quota.map(|quota| quota / STORAGE_PARTS / STRANGER_BYTES).and_then(|most| usize::try_from(most).ok());
        if let Some(most) = most {
            self.default_quota.set(self.default_quota.get().min(most));
        }
    }

    /// Keeps within the quota. Never returns.
    pub(crate) async fn run(self: Rc<Self>) {
        self.fit_storage().await;
        loop {
            if let Err(failure) = self.review().await {
                tracing::warn!(code = ?failure.code, "strangers could not be evicted");
            }
            Delay::new(REVIEW_EVERY).await;
        }
    }

    /// Has the registry keep who is wanted now, and the range.
    pub(crate) fn retain(&self) {
        let retention = Retention::new(self.range(), self.wanted());
        self.registry.read_model_mut().registry_mut().retain(retention);
    }

    /// Looks again at who is wanted, narrows the range until there is room, and evicts who is outside.
    pub(crate) async fn review(&self) -> Result<(), Failure> {
        let outside = {
            let _one_at_a_time = self.registry.begin_write().await;
            let retention = Retention::new(self.range(), self.wanted());
            let record = self.fitting_range(&retention);
            if record.bits != self.range.get().bits {
                self.store(record).await?;
            }
            let retention = retention.with_range(record.range());
            let mut read_model = self.registry.read_model_mut();
            let registry = read_model.registry_mut();
            let is_unchanged = *registry.retention() == retention;
            registry.retain(retention);
            // Whom a look-up brought stays until there are too many.
            if is_unchanged && registry.identity_count() <= self.most() {
                return Ok(());
            }
            let retention = registry.retention();
            registry.identities().filter(|did| !retention.keeps(did)).copied().collect::<Vec<Did>>()
        };
        for some in outside.chunks(EVICTED_AT_ONCE) {
            self.evict(some).await?;
            self.context.environment.yield_now().await;
        }
        Ok(())
    }

    /// The range of now, or half of it as often as there is no room for the strangers in it; or twice of it after a while
    /// with few.
    fn fitting_range(&self, retention: &Retention) -> RangeRecord {
        let (now, most) = (self.context.now(), self.most());
        let read_model = self.registry.read_model();
        let strangers: Vec<u64> = {
            let identities = read_model.registry().identities();
            identities.filter(|did| !retention.is_wanted(did)).map(place_of).collect()
        };
        let count = |record: &RangeRecord| {
            let range = record.range();
            strangers.iter().filter(|place| range.contains(**place)).count()
        };
        let mut record = self.range.get();
        if record.bits > 0 && count(&record) < most / 4 && record.changed_at.plus(WIDEN_AFTER) <= now {
            return RangeRecord { bits: record.bits - 1, changed_at: now, ..record };
        }
        while record.bits < BITS_MAX && count(&record) > most {
            if record.bits == 0 {
                record.place = self.context.random_place();
            }
            record = RangeRecord { bits: record.bits + 1, changed_at: now, ..record };
        }
        record
    }

    /// Evicts identities that are not kept, all their facts at once.
    async fn evict(&self, dids: &[Did]) -> Result<(), Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let (mut batch, mut changed): (Batch, Changed) = (Vec::new(), Changed::default());
        {
            let mut read_model = self.registry.read_model_mut();
            let registry = read_model.registry_mut();
            let retention = registry.retention().clone();
            // Somebody may have become wanted since they were found to be outside.
            for did in dids.iter().filter(|did| !retention.keeps(did)) {
                let evicted = registry.evict(did, &|other| retention.keeps(other));
                if evicted.entries.is_empty() {
                    continue;
                }
                batch.extend(deletes(did, &evicted));
                changed.names.extend(evicted.names);
                changed.gone.push(*did);
            }
            registry.settle_states();
        }
        self.context.commit(batch, Durability::Relaxed).await?;
        changed.gone.iter().for_each(|did| drop(self.registry.cache().take(did)));
        self.registry.update(changed);
        Ok(())
    }

    /// Everybody whom the person has to do with: the own identity first, then those whom the person chose, and last those
    /// who came to the person by themselves. There is room for so many only.
    fn wanted(&self) -> Vec<Did> {
        let channels = self.channels.state();
        let of_channels =
            channels.joined.values().flat_map(|joined| joined.log.messages().map(|(place, _)| place.author));
        let found: Vec<Did> = self.found.borrow().iter().rev().map(|found| found.did).collect();
        self.chosen().into_iter().chain(found).chain(of_channels).collect()
    }

    /// The own identity, and whom the person chose: people who are followed or trusted, holders and authors of modules.
    pub(crate) fn chosen(&self) -> Vec<Did> {
        let (read_model, installed, lists) =
            (self.registry.read_model(), self.installations.all(), self.decisions.lists());
        let registry = read_model.registry();
        let holder = |module: &ModuleName| Some(read_model.module_name(&module.folded())?.holder()?.tenure.holder);
        let author = |release| registry.facts().get(release).map(|fact| fact.did);
        let (people, modules) = self.notices.followed();
        let trusted = lists.entries().filter(|(_, entry)| entry.verdict == BlockDecision::Allow);
        let trusted = trusted.filter_map(|(subject, _)| match subject {
            Subject::Person(did) => Some(*did),
            Subject::Module(name) => holder(name),
            Subject::Peer(_) => None,
        });
        let mut wanted: Vec<Did> = self.keys.identity().into_iter().collect();
        wanted.extend(people);
        wanted.extend(modules.iter().filter_map(holder));
        wanted.extend(installed.keys().filter_map(holder));
        wanted.extend(installed.values().filter_map(|module| author(&module.release)));
        wanted.extend(trusted);
        wanted
    }

    /// Has an identity fetched that a look-up found, of these peers, which say that they have it. It is kept until the node
    /// ends, or many others were found.
    pub(crate) fn want_found(&self, did: Did, at: impl IntoIterator<Item = NetPeerId>) {
        {
            let mut found = self.found.borrow_mut();
            let known = found.iter().position(|found| found.did == did).and_then(|place| found.remove(place));
            let before = known.map(|known| known.at).unwrap_or_default();
            let at: BTreeSet<NetPeerId> = at.into_iter().chain(before).take(FOUND_AT_MAX).collect();
            found.push_back(FoundIdentity { did, at });
            if found.len() > FOUND_MAX {
                found.pop_front();
            }
        }
        self.retain();
    }

    /// The identities that a session with a peer should ask for by name: those that are wanted and that the two do not
    /// compare. Of all but a few peers only those that the peer said to have.
    pub(crate) fn wanted_from(&self, peer: NetPeerId, compared: Option<RingRange>) -> Vec<Did> {
        let wanted: Vec<Did> = {
            let read_model = self.registry.read_model();
            read_model.registry().retention().wanted_beyond(compared).copied().collect()
        };
        let found = self.found.borrow();
        let is_at_peer = |did: &Did| found.iter().any(|found| found.did == *did && found.at.contains(&peer));
        let (mut of_peer, mut others): (Vec<Did>, Vec<Did>) = wanted.into_iter().partition(is_at_peer);
        if !found.is_empty() {
            let chosen: BTreeSet<Did> = self.chosen().into_iter().collect();
            others.retain(|did| chosen.contains(did) || !found.iter().any(|found| found.did == *did));
        }
        let mut asked = self.asked_peers.borrow_mut();
        if !others.is_empty() && (asked.len() < ASKED_PEERS_MAX || asked.contains(&peer)) {
            asked.insert(peer);
            of_peer.extend(others);
        }
        of_peer
    }

    /// Forgets that a peer was asked: its session ended.
    pub(crate) fn forget_peer(&self, peer: NetPeerId) {
        self.asked_peers.borrow_mut().remove(&peer);
    }

    /// The range of which everybody is kept.
    pub(crate) fn range(&self) -> RingRange {
        self.range.get().range()
    }
}

/// The deletes of what was evicted of an identity.
fn deletes(did: &Did, evicted: &Evicted) -> Batch {
    let mut batch = entries::evicted_writes(did, evicted);
    batch.push(Write::Delete { table: Table::People, key: person_key(did) });
    batch
}
