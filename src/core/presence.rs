//! Who is online, on which nodes, in which channels: a state machine.
//!
//! - A node says its whole state at once, signed by its own key; the newest `(session, number)` counts. So any order,
//!   repetition or loss of heartbeats leads to the same roster, and only the node itself joins, leaves or says goodbye.
//! - Whose node it is, the person says ([`Attendance`]); the person's key need not be open for every heartbeat.
//! - Silence ends it: a heartbeat is valid for as long as it states, by the receiver's clock, from its first reception.
//! - Nothing of it is durable; what is past is remembered just long enough that no old heartbeat rises again.
//!
//! It does no I/O and asks no clock. What is said: [`heartbeat`]; how often: [`pace`]; the picture: `roster`.

pub mod heartbeat;
pub mod pace;
mod roster;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::chat::ChannelName;
use crate::identity::{Identity, Signed, SigningIdentity, Topic};
use crate::time::Timestamp;
pub use heartbeat::{
    Attendance, CHANNELS_MAX, HEARTBEAT_MAX_BYTES, Heartbeat, HeartbeatRefusal, NodeId, SignedHeartbeat,
};
pub use roster::{Device, User};
use roster::{Heard, Roster};

/// A node that receives a newer heartbeat of itself sends its own state again after this time: two copies of one
/// profile must not outdo each other without end.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A clock that is so much earlier than at the last look was set.
const SET_BACK_BY: Duration = Duration::from_secs(10);

/// One thing that happens to a node's presence.
#[derive(Clone, Debug)]
pub enum Input {
    /// `register_user`: this node is its person's from now on, and in these channels. The attendance names this node.
    RegisterUser { attendance: Box<Signed<Attendance>>, channels: BTreeSet<ChannelName> },
    /// `unregister_user`: the person is gone from this node, and from every channel on it.
    UnregisterUser,
    /// `join_channel`. Idempotent.
    JoinChannel { user: Identity, channel: ChannelName },
    /// `leave_channel`. No fault when the user or the channel is unknown.
    LeaveChannel { user: Identity, channel: ChannelName },
    /// Somebody's heartbeat as it was said just now.
    Heard(Vec<u8>),
    /// A heartbeat as a peer has it, first received `age` ago.
    Told { bytes: Vec<u8>, age: Duration },
    /// Some time has passed.
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To everybody.
    Say(Vec<u8>),
    /// The received heartbeat was new: it is worth forwarding.
    PassOn,
    Event(Event),
}

/// What changed in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first of their nodes came.
    UserOnline {
        user: Identity,
        node: NodeId,
    },
    /// The last of their nodes went.
    UserOffline {
        user: Identity,
    },
    Joined {
        user: Identity,
        channel: ChannelName,
    },
    Left {
        user: Identity,
        channel: ChannelName,
    },
    /// One more node of somebody.
    NodeUp {
        user: Identity,
        node: NodeId,
    },
    /// It said goodbye, or was silent for too long.
    NodeDown {
        user: Identity,
        node: NodeId,
        silent: bool,
    },
}

impl Event {
    /// The person it is about.
    pub fn user(&self) -> &Identity {
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

/// Why an act of this node's own did not happen.
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

/// A heartbeat, and how long ago it was first received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub bytes: Vec<u8>,
    pub age: Duration,
    /// [`short_of`](crate::chat::history::short_of) the heartbeat's hash.
    pub short: u64,
}

/// One node's view of everybody, itself included.
pub struct Presence {
    topic: Topic,
    node: SigningIdentity,
    me: NodeId,
    session: Timestamp,
    number: u64,
    attendance: Option<Signed<Attendance>>,
    channels: BTreeSet<ChannelName>,
    /// When the next heartbeat is due; `None` while no person is registered.
    due: Option<Timestamp>,
    ticked: Timestamp,
    roster: Roster,
}

impl Presence {
    /// `session` is later than that of every run of this node before.
    pub fn new(topic: Topic, node: SigningIdentity, session: Timestamp) -> Self {
        let me = NodeId::from(node.identity());
        let (attendance, channels, roster) = Default::default();
        Self { topic, node, me, session, number: 0, attendance, channels, due: None, ticked: session, roster }
    }

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
                self.say(false, now, &mut out);
            }
            Input::UnregisterUser => {
                if self.attendance.is_some() {
                    self.channels.clear();
                    self.say(true, now, &mut out);
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
                    self.say(false, now, &mut out);
                }
            }
            Input::LeaveChannel { user, channel } => {
                if self.is_here(&user).is_ok() && self.channels.remove(&channel) {
                    self.say(false, now, &mut out);
                }
            }
            Input::Heard(bytes) => self.hear(&bytes, None, now, &mut out)?,
            Input::Told { bytes, age } => self.hear(&bytes, Some(age), now, &mut out)?,
            Input::Tick => {
                if now.plus(SET_BACK_BY) < self.ticked {
                    // What was to come then would be far away.
                    self.roster.set_back(now);
                    self.due = self.due.map(|due| due.min(now));
                }
                self.ticked = now;
                self.roster.expire(now, Some(self.me), &mut out);
                if self.due.is_some_and(|due| due <= now) {
                    self.say(false, now, &mut out);
                }
            }
        }
        Ok(out)
    }

    fn is_here(&self, user: &Identity) -> Result<(), PresenceError> {
        let own = self.attendance.as_ref().map(Signed::author);
        if own == Some(*user) { Ok(()) } else { Err(PresenceError::UnknownUser) }
    }

    /// Applies an own heartbeat to the roster before it is sent.
    fn say(&mut self, leaving: bool, now: Timestamp, out: &mut Vec<Output>) {
        let Some(attendance) = &self.attendance else { return };
        self.number += 1;
        let interval = pace::interval(self.roster.live());
        let heartbeat = Heartbeat {
            attendance: attendance.encode(),
            session: self.session,
            number: self.number,
            at: now,
            valid_for: pace::valid_for(interval),
            leaving,
            channels: self.channels.iter().cloned().collect(),
        };
        let signed = Signed::sign(&self.node, &self.topic, heartbeat);
        let bytes = signed.encode();
        self.due = Some(now.plus(pace::spread(interval, &signed.hash())));
        let heard = Heard { user: attendance.author(), heartbeat: signed, first: now, age: Duration::ZERO };
        self.roster.take(heard, bytes.clone(), now, out);
        out.push(Output::Say(bytes));
    }

    fn hear(
        &mut self,
        bytes: &[u8],
        age: Option<Duration>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<(), PresenceError> {
        let heartbeat = self.roster.verify(bytes, &self.topic, age.is_some(), now)?;
        let Some((heartbeat, user)) = heartbeat else { return Ok(()) };
        if NodeId::from(heartbeat.author()) == self.me {
            self.hear_of_myself(&heartbeat, now);
            return Ok(());
        }
        if age.is_none() {
            out.push(Output::PassOn);
        }
        let age = age.unwrap_or_default();
        self.roster.take(Heard { user, heartbeat, first: now, age }, bytes.to_vec(), now, out);
        Ok(())
    }

    /// An earlier run of this node had a clock that went ahead: what is said now must be newer all the same.
    fn hear_of_myself(&mut self, heartbeat: &SignedHeartbeat, now: Timestamp) {
        let said = heartbeat.statement();
        if (said.session, said.number) > (self.session, self.number) {
            (self.session, self.number) = (said.session, said.number);
            // Everybody else believes the older one until then.
            let soon = now.plus(SAID_AGAIN_AFTER);
            self.due = self.due.map(|due| due.min(soon));
        }
    }

    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The person this node shows as online.
    pub fn registered(&self) -> Option<Identity> {
        self.attendance.as_ref().map(Signed::author)
    }

    /// `get_users`: everybody who is online, with their nodes and channels.
    pub fn users(&self) -> Vec<User> {
        self.roster.users()
    }

    pub fn user(&self, user: &Identity) -> Option<User> {
        self.roster.user(user)
    }

    /// `get_channel_users`: the people in a channel; empty for an unknown one.
    pub fn channel_users(&self, channel: &ChannelName) -> Vec<Identity> {
        self.roster.channel_users(channel)
    }

    /// Every channel that somebody is in, and how many people are.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, usize)> {
        self.roster.channels()
    }

    /// Whose node it is, while that is online.
    pub fn owner(&self, node: &NodeId) -> Option<Identity> {
        self.roster.owner(node)
    }

    /// Nodes that are in a channel, this one apart.
    pub fn members(&self, channel: &ChannelName) -> Vec<NodeId> {
        self.roster.nodes_in(channel).filter(|node| *node != self.me).collect()
    }

    /// What a peer that knows `have` lacks, goodbyes included.
    pub fn sightings(&self, have: &BTreeSet<u64>, now: Timestamp) -> Vec<Sighting> {
        self.roster.sightings(have, now)
    }

    /// This node's own newest heartbeat, a goodbye included. Returns `None` if it is so old that others would refuse it.
    pub fn own_newest(&self, now: Timestamp) -> Option<Vec<u8>> {
        self.roster.newest(&self.me, now).map(<[u8]>::to_vec)
    }

    /// Whether this heartbeat is known and the newest of its node.
    pub fn has(&self, bytes: &[u8]) -> bool {
        self.roster.has(bytes)
    }

    /// What names the heartbeats that are known, for [`Presence::sightings`] of another node.
    pub fn have(&self) -> Vec<u64> {
        self.roster.have()
    }

    /// Nodes online.
    pub fn live(&self) -> usize {
        self.roster.live()
    }

    /// Nodes remembered, gone ones too.
    pub fn remembered(&self) -> usize {
        self.roster.remembered()
    }
}

#[cfg(test)]
mod tests;
