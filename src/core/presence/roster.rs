//! Everybody as one node sees them: the newest heartbeat of each node, what follows from all of them, and for a while
//! those that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::chat::ChannelName;
use crate::chat::history::short_of;
use crate::digest::Digest;
use crate::identity::{Identity, Topic};
use crate::limits::CLOCK_SKEW;
use crate::presence::heartbeat::{self, Heartbeat, HeartbeatRefusal, NodeId, SignedHeartbeat};
use crate::presence::pace::{Taken, VALID_MAX};
use crate::presence::{Event, Output, Sighting};
use crate::time::Timestamp;

/// Nodes remembered, those that are gone included.
pub const NODES_MAX: usize = 10_000;
/// Nodes of one person that are shown: those with the smallest names, so that everybody shows the same ones. Keys of
/// nodes cost nothing, and each heartbeat goes to everybody.
pub const NODES_PER_PERSON: usize = 16;
/// On gossip a heartbeat may be overtaken by one dated, or received, this much earlier; anything later was withheld.
pub const REORDER_GRACE: Duration = Duration::from_secs(30);
/// How long a node that is gone is remembered: until each of its heartbeats is refused for its age.
pub const TOMBSTONE_LASTS: Duration = Duration::from_secs(VALID_MAX.as_secs() + 2 * CLOCK_SKEW.as_secs());

/// One person who is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub user: Identity,
    /// In the order of their names.
    pub nodes: Vec<Device>,
    pub channels: BTreeSet<ChannelName>,
}

/// One node of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub node: NodeId,
    /// When its latest heartbeat was received, by the observer's clock.
    pub seen: Timestamp,
    /// When it is gone unless it says something.
    pub expires: Timestamp,
    pub channels: Vec<ChannelName>,
}

pub(super) struct Heard {
    pub(super) user: Identity,
    pub(super) heartbeat: SignedHeartbeat,
    pub(super) first: Timestamp,
    /// How long before it was first received by another node.
    pub(super) age: Duration,
}

#[derive(Clone)]
struct Known {
    user: Identity,
    rank: (Timestamp, u64, Digest),
    said: Heartbeat,
    bytes: Vec<u8>,
    seen: Timestamp,
    /// It is gone then, or (gone already) forgotten.
    until: Timestamp,
    gone: bool,
    taken: Taken,
}

#[derive(Default)]
pub(super) struct Roster {
    nodes: BTreeMap<NodeId, Known>,
    due: BTreeSet<(Timestamp, NodeId)>,
    users: BTreeMap<Identity, BTreeSet<NodeId>>,
    channels: BTreeMap<ChannelName, BTreeMap<Identity, usize>>,
    live: usize,
}

impl Roster {
    /// Returns `None` if the heartbeat brings nothing new and no peer is at fault.
    pub(super) fn verify(
        &self,
        bytes: &[u8],
        topic: &Topic,
        told: bool,
        now: Timestamp,
    ) -> Result<Option<(SignedHeartbeat, Identity)>, HeartbeatRefusal> {
        // What is here to the byte was verified when it came.
        if told && self.has(bytes) {
            return Ok(None);
        }
        let same = |node: &NodeId, attendance: &[u8]| {
            self.nodes.get(node).is_some_and(|known| known.said.attendance == attendance)
        };
        let (heartbeat, user) = heartbeat::verify(bytes, topic, same, now)?;
        let (said, node) = (heartbeat.statement(), NodeId::from(heartbeat.author()));
        if said.at > now.plus(CLOCK_SKEW) {
            return Err(HeartbeatRefusal::Misdated { apart: heartbeat::apart(said.at, now) });
        }
        if !said.leaving && self.crowded_out(&user, &node) {
            return if told { Ok(None) } else { Err(HeartbeatRefusal::Full) };
        }
        let known = self.nodes.get(&node);
        let old = known.is_some_and(|known| (said.session, said.number, heartbeat.hash()) <= known.rank);
        // A peer reports what it has, which may be less than is known here.
        if told {
            return Ok((!old && said.stale_after() >= now).then_some((heartbeat, user)));
        }
        let late = |known: &Known| said.at.plus(REORDER_GRACE) < known.said.at || known.seen.plus(REORDER_GRACE) < now;
        let kept_back = old && known.is_some_and(late);
        let stale = said.stale_after() < now;
        if kept_back || stale && old {
            return Err(HeartbeatRefusal::Replayed);
        }
        // Kept back by somebody, or a clock is wrong: its node's, or this one's.
        if stale {
            return Err(HeartbeatRefusal::Misdated { apart: heartbeat::apart(said.at, now) });
        }
        if known.is_none() && self.nodes.len() >= NODES_MAX && !self.has_gone() {
            return Err(HeartbeatRefusal::Full);
        }
        if !old && known.is_some_and(|known| known.taken.takes_one(now).is_none()) {
            return Err(HeartbeatRefusal::TooOften);
        }
        Ok((!old).then_some((heartbeat, user)))
    }

    /// Whether enough nodes of this person are shown that come before this one.
    fn crowded_out(&self, user: &Identity, node: &NodeId) -> bool {
        self.users.get(user).is_some_and(|nodes| {
            nodes.len() >= NODES_PER_PERSON && !nodes.contains(node) && nodes.last().is_some_and(|last| last < node)
        })
    }

    fn has_gone(&self) -> bool {
        self.live < self.nodes.len()
    }

    /// Takes a verified heartbeat that is newer than what is known of its node.
    pub(super) fn take(&mut self, heard: Heard, bytes: Vec<u8>, now: Timestamp, out: &mut Vec<Output>) {
        let Heard { user, heartbeat, first, age } = heard;
        let (said, node) = (heartbeat.statement().clone(), NodeId::from(heartbeat.author()));
        if !self.nodes.contains_key(&node) && self.nodes.len() >= NODES_MAX {
            let oldest =
                self.due.iter().find(|(_, node)| self.nodes.get(node).is_some_and(|known| known.gone)).copied();
            let Some(oldest) = oldest else { return };
            self.due.remove(&oldest);
            self.nodes.remove(&oldest.1);
        }
        let seen = Timestamp::from_millis(first.as_millis().saturating_sub(age.as_millis() as u64));
        let expires = seen.plus(said.valid_for).min(said.stale_after());
        let gone = said.leaving || expires <= now;
        if !gone && self.crowded_out(&user, &node) {
            return;
        }
        let until = if gone { now.plus(TOMBSTONE_LASTS) } else { expires };
        let rank = (said.session, said.number, heartbeat.hash());
        let taken = self.nodes.get(&node).map(|known| known.taken).unwrap_or_default();
        let taken = taken.takes_one(now).unwrap_or(taken);
        let known = Known { user, rank, said, bytes, seen, until, gone, taken };
        self.replace(node, Some(known), false, out);
        let one_too_many = self.users.get(&user).filter(|nodes| nodes.len() > NODES_PER_PERSON);
        if let Some(last) = one_too_many.and_then(|nodes| nodes.last().copied()) {
            self.replace(last, None, true, out);
        }
    }

    /// Ends what is over. The own node speaks for itself.
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

    /// Replaces a node's state and emits the differences.
    fn replace(&mut self, node: NodeId, new: Option<Known>, silent: bool, out: &mut Vec<Output>) {
        let old = self.nodes.remove(&node);
        if let Some(old) = &old {
            self.due.remove(&(old.until, node));
        }
        let before = old.filter(|old| !old.gone);
        let after = new.as_ref().filter(|new| !new.gone);
        let mut tell = |event| out.push(Output::Event(event));
        let same_user = before.as_ref().map(|old| old.user) == after.map(|new| new.user);
        // Come first, then go: who moves from one channel to another is never nowhere.
        if let Some(new) = after {
            let nodes = self.users.entry(new.user).or_default();
            if nodes.insert(node) {
                self.live += usize::from(before.is_none());
                if nodes.len() == 1 {
                    tell(Event::UserOnline { user: new.user, node });
                }
                tell(Event::NodeUp { user: new.user, node });
            }
            for channel in &new.said.channels {
                let stays = same_user && before.as_ref().is_some_and(|old| old.said.channels.contains(channel));
                if !stays {
                    let count = self.channels.entry(channel.clone()).or_default().entry(new.user).or_default();
                    *count += 1;
                    if *count == 1 {
                        tell(Event::Joined { user: new.user, channel: channel.clone() });
                    }
                }
            }
        }
        if let Some(old) = &before {
            for channel in &old.said.channels {
                let stays = same_user && after.is_some_and(|new| new.said.channels.contains(channel));
                if !stays && leave(&mut self.channels, channel, &old.user) {
                    tell(Event::Left { user: old.user, channel: channel.clone() });
                }
            }
            if !same_user {
                self.live -= usize::from(after.is_none());
                tell(Event::NodeDown { user: old.user, node, silent });
                let last = self.users.get_mut(&old.user).is_some_and(|nodes| nodes.remove(&node) && nodes.is_empty());
                if last {
                    self.users.remove(&old.user);
                    tell(Event::UserOffline { user: old.user });
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

    pub(super) fn user(&self, user: &Identity) -> Option<User> {
        let nodes = self.users.get(user)?;
        let known = nodes.iter().filter_map(|node| Some((*node, self.nodes.get(node)?)));
        let nodes: Vec<Device> = known
            .map(|(node, known)| Device {
                node,
                seen: known.seen,
                expires: known.until,
                channels: known.said.channels.clone(),
            })
            .collect();
        let channels = nodes.iter().flat_map(|device| device.channels.iter().cloned()).collect();
        Some(User { user: *user, nodes, channels })
    }

    pub(super) fn channel_users(&self, channel: &ChannelName) -> Vec<Identity> {
        self.channels.get(channel).map(|users| users.keys().copied().collect()).unwrap_or_default()
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.channels.iter().map(|(channel, users)| (channel, users.len()))
    }

    pub(super) fn owner(&self, node: &NodeId) -> Option<Identity> {
        self.nodes.get(node).filter(|known| !known.gone).map(|known| known.user)
    }

    pub(super) fn nodes_in(&self, channel: &ChannelName) -> impl Iterator<Item = NodeId> {
        let users = self.channels.get(channel).into_iter().flat_map(BTreeMap::keys);
        let nodes = users.filter_map(|user| self.users.get(user)).flatten();
        nodes.filter(|node| self.nodes.get(node).is_some_and(|known| known.said.channels.contains(channel))).copied()
    }

    pub(super) fn sightings(&self, have: &BTreeSet<u64>, now: Timestamp) -> Vec<Sighting> {
        let fresh = self.nodes.values().filter(|known| known.said.stale_after() >= now);
        let sighting = |known: &Known| {
            let short = short_of(&known.rank.2);
            let age = Duration::from_millis(now.as_millis().saturating_sub(known.seen.as_millis()));
            (!have.contains(&short)).then(|| Sighting { bytes: known.bytes.clone(), age, short })
        };
        fresh.filter_map(sighting).collect()
    }

    /// Whether the newest heartbeat of its node is this one, to the byte.
    pub(super) fn has(&self, bytes: &[u8]) -> bool {
        let known = bytes.first_chunk().and_then(|node| self.nodes.get(&NodeId::from(Identity::from_trusted(*node))));
        known.is_some_and(|known| known.bytes == bytes)
    }

    /// The newest heartbeat of a node, unless it is stale.
    pub(super) fn newest(&self, node: &NodeId, now: Timestamp) -> Option<&[u8]> {
        self.nodes.get(node).filter(|known| known.said.stale_after() >= now).map(|known| known.bytes.as_slice())
    }

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
fn leave(
    channels: &mut BTreeMap<ChannelName, BTreeMap<Identity, usize>>,
    channel: &ChannelName,
    user: &Identity,
) -> bool {
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
