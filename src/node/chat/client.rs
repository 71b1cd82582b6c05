//! Asks peers for heartbeats and messages: when a link opens, when a channel is joined, and from time to time, since
//! gossip may have been lost.
//!
//! For example, Bob's laptop sleeps for ten minutes. When it is back, a link to Alice opens: Bob sends `WhoIsHere` with
//! the heartbeats that he has, and gets those that he lacks, each with its age; for each channel that both are in, he
//! sends `History` with short ids of the messages that he has, and gets the others, page by page. If all of that fails,
//! one member of each channel is asked again within a minute.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::{SinkExt, StreamExt};
use futures_timer::Delay;

use crate::channels::ReceiveOutcome;
use crate::chat::Chat;
use crate::history_requests::HistoryRequest;
use crate::net::key::NetPeerId;
use crate::net::mesh::{LinkFault, MeshHandle};
use crate::time_slice::TimeSlice;
use gen_registry_core::chat::ChannelName;
use gen_registry_core::chat::history::MessageKey;
use gen_registry_core::presence::{Input, PresenceError};
use gen_registry_core::sync::chat::{ChatFrame, PAGES_MAX};
use gen_registry_core::sync::rejection::{Rejection, of_heartbeat};

/// How long to wait for each page of an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Members that are asked for a channel's history at once, or dialled.
const MEMBERS_ASKED: usize = 3;
/// How often a member of each channel is asked for missed messages.
const HISTORY_EVERY: Duration = Duration::from_secs(60);
/// How often members are dialled of channels in which no connected peer is.
const SEEK_EVERY: Duration = Duration::from_secs(10);

impl Chat {
    /// Exchanges rosters on a new link: both sides ask, so a newcomer has the whole roster at once.
    pub(crate) async fn exchange_rosters(self: Rc<Self>, mesh: MeshHandle, peer: NetPeerId) {
        self.request_roster(&mesh, peer).await;
        let channels = self.store.state().names();
        let common = channels.into_iter().filter(|channel| self.presence.members_of(channel).contains(&peer));
        for channel in common.collect::<Vec<_>>() {
            self.request_history(&mesh, peer, &channel).await;
        }
    }

    /// Repeats the exchange after one of several connections to the peer ended. The peer may not notice that at the
    /// same time, or never had that connection: so this node not only asks, it also repeats its own newest heartbeat.
    pub(crate) async fn exchange_rosters_again(self: Rc<Self>, mesh: MeshHandle, peer: NetPeerId) {
        let now = self.context.environment.now();
        if !self.with_rates(peer, |rates| rates.reunion(now)) {
            tracing::debug!(%peer, "connections to a peer end too often to exchange rosters each time");
            return;
        }
        let own = self.presence.with_machine(|machine| machine.own_newest(now)).flatten();
        if let Some(bytes) = own
            && let Some(mut stream) = mesh.open_chat(peer).await
        {
            // A peer that went needs no heartbeat.
            stream.outgoing.send(ChatFrame::Heartbeat(bytes).encode()).await.ok();
        }
        self.exchange_rosters(mesh, peer).await;
    }

    /// Does what is due: the own heartbeat, storing messages, asking for history, dialling members.
    pub(crate) async fn tick(self: Rc<Self>, mesh: MeshHandle) {
        self.presence.tick().await;
        self.store.flush().await;
        let now = self.context.environment.now();
        let (seek, ask) = {
            let mut state = self.state.borrow_mut();
            let due = (state.seek_due <= now, state.history_due <= now);
            if due.0 {
                state.seek_due = now.plus(SEEK_EVERY);
            }
            if due.1 {
                state.history_due = now.plus(HISTORY_EVERY);
            }
            due
        };
        if !seek && !ask {
            return;
        }
        let connected = self.peers.connected();
        let channels = self.store.state().names();
        for channel in channels {
            let members = self.presence.members_of(&channel);
            let near: Vec<NetPeerId> = members.iter().filter(|member| connected.contains(member)).copied().collect();
            if near.is_empty() && seek {
                members.into_iter().take(MEMBERS_ASKED).for_each(|member| mesh.connect_to(member));
            } else if ask && let Some(member) = near.get(self.context.random_below(near.len())) {
                self.request_history(&mesh, *member, &channel).await;
            }
        }
    }

    /// Requests the history of a channel that was joined. Without a connected member some are dialled; they are asked
    /// when they are connected.
    pub(crate) async fn ask_members(self: Rc<Self>, mesh: MeshHandle, request: HistoryRequest) {
        let HistoryRequest { channel, from } = request;
        if let Some(member) = from {
            return self.request_history(&mesh, member, &channel).await;
        }
        let connected = self.peers.connected();
        let members = self.presence.members_of(&channel);
        let (near, far): (Vec<NetPeerId>, Vec<NetPeerId>) =
            members.into_iter().partition(|member| connected.contains(member));
        if near.is_empty() {
            // They are asked when they are met.
            far.into_iter().take(MEMBERS_ASKED).for_each(|member| mesh.connect_to(member));
        }
        let asking = near.into_iter().take(MEMBERS_ASKED).map(|member| self.request_history(&mesh, member, &channel));
        join_all(asking).await;
    }

    /// Requests the heartbeats of a peer's roster that this node lacks.
    async fn request_roster(&self, mesh: &MeshHandle, peer: NetPeerId) {
        let Some(have) = self.presence.with_machine(gen_registry_core::presence::Presence::have) else { return };
        let mut time_slice = TimeSlice::begin(self.context.environment.as_ref());
        self.ask_peer(mesh, peer, ChatFrame::WhoIsHere { have }, async |page| {
            let ChatFrame::Here(entries) = page else { return Err(Rejection::Unasked) };
            for (age, bytes) in entries {
                if let Err(PresenceError::Refused(refused)) = self.presence.handle(Input::Told { bytes, age }) {
                    match of_heartbeat(refused) {
                        // Its clock differs from this one, or from the author's; it reports what it has.
                        None | Some(Rejection::Replayed | Rejection::Misdated) => {}
                        Some(why) => return Err(why),
                    }
                }
                time_slice.yield_if_spent().await;
            }
            Ok(())
        })
        .await;
    }

    /// Requests the messages of a channel that this node lacks.
    async fn request_history(&self, mesh: &MeshHandle, peer: NetPeerId, channel: &ChannelName) {
        let have = self.store.state().log(channel).map(|log| {
            let line = log.topic_line().map(MessageKey::of);
            log.messages().map(|(place, _)| place).chain(&line).map(MessageKey::short).collect()
        });
        let Some(have) = have else { return };
        let mut time_slice = TimeSlice::begin(self.context.environment.as_ref());
        self.ask_peer(mesh, peer, ChatFrame::History { channel: channel.clone(), have }, async |page| {
            let ChatFrame::Said(entries) = page else { return Err(Rejection::Unasked) };
            for bytes in entries {
                match self.channels.receive(&bytes, false) {
                    ReceiveOutcome::New
                    | ReceiveOutcome::Nothing
                    | ReceiveOutcome::TooMuch(_)
                    | ReceiveOutcome::Refused(Rejection::Misdated) => {}
                    ReceiveOutcome::Refused(why) => return Err(why),
                }
                time_slice.yield_if_spent().await;
            }
            Ok(())
        })
        .await;
        self.store.flush().await;
    }

    /// Sends one request and passes each page of the answer to `take`. A page that breaks a rule ends it and is
    /// counted.
    async fn ask_peer(
        &self,
        mesh: &MeshHandle,
        peer: NetPeerId,
        request: ChatFrame,
        mut take: impl AsyncFnMut(ChatFrame) -> Result<(), Rejection>,
    ) {
        let Some(mut stream) = mesh.open_chat(peer).await else { return };
        if stream.outgoing.send(request.encode()).await.is_err() {
            return;
        }
        for _ in 0..PAGES_MAX {
            let Either::Left((Some(frame), _)) = select(stream.incoming.next(), Delay::new(PATIENCE)).await else {
                return;
            };
            let page = match frame {
                Ok(frame) => ChatFrame::decode(&frame),
                Err(LinkFault::Oversized) => Err(Rejection::Oversized),
                Err(LinkFault::TooSlow) => return,
            };
            let taken = match page {
                Ok(page) => take(page).await,
                Err(why) => Err(why),
            };
            if let Err(why) = taken {
                return self.reputation.note_rejection(peer, why);
            }
        }
    }
}
