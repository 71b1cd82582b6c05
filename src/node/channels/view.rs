//! Channels in the boundary's data.

use std::collections::BTreeMap;

use crate::channel_store::Joined;
use crate::channels::{Channels, not_in_channel, parse};
use gen_registry_api::*;
use gen_registry_core::chat::history::MessageKey;
use gen_registry_core::chat::{Body, ChannelName, SignedMessage};
use gen_registry_core::presence::Presence;
use gen_registry_core::visible_text::visible;

/// The longest page of messages.
const PAGE_MAX: u32 = 200;

impl Channels {
    pub(crate) fn channel_entries(&self) -> Vec<ChannelEntry> {
        let mut all: BTreeMap<ChannelName, u64> = self.members();
        for channel in self.store.state().joined.keys() {
            all.entry(channel.clone()).or_default();
        }
        all.into_iter().map(|(channel, members)| self.channel_entry(&channel, members)).collect()
    }

    /// How many people are in each channel. Without blocked people the count needs no filter.
    fn members(&self) -> BTreeMap<ChannelName, u64> {
        let unfiltered = self.decisions.is_empty();
        let count = |machine: &Presence, channel: &ChannelName, everybody: usize| {
            if unfiltered {
                return everybody as u64;
            }
            let users = machine.channel_users(channel);
            users.iter().filter(|user| !self.decisions.blocks_person(user)).count() as u64
        };
        let all = self.presence.with_machine(|machine| {
            let channels = machine.channels();
            channels.map(|(channel, everybody)| (channel.clone(), count(machine, channel, everybody))).collect()
        });
        all.unwrap_or_default()
    }

    fn channel_entry(&self, channel: &ChannelName, members: u64) -> ChannelEntry {
        let mut entry = ChannelEntry {
            channel: channel.to_string(),
            module: channel.module().map(ToString::to_string),
            members,
            joined: false,
            muted: false,
            unread: 0,
            mentions: 0,
            topic_line: None,
            last_at: None,
        };
        let channels = self.store.state();
        let Some(Joined { record, log }) = channels.joined.get(channel) else { return entry };
        entry.joined = true;
        entry.muted = record.muted;
        entry.last_at = log.messages().next_back().map(|(place, _)| place.at.wall.as_millis());
        let line = log.topic_line().filter(|line| !self.decisions.blocks_person(&line.author()));
        entry.topic_line = line.and_then(|line| match &line.statement().body {
            Body::TopicLine(line) => Some(visible(line.as_str()).into_owned()).filter(|line| !line.is_empty()),
            _ => None,
        });
        let (own, name) = (self.keys.identity(), self.own_name());
        for (place, message) in log.messages().rev().take_while(|(place, _)| place.at > record.read) {
            if Some(place.author) == own || self.decisions.blocks_person(&place.author) {
                continue;
            }
            if let Body::Said(text) = &message.statement().body {
                let mentioned = name.as_ref().is_some_and(|name| text.mentions(name));
                entry.mentions += u64::from(mentioned);
                entry.unread += u64::from(mentioned || !record.muted);
            }
        }
        entry
    }

    pub(crate) fn message_page(&self, channel: &str, before: Option<&str>, limit: u32) -> Result<MessagePage, Failure> {
        let channel = parse(channel)?;
        let members = self.members().get(&channel).copied().unwrap_or_default();
        let entry = self.channel_entry(&channel, members);
        let channels = self.store.state();
        let log = channels.log(&channel).ok_or_else(|| not_in_channel(&channel))?;
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        // A message that went meanwhile leaves the page where it was, at the end.
        let earlier = log.messages().rev().skip_while(|(place, _)| before.is_some_and(|before| *before != id(place)));
        let mut last: Vec<&SignedMessage> = earlier
            .skip(usize::from(before.is_some()))
            .filter(|(place, _)| !self.decisions.blocks_person(&place.author))
            .take(limit + 1)
            .map(|(_, message)| message)
            .collect();
        let more = last.len() > limit;
        last.truncate(limit);
        let before = last.last().filter(|_| more).map(|message| message.hash().to_string());
        let messages = last.into_iter().rev().map(|message| self.chat_message(message)).collect();
        Ok(MessagePage { channel: entry, messages, before })
    }

    pub(crate) fn chat_message(&self, message: &SignedMessage) -> ChatMessage {
        let person = self.presence.summary(&message.author());
        let said = message.statement();
        let (text, topic_line) = match &said.body {
            Body::Said(text) => (text.as_str(), false),
            Body::TopicLine(line) => (line.as_str(), true),
        };
        let mentions_me = match &said.body {
            Body::Said(text) => !person.mine && self.own_name().is_some_and(|name| text.mentions(&name)),
            Body::TopicLine(_) => false,
        };
        ChatMessage {
            id: message.hash().to_string(),
            channel: said.channel.to_string(),
            person,
            at: said.at.wall.as_millis(),
            text: visible(text).into_owned(),
            topic_line,
            mentions_me,
        }
    }

    fn own_name(&self) -> Option<String> {
        self.presence.summary(&self.keys.identity()?).username
    }
}

fn id(place: &MessageKey) -> String {
    place.hash.to_string()
}
