//! One sync stream: whole messages within a bound on one side, bytes on the other.
//!
//! A peer that does not take what it asked for, or sends more than a message may have, loses the stream.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use asynchronous_codec::Framed;
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{FutureExt, SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;
use libp2p::Stream;
use unsigned_varint::codec::UviBytes;

use gen_registry_core::sync::wire::MESSAGE_MAX_BYTES;

/// A message that is not taken by the other side in this time ends the link.
pub const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Messages that wait for the host. A peer may have four pages under way, and says little besides.
pub const INCOMING_WAITING: usize = 8;
/// Bytes that wait for the peer. When there are more, nothing more is read from it until some are gone.
pub const OUTGOING_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Why a link ended, where that is somebody's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    #[error("a message larger than the protocol allows")]
    Oversized,
    #[error("the peer does not take what it asked for")]
    TooSlow,
}

/// The queue of messages to a peer. Sending never waits: two sides that both waited would deadlock.
#[derive(Clone)]
pub struct Outgoing {
    messages: mpsc::UnboundedSender<Vec<u8>>,
    queued: Rc<Cell<usize>>,
    fault: Rc<Cell<Option<LinkFault>>>,
}

/// The other end of an [`Outgoing`].
pub(super) struct Leaving {
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Rc<Cell<usize>>,
    fault: Rc<Cell<Option<LinkFault>>>,
    host: oneshot::Receiver<()>,
}

/// Keeps the link open; dropping it ends the link.
pub struct Hold(#[expect(dead_code, reason = "its end is what is heard")] oneshot::Sender<()>);

pub(super) fn outgoing() -> (Outgoing, Leaving, Hold) {
    let (sender, receiver) = mpsc::unbounded();
    let (hold, host) = oneshot::channel();
    let (queued, fault) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
    let leaving = Leaving { messages: receiver, queued: queued.clone(), fault: fault.clone(), host };
    (Outgoing { messages: sender, queued, fault }, leaving, Hold(hold))
}

impl Outgoing {
    /// False when the link has ended.
    pub fn send(&self, message: Vec<u8>) -> bool {
        self.queued.set(self.queued.get() + message.len());
        self.messages.unbounded_send(message).is_ok()
    }

    /// Whether the peer should first take what it asked for. When the link has ended nothing is waited for.
    pub fn is_full(&self) -> bool {
        self.queued.get() > OUTGOING_MAX_BYTES && !self.messages.is_closed()
    }

    /// Why the link ended, if that was somebody's fault: known before everything that came first is read.
    pub fn fault(&self) -> Option<LinkFault> {
        self.fault.get()
    }
}

/// Messages with their length in front (unsigned varint, as in libp2p's own protocols).
pub(super) fn framed(stream: Stream, max_bytes: usize) -> Framed<Stream, UviBytes> {
    let mut codec = UviBytes::default();
    codec.set_max_len(max_bytes);
    Framed::new(stream, codec)
}

/// Carries messages both ways until one side has enough.
pub(super) async fn carry(stream: Stream, incoming: mpsc::Sender<Result<Vec<u8>, LinkFault>>, outgoing: Leaving) {
    let (sink, source) = framed(stream, MESSAGE_MAX_BYTES).split();
    let (mut faults, noted) = (incoming.clone(), outgoing.fault.clone());
    let reading = read(source, incoming);
    let writing = write(sink, outgoing);
    pin_mut!(reading, writing);
    let fault = match select(reading, writing).await {
        Either::Left((fault, _)) | Either::Right((fault, _)) => fault,
    };
    if let Some(fault) = fault {
        noted.set(Some(fault));
        // The host may have left already.
        faults.try_send(Err(fault)).ok();
    }
}

pub(super) async fn read(
    mut source: impl StreamExt<Item = io::Result<bytes::BytesMut>> + Unpin,
    mut incoming: mpsc::Sender<Result<Vec<u8>, LinkFault>>,
) -> Option<LinkFault> {
    loop {
        match source.next().await {
            Some(Ok(bytes)) => incoming.send(Ok(bytes.to_vec())).await.ok()?,
            Some(Err(error)) => return is_oversized(&error).then_some(LinkFault::Oversized),
            None => return None,
        }
    }
}

async fn write(mut sink: impl SinkExt<Bytes, Error = io::Error> + Unpin, mut outgoing: Leaving) -> Option<LinkFault> {
    let mut host = outgoing.host.fuse();
    loop {
        let message = futures::select! {
            message = outgoing.messages.next() => match message {
                Some(message) => message,
                None => break,
            },
            _ = host => {
                outgoing.messages.close();
                continue;
            }
        };
        outgoing.queued.set(outgoing.queued.get().saturating_sub(message.len()));
        match select(sink.send(message.into()), Delay::new(WRITE_PATIENCE)).await {
            Either::Left((sent, _)) => sent.ok()?,
            Either::Right(_) => return Some(LinkFault::TooSlow),
        }
    }
    // What was sent is to arrive; the peer sees the end after it.
    select(sink.close(), Delay::new(WRITE_PATIENCE)).await;
    None
}

/// The codec has one error of its own.
pub(super) fn is_oversized(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
