//! Listens for HTTP, within limits: on connections in all and of one address, on a request's head, and on how long a
//! client may say nothing or read nothing.
//!
//! Connections beyond a limit are closed at once, so that others of the process find files to open. Connections of a
//! trusted proxy count in all only; of those, the requests of one client that are being answered count for its address.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gen_registry_node::net::forwarded::{HEADER, TrustedProxies};
use gen_registry_node::net::origin::Origin;
use gen_registry_node::net::shares::Shares;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use crate::counts::HttpCounts;
use crate::limits::{HTTP_HEAD_LINES_MAX, HTTP_HEAD_MAX_BYTES, HTTP_WRITE_TIMEOUT, HttpLimits};

/// After a failure to accept, e.g. for want of files, the next attempt waits for this.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a listener admits, and counts.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) limits: HttpLimits,
    pub(crate) proxies: TrustedProxies,
    pub(crate) counts: HttpCounts,
}

/// What connections are admitted by. Clones share what is open.
#[derive(Clone)]
struct Doors {
    proxies: TrustedProxies,
    counts: HttpCounts,
    /// From the beginning of a connection, or the answer before, to the end of a request's head.
    head_timeout: Duration,
    connections: Room,
    /// Requests that proxies passed on and that are being answered.
    requests: Room,
}

/// Room for what is open. Clones share it.
#[derive(Clone)]
struct Room(Arc<Mutex<Numbered>>);

/// Room with the number of what is admitted next.
struct Numbered {
    shares: Shares<u64>,
    next: u64,
}

/// Room for one; it ends when this is dropped.
struct Permit {
    room: Room,
    number: u64,
}

impl Room {
    fn new(max: usize, max_of_origin: usize) -> Self {
        Self(Arc::new(Mutex::new(Numbered { shares: Shares::new(max, max_of_origin), next: 0 })))
    }

    /// Admits one, unless there is no room.
    fn enter(&self, origin: Option<Origin>) -> Option<Permit> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = inner.next;
        inner.next += 1;
        inner.shares.take(number, origin).ok()?;
        Some(Permit { room: self.clone(), number })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.room.0.lock().unwrap_or_else(PoisonError::into_inner).shares.release(&self.number);
    }
}

/// Serves an application until `stop` resolves, then until the requests under way are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    Door { limits, proxies, counts }: Door,
    stop: impl Future<Output = ()>,
) {
    let HttpLimits { connections, connections_per_address: per_address, head_timeout } = limits;
    let doors = Doors {
        proxies,
        counts,
        head_timeout,
        connections: Room::new(connections, per_address),
        requests: Room::new(usize::MAX, per_address),
    };
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, address)) => begin(stream, address, &doors, app.clone(), &graceful),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Starts to serve a connection, or closes it.
fn begin(stream: TcpStream, address: SocketAddr, doors: &Doors, app: Router, graceful: &GracefulShutdown) {
    let is_proxy = doors.proxies.contains(address.ip());
    let origin = (!is_proxy).then(|| address.ip().into());
    let Some(permit) = doors.connections.enter(origin) else {
        doors.counts.connections_refused.inc();
        return tracing::debug!("a connection beyond a limit was closed");
    };
    let open = doors.counts.connections.clone();
    open.inc();
    let (head_timeout, doors) = (doors.head_timeout, doors.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (app, doors) = (app.clone(), doors.clone());
        async move { Ok::<_, Infallible>(answer(request.map(Body::new), is_proxy, &doors, app).await) }
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(HTTP_WRITE_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_headers(HTTP_HEAD_LINES_MAX)
        .max_header_size(HTTP_HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
        open.dec();
        drop(permit);
    });
}

/// Answers a request, unless its client has too many under way at a proxy.
async fn answer(request: Request, is_proxy: bool, doors: &Doors, app: Router) -> Response {
    let client = is_proxy.then(|| client_of(request.headers(), &doors.proxies)).flatten();
    let Some(permit) = doors.requests.enter(client.map(Origin::from)) else {
        doors.counts.requests_refused.inc();
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    doors.counts.requests.inc();
    let response = match app.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    // Until the whole answer is sent.
    response.map(|body| {
        Body::new(body.map_err(move |error| {
            let _ = &permit;
            error
        }))
    })
}

/// Returns the client that a proxy names.
fn client_of(headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let lines: Option<Vec<&str>> = headers.get_all(HEADER).iter().map(|line| line.to_str().ok()).collect();
    proxies.client_of(lines?.into_iter())
}

/// Listens on an address; the error is that of the system.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
