//! A browser's connections to relays: WebSocket as a libp2p transport.
//!
//! Dials only `/ip4|ip6|dns*/…/tcp/…/ws|wss`, and can't listen. Reader and writer get the end of a connection, and
//! errors, at once. Writing waits while the browser buffers too much; a connection with too much unread data is closed.

use std::cell::RefCell;
use std::future::Pending;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::{LocalBoxFuture, poll_fn};
use futures::{AsyncRead, AsyncWrite, FutureExt};
use futures_timer::Delay;
use js_sys::{ArrayBuffer, Uint8Array};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::swarm::derive_prelude::Endpoint;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use crate::net::address::websocket_url;
use crate::net::buffer::{TooMuchUnread, Unread};

/// Writing pauses above this much that the browser has not sent.
pub const BUFFERED_MAX_BYTES: u32 = 1024 * 1024;
/// A longer write becomes several messages.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// A WebSocket does not report when it has sent something, so a paused writer checks again after this time.
const RECHECK_INTERVAL: Duration = Duration::from_millis(20);

/// Why a WebSocket could not be opened, or ended; the source of the `io::Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketError {
    #[error("the browser does not allow this address")]
    Forbidden,
    #[error("no answer, or not that of a WebSocket")]
    Refused,
    #[error("the other side ended the connection")]
    Ended,
    #[error("the connection broke")]
    Broken,
    #[error("this side ended the connection")]
    Closed,
    #[error("text where bytes belong")]
    NotBytes,
    #[error(transparent)]
    TooMuchUnread(#[from] TooMuchUnread),
}

impl From<WebSocketError> for io::Error {
    fn from(error: WebSocketError) -> Self {
        let kind = match error {
            WebSocketError::Forbidden => io::ErrorKind::PermissionDenied,
            WebSocketError::Refused => io::ErrorKind::ConnectionRefused,
            WebSocketError::Ended | WebSocketError::Closed => io::ErrorKind::BrokenPipe,
            WebSocketError::Broken => io::ErrorKind::ConnectionReset,
            WebSocketError::NotBytes | WebSocketError::TooMuchUnread(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The state that the socket's event handlers and its owner share.
struct SharedSocket {
    socket: WebSocket,
    /// Whether the handshake is over.
    open: bool,
    /// Why the connection has ended, once it has.
    end_reason: Option<WebSocketError>,
    /// Received bytes.
    unread: Unread,
    /// Wakes the dial that waits for the WebSocket to open.
    opener: Option<Waker>,
    /// Wakes the task that waits for data.
    reader: Option<Waker>,
    /// Wakes the task that waits until less is buffered.
    writer: Option<Waker>,
}

impl SharedSocket {
    /// Takes in an event of the browser: open, message, error or close.
    fn handle(&mut self, event: &Event) {
        if let Some(message) = event.dyn_ref::<MessageEvent>() {
            if let Err(error) = self.receive(message) {
                tracing::debug!(%error, "WebSocket closed");
                self.end(error);
            } else if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        } else if let Some(close) = event.dyn_ref::<CloseEvent>() {
            let is_clean = self.open && close.was_clean();
            self.end(if is_clean { WebSocketError::Ended } else { self.breakage() });
        } else if event.type_() == "open" {
            self.open = true;
            self.wake();
        } else {
            self.end(self.breakage());
        }
    }

    /// Buffers a message. Fails if it is text or too long; the WebSocket is then closed.
    fn receive(&mut self, message: &MessageEvent) -> Result<(), WebSocketError> {
        if self.end_reason.is_some() {
            return Ok(());
        }
        let buffer: ArrayBuffer = message.data().dyn_into().map_err(|_| WebSocketError::NotBytes)?;
        // Before it is copied.
        self.unread.check(buffer.byte_length() as usize)?;
        self.unread.push(Uint8Array::new(&buffer).to_vec())?;
        Ok(())
    }

    /// Returns what an error means: before the WebSocket is open, that it was refused.
    fn breakage(&self) -> WebSocketError {
        if self.open { WebSocketError::Broken } else { WebSocketError::Refused }
    }

    /// Closes the socket. The first reason is stored.
    fn end(&mut self, why: WebSocketError) {
        if self.end_reason.is_none() {
            self.end_reason = Some(why);
            if self.socket.close().is_err() {
                tracing::debug!("WebSocket not closed");
            }
        }
        self.wake();
    }

    /// Wakes all waiting tasks.
    fn wake(&mut self) {
        for waker in [self.opener.take(), self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

type OnEvent = Closure<dyn FnMut(Event)>;

/// A WebSocket with its event handlers; dropping it closes the WebSocket.
struct Handled {
    shared: Rc<RefCell<SharedSocket>>,
    _on_event: OnEvent,
}

impl Handled {
    /// Opens a WebSocket and sets its handlers. Fails if the browser forbids the address.
    fn new(url: &str) -> Result<Self, WebSocketError> {
        let socket = WebSocket::new(url).map_err(|_| WebSocketError::Forbidden)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let shared = Rc::new(RefCell::new(SharedSocket {
            socket: socket.clone(),
            open: false,
            end_reason: None,
            unread: Unread::default(),
            opener: None,
            reader: None,
            writer: None,
        }));
        let on_event = OnEvent::new({
            let shared = shared.clone();
            move |event: Event| shared.borrow_mut().handle(&event)
        });
        let handler = Some(on_event.as_ref().unchecked_ref());
        socket.set_onopen(handler);
        socket.set_onmessage(handler);
        socket.set_onclose(handler);
        socket.set_onerror(handler);
        Ok(Self { shared, _on_event: on_event })
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        // Before the closure is dropped: the browser would call a freed one.
        shared.socket.set_onopen(None);
        shared.socket.set_onmessage(None);
        shared.socket.set_onclose(None);
        shared.socket.set_onerror(None);
        shared.end(WebSocketError::Closed);
    }
}

/// An open WebSocket; dropping it closes it.
pub struct Socket {
    handled: SendWrapper<Handled>,
    /// The wait of a paused writer.
    pause: Option<Delay>,
}

impl Socket {
    /// Opens a WebSocket and waits until it is open or has failed.
    async fn open(url: String) -> Result<Self, WebSocketError> {
        let handled = Handled::new(&url)?;
        poll_fn(|cx| {
            let mut shared = handled.shared.borrow_mut();
            match shared.end_reason {
                Some(error) => Poll::Ready(Err(error)),
                None if shared.open => Poll::Ready(Ok(())),
                None => {
                    shared.opener = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(Self { handled: SendWrapper::new(handled), pause: None })
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.handled.shared.borrow_mut();
        if !shared.unread.is_empty() {
            return Poll::Ready(Ok(shared.unread.read(into)));
        }
        match shared.end_reason {
            Some(WebSocketError::Ended | WebSocketError::Closed) => Poll::Ready(Ok(0)),
            Some(error) => Poll::Ready(Err(error.into())),
            None => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let shared = self.handled.shared.clone();
        let mut shared = shared.borrow_mut();
        loop {
            if let Some(error) = shared.end_reason {
                return Poll::Ready(Err(error.into()));
            }
            if shared.socket.buffered_amount() <= BUFFERED_MAX_BYTES {
                self.pause = None;
                let part = &data[..data.len().min(MESSAGE_MAX_BYTES)];
                return Poll::Ready(match shared.socket.send_with_u8_array(part) {
                    Ok(()) => Ok(part.len()),
                    Err(_) => Err(WebSocketError::Broken.into()),
                });
            }
            // The end of the connection wakes it, too.
            shared.writer = Some(cx.waker().clone());
            let pause = self.pause.get_or_insert_with(|| Delay::new(RECHECK_INTERVAL));
            if pause.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
    }

    /// Does nothing: nothing is buffered here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the socket. The browser still sends what it has buffered.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.handled.shared.borrow_mut().end(WebSocketError::Closed);
        Poll::Ready(Ok(()))
    }
}

/// The transport. It has no state: each dial opens one WebSocket.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketTransport;

impl libp2p::Transport for WebSocketTransport {
    type Output = Socket;
    type Error = WebSocketError;
    type ListenerUpgrade = Pending<Result<Socket, WebSocketError>>;
    type Dial = SendWrapper<LocalBoxFuture<'static, Result<Socket, WebSocketError>>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<WebSocketError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<WebSocketError>> {
        match websocket_url(&address) {
            Some(url) if opts.role == Endpoint::Dialer => Ok(SendWrapper::new(Socket::open(url).boxed_local())),
            _ => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, WebSocketError>> {
        Poll::Pending
    }
}
