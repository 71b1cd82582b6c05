//! One request and one answer on a stream of its own.

use std::io;
use std::time::Duration;

use futures::future::{Either, select};
use futures::{FutureExt, SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;
use libp2p::{PeerId, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};

use crate::net::mesh::link::framed;

/// An answer that takes longer is not waited for.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer to any question.
pub const ANSWER_MAX_BYTES: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("the other side does not answer such questions")]
    Unsupported,
    #[error("the question did not get through")]
    Broken(#[source] io::Error),
    #[error("the other side ended without an answer")]
    NoAnswer,
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
        let stream = control.open_stream(peer, StreamProtocol::new(protocol)).await.map_err(|error| match error {
            OpenStreamError::Io(error) => AskError::Broken(error),
            _ => AskError::Unsupported,
        })?;
        let mut stream = framed(stream, ANSWER_MAX_BYTES);
        stream.send(request.into()).await.map_err(AskError::Broken)?;
        match stream.next().await {
            Some(answer) => answer.map(|bytes| bytes.to_vec()).map_err(AskError::Broken),
            None => Err(AskError::NoAnswer),
        }
    }
    .fuse();
    pin_mut!(asking);
    match select(asking, Delay::new(ANSWER_PATIENCE)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(AskError::TimedOut),
    }
}
