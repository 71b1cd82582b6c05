//! The two statements behind presence: a node's [`Heartbeat`] and a person's [`Attendance`] for the node.
//!
//! Both are encoded canonically and verified here; whether a heartbeat is news is decided by the roster.

use std::time::Duration;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::chat::{ChannelName, get_channel};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, PublicKey};
use crate::limits::CLOCK_SKEW;
use crate::log::Opening;
use crate::presence::pace::{VALID_MAX, VALID_MIN};
use crate::signed::{Authored, Signable, SignatureError, Signed};
use crate::time::Timestamp;

/// The most channels that one node is in.
pub const CHANNELS_MAX: usize = 32;
/// The most bytes of an encoded attendance: opening with some four rotations, device, statement, signature. A longer
/// opening is named by its digest, for those who have it: it is part of what a replica keeps of an identity.
pub const ATTENDANCE_MAX_BYTES: usize = 1_400;
/// The most bytes of one encoded heartbeat: a node stores up to 10,000 of them and forwards 20 per second. It has
/// room for the attendance and some thirty channels with names of usual length; see `name_channels`.
pub const HEARTBEAT_MAX_BYTES: usize = 2 * 1024;
/// What signing adds to a statement: the signer, a length, the signature.
const SIGNING_BYTES: usize = 32 + 4 + 64;
/// How long an attendance is valid. It is renewed when half of the time is over and the key is unlocked.
pub const ATTENDANCE_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A node: its ed25519 public key, which a libp2p peer id of such a key embeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(PublicKey);

/// The person's statement "this node is mine".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    pub node: NodeId,
    /// The last moment at which it counts, by the receiver's clock and give or take [`CLOCK_SKEW`].
    pub until: Timestamp,
}

/// The whole state of one node, stated by the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// An [`Authored<Attendance>`], encoded.
    pub attendance: Vec<u8>,
    /// When this run of the node began. A restart begins a later session, so its numbers may start again.
    pub session: Timestamp,
    /// Counts the heartbeats of a session, from 1.
    pub number: u64,
    /// When it was made, by the node's clock.
    pub at: Timestamp,
    /// How long it is valid from its reception, [`VALID_MIN`] to [`VALID_MAX`].
    pub valid_for: Duration,
    /// Goodbye: the node goes offline now.
    pub leaving: bool,
    /// In ascending order, each once; at most [`CHANNELS_MAX`], and as many as there is room for.
    pub channels: Vec<ChannelName>,
}

/// A heartbeat with the node's signature.
pub type SignedHeartbeat = Signed<Heartbeat>;

/// Why a heartbeat is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatRefusal {
    #[error("the heartbeat can't be read: {0}")]
    Unreadable(DecodeError),
    #[error("the heartbeat is larger than any")]
    Oversized,
    /// A signature does not hold, or the attendance names another node.
    #[error("the heartbeat is not signed by the node it speaks for, or that node is not the person's")]
    Spoofed,
    /// Its attendance names an opening that is not here. No fault of the sender.
    #[error("the identity of the node is not known to this device")]
    Unknown,
    /// Received again after a newer one, or with an attendance that is over: somebody kept it back.
    #[error("the heartbeat is an old one")]
    Replayed,
    /// Too far from this node's clock. Whether the sender's or the own clock is wrong can't be decided, so it is no
    /// fault.
    #[error("the heartbeat's date is {apart} ms apart from this node's clock")]
    Misdated {
        /// Milliseconds that it is ahead; behind, below zero.
        apart: i64,
    },
    /// The node exceeds its rate ([`HEARTBEATS_BURST`](crate::presence::pace::HEARTBEATS_BURST)).
    #[error("the node speaks too often")]
    TooOften,
    /// The roster, or the person's share of it, has no room. No fault of the sender.
    #[error("more nodes than can be remembered")]
    Full,
}

impl NodeId {
    /// Returns `None` if the bytes are not a valid ed25519 key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        PublicKey::from_bytes(bytes).ok().map(Self)
    }

    /// The 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<PublicKey> for NodeId {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

/// The bytes in which a heartbeat carries the person's word: whole, or naming a long opening.
pub(super) fn encode_attendance(attendance: &Authored<Attendance>) -> Vec<u8> {
    let whole = attendance.encode();
    if whole.len() <= ATTENDANCE_MAX_BYTES { whole } else { attendance.encode_naming() }
}

impl Heartbeat {
    /// Names channels, in their order, each for which there is still room within [`HEARTBEAT_MAX_BYTES`]. Of a channel
    /// that is left out this node is a member all the same; others do not see that it is.
    pub(super) fn name_channels<'a>(&mut self, channels: impl IntoIterator<Item = &'a ChannelName>) {
        let mut room = HEARTBEAT_MAX_BYTES - SIGNING_BYTES - self.encode().len();
        for channel in channels {
            let needed = Encoder::new().text(&channel.to_string()).finish().len();
            if needed <= room {
                room -= needed;
                self.channels.push(channel.clone());
            }
        }
    }

    /// The last moment, by the observer's clock, at which it may still be news.
    pub fn stale_after(&self) -> Timestamp {
        self.at.plus(self.valid_for).plus(CLOCK_SKEW)
    }
}

/// The identity of a verified attendance, and when it expires.
pub(super) type Attended = (Did, Timestamp);

/// Decodes a heartbeat and verifies both signatures. `known` returns what exactly this attendance of the node came to
/// before; it is the same in every heartbeat, so it is verified once. `opening_of` returns an opening by its digest.
/// Returns the heartbeat and the person it belongs to.
pub(super) fn verify(
    bytes: &[u8],
    topic: &Topic,
    known: impl FnOnce(&NodeId, &[u8]) -> Option<Attended>,
    opening_of: impl FnOnce(&Digest) -> Option<Opening>,
    now: Timestamp,
) -> Result<(SignedHeartbeat, Attended), HeartbeatRefusal> {
    if bytes.len() > HEARTBEAT_MAX_BYTES {
        return Err(HeartbeatRefusal::Oversized);
    }
    let heartbeat = SignedHeartbeat::verify(bytes, topic).map_err(refusal)?;
    let (statement, node) = (heartbeat.statement(), NodeId(heartbeat.signer()));
    let attended = match known(&node, &statement.attendance) {
        Some(attended) => attended,
        None => {
            let attendance = Authored::<Attendance>::verify_naming(&statement.attendance, topic, opening_of);
            let attendance = attendance.map_err(refusal)?.ok_or(HeartbeatRefusal::Unknown)?;
            if attendance.statement().node != node {
                return Err(HeartbeatRefusal::Spoofed);
            }
            (attendance.author(), attendance.statement().until)
        }
    };
    // A leaving node needs no permission any more.
    if !statement.leaving && attended.1.plus(CLOCK_SKEW) < now {
        let apart = apart(statement.at, now);
        let clocks_differ = apart.unsigned_abs() > CLOCK_SKEW.as_millis() as u64;
        return Err(if clocks_differ { HeartbeatRefusal::Misdated { apart } } else { HeartbeatRefusal::Replayed });
    }
    Ok((heartbeat, attended))
}

/// Milliseconds by which a date is ahead of the clock; negative if it is behind.
pub(super) fn apart(date: Timestamp, now: Timestamp) -> i64 {
    let difference = i128::from(date.as_millis()) - i128::from(now.as_millis());
    difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn refusal(error: SignatureError) -> HeartbeatRefusal {
    match error {
        SignatureError::Unreadable(why) => HeartbeatRefusal::Unreadable(why),
        SignatureError::NotCanonical => HeartbeatRefusal::Unreadable(DecodeError::OutOfRange),
        SignatureError::Key(_) | SignatureError::Opening(_) | SignatureError::NotAllowed | SignatureError::Forged => {
            HeartbeatRefusal::Spoofed
        }
    }
}

impl Signable for Attendance {
    fn domain(&self) -> &'static str {
        "gen-registry/attendance/v2"
    }

    fn encode(&self) -> Vec<u8> {
        Encoder::new().fixed(self.node.as_bytes()).integer(self.until.as_millis()).finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let node = NodeId::from_bytes(&decoder.array()?).ok_or(DecodeError::OutOfRange)?;
        let until = date(&mut decoder)?;
        decoder.end()?;
        Ok(Self { node, until })
    }
}

impl Signable for Heartbeat {
    fn domain(&self) -> &'static str {
        "gen-registry/heartbeat/v2"
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().bytes(&self.attendance).integer(self.session.as_millis()).integer(self.number);
        let encoder = encoder.integer(self.at.as_millis()).integer(self.valid_for.as_millis() as u64);
        let encoder = encoder.byte(self.leaving.into()).byte(self.channels.len() as u8);
        self.channels.iter().fold(encoder, |encoder, channel| encoder.text(&channel.to_string())).finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let attendance = decoder.bytes()?.to_vec();
        let (session, number) = (date(&mut decoder)?, decoder.integer()?);
        let (at, valid_for) = (date(&mut decoder)?, Duration::from_millis(decoder.integer()?));
        let leaving = match decoder.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::OutOfRange),
        };
        let count = usize::from(decoder.byte()?);
        let fits = attendance.len() <= ATTENDANCE_MAX_BYTES
            && (VALID_MIN..=VALID_MAX).contains(&valid_for)
            && count <= CHANNELS_MAX;
        if !fits {
            return Err(DecodeError::OutOfRange);
        }
        let mut channels: Vec<ChannelName> = Vec::with_capacity(count);
        for _ in 0..count {
            let channel = get_channel(&mut decoder)?;
            if channels.last().is_some_and(|last| *last >= channel) {
                return Err(DecodeError::OutOfRange);
            }
            channels.push(channel);
        }
        decoder.end()?;
        Ok(Self { attendance, session, number, at, valid_for, leaving, channels })
    }
}

/// A date within the range that every JavaScript `Date` can show.
fn date(decoder: &mut Decoder<'_>) -> Result<Timestamp, DecodeError> {
    match Timestamp::from_millis(decoder.integer()?) {
        date if date <= Timestamp::LATEST => Ok(date),
        _ => Err(DecodeError::OutOfRange),
    }
}
