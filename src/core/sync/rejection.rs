//! What peers do wrong: one variant per broken rule, and how bad each is.
//!
//! A rejection is data beside the good result, never an error that stops a merge.

use crate::canonical::DecodeError;
use crate::identity::SignatureError;
use crate::presence::HeartbeatRefusal;

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Rejection {
    #[error("the message can't be read: {0}")]
    Malformed(#[from] DecodeError),
    #[error("the message or a part of it is larger than the protocol allows")]
    Oversized,
    #[error("the message comes where the protocol has no place for it")]
    OutOfOrder,
    #[error("the peer is on another network")]
    ForeignTopic,
    #[error("the peer speaks a newer version of the protocol")]
    FutureVersion,
    #[error("the peer has other network parameters and would resolve names differently")]
    OtherParameters,
    #[error("the peer sent what was not asked for")]
    Unasked,
    #[error("the peer said it has changes and did not send them")]
    Withheld,
    #[error("the exchange makes no progress")]
    Stalled,
    #[error("the comparison of documents can't be followed")]
    Comparison,
    #[error("a change without its owner's valid signature")]
    Forged,
    #[error("a signed change that has not the admitted form")]
    BadChange,
    #[error("a change beyond a document's limits, or none that an honest owner makes")]
    Refused,
    #[error("the owner signed two changes for one place")]
    Fork,
    #[error("too many messages in too short a time")]
    TooManyMessages,
    #[error("too many announcements in too short a time")]
    TooManyAnnouncements,
    #[error("more bytes asked for than one peer gets")]
    TooManyBytes,
    #[error("too many requests at once")]
    TooManyRequests,
    #[error("a block with other bytes than its hash names")]
    WrongBlock,
    #[error("an answer about a name that proves nothing of it")]
    WrongRecord,
    #[error("a heartbeat or message that is not signed by whom it speaks for")]
    Spoofed,
    #[error("a heartbeat that was kept back, or said again")]
    Replayed,
    /// Whose clock is wrong can't be seen from it.
    #[error("a heartbeat or message whose date is too far from this device's clock")]
    Misdated,
    #[error("too many heartbeats in too short a time")]
    TooManyHeartbeats,
    #[error("too many words in too short a time")]
    TooManyMessagesOfAuthor,
}

impl Rejection {
    /// Of a statement whose signature does not hold, or that can't be read.
    pub fn of_signed(error: &SignatureError) -> Self {
        match error {
            SignatureError::Unreadable(why) => Self::Malformed(*why),
            SignatureError::NotCanonical => Self::Malformed(DecodeError::OutOfRange),
            SignatureError::Author(_) | SignatureError::Forged => Self::Spoofed,
        }
    }

    /// How far this lowers what a peer has earned. Being of another network or version is no fault; nor is a
    /// clock that differs, nor carrying the proof of somebody else's fork.
    pub fn mark(self) -> u32 {
        match self {
            Self::ForeignTopic | Self::FutureVersion | Self::OtherParameters | Self::Fork | Self::Misdated => 0,
            Self::TooManyAnnouncements | Self::TooManyHeartbeats | Self::TooManyMessagesOfAuthor => 2,
            Self::Replayed => 5,
            Self::Unasked | Self::OutOfOrder | Self::Stalled | Self::Withheld | Self::TooManyRequests => 10,
            Self::Malformed(_) | Self::Oversized | Self::Comparison | Self::Refused | Self::WrongRecord => 20,
            Self::BadChange
            | Self::Forged
            | Self::TooManyMessages
            | Self::TooManyBytes
            | Self::WrongBlock
            | Self::Spoofed => 50,
        }
    }

    /// True when nothing sensible can follow in this session.
    pub fn is_fatal(self) -> bool {
        match self {
            Self::ForeignTopic
            | Self::FutureVersion
            | Self::OtherParameters
            | Self::Comparison
            | Self::Stalled
            | Self::TooManyMessages
            | Self::TooManyBytes
            | Self::WrongBlock => true,
            Self::Malformed(_)
            | Self::Oversized
            | Self::OutOfOrder
            | Self::Unasked
            | Self::Withheld
            | Self::Forged
            | Self::BadChange
            | Self::Refused
            | Self::Fork
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

/// The fault of a peer that forwarded a refused heartbeat; `None` if this node merely remembers no more.
pub fn of_heartbeat(refusal: HeartbeatRefusal) -> Option<Rejection> {
    match refusal {
        HeartbeatRefusal::Unreadable(why) => Some(Rejection::Malformed(why)),
        HeartbeatRefusal::Oversized => Some(Rejection::Oversized),
        HeartbeatRefusal::Spoofed => Some(Rejection::Spoofed),
        HeartbeatRefusal::Replayed => Some(Rejection::Replayed),
        HeartbeatRefusal::Misdated { .. } => Some(Rejection::Misdated),
        HeartbeatRefusal::TooOften => Some(Rejection::TooManyHeartbeats),
        HeartbeatRefusal::Full => None,
    }
}
