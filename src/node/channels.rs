//! Channels that this profile joined: what was said in them, what of it was read, and saying something.
//!
//! Everything here is this device's own; no document has any of it. Who is in which channel is `presence`' business,
//! and how words come and go `chat`'s.

mod kept;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::Node;
use crate::RequestId;
use crate::SETTINGS_KEY;
use crate::errors;
use crate::net::mesh::GossipTopic;
use crate::reputation::Actor;
use crate::store::records::put;
use crate::store::{Batch, Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::chat::history::{Log, MessageKey};
use gen_registry_core::chat::hybrid_clock::HybridClock;
use gen_registry_core::chat::{Body, ChannelName, Message, SaidText, SignedMessage, TopicLine};
use gen_registry_core::identity::{Identity, Signed};
use gen_registry_core::presence::{CHANNELS_MAX, Input};
use gen_registry_core::sync::chat::ChatFrame;
use gen_registry_core::sync::chat::rates::{Authors, SendLimit};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::ReputationEvent;
pub(crate) use kept::ChannelRecord;

#[derive(Default)]
pub(crate) struct Channels {
    joined: BTreeMap<ChannelName, Joined>,
    clock: HybridClock,
    authors: Authors,
    own_words: SendLimit,
    /// Others' words that were not written down yet.
    unsaved: Batch,
    read_from_store: bool,
}

struct Joined {
    record: ChannelRecord,
    log: Log,
}

/// The outcome of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiveOutcome {
    New,
    /// It is here already, or of a channel that is not this profile's, or older than what is kept.
    Nothing,
    /// Its author says too much.
    TooMuch(Identity),
    Refused(Rejection),
}

impl Channels {
    pub(crate) fn names(&self) -> BTreeSet<ChannelName> {
        self.joined.keys().cloned().collect()
    }

    pub(crate) fn log(&self, channel: &ChannelName) -> Option<&Log> {
        self.joined.get(channel).map(|joined| &joined.log)
    }
}

impl Node {
    pub(crate) fn gossip_of(&self, channel: &ChannelName) -> GossipTopic {
        GossipTopic::Channel(channel.digest(&self.network.topic))
    }

    pub(crate) async fn join_channel(&self, username: Option<&str>, channel: &str) -> Result<(), Failure> {
        let own = self.identity().ok_or_else(errors::no_identity)?;
        self.check_own(username)?;
        let channel = parse(channel)?;
        let count = {
            let channels = self.channels.borrow();
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
        let record = ChannelRecord { joined_at: self.now(), ..ChannelRecord::default() };
        self.records.commit(vec![record.write(&channel)], Durability::Strict).await.map_err(errors::store_failed)?;
        self.channels.borrow_mut().joined.insert(channel.clone(), Joined { record, log: Log::default() });
        if let Some(mesh) = self.peering.borrow().mesh() {
            mesh.subscribe(self.gossip_of(&channel));
        }
        // Not shown as online: then this node is in the channel without announcing it.
        self.present(Input::JoinChannel { user: own, channel: channel.clone() }).ok();
        self.talk.borrow().ask_for_history(channel, None);
        self.tell(&Event::ChannelsChanged);
        Ok(())
    }

    pub(crate) async fn leave_channel(&self, username: Option<&str>, channel: &str) -> Result<(), Failure> {
        let Ok(channel) = channel.parse::<ChannelName>() else { return Ok(()) };
        if self.check_own(username).is_err() || !self.channels.borrow().joined.contains_key(&channel) {
            return Ok(());
        }
        let mut gone = vec![Write::Delete { table: Table::Channels, key: channel.to_string() }];
        if let Some(log) = self.channels.borrow().log(&channel) {
            gone.extend(log.messages().map(|(place, _)| kept::forget(&channel, place)));
            gone.extend(log.topic_line().map(|line| kept::forget(&channel, &MessageKey::of(line))));
        }
        self.records.commit(gone, Durability::Relaxed).await.map_err(errors::store_failed)?;
        self.channels.borrow_mut().joined.remove(&channel);
        if let Some(mesh) = self.peering.borrow().mesh() {
            mesh.unsubscribe(self.gossip_of(&channel));
        }
        if let Some(own) = self.identity() {
            self.present(Input::LeaveChannel { user: own, channel }).ok();
        }
        self.tell(&Event::ChannelsChanged);
        Ok(())
    }

    pub(crate) async fn say(&self, id: Option<RequestId>, channel: &str, text: &str) -> Result<ChatMessage, Failure> {
        let said = SaidText::new(text).map_err(|error| text_invalid(&error.to_string()))?;
        self.post(id, channel, Body::Said(said)).await
    }

    pub(crate) async fn set_topic_line(
        &self,
        id: Option<RequestId>,
        channel: &str,
        text: &str,
    ) -> Result<ChatMessage, Failure> {
        let line = TopicLine::new(text).map_err(|error| text_invalid(&error.to_string()))?;
        self.post(id, channel, Body::TopicLine(line)).await
    }

    /// A command that was sent again after a change of the writing tab says nothing twice.
    async fn post(&self, id: Option<RequestId>, channel: &str, body: Body) -> Result<ChatMessage, Failure> {
        let channel = parse(channel)?;
        let _one_at_a_time = self.writing.lock().await;
        let signer = self.state.borrow().key_state.signer()?;
        let mut settings = self.state.borrow().settings.clone();
        if id.as_ref().is_some_and(|id| settings.requests.contains(id)) {
            let said = self.last_of(&channel, &signer.identity());
            return said.ok_or_else(|| not_in_channel(&channel));
        }
        if let Some(id) = id {
            settings.remember(id);
        }
        let now = self.environment.now();
        let at = {
            let mut channels = self.channels.borrow_mut();
            if !channels.joined.contains_key(&channel) {
                return Err(not_in_channel(&channel));
            }
            if !channels.own_words.word(now) {
                return Err(Failure::new(
                    FailureCode::TooFast,
                    "That was a lot in a short time; others would not pass it on.",
                    "Wait a few seconds, then send it again.",
                ));
            }
            channels.clock.tick(now)
        };
        let message = Signed::sign(&signer, &self.network.topic, Message { channel: channel.clone(), at, body });
        let bytes = message.encode();
        let batch = vec![kept::write(&message), put(Table::Settings, SETTINGS_KEY, &settings)];
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        self.state.borrow_mut().settings = settings;
        self.put(&message);
        // What had to go for it goes from the store, too.
        self.flush().await;
        if let Some(mesh) = self.peering.borrow().mesh() {
            mesh.publish_chat(self.gossip_of(&channel), bytes.clone(), ChatFrame::Message(bytes).encode());
        }
        Ok(self.talk_message(&message))
    }

    fn last_of(&self, channel: &ChannelName, author: &Identity) -> Option<ChatMessage> {
        let channels = self.channels.borrow();
        let said = channels.log(channel)?.messages().rev().find(|(place, _)| place.author == *author);
        said.map(|(_, message)| self.talk_message(message))
    }

    /// Somebody's words, from whatever way they came. `rated` when they are said now.
    pub(crate) fn receive(&self, bytes: &[u8], rated: bool) -> ReceiveOutcome {
        let message = match SignedMessage::verify(bytes, &self.network.topic) {
            Ok(message) => message,
            Err(error) => return ReceiveOutcome::Refused(Rejection::of_signed(&error)),
        };
        let now = self.environment.now();
        let place = MessageKey::of(&message);
        if self.blocks_person(&place.author) {
            return ReceiveOutcome::Nothing;
        }
        {
            let mut channels = self.channels.borrow_mut();
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
                self.record_event(
                    Actor::Person(place.author),
                    ReputationEvent::Broke(Rejection::TooManyMessagesOfAuthor),
                );
                return ReceiveOutcome::TooMuch(place.author);
            }
        }
        if self.put(&message) { ReceiveOutcome::New } else { ReceiveOutcome::Nothing }
    }

    /// True when it is new and stays.
    fn put(&self, message: &SignedMessage) -> bool {
        let channel = message.statement().channel.clone();
        let muted = {
            let mut channels = self.channels.borrow_mut();
            let Some(joined) = channels.joined.get_mut(&channel) else { return false };
            let put = joined.log.put(message.clone());
            let (new, muted) = (put.new, joined.record.muted);
            if new {
                channels.unsaved.push(kept::write(message));
            }
            let line = joined_line(&channels, &channel);
            // What the channel is about stays when the messages around it go.
            let gone = put.gone.iter().filter(|place| Some(**place) != line);
            channels.unsaved.extend(gone.map(|place| kept::forget(&channel, place)));
            if !new {
                return false;
            }
            muted
        };
        self.tell(&Event::Message { message: self.talk_message(message), muted });
        true
    }

    /// Stores the messages received since the last time.
    pub(crate) async fn flush(&self) {
        let unsaved = std::mem::take(&mut self.channels.borrow_mut().unsaved);
        if unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.records.commit(unsaved, Durability::Relaxed).await {
            tracing::warn!(%error, "what was said is not kept");
        }
    }

    pub(crate) async fn mute_channel(&self, channel: &str, muted: bool) -> Result<(), Failure> {
        self.change_channel(channel, |record, _| record.muted = muted).await
    }

    pub(crate) async fn mark_read(&self, channel: &str) -> Result<(), Failure> {
        self.change_channel(channel, |record, log| record.read = log.newest()).await
    }

    async fn change_channel(
        &self,
        channel: &str,
        change: impl FnOnce(&mut ChannelRecord, &Log),
    ) -> Result<(), Failure> {
        let channel = parse(channel)?;
        let (changed, record) = {
            let mut channels = self.channels.borrow_mut();
            let joined = channels.joined.get_mut(&channel).ok_or_else(|| not_in_channel(&channel))?;
            let before = joined.record.clone();
            change(&mut joined.record, &joined.log);
            (before != joined.record, joined.record.clone())
        };
        if changed {
            let write = record.write(&channel);
            self.records.commit(vec![write], Durability::Relaxed).await.map_err(errors::store_failed)?;
            self.tell(&Event::ChannelsChanged);
        }
        Ok(())
    }
}

fn joined_line(channels: &Channels, channel: &ChannelName) -> Option<MessageKey> {
    channels.log(channel)?.topic_line().map(MessageKey::of)
}

pub(crate) fn parse(channel: &str) -> Result<ChannelName, Failure> {
    channel.parse().map_err(|error: gen_registry_core::name::NameError| {
        Failure::new(
            FailureCode::ChannelInvalid,
            errors::sentence(&error.to_string()),
            "A channel is named like #general or #module/name: letters and digits of one script, _ - . between them.",
        )
    })
}

fn not_in_channel(channel: &ChannelName) -> Failure {
    Failure::new(
        FailureCode::NotInChannel,
        format!("You are not in {channel}."),
        "Join the channel first; then you can read and write in it.",
    )
}

fn text_invalid(why: &str) -> Failure {
    Failure::new(FailureCode::TextInvalid, errors::sentence(why), "Change the text and send it again.")
}
