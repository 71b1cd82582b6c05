//! A connection in memory, with somebody in the middle who may change what passes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

#[derive(Default)]
struct OneWay {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
}

impl OneWay {
    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

type Shared = Arc<Mutex<OneWay>>;

fn lock(shared: &Shared) -> MutexGuard<'_, OneWay> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees every write before it goes on its way.
type Tamper = Box<dyn FnMut(&mut [u8]) + Send>;

/// One end; dropping it ends the connection.
pub struct Pipe {
    incoming: Shared,
    outgoing: Shared,
    tamper: Tamper,
}

pub fn pipe() -> (Pipe, Pipe) {
    let (there, back) = (Shared::default(), Shared::default());
    let end = |incoming: &Shared, outgoing: &Shared| Pipe {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        tamper: Box::new(|_| {}),
    };
    (end(&there, &back), end(&back, &there))
}

impl Pipe {
    /// Every write at this end passes through somebody's hands.
    #[must_use]
    pub fn tampered(mut self, tamper: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        self.tamper = Box::new(tamper);
        self
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut incoming = lock(&self.incoming);
        if incoming.bytes.is_empty() && !incoming.closed {
            incoming.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = incoming.bytes.len().min(into.len());
        for (to, from) in into.iter_mut().zip(incoming.bytes.drain(..length)) {
            *to = from;
        }
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut passing = data.to_vec();
        (self.tamper)(&mut passing);
        let mut outgoing = lock(&self.outgoing);
        outgoing.bytes.extend(passing);
        outgoing.wake();
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outgoing = lock(&self.outgoing);
        outgoing.closed = true;
        outgoing.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut outgoing = lock(&self.outgoing);
        outgoing.closed = true;
        outgoing.wake();
    }
}
