//! A transport behind a proxy: connections of a trusted proxy have the address of the client that it names.
//!
//! A browser's WebSocket begins with an HTTP request, to which the proxy adds `X-Forwarded-For`. The address of a
//! connection is asked for before its handshake, so the request's head is read here, and given to the WebSocket's
//! handshake again.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, MapOk, ready};
use futures::io::{AsyncRead, AsyncWrite};
use futures::stream::FuturesUnordered;
use futures::{AsyncReadExt, FutureExt, StreamExt, TryFutureExt};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, Transport, multiaddr::Protocol};
use tokio::time::timeout;

use crate::net::forwarded::{HEADER, TrustedProxies};
use crate::net::relay::limits::{PROXIED_HEAD_MAX_BYTES, PROXIED_HEAD_TIMEOUT, PROXIED_PENDING_MAX};

/// Header lines that are looked at. A request with more is taken for the proxy's own.
const HEADER_LINES_MAX: usize = 64;

/// A connection whose client is known: what the inner transport's event said, with another address.
struct Named<S> {
    listener_id: ListenerId,
    stream: Replayed<S>,
    local_addr: Multiaddr,
    send_back_addr: Multiaddr,
}

/// A transport for a server behind trusted proxies.
pub(super) struct Proxied<T: Transport> {
    inner: T,
    trusted: TrustedProxies,
    /// Connections of proxies whose heads are being read. `None` for those that broke.
    reading: FuturesUnordered<BoxFuture<'static, Option<Named<T::Output>>>>,
}

impl<T: Transport> Proxied<T> {
    /// Wraps a transport. Without trusted proxies it changes nothing.
    pub(super) fn new(inner: T, trusted: TrustedProxies) -> Self {
        Self { inner, trusted, reading: FuturesUnordered::new() }
    }
}

impl<T> Transport for Proxied<T>
where
    T: Transport + Unpin,
    T::Output: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T::Error: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    type Output = Replayed<T::Output>;
    type Error = T::Error;
    type ListenerUpgrade = BoxFuture<'static, Result<Self::Output, T::Error>>;
    type Dial = MapOk<T::Dial, fn(T::Output) -> Replayed<T::Output>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<T::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<T::Error>> {
        Ok(self.inner.dial(address, options)?.map_ok(Replayed::new as fn(_) -> _))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        loop {
            if let Poll::Ready(Some(named)) = self.reading.poll_next_unpin(cx) {
                let Some(Named { listener_id, stream, local_addr, send_back_addr }) = named else { continue };
                let upgrade = ready(Ok(stream)).boxed();
                return Poll::Ready(TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr });
            }
            let event = match Pin::new(&mut self.inner).poll(cx) {
                Poll::Ready(event) => event,
                Poll::Pending => return Poll::Pending,
            };
            match event {
                TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr }
                    if self.is_trusted(&send_back_addr) =>
                {
                    // A proxy has the whole head before it connects, so few are under way.
                    if self.reading.len() < PROXIED_PENDING_MAX {
                        let trusted = self.trusted.clone();
                        self.reading.push(
                            async move {
                                let naming = name(upgrade, send_back_addr, &trusted);
                                let (stream, send_back_addr) = timeout(PROXIED_HEAD_TIMEOUT, naming).await.ok()??;
                                Some(Named { listener_id, stream, local_addr, send_back_addr })
                            }
                            .boxed(),
                        );
                    }
                }
                event => {
                    return Poll::Ready(event.map_upgrade(|upgrade| upgrade.map_ok(Replayed::new).boxed()));
                }
            }
        }
    }
}

impl<T: Transport> Proxied<T> {
    /// Whether an address is that of a trusted proxy.
    fn is_trusted(&self, address: &Multiaddr) -> bool {
        ip_of(address).is_some_and(|address| self.trusted.contains(address))
    }
}

/// Reads the head of a proxy's request, and returns the stream as it was with the client's address.
async fn name<S: AsyncRead + Unpin, E>(
    upgrade: impl Future<Output = Result<S, E>>,
    address: Multiaddr,
    trusted: &TrustedProxies,
) -> Option<(Replayed<S>, Multiaddr)> {
    let mut stream = upgrade.await.ok()?;
    let head = read_head(&mut stream).await.ok()?;
    let address = match client_in(&head, trusted) {
        Some(client) => with_ip(&address, client),
        None => {
            tracing::debug!("a proxy names no client: its own address counts");
            address
        }
    };
    Some((Replayed { head, read: 0, stream }, address))
}

/// Reads until the end of a head, or as much as a head may have.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    while head.len() < PROXIED_HEAD_MAX_BYTES && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let room = piece.len().min(PROXIED_HEAD_MAX_BYTES - head.len());
        match stream.read(&mut piece[..room]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

/// Returns the client that a request's head names.
fn client_in(head: &[u8], trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut lines = [httparse::EMPTY_HEADER; HEADER_LINES_MAX];
    let mut request = httparse::Request::new(&mut lines);
    if !request.parse(head).ok()?.is_complete() {
        return None;
    }
    let named = request.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(HEADER));
    let values: Option<Vec<&str>> = named.map(|line| std::str::from_utf8(line.value).ok()).collect();
    trusted.client_of(values?.into_iter())
}

/// Returns the IP address at the start of an address.
fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(address) => Some(address.into()),
        Protocol::Ip6(address) => Some(address.into()),
        _ => None,
    }
}

/// Returns an address with another IP address at its start.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Multiaddr {
    std::iter::once(Protocol::from(ip)).chain(address.iter().skip(1)).collect()
}

/// A stream, some bytes of which were read and are read again.
pub(super) struct Replayed<S> {
    head: Vec<u8>,
    /// How much of the head was read again.
    read: usize,
    stream: S,
}

impl<S> Replayed<S> {
    fn new(stream: S) -> Self {
        Self { head: Vec::new(), read: 0, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let rest = &self.head[self.read..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        if self.read == self.head.len() {
            (self.head, self.read) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::origin::Origin;

    #[test]
    fn head_is_read_again_before_the_rest() {
        let rest: &[u8] = b"rest";
        let mut stream = futures::io::Cursor::new(b"GET / HTTP/1.1\r\n\r\nrest".to_vec());
        let mut all = Vec::new();
        futures::executor::block_on(async {
            let head = read_head(&mut stream).await.expect("a head");
            assert!(head.ends_with(rest), "what came with it is kept");
            Replayed { head, read: 0, stream }.read_to_end(&mut all).await.expect("no fault");
        });
        assert_eq!(all, b"GET / HTTP/1.1\r\n\r\nrest");
    }

    #[test]
    fn client_is_named_by_the_head_alone() {
        let trusted = TrustedProxies::new([IpAddr::from([127, 0, 0, 1])]);
        let client = |head: &str| client_in(head.as_bytes(), &trusted);
        let named = "GET / HTTP/1.1\r\nhost: x\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n\r\n";
        assert_eq!(client(named), Some([192, 0, 2, 1].into()));
        assert_eq!(client("GET / HTTP/1.1\r\nhost: x\r\n\r\nx-forwarded-for: 192.0.2.1\r\n\r\n"), None);
        assert_eq!(client("GET / HTTP/1.1\r\nx-forwarded-for: 192.0.2.1"), None, "no whole head");
        let address = "/ip4/127.0.0.1/tcp/4711".parse().expect("an address");
        let v6 = with_ip(&address, "2001:db8::7".parse().expect("an address"));
        assert_eq!(v6.to_string(), "/ip6/2001:db8::7/tcp/4711");
        assert_eq!(Origin::of(&v6).map(Origin::address), "2001:db8::".parse().ok());
    }
}
