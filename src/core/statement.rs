//! Statements of an identity: what only the identity key may say, since it is rare and decides who acts for the identity.
//!
//! The identity key keeps no log and can't fork. Each [`Statement`] is signed by itself and rides as the body of an entry
//! in the facts log of the device where it was made. Adding and revoking devices commute: the same set of statements gives
//! the same devices in any order ([`standing`](crate::standing)).
//!
//! Links chain the keys of an identity. Each names the link before, the first one the inception:
//!
//! ```text
//! inception {key 0, next: digest of key 1}
//!    └─ Rotate   {key 1, next: digest of key 2}   signed by key 1, which the inception committed to
//!         └─ NewWords {next: digest of key 2'}    signed by key 1: the words are lost, key 2 is out of reach
//!              └─ Rotate {key 2', …}              signed by key 2'
//! ```

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, PublicKey, SecretKey, Signature};
use crate::list_keys::{ListKeys, SealedListKey};
use crate::log::body::Verify;
use crate::log::{Capabilities, EntryId, LogId};

/// The most devices of one identity; numbers are below it.
pub const DEVICES_MAX: u8 = 64;
/// The most links of one identity.
pub const LINKS_MAX: usize = 64;
/// The most logs that one cut names: those that a device ever opened and the person can be sure of.
pub const CUT_LOGS_MAX: usize = 32;

/// What an identity key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    DeviceAdd(DeviceAdd),
    DeviceRevoke(DeviceRevoke),
    Rotate(Rotate),
    NewWords(NewWords),
    GiveUp(GiveUp),
    Finish(Finish),
    Veto(Veto),
    ListKeys(ListKeys),
}

/// "This key acts for me, within these capabilities."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAdd {
    /// Below [`DEVICES_MAX`]. Of two additions with one number the smaller digest counts.
    pub number: u8,
    pub device: PublicKey,
    /// The X25519 key to which list keys are sealed.
    pub sealing_key: [u8; 32],
    pub capabilities: Capabilities,
    /// The present list key, sealed to that key; none for a device that has the identity key.
    pub list_key: Option<SealedListKey>,
}

/// "This key acts for me no longer", with the last entries that are mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRevoke {
    pub device: PublicKey,
    pub cut: Cut,
}

/// The last good entry of each log that a device wrote on one authority. A log that is not named had none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The digest of the opening; nothing without logs.
    opening: Option<Digest>,
    logs: Vec<CutLog>,
}

/// The last good entry of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CutLog {
    /// The number of the log: 0 the facts, others changes.
    pub log: u32,
    pub seq: u64,
    pub entry: EntryId,
}

/// "My key is this one from now on", signed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotate {
    /// The link before: the inception's digest for the first one.
    pub before: Digest,
    pub key: PublicKey,
    /// The digest of the key of the next rotation.
    pub next: Digest,
    /// The digest of the [`DeviceList`].
    pub devices: Digest,
}

/// "The key of my next rotation is another one", once this is finished: the way out when the words are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewWords {
    pub before: Digest,
    pub next: Digest,
}

/// "I give up the name of this claim", for anybody or for one identity, once this is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// The entry of the claim.
    pub claim: EntryId,
    pub to: Option<Did>,
}

/// "The hold has passed; what this statement announced is done."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The entry of the [`GiveUp`] or [`NewWords`].
    pub announced: EntryId,
    /// What takes a slot besides: the claim of the give-up, or the link before the new words.
    pub ends: Digest,
}

/// "What this entry announced must not be done."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Veto {
    pub announced: EntryId,
}

/// What becomes of the devices of before a rotation: each that is named stays, or ends at its last good entries; one that
/// is not named ends before its first entry. Travels beside the [`Rotate`], which has its digest.
///
/// A device is named by the digest of its addition, not by its key: a holder of the key before could have added the same
/// device with fewer capabilities, or another one with its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList(Vec<(Digest, Option<Cut>)>);

/// A statement with the signature of an identity key. Whether that key is the identity's own follows from its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    pub did: Did,
    pub key: PublicKey,
    pub statement: Statement,
    signature: Signature,
    digest: Digest,
}

/// Why a signed statement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("these bytes are no statement of an identity")]
    Unreadable(#[from] DecodeError),
    #[error("the signature is not the key's, or not over this, or not for this network")]
    Forged,
}

const KIND_DEVICE_ADD: u8 = 1;
const KIND_DEVICE_REVOKE: u8 = 2;
const KIND_ROTATE: u8 = 3;
const KIND_NEW_WORDS: u8 = 4;
const KIND_GIVE_UP: u8 = 5;
const KIND_FINISH: u8 = 6;
const KIND_VETO: u8 = 7;
const KIND_LIST_KEYS: u8 = 8;

impl Cut {
    /// A cut with these last entries, one for each log under an opening.
    pub fn new(opening: Digest, logs: impl IntoIterator<Item = CutLog>) -> Self {
        let mut logs: Vec<CutLog> = logs.into_iter().collect();
        logs.sort_unstable_by_key(|last| (last.log, last.seq));
        logs.dedup_by_key(|last| last.log);
        Self { opening: Some(opening).filter(|_| !logs.is_empty()), logs }
    }

    /// The last good entry of a log, or `None` if nothing in it counts.
    pub fn last(&self, log: &LogId) -> Option<&CutLog> {
        self.logs.iter().find(|last| last.log == log.number).filter(|_| self.opening == Some(log.opening))
    }

    pub fn logs(&self) -> &[CutLog] {
        &self.logs
    }

    /// The cut that leaves the less of each log. Of two entries at one place the smaller id is taken.
    pub fn earlier(&self, other: &Self) -> Self {
        let both = self.logs.iter().filter_map(|mine| {
            let theirs = other.logs.iter().find(|theirs| theirs.log == mine.log)?;
            Some(*if (mine.seq, mine.entry) <= (theirs.seq, theirs.entry) { mine } else { theirs })
        });
        match self.opening {
            Some(opening) if other.opening == Some(opening) => Self::new(opening, both),
            _ => Self::default(),
        }
    }

    fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.byte(self.logs.len() as u8);
        let encoder = self.opening.iter().fold(encoder, |encoder, opening| encoder.fixed(opening.as_bytes()));
        self.logs.iter().fold(encoder, |encoder, last| {
            encoder.integer(last.log.into()).integer(last.seq).fixed(last.entry.as_bytes())
        })
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(decoder.byte()?);
        if count > CUT_LOGS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let opening = if count == 0 { None } else { Some(Digest::from_bytes(decoder.array()?)) };
        let log = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            let log = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
            Ok(CutLog { log, seq: decoder.integer()?, entry: EntryId::decode(decoder)? })
        };
        let logs: Vec<CutLog> = (0..count).map(|_| log(decoder)).collect::<Result<_, _>>()?;
        let ascend = logs.windows(2).all(|pair| pair[0].log < pair[1].log);
        if ascend { Ok(Self { opening, logs }) } else { Err(DecodeError::OutOfRange) }
    }
}

impl DeviceList {
    /// The list of these additions; with `None` a device stays.
    pub fn new(additions: impl IntoIterator<Item = (Digest, Option<Cut>)>) -> Self {
        let mut additions: Vec<_> = additions.into_iter().collect();
        additions.sort_by_key(|(addition, _)| *addition);
        additions.dedup_by_key(|(addition, _)| *addition);
        Self(additions)
    }

    /// The additions that count on, in ascending order; with `None` a device stays, else it ends there.
    pub fn additions(&self) -> &[(Digest, Option<Cut>)] {
        &self.0
    }

    /// The digest that the rotation has.
    pub fn digest(&self) -> Digest {
        Digest::of(&Encoder::new().text("gen-registry/device-list/v2").bytes(&self.encode()).finish())
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().byte(self.0.len() as u8);
        let devices = self.0.iter().fold(encoder, |encoder, (addition, cut)| {
            let encoder = encoder.fixed(addition.as_bytes());
            match cut {
                None => encoder.byte(0),
                Some(cut) => cut.encode(encoder.byte(1)),
            }
        });
        devices.finish()
    }

    /// Reads what [`DeviceList::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let count = decoder.byte()?;
        if count > DEVICES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let device = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            let addition = Digest::from_bytes(decoder.array()?);
            match decoder.byte()? {
                0 => Ok((addition, None)),
                1 => Ok((addition, Some(Cut::decode(decoder)?))),
                _ => Err(DecodeError::OutOfRange),
            }
        };
        let devices: Vec<_> = (0..count).map(|_| device(&mut decoder)).collect::<Result<_, _>>()?;
        decoder.end()?;
        let ascend = devices.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if ascend { Ok(Self(devices)) } else { Err(DecodeError::OutOfRange) }
    }
}

impl Statement {
    /// The signing domain: a different one for each kind, so that no signature serves for two.
    fn domain(&self) -> &'static str {
        match self {
            Self::DeviceAdd(_) => "gen-registry/device-add/v2",
            Self::DeviceRevoke(_) => "gen-registry/device-revoke/v2",
            Self::Rotate(_) => "gen-registry/rotate/v2",
            Self::NewWords(_) => "gen-registry/new-words/v2",
            Self::GiveUp(_) => "gen-registry/give-up/v2",
            Self::Finish(_) => "gen-registry/finish/v2",
            Self::Veto(_) => "gen-registry/veto/v2",
            Self::ListKeys(_) => "gen-registry/list-keys/v2",
        }
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new();
        match self {
            Self::DeviceAdd(add) => {
                let encoder = encoder.byte(KIND_DEVICE_ADD).byte(add.number).fixed(add.device.as_bytes());
                let encoder = add.capabilities.encode(encoder.fixed(&add.sealing_key));
                match &add.list_key {
                    None => encoder.byte(0),
                    Some(key) => key.encode(encoder.byte(1)),
                }
            }
            Self::DeviceRevoke(revoke) => {
                revoke.cut.encode(encoder.byte(KIND_DEVICE_REVOKE).fixed(revoke.device.as_bytes()))
            }
            Self::Rotate(rotate) => encoder
                .byte(KIND_ROTATE)
                .fixed(rotate.before.as_bytes())
                .fixed(rotate.key.as_bytes())
                .fixed(rotate.next.as_bytes())
                .fixed(rotate.devices.as_bytes()),
            Self::NewWords(words) => {
                encoder.byte(KIND_NEW_WORDS).fixed(words.before.as_bytes()).fixed(words.next.as_bytes())
            }
            Self::GiveUp(give_up) => {
                let encoder = encoder.byte(KIND_GIVE_UP).fixed(give_up.claim.as_bytes());
                match &give_up.to {
                    None => encoder.byte(0),
                    Some(did) => encoder.byte(1).fixed(did.as_bytes()),
                }
            }
            Self::Finish(finish) => {
                encoder.byte(KIND_FINISH).fixed(finish.announced.as_bytes()).fixed(finish.ends.as_bytes())
            }
            Self::Veto(veto) => encoder.byte(KIND_VETO).fixed(veto.announced.as_bytes()),
            Self::ListKeys(keys) => keys.encode(encoder.byte(KIND_LIST_KEYS)),
        }
        .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let digest = |decoder: &mut Decoder<'_>| decoder.array().map(Digest::from_bytes);
        let statement = match decoder.byte()? {
            KIND_DEVICE_ADD => {
                let (number, device) = (decoder.byte()?, PublicKey::decode(&mut decoder)?);
                let sealing_key = decoder.array()?;
                let capabilities = Capabilities::decode(&mut decoder)?;
                let list_key = match decoder.byte()? {
                    0 => None,
                    1 => Some(SealedListKey::decode(&mut decoder)?),
                    _ => return Err(DecodeError::OutOfRange),
                };
                if number >= DEVICES_MAX {
                    return Err(DecodeError::OutOfRange);
                }
                Self::DeviceAdd(DeviceAdd { number, device, sealing_key, capabilities, list_key })
            }
            KIND_DEVICE_REVOKE => {
                let device = PublicKey::decode(&mut decoder)?;
                Self::DeviceRevoke(DeviceRevoke { device, cut: Cut::decode(&mut decoder)? })
            }
            KIND_ROTATE => Self::Rotate(Rotate {
                before: digest(&mut decoder)?,
                key: PublicKey::decode(&mut decoder)?,
                next: digest(&mut decoder)?,
                devices: digest(&mut decoder)?,
            }),
            KIND_NEW_WORDS => Self::NewWords(NewWords { before: digest(&mut decoder)?, next: digest(&mut decoder)? }),
            KIND_GIVE_UP => {
                let claim = EntryId::decode(&mut decoder)?;
                let to = match decoder.byte()? {
                    0 => None,
                    1 => Some(Did::from_digest(digest(&mut decoder)?)),
                    _ => return Err(DecodeError::OutOfRange),
                };
                Self::GiveUp(GiveUp { claim, to })
            }
            KIND_FINISH => {
                Self::Finish(Finish { announced: EntryId::decode(&mut decoder)?, ends: digest(&mut decoder)? })
            }
            KIND_VETO => Self::Veto(Veto { announced: EntryId::decode(&mut decoder)? }),
            KIND_LIST_KEYS => Self::ListKeys(ListKeys::decode(&mut decoder)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(statement)
    }
}

impl SignedStatement {
    /// Signs a statement for one identity on one network.
    pub fn sign(topic: &Topic, did: Did, key: &SecretKey, statement: Statement) -> Self {
        let bytes = signed_bytes(&did, &statement);
        let signature = key.sign(topic, statement.domain(), &bytes);
        let digest = digest(topic, statement.domain(), &bytes);
        Self { did, key: key.public(), statement, signature, digest }
    }

    /// Names the statement: the digest of all that is signed (not of the signature).
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes that are passed on.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().fixed(self.did.as_bytes()).fixed(self.key.as_bytes());
        let mut bytes = encoder.bytes(&self.statement.encode()).finish();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }

    /// Reads what [`SignedStatement::encode`] wrote and verifies the signature.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, StatementError> {
        Self::read(topic, bytes, Verify::Now)
    }

    pub(crate) fn read(topic: &Topic, bytes: &[u8], verify: Verify) -> Result<Self, StatementError> {
        let mut decoder = Decoder::new(bytes);
        let signed = match verify {
            Verify::Now => Self::decode_from(topic, &mut decoder)?,
            Verify::Before => Self::decode_unverified(topic, &mut decoder)?,
        };
        decoder.end()?;
        Ok(signed)
    }

    /// The same where more follows.
    pub(crate) fn decode_from(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<Self, StatementError> {
        let signed = Self::decode_unverified(topic, decoder)?;
        let bytes = signed_bytes(&signed.did, &signed.statement);
        if !signed.key.verify(topic, signed.statement.domain(), &bytes, &signed.signature) {
            return Err(StatementError::Forged);
        }
        Ok(signed)
    }

    /// Reads a statement that this node verified before it wrote it down.
    pub(crate) fn decode_unverified(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<Self, StatementError> {
        let (did, key) = (Did::from_digest(Digest::from_bytes(decoder.array()?)), PublicKey::decode(decoder)?);
        let statement = Statement::decode(decoder.bytes()?)?;
        let signature = Signature::from_bytes(decoder.array()?);
        let digest = digest(topic, statement.domain(), &signed_bytes(&did, &statement));
        Ok(Self { did, key, statement, signature, digest })
    }

    /// The link that this statement is, if it is one: the link before and the key that may go on.
    pub fn link(&self) -> Option<Digest> {
        match &self.statement {
            Statement::Rotate(rotate) => Some(rotate.before),
            Statement::NewWords(words) => Some(words.before),
            _ => None,
        }
    }
}

impl LogId {
    /// Whether a cut leaves an entry of this log: it is at or before the last good one, and on its branch if it is the last.
    pub fn is_within(&self, cut: &Cut, seq: u64, entry: &EntryId) -> bool {
        cut.last(self).is_some_and(|last| seq < last.seq || (seq == last.seq && *entry == last.entry))
    }
}

fn signed_bytes(did: &Did, statement: &Statement) -> Vec<u8> {
    Encoder::new().fixed(did.as_bytes()).bytes(&statement.encode()).finish()
}

/// Over the identity and the statement, not over the key: two keys that say the same say one thing.
fn digest(topic: &Topic, domain: &str, bytes: &[u8]) -> Digest {
    Digest::of(&Encoder::new().text(domain).fixed(topic.as_bytes()).bytes(bytes).finish())
}
