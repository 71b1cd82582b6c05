//! What a node says of itself, and what its person says of the node.

use std::time::Duration;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::chat::{ChannelName, get_channel};
use crate::identity::{Identity, SignatureError, Signed, Statement, Topic};
use crate::limits::CLOCK_SKEW;
use crate::presence::pace::{VALID_MAX, VALID_MIN};
use crate::time::Timestamp;

/// Channels that one node is in.
pub const CHANNELS_MAX: usize = 32;
/// Author, statement, signature.
pub const ATTENDANCE_MAX_BYTES: usize = 256;
/// One encoded heartbeat: every channel with the longest name, and framing.
pub const HEARTBEAT_MAX_BYTES: usize = 12 * 1024;
/// How long an attestation for a node is valid. It is renewed when half of the time is over and the key is unlocked.
pub const ATTENDANCE_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A node: its ed25519 public key, which a libp2p peer id of such a key embeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Identity);

/// "This node is mine", by the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    pub node: NodeId,
    pub until: Timestamp,
}

/// The whole state of one node, by the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// A [`Signed<Attendance>`], encoded.
    pub attendance: Vec<u8>,
    /// When this run of the node began.
    pub session: Timestamp,
    /// Counts within the session.
    pub number: u64,
    pub at: Timestamp,
    pub valid_for: Duration,
    /// Goodbye.
    pub leaving: bool,
    /// In their order, each once.
    pub channels: Vec<ChannelName>,
}

pub type SignedHeartbeat = Signed<Heartbeat>;

/// Why a heartbeat is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatRefusal {
    #[error("the heartbeat can't be read: {0}")]
    Unreadable(DecodeError),
    #[error("the heartbeat is larger than any")]
    Oversized,
    #[error("the heartbeat is not signed by the node it speaks for, or that node is not the person's")]
    Spoofed,
    #[error("the heartbeat is an old one")]
    Replayed,
    #[error("the heartbeat's date is {apart} ms apart from this node's clock")]
    Misdated {
        /// Milliseconds that it is ahead; behind, below zero.
        apart: i64,
    },
    #[error("the node speaks too often")]
    TooOften,
    #[error("more nodes than can be remembered")]
    Full,
}

impl NodeId {
    /// None when the bytes are no good key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        Identity::from_bytes(bytes).ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<Identity> for NodeId {
    fn from(key: Identity) -> Self {
        Self(key)
    }
}

impl Heartbeat {
    /// The last moment at which it may still be taken for news, by the observer's clock.
    pub fn stale_after(&self) -> Timestamp {
        self.at.plus(self.valid_for).plus(CLOCK_SKEW)
    }
}

/// Reads a heartbeat and verifies both signatures; `known` says whether the attendance was verified before.
pub(super) fn verify(
    bytes: &[u8],
    topic: &Topic,
    known: impl FnOnce(&NodeId, &[u8]) -> bool,
    now: Timestamp,
) -> Result<(SignedHeartbeat, Identity), HeartbeatRefusal> {
    if bytes.len() > HEARTBEAT_MAX_BYTES {
        return Err(HeartbeatRefusal::Oversized);
    }
    let heartbeat = SignedHeartbeat::verify(bytes, topic).map_err(refusal)?;
    let (said, node) = (heartbeat.statement(), NodeId(heartbeat.author()));
    // The same word of the person's comes with every heartbeat; it is verified once.
    let attendance = match known(&node, &said.attendance) {
        true => Signed::<Attendance>::decode_unverified(&said.attendance, topic),
        false => Signed::<Attendance>::verify(&said.attendance, topic),
    };
    let attendance = attendance.map_err(refusal)?;
    if attendance.statement().node != node {
        return Err(HeartbeatRefusal::Spoofed);
    }
    // A leaving node needs no permission any more.
    if !said.leaving && attendance.statement().until.plus(CLOCK_SKEW) < now {
        let apart = apart(said.at, now);
        let clocks_differ = apart.unsigned_abs() > CLOCK_SKEW.as_millis() as u64;
        return Err(if clocks_differ { HeartbeatRefusal::Misdated { apart } } else { HeartbeatRefusal::Replayed });
    }
    let user = attendance.author();
    Ok((heartbeat, user))
}

/// How many milliseconds a date is ahead of the clock; below zero, behind.
pub(super) fn apart(date: Timestamp, now: Timestamp) -> i64 {
    let difference = i128::from(date.as_millis()) - i128::from(now.as_millis());
    difference.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn refusal(error: SignatureError) -> HeartbeatRefusal {
    match error {
        SignatureError::Unreadable(why) => HeartbeatRefusal::Unreadable(why),
        SignatureError::NotCanonical => HeartbeatRefusal::Unreadable(DecodeError::OutOfRange),
        SignatureError::Author(_) | SignatureError::Forged => HeartbeatRefusal::Spoofed,
    }
}

impl Statement for Attendance {
    fn domain(&self) -> &'static str {
        "gen-registry/attendance/v1"
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

impl Statement for Heartbeat {
    fn domain(&self) -> &'static str {
        "gen-registry/heartbeat/v1"
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

fn date(decoder: &mut Decoder<'_>) -> Result<Timestamp, DecodeError> {
    match Timestamp::from_millis(decoder.integer()?) {
        date if date <= Timestamp::LATEST => Ok(date),
        _ => Err(DecodeError::OutOfRange),
    }
}
