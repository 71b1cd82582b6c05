//! Asks peers for heartbeats and messages: when a link opens, when a channel is joined, and from time to time, since
//! gossip may have been lost.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::{SinkExt, StreamExt};
use futures_timer::Delay;

use crate::Node;
use crate::channels::ReceiveOutcome;
use crate::chat::HistoryRequest;
use crate::net::key::NetPeerId;
use crate::net::mesh::{LinkFault, MeshHandle};
use crate::time_slice::TimeSlice;
use gen_registry_core::chat::ChannelName;
use gen_registry_core::chat::history::MessageKey;
use gen_registry_core::identity::Identity;
use gen_registry_core::presence::{Input, NodeId, PresenceError};
use gen_registry_core::sync::chat::{ChatFrame, PAGES_MAX};
use gen_registry_core::sync::rejection::{Rejection, of_heartbeat};

/// A page that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Members that are asked for a channel's history at once, or sought.
const MEMBERS_ASKED: usize = 3;
/// How often a member of each channel is asked what was missed.
const HISTORY_EVERY: Duration = Duration::from_secs(60);
/// How often members are sought of channels in which no connected peer is.
const SEEK_EVERY: Duration = Duration::from_secs(10);

impl Node {
    /// Exchanges rosters on a new link: both sides ask, so a newcomer has the whole roster at once.
    pub(crate) async fn meet(self: Rc<Self>, mesh: MeshHandle, peer: NetPeerId) {
        self.ask_who_is_here(&mesh, peer).await;
        let channels = self.channels.borrow().names();
        let common = channels.into_iter().filter(|channel| self.members_of(channel).contains(&peer));
        for channel in common.collect::<Vec<_>>() {
            self.ask_what_was_said(&mesh, peer, &channel).await;
        }
    }

    /// One of several connections to the peer ended. The peer may not notice it at the same time, or never had that
    /// connection: so this node not only asks, it also repeats its own newest heartbeat.
    pub(crate) async fn meet_again(self: Rc<Self>, mesh: MeshHandle, peer: NetPeerId) {
        let now = self.environment.now();
        let own = self.online.borrow().machine().and_then(|machine| machine.own_newest(now));
        if let Some(bytes) = own
            && let Some(mut stream) = mesh.open_chat(peer).await
        {
            // A peer that went needs no heartbeat.
            stream.outgoing.send(ChatFrame::Heartbeat(bytes).encode()).await.ok();
        }
        self.meet(mesh, peer).await;
    }

    /// Some time has passed.
    pub(crate) async fn talk_tick(self: Rc<Self>, mesh: MeshHandle) {
        self.presence_tick().await;
        self.flush().await;
        let now = self.environment.now();
        let (seek, ask) = {
            let mut talk = self.talk.borrow_mut();
            let due = (talk.seek_due <= now, talk.history_due <= now);
            if due.0 {
                talk.seek_due = now.plus(SEEK_EVERY);
            }
            if due.1 {
                talk.history_due = now.plus(HISTORY_EVERY);
            }
            due
        };
        if !seek && !ask {
            return;
        }
        let connected = self.peering.borrow().connected();
        let channels = self.channels.borrow().names();
        for channel in channels {
            let members = self.members_of(&channel);
            let near: Vec<NetPeerId> = members.iter().filter(|member| connected.contains(member)).copied().collect();
            if near.is_empty() && seek {
                members.into_iter().take(MEMBERS_ASKED).for_each(|member| mesh.connect_to(member));
            } else if ask && let Some(member) = near.get(self.draw(near.len())) {
                self.ask_what_was_said(&mesh, *member, &channel).await;
            }
        }
    }

    /// Somebody joined here: what was said before?
    pub(crate) async fn ask_members(self: Rc<Self>, mesh: MeshHandle, wanted: HistoryRequest) {
        let HistoryRequest { channel, from } = wanted;
        if let Some(member) = from {
            return self.ask_what_was_said(&mesh, member, &channel).await;
        }
        let connected = self.peering.borrow().connected();
        let members = self.members_of(&channel);
        let (near, far): (Vec<NetPeerId>, Vec<NetPeerId>) =
            members.into_iter().partition(|member| connected.contains(member));
        if near.is_empty() {
            // They are asked when they are met.
            far.into_iter().take(MEMBERS_ASKED).for_each(|member| mesh.connect_to(member));
        }
        let asking = near.into_iter().take(MEMBERS_ASKED).map(|member| self.ask_what_was_said(&mesh, member, &channel));
        join_all(asking).await;
    }

    /// Somebody joined a channel of this profile. What they said at once may have come before this node's ear for it
    /// was known to them.
    pub(crate) fn ask_who_joined(&self, user: &Identity, channel: &ChannelName) {
        if self.channels.borrow().log(channel).is_none() {
            return;
        }
        for name in self.connected_nodes_of(user) {
            self.talk.borrow().ask_for_history(channel.clone(), Some(name));
        }
    }

    pub(super) fn connected_nodes_of(&self, user: &Identity) -> Vec<NetPeerId> {
        let connected = self.peering.borrow().connected();
        let nodes = self.online.borrow().machine().and_then(|machine| machine.user(user)).map(|user| user.nodes);
        let names = nodes.into_iter().flatten().filter_map(|device| NetPeerId::from_public_key(device.node.as_bytes()));
        names.filter(|name| connected.contains(name)).collect()
    }

    /// Whose node it is, while that is online.
    pub(crate) fn person_at(&self, peer: NetPeerId) -> Option<Identity> {
        let node = NodeId::from_bytes(&peer.public_key()?)?;
        self.online.borrow().machine()?.owner(&node)
    }

    fn members_of(&self, channel: &ChannelName) -> Vec<NetPeerId> {
        let online = self.online.borrow();
        let members = online.machine().map(|machine| machine.members(channel)).unwrap_or_default();
        members.iter().filter_map(|node: &NodeId| NetPeerId::from_public_key(node.as_bytes())).collect()
    }

    async fn ask_who_is_here(&self, mesh: &MeshHandle, peer: NetPeerId) {
        let Some(have) = self.online.borrow().machine().map(|machine| machine.have()) else { return };
        let mut turn = TimeSlice::begin(self.environment.as_ref());
        self.ask_peer(mesh, peer, ChatFrame::WhoIsHere { have }, async |page| {
            let ChatFrame::Here(entries) = page else { return Err(Rejection::Unasked) };
            for (age, bytes) in entries {
                if let Err(PresenceError::Refused(refused)) = self.present(Input::Told { bytes, age }) {
                    match of_heartbeat(refused) {
                        // Its clock differs from this one, or from the author's; it reports what it has.
                        None | Some(Rejection::Replayed | Rejection::Misdated) => {}
                        Some(why) => return Err(why),
                    }
                }
                turn.yield_if_spent().await;
            }
            Ok(())
        })
        .await;
    }

    async fn ask_what_was_said(&self, mesh: &MeshHandle, peer: NetPeerId, channel: &ChannelName) {
        let have = self.channels.borrow().log(channel).map(|log| {
            let line = log.topic_line().map(MessageKey::of);
            log.messages().map(|(place, _)| place).chain(&line).map(MessageKey::short).collect()
        });
        let Some(have) = have else { return };
        let mut turn = TimeSlice::begin(self.environment.as_ref());
        self.ask_peer(mesh, peer, ChatFrame::History { channel: channel.clone(), have }, async |page| {
            let ChatFrame::Said(entries) = page else { return Err(Rejection::Unasked) };
            for bytes in entries {
                match self.receive(&bytes, false) {
                    ReceiveOutcome::New
                    | ReceiveOutcome::Nothing
                    | ReceiveOutcome::TooMuch(_)
                    | ReceiveOutcome::Refused(Rejection::Misdated) => {}
                    ReceiveOutcome::Refused(why) => return Err(why),
                }
                turn.yield_if_spent().await;
            }
            Ok(())
        })
        .await;
        self.flush().await;
    }

    /// One question and all pages of its answer.
    async fn ask_peer(
        &self,
        mesh: &MeshHandle,
        peer: NetPeerId,
        question: ChatFrame,
        mut take: impl AsyncFnMut(ChatFrame) -> Result<(), Rejection>,
    ) {
        let Some(mut stream) = mesh.open_chat(peer).await else { return };
        if stream.outgoing.send(question.encode()).await.is_err() {
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
                return self.note_rejection(peer, why);
            }
        }
    }

    fn draw(&self, below: usize) -> usize {
        let mut byte = [0];
        self.environment.random(&mut byte);
        usize::from(byte[0]) % below.max(1)
    }
}
