//! One stream of `/gen/blocks/1` or `/gen/talk/1`: converts between bytes and whole messages of bounded length.
//!
//! Both directions have backpressure: a host that does not read receives nothing more, and a full queue makes its
//! sender wait. So only a few blocks are ever in memory for a peer.

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
use crate::net::mesh::link::{LinkFault, WRITE_TIMEOUT, framed, read};
use gen_registry_core::sync::blocks::wire::IN_FLIGHT_MAX;

/// Received messages that wait for the host: the answers to all requests under way, except the one being read.
const INCOMING_WAITING: usize = IN_FLIGHT_MAX - 1;
/// Messages that wait to be sent, besides the one being sent. A requester never has more requests under way.
const OUTGOING_WAITING: usize = IN_FLIGHT_MAX - 1;

/// A block or chat stream. It ends when the peer ends it, or when `outgoing` is dropped.
pub struct BlockStream {
    /// The peer at the other end.
    pub peer: NetPeerId,
    /// Whole messages, and at last the peer's fault, if the stream ends by one.
    pub incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
    /// The messages to the peer. Sending waits while the peer does not read.
    pub outgoing: mpsc::Sender<Vec<u8>>,
}

/// Returns the host's end of a stream, and the future that carries its messages until either side ends it.
pub(super) fn carry(peer: NetPeerId, stream: Stream, max_bytes: usize) -> (BlockStream, impl Future<Output = ()>) {
    let (to_host, incoming) = mpsc::channel(INCOMING_WAITING);
    let (outgoing, from_host) = mpsc::channel(OUTGOING_WAITING);
    (BlockStream { peer, incoming, outgoing }, carry_messages(framed(stream, max_bytes), to_host, from_host))
}

/// Reads and writes at the same time, until one of the two ends.
async fn carry_messages(
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
        // The host, unless it dropped the stream, receives the fault after all earlier messages.
        faults.send(Err(fault)).await.ok();
    }
}

/// Writes messages until the host drops its end, then closes the stream.
async fn write(
    mut sink: impl SinkExt<Bytes, Error = io::Error> + Unpin,
    mut from_host: mpsc::Receiver<Vec<u8>>,
) -> Option<LinkFault> {
    while let Some(message) = from_host.next().await {
        match select(sink.send(message.into()), Delay::new(WRITE_TIMEOUT)).await {
            Either::Left((sent, _)) => sent.ok()?,
            Either::Right(_) => return Some(LinkFault::TooSlow),
        }
    }
    select(sink.close(), Delay::new(WRITE_TIMEOUT)).await;
    None
}
