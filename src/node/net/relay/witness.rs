//! The endpoint of a witness: streams of its protocol, each with one request and one answer, within limits.
//!
//! The witness encodes and decodes the content. Requests that are too many, too large or too slow do not reach it.
//!
//! A request is priced by what became of it: one that was served counts as such, one that was of no use (it could not be
//! read, a signature in it was wrong, or the witness refused) counts towards a small number of its address alone. So
//! whoever sends garbage, under however many peer ids, takes nothing from other addresses.
//!
//! Each refusal has another form, so that a client knows what to do:
//!
//! | why | what the peer gets |
//! |---|---|
//! | too many streams at once | a closed stream |
//! | over the rates, the queue is full, or the witness has ended | [`WitnessEndpoint::busy`]: ask later |
//! | oversized, too slow, or broken | a closed stream |
//! | the witness's own answer | its bytes: a receipt, or why there is none |

use std::{
    collections::HashMap,
    hash::Hash,
    io, mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    PeerId, Stream,
    swarm::{InvalidProtocol, StreamProtocol},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot,
    },
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::net::origin::Origin;
use crate::net::relay::{
    limits::{RATE_TIME, WitnessLimits},
    metrics::{Counts, number},
    origins::Origins,
};
use crate::net::streams::{Control, Incoming, OpenStreamError};

/// Requests to other witnesses that wait for a relay.
pub const OUTGOING_WAITING: usize = 256;
/// How long what waits for a relay that is not connected waits between two attempts.
const PASS_ON_RETRY: Duration = Duration::from_secs(1);
/// More of an answer to what is only passed on is not read.
const NOTED_MAX_BYTES: u64 = 1_024;

/// A witness beside the relay.
#[derive(Clone, Debug)]
pub struct WitnessEndpoint {
    /// The protocol's name on the wire.
    pub protocol: &'static str,
    /// Bytes of the longest request.
    pub request_max_bytes: usize,
    /// The answer if the witness is not available.
    pub busy: Vec<u8>,
    /// The queue of the witness. It is closed once the witness has ended.
    pub questions: mpsc::Sender<WitnessRequest>,
    /// Requests of the witness to the other witnesses of its set; a relay that is too slow misses the oldest.
    pub outgoing: broadcast::Sender<Vec<u8>>,
}

/// One request, and where to send the answer.
#[derive(Debug)]
pub struct WitnessRequest {
    /// The request as it was received.
    pub request: Vec<u8>,
    /// Where the answer goes; if it is dropped, the peer gets [`WitnessEndpoint::busy`].
    pub reply: oneshot::Sender<Reply>,
}

/// An answer of the witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The encoded answer.
    pub bytes: Vec<u8>,
    /// Its kind, for the metrics.
    pub outcome: ExchangeOutcome,
}

/// The kind of a reply, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeOutcome {
    /// A receipt was given.
    Receipt,
    /// The fact gets no receipt.
    Refused,
    /// The request can't be served: it can't be read, a signature is wrong, or it belongs elsewhere.
    Unusable,
    /// None of these: something else was asked for, or the witness can say nothing now.
    Other,
}

impl ExchangeOutcome {
    /// Whether the request was of no use.
    fn is_waste(self) -> bool {
        matches!(self, Self::Refused | Self::Unusable)
    }
}

/// Why a stream ended without a reply of the witness.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("the request is larger than {0} bytes")]
    Oversized(usize),
    #[error("the request was not read and answered in time")]
    TooSlow,
    #[error("the stream broke")]
    Stream(#[from] io::Error),
}

/// Requests under way, and the rates of the current window.
#[derive(Default)]
struct RequestLimiter {
    /// Streams of each peer that hold a permit.
    under_way: HashMap<PeerId, usize>,
    /// The same of each origin.
    under_way_of: HashMap<Origin, usize>,
    /// Requests of each peer since `began`: never more entries than requests are served in that time.
    by_peer: HashMap<PeerId, u32>,
    /// Requests from each origin since `began`.
    by_origin: HashMap<Origin, Spent>,
    /// Requests of all peers since `began`, without those that were of no use and count for their origin.
    served: u32,
    /// When the current window began.
    began: Option<Instant>,
}

/// What one origin has used since the window began.
#[derive(Default)]
struct Spent {
    /// Requests that were served, or are under way.
    served: u32,
    /// Requests that were of no use.
    wasted: u32,
}

/// Why a request does not reach the witness although its stream was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    /// A peer, an origin or all together are over their rate.
    Rate,
    /// Too many requests of its origin were of no use.
    Wasted,
}

/// Permission for one stream; it ends when this is dropped.
struct Permit {
    peer: PeerId,
    origin: Option<Origin>,
    limiter: Arc<Mutex<RequestLimiter>>,
    /// Whether the request is within the rates; otherwise the answer is [`WitnessEndpoint::busy`].
    may_ask: Result<(), Delay>,
}

impl WitnessEndpoint {
    /// Returns the protocol's name for libp2p; fails if it does not begin with a slash.
    pub(super) fn stream_protocol(&self) -> Result<StreamProtocol, InvalidProtocol> {
        StreamProtocol::try_from_owned(self.protocol.to_owned())
    }

    /// Passes what the witness says on to the witness beside this relay, until the witness or the swarm has ended. While
    /// the relay is not connected, what was said last waits for it. An answer is of no consequence: clients show a
    /// witness what it does not know.
    pub(super) async fn pass_on(
        mut outgoing: broadcast::Receiver<Vec<u8>>,
        protocol: StreamProtocol,
        mut control: Control,
        relay: PeerId,
        deadline: Duration,
    ) {
        loop {
            let request = match outgoing.recv().await {
                Ok(request) => request,
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(%relay, missed, "another witness was not shown all that was signed here");
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            loop {
                match timeout(deadline, say(&mut control, relay, protocol.clone(), &request)).await {
                    Ok(Err(SayError::Open(OpenStreamError::NotConnected))) => sleep(PASS_ON_RETRY).await,
                    Ok(Err(SayError::Open(OpenStreamError::Ended))) => return,
                    Ok(Err(error)) => break tracing::debug!(%relay, %error, "another witness was not reached"),
                    Err(_) => break tracing::debug!(%relay, "another witness did not answer in time"),
                    Ok(Ok(())) => break,
                }
            }
        }
    }

    /// Serves streams until the swarm ends.
    pub(super) async fn serve(self, mut streams: Incoming, limits: WitnessLimits, origins: Origins, counts: Counts) {
        let limiter = Arc::new(Mutex::new(RequestLimiter::default()));
        let mut tasks = JoinSet::new();
        loop {
            // Accepting comes first and never waits: only few streams are queued.
            let (peer, stream) = tokio::select! {
                biased;
                next = streams.next() => match next {
                    Some(next) => next,
                    None => break,
                },
                Some(_) = tasks.join_next() => continue,
            };
            // A peer that is gone gets no answer, and its request would count for nobody.
            let Some(origin) = origins.of_connected(&peer) else { continue };
            let Some(permit) = Permit::acquire(&limiter, (peer, origin), &limits) else {
                counts.witness_turned_away.inc();
                continue;
            };
            let (endpoint, counts) = (self.clone(), counts.clone());
            let deadline = Instant::now() + limits.deadline;
            tasks.spawn(async move { endpoint.exchange(stream, permit, deadline, &counts).await });
        }
    }

    /// Reads one request and writes one answer. The permit ends before the stream does: a peer that sees the end may
    /// send the next request.
    async fn exchange(&self, mut stream: Stream, permit: Permit, deadline: Instant, counts: &Counts) {
        let peer = permit.peer;
        let replied = match timeout_at(deadline, self.read_and_ask(&mut stream, permit.may_ask, counts)).await {
            Ok(replied) => replied,
            Err(_) => Err(ExchangeError::TooSlow),
        };
        let reply = match replied {
            Ok(reply) => reply,
            Err(error) => {
                counts.witness_turned_away.inc();
                tracing::debug!(%peer, %error, "witness request not answered");
                permit.settle(ExchangeOutcome::Unusable);
                return drop(permit);
            }
        };
        let outcome = reply.as_ref().map(|reply| reply.outcome);
        match outcome {
            Some(ExchangeOutcome::Receipt) => counts.witness_receipts.inc(),
            Some(ExchangeOutcome::Refused) => counts.witness_refusals.inc(),
            Some(ExchangeOutcome::Unusable | ExchangeOutcome::Other) => counts.witness_not_served.inc(),
            None => counts.witness_turned_away.inc(),
        };
        if let Some(outcome) = outcome {
            permit.settle(outcome);
        }
        let write = async {
            stream.write_all(reply.as_ref().map_or(&self.busy, |reply| &reply.bytes)).await?;
            stream.flush().await?;
            drop(permit);
            stream.close().await
        };
        match timeout_at(deadline, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "witness answer not sent"),
            Err(_) => tracing::debug!(%peer, "witness answer not sent in time"),
        }
    }

    /// Reads a request and returns the reply, or `None` if the peer may not ask or the witness is busy.
    async fn read_and_ask(
        &self,
        stream: &mut Stream,
        may_ask: Result<(), Delay>,
        counts: &Counts,
    ) -> Result<Option<Reply>, ExchangeError> {
        let mut request = Vec::new();
        stream.take(self.request_max_bytes as u64 + 1).read_to_end(&mut request).await?;
        if request.len() > self.request_max_bytes {
            return Err(ExchangeError::Oversized(self.request_max_bytes));
        }
        // Read in any case: closing a stream with unread data would discard the answer.
        match may_ask {
            Ok(()) => return Ok(self.ask(request, counts).await),
            Err(Delay::Rate) => counts.witness_turned_away_rate.inc(),
            Err(Delay::Wasted) => counts.witness_turned_away_wasted.inc(),
        };
        Ok(None)
    }

    /// Returns the witness's reply, or `None` if its queue is full or it has ended.
    async fn ask(&self, request: Vec<u8>, counts: &Counts) -> Option<Reply> {
        let (reply, answered) = oneshot::channel();
        let sent = self.questions.try_send(WitnessRequest { request, reply });
        counts.witness_waiting.set(self.waiting());
        sent.ok()?;
        let answer = answered.await.ok();
        counts.witness_waiting.set(self.waiting());
        answer
    }

    /// Returns how many requests wait for the witness.
    fn waiting(&self) -> i64 {
        number(self.questions.max_capacity() - self.questions.capacity())
    }
}

/// Why another witness was not shown something.
#[derive(Debug, thiserror::Error)]
enum SayError {
    #[error(transparent)]
    Open(#[from] OpenStreamError),
    #[error("the stream broke")]
    Stream(#[from] io::Error),
}

/// Sends a request and waits until it was answered.
async fn say(control: &mut Control, relay: PeerId, protocol: StreamProtocol, request: &[u8]) -> Result<(), SayError> {
    let mut stream = control.open_stream(relay, protocol).await?;
    stream.write_all(request).await?;
    stream.close().await?;
    futures::io::copy(stream.take(NOTED_MAX_BYTES), &mut futures::io::sink()).await?;
    Ok(())
}

impl Permit {
    /// Admits a stream, or returns `None` if too many are under way. A stream over the rates is admitted, to be
    /// answered.
    fn acquire(
        limiter: &Arc<Mutex<RequestLimiter>>,
        (peer, origin): (PeerId, Option<Origin>),
        limits: &WitnessLimits,
    ) -> Option<Self> {
        let mut inner = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = inner.under_way.values().sum();
        let of_peer = inner.under_way.get(&peer).copied().unwrap_or(0);
        let of_origin = origin.and_then(|origin| inner.under_way_of.get(&origin).copied()).unwrap_or(0);
        let is_full = all >= limits.at_once
            || of_peer >= limits.at_once_per_peer
            || origin.is_some() && of_origin >= limits.at_once_per_address;
        if is_full {
            return None;
        }
        inner.under_way.insert(peer, of_peer + 1);
        if let Some(origin) = origin {
            inner.under_way_of.insert(origin, of_origin + 1);
        }
        let may_ask = inner.may_ask(peer, origin, limits, Instant::now());
        drop(inner);
        Some(Self { peer, origin, limiter: limiter.clone(), may_ask })
    }

    /// Counts a request that reached the witness, or could not be read, by what became of it.
    fn settle(&self, outcome: ExchangeOutcome) {
        if self.may_ask.is_ok()
            && outcome.is_waste()
            && let Some(origin) = self.origin
        {
            self.limiter.lock().unwrap_or_else(PoisonError::into_inner).on_wasted(origin);
        }
    }
}

/// Subtracts one, and forgets who has none.
fn subtract_one<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        subtract_one(&mut limiter.under_way, &self.peer);
        if let Some(origin) = &self.origin {
            subtract_one(&mut limiter.under_way_of, origin);
        }
    }
}

impl RequestLimiter {
    /// Counts a request as served, unless it is over a rate.
    fn may_ask(
        &mut self,
        peer: PeerId,
        origin: Option<Origin>,
        limits: &WitnessLimits,
        now: Instant,
    ) -> Result<(), Delay> {
        if self.began.is_none_or(|began| now.duration_since(began) >= RATE_TIME) {
            let (under_way, under_way_of) = (mem::take(&mut self.under_way), mem::take(&mut self.under_way_of));
            *self = Self { under_way, under_way_of, began: Some(now), ..Self::default() };
        }
        let of_peer = self.by_peer.get(&peer).copied().unwrap_or(0);
        if self.served >= limits.rate || of_peer >= limits.rate_per_peer {
            return Err(Delay::Rate);
        }
        if let Some(origin) = origin {
            let spent = self.by_origin.entry(origin).or_default();
            if spent.wasted >= limits.wasted_per_address {
                return Err(Delay::Wasted);
            }
            if spent.served >= limits.rate_per_address {
                return Err(Delay::Rate);
            }
            spent.served += 1;
        }
        self.served += 1;
        self.by_peer.insert(peer, of_peer + 1);
        Ok(())
    }

    /// Counts a request that was counted as served as one of no use. One of an earlier window counts in this one.
    fn on_wasted(&mut self, origin: Origin) {
        let spent = self.by_origin.entry(origin).or_default();
        spent.wasted += 1;
        spent.served = spent.served.saturating_sub(1);
        self.served = self.served.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn rates_limit_each_peer_and_all_together_in_each_window() {
        let limits = WitnessLimits { rate: 5, rate_per_peer: 2, ..WitnessLimits::default() };
        let (mut limiter, now) = (RequestLimiter::default(), Instant::now());
        let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
        let mut asks = |peer: usize, now| limiter.may_ask(peers[peer], None, &limits, now).is_ok();
        assert_eq!([asks(0, now), asks(0, now), asks(0, now)], [true, true, false], "its own limit");
        assert_eq!([asks(1, now), asks(1, now), asks(2, now), asks(3, now)], [true, true, true, false], "all together");
        let end = now + RATE_TIME;
        assert!(!asks(0, end - std::time::Duration::from_millis(1)));
        assert!(asks(0, end));
        assert_eq!(limiter.by_peer.len(), 1, "counts of the last window are removed");
    }

    #[test]
    fn requests_under_way_are_limited_until_some_end() {
        let limits = WitnessLimits { at_once: 3, at_once_per_peer: 2, ..WitnessLimits::default() };
        let limiter = Arc::new(Mutex::new(RequestLimiter::default()));
        let peers: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
        let get = |peer: usize| Permit::acquire(&limiter, (peers[peer], None), &limits);
        let held = [get(0).expect("there is room"), get(0).expect("there is room")];
        assert!(get(0).is_none(), "two of one peer");
        let third = get(1).expect("there is room");
        assert!(get(2).is_none(), "three in all");
        drop(third);
        assert!(get(2).is_some());
        drop(held);
        assert!(limiter.lock().expect("no panic").under_way.is_empty(), "ended requests are removed");
    }

    fn origin(last: u8) -> Option<Origin> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    #[test]
    fn one_address_uses_up_only_its_own_share() {
        let limits = WitnessLimits { rate: 10, rate_per_address: 4, wasted_per_address: 3, ..WitnessLimits::default() };
        let (mut limiter, now) = (RequestLimiter::default(), Instant::now());
        // Each with a peer id of its own.
        let mut asks = |last, is_waste: bool| {
            let asked = limiter.may_ask(PeerId::random(), origin(last), &limits, now);
            if is_waste && asked.is_ok() {
                limiter.on_wasted(origin(last).expect("an origin"));
            }
            asked
        };
        let useless: Vec<_> = (0..20).map(|_| asks(1, true)).collect();
        assert_eq!(useless.iter().filter(|asked| asked.is_ok()).count(), 3);
        assert_eq!(useless.last(), Some(&Err(Delay::Wasted)));
        assert_eq!(asks(1, false), Err(Delay::Wasted), "nothing more of this address");
        assert_eq!((0..20).filter(|_| asks(2, false).is_ok()).count(), 4, "a share");
        assert_eq!((0..20).filter(|_| asks(3, false).is_ok()).count(), 4, "what was of no use took nothing");
        assert_eq!((0..20).filter(|_| asks(4, false).is_ok()).count(), 2, "all together");
        assert!(limiter.may_ask(PeerId::random(), origin(1), &limits, now + RATE_TIME).is_ok(), "a new window");
    }

    #[test]
    fn requests_under_way_of_one_address_leave_room() {
        let limits = WitnessLimits { at_once: 3, at_once_per_address: 2, ..WitnessLimits::default() };
        let limiter = Arc::new(Mutex::new(RequestLimiter::default()));
        let get = |last| Permit::acquire(&limiter, (PeerId::random(), origin(last)), &limits);
        let held = [get(1).expect("there is room"), get(1).expect("there is room")];
        assert!(get(1).is_none(), "two of one address");
        assert!(get(2).is_some());
        drop(held);
        assert!(limiter.lock().expect("no panic").under_way_of.is_empty(), "ended requests are removed");
    }
}
