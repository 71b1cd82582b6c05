//! The roster: the newest heartbeat of each node, what follows from all of them, and tombstones of nodes that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::chat::ChannelName;
use crate::chat::history::short_of;
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, PublicKey};
use crate::limits::CLOCK_SKEW;
use crate::log::Opening;
use crate::presence::heartbeat::{self, Attended, Heartbeat, HeartbeatRefusal, NodeId, SignedHeartbeat};
use crate::presence::pace::{Taken, VALID_MAX};
use crate::presence::{Event, Output, Sighting};
use crate::time::Timestamp;

/// Nodes remembered, tombstones included. When it is full, the oldest tombstone makes room; without one, a stranger makes
/// room for somebody who is no stranger, and new strangers are refused.
pub const NODES_MAX: usize = 10_000;
/// Nodes of one person in the roster: those with the smallest ids, so that all peers list the same ones. Node keys cost
/// nothing and each heartbeat is broadcast, so the number must be bounded.
pub const NODES_PER_PERSON: usize = 16;
/// On gossip a heartbeat may be overtaken by one that is dated, or was received, this much earlier. One that comes
/// later than that was withheld by somebody.
pub const REORDER_GRACE: Duration = Duration::from_secs(30);
/// How long a node that is gone is remembered: until each of its heartbeats is refused by its date.
pub const TOMBSTONE_LASTS: Duration = Duration::from_secs(VALID_MAX.as_secs() + 2 * CLOCK_SKEW.as_secs());

/// One person who is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub user: Did,
    /// In the order of their ids, at most 16.
    pub nodes: Vec<Device>,
    /// The channels of all their nodes together.
    pub channels: BTreeSet<ChannelName>,
}

/// One node of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub node: NodeId,
    /// When its latest heartbeat was received, by the observer's clock.
    pub seen: Timestamp,
    /// When it counts as gone unless a newer heartbeat comes.
    pub expires: Timestamp,
    pub channels: Vec<ChannelName>,
}

/// A verified heartbeat on its way into the roster.
pub(super) struct Reception {
    pub(super) user: Did,
    /// Until when the person's word for the node counts.
    pub(super) attended: Timestamp,
    pub(super) heartbeat: SignedHeartbeat,
    /// When this node received it first.
    pub(super) first: Timestamp,
    /// How long before that another node had received it.
    pub(super) age: Duration,
}

/// What is remembered of one node.
#[derive(Clone)]
struct Known {
    user: Did,
    /// Until when the person's word for the node counts.
    attended: Timestamp,
    /// Session, number and hash of the newest heartbeat: a greater one replaces it.
    rank: (Timestamp, u64, Digest),
    heartbeat: Heartbeat,
    bytes: Vec<u8>,
    /// When the newest heartbeat was first received by any node on its way here.
    seen: Timestamp,
    /// While online: when it expires. A tombstone: when it is forgotten.
    until: Timestamp,
    gone: bool,
    taken: Taken,
}

/// What this node's registry knows of people.
pub trait Acquaintances {
    /// Whether a person is no stranger: heartbeats cost nothing, so strangers make room for others.
    fn is_known(&self, did: &Did) -> bool;
    /// The verified opening with a digest, if it is here.
    fn opening(&self, digest: &Digest) -> Option<Opening>;
}

impl<T: Acquaintances> Acquaintances for Rc<T> {
    fn is_known(&self, did: &Did) -> bool {
        T::is_known(self, did)
    }

    fn opening(&self, digest: &Digest) -> Option<Opening> {
        T::opening(self, digest)
    }
}

/// An empty set of acquaintances.
pub(super) struct Nobody;

impl Acquaintances for Nobody {
    fn is_known(&self, _did: &Did) -> bool {
        false
    }

    fn opening(&self, _digest: &Digest) -> Option<Opening> {
        None
    }
}

/// The newest heartbeats and four indexes over them, which change together in `replace` only.
pub(super) struct Roster {
    nodes_max: usize,
    people: Box<dyn Acquaintances>,
    nodes: BTreeMap<NodeId, Known>,
    /// The `until` of every node, soonest first, so that a tick looks only at what is due.
    due: BTreeSet<(Timestamp, NodeId)>,
    /// Nodes online, by person.
    users: BTreeMap<Did, BTreeSet<NodeId>>,
    /// For each channel and person the number of the person's nodes in it.
    channels: BTreeMap<ChannelName, BTreeMap<Did, usize>>,
    /// Nodes online; kept as a number because it sets the pace at every heartbeat.
    live: usize,
}

impl Roster {
    /// A roster with room for so many nodes.
    pub(super) fn new(nodes_max: usize, people: Box<dyn Acquaintances>) -> Self {
        let (nodes, due, users, channels) = Default::default();
        Self { nodes_max, people, nodes, due, users, channels, live: 0 }
    }

    /// Decides whether a heartbeat is news. Returns `None` if it brings nothing new and no peer is at fault. With
    /// `from_roster` it comes from a peer's roster, where old ones are normal; otherwise from gossip, where an old one was
    /// withheld.
    pub(super) fn verify(
        &self,
        bytes: &[u8],
        topic: &Topic,
        from_roster: bool,
        now: Timestamp,
    ) -> Result<Option<(SignedHeartbeat, Attended)>, HeartbeatRefusal> {
        // What is here to the byte was verified when it came.
        if from_roster && self.has(bytes) {
            return Ok(None);
        }
        let same = |node: &NodeId, attendance: &[u8]| {
            let known = self.nodes.get(node).filter(|known| known.heartbeat.attendance == attendance);
            known.map(|known| (known.user, known.attended))
        };
        let opening_of = |digest: &Digest| self.people.opening(digest);
        let (heartbeat, attended) = heartbeat::verify(bytes, topic, same, opening_of, now)?;
        let user = attended.0;
        let (statement, node) = (heartbeat.statement(), NodeId::from(heartbeat.signer()));
        if statement.at > now.plus(CLOCK_SKEW) {
            return Err(HeartbeatRefusal::Misdated { apart: heartbeat::apart(statement.at, now) });
        }
        if !statement.leaving && self.crowded_out(&user, &node) {
            return if from_roster { Ok(None) } else { Err(HeartbeatRefusal::Full) };
        }
        let known = self.nodes.get(&node);
        let old = known.is_some_and(|known| (statement.session, statement.number, heartbeat.hash()) <= known.rank);
        // A peer reports what it has, which may be less than is known here.
        if from_roster {
            return Ok((!old && statement.stale_after() >= now).then_some((heartbeat, attended)));
        }
        let late = |known: &Known| {
            statement.at.plus(REORDER_GRACE) < known.heartbeat.at || known.seen.plus(REORDER_GRACE) < now
        };
        let kept_back = old && known.is_some_and(late);
        let stale = statement.stale_after() < now;
        if kept_back || stale && old {
            return Err(HeartbeatRefusal::Replayed);
        }
        // Kept back by somebody, or a clock is wrong: its node's, or this one's.
        if stale {
            return Err(HeartbeatRefusal::Misdated { apart: heartbeat::apart(statement.at, now) });
        }
        if known.is_none() && self.nodes.len() >= self.nodes_max && self.makes_room(&user).is_none() {
            return Err(HeartbeatRefusal::Full);
        }
        if !old && known.is_some_and(|known| known.taken.takes_one(now).is_none()) {
            return Err(HeartbeatRefusal::TooOften);
        }
        Ok((!old).then_some((heartbeat, attended)))
    }

    /// Returns whether [`NODES_PER_PERSON`] nodes with smaller ids are online, so that this one is left out.
    fn crowded_out(&self, user: &Did, node: &NodeId) -> bool {
        self.users.get(user).is_some_and(|nodes| {
            nodes.len() >= NODES_PER_PERSON && !nodes.contains(node) && nodes.last().is_some_and(|last| last < node)
        })
    }

    /// The node that makes room for a person's: the oldest tombstone, else for somebody who is no stranger the stranger
    /// who would be gone first.
    fn makes_room(&self, user: &Did) -> Option<NodeId> {
        let known = || self.due.iter().filter_map(|(_, node)| Some((*node, self.nodes.get(node)?)));
        let gone = if self.live < self.nodes.len() { known().find(|(_, known)| known.gone) } else { None };
        let stranger = || known().find(|(_, known)| !self.people.is_known(&known.user));
        let makes_room = gone.or_else(|| if self.people.is_known(user) { stranger() } else { None });
        makes_room.map(|(node, _)| node)
    }

    /// Stores a verified heartbeat that is newer than what is known of its node, and emits what changes. May do nothing
    /// if there is no room.
    pub(super) fn take(&mut self, reception: Reception, bytes: Vec<u8>, now: Timestamp, out: &mut Vec<Output>) {
        let Reception { user, attended, heartbeat, first, age } = reception;
        let (statement, node) = (heartbeat.statement().clone(), NodeId::from(heartbeat.signer()));
        if !self.nodes.contains_key(&node) && self.nodes.len() >= self.nodes_max {
            let Some(makes_room) = self.makes_room(&user) else { return };
            self.replace(makes_room, None, true, out);
        }
        let seen = Timestamp::from_millis(first.as_millis().saturating_sub(age.as_millis() as u64));
        let expires = seen.plus(statement.valid_for).min(statement.stale_after());
        let gone = statement.leaving || expires <= now;
        if !gone && self.crowded_out(&user, &node) {
            return;
        }
        let until = if gone { now.plus(TOMBSTONE_LASTS) } else { expires };
        let rank = (statement.session, statement.number, heartbeat.hash());
        let taken = self.nodes.get(&node).map(|known| known.taken).unwrap_or_default();
        let taken = taken.takes_one(now).unwrap_or(taken);
        let known = Known { user, attended, rank, heartbeat: statement, bytes, seen, until, gone, taken };
        self.replace(node, Some(known), false, out);
        let one_too_many = self.users.get(&user).filter(|nodes| nodes.len() > NODES_PER_PERSON);
        if let Some(last) = one_too_many.and_then(|nodes| nodes.last().copied()) {
            self.replace(last, None, true, out);
        }
    }

    /// Turns silent nodes into tombstones and forgets old tombstones. The own node `me` does not expire by silence.
    pub(super) fn expire(&mut self, now: Timestamp, me: Option<NodeId>, out: &mut Vec<Output>) {
        while let Some((until, node)) = self.due.first().copied().filter(|(until, _)| *until <= now) {
            self.due.remove(&(until, node));
            let Some(mut known) = self.nodes.remove(&node) else { continue };
            if known.gone {
                continue;
            }
            if Some(node) == me {
                known.until = now.plus(VALID_MAX);
                self.due.insert((known.until, node));
                self.nodes.insert(node, known);
                continue;
            }
            let ended = Known { until: now.plus(TOMBSTONE_LASTS), gone: true, ..known.clone() };
            self.nodes.insert(node, known);
            self.replace(node, Some(ended), true, out);
        }
    }

    /// Handles a clock that was set back: no heartbeat stays valid for longer than the maximum from now on.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        for known in self.nodes.values_mut() {
            let lasts = if known.gone { TOMBSTONE_LASTS } else { VALID_MAX };
            (known.seen, known.until) = (known.seen.min(now), known.until.min(now.plus(lasts)));
        }
        self.due = self.nodes.iter().map(|(node, known)| (known.until, *node)).collect();
    }

    /// Replaces a node's state (`None`: forgets it) and emits the differences as events. `silent` marks a node that
    /// went without a goodbye.
    fn replace(&mut self, node: NodeId, new: Option<Known>, silent: bool, out: &mut Vec<Output>) {
        let old = self.nodes.remove(&node);
        if let Some(old) = &old {
            self.due.remove(&(old.until, node));
        }
        let before = old.filter(|old| !old.gone);
        let after = new.as_ref().filter(|new| !new.gone);
        let mut emit = |event| out.push(Output::Event(event));
        let same_user = before.as_ref().map(|old| old.user) == after.map(|new| new.user);
        // Come first, then go: who moves from one channel to another is never nowhere.
        if let Some(new) = after {
            let nodes = self.users.entry(new.user).or_default();
            if nodes.insert(node) {
                self.live += usize::from(before.is_none());
                if nodes.len() == 1 {
                    emit(Event::UserOnline { user: new.user, node });
                }
                emit(Event::NodeUp { user: new.user, node });
            }
            for channel in &new.heartbeat.channels {
                let stays = same_user && before.as_ref().is_some_and(|old| old.heartbeat.channels.contains(channel));
                if !stays {
                    let count = self.channels.entry(channel.clone()).or_default().entry(new.user).or_default();
                    *count += 1;
                    if *count == 1 {
                        emit(Event::Joined { user: new.user, channel: channel.clone() });
                    }
                }
            }
        }
        if let Some(old) = &before {
            for channel in &old.heartbeat.channels {
                let stays = same_user && after.is_some_and(|new| new.heartbeat.channels.contains(channel));
                if !stays && leave(&mut self.channels, channel, &old.user) {
                    emit(Event::Left { user: old.user, channel: channel.clone() });
                }
            }
            if !same_user {
                self.live -= usize::from(after.is_none());
                emit(Event::NodeDown { user: old.user, node, silent });
                let last = self.users.get_mut(&old.user).is_some_and(|nodes| nodes.remove(&node) && nodes.is_empty());
                if last {
                    self.users.remove(&old.user);
                    emit(Event::UserOffline { user: old.user });
                }
            }
        }
        if let Some(new) = new {
            self.due.insert((new.until, node));
            self.nodes.insert(node, new);
        }
    }

    pub(super) fn users(&self) -> Vec<User> {
        self.users.keys().filter_map(|user| self.user(user)).collect()
    }

    pub(super) fn user(&self, user: &Did) -> Option<User> {
        let nodes = self.users.get(user)?;
        let known = nodes.iter().filter_map(|node| Some((*node, self.nodes.get(node)?)));
        let nodes: Vec<Device> = known
            .map(|(node, known)| Device {
                node,
                seen: known.seen,
                expires: known.until,
                channels: known.heartbeat.channels.clone(),
            })
            .collect();
        let channels = nodes.iter().flat_map(|device| device.channels.iter().cloned()).collect();
        Some(User { user: *user, nodes, channels })
    }

    pub(super) fn channel_users(&self, channel: &ChannelName) -> Vec<Did> {
        self.channels.get(channel).map(|users| users.keys().copied().collect()).unwrap_or_default()
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.channels.iter().map(|(channel, users)| (channel, users.len()))
    }

    pub(super) fn owner(&self, node: &NodeId) -> Option<Did> {
        self.nodes.get(node).filter(|known| !known.gone).map(|known| known.user)
    }

    /// The nodes online that are themselves in the channel.
    pub(super) fn nodes_in(&self, channel: &ChannelName) -> impl Iterator<Item = NodeId> {
        let users = self.channels.get(channel).into_iter().flat_map(BTreeMap::keys);
        let nodes = users.filter_map(|user| self.users.get(user)).flatten();
        nodes
            .filter(|node| self.nodes.get(node).is_some_and(|known| known.heartbeat.channels.contains(channel)))
            .copied()
    }

    pub(super) fn sightings(&self, have: &BTreeSet<u64>, now: Timestamp) -> Vec<Sighting> {
        let fresh = self.nodes.values().filter(|known| known.heartbeat.stale_after() >= now);
        let sighting = |known: &Known| {
            let short = short_of(&known.rank.2);
            let age = Duration::from_millis(now.as_millis().saturating_sub(known.seen.as_millis()));
            (!have.contains(&short)).then(|| Sighting { bytes: known.bytes.clone(), age, short })
        };
        fresh.filter_map(sighting).collect()
    }

    /// Whether the newest heartbeat of its node is this one, to the byte.
    pub(super) fn has(&self, bytes: &[u8]) -> bool {
        let known = bytes.first_chunk().and_then(|node| self.nodes.get(&NodeId::from(PublicKey::from_trusted(*node))));
        known.is_some_and(|known| known.bytes == bytes)
    }

    /// The newest heartbeat of a node, unless it is stale.
    pub(super) fn newest(&self, node: &NodeId, now: Timestamp) -> Option<&[u8]> {
        self.nodes.get(node).filter(|known| known.heartbeat.stale_after() >= now).map(|known| known.bytes.as_slice())
    }

    /// Short ids of the newest heartbeat of each remembered node.
    pub(super) fn have(&self) -> Vec<u64> {
        self.nodes.values().map(|known| short_of(&known.rank.2)).collect()
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn remembered(&self) -> usize {
        self.nodes.len()
    }
}

/// Returns whether the person's last node left the channel.
fn leave(channels: &mut BTreeMap<ChannelName, BTreeMap<Did, usize>>, channel: &ChannelName, user: &Did) -> bool {
    let Some(users) = channels.get_mut(channel) else { return false };
    let Some(count) = users.get_mut(user) else { return false };
    *count -= 1;
    let last = *count == 0;
    if last {
        users.remove(user);
        if users.is_empty() {
            channels.remove(channel);
        }
    }
    last
}
