//! Presence and channels between this node and its peers: validates gossip, asks peers (`client`), answers them
//! (`server`).
//!
//! Heartbeats and messages travel in two ways, which complement each other, since gossip may be lost:
//!
//! | way | carries | when |
//! |---|---|---|
//! | gossip | each heartbeat and each message, once | at once, to all subscribers |
//! | chat streams | what the asking side does not list | on a new link, after joining a channel, and once a minute |
//!
//! Which heartbeats and messages are valid is decided by `presence` and `channels`. Here it is decided which peer is at
//! fault if one is not. Everything is signed by its author, so two peers may be concerned, the author's node and the
//! forwarding peer:
//!
//! | what arrived | at fault | gossipsub's verdict |
//! |---|---|---|
//! | not decodable, or signed wrongly | the forwarding peer: it should have checked | Reject |
//! | too many heartbeats or messages of one author | the author's own nodes, if connected | Ignore |
//! | more messages than one peer may forward | the forwarding peer | Ignore |
//! | another node's heartbeat, dated long ago | the forwarding peer withheld it, unless this clock is wrong | Reject |
//! | dated wrongly in another way | the peer it came from, lightly: one of the two clocks is wrong | Ignore |
//!
//! Whether this device's clock is the wrong one is estimated from the peers: see [`Chat::clock_apart`].

mod client;
mod server;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;

use crate::RequestId;
use crate::channel_store::ChannelStore;
use crate::channels::{Channels, ReceiveOutcome};
use crate::context::Context;
use crate::errors;
use crate::history_requests::{HistoryRequest, HistoryRequests};
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::{GossipTicket, GossipTopic, MeshHandle, MessageAcceptance};
use crate::peers::PeerTable;
use crate::presence::PresenceService;
use crate::reputation::ReputationTracker;
use crate::store::StoreError;
use gen_registry_api::*;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::presence::{HeartbeatRefusal, Input, PresenceError};
use gen_registry_core::sync::chat::rates::{PassedOn, PeerRates, SPEAKERS_REMEMBERED};
use gen_registry_core::sync::rejection::{Rejection, of_heartbeat};
use gen_registry_core::time::Timestamp;
pub(crate) use server::serve;

/// How often silence is looked for and heartbeats, history and searches may become due.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// What is stored of each peer: its rates, and how far its clock is apart.
#[derive(Default)]
struct ChatPeers {
    /// The rates of peers: heartbeats, messages, requests, bytes of answers.
    rates: BTreeMap<NetPeerId, PeerRates>,
    /// The rate at which this node itself forwards, from all peers together.
    passed_on: PassedOn,
    /// How far the clocks of peers are ahead of this device's, in milliseconds, of those that are too far from it.
    clocks: BTreeMap<NetPeerId, i64>,
    /// When a member of each channel is asked next.
    history_due: Timestamp,
    /// When members of channels without a connected one are dialled next.
    seek_due: Timestamp,
}

impl ChatPeers {
    /// Records that a connected peer's clock is far apart.
    fn note_clock(&mut self, peer: NetPeerId, apart: i64, connected: &[NetPeerId]) {
        self.clocks.retain(|peer, _| connected.contains(peer));
        self.clocks.insert(peer, apart);
    }

    /// Returns the rates of a peer; forgets those of disconnected peers if there are too many.
    fn rates(&mut self, peer: NetPeerId, connected: &[NetPeerId], limits: &NodeLimits) -> &mut PeerRates {
        if self.rates.len() >= SPEAKERS_REMEMBERED && !self.rates.contains_key(&peer) {
            self.rates.retain(|peer, _| connected.contains(peer));
        }
        self.rates.entry(peer).or_insert_with(|| PeerRates::new(limits))
    }
}

/// The service that exchanges presence and messages with peers.
pub(crate) struct Chat {
    context: Rc<Context>,
    peers: Rc<PeerTable>,
    reputation: Rc<ReputationTracker>,
    presence: Rc<PresenceService>,
    channels: Rc<Channels>,
    store: Rc<ChannelStore>,
    history: Rc<HistoryRequests>,
    state: RefCell<ChatPeers>,
}

impl Chat {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        peers: Rc<PeerTable>,
        reputation: Rc<ReputationTracker>,
        presence: Rc<PresenceService>,
        channels: Rc<Channels>,
        store: Rc<ChannelStore>,
        history: Rc<HistoryRequests>,
    ) -> Self {
        Self { context, peers, reputation, presence, channels, store, history, state: RefCell::default() }
    }

    /// Begins to take part: subscribes to the joined channels. Returns the channels whose history is to be requested.
    pub(crate) async fn open(
        &self,
        key: &NodeKey,
        mesh: &MeshHandle,
    ) -> Result<mpsc::UnboundedReceiver<HistoryRequest>, StoreError> {
        self.store.open().await?;
        self.presence.open(key).await?;
        for channel in self.store.state().names() {
            mesh.subscribe(self.channels.gossip_topic(&channel));
        }
        *self.state.borrow_mut() = ChatPeers::default();
        Ok(self.history.open())
    }

    /// Carries out a command about presence or channels.
    pub(crate) async fn handle(&self, id: Option<RequestId>, command: ChatCommand) -> Result<Answer, Failure> {
        self.store.open().await.map_err(errors::store_failed)?;
        match command {
            ChatCommand::Register { username } => self.presence.register_user(username.as_deref()).await?,
            ChatCommand::Unregister { username } => self.presence.unregister_user(username.as_deref()).await,
            ChatCommand::SetInvisible { invisible } => self.presence.set_invisible(invisible).await?,
            ChatCommand::Users => {}
            ChatCommand::ChannelUsers { channel } => {
                let users = channel.parse().map(|channel| self.presence.online_in(&channel)).unwrap_or_default();
                return Ok(Answer::ChannelUsers(users));
            }
            ChatCommand::Say { channel, text } => {
                return Ok(Answer::Said(self.channels.say(id, &channel, &text).await?));
            }
            ChatCommand::SetTopicLine { channel, text } => {
                return Ok(Answer::Said(self.channels.set_topic_line(id, &channel, &text).await?));
            }
            ChatCommand::Messages { channel, before, limit } => {
                let page = self.channels.message_page(&channel, before.as_deref(), limit)?;
                return Ok(Answer::Messages(Box::new(page)));
            }
            on_channels => {
                self.change_channels(on_channels).await?;
                return Ok(Answer::Channels(self.channels.channel_entries()));
            }
        }
        Ok(Answer::Online(self.presence.report()))
    }

    /// Stores the messages received since the last time.
    pub(crate) async fn save_messages(&self) {
        self.store.flush().await;
    }

    /// Carries out the commands that change the list of channels.
    async fn change_channels(&self, command: ChatCommand) -> Result<(), Failure> {
        match command {
            ChatCommand::Join { username, channel } => self.channels.join_channel(username.as_deref(), &channel).await,
            ChatCommand::Leave { username, channel } => {
                self.channels.leave_channel(username.as_deref(), &channel).await
            }
            ChatCommand::Mute { channel, muted } => self.channels.mute_channel(&channel, muted).await,
            ChatCommand::MarkRead { channel } => self.channels.mark_read(&channel).await,
            _ => Ok(()),
        }
    }

    /// Validates a gossip message. The forwarding peer answers for what no honest peer would forward.
    pub(crate) fn validate_gossip(&self, ticket: &GossipTicket, bytes: &[u8]) -> MessageAcceptance {
        let (now, peer) = (self.context.environment.now(), ticket.from);
        let within = self.with_rates(peer, |rates| match ticket.topic {
            GossipTopic::Presence => rates.heartbeat(now),
            GossipTopic::Channel(_) => rates.word(now),
        });
        if !within {
            self.reputation.note_rejection(
                peer,
                match ticket.topic {
                    GossipTopic::Presence => Rejection::TooManyHeartbeats,
                    GossipTopic::Channel(_) => Rejection::TooManyMessagesOfAuthor,
                },
            );
            return MessageAcceptance::Ignore;
        }
        let verdict = match ticket.topic {
            GossipTopic::Presence => self.receive_heartbeat(peer, bytes),
            GossipTopic::Channel(_) => self.receive_message(peer, bytes),
        };
        let mut state = self.state.borrow_mut();
        let may_pass = |state: &mut ChatPeers| match ticket.topic {
            GossipTopic::Presence => state.passed_on.heartbeat(now),
            GossipTopic::Channel(_) => state.passed_on.word(now),
        };
        if verdict == MessageAcceptance::Accept && !may_pass(&mut state) { MessageAcceptance::Ignore } else { verdict }
    }

    /// Draws on the rates of a peer.
    fn with_rates<T>(&self, peer: NetPeerId, draw: impl FnOnce(&mut PeerRates) -> T) -> T {
        let connected = self.peers.connected();
        draw(self.state.borrow_mut().rates(peer, &connected, &self.context.limits))
    }

    /// Receives a heartbeat and decides who is at fault if it is refused.
    fn receive_heartbeat(&self, peer: NetPeerId, bytes: &[u8]) -> MessageAcceptance {
        let received = self.presence.handle(Input::Heard(bytes.to_vec()));
        let speaker = bytes.first_chunk().and_then(NetPeerId::from_public_key);
        let refused = match received {
            Ok(news) => {
                // The forwarding peer's clock is right.
                if let Some(speaker) = speaker.filter(|_| news) {
                    self.state.borrow_mut().clocks.remove(&speaker);
                }
                return if news { MessageAcceptance::Accept } else { MessageAcceptance::Ignore };
            }
            Err(PresenceError::Refused(refused)) => refused,
            Err(_) => return MessageAcceptance::Ignore,
        };
        if let HeartbeatRefusal::Misdated { apart } = refused
            && speaker == Some(peer)
        {
            let connected = self.peers.connected();
            self.state.borrow_mut().note_clock(peer, apart, &connected);
        }
        match of_heartbeat(refused) {
            // The signature shows who sends too often, by whichever peer it is forwarded.
            Some(why) if refused == HeartbeatRefusal::TooOften => {
                self.reputation.note_rejection(speaker.unwrap_or(peer), why);
                MessageAcceptance::Ignore
            }
            Some(Rejection::Misdated) => self.check_date(peer, refused, speaker == Some(peer)),
            Some(why) => {
                self.reputation.note_rejection(peer, why);
                MessageAcceptance::Reject
            }
            None => MessageAcceptance::Ignore,
        }
    }

    /// Decides about a heartbeat with a wrong date. One date can't show whose clock is wrong. Another node's message
    /// that comes far too late was withheld, unless this device is the one that is apart from all others.
    fn check_date(&self, peer: NetPeerId, refused: HeartbeatRefusal, is_own_node: bool) -> MessageAcceptance {
        let late = matches!(refused, HeartbeatRefusal::Misdated { apart } if apart < 0);
        if late && !is_own_node && self.clock_apart().is_none() {
            self.reputation.note_rejection(peer, Rejection::Replayed);
            return MessageAcceptance::Reject;
        }
        self.reputation.note_rejection(peer, Rejection::Misdated);
        MessageAcceptance::Ignore
    }

    /// Returns how far the clocks of most connected peers are ahead of this device's, in milliseconds, or `None` while
    /// those of half of them agree with it. For example, with five peers of which three are 420, 430 and 900 s ahead,
    /// it is 430 s: the person is advised to check this device's clock.
    pub(crate) fn clock_apart(&self) -> Option<i64> {
        let connected = self.peers.connected();
        let state = self.state.borrow();
        let clocks = state.clocks.iter().filter(|(peer, _)| connected.contains(peer));
        let mut apart: Vec<i64> = clocks.map(|(_, apart)| *apart).collect();
        apart.sort_unstable();
        (2 * apart.len() > connected.len()).then(|| apart[apart.len() / 2])
    }

    /// Receives a message and decides who is at fault if it is refused.
    fn receive_message(&self, peer: NetPeerId, bytes: &[u8]) -> MessageAcceptance {
        match self.channels.receive(bytes, true) {
            ReceiveOutcome::New => MessageAcceptance::Accept,
            ReceiveOutcome::Nothing => MessageAcceptance::Ignore,
            ReceiveOutcome::TooMuch(author) => {
                // The author, not the forwarding peer.
                for device in self.presence.connected_nodes_of(&author) {
                    self.reputation.note_rejection(device, Rejection::TooManyMessagesOfAuthor);
                }
                MessageAcceptance::Ignore
            }
            ReceiveOutcome::Refused(why) => {
                self.reputation.note_rejection(peer, why);
                if why == Rejection::Misdated { MessageAcceptance::Ignore } else { MessageAcceptance::Reject }
            }
        }
    }
}
