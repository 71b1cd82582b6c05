//! The messages of `/gen/blocks/1`, their one encoding, and every size limit by name.

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::limits::BLOCK_MAX_BYTES;
use crate::sync::rejection::Rejection;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/blocks/1";
/// The most blocks that one peer was asked for and has not answered: 1 MiB on its way.
pub const IN_FLIGHT_MAX: usize = 4;
/// The most blocks in one `Want`.
pub const WANT_MAX: usize = IN_FLIGHT_MAX;
/// The longest message: a block and its framing.
pub const MESSAGE_MAX_BYTES: usize = BLOCK_MAX_BYTES + 64;

/// One message on a block stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for 1 to [`WANT_MAX`] blocks. Each is answered by one [`Message::Block`] or [`Message::Missing`].
    Want(Vec<Digest>),
    /// The bytes of a block that was asked for.
    Block { block: Digest, bytes: Vec<u8> },
    /// The answering side does not have this block.
    Missing(Digest),
}

/// The first byte of each message: its kind. Part of the wire format.
const WANT: u8 = 1;
const BLOCK: u8 = 2;
const MISSING: u8 = 3;

impl Message {
    /// Encodes the message: one byte for its kind, then its fields in [`canonical`](crate::canonical) form.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Want(blocks) => {
                let encoder = Encoder::new().byte(WANT).integer(blocks.len() as u64);
                blocks.iter().fold(encoder, |encoder, block| encoder.fixed(block.as_bytes()))
            }
            Self::Block { block, bytes } => Encoder::new().byte(BLOCK).fixed(block.as_bytes()).bytes(bytes),
            Self::Missing(block) => Encoder::new().byte(MISSING).fixed(block.as_bytes()),
        }
        .finish()
    }

    /// Decodes a message and checks its limits. Does not check a block's bytes against its hash.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MESSAGE_MAX_BYTES {
            return Err(Rejection::Oversized);
        }
        let mut decoder = Decoder::new(bytes);
        let message = match decoder.byte()? {
            WANT => {
                let count = match decoder.integer()? {
                    0 => return Err(DecodeError::OutOfRange.into()),
                    count if count <= WANT_MAX as u64 => count,
                    _ => return Err(Rejection::Oversized),
                };
                let blocks = (0..count).map(|_| decoder.array().map(Digest::from_bytes));
                Self::Want(blocks.collect::<Result<_, _>>()?)
            }
            BLOCK => {
                let block = Digest::from_bytes(decoder.array()?);
                let bytes = decoder.bytes()?;
                if bytes.is_empty() {
                    return Err(DecodeError::OutOfRange.into());
                }
                if bytes.len() > BLOCK_MAX_BYTES {
                    return Err(Rejection::Oversized);
                }
                Self::Block { block, bytes: bytes.to_vec() }
            }
            MISSING => Self::Missing(Digest::from_bytes(decoder.array()?)),
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        decoder.end()?;
        Ok(message)
    }
}

/// Returns the bytes of the block in an encoded [`Message::Block`], which the host hashes; `None` for any other message,
/// and for one that is no message.
pub fn block_in(message: &[u8]) -> Option<&[u8]> {
    let mut decoder = Decoder::new(message);
    if decoder.byte().ok()? != BLOCK {
        return None;
    }
    decoder.array::<32>().ok()?;
    decoder.bytes().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: usize) -> Vec<Digest> {
        (0..count).map(|number| Digest::of(&number.to_be_bytes())).collect()
    }

    #[test]
    fn messages_round_trip_and_no_shorter_or_longer_one_decodes() {
        let bytes = vec![7; BLOCK_MAX_BYTES];
        let largest = Message::Block { block: Digest::of(&bytes), bytes };
        let messages = [Message::Want(digests(1)), Message::Want(digests(WANT_MAX)), Message::Missing(digests(1)[0])];
        for message in messages.into_iter().chain([largest.clone()]) {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes), Ok(message));
            for cut in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
                assert!(Message::decode(&bytes[..cut]).is_err());
            }
            if bytes.len() < MESSAGE_MAX_BYTES {
                assert!(Message::decode(&[&bytes[..], &[0]].concat()).is_err());
            }
        }
        assert!(largest.encode().len() <= MESSAGE_MAX_BYTES);
        assert_eq!(block_in(&largest.encode()), Some(&[7; BLOCK_MAX_BYTES][..]));
        assert_eq!([block_in(&Message::Missing(digests(1)[0]).encode()), block_in(&[BLOCK]), block_in(&[])], [None; 3]);
    }

    #[test]
    fn rejects_each_exceeded_limit() {
        let out_of_range = Err(Rejection::Malformed(DecodeError::OutOfRange));
        let block = digests(1)[0];
        assert_eq!(Message::decode(&Message::Want(vec![]).encode()), out_of_range);
        assert_eq!(Message::decode(&Message::Want(digests(WANT_MAX + 1)).encode()), Err(Rejection::Oversized));
        assert_eq!(Message::decode(&Message::Block { block, bytes: vec![] }.encode()), out_of_range);
        let bytes = vec![0; BLOCK_MAX_BYTES + 1];
        assert_eq!(Message::decode(&Message::Block { block, bytes }.encode()), Err(Rejection::Oversized));
        assert_eq!(Message::decode(&vec![WANT; MESSAGE_MAX_BYTES + 1]), Err(Rejection::Oversized));
        assert_eq!(Message::decode(&[9]), Err(Rejection::Malformed(DecodeError::UnknownKind(9))));
        assert_eq!(Message::decode(&[]), Err(Rejection::Malformed(DecodeError::TooShort)));
    }
}
