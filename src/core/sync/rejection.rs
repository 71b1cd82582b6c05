//! Rejections: one variant for each rule that a peer can break, and how bad each is.
//!
//! A rejection is data beside the good result, never an error that stops a merge. Its *mark* (0 to 50) is summed over a
//! session, which ends at 100, and lowers the peer's [`reputation`](crate::sync::reputation). So one forged change
//! costs as much as 25 announcements too many.

use serde::{Deserialize, Serialize};

use crate::canonical::DecodeError;
use crate::presence::HeartbeatRefusal;
use crate::signed::SignatureError;

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Rejection {
    /// Bytes that are no encoding of a message.
    #[error("the message can't be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the message or a part of it is larger than the protocol allows")]
    Oversized,
    /// A message that the state of the exchange does not allow.
    #[error("the message comes where the protocol has no place for it")]
    OutOfOrder,
    #[error("the peer is on another network")]
    ForeignTopic,
    /// No fault: the peer's program has other limits.
    #[error("the peer has other network parameters and would resolve names differently")]
    OtherParameters,
    /// An answer without a question, or of something else than was asked for.
    #[error("the peer sent what was not asked for")]
    Unasked,
    /// A round without a message for too long, an empty page that announces more, or too many pages without news.
    #[error("the exchange makes no progress")]
    Stalled,
    /// Frames that the reconciliation refuses, or too many of them.
    #[error("the comparison of documents can't be followed")]
    Comparison,
    #[error("a change without its owner's valid signature")]
    Forged,
    /// The signature is right, so the owner made a change that no honest session makes.
    #[error("a signed change that has not the admitted form")]
    BadChange,
    #[error("too many messages in too short a time")]
    TooManyMessages,
    #[error("too many announcements in too short a time")]
    TooManyAnnouncements,
    #[error("too many requests at once")]
    TooManyRequests,
    #[error("a block with other bytes than its hash names")]
    WrongBlock,
    /// A name proof that does not verify.
    #[error("an answer about a name that proves nothing of it")]
    WrongRecord,
    #[error("a heartbeat or message that is not signed by whom it speaks for")]
    Spoofed,
    #[error("a heartbeat that was kept back, or said again")]
    Replayed,
    /// No fault: which of the two clocks is wrong can't be seen from the message.
    #[error("a heartbeat or message whose date is too far from this device's clock")]
    Misdated,
    #[error("too many heartbeats in too short a time")]
    TooManyHeartbeats,
    #[error("too many words in too short a time")]
    TooManyMessagesOfAuthor,
}

impl Rejection {
    /// The rejection for a statement that can't be read or whose signature does not hold.
    pub fn of_signed(error: &SignatureError) -> Self {
        match error {
            SignatureError::Unreadable(why) => Self::Malformed(*why),
            SignatureError::NotCanonical => Self::Malformed(DecodeError::OutOfRange),
            SignatureError::Key(_)
            | SignatureError::Opening(_)
            | SignatureError::NotAllowed
            | SignatureError::Forged => Self::Spoofed,
        }
    }

    /// How far this lowers a peer's reputation. 0 for what is no fault: another network or other parameters, or a
    /// clock that differs.
    pub fn mark(self) -> u32 {
        match self {
            Self::ForeignTopic | Self::OtherParameters | Self::Misdated => 0,
            Self::TooManyAnnouncements | Self::TooManyHeartbeats | Self::TooManyMessagesOfAuthor => 2,
            Self::Replayed => 5,
            Self::Unasked | Self::OutOfOrder | Self::Stalled | Self::TooManyRequests => 10,
            Self::Malformed(_) | Self::Oversized | Self::Comparison | Self::WrongRecord => 20,
            Self::BadChange | Self::Forged | Self::TooManyMessages | Self::WrongBlock | Self::Spoofed => 50,
        }
    }

    /// Returns whether the session must end because nothing sensible can follow.
    pub fn is_fatal(self) -> bool {
        match self {
            Self::ForeignTopic
            | Self::OtherParameters
            | Self::Comparison
            | Self::Stalled
            | Self::TooManyMessages
            | Self::WrongBlock => true,
            Self::Malformed(_)
            | Self::Oversized
            | Self::OutOfOrder
            | Self::Unasked
            | Self::Forged
            | Self::BadChange
            | Self::TooManyAnnouncements
            | Self::TooManyRequests
            | Self::WrongRecord
            | Self::Spoofed
            | Self::Replayed
            | Self::Misdated
            | Self::TooManyHeartbeats
            | Self::TooManyMessagesOfAuthor => false,
        }
    }
}

/// The rejection for a peer that forwarded a refused heartbeat, or `None` if only this node's memory is full.
pub fn of_heartbeat(refusal: HeartbeatRefusal) -> Option<Rejection> {
    match refusal {
        HeartbeatRefusal::Unreadable(why) => Some(Rejection::Malformed(why)),
        HeartbeatRefusal::Oversized => Some(Rejection::Oversized),
        HeartbeatRefusal::Spoofed => Some(Rejection::Spoofed),
        HeartbeatRefusal::Replayed => Some(Rejection::Replayed),
        HeartbeatRefusal::Misdated { .. } => Some(Rejection::Misdated),
        HeartbeatRefusal::TooOften => Some(Rejection::TooManyHeartbeats),
        HeartbeatRefusal::Full | HeartbeatRefusal::Unknown => None,
    }
}
