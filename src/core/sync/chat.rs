//! Presence and channel history between two peers (`/gen/talk/1`).
//!
//! Heartbeats and messages travel on gossip. What gossip has passed already is asked for here, each question on a
//! stream of its own: one question, an answer in pages, the end of the stream. A peer whose gossip subscriptions are
//! not known yet gets new heartbeats and messages on such a stream, too.
//!
//! Example: a device comes online and asks a peer.
//!
//! | frame | content |
//! |---|---|
//! | → `WhoIsHere` | short ids of the heartbeats it has: none |
//! | ← `Here`, `Here` | all heartbeats, in pages, each with the time since its first reception |
//! | (new stream) → `History` | `#general` and the short ids (8 bytes each) of its 480 messages |
//! | ← `Said` | the 20 messages it lacks, oldest first |
//!
//! Nothing longer than its limit is decoded. Rates are in [`rates`].

pub mod rates;

use std::time::Duration;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::chat::{ChannelName, MESSAGE_MAX_BYTES as SAID_MAX_BYTES};
use crate::presence::HEARTBEAT_MAX_BYTES;
use crate::sync::rejection::Rejection;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/talk/1";
/// The most bytes of one gossip message.
pub const GOSSIP_MAX_BYTES: usize = 16 * 1024;
const _: () = assert!(SAID_MAX_BYTES <= GOSSIP_MAX_BYTES && HEARTBEAT_MAX_BYTES <= GOSSIP_MAX_BYTES);
/// The longest frame: a page, or a question with all that its asker has.
pub const FRAME_MAX_BYTES: usize = 96 * 1024;
/// A page is complete as soon as it has at least this many bytes.
pub const PAGE_BYTES: usize = 60 * 1024;
/// The most short ids in a question.
pub const HAVE_MAX: usize = 10_000;
/// The most pages of one answer: all heartbeats that a node remembers, or the longest history.
pub const PAGES_MAX: usize = 96;
/// The most entries of one page.
pub const ENTRIES_MAX: usize = 1_024;

/// One frame on a chat stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatFrame {
    /// Asks for heartbeats that the asking side does not have; `have` lists short ids.
    WhoIsHere { have: Vec<u64> },
    /// Asks for messages of a channel that the asking side does not have; `have` lists short ids.
    History { channel: ChannelName, have: Vec<u64> },
    /// A page of heartbeats, each with the time since its first reception.
    Here(Vec<(Duration, Vec<u8>)>),
    /// A page of messages, oldest first.
    Said(Vec<Vec<u8>>),
    /// A new heartbeat, for a peer that is not known to listen to gossip.
    Heartbeat(Vec<u8>),
    /// A new message, likewise.
    Message(Vec<u8>),
}

/// The first byte of each frame: its kind. Part of the wire format.
const WHO_IS_HERE: u8 = 1;
const HISTORY: u8 = 2;
const HERE: u8 = 3;
const SAID: u8 = 4;
const HEARTBEAT: u8 = 5;
const MESSAGE: u8 = 6;

impl ChatFrame {
    /// Encodes the frame: one byte for its kind, then its fields in [`canonical`](crate::canonical) form.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::WhoIsHere { have } => put_have(encoder.byte(WHO_IS_HERE), have),
            Self::History { channel, have } => put_have(encoder.byte(HISTORY).text(&channel.to_string()), have),
            Self::Here(entries) => {
                entries.iter().fold(encoder.byte(HERE).integer(entries.len() as u64), |encoder, (age, bytes)| {
                    encoder.integer(age.as_millis() as u64).bytes(bytes)
                })
            }
            Self::Said(entries) => {
                let encoder = encoder.byte(SAID).integer(entries.len() as u64);
                entries.iter().fold(encoder, |encoder, bytes| encoder.bytes(bytes))
            }
            Self::Heartbeat(bytes) => encoder.byte(HEARTBEAT).bytes(bytes),
            Self::Message(bytes) => encoder.byte(MESSAGE).bytes(bytes),
        }
        .finish()
    }

    /// Decodes a frame and checks its limits. The entries are opaque bytes here; they are verified when they are taken.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > FRAME_MAX_BYTES {
            return Err(Rejection::Oversized);
        }
        let mut decoder = Decoder::new(bytes);
        let frame = match decoder.byte()? {
            WHO_IS_HERE => Self::WhoIsHere { have: get_have(&mut decoder)? },
            HISTORY => {
                let channel = decoder.text()?.parse().map_err(|_| DecodeError::OutOfRange)?;
                Self::History { channel, have: get_have(&mut decoder)? }
            }
            HERE => {
                let count = count(&mut decoder, ENTRIES_MAX)?;
                let entry = |_| {
                    let age = Duration::from_millis(decoder.integer()?);
                    Ok((age, bounded(&mut decoder, HEARTBEAT_MAX_BYTES)?))
                };
                Self::Here((0..count).map(entry).collect::<Result<_, Rejection>>()?)
            }
            SAID => {
                let count = count(&mut decoder, ENTRIES_MAX)?;
                let entries = (0..count).map(|_| bounded(&mut decoder, SAID_MAX_BYTES));
                Self::Said(entries.collect::<Result<_, Rejection>>()?)
            }
            HEARTBEAT => Self::Heartbeat(bounded(&mut decoder, HEARTBEAT_MAX_BYTES)?),
            MESSAGE => Self::Message(bounded(&mut decoder, SAID_MAX_BYTES)?),
            other => return Err(DecodeError::UnknownKind(other).into()),
        };
        decoder.end()?;
        Ok(frame)
    }
}

/// Splits entries into at most [`PAGES_MAX`] pages, none of which exceeds [`PAGE_BYTES`] by more than its last entry.
/// What does not fit is left out.
pub fn pages<T>(entries: impl IntoIterator<Item = T>, weight: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut pages: Vec<Vec<T>> = Vec::new();
    let mut filled = usize::MAX;
    for entry in entries {
        if filled >= PAGE_BYTES || pages.last().is_some_and(|page| page.len() >= ENTRIES_MAX) {
            if pages.len() >= PAGES_MAX {
                break;
            }
            pages.push(Vec::new());
            filled = 0;
        }
        filled += weight(&entry) + ENTRY_BYTES;
        if let Some(page) = pages.last_mut() {
            page.push(entry);
        }
    }
    pages
}

/// The framing of one entry: an age and a length.
const ENTRY_BYTES: usize = 12;
const _: () = assert!(PAGE_BYTES + ENTRY_BYTES + HEARTBEAT_MAX_BYTES + 16 <= FRAME_MAX_BYTES);
const _: () = assert!(8 * HAVE_MAX + 512 <= FRAME_MAX_BYTES);

/// Appends short ids, at most [`HAVE_MAX`] of them.
fn put_have(encoder: Encoder, have: &[u64]) -> Encoder {
    let have = &have[..have.len().min(HAVE_MAX)];
    have.iter().fold(encoder.integer(have.len() as u64), |encoder, short| encoder.integer(*short))
}

/// Reads short ids, at most [`HAVE_MAX`] of them.
fn get_have(decoder: &mut Decoder<'_>) -> Result<Vec<u64>, Rejection> {
    let count = count(decoder, HAVE_MAX)?;
    (0..count).map(|_| Ok(decoder.integer()?)).collect()
}

/// Reads a number of elements; more than `most` is refused before one of them is read.
fn count(decoder: &mut Decoder<'_>, most: usize) -> Result<usize, Rejection> {
    match usize::try_from(decoder.integer()?) {
        Ok(count) if count <= most => Ok(count),
        _ => Err(Rejection::Oversized),
    }
}

/// Reads a byte string of at most `most` bytes.
fn bounded(decoder: &mut Decoder<'_>, most: usize) -> Result<Vec<u8>, Rejection> {
    let bytes = decoder.bytes()?;
    if bytes.len() > most { Err(Rejection::Oversized) } else { Ok(bytes.to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip_and_truncated_ones_are_rejected() {
        let all = [
            ChatFrame::WhoIsHere { have: vec![1, u64::MAX] },
            ChatFrame::History { channel: "#general".parse().unwrap(), have: vec![] },
            ChatFrame::Here(vec![(Duration::from_millis(5), vec![1; 9])]),
            ChatFrame::Said(vec![vec![2; 3], vec![]]),
            ChatFrame::Heartbeat(vec![3]),
            ChatFrame::Message(vec![4]),
        ];
        for frame in all {
            let bytes = frame.encode();
            assert_eq!(ChatFrame::decode(&bytes), Ok(frame));
            for cut in 0..bytes.len() {
                assert!(ChatFrame::decode(&bytes[..cut]).is_err());
            }
            assert!(ChatFrame::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        }
    }

    #[test]
    fn bounds_hold_on_both_sides() {
        for (count, good) in [(HAVE_MAX, true), (HAVE_MAX + 1, false)] {
            let mut bytes = Encoder::new().byte(WHO_IS_HERE).integer(count as u64).finish();
            bytes.extend(vec![0; 8 * count]);
            assert_eq!(ChatFrame::decode(&bytes).is_ok(), good);
        }
        for (length, good) in [(HEARTBEAT_MAX_BYTES, true), (HEARTBEAT_MAX_BYTES + 1, false)] {
            assert_eq!(ChatFrame::decode(&ChatFrame::Heartbeat(vec![0; length]).encode()).is_ok(), good);
        }
        assert_eq!(ChatFrame::decode(&vec![0; FRAME_MAX_BYTES + 1]), Err(Rejection::Oversized));
    }

    #[test]
    fn pages_hold_all_entries_within_their_bounds() {
        let entries: Vec<Vec<u8>> = (0..3_000).map(|n| vec![0; n % HEARTBEAT_MAX_BYTES]).collect();
        let split = pages(entries.clone(), Vec::len);
        assert!(split.len() < PAGES_MAX);
        for page in &split {
            let page = page.iter().map(|bytes| (Duration::MAX, bytes.clone())).collect();
            assert!(ChatFrame::Here(page).encode().len() <= FRAME_MAX_BYTES);
        }
        assert_eq!(split.concat(), entries);
        assert_eq!(pages(vec![vec![0; PAGE_BYTES]; 2 * PAGES_MAX], Vec::len).len(), PAGES_MAX);
        assert!(pages(Vec::<Vec<u8>>::new(), Vec::len).is_empty());
    }
}
