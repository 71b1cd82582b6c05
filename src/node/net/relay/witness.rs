//! The door of a witness: streams of its protocol, each one request and one answer, within bounds.
//!
//! The content of a request is the host's business: it gets the bytes and returns bytes. A peer that asks too much,
//! sends too much or sends too slowly never reaches it.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    PeerId, Stream,
    swarm::{InvalidProtocol, StreamProtocol},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::net::relay::{
    limits::{RATE_TIME, WitnessLimits},
    metrics::Counts,
};
use crate::net::streams::Incoming;

/// A witness as the relay meets it.
#[derive(Clone, Debug)]
pub struct WitnessEndpoint {
    pub protocol: &'static str,
    pub request_max_bytes: usize,
    /// The answer while the host is not available.
    pub busy: Vec<u8>,
    /// To the witness. When it is closed, the witness has ended.
    pub questions: mpsc::Sender<WitnessRequest>,
}

/// One request, and where its answer goes.
#[derive(Debug)]
pub struct WitnessRequest {
    pub request: Vec<u8>,
    pub reply: oneshot::Sender<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub outcome: ExchangeOutcome,
}

/// What is counted of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeOutcome {
    Receipt,
    Refused,
    /// Neither: it could not be served, or not now.
    Other,
}

/// Why a stream ended without the witness's word.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the request is larger than {0} bytes")]
    Oversized(usize),
    #[error("it was not read and answered in time")]
    TooSlow,
    #[error("the stream broke")]
    Stream(#[from] io::Error),
}

/// Who is inside, and who came lately.
#[derive(Default)]
struct RequestLimiter {
    inside: HashMap<PeerId, usize>,
    /// Requests since `began`. Never more entries than requests are served in that time.
    lately: HashMap<PeerId, u32>,
    served: u32,
    began: Option<Instant>,
}

/// Given back when a stream is done with.
struct Pass {
    peer: PeerId,
    gate: Arc<Mutex<RequestLimiter>>,
    /// Whether the request is served; else the answer is to come later.
    may_ask: bool,
}

impl WitnessEndpoint {
    pub(super) fn stream_protocol(&self) -> Result<StreamProtocol, InvalidProtocol> {
        StreamProtocol::try_from_owned(self.protocol.to_owned())
    }

    /// Serves streams until there are no more.
    pub(super) async fn serve(self, mut streams: Incoming, limits: WitnessLimits, counts: Counts) {
        let gate = Arc::new(Mutex::new(RequestLimiter::default()));
        let mut tasks = JoinSet::new();
        loop {
            // Accepting comes first and never waits: few untaken streams are kept.
            let (peer, stream) = tokio::select! {
                biased;
                next = streams.next() => match next {
                    Some(next) => next,
                    None => break,
                },
                Some(_) = tasks.join_next() => continue,
            };
            let Some(pass) = Pass::get(&gate, peer, &limits) else {
                counts.witness_turned_away.inc();
                continue;
            };
            let (door, counts) = (self.clone(), counts.clone());
            let deadline = Instant::now() + limits.deadline;
            tasks.spawn(async move { door.exchange(stream, pass, deadline, &counts).await });
        }
    }

    /// One request, one answer. The pass goes before the stream does: who sees the end may come again.
    async fn exchange(&self, mut stream: Stream, pass: Pass, deadline: Instant, counts: &Counts) {
        let peer = pass.peer;
        let heard = match timeout_at(deadline, self.hear(&mut stream, pass.may_ask)).await {
            Ok(heard) => heard,
            Err(_) => Err(Broken::TooSlow),
        };
        let reply = match heard {
            Ok(reply) => reply,
            Err(error) => {
                counts.witness_turned_away.inc();
                tracing::debug!(%peer, %error, "a request to the witness was not answered");
                return drop(pass);
            }
        };
        let outcome = reply.as_ref().map(|reply| reply.outcome);
        match outcome {
            Some(ExchangeOutcome::Receipt) => counts.witness_receipts.inc(),
            Some(ExchangeOutcome::Refused) => counts.witness_refusals.inc(),
            Some(ExchangeOutcome::Other) => counts.witness_not_served.inc(),
            None => counts.witness_turned_away.inc(),
        };
        let say = async {
            stream.write_all(reply.as_ref().map_or(&self.busy, |reply| &reply.bytes)).await?;
            stream.flush().await?;
            drop(pass);
            stream.close().await
        };
        match timeout_at(deadline, say).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "an answer of the witness was not taken"),
            Err(_) => tracing::debug!(%peer, "an answer of the witness was taken too slowly"),
        }
    }

    /// The reply to what comes in; none when the peer may not ask, or the witness has no time.
    async fn hear(&self, stream: &mut Stream, may_ask: bool) -> Result<Option<Reply>, Broken> {
        let mut request = Vec::new();
        stream.take(self.request_max_bytes as u64 + 1).read_to_end(&mut request).await?;
        if request.len() > self.request_max_bytes {
            return Err(Broken::Oversized(self.request_max_bytes));
        }
        // Read all the same: a stream that goes with something unread takes its answer along.
        Ok(if may_ask { self.ask(request).await } else { None })
    }

    /// The witness's reply; none when it has no room for a question, or is gone.
    async fn ask(&self, request: Vec<u8>) -> Option<Reply> {
        let (reply, answered) = oneshot::channel();
        self.questions.try_send(WitnessRequest { request, reply }).ok()?;
        answered.await.ok()
    }
}

impl Pass {
    fn get(gate: &Arc<Mutex<RequestLimiter>>, peer: PeerId, limits: &WitnessLimits) -> Option<Self> {
        let mut inner = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = inner.inside.values().sum();
        let inside = inner.inside.entry(peer).or_default();
        if all >= limits.at_once || *inside >= limits.at_once_per_peer {
            if *inside == 0 {
                inner.inside.remove(&peer);
            }
            return None;
        }
        *inside += 1;
        let may_ask = inner.may_ask(peer, limits, Instant::now());
        drop(inner);
        Some(Self { peer, gate: gate.clone(), may_ask })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inside) = gate.inside.get_mut(&self.peer) {
            *inside -= 1;
            if *inside == 0 {
                gate.inside.remove(&self.peer);
            }
        }
    }
}

impl RequestLimiter {
    fn may_ask(&mut self, peer: PeerId, limits: &WitnessLimits, now: Instant) -> bool {
        if self.began.is_none_or(|began| now.duration_since(began) >= RATE_TIME) {
            *self = Self { inside: std::mem::take(&mut self.inside), began: Some(now), ..Self::default() };
        }
        let of_peer = self.lately.get(&peer).copied().unwrap_or(0);
        if self.served >= limits.rate || of_peer >= limits.rate_per_peer {
            return false;
        }
        self.served += 1;
        self.lately.insert(peer, of_peer + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_sides_and_begin_anew() {
        let limits = WitnessLimits { rate: 5, rate_per_peer: 2, ..WitnessLimits::default() };
        let (mut gate, now) = (RequestLimiter::default(), Instant::now());
        let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
        let mut asks = |peer: usize, now| gate.may_ask(peers[peer], &limits, now);
        assert_eq!([asks(0, now), asks(0, now), asks(0, now)], [true, true, false], "its own limit");
        assert_eq!([asks(1, now), asks(1, now), asks(2, now), asks(3, now)], [true, true, true, false], "all together");
        let end = now + RATE_TIME;
        assert!(!asks(0, end - std::time::Duration::from_millis(1)));
        assert!(asks(0, end));
        assert_eq!(gate.lately.len(), 1, "nobody is remembered longer");
    }

    #[test]
    fn only_so_many_are_inside_at_once() {
        let limits = WitnessLimits { at_once: 3, at_once_per_peer: 2, ..WitnessLimits::default() };
        let gate = Arc::new(Mutex::new(RequestLimiter::default()));
        let peers: Vec<PeerId> = (0..3).map(|_| PeerId::random()).collect();
        let get = |peer: usize| Pass::get(&gate, peers[peer], &limits);
        let inside = [get(0).expect("there is room"), get(0).expect("there is room")];
        assert!(get(0).is_none(), "two of one peer");
        let third = get(1).expect("there is room");
        assert!(get(2).is_none(), "three in all");
        drop(third);
        assert!(get(2).is_some());
        drop(inside);
        assert!(gate.lock().expect("nobody panicked").inside.is_empty(), "nothing is left of who went");
    }
}
