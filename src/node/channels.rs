//! Channels that this profile joined: joining, posting, receiving, and what was read.
//!
//! Everything here belongs to this device; none of it is in a document. Who is in which channel is decided by
//! `presence`; how messages travel, by `chat`. A message is a signed statement with the time of a hybrid logical clock
//! (Kulkarni et al., 2014; `core::chat::hybrid_clock`), so that an answer is never sorted before what it answers,
//! although clocks differ.
//!
//! Messages of peers are put into the log at once and stored once a second, since peers can send them again; own
//! messages are stored before they are shown.

mod view;

use std::rc::Rc;

use crate::RequestId;
use crate::channel_store::{self, ChannelRecord, ChannelState, ChannelStore, Joined};
use crate::context::Context;
use crate::decisions::Decisions;
use crate::errors;
use crate::history_requests::HistoryRequests;
use crate::key_store::KeyStore;
use crate::net::mesh::GossipTopic;
use crate::peers::PeerTable;
use crate::presence::PresenceService;
use crate::registry::Registry;
use crate::reputation::{Actor, ReputationTracker};
use crate::store::{Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::chat::history::{Log, MessageKey};
use gen_registry_core::chat::{Body, ChannelName, Message, SaidText, SignedMessage, TopicLine};
use gen_registry_core::keys::Did;
use gen_registry_core::log::Capability;
use gen_registry_core::presence::{CHANNELS_MAX, Input};
use gen_registry_core::signed::Authored;
use gen_registry_core::sync::chat::ChatFrame;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::ReputationEvent;

/// The outcome of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiveOutcome {
    /// It is new, and is stored and shown.
    New,
    /// It is known already, of a channel that is not joined, of a blocked person, or older than what is stored.
    Nothing,
    /// Its author sends too much.
    TooMuch(Did),
    /// It is invalid.
    Refused(Rejection),
}

/// The service of channels: joining, posting, receiving, and what was read.
pub(crate) struct Channels {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    reputation: Rc<ReputationTracker>,
    peers: Rc<PeerTable>,
    presence: Rc<PresenceService>,
    store: Rc<ChannelStore>,
    history: Rc<HistoryRequests>,
}

impl Channels {
    /// Creates the service.
    #[expect(clippy::too_many_arguments, reason = "a message touches all of these")]
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        reputation: Rc<ReputationTracker>,
        peers: Rc<PeerTable>,
        presence: Rc<PresenceService>,
        store: Rc<ChannelStore>,
        history: Rc<HistoryRequests>,
    ) -> Self {
        Self { context, keys, registry, decisions, reputation, peers, presence, store, history }
    }

    /// Returns the gossip topic of a channel.
    pub(crate) fn gossip_topic(&self, channel: &ChannelName) -> GossipTopic {
        GossipTopic::Channel(channel.digest(&self.context.network.topic))
    }

    /// Joins a channel: stores that, subscribes, announces it and asks members for history. Does nothing if it is
    /// joined.
    pub(crate) async fn join_channel(&self, username: Option<&str>, channel: &str) -> Result<(), Failure> {
        let own = self.keys.identity().ok_or_else(errors::no_identity)?;
        self.presence.check_own(username)?;
        let channel = parse(channel)?;
        let count = {
            let channels = self.store.state();
            if channels.joined.contains_key(&channel) {
                return Ok(());
            }
            channels.joined.len()
        };
        if count >= CHANNELS_MAX {
            return Err(Failure::new(
                FailureCode::TooManyChannels,
                format!("You are in {CHANNELS_MAX} channels already."),
                "Leave one that you no longer read.",
            ));
        }
        let record = ChannelRecord { joined_at: self.context.now(), ..ChannelRecord::default() };
        self.context.commit(vec![record.write(&channel)], Durability::Strict).await?;
        let log = Log::within(&self.context.limits);
        self.store.state_mut().joined.insert(channel.clone(), Joined { record, log });
        if let Some(mesh) = self.peers.mesh() {
            mesh.subscribe(self.gossip_topic(&channel));
        }
        // Not shown as online: then this node is in the channel without announcing it.
        self.presence.handle(Input::JoinChannel { user: own, channel: channel.clone() }).ok();
        self.history.ask(channel, None);
        self.context.emit(&Event::ChannelsChanged);
        Ok(())
    }

    /// Leaves a channel and deletes its messages here. Does nothing if it is not joined.
    pub(crate) async fn leave_channel(&self, username: Option<&str>, channel: &str) -> Result<(), Failure> {
        let Ok(channel) = channel.parse::<ChannelName>() else { return Ok(()) };
        if self.presence.check_own(username).is_err() || !self.store.state().joined.contains_key(&channel) {
            return Ok(());
        }
        let mut deletes = vec![Write::Delete { table: Table::Channels, key: channel.to_string() }];
        if let Some(log) = self.store.state().log(&channel) {
            deletes.extend(log.messages().map(|(place, _)| channel_store::forget(&channel, place)));
            deletes.extend(log.topic_line().map(|line| channel_store::forget(&channel, &MessageKey::of(line))));
        }
        self.context.commit(deletes, Durability::Relaxed).await?;
        self.store.state_mut().joined.remove(&channel);
        if let Some(mesh) = self.peers.mesh() {
            mesh.unsubscribe(self.gossip_topic(&channel));
        }
        if let Some(own) = self.keys.identity() {
            self.presence.handle(Input::LeaveChannel { user: own, channel }).ok();
        }
        self.context.emit(&Event::ChannelsChanged);
        Ok(())
    }

    /// Posts a text.
    pub(crate) async fn say(&self, id: Option<RequestId>, channel: &str, text: &str) -> Result<ChatMessage, Failure> {
        let text = SaidText::new(text).map_err(|error| text_invalid(&error.to_string()))?;
        self.post(id, channel, Body::Said(text)).await
    }

    /// Posts a new topic line.
    pub(crate) async fn set_topic_line(
        &self,
        id: Option<RequestId>,
        channel: &str,
        text: &str,
    ) -> Result<ChatMessage, Failure> {
        let line = TopicLine::new(text).map_err(|error| text_invalid(&error.to_string()))?;
        self.post(id, channel, Body::TopicLine(line)).await
    }

    /// Signs a message, stores it with the command's id, then shows and publishes it. A command that is sent again
    /// after a change of writer posts nothing twice. Fails if this person posts faster than peers would forward.
    async fn post(&self, id: Option<RequestId>, channel: &str, body: Body) -> Result<ChatMessage, Failure> {
        let channel = parse(channel)?;
        let _one_at_a_time = self.registry.begin_write().await;
        let keys = self.keys.keys()?;
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        if self.keys.is_done(id.as_ref()) {
            let newest = self.last_message_of(&channel, &keys.did());
            return newest.ok_or_else(|| not_in_channel(&channel));
        }
        if let Some(id) = id {
            settings.remember(id);
        }
        if !keys.opening.capabilities().allow(Capability::Chat) {
            return Err(errors::not_allowed());
        }
        let now = self.context.environment.now();
        let at = {
            let mut channels = self.store.state_mut();
            if !channels.joined.contains_key(&channel) {
                return Err(not_in_channel(&channel));
            }
            if !channels.own_messages.word(now) {
                return Err(Failure::new(
                    FailureCode::TooFast,
                    "That was a lot in a short time; others would not pass it on.",
                    "Wait a few seconds, then send it again.",
                ));
            }
            channels.clock.tick(now)
        };
        let said = Message { channel: channel.clone(), at, body };
        let message = Authored::sign(&keys.device, &self.context.network.topic, &keys.opening, said);
        let bytes = message.encode();
        let batch = vec![channel_store::write(&message), settings.write()];
        self.context.commit(batch, Durability::Strict).await?;
        self.keys.set_settings(settings);
        self.put(&message);
        // What had to go for it goes from the store, too.
        self.store.flush().await;
        if let Some(mesh) = self.peers.mesh() {
            mesh.publish_chat(self.gossip_topic(&channel), bytes.clone(), ChatFrame::Message(bytes).encode());
        }
        Ok(self.chat_message(&message))
    }

    /// Returns a person's newest message in a channel.
    fn last_message_of(&self, channel: &ChannelName, author: &Did) -> Option<ChatMessage> {
        let channels = self.store.state();
        let newest = channels.log(channel)?.messages().rev().find(|(place, _)| place.author == *author);
        newest.map(|(_, message)| self.chat_message(message))
    }

    /// Receives a message, from gossip or from a history. `rated`: it is being posted now, so that its author's rate
    /// counts.
    ///
    /// In this order: the signature; a blocked author; a channel that is not joined; known already; a date that the
    /// clock refuses; the author's rate; its place in the log. What comes earlier costs less or says more about the
    /// forwarding peer: an invalid signature is always the forwarding peer's fault, a known message is a fault of none.
    pub(crate) fn receive(&self, bytes: &[u8], rated: bool) -> ReceiveOutcome {
        let message = match SignedMessage::verify(bytes, &self.context.network.topic) {
            Ok(message) => message,
            Err(error) => return ReceiveOutcome::Refused(Rejection::of_signed(&error)),
        };
        let now = self.context.environment.now();
        let place = MessageKey::of(&message);
        let is_revoked = self.registry.is_revoked(&place.author, &message.device());
        if is_revoked || self.decisions.blocks_person(&place.author) {
            return ReceiveOutcome::Nothing;
        }
        {
            let mut channels = self.store.state_mut();
            let Some(joined) = channels.joined.get(&message.statement().channel) else {
                return ReceiveOutcome::Nothing;
            };
            if joined.log.contains(&place) {
                return ReceiveOutcome::Nothing;
            }
            if channels.clock.observe(place.at, now).is_err() {
                return ReceiveOutcome::Refused(Rejection::Misdated);
            }
            if rated && !channels.authors.word(place.author, now) {
                self.reputation.record_event(
                    Actor::Person(place.author),
                    ReputationEvent::Broke(Rejection::TooManyMessagesOfAuthor),
                );
                return ReceiveOutcome::TooMuch(place.author);
            }
        }
        if self.put(&message) { ReceiveOutcome::New } else { ReceiveOutcome::Nothing }
    }

    /// Puts a message into its channel's log and emits it. Returns false if it is not new or too old to be stored.
    fn put(&self, message: &SignedMessage) -> bool {
        let channel = message.statement().channel.clone();
        let muted = {
            let mut channels = self.store.state_mut();
            let Some(joined) = channels.joined.get_mut(&channel) else { return false };
            let put = joined.log.put(message.clone());
            let (new, muted) = (put.new, joined.record.muted);
            if new {
                channels.unsaved.push(channel_store::write(message));
            }
            let line = topic_line_key(&channels, &channel);
            // What the channel is about stays when the messages around it go.
            let removed = put.gone.iter().filter(|place| Some(**place) != line);
            channels.unsaved.extend(removed.map(|place| channel_store::forget(&channel, place)));
            if !new {
                return false;
            }
            muted
        };
        self.context.emit(&Event::Message { message: self.chat_message(message), muted });
        true
    }

    /// Switches notifications of a channel off or on.
    pub(crate) async fn mute_channel(&self, channel: &str, muted: bool) -> Result<(), Failure> {
        self.change_channel(channel, |record, _| record.muted = muted).await
    }

    /// Marks everything in a channel as read.
    pub(crate) async fn mark_read(&self, channel: &str) -> Result<(), Failure> {
        self.change_channel(channel, |record, log| record.read = log.newest()).await
    }

    /// Changes a channel's record and stores it, if it differs.
    async fn change_channel(
        &self,
        channel: &str,
        change: impl FnOnce(&mut ChannelRecord, &Log),
    ) -> Result<(), Failure> {
        let channel = parse(channel)?;
        let (changed, record) = {
            let mut channels = self.store.state_mut();
            let joined = channels.joined.get_mut(&channel).ok_or_else(|| not_in_channel(&channel))?;
            let before = joined.record.clone();
            change(&mut joined.record, &joined.log);
            (before != joined.record, joined.record.clone())
        };
        if changed {
            self.context.commit(vec![record.write(&channel)], Durability::Relaxed).await?;
            self.context.emit(&Event::ChannelsChanged);
        }
        Ok(())
    }
}

/// Returns the message that is a channel's topic line.
fn topic_line_key(channels: &ChannelState, channel: &ChannelName) -> Option<MessageKey> {
    channels.log(channel)?.topic_line().map(MessageKey::of)
}

/// Parses a channel's name as a person typed it.
pub(crate) fn parse(channel: &str) -> Result<ChannelName, Failure> {
    channel.parse().map_err(|error: gen_registry_core::name::NameError| {
        Failure::new(
            FailureCode::ChannelInvalid,
            errors::sentence(&error.to_string()),
            "A channel is named like #general or #module/name: letters and digits of one script, _ - . between them.",
        )
    })
}

/// Words that the profile is not in a channel.
fn not_in_channel(channel: &ChannelName) -> Failure {
    Failure::new(
        FailureCode::NotInChannel,
        format!("You are not in {channel}."),
        "Join the channel first; then you can read and write in it.",
    )
}

/// Words why a text is refused.
fn text_invalid(why: &str) -> Failure {
    Failure::new(FailureCode::TextInvalid, errors::sentence(why), "Change the text and send it again.")
}
