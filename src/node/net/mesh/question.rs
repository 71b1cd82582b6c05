//! One request and one answer on a stream of its own: each side writes, then closes its half.

use std::io;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, pin_mut};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, StreamProtocol};

use crate::net::streams::{Control, OpenStreamError};

/// An answer that takes longer is not waited for.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer to any question.
pub const ANSWER_MAX_BYTES: u64 = 16 * 1024;
/// The longest question of a peer.
pub const REQUEST_MAX_BYTES: u64 = 1024;
/// A peer asks what is known of a name. What the bytes mean is the host's business.
pub const FIND_PROTOCOL: &str = "/gen/find/1";
/// Questions of one peer, and of all, that wait for an answer; more are left unanswered.
pub(super) const FINDING_PER_PEER: usize = 4;
pub(super) const FINDING_MAX: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("the other side does not answer such questions")]
    Unsupported,
    #[error("the question did not get through")]
    Broken(#[from] io::Error),
    #[error("an answer longer than any question has")]
    Oversized,
    #[error("no answer in time")]
    TimedOut,
}

pub(super) async fn ask(
    mut control: Control,
    peer: PeerId,
    protocol: &'static str,
    request: Vec<u8>,
) -> Result<Vec<u8>, AskError> {
    let asking = async {
        let opened = control.open_stream(peer, StreamProtocol::new(protocol)).await;
        let mut stream = opened.map_err(|error| match error {
            OpenStreamError::Unsupported(_) => AskError::Unsupported,
            OpenStreamError::NotConnected => AskError::Broken(io::ErrorKind::NotConnected.into()),
            OpenStreamError::Broken(error) => AskError::Broken(error),
        })?;
        stream.write_all(&request).await?;
        stream.close().await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_MAX_BYTES + 1).read_to_end(&mut answer).await?;
        if answer.len() as u64 > ANSWER_MAX_BYTES { Err(AskError::Oversized) } else { Ok(answer) }
    }
    .fuse();
    pin_mut!(asking);
    match select(asking, Delay::new(ANSWER_PATIENCE)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(AskError::TimedOut),
    }
}

/// What is asked on a stream; nothing when it is too long or comes too slowly.
pub(super) async fn hear(stream: &mut Stream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut bounded = stream.take(REQUEST_MAX_BYTES + 1);
    let reading = bounded.read_to_end(&mut request);
    let read = match select(reading, Delay::new(ANSWER_PATIENCE)).await {
        Either::Left((read, _)) => read.is_ok(),
        Either::Right(_) => false,
    };
    (read && request.len() as u64 <= REQUEST_MAX_BYTES).then_some(request)
}

/// Gives an answer that needs no reading of the question. An asker who takes it too slowly gets half of it.
pub(super) async fn answer(mut stream: Stream, bytes: Vec<u8>) {
    let writing = async {
        stream.write_all(&bytes).await?;
        stream.close().await
    };
    pin_mut!(writing);
    if let Either::Left((Err(error), _)) = select(writing, Delay::new(ANSWER_PATIENCE)).await {
        tracing::debug!(%error, "an answer did not get through");
    }
}
