//! Presence: which people are online, on which nodes, in which channels. A state machine without I/O and clock.
//!
//! A node broadcasts a signed *heartbeat* with its whole state: person, channels, how long it is valid. There is no
//! "join" message that could be lost: of each node the heartbeat with the highest `(session, number)` counts. So any
//! order, repetition or loss leads to the same roster, and only the node itself can join, leave or say goodbye.
//!
//! # Two keys
//! The node signs its heartbeats with the node's own key. That the node belongs to a person is a statement of the
//! person ([`Attendance`]), signed once for 30 days and carried by each heartbeat. The person's key can stay locked in
//! between.
//!
//! # Silence and clocks
//! A heartbeat is valid for the time it states, 60 seconds in a small network, counted by the *receiver's* clock from
//! the first reception. Clocks may differ by [`CLOCK_SKEW`](crate::limits::CLOCK_SKEW); the date inside a heartbeat
//! serves to refuse stale and future ones. Alice's node `n1`, as seen by Bob's node:
//!
//! | time | what happens | Bob's node |
//! |---|---|---|
//! | 0 s | `n1` registers Alice, sends number 1 | `UserOnline`, `NodeUp`; expires at 60 s |
//! | 22 s | `n1` joins `#general`, sends number 2 | `Joined`; expires at 82 s |
//! | 25 s | Alice's laptop is closed without a goodbye | nothing |
//! | 50 s | Carol's node comes and asks Bob's for sightings | sends number 2, 28 s old; it expires at 82 s there, too |
//! | 60 s | a peer sends number 1 again | refused, `Replayed`: number 2 was received more than 30 s before |
//! | 82 s | | `Left`, `NodeDown { silent: true }`, `UserOffline` |
//!
//! A node that is gone is remembered as a tombstone until every heartbeat of it would be refused by its date; no old
//! heartbeat can bring it back. Nothing else is durable.
//!
//! # Who gets it
//! One gossip topic of the whole network carries every heartbeat, and a node requests the roster of each peer that it
//! connects to: a person's followers and the members of a channel that no one has joined yet are not known to the one who is online, so a
//! topic for each of them would first have to say who they are. A heartbeat is at most [`HEARTBEAT_MAX_BYTES`], and all nodes
//! together send [`pace::HEARTBEATS_PER_SECOND`], so they cost each node at most 10 KiB/s.
//!
//! - the statement and its signature: [`heartbeat`]; how often it is sent: [`pace`]; everything a node knows: `roster`

pub mod heartbeat;
pub mod pace;
mod roster;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::chat::ChannelName;
use crate::identity::Topic;
use crate::keys::{Did, SecretKey};
use crate::signed::{Authored, Signed};
use crate::time::Timestamp;
pub use heartbeat::{
    Attendance, CHANNELS_MAX, HEARTBEAT_MAX_BYTES, Heartbeat, HeartbeatRefusal, NodeId, SignedHeartbeat,
};
pub use roster::{Acquaintances, Device, NODES_MAX, User};
use roster::{Nobody, Reception, Roster};

/// Delay before a node that received a newer heartbeat of itself answers with its own state. Two running copies of one
/// profile would otherwise outdo each other in a loop.
const RESEND_AFTER: Duration = Duration::from_secs(5);

/// A clock that is earlier than at the last tick by more than this was set back.
const SET_BACK_BY: Duration = Duration::from_secs(10);

/// One thing that happens to a node's presence.
#[derive(Clone, Debug)]
pub enum Input {
    /// Registers the person on this node, with these channels. The attendance must name this node and be valid still.
    RegisterUser { attendance: Box<Authored<Attendance>>, channels: BTreeSet<ChannelName> },
    /// Removes the person from this node and from every channel on it; sends a goodbye.
    UnregisterUser,
    /// Adds a channel. Idempotent; refused for a user who is not registered here.
    JoinChannel { user: Did, channel: ChannelName },
    /// Removes a channel. No error when the user or the channel is unknown.
    LeaveChannel { user: Did, channel: ChannelName },
    /// A heartbeat received on gossip, so it should be recent.
    Heard(Vec<u8>),
    /// A heartbeat from a peer's roster, first received `age` ago. An old one is no fault of the peer.
    Told { bytes: Vec<u8>, age: Duration },
    /// Some time has passed. Expires silent nodes and sends the next heartbeat when it is due.
    Tick,
}

/// What the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Broadcast this heartbeat of the own node.
    Say(Vec<u8>),
    /// The received heartbeat was new: it is worth forwarding.
    PassOn,
    Event(Event),
}

/// What changed in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first node of a person came online.
    UserOnline { user: Did, node: NodeId },
    /// The last node of a person went offline.
    UserOffline { user: Did },
    /// The first of a person's nodes entered the channel.
    Joined { user: Did, channel: ChannelName },
    /// The last of a person's nodes left the channel.
    Left { user: Did, channel: ChannelName },
    /// One more node of a person came online.
    NodeUp { user: Did, node: NodeId },
    /// A node said goodbye (`silent: false`) or was silent for too long.
    NodeDown { user: Did, node: NodeId, silent: bool },
}

impl Event {
    /// The person the event is about.
    pub fn user(&self) -> &Did {
        match self {
            Self::UserOnline { user, .. }
            | Self::UserOffline { user }
            | Self::Joined { user, .. }
            | Self::Left { user, .. }
            | Self::NodeUp { user, .. }
            | Self::NodeDown { user, .. } => user,
        }
    }
}

/// Why an input was not carried out. The state is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    #[error("this user is not registered on this node")]
    UnknownUser,
    #[error("a node is in at most {CHANNELS_MAX} channels")]
    TooManyChannels,
    #[error("the attendance is of another node, or its time is over")]
    Attendance,
    #[error(transparent)]
    Refused(#[from] HeartbeatRefusal),
}

/// A heartbeat as one peer hands it to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub bytes: Vec<u8>,
    /// Time since its first reception; the receiver subtracts it from the validity.
    pub age: Duration,
    /// [`short_of`](crate::chat::history::short_of) the heartbeat's hash.
    pub short: u64,
}

/// One node's view of all nodes, itself included, and its own state.
pub struct Presence {
    topic: Topic,
    node: SecretKey,
    me: NodeId,
    session: Timestamp,
    number: u64,
    attendance: Option<Authored<Attendance>>,
    channels: BTreeSet<ChannelName>,
    /// When the next heartbeat is due; `None` while no person is registered.
    due: Option<Timestamp>,
    ticked: Timestamp,
    roster: Roster,
}

impl Presence {
    /// A node without a person. `session` must be later than that of every earlier run of this node; the start time
    /// serves.
    pub fn new(topic: Topic, node: SecretKey, session: Timestamp) -> Self {
        Self::with_room(topic, node, session, NODES_MAX, Box::new(Nobody))
    }

    /// The same with room for so many nodes, in which strangers make room for others.
    pub fn with_room(
        topic: Topic,
        node: SecretKey,
        session: Timestamp,
        nodes_max: usize,
        people: Box<dyn Acquaintances>,
    ) -> Self {
        let me = NodeId::from(node.public());
        let (attendance, channels) = Default::default();
        let roster = Roster::new(nodes_max, people);
        Self { topic, node, me, session, number: 0, attendance, channels, due: None, ticked: session, roster }
    }

    /// Processes one input at `now`. Errors concern this node's own acts or a refused heartbeat; they change nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<Vec<Output>, PresenceError> {
        let mut out = Vec::new();
        match input {
            Input::RegisterUser { attendance, channels } => {
                let good = attendance.statement().node == self.me && attendance.statement().until > now;
                if !good {
                    return Err(PresenceError::Attendance);
                }
                if channels.len() > CHANNELS_MAX {
                    return Err(PresenceError::TooManyChannels);
                }
                (self.attendance, self.channels) = (Some(*attendance), channels);
                self.send_heartbeat(false, now, &mut out);
            }
            Input::UnregisterUser => {
                if self.attendance.is_some() {
                    self.channels.clear();
                    self.send_heartbeat(true, now, &mut out);
                    self.attendance = None;
                    self.due = None;
                }
            }
            Input::JoinChannel { user, channel } => {
                self.is_here(&user)?;
                if self.channels.len() >= CHANNELS_MAX && !self.channels.contains(&channel) {
                    return Err(PresenceError::TooManyChannels);
                }
                if self.channels.insert(channel) {
                    self.send_heartbeat(false, now, &mut out);
                }
            }
            Input::LeaveChannel { user, channel } => {
                if self.is_here(&user).is_ok() && self.channels.remove(&channel) {
                    self.send_heartbeat(false, now, &mut out);
                }
            }
            Input::Heard(bytes) => self.receive(&bytes, None, now, &mut out)?,
            Input::Told { bytes, age } => self.receive(&bytes, Some(age), now, &mut out)?,
            Input::Tick => {
                if now.plus(SET_BACK_BY) < self.ticked {
                    // What was to come then would be far away.
                    self.roster.set_back(now);
                    self.due = self.due.map(|due| due.min(now));
                }
                self.ticked = now;
                self.roster.expire(now, Some(self.me), &mut out);
                if self.due.is_some_and(|due| due <= now) {
                    self.send_heartbeat(false, now, &mut out);
                }
            }
        }
        Ok(out)
    }

    /// Fails unless `user` is the person registered on this node.
    fn is_here(&self, user: &Did) -> Result<(), PresenceError> {
        let own = self.attendance.as_ref().map(Authored::author);
        if own == Some(*user) { Ok(()) } else { Err(PresenceError::UnknownUser) }
    }

    /// Applies an own heartbeat to the roster before it is sent.
    fn send_heartbeat(&mut self, leaving: bool, now: Timestamp, out: &mut Vec<Output>) {
        let Some(attendance) = &self.attendance else { return };
        self.number += 1;
        let interval = pace::interval(self.roster.live());
        let mut heartbeat = Heartbeat {
            attendance: heartbeat::encode_attendance(attendance),
            session: self.session,
            number: self.number,
            at: now,
            valid_for: pace::valid_for(interval),
            leaving,
            channels: Vec::new(),
        };
        heartbeat.name_channels(&self.channels);
        let signed = Signed::sign(&self.node, &self.topic, heartbeat);
        let bytes = signed.encode();
        self.due = Some(now.plus(pace::spread(interval, &signed.hash())));
        let (user, attended) = (attendance.author(), attendance.statement().until);
        let reception = Reception { user, attended, heartbeat: signed, first: now, age: Duration::ZERO };
        self.roster.take(reception, bytes.clone(), now, out);
        out.push(Output::Say(bytes));
    }

    /// Takes a heartbeat, from gossip (`age` is `None`) or from a peer's roster.
    fn receive(
        &mut self,
        bytes: &[u8],
        age: Option<Duration>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<(), PresenceError> {
        let heartbeat = self.roster.verify(bytes, &self.topic, age.is_some(), now)?;
        let Some((heartbeat, (user, attended))) = heartbeat else { return Ok(()) };
        if NodeId::from(heartbeat.signer()) == self.me {
            self.outdo_own(&heartbeat, now);
            return Ok(());
        }
        if age.is_none() {
            out.push(Output::PassOn);
        }
        let age = age.unwrap_or_default();
        self.roster.take(Reception { user, attended, heartbeat, first: now, age }, bytes.to_vec(), now, out);
        Ok(())
    }

    /// Moves past a newer heartbeat of this node itself: an earlier run had a clock that was ahead, or another copy of
    /// the profile runs. Other nodes ignore this run until it sends a higher number.
    fn outdo_own(&mut self, heartbeat: &SignedHeartbeat, now: Timestamp) {
        let statement = heartbeat.statement();
        if (statement.session, statement.number) > (self.session, self.number) {
            (self.session, self.number) = (statement.session, statement.number);
            // Until then all other nodes keep the state of the earlier run.
            let soon = now.plus(RESEND_AFTER);
            self.due = self.due.map(|due| due.min(soon));
        }
    }

    /// The id of this node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The person this node shows as online.
    pub fn registered(&self) -> Option<Did> {
        self.attendance.as_ref().map(Authored::author)
    }

    /// All people who are online, with their nodes and channels, in the order of their keys.
    pub fn users(&self) -> Vec<User> {
        self.roster.users()
    }

    /// One person who is online, or `None`.
    pub fn user(&self, user: &Did) -> Option<User> {
        self.roster.user(user)
    }

    /// The people in a channel, in the order of their keys; empty for an unknown one.
    pub fn channel_users(&self, channel: &ChannelName) -> Vec<Did> {
        self.roster.channel_users(channel)
    }

    /// Every channel with at least one person, and the number of people in it.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.roster.channels()
    }

    /// The person whose node this is, or `None` while the node is offline.
    pub fn owner(&self, node: &NodeId) -> Option<Did> {
        self.roster.owner(node)
    }

    /// Nodes that are in a channel, this one apart.
    pub fn members(&self, channel: &ChannelName) -> Vec<NodeId> {
        self.roster.nodes_in(channel).filter(|node| *node != self.me).collect()
    }

    /// The heartbeats that a peer lacks which lists `have` ([`short_of`](crate::chat::history::short_of)), goodbyes
    /// included, stale ones left out.
    pub fn sightings(&self, have: &BTreeSet<u64>, now: Timestamp) -> Vec<Sighting> {
        self.roster.sightings(have, now)
    }

    /// This node's own newest heartbeat, a goodbye included. Returns `None` if it is so old that others would refuse
    /// it.
    pub fn own_newest(&self, now: Timestamp) -> Option<Vec<u8>> {
        self.roster.newest(&self.me, now).map(<[u8]>::to_vec)
    }

    /// Whether this heartbeat is known and the newest of its node.
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.roster.has(bytes)
    }

    /// The short ids of all known heartbeats, for [`Presence::sightings`] of another node.
    pub fn have(&self) -> Vec<u64> {
        self.roster.have()
    }

    /// The number of nodes online.
    pub fn live(&self) -> usize {
        self.roster.live()
    }

    /// The number of nodes remembered, tombstones included; at most `NODES_MAX`.
    pub fn remembered(&self) -> usize {
        self.roster.remembered()
    }
}

#[cfg(test)]
mod tests;
