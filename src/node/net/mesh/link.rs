//! One sync stream: converts between bytes and whole messages of bounded length.
//!
//! The stream ends if the peer does not read what it requested, or sends an oversized message.
//!
//! For example, Bob requests 9 MiB of changes and reads slowly. Once more than [`OUTGOING_MAX_BYTES`] wait for him, the
//! host reads nothing further from him, so he can request nothing more; if a message can't be written for
//! [`WRITE_TIMEOUT`], the link ends with [`LinkFault::TooSlow`].

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

use gen_registry_core::sync::exchange::wire::MESSAGE_MAX_BYTES;

/// A message that can't be sent within this time ends the link.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Received messages that wait for the host: up to four pages of a comparison, and a few short ones.
pub const INCOMING_WAITING: usize = 8;
/// Bytes that wait to be sent. Beyond this the host reads nothing more from the peer until some are sent.
pub const OUTGOING_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Why a link ended, if that is the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    #[error("a message larger than the protocol allows")]
    Oversized,
    #[error("the peer does not read what it requested")]
    TooSlow,
}

/// The queue of messages to a peer. Sending never waits: two sides that both waited would deadlock. The channel is
/// unbounded; the host bounds it by reading from the peer only while [`Outgoing::is_full`] is false.
#[derive(Clone)]
pub struct Outgoing {
    /// The queue itself.
    messages: mpsc::UnboundedSender<Vec<u8>>,
    /// Bytes in the queue, shared with its receiving end.
    queued: Rc<Cell<usize>>,
    /// Why the link ended, shared with the task that carries it.
    fault: Rc<Cell<Option<LinkFault>>>,
}

/// The receiving end of an [`Outgoing`].
pub(super) struct OutgoingQueue {
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Rc<Cell<usize>>,
    fault: Rc<Cell<Option<LinkFault>>>,
    /// Resolves when the host drops its guard.
    host: oneshot::Receiver<()>,
}

/// Keeps a link open; dropping it ends the link.
pub struct LinkGuard(#[expect(dead_code, reason = "only its drop is observed")] oneshot::Sender<()>);

/// Returns the two ends of a link's queue and the guard that keeps the link open.
pub(super) fn outgoing() -> (Outgoing, OutgoingQueue, LinkGuard) {
    let (sender, receiver) = mpsc::unbounded();
    let (guard, host) = oneshot::channel();
    let (queued, fault) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
    let queue = OutgoingQueue { messages: receiver, queued: queued.clone(), fault: fault.clone(), host };
    (Outgoing { messages: sender, queued, fault }, queue, LinkGuard(guard))
}

impl Outgoing {
    /// Queues a message. Returns `false` if the link has ended.
    pub fn send(&self, message: Vec<u8>) -> bool {
        self.queued.set(self.queued.get() + message.len());
        self.messages.unbounded_send(message).is_ok()
    }

    /// Whether the peer should first read what it requested. `false` once the link has ended.
    pub fn is_full(&self) -> bool {
        self.queued.get() > OUTGOING_MAX_BYTES && !self.messages.is_closed()
    }

    /// Returns why the link ended, if that was the peer's fault, even before all received messages are read.
    pub fn fault(&self) -> Option<LinkFault> {
        self.fault.get()
    }
}

/// Frames messages with their length in front (unsigned varint, as in libp2p's own protocols).
pub(super) fn framed(stream: Stream, max_bytes: usize) -> Framed<Stream, UviBytes> {
    let mut codec = UviBytes::default();
    codec.set_max_len(max_bytes);
    Framed::new(stream, codec)
}

/// Carries messages both ways until either side ends the link.
pub(super) async fn carry(stream: Stream, incoming: mpsc::Sender<Result<Vec<u8>, LinkFault>>, outgoing: OutgoingQueue) {
    let (sink, source) = framed(stream, MESSAGE_MAX_BYTES).split();
    let (mut faults, shared_fault) = (incoming.clone(), outgoing.fault.clone());
    let reading = read(source, incoming);
    let writing = write(sink, outgoing);
    pin_mut!(reading, writing);
    let fault = match select(reading, writing).await {
        Either::Left((fault, _)) | Either::Right((fault, _)) => fault,
    };
    if let Some(fault) = fault {
        shared_fault.set(Some(fault));
        // The host may have dropped the link.
        faults.try_send(Err(fault)).ok();
    }
}

/// Passes received messages on until the stream ends. Waits while the receiver is full, which makes the peer wait, too.
/// Returns the peer's fault, if there was one.
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

/// Writes queued messages until the host drops its end or its guard, then closes the stream. Returns
/// [`LinkFault::TooSlow`] if the peer does not read.
async fn write(
    mut sink: impl SinkExt<Bytes, Error = io::Error> + Unpin,
    mut outgoing: OutgoingQueue,
) -> Option<LinkFault> {
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
        match select(sink.send(message.into()), Delay::new(WRITE_TIMEOUT)).await {
            Either::Left((sent, _)) => sent.ok()?,
            Either::Right(_) => return Some(LinkFault::TooSlow),
        }
    }
    // Flushes what was sent before the peer sees the end.
    select(sink.close(), Delay::new(WRITE_TIMEOUT)).await;
    None
}

/// Whether the codec refused the length of a message: its only error of its own.
pub(super) fn is_oversized(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
