//! The WebRTC signalling handshake (`/webrtc-signaling/0.0.1`, libp2p's WebRTC specification) as a pure machine: how
//! two browsers exchange session descriptions and ICE candidates over a relayed stream.
//!
//! The machine moves bytes and texts and touches no connection: the host reads and writes the stream and passes the
//! texts to `RTCPeerConnection`. It refuses what is malformed, oversized, too much or out of order, and after a refusal
//! it emits nothing more.
//!
//! # Example
//! Alice's browser (offerer) dials Bob's (answerer) through a relay.
//!
//! | Alice's host | on the stream | Bob's host |
//! |---|---|---|
//! | `LocalCandidate` | nothing: it is held until the offer is sent | |
//! | `LocalDescription` | → offer, → the held candidate | `RemoteDescription`, `RemoteCandidate` |
//! | | | asks the browser for an answer, gathers candidates |
//! | `RemoteDescription` | ← answer | `LocalDescription` |
//! | `RemoteCandidate` | ← candidates | `LocalCandidate` |
//! | `Connected` → `Close` | end | `ReceivedEnd` → `RemoteCandidatesEnd` |
//!
//! The end of the other side's stream means "no more candidates", not failure: one side may see the direct connection
//! before the other.

pub mod envelope;

use self::envelope::{Envelope, EnvelopeError, split_first};

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/webrtc-signaling/0.0.1";

/// The longest message with its length in front. A browser's description takes about 1 KiB, a candidate 300 bytes.
pub const MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// The most candidates of one side.
pub const CANDIDATES_MAX: usize = 64;
/// The most bytes that one side sends in a handshake.
pub const TOTAL_MAX_BYTES: usize = 64 * 1024;

/// The longest text whose message stays within the limit: length, number and text take 3, 2 and 4 more bytes at most.
const TEXT_MAX_BYTES: usize = MESSAGE_MAX_BYTES - 9;

/// Message types of the protocol (protobuf field 1).
const SDP_OFFER: u64 = 0;
const SDP_ANSWER: u64 = 1;
const ICE_CANDIDATE: u64 = 2;

/// One message of the handshake. Its protobuf field 1 is the type, field 2 the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The session description (SDP) of the side that dialled.
    Offer(String),
    /// The session description (SDP) of the other side.
    Answer(String),
    /// An ICE candidate as `RTCIceCandidate.toJSON()` writes it.
    Candidate(String),
}

/// Why the handshake was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeRejection {
    #[error("the message can't be read: {0}")]
    Malformed(#[source] EnvelopeError),
    #[error("the message is larger than the protocol allows")]
    Oversized,
    #[error("the message does not say of which type it is")]
    NoType,
    #[error("a message of type {0}, which the protocol does not have")]
    UnknownType(u64),
    #[error("the message has no text")]
    NoData,
    #[error("the text is not UTF-8")]
    NotText,
    #[error("a candidate before the description it belongs to")]
    CandidateTooEarly,
    #[error("an answer where only an offer can come")]
    AnswerToNothing,
    #[error("an offer where only an answer can come")]
    OfferToOfferer,
    #[error("a second description")]
    SecondDescription,
    #[error("an answer before the offer was sent")]
    AnswerTooEarly,
    #[error("too many candidates")]
    TooManyCandidates,
    #[error("too many bytes")]
    TooManyBytes,
    #[error("the stream ended before the description came")]
    EndedEarly,
    #[error("the stream ended inside a message")]
    EndedInside,
    #[error("this side's own description is larger than the protocol allows")]
    OwnDescriptionOversized,
}

impl Message {
    /// Encodes the message with its length in front.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, text) = match self {
            Self::Offer(text) => (SDP_OFFER, text),
            Self::Answer(text) => (SDP_ANSWER, text),
            Self::Candidate(text) => (ICE_CANDIDATE, text),
        };
        Envelope { kind: Some(kind), data: Some(text.as_bytes().to_vec()) }.encode()
    }

    /// Checks type and text.
    fn from_envelope(envelope: Envelope) -> Result<Self, HandshakeRejection> {
        let kind = envelope.kind.ok_or(HandshakeRejection::NoType)?;
        if kind > ICE_CANDIDATE {
            return Err(HandshakeRejection::UnknownType(kind));
        }
        let text = String::from_utf8(envelope.data.ok_or(HandshakeRejection::NoData)?)
            .map_err(|_| HandshakeRejection::NotText)?;
        Ok(match kind {
            SDP_OFFER => Self::Offer(text),
            SDP_ANSWER => Self::Answer(text),
            _ => Self::Candidate(text),
        })
    }
}

/// Which side of the handshake this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Dialled; sends the first message.
    Offerer,
    /// Was dialled; waits for the offer.
    Answerer,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InEvent<'a> {
    /// This side's offer or answer, as its role is. A second one is ignored.
    LocalDescription(String),
    /// A candidate of this side; kept back until the description is sent.
    LocalCandidate(String),
    /// Bytes from the stream, in pieces of any size.
    Received(&'a [u8]),
    /// The other side closed its half of the stream.
    ReceivedEnd,
    /// The direct connection is open.
    Connected,
}

/// What the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutEvent {
    /// Write these bytes to the stream.
    Send(Vec<u8>),
    /// Set the other side's answer or offer, as this side's role is.
    RemoteDescription(String),
    /// Add a candidate of the other side.
    RemoteCandidate(String),
    /// The other side has no more candidates, for now or for good.
    RemoteCandidatesEnd,
    /// The handshake is done: close the stream.
    Close,
    /// The handshake failed: reset the stream. Nothing follows.
    Reject(HandshakeRejection),
}

/// The state of one handshake on one side.
#[derive(Clone, Debug)]
pub struct State {
    role: Role,
    sent_description: bool,
    got_description: bool,
    over: bool,
    /// Local candidates that wait for the local description.
    held: Vec<String>,
    buffer: Vec<u8>,
    candidates_sent: usize,
    bytes_sent: usize,
    candidates_received: usize,
    bytes_received: usize,
}

impl State {
    /// A handshake that has not begun.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            sent_description: false,
            got_description: false,
            over: false,
            held: Vec::new(),
            buffer: Vec::new(),
            candidates_sent: 0,
            bytes_sent: 0,
            candidates_received: 0,
            bytes_received: 0,
        }
    }

    /// Processes one event. Returns nothing once the handshake is over.
    pub fn handle(&mut self, event: InEvent<'_>) -> Vec<OutEvent> {
        let mut out = Vec::new();
        if self.over {
            return out;
        }
        let handled = match event {
            InEvent::LocalDescription(text) => self.describe(text, &mut out),
            InEvent::LocalCandidate(text) => {
                self.offer_candidate(text, &mut out);
                Ok(())
            }
            InEvent::Received(bytes) => self.receive(bytes, &mut out),
            InEvent::ReceivedEnd => self.end(&mut out),
            InEvent::Connected => {
                self.over = true;
                out.push(OutEvent::Close);
                Ok(())
            }
        };
        if let Err(rejection) = handled {
            self.over = true;
            self.buffer = Vec::new();
            self.held = Vec::new();
            out.push(OutEvent::Reject(rejection));
        }
        out
    }

    /// Sends this side's description, then the candidates that waited for it.
    fn describe(&mut self, text: String, out: &mut Vec<OutEvent>) -> Result<(), HandshakeRejection> {
        if self.sent_description {
            return Ok(());
        }
        if text.len() > TEXT_MAX_BYTES {
            return Err(HandshakeRejection::OwnDescriptionOversized);
        }
        self.sent_description = true;
        let message = match self.role {
            Role::Offerer => Message::Offer(text),
            Role::Answerer => Message::Answer(text),
        };
        self.send(&message, out);
        for candidate in std::mem::take(&mut self.held) {
            self.offer_candidate(candidate, out);
        }
        Ok(())
    }

    /// A candidate beyond what the other side would take is left out; those before it may suffice.
    fn offer_candidate(&mut self, text: String, out: &mut Vec<OutEvent>) {
        if !self.sent_description {
            if self.held.len() < CANDIDATES_MAX {
                self.held.push(text);
            }
            return;
        }
        if self.candidates_sent < CANDIDATES_MAX && text.len() <= TEXT_MAX_BYTES {
            self.candidates_sent += 1;
            self.send(&Message::Candidate(text), out);
        }
    }

    /// Sends a message unless it would exceed [`TOTAL_MAX_BYTES`]; candidates beyond are left out.
    fn send(&mut self, message: &Message, out: &mut Vec<OutEvent>) {
        let bytes = message.encode();
        if self.bytes_sent + bytes.len() <= TOTAL_MAX_BYTES {
            self.bytes_sent += bytes.len();
            out.push(OutEvent::Send(bytes));
        }
    }

    /// Splits the received bytes into messages and takes each.
    fn receive(&mut self, bytes: &[u8], out: &mut Vec<OutEvent>) -> Result<(), HandshakeRejection> {
        self.bytes_received = self.bytes_received.saturating_add(bytes.len());
        if self.bytes_received > TOTAL_MAX_BYTES {
            return Err(HandshakeRejection::TooManyBytes);
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            match split_first(&mut self.buffer, MESSAGE_MAX_BYTES) {
                Ok(Some(envelope)) => self.accept(Message::from_envelope(envelope)?, out)?,
                Ok(None) => return Ok(()),
                Err(EnvelopeError::TooLong { .. }) => return Err(HandshakeRejection::Oversized),
                Err(error) => return Err(HandshakeRejection::Malformed(error)),
            }
        }
    }

    /// Takes one message, if it may come here and now.
    fn accept(&mut self, message: Message, out: &mut Vec<OutEvent>) -> Result<(), HandshakeRejection> {
        match (message, self.role) {
            (Message::Answer(_), Role::Answerer) => return Err(HandshakeRejection::AnswerToNothing),
            (Message::Offer(_), Role::Offerer) => return Err(HandshakeRejection::OfferToOfferer),
            (Message::Offer(_) | Message::Answer(_), _) if self.got_description => {
                return Err(HandshakeRejection::SecondDescription);
            }
            (Message::Answer(_), _) if !self.sent_description => return Err(HandshakeRejection::AnswerTooEarly),
            (Message::Offer(text) | Message::Answer(text), _) => {
                self.got_description = true;
                out.push(OutEvent::RemoteDescription(text));
            }
            (Message::Candidate(_), _) if !self.got_description => return Err(HandshakeRejection::CandidateTooEarly),
            (Message::Candidate(text), _) => {
                self.candidates_received += 1;
                if self.candidates_received > CANDIDATES_MAX {
                    return Err(HandshakeRejection::TooManyCandidates);
                }
                // What other implementations say when they have no more, for now or for good.
                let end = matches!(text.trim(), "" | "null" | "\"\"");
                out.push(if end { OutEvent::RemoteCandidatesEnd } else { OutEvent::RemoteCandidate(text) });
            }
        }
        Ok(())
    }

    /// The other side's stream ended.
    fn end(&mut self, out: &mut Vec<OutEvent>) -> Result<(), HandshakeRejection> {
        if !self.buffer.is_empty() {
            return Err(HandshakeRejection::EndedInside);
        }
        if !self.got_description {
            return Err(HandshakeRejection::EndedEarly);
        }
        out.push(OutEvent::RemoteCandidatesEnd);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
