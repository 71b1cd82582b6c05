//! Answers a peer that asks for heartbeats or messages, and receives those that a peer delivers on a stream.
//!
//! A stream of `/gen/talk/1` carries one request with its answer, or one delivery:
//!
//! | the peer sends | this node | limit, for each peer |
//! |---|---|---|
//! | `WhoIsHere`: heartbeats it has | `Here`: the others, with their ages | requests, and bytes of answers |
//! | `History`: a channel, messages it has | `Said`: the others | the same |
//! | `Heartbeat` | receives it as if it were gossip | heartbeats |
//! | `Message` | receives it as if it were gossip | messages |
//! | `Here`, `Said` | counts a broken rule: they were not requested | – |
//!
//! Pages end when the peer's limit of bytes is used up; it requests the rest later, listing what it got.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{SinkExt, StreamExt};
use futures_timer::Delay;

use crate::chat::Chat;
use crate::net::key::NetPeerId;
use crate::net::mesh::LinkFault;
use crate::net::mesh::blocks::BlockStream;
use gen_registry_core::chat::{ChannelName, MESSAGE_MAX_BYTES};
use gen_registry_core::sync::chat::{ChatFrame, pages};
use gen_registry_core::sync::rejection::Rejection;

/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves one stream: one request with its answer, or one heartbeat or message.
pub(crate) async fn serve(chat: Rc<Chat>, stream: BlockStream) {
    let BlockStream { peer, mut incoming, mut outgoing } = stream;
    let now = chat.context.environment.now();
    if !chat.with_rates(peer, |rates| rates.question(now)) {
        chat.reputation.note_rejection(peer, Rejection::TooManyRequests);
        return;
    }
    let Either::Left((Some(frame), _)) = select(incoming.next(), Delay::new(PATIENCE)).await else { return };
    let request = match frame {
        Ok(frame) => ChatFrame::decode(&frame),
        Err(LinkFault::Oversized) => Err(Rejection::Oversized),
        Err(LinkFault::TooSlow) => return,
    };
    let answer = match request {
        Ok(ChatFrame::WhoIsHere { have }) => chat.roster_pages(peer, have),
        Ok(ChatFrame::History { channel, have }) => chat.history_pages(peer, &channel, have),
        Ok(ChatFrame::Heartbeat(bytes)) => {
            let now = chat.context.environment.now();
            if chat.with_rates(peer, |rates| rates.heartbeat(now)) {
                // A peer repeats its newest one after it lost a connection; that is no replay.
                let known = chat.presence.with_machine(|machine| machine.has(&bytes)).unwrap_or_default();
                if !known {
                    chat.receive_heartbeat(peer, &bytes);
                }
            } else {
                chat.reputation.note_rejection(peer, Rejection::TooManyHeartbeats);
            }
            return;
        }
        Ok(ChatFrame::Message(bytes)) => {
            let now = chat.context.environment.now();
            if chat.with_rates(peer, |rates| rates.word(now)) {
                chat.receive_message(peer, &bytes);
                chat.store.flush().await;
            } else {
                chat.reputation.note_rejection(peer, Rejection::TooManyMessagesOfAuthor);
            }
            return;
        }
        Ok(ChatFrame::Here(_) | ChatFrame::Said(_)) => return chat.reputation.note_rejection(peer, Rejection::Unasked),
        Err(why) => return chat.reputation.note_rejection(peer, why),
    };
    for page in answer {
        if outgoing.send(page.encode()).await.is_err() {
            return;
        }
    }
}

impl Chat {
    /// Returns the heartbeats that a peer does not list, in pages. The last page is empty if there are none: an answer,
    /// too.
    fn roster_pages(&self, peer: NetPeerId, have: Vec<u64>) -> Vec<ChatFrame> {
        let now = self.context.environment.now();
        let have: BTreeSet<u64> = have.into_iter().collect();
        let sightings = self.presence.with_machine(|machine| machine.sightings(&have, now)).unwrap_or_default();
        let entries = sightings.into_iter().map(|sighting| (sighting.age, sighting.bytes));
        let mut heartbeats = pages(entries, |(_, bytes)| bytes.len());
        if heartbeats.is_empty() {
            // An empty entry: nothing beyond what the peer listed.
            heartbeats.push(Vec::new());
        }
        self.limit_pages(peer, heartbeats, |page| page.iter().map(|(_, bytes)| bytes.len()).sum())
            .into_iter()
            .map(ChatFrame::Here)
            .collect()
    }

    /// Returns the messages of a channel that a peer does not list, in pages.
    fn history_pages(&self, peer: NetPeerId, channel: &ChannelName, have: Vec<u64>) -> Vec<ChatFrame> {
        let have: BTreeSet<u64> = have.into_iter().collect();
        let channels = self.store.state();
        let mut messages = Vec::new();
        if let Some(log) = channels.log(channel) {
            let line = log.topic_line().map(|line| (gen_registry_core::chat::history::MessageKey::of(line), line));
            let line = line.filter(|(place, _)| !log.contains(place));
            let all = line.iter().map(|(place, line)| (place, *line)).chain(log.messages());
            let lacking = all.filter(|(place, _)| !have.contains(&place.short()));
            messages = pages(lacking.map(|(_, message)| message.encode()), Vec::len);
        }
        if messages.is_empty() {
            messages.push(Vec::new());
        }
        debug_assert!(messages.iter().flatten().all(|bytes| bytes.len() <= MESSAGE_MAX_BYTES));
        self.limit_pages(peer, messages, |page| page.iter().map(Vec::len).sum())
            .into_iter()
            .map(ChatFrame::Said)
            .collect()
    }

    /// Returns as many pages as the peer may get now; it may request the rest later.
    fn limit_pages<T>(&self, peer: NetPeerId, pages: Vec<T>, weight: impl Fn(&T) -> usize) -> Vec<T> {
        let now = self.context.environment.now();
        pages.into_iter().take_while(|page| self.with_rates(peer, |rates| rates.answer(weight(page), now))).collect()
    }
}
