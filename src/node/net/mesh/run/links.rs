//! Streams to peers: who opens them, and where their messages go; and what peers are asked beside them.

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, SinkExt};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::net::mesh::blocks::{self, BlockStream};
use crate::net::mesh::link::{INCOMING_WAITING, carry, outgoing};
use crate::net::mesh::question::{ANSWER_PATIENCE, AskError, FINDING_MAX, FINDING_PER_PEER, answer, ask, hear};
use crate::net::mesh::run::{Done, EventLoop};
use crate::net::mesh::{Link, MeshEvent, neighbours};
use gen_registry_core::sync::blocks::wire as blocks_wire;
use gen_registry_core::sync::{chat, wire};

impl EventLoop {
    /// Opens the sync stream if this side's peer id is the smaller one, whichever side dialled: both sides agree
    /// without a message.
    pub(super) fn open_link(&mut self, peer: PeerId) {
        if *self.swarm.local_peer_id() > peer {
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.opening = true;
        let mut control = self.control.clone();
        let opening = async move {
            let opened = control.open_stream(peer, StreamProtocol::new(wire::PROTOCOL)).await;
            if let Err(error) = &opened {
                tracing::debug!(%peer, %error, "no sync stream");
            }
            Done::Opened(peer, opened.ok())
        };
        self.tasks.push(opening.boxed_local());
    }

    pub(super) fn accept(&mut self, peer: PeerId, stream: Stream) {
        // The other side has no business to open one.
        if *self.swarm.local_peer_id() < peer {
            tracing::debug!(%peer, "a sync stream from the wrong side");
            return;
        }
        self.link(peer, stream, false);
    }

    pub(super) fn link(&mut self, peer: PeerId, stream: Stream, initiator: bool) {
        let now = self.now();
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let (to_host, incoming) = mpsc::channel(INCOMING_WAITING);
        let (outgoing, from_host, hold) = outgoing();
        self.next_link += 1;
        let number = self.next_link;
        state.link = Some((number, outgoing.clone()));
        state.linked_at = now;
        self.tasks.push(carry(stream, to_host, from_host).map(move |()| Done::LinkEnded(peer, number)).boxed_local());
        self.tell(MeshEvent::Linked(Link { peer: peer.into(), initiator, incoming, outgoing, hold }));
    }

    pub(super) fn ask_for_others(&mut self, peer: PeerId) {
        let asking = ask(self.control.clone(), peer, neighbours::PROTOCOL, Vec::new());
        self.tasks.push(asking.map(|answer| answer.map_or(Done::Quiet, Done::Told)).boxed_local());
    }

    pub(super) fn tell_of_others(&mut self, peer: PeerId, stream: Stream) {
        let now = self.now();
        let Some(asker) = self.peers.get_mut(&peer) else { return };
        let minutes = u32::try_from(now.saturating_sub(asker.since) / 60_000).unwrap_or(u32::MAX);
        let enough = asker.told_of_others >= neighbours::ANSWERS_PER_PEER.saturating_add(minutes);
        if enough || self.answering >= neighbours::ANSWERING_MAX {
            return;
        }
        asker.told_of_others += 1;
        self.answering += 1;
        let bytes = neighbours::encode_peers(self.connection_manager.neighbours(&peer));
        self.tasks.push(answer(stream, bytes).map(|()| Done::Answered).boxed_local());
    }

    /// Opens a block stream. The sender is dropped if it can't be opened.
    pub(super) fn open_blocks(&mut self, peer: PeerId, opened: oneshot::Sender<BlockStream>) {
        self.open_stream(peer, opened, blocks_wire::PROTOCOL, blocks_wire::MESSAGE_MAX_BYTES);
    }

    pub(super) fn open_chat(&mut self, peer: PeerId, opened: oneshot::Sender<BlockStream>) {
        self.open_stream(peer, opened, chat::PROTOCOL, chat::FRAME_MAX_BYTES);
    }

    fn open_stream(
        &mut self,
        peer: PeerId,
        opened: oneshot::Sender<BlockStream>,
        protocol: &'static str,
        max_bytes: usize,
    ) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let mut control = self.control.clone();
        let opening = async move {
            match control.open_stream(peer, StreamProtocol::new(protocol)).await {
                Ok(stream) => {
                    let (stream, carrying) = blocks::carry(peer.into(), stream, max_bytes);
                    if opened.send(stream).is_ok() {
                        carrying.await;
                    }
                }
                Err(error) => tracing::debug!(%peer, %error, protocol, "no stream"),
            }
            Done::Quiet
        };
        self.tasks.push(opening.boxed_local());
    }

    /// Says one thing on a stream of its own.
    pub(super) fn tell_frame(&mut self, peer: PeerId, frame: Vec<u8>) {
        let (opened, opening) = oneshot::channel::<BlockStream>();
        self.open_chat(peer, opened);
        let telling = async move {
            if let Ok(mut stream) = opening.await {
                // A peer that left needs no message.
                stream.outgoing.send(frame).await.ok();
            }
            Done::Quiet
        };
        self.tasks.push(telling.boxed_local());
    }

    pub(super) fn accept_blocks(&mut self, peer: PeerId, stream: Stream) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let (stream, carrying) = blocks::carry(peer.into(), stream, blocks_wire::MESSAGE_MAX_BYTES);
        self.tasks.push(carrying.map(|()| Done::Quiet).boxed_local());
        self.tell(MeshEvent::BlocksAsked(stream));
    }

    /// Sends one request to a peer. The sender is dropped if there is no direct connection.
    pub(super) fn ask_peer(
        &mut self,
        peer: PeerId,
        protocol: &'static str,
        request: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, AskError>>,
    ) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let asking = ask(self.control.clone(), peer, protocol, request);
        self.tasks.push(
            async move {
                // The caller may be gone.
                answer.send(asking.await).ok();
                Done::Quiet
            }
            .boxed_local(),
        );
    }

    /// A peer's question goes to the host.
    pub(super) fn hear_question(&mut self, peer: PeerId, mut stream: Stream) {
        let of_peer = self.finding.entry(peer).or_default();
        if *of_peer >= FINDING_PER_PEER {
            return;
        }
        *of_peer += 1;
        if self.finding.values().sum::<usize>() > FINDING_MAX {
            return self.question_over(peer);
        }
        let events = self.events.clone();
        let finding = async move {
            if let Some(request) = hear(&mut stream).await {
                let (reply, replied) = oneshot::channel();
                events.unbounded_send(MeshEvent::Asked { peer: peer.into(), request, reply }).ok();
                if let Either::Left((Ok(bytes), _)) = select(replied, Delay::new(ANSWER_PATIENCE)).await {
                    answer(stream, bytes).await;
                }
            }
            Done::Replied(peer)
        };
        self.tasks.push(finding.boxed_local());
    }

    pub(super) fn question_over(&mut self, peer: PeerId) {
        if let Some(waiting) = self.finding.get_mut(&peer) {
            *waiting -= 1;
            if *waiting == 0 {
                self.finding.remove(&peer);
            }
        }
    }

    pub(super) fn accept_talk(&mut self, peer: PeerId, stream: Stream) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let (stream, carrying) = blocks::carry(peer.into(), stream, chat::FRAME_MAX_BYTES);
        self.tasks.push(carrying.map(|()| Done::Quiet).boxed_local());
        self.tell(MeshEvent::ChatOpened(stream));
    }
}
