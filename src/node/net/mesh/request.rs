//! One request and one answer on a stream of its own: each side writes, then closes its half.
//!
//! There is no framing: the end of the stream is the end of the message, as in HTTP/1.0. Both directions are bounded in
//! bytes and in time, so a peer that sends slowly or too much costs one timeout and a few kilobytes.

use std::io;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, pin_mut};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::net::streams::{Control, OpenStreamError};
use gen_registry_core::sync::search;

/// The longest time to wait for an answer, and to read or write one.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest answer to any request but a search.
pub const ANSWER_MAX_BYTES: u64 = 16 * 1024;
/// The longest request for a name.
pub const REQUEST_MAX_BYTES: u64 = 1024;
/// Looks up a name at a peer. The host encodes and decodes requests and answers.
pub const FIND_PROTOCOL: &str = "/gen/find/1";
/// Requests for names of one peer that wait for an answer; streams of further ones are dropped.
const FINDS_PER_PEER: usize = 4;
/// The same of all peers together.
const FINDS_MAX: usize = 32;
/// Searches of one peer that wait for an answer. An honest one asks once, and again for what was typed meanwhile.
const SEARCHES_PER_PEER: usize = 2;
/// The same of all peers together. They are answered one after the other, each within [`ANSWER_TIMEOUT`].
const SEARCHES_MAX: usize = 16;

/// What peers ask each other, one question on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuestionKind {
    /// For the proof of a name.
    Name,
    /// For modules.
    Search,
}

impl QuestionKind {
    /// Returns the protocol's name on the wire.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Name => FIND_PROTOCOL,
            Self::Search => search::PROTOCOL,
        }
    }

    /// The most bytes of a question.
    fn request_max_bytes(self) -> u64 {
        match self {
            Self::Name => REQUEST_MAX_BYTES,
            Self::Search => search::QUESTION_MAX_BYTES as u64,
        }
    }

    /// The most bytes of an answer.
    pub(super) fn answer_max_bytes(self) -> u64 {
        match self {
            Self::Name => ANSWER_MAX_BYTES,
            Self::Search => search::ANSWER_MAX_BYTES as u64,
        }
    }

    /// How many questions of one peer may wait for an answer, and how many of all peers together.
    pub(super) fn most_waiting(self) -> (usize, usize) {
        match self {
            Self::Name => (FINDS_PER_PEER, FINDS_MAX),
            Self::Search => (SEARCHES_PER_PEER, SEARCHES_MAX),
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the peer does not speak the protocol")]
    Unsupported,
    #[error("the stream broke")]
    Broken(#[from] io::Error),
    #[error("the answer is larger than the protocol allows")]
    Oversized,
    #[error("no answer in time")]
    TimedOut,
}

/// Sends a request and returns the answer. Fails after [`ANSWER_TIMEOUT`], or if the answer is longer than `answer_max_bytes`;
/// a part of an answer is never returned.
pub(super) async fn request(
    mut control: Control,
    peer: PeerId,
    protocol: &'static str,
    bytes: Vec<u8>,
    answer_max_bytes: u64,
) -> Result<Vec<u8>, RequestError> {
    let exchange = async {
        let opened = control.open_stream(peer, StreamProtocol::new(protocol)).await;
        let mut stream = opened.map_err(|error| match error {
            OpenStreamError::Unsupported(_) => RequestError::Unsupported,
            OpenStreamError::NotConnected | OpenStreamError::Ended => {
                RequestError::Broken(io::ErrorKind::NotConnected.into())
            }
            OpenStreamError::Broken(error) => RequestError::Broken(error),
        })?;
        stream.write_all(&bytes).await?;
        stream.close().await?;
        let mut answer = Vec::new();
        stream.take(answer_max_bytes + 1).read_to_end(&mut answer).await?;
        if answer.len() as u64 > answer_max_bytes { Err(RequestError::Oversized) } else { Ok(answer) }
    }
    .fuse();
    pin_mut!(exchange);
    match select(exchange, Delay::new(ANSWER_TIMEOUT)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(RequestError::TimedOut),
    }
}

/// Reads a request. Returns `None` if it is too long or too slow.
pub(super) async fn read_request(stream: &mut Stream, kind: QuestionKind) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let most = kind.request_max_bytes();
    let mut bounded = stream.take(most + 1);
    let reading = bounded.read_to_end(&mut request);
    let read = match select(reading, Delay::new(ANSWER_TIMEOUT)).await {
        Either::Left((read, _)) => read.is_ok(),
        Either::Right(_) => false,
    };
    (read && request.len() as u64 <= most).then_some(request)
}

/// Writes an answer and closes the stream. A peer that reads too slowly receives only its beginning.
pub(super) async fn answer(mut stream: Stream, bytes: Vec<u8>) {
    let writing = async {
        stream.write_all(&bytes).await?;
        stream.close().await
    };
    pin_mut!(writing);
    if let Either::Left((Err(error), _)) = select(writing, Delay::new(ANSWER_TIMEOUT)).await {
        tracing::debug!(%error, "answer not sent");
    }
}
