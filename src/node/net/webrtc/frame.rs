//! The framing of one stream on one data channel, as a pure machine: half-close, stop, reset, and their bounds.
//!
//! A data channel can only be closed as a whole, so flags are sent in frames. Refused are frames over 16 KiB, malformed
//! ones, data after the end, and more unread data than a stream, or all of the connection together, may hold: a data
//! channel has no flow control. After a refusal the stream is reset; in the last case the connection ends.
//!
//! The format is that of libp2p/specs, `webrtc/README.md`, "multiplexing": each message is a protobuf message with its
//! length in front, with an optional flag (field 1) and optional data (field 2). An orderly exchange, one direction in
//! each half:
//!
//! ```text
//!   Alice                                Bob
//!   write(request)     ── data ────────►  read
//!   end_writing()      ── FIN ─────────►  ReadState::Ended       Alice: Writing::Ended
//!                      ◄──────── FIN_ACK                         Alice: Writing::Acknowledged
//!   read               ◄─────────── data  write(answer)
//!   ReadState::Ended   ◄──────────── FIN  end_writing()
//!                      ── FIN_ACK ─────►                         both sides: is_over(), the channel may be closed
//! ```
//!
//! `STOP_SENDING` ends one direction from its reader's side. `RESET` ends both at once, without an acknowledgement. The
//! channel must remain open until `FIN_ACK` was received: closing a data channel discards what is still on the way.

use std::collections::VecDeque;

use gen_registry_core::sync::signaling::envelope::{Envelope, EnvelopeError, split_first};

use super::unread::{TooMuchUnread, UnreadPart, UnreadTotal};

/// One frame with its length in front; the largest message that all browsers accept.
pub const FRAME_MAX_BYTES: usize = 16 * 1024;
/// Data in one frame: the length of the frame takes 2 bytes, the field's tag and length 3.
pub const DATA_MAX_BYTES: usize = FRAME_MAX_BYTES - 5;
/// Unread data of one stream.
pub const INBOUND_MAX_BYTES: usize = 1024 * 1024;

/// Flags of the protocol. The sender sends nothing after this one.
const FIN: u64 = 0;
/// The sender discards what it receives from now on.
const STOP_SENDING: u64 = 1;
/// The sender gives the stream up, in both directions.
const RESET: u64 = 2;
/// Acknowledges [`FIN`].
const FIN_ACK: u64 = 3;

/// Why a frame was refused. The stream is then reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is larger than the protocol allows")]
    Oversized,
    #[error("text where bytes belong")]
    NotBytes,
    #[error("the frame can't be read: {0}")]
    Malformed(#[source] EnvelopeError),
    #[error("flag {0}, which the protocol does not have")]
    UnknownFlag(u64),
    #[error("data after the end")]
    DataAfterEnd,
    #[error("an acknowledgement of an end that was not sent")]
    UnaskedAcknowledgement,
    #[error("more unread data than a stream may hold")]
    TooMuchUnread,
    /// Ends the whole connection.
    #[error(transparent)]
    Connection(#[from] TooMuchUnread),
}

/// The state of the receiving direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadState {
    /// Data may follow.
    Open,
    /// This side asked the other one to stop; further data is discarded.
    Stopped,
    /// The other side sent its end; data received before may still be read.
    Ended,
    /// The stream was given up by either side; unread data is discarded.
    Reset,
}

/// The state of the sending direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    Open,
    /// The end is sent.
    Ended,
    /// The other side has received the end.
    Acknowledged,
    /// The other side does not read any more.
    Stopped,
    Reset,
}

/// The result of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// As many bytes were read.
    Bytes(usize),
    /// Nothing yet.
    Pending,
    /// The other side sent no more than what was read.
    End,
    Reset,
}

/// Nothing more can be written, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOver(pub Writing);

/// The state of one stream.
#[derive(Debug)]
pub struct Framing {
    /// The receiving direction.
    reading: ReadState,
    /// The sending direction.
    writing: Writing,
    /// The beginning of an incomplete frame.
    partial: Vec<u8>,
    /// Received data that was not read yet.
    unread: VecDeque<u8>,
    /// The stream's part of what its connection holds: both of the above.
    part: UnreadPart,
    /// Encoded frames that wait to be sent.
    outgoing: VecDeque<Vec<u8>>,
}

impl Default for Framing {
    /// The only stream of its connection.
    fn default() -> Self {
        Self::new(UnreadTotal::default().part())
    }
}

impl Framing {
    /// Creates the state of a new stream with its part of what the connection may hold.
    pub fn new(part: UnreadPart) -> Self {
        Self {
            reading: ReadState::Open,
            writing: Writing::Open,
            partial: Vec::new(),
            unread: VecDeque::new(),
            part,
            outgoing: VecDeque::new(),
        }
    }

    /// Returns the state of the receiving direction.
    pub fn reading(&self) -> ReadState {
        self.reading
    }

    /// Returns the state of the sending direction.
    pub fn writing(&self) -> Writing {
        self.writing
    }

    /// Returns the number of received bytes that were not read yet.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Whether both directions have ended, so that the channel may be closed.
    pub fn is_over(&self) -> bool {
        self.reading != ReadState::Open && !matches!(self.writing, Writing::Open | Writing::Ended)
    }

    /// Takes in one message of the channel; usually, but not always, exactly one frame. After an error the stream is
    /// reset, and the frame that says so is queued.
    pub fn receive(&mut self, message: &[u8]) -> Result<(), FrameError> {
        let received = self.take_frames(message).and_then(|()| Ok(self.recount()?));
        if received.is_err() {
            self.reset();
        }
        received
    }

    /// Splits a message into frames. An incomplete one waits in `partial` for the next message.
    fn take_frames(&mut self, message: &[u8]) -> Result<(), FrameError> {
        if self.reading == ReadState::Reset {
            return Ok(());
        }
        if message.len() > FRAME_MAX_BYTES {
            return Err(FrameError::Oversized);
        }
        self.partial.extend_from_slice(message);
        while let Some(frame) = split_first(&mut self.partial, FRAME_MAX_BYTES).map_err(|error| match error {
            EnvelopeError::TooLong { .. } => FrameError::Oversized,
            other => FrameError::Malformed(other),
        })? {
            self.take_frame(frame)?;
            if self.reading == ReadState::Reset {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes in one frame: its data first, then its flag.
    fn take_frame(&mut self, frame: Envelope) -> Result<(), FrameError> {
        if let Some(data) = frame.data
            && !data.is_empty()
        {
            match self.reading {
                ReadState::Open if self.unread.len() + data.len() > INBOUND_MAX_BYTES => {
                    return Err(FrameError::TooMuchUnread);
                }
                ReadState::Open => self.unread.extend(data),
                ReadState::Ended => return Err(FrameError::DataAfterEnd),
                ReadState::Stopped | ReadState::Reset => {}
            }
        }
        match (frame.kind, self.writing) {
            (None, _) => {}
            // Acknowledged once: the other side could fill the queue by sending many.
            (Some(FIN), _) if self.reading == ReadState::Ended => {}
            (Some(FIN), _) => {
                self.reading = ReadState::Ended;
                self.send_flag(FIN_ACK);
            }
            (Some(STOP_SENDING), Writing::Open | Writing::Ended) => self.writing = Writing::Stopped,
            (Some(STOP_SENDING), _) => {}
            // libp2p resets a stream as a whole.
            (Some(RESET), _) => self.discard(),
            (Some(FIN_ACK), Writing::Open) => return Err(FrameError::UnaskedAcknowledgement),
            (Some(FIN_ACK), Writing::Ended) => self.writing = Writing::Acknowledged,
            (Some(FIN_ACK), _) => {}
            (Some(flag), _) => return Err(FrameError::UnknownFlag(flag)),
        }
        Ok(())
    }

    /// Reads received data, or returns why there is none.
    pub fn read(&mut self, into: &mut [u8]) -> Read {
        match self.reading {
            ReadState::Reset => return Read::Reset,
            ReadState::Stopped => return Read::End,
            ReadState::Open | ReadState::Ended => {}
        }
        if self.unread.is_empty() {
            return if self.reading == ReadState::Ended { Read::End } else { Read::Pending };
        }
        let (first, _) = self.unread.as_slices();
        let length = first.len().min(into.len());
        into[..length].copy_from_slice(&first[..length]);
        self.unread.drain(..length);
        if self.unread.is_empty() {
            // Frees the memory of a stream that was slow once.
            self.unread = VecDeque::new();
        }
        self.give_back();
        Read::Bytes(length)
    }

    /// Queues one frame with as much of `data` as fits, and returns how much that is.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteOver> {
        if self.writing != Writing::Open {
            return Err(WriteOver(self.writing));
        }
        let length = data.len().min(DATA_MAX_BYTES);
        if length > 0 {
            self.outgoing.push_back(Envelope { kind: None, data: Some(data[..length].to_vec()) }.encode());
        }
        Ok(length)
    }

    /// Ends the sending direction, if it is open.
    pub fn end_writing(&mut self) {
        if self.writing == Writing::Open {
            self.writing = Writing::Ended;
            self.send_flag(FIN);
        }
    }

    /// Ends the receiving direction and discards unread data.
    pub fn stop_reading(&mut self) {
        if self.reading == ReadState::Open {
            self.reading = ReadState::Stopped;
            self.send_flag(STOP_SENDING);
        }
        self.unread = VecDeque::new();
        self.give_back();
    }

    /// Ends both directions at once. Sends nothing if both have ended already.
    pub fn reset(&mut self) {
        if self.is_over() {
            self.reading = ReadState::Reset;
            self.forget_received();
            return;
        }
        self.discard();
        self.send_flag(RESET);
    }

    /// The channel has ended: a direction that had not ended in order counts as reset.
    pub fn lose_channel(&mut self) {
        self.outgoing.clear();
        if self.reading == ReadState::Open {
            self.reading = ReadState::Reset;
            self.forget_received();
        }
        if self.writing == Writing::Open {
            self.writing = Writing::Reset;
        }
        if self.writing == Writing::Ended {
            self.writing = Writing::Stopped;
        }
    }

    /// Returns the next frame to be sent, in order.
    pub fn next_outgoing(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Whether frames wait to be sent.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Ends both directions and forgets all data.
    fn discard(&mut self) {
        self.reading = ReadState::Reset;
        self.writing = Writing::Reset;
        self.forget_received();
        self.outgoing.clear();
    }

    /// Forgets what was received and not read.
    fn forget_received(&mut self) {
        self.partial = Vec::new();
        self.unread = VecDeque::new();
        self.give_back();
    }

    /// Counts for the connection what the stream holds now.
    fn recount(&mut self) -> Result<(), TooMuchUnread> {
        self.part.set(self.partial.len() + self.unread.len())
    }

    /// Counts what the stream holds after it became less, which is always allowed.
    fn give_back(&mut self) {
        let counted = self.recount();
        debug_assert!(counted.is_ok(), "it became less");
    }

    /// Queues a frame with a flag.
    fn send_flag(&mut self, flag: u64) {
        self.outgoing.push_back(Envelope { kind: Some(flag), data: None }.encode());
    }
}

#[cfg(test)]
mod tests;
