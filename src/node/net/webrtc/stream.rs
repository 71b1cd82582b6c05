//! One stream: a data channel as `AsyncRead` and `AsyncWrite`.
//!
//! Writing waits while the browser buffers too much. A data channel has no flow control, so a stream whose reader is
//! too slow is reset, and a connection whose streams hold too much together ends. The channel of a dropped stream remains open until both sides are done, for at most [`LINGER`]:
//! Chromium allows some 32,000 unclosed channels.
//!
//! How a slow peer is noticed on each side: the sender's browser buffers up to [`BUFFERED_HIGH_BYTES`], then writing
//! waits until [`BUFFERED_LOW_BYTES`] are left; the receiver's [`Framing`] stores up to
//! [`INBOUND_MAX_BYTES`](super::frame::INBOUND_MAX_BYTES), then the stream is reset. So a protocol whose peer may be
//! slow must limit what it has requested, as the sync and block protocols do.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::{Either, poll_fn, select};
use futures::{AsyncRead, AsyncWrite};
use futures_timer::Delay;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use super::connection::Watch;
use super::frame::{FRAME_MAX_BYTES, FrameError, Framing, Read, WriteOver, Writing};
use super::unread::{TooMuchUnread, UnreadPart};

/// Writing pauses above this much that the browser has not sent.
pub const BUFFERED_HIGH_BYTES: u32 = 1024 * 1024;
/// Writing resumes below this.
pub const BUFFERED_LOW_BYTES: u32 = 256 * 1024;
/// How long a dropped stream waits for the other side's acknowledgement.
pub const LINGER: Duration = Duration::from_secs(10);

/// Why a stream failed; the source of the `io::Error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    #[error("the stream was reset")]
    Reset,
    #[error("the other side reads no more")]
    Stopped,
    #[error("the stream was ended for writing")]
    Ended,
    #[error("the other side broke the framing")]
    Frame(#[source] FrameError),
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Reset => io::ErrorKind::ConnectionReset,
            StreamError::Stopped | StreamError::Ended => io::ErrorKind::BrokenPipe,
            StreamError::Frame(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The state that the channel's event handlers and the stream's owner share.
pub(super) struct SharedStream {
    channel: RtcDataChannel,
    framing: Framing,
    /// How the other side broke the framing, if it did.
    broken: Option<FrameError>,
    /// Too much is buffered. Reset when the browser reports that little is left.
    paused: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Wakes the task that waits for the other side's end after the stream was dropped.
    lingering: Option<Waker>,
}

impl SharedStream {
    /// Whether the browser accepts data for the channel.
    fn is_open(&self) -> bool {
        self.channel.ready_state() == RtcDataChannelState::Open
    }

    /// Hands everything queued to the browser. The queue is short: writing stops while the channel is not open.
    fn pump(&mut self) {
        while self.is_open() {
            let Some(frame) = self.framing.next_outgoing() else { return };
            if self.channel.send_with_u8_array(&frame).is_err() {
                self.framing.lose_channel();
                self.channel.close();
                return;
            }
        }
    }

    /// Takes in a message of the channel, and resets the stream if it is none.
    fn receive(&mut self, event: &MessageEvent) {
        let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() else { return self.reset_for(FrameError::NotBytes) };
        // Before it is copied.
        if buffer.byte_length() as usize > FRAME_MAX_BYTES {
            return self.reset_for(FrameError::Oversized);
        }
        let bytes = Uint8Array::new(&buffer).to_vec();
        match self.framing.receive(&bytes) {
            Ok(()) => self.pump(),
            Err(error) => self.reset_for(error),
        }
    }

    /// Resets the stream because the other side broke the framing.
    fn reset_for(&mut self, error: FrameError) {
        tracing::debug!(%error, "stream reset");
        self.broken.get_or_insert(error);
        self.framing.reset();
        self.pump();
        self.channel.close();
    }

    /// Whether the stream was refused because the connection holds too much.
    fn excess(&self) -> Option<TooMuchUnread> {
        match self.broken {
            Some(FrameError::Connection(excess)) => Some(excess),
            _ => None,
        }
    }

    /// Returns the bytes that the browser has not sent yet.
    pub(super) fn buffered(&self) -> usize {
        self.channel.buffered_amount() as usize
    }

    /// The channel or the whole connection has ended.
    pub(super) fn lose(&mut self) {
        self.framing.lose_channel();
        self.channel.close();
        self.wake();
    }

    /// Wakes the reader, the writer and the task that lingers.
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take(), self.lingering.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Returns the error for the owner: the broken framing, if there was one, explains more than its consequence.
    fn failure(&self, otherwise: StreamError) -> io::Error {
        self.broken.map_or(otherwise, StreamError::Frame).into()
    }

    /// Returns the error of writing to a direction that has ended.
    fn write_failure(&self, WriteOver(why): WriteOver) -> io::Error {
        self.failure(match why {
            Writing::Stopped => StreamError::Stopped,
            Writing::Ended | Writing::Acknowledged => StreamError::Ended,
            Writing::Open | Writing::Reset => StreamError::Reset,
        })
    }

    /// Whether both sides are done, or the channel has ended.
    fn may_close(&self) -> bool {
        let is_closed =
            matches!(self.channel.ready_state(), RtcDataChannelState::Closing | RtcDataChannelState::Closed);
        is_closed || self.framing.is_over() && !self.framing.has_outgoing()
    }
}

/// The handler of messages.
type OnMessage = Closure<dyn FnMut(MessageEvent)>;
/// The handler of other events.
type OnEvent = Closure<dyn FnMut(Event)>;

/// A data channel with its handlers; dropping it closes the channel.
struct StreamChannel {
    shared: Rc<RefCell<SharedStream>>,
    _on_message: OnMessage,
    _on_event: OnEvent,
}

impl StreamChannel {
    /// Sets every handler before it returns: what arrives before a handler is there is lost.
    fn new(channel: RtcDataChannel, part: UnreadPart, connection: Watch) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(BUFFERED_LOW_BYTES);
        let shared = Rc::new(RefCell::new(SharedStream {
            channel: channel.clone(),
            framing: Framing::new(part),
            broken: None,
            paused: false,
            reader: None,
            writer: None,
            lingering: None,
        }));
        let on_message = OnMessage::new({
            let shared = shared.clone();
            move |event: MessageEvent| {
                let excess = {
                    let mut shared = shared.borrow_mut();
                    shared.receive(&event);
                    shared.wake();
                    shared.excess()
                };
                // Ends this stream, too, so it may not be borrowed.
                if let Some(excess) = excess {
                    connection.end(excess.into());
                }
            }
        });
        let on_event = OnEvent::new({
            let shared = shared.clone();
            move |event: Event| {
                let mut shared = shared.borrow_mut();
                match event.type_().as_str() {
                    "open" => shared.pump(),
                    "bufferedamountlow" => shared.paused = false,
                    _ => shared.framing.lose_channel(),
                }
                shared.wake();
            }
        });
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let handler = Some(on_event.as_ref().unchecked_ref());
        channel.set_onopen(handler);
        channel.set_onbufferedamountlow(handler);
        channel.set_onclose(handler);
        channel.set_onerror(handler);
        Self { shared, _on_message: on_message, _on_event: on_event }
    }
}

impl Drop for StreamChannel {
    fn drop(&mut self) {
        let shared = self.shared.borrow();
        // Before the closures are dropped: the browser would call freed ones.
        shared.channel.set_onmessage(None);
        shared.channel.set_onopen(None);
        shared.channel.set_onbufferedamountlow(None);
        shared.channel.set_onclose(None);
        shared.channel.set_onerror(None);
        shared.channel.close();
    }
}

/// A stream of a direct connection. Dropping it ends it: by a reset if writing was not ended, else in order.
pub struct Stream {
    /// `None` only while it is being dropped.
    channel: Option<SendWrapper<StreamChannel>>,
    shared: SendWrapper<Rc<RefCell<SharedStream>>>,
}

impl Stream {
    /// Makes a stream of a channel, with its part of what the connection may hold. Its handlers are set at once.
    pub(super) fn new(channel: RtcDataChannel, part: UnreadPart, connection: Watch) -> Self {
        let channel = StreamChannel::new(channel, part, connection);
        Self { shared: SendWrapper::new(channel.shared.clone()), channel: Some(SendWrapper::new(channel)) }
    }

    /// Returns a weak reference, by which the connection ends the stream.
    pub(super) fn shared(&self) -> Weak<RefCell<SharedStream>> {
        Rc::downgrade(&self.shared)
    }

    /// Returns the number of received bytes that were not read yet.
    pub fn unread(&self) -> usize {
        self.shared.borrow().framing.unread()
    }

    /// Returns the number of written bytes that the browser has not sent yet.
    pub fn buffered(&self) -> usize {
        self.shared.borrow().buffered()
    }

    /// Ends both directions at once, and notifies the other side.
    pub fn reset(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.framing.reset();
        shared.pump();
        shared.wake();
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.shared.borrow_mut();
        match shared.framing.read(into) {
            Read::Bytes(length) => Poll::Ready(Ok(length)),
            Read::End => Poll::Ready(Ok(0)),
            Read::Reset => Poll::Ready(Err(shared.failure(StreamError::Reset))),
            Read::Pending => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.shared.borrow_mut();
        if shared.framing.writing() == Writing::Open {
            if !shared.paused && shared.channel.buffered_amount() > BUFFERED_HIGH_BYTES {
                shared.paused = true;
            }
            if shared.paused || !shared.is_open() {
                shared.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let written = shared.framing.write(data).map_err(|over| shared.write_failure(over))?;
        shared.pump();
        Poll::Ready(Ok(written))
    }

    /// Does nothing: nothing is buffered here, and the browser does not report when it has sent all.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.shared.borrow_mut();
        shared.framing.end_writing();
        shared.pump();
        match shared.framing.writing() {
            Writing::Reset => Poll::Ready(Err(shared.failure(StreamError::Reset))),
            _ if shared.framing.has_outgoing() => {
                shared.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(channel) = self.channel.take() else { return };
        {
            let mut shared = self.shared.borrow_mut();
            if shared.framing.writing() == Writing::Open {
                shared.framing.reset();
            } else {
                shared.framing.stop_reading();
            }
            shared.pump();
        }
        wasm_bindgen_futures::spawn_local(async move {
            let done = poll_fn(|cx| {
                let mut shared = channel.shared.borrow_mut();
                if shared.may_close() {
                    return Poll::Ready(());
                }
                shared.lingering = Some(cx.waker().clone());
                Poll::Pending
            });
            if let Either::Right(_) = select(done, Delay::new(LINGER)).await {
                tracing::debug!("end of stream not acknowledged");
            }
            drop(channel);
        });
    }
}
