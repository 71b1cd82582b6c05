//! One stream of `/gen/blocks/1`, or of `/gen/publish_chat/1`: whole messages within a bound on one side, bytes on the
//! other.
//!
//! Both ends wait: who does not read what came gets nothing more, and a full way out makes its sender wait. A few
//! blocks are all that is ever held for a peer.

use std::future::Future;
use std::io;

use asynchronous_codec::Framed;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;
use libp2p::Stream;
use unsigned_varint::codec::UviBytes;

use crate::net::key::NetPeerId;
use crate::net::mesh::link::{LinkFault, WRITE_PATIENCE, framed, read};
use gen_registry_core::sync::blocks::wire::IN_FLIGHT_MAX;

/// Messages that wait for the host: one peer's answers to all that it was asked for, but the one that is being read.
const INCOMING_WAITING: usize = IN_FLIGHT_MAX - 1;
/// Messages that wait for the peer beside the one that is being sent. Who asks never has more wants under way.
const OUTGOING_WAITING: usize = IN_FLIGHT_MAX - 1;

/// A stream about blocks or talk. It ends when the peer ends it, or when `outgoing` is dropped.
pub struct BlockStream {
    pub peer: NetPeerId,
    pub incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
    pub outgoing: mpsc::Sender<Vec<u8>>,
}

/// The stream for the host, and what moves its messages until one side has enough.
pub(super) fn carry(peer: NetPeerId, stream: Stream, max_bytes: usize) -> (BlockStream, impl Future<Output = ()>) {
    let (to_host, incoming) = mpsc::channel(INCOMING_WAITING);
    let (outgoing, from_host) = mpsc::channel(OUTGOING_WAITING);
    (BlockStream { peer, incoming, outgoing }, moving(framed(stream, max_bytes), to_host, from_host))
}

async fn moving(
    stream: Framed<Stream, UviBytes>,
    incoming: mpsc::Sender<Result<Vec<u8>, LinkFault>>,
    from_host: mpsc::Receiver<Vec<u8>>,
) {
    let (sink, source) = stream.split();
    let mut faults = incoming.clone();
    let reading = read(source, incoming);
    let writing = write(sink, from_host);
    pin_mut!(reading, writing);
    let (Either::Left((fault, _)) | Either::Right((fault, _))) = select(reading, writing).await;
    if let Some(fault) = fault {
        // The host may have left already; else it receives the fault after all that came before.
        faults.send(Err(fault)).await.ok();
    }
}

async fn write(
    mut sink: impl SinkExt<Bytes, Error = io::Error> + Unpin,
    mut from_host: mpsc::Receiver<Vec<u8>>,
) -> Option<LinkFault> {
    while let Some(message) = from_host.next().await {
        match select(sink.send(message.into()), Delay::new(WRITE_PATIENCE)).await {
            Either::Left((sent, _)) => sent.ok()?,
            Either::Right(_) => return Some(LinkFault::TooSlow),
        }
    }
    select(sink.close(), Delay::new(WRITE_PATIENCE)).await;
    None
}
