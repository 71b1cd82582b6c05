//! Presence and channels between this node and its peers: gossip is judged, questions are asked and answered.
//!
//! What is true is decided by `presence` and `channels`; here is who is to blame for what, and how much of it is too
//! much.

mod client;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::channel::mpsc;

use crate::Node;
use crate::RequestId;
use crate::channels::ReceiveOutcome;
use crate::errors;
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::{GossipTicket, GossipTopic, MeshHandle, MessageAcceptance};
use crate::store::StoreError;
use gen_registry_api::*;
use gen_registry_core::chat::ChannelName;
use gen_registry_core::presence::{HeartbeatRefusal, Input, PresenceError};
use gen_registry_core::sync::chat::rates::{PassedOn, PeerRates, SPEAKERS_REMEMBERED};
use gen_registry_core::sync::rejection::{Rejection, of_heartbeat};
use gen_registry_core::time::Timestamp;
pub(crate) use server::serve;

/// How often is looked at who is silent and what is due.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// A channel whose history is wanted: of its members, or of this one.
pub(crate) struct HistoryRequest {
    pub(crate) channel: ChannelName,
    pub(crate) from: Option<NetPeerId>,
}

#[derive(Default)]
pub(crate) struct ChatPeers {
    rates: BTreeMap<NetPeerId, PeerRates>,
    passed_on: PassedOn,
    /// The task that asks peers for history, once it runs.
    wanted: Option<mpsc::UnboundedSender<HistoryRequest>>,
    /// How far the clocks of peers are ahead of this device's, in milliseconds, of those that are too far from it.
    clocks: BTreeMap<NetPeerId, i64>,
    history_due: Timestamp,
    seek_due: Timestamp,
}

impl ChatPeers {
    pub(crate) fn ask_for_history(&self, channel: ChannelName, from: Option<NetPeerId>) {
        if let Some(wanted) = &self.wanted {
            // Without peers there is none to ask.
            wanted.unbounded_send(HistoryRequest { channel, from }).ok();
        }
    }

    fn note_clock(&mut self, peer: NetPeerId, apart: i64, connected: &[NetPeerId]) {
        self.clocks.retain(|peer, _| connected.contains(peer));
        self.clocks.insert(peer, apart);
    }

    fn rates(&mut self, peer: NetPeerId, connected: &[NetPeerId]) -> &mut PeerRates {
        if self.rates.len() >= SPEAKERS_REMEMBERED && !self.rates.contains_key(&peer) {
            self.rates.retain(|peer, _| connected.contains(peer));
        }
        self.rates.entry(peer).or_default()
    }
}

impl Node {
    /// Takes part from now on. What is returned are the channels whose history is to be asked for.
    pub(crate) async fn open_chat(
        &self,
        key: &NodeKey,
        mesh: &MeshHandle,
    ) -> Result<mpsc::UnboundedReceiver<HistoryRequest>, StoreError> {
        self.open_channels().await?;
        self.open_presence(key).await?;
        for channel in self.channels.borrow().names() {
            mesh.subscribe(self.gossip_of(&channel));
        }
        // Unbounded: one request for each channel that this profile or a connected person joins.
        let (wanted, wants) = mpsc::unbounded();
        *self.talk.borrow_mut() = ChatPeers { wanted: Some(wanted), ..ChatPeers::default() };
        Ok(wants)
    }

    pub(crate) async fn handle_chat(&self, id: Option<RequestId>, ask: ChatCommand) -> Result<Answer, Failure> {
        self.open_channels().await.map_err(errors::store_failed)?;
        match ask {
            ChatCommand::Register { username } => self.register_user(username.as_deref()).await?,
            ChatCommand::Unregister { username } => self.unregister_user(username.as_deref()).await,
            ChatCommand::SetInvisible { invisible } => self.set_invisible(invisible).await?,
            ChatCommand::Users => {}
            ChatCommand::ChannelUsers { channel } => {
                let users = channel.parse().map(|channel| self.online_in(&channel)).unwrap_or_default();
                return Ok(Answer::ChannelUsers(users));
            }
            ChatCommand::Say { channel, text } => return Ok(Answer::Said(self.say(id, &channel, &text).await?)),
            ChatCommand::SetTopicLine { channel, text } => {
                return Ok(Answer::Said(self.set_topic_line(id, &channel, &text).await?));
            }
            ChatCommand::Messages { channel, before, limit } => {
                let page = self.message_page(&channel, before.as_deref(), limit)?;
                return Ok(Answer::Messages(Box::new(page)));
            }
            of_channels => {
                self.change_channels(of_channels).await?;
                return Ok(Answer::Channels(self.channel_entries()));
            }
        }
        Ok(Answer::Online(self.online_report()))
    }

    async fn change_channels(&self, ask: ChatCommand) -> Result<(), Failure> {
        match ask {
            ChatCommand::Join { username, channel } => self.join_channel(username.as_deref(), &channel).await,
            ChatCommand::Leave { username, channel } => self.leave_channel(username.as_deref(), &channel).await,
            ChatCommand::Mute { channel, muted } => self.mute_channel(&channel, muted).await,
            ChatCommand::MarkRead { channel } => self.mark_read(&channel).await,
            _ => Ok(()),
        }
    }

    /// Validates a gossip message. The forwarding peer answers for what no honest peer would forward.
    pub(crate) fn judge_talk(&self, ticket: &GossipTicket, bytes: &[u8]) -> MessageAcceptance {
        let (now, peer) = (self.environment.now(), ticket.from);
        let within = self.with_rates(peer, |rates| match ticket.topic {
            GossipTopic::Presence => rates.heartbeat(now),
            GossipTopic::Changes | GossipTopic::Channel(_) => rates.word(now),
        });
        if !within {
            self.note_rejection(
                peer,
                match ticket.topic {
                    GossipTopic::Presence => Rejection::TooManyHeartbeats,
                    GossipTopic::Changes | GossipTopic::Channel(_) => Rejection::TooManyMessagesOfAuthor,
                },
            );
            return MessageAcceptance::Ignore;
        }
        let verdict = match ticket.topic {
            GossipTopic::Presence => self.hear_heartbeat(peer, bytes),
            GossipTopic::Changes | GossipTopic::Channel(_) => self.hear_message(peer, bytes),
        };
        let mut talk = self.talk.borrow_mut();
        let may_pass = |talk: &mut ChatPeers| match ticket.topic {
            GossipTopic::Presence => talk.passed_on.heartbeat(now),
            GossipTopic::Changes | GossipTopic::Channel(_) => talk.passed_on.word(now),
        };
        if verdict == MessageAcceptance::Accept && !may_pass(&mut talk) { MessageAcceptance::Ignore } else { verdict }
    }

    fn with_rates<T>(&self, peer: NetPeerId, draw: impl FnOnce(&mut PeerRates) -> T) -> T {
        let connected = self.peering.borrow().connected();
        draw(self.talk.borrow_mut().rates(peer, &connected))
    }

    fn hear_heartbeat(&self, peer: NetPeerId, bytes: &[u8]) -> MessageAcceptance {
        let heard = self.present(Input::Heard(bytes.to_vec()));
        let speaker = bytes.first_chunk().and_then(NetPeerId::from_public_key);
        let refused = match heard {
            Ok(news) => {
                // The forwarding peer's clock is right.
                if let Some(speaker) = speaker.filter(|_| news) {
                    self.talk.borrow_mut().clocks.remove(&speaker);
                }
                return if news { MessageAcceptance::Accept } else { MessageAcceptance::Ignore };
            }
            Err(PresenceError::Refused(refused)) => refused,
            Err(_) => return MessageAcceptance::Ignore,
        };
        if let HeartbeatRefusal::Misdated { apart } = refused
            && speaker == Some(peer)
        {
            let connected = self.peering.borrow().connected();
            self.talk.borrow_mut().note_clock(peer, apart, &connected);
        }
        match of_heartbeat(refused) {
            // The signature shows who sends too often, by whichever peer it is forwarded.
            Some(why) if refused == HeartbeatRefusal::TooOften => {
                self.note_rejection(speaker.unwrap_or(peer), why);
                MessageAcceptance::Ignore
            }
            Some(Rejection::Misdated) => self.judge_date(peer, refused, speaker == Some(peer)),
            Some(why) => {
                self.note_rejection(peer, why);
                MessageAcceptance::Reject
            }
            None => MessageAcceptance::Ignore,
        }
    }

    /// One date can't show whose clock is wrong. Another node's message that comes far too late was withheld,
    /// unless this device is the one that is apart from all others.
    fn judge_date(&self, peer: NetPeerId, refused: HeartbeatRefusal, own_word: bool) -> MessageAcceptance {
        let late = matches!(refused, HeartbeatRefusal::Misdated { apart } if apart < 0);
        if late && !own_word && self.clock_apart().is_none() {
            self.note_rejection(peer, Rejection::Replayed);
            return MessageAcceptance::Reject;
        }
        self.note_rejection(peer, Rejection::Misdated);
        MessageAcceptance::Ignore
    }

    /// How far the clocks of most connected peers are ahead of this device's, in milliseconds; none while those of
    /// half of them agree with it.
    pub(crate) fn clock_apart(&self) -> Option<i64> {
        let connected = self.peering.borrow().connected();
        let talk = self.talk.borrow();
        let clocks = talk.clocks.iter().filter(|(peer, _)| connected.contains(peer));
        let mut apart: Vec<i64> = clocks.map(|(_, apart)| *apart).collect();
        apart.sort_unstable();
        (2 * apart.len() > connected.len()).then(|| apart[apart.len() / 2])
    }

    fn hear_message(&self, peer: NetPeerId, bytes: &[u8]) -> MessageAcceptance {
        match self.receive(bytes, true) {
            ReceiveOutcome::New => MessageAcceptance::Accept,
            ReceiveOutcome::Nothing => MessageAcceptance::Ignore,
            ReceiveOutcome::TooMuch(author) => {
                // The author, not the forwarding peer.
                for device in self.connected_nodes_of(&author) {
                    self.note_rejection(device, Rejection::TooManyMessagesOfAuthor);
                }
                MessageAcceptance::Ignore
            }
            ReceiveOutcome::Refused(why) => {
                self.note_rejection(peer, why);
                if why == Rejection::Misdated { MessageAcceptance::Ignore } else { MessageAcceptance::Reject }
            }
        }
    }
}
