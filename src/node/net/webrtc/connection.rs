//! One direct connection: an `RTCPeerConnection` as libp2p's `StreamMuxer`, one data channel for each stream.
//!
//! Streams beyond the limits are refused by closing their channels. Once the other side has closed the connection, all
//! streams fail at once.
//!
//! A libp2p connection over TCP multiplexes its streams with yamux; here the browser does so itself, with SCTP (RFC
//! 8831). Encryption and authentication are DTLS's, whose certificate fingerprints were exchanged on the authenticated
//! signalling stream; so there is no Noise handshake and no yamux on top.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, poll_fn};
use futures_timer::Delay;
use js_sys::{Array, Function, Reflect};
use libp2p::core::StreamMuxer;
use libp2p::core::muxing::StreamMuxerEvent;
use send_wrapper::SendWrapper;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Event, EventTarget, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent, RtcIceServer, RtcPeerConnection,
    RtcPeerConnectionState,
};

use super::stream::{SharedStream, Stream};
use super::unread::{TooMuchUnread, UnreadTotal};
use crate::net::ice::IceServer;

/// Streams that the other side opened and that were not accepted yet.
pub const INBOUND_WAITING_MAX: usize = 128;
/// Open streams of one connection; the other side may open no further ones.
pub const STREAMS_MAX: usize = 1024;
/// The label of the channel that makes the offer negotiate channels at all; it carries no stream.
pub(super) const INIT_LABEL: &str = "init";

/// How many times a closing connection checks whether written data is sent: for one second at most.
const DRAIN_STEPS: usize = 50;
/// The time between two of these checks.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Why a connection ended, or could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    #[error("the connection was closed here")]
    Closed,
    #[error("the other side closed the connection")]
    ClosedByPeer,
    #[error("the connection broke")]
    Broken,
    #[error(transparent)]
    TooMuchUnread(#[from] TooMuchUnread),
    #[error("the browser refused {what}: {why}")]
    Browser { what: &'static str, why: String },
}

impl ConnectionError {
    /// Makes an error of an exception of the browser. `what` is what it refused.
    pub(super) fn browser(what: &'static str, error: &JsValue) -> Self {
        let why = Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
        Self::Browser { what, why: why.unwrap_or_else(|| "no reason given".to_owned()) }
    }
}

/// The state that the browser's event handlers and the connection's owner share.
struct Inner {
    peer: RtcPeerConnection,
    /// Streams that the other side opened and that were not accepted yet.
    waiting: VecDeque<Stream>,
    /// All streams with open channels, to end them with the connection.
    streams: Vec<Weak<RefCell<SharedStream>>>,
    /// What the streams hold unread together.
    unread: UnreadTotal,
    /// By which a stream ends the connection.
    itself: Watch,
    /// Why the connection has ended, once it has.
    end_reason: Option<ConnectionError>,
    /// Tasks that wait for a stream or for a change of state.
    wakers: Vec<Waker>,
}

impl Inner {
    /// Registers the caller's waker, once.
    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Wakes all waiting tasks.
    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Makes a stream of a channel, one of those that end with the connection.
    fn stream(&mut self, channel: RtcDataChannel) -> Stream {
        let stream = Stream::new(channel, self.unread.part(), self.itself.clone());
        self.streams.retain(|stream| stream.strong_count() > 0);
        self.streams.push(stream.shared());
        stream
    }

    /// Accepts a data channel of the other side, or refuses it by closing it.
    fn take_channel(&mut self, channel: RtcDataChannel) {
        if channel.label() == INIT_LABEL {
            return;
        }
        self.streams.retain(|stream| stream.strong_count() > 0);
        if self.end_reason.is_some() || self.waiting.len() >= INBOUND_WAITING_MAX || self.streams.len() >= STREAMS_MAX {
            tracing::debug!("stream over the limit refused");
            return channel.close();
        }
        let stream = self.stream(channel);
        self.waiting.push_back(stream);
        self.wake();
    }

    /// Checks whether the other side is still there. `connectionState` alone needs some 16 s to show it.
    fn check(&mut self) {
        let sctp = sctp(&self.peer).and_then(|sctp| Reflect::get(&sctp, &"state".into()).ok()?.as_string());
        if sctp.as_deref() == Some("closed") {
            self.end(ConnectionError::ClosedByPeer);
        }
        match self.peer.connection_state() {
            RtcPeerConnectionState::Failed => self.end(ConnectionError::Broken),
            RtcPeerConnectionState::Closed => self.end(ConnectionError::Closed),
            _ => {}
        }
        self.wake();
    }

    /// Closing a peer connection fires no event on its channels, so the streams are ended from here.
    fn end(&mut self, why: ConnectionError) {
        if self.end_reason.is_some() {
            return;
        }
        self.end_reason = Some(why);
        self.peer.close();
        for stream in self.streams.drain(..).filter_map(|stream| stream.upgrade()) {
            stream.borrow_mut().lose();
        }
        self.waiting.clear();
        self.wake();
    }

    /// Returns why the connection has ended, if it has.
    fn still_open(&self) -> Result<(), ConnectionError> {
        self.end_reason.clone().map_or(Ok(()), Err)
    }

    /// Whether the browser has not sent everything that was written.
    fn buffers_something(&self) -> bool {
        self.streams.iter().filter_map(Weak::upgrade).any(|stream| stream.borrow().buffered() > 0)
    }
}

/// Returns the SCTP transport of a peer connection, once it is negotiated. It has no binding of its own.
fn sctp(peer: &RtcPeerConnection) -> Option<EventTarget> {
    Reflect::get(peer, &"sctp".into()).ok()?.dyn_into().ok()
}

/// Creates a data channel. Called by name, because the generated binding turns the exception of a full connection into
/// a crash.
pub(super) fn create_channel(peer: &RtcPeerConnection, label: &str) -> Result<RtcDataChannel, ConnectionError> {
    let create = || -> Result<RtcDataChannel, JsValue> {
        let function: Function = Reflect::get(peer, &"createDataChannel".into())?.dyn_into()?;
        function.call1(peer, &label.into())?.dyn_into()
    };
    create().map_err(|error| ConnectionError::browser("a data channel", &error))
}

/// A weak reference to a connection.
#[derive(Clone)]
pub(super) struct Watch(Weak<RefCell<Inner>>);

impl Watch {
    /// Returns the peer connection, or `None` once it has ended.
    pub(super) fn peer(&self) -> Option<RtcPeerConnection> {
        let inner = self.0.upgrade()?;
        let inner = inner.borrow();
        inner.end_reason.is_none().then(|| inner.peer.clone())
    }

    /// Ends the connection.
    pub(super) fn end(&self, why: ConnectionError) {
        if let Some(inner) = self.0.upgrade() {
            tracing::debug!(%why, "direct connection ended");
            inner.borrow_mut().end(why);
        }
    }
}

/// The handler of the other side's data channels.
type OnChannel = Closure<dyn FnMut(RtcDataChannelEvent)>;
/// Not `FnMut`: closing the connection fires the event in the middle of its own handler.
type OnState = Closure<dyn Fn(Event)>;

/// The browser's event handlers; they must live as long as they are set.
struct Handlers {
    _on_channel: OnChannel,
    on_state: OnState,
    /// The SCTP transport, once its state is watched.
    sctp: Option<EventTarget>,
}

/// A direct connection to one peer. Dropping it closes it at once.
pub struct Connection {
    inner: SendWrapper<Rc<RefCell<Inner>>>,
    handlers: SendWrapper<Handlers>,
    /// The closing under way: first what was written is sent.
    closing: Option<SendWrapper<LocalBoxFuture<'static, ()>>>,
}

impl Connection {
    /// Creates a connection that is not connected yet.
    pub(super) fn new(ice_servers: &[IceServer]) -> Result<Self, ConnectionError> {
        let configuration = RtcConfiguration::new();
        let servers = Array::new();
        for IceServer { urls, username, credential } in ice_servers {
            let server = RtcIceServer::new();
            server.set_urls(&urls.into());
            if let (Some(username), Some(credential)) = (username, credential) {
                server.set_username(username);
                server.set_credential(credential);
            }
            servers.push(&server);
        }
        configuration.set_ice_servers(&servers);
        let peer = RtcPeerConnection::new_with_configuration(&configuration)
            .map_err(|error| ConnectionError::browser("a peer connection", &error))?;
        let inner = Rc::new_cyclic(|itself| {
            RefCell::new(Inner {
                peer: peer.clone(),
                waiting: VecDeque::new(),
                streams: Vec::new(),
                unread: UnreadTotal::default(),
                itself: Watch(itself.clone()),
                end_reason: None,
                wakers: Vec::new(),
            })
        });
        let on_channel = OnChannel::new({
            let inner = inner.clone();
            move |event: RtcDataChannelEvent| inner.borrow_mut().take_channel(event.channel())
        });
        let on_state = OnState::new({
            let inner = inner.clone();
            move |_: Event| {
                // Closing it on this side fires this at once, in the middle of `end`: nothing more is to be done.
                if let Ok(mut inner) = inner.try_borrow_mut() {
                    inner.check();
                }
            }
        });
        peer.set_ondatachannel(Some(on_channel.as_ref().unchecked_ref()));
        peer.set_onconnectionstatechange(Some(on_state.as_ref().unchecked_ref()));
        let handlers = Handlers { _on_channel: on_channel, on_state, sctp: None };
        Ok(Self { inner: SendWrapper::new(inner), handlers: SendWrapper::new(handlers), closing: None })
    }

    /// Returns the browser's peer connection.
    pub(super) fn peer(&self) -> RtcPeerConnection {
        self.inner.borrow().peer.clone()
    }

    /// Returns a weak reference, which does not keep the connection open.
    pub(super) fn watched(&self) -> Watch {
        Watch(Rc::downgrade(&self.inner))
    }

    /// Waits until the connection is established or has failed.
    pub(super) async fn connected(&self) -> Result<(), ConnectionError> {
        poll_fn(|cx| {
            let mut inner = self.inner.borrow_mut();
            inner.still_open()?;
            match inner.peer.connection_state() {
                RtcPeerConnectionState::Connected => Poll::Ready(Ok(())),
                _ => inner.wait(cx),
            }
        })
        .await
    }

    /// Begins to watch the SCTP transport, which shows at once that the other side has closed the connection.
    pub(super) fn watch(&mut self) -> Result<(), ConnectionError> {
        let Some(sctp) = sctp(&self.peer()) else { return Ok(()) };
        sctp.add_event_listener_with_callback("statechange", self.handlers.on_state.as_ref().unchecked_ref())
            .map_err(|error| ConnectionError::browser("a listener", &error))?;
        self.handlers.sctp = Some(sctp);
        // It may have been closed before.
        self.inner.borrow_mut().check();
        Ok(())
    }

    /// Returns the number of streams whose channels are not closed yet.
    pub fn streams(&self) -> usize {
        self.inner.borrow().streams.iter().filter(|stream| stream.strong_count() > 0).count()
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        let mut inner = self.inner.borrow_mut();
        inner.still_open()?;
        match inner.waiting.pop_front() {
            Some(stream) => Poll::Ready(Ok(stream)),
            None => inner.wait(cx),
        }
    }

    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        let mut inner = self.inner.borrow_mut();
        inner.still_open()?;
        let channel = create_channel(&inner.peer, "")?;
        Poll::Ready(Ok(inner.stream(channel)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let inner = self.inner.clone();
        let closing = self.closing.get_or_insert_with(|| {
            SendWrapper::new(
                async move {
                    for _ in 0..DRAIN_STEPS {
                        if !inner.borrow().buffers_something() {
                            break;
                        }
                        Delay::new(DRAIN_STEP).await;
                    }
                    inner.borrow_mut().end(ConnectionError::Closed);
                }
                .boxed_local(),
            )
        });
        closing.poll_unpin(cx).map(Ok)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        let mut inner = self.inner.borrow_mut();
        inner.still_open()?;
        inner.wait(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let peer = self.peer();
        // Before the closures are dropped: the browser would call freed ones.
        peer.set_ondatachannel(None);
        peer.set_onconnectionstatechange(None);
        if let Some(sctp) = self.handlers.sctp.take() {
            let listener = self.handlers.on_state.as_ref().unchecked_ref();
            if sctp.remove_event_listener_with_callback("statechange", listener).is_err() {
                tracing::debug!("event listener not removed");
            }
        }
        self.inner.borrow_mut().end(ConnectionError::Closed);
    }
}
