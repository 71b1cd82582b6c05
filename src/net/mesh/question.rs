//! One request and one answer on a stream of its own: each side writes, then closes its half.

use std::io;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, pin_mut};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};

/// An answer that takes longer is not waited for.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer to any question.
pub const ANSWER_MAX_BYTES: u64 = 16 * 1024;

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
            OpenStreamError::Io(error) => AskError::Broken(error),
            _ => AskError::Unsupported,
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
