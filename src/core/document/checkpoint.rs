//! Checkpoints: the state of a document as data, from which it goes on without its past.
//!
//! A [`Checkpoint`] is the body of an entry in a changes log. It names its [`Data`] by digest, the checkpoint before it, and
//! for each changes log the last entry that it covers. It is believed, not verified: only a device of the identity can write
//! one, and what a device writes about its own identity is that identity's word.
//!
//! The data is no Automerge document but values in one canonical form, so no operations can be hidden in it. Every node
//! makes the same first change of it ([`Data::to_document`]), on which later changes build.
//!
//! # Example
//! Alice's laptop wrote 400 changes, her phone 30. The laptop writes checkpoint 1: bio, ratings and all the rest, "covers
//! laptop up to entry 399, phone up to entry 27". A new peer fetches that and the changes after it, and is done. Entries 28
//! and 29 of the phone built on the document of before; the phone sees that they are not covered and writes the same values
//! once more ([`Document::lost_writes`](super::Document::lost_writes)).

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value as Stored};

use super::schema::{INSTALLS, MODULES, PRIVATE, PROFILE, RATINGS};
use crate::artifact::Artifact;
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::limits::BLOCK_MAX_BYTES;
use crate::log::{EntryId, LogId};

/// The most bytes of a checkpoint's data. An edit that would lead beyond is refused to its author.
pub const DATA_MAX_BYTES: usize = 4 * BLOCK_MAX_BYTES;
/// The most logs that one checkpoint covers.
pub const COVERED_MAX: usize = 256;
/// The most bytes of a key.
pub const KEY_MAX_BYTES: usize = 512;

const DOMAIN: &str = "gen-registry/document/v2";

/// What the body of a checkpoint's entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// 1 for the first one of an identity.
    pub number: u64,
    /// The checkpoint before; nothing before the first.
    pub before: Option<EntryId>,
    /// The last entry of each log that is in the data, in ascending order of the logs.
    pub covered: Vec<(LogId, u64, EntryId)>,
    /// The encoded [`Data`] as a file.
    pub data: Artifact,
}

/// What the body of an entry says by which a device goes on from a checkpoint that does not cover all its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopt {
    pub checkpoint: EntryId,
}

/// The maps of the schema, in the order in which the first change makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Map {
    Profile = 1,
    Modules = 2,
    Ratings = 3,
    Installs = 4,
    /// Sealed entries; their keys are at the root.
    Private = 5,
}

/// A value under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Integer(u64),
    True,
    /// Adds up what several devices count.
    Counter(i64),
    /// Replaced as a whole.
    List(Vec<String>),
}

/// Everything that a document says, by map and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data(BTreeMap<(Map, String), Value>);

const MAPS: [Map; 5] = [Map::Profile, Map::Modules, Map::Ratings, Map::Installs, Map::Private];

impl Map {
    /// The name in the document, or `None` for what is at the root.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Profile => Some(PROFILE),
            Self::Modules => Some(MODULES),
            Self::Ratings => Some(RATINGS),
            Self::Installs => Some(INSTALLS),
            Self::Private => None,
        }
    }

    /// The map that a first change makes by its operation of this number, counted from 1.
    pub(super) fn of_operation(counter: u64) -> Option<Self> {
        MAPS.into_iter().find(|map| map.name().is_some() && *map as u64 == counter)
    }
}

impl Checkpoint {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().integer(self.number);
        let encoder = match &self.before {
            None => encoder.byte(0),
            Some(before) => encoder.byte(1).fixed(before.as_bytes()),
        };
        let encoder = encoder.integer(self.covered.len() as u64);
        let encoder = self.covered.iter().fold(encoder, |encoder, (log, seq, last)| {
            let encoder = encoder.fixed(log.opening.as_bytes()).fixed(log.device.as_bytes()).integer(log.number.into());
            encoder.integer(*seq).fixed(last.as_bytes())
        });
        self.data.encode(encoder).finish()
    }

    /// Reads what [`Checkpoint::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let number = decoder.integer()?;
        let before = match decoder.byte()? {
            0 => None,
            1 => Some(EntryId::decode(&mut decoder)?),
            _ => return Err(DecodeError::OutOfRange),
        };
        let count = decoder.integer()?;
        if count > COVERED_MAX as u64 || number == 0 || (number == 1) != before.is_none() {
            return Err(DecodeError::OutOfRange);
        }
        let covered = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            let (opening, device) = (Digest::from_bytes(decoder.array()?), PublicKey::decode(decoder)?);
            let number = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
            Ok((LogId { opening, device, number }, decoder.integer()?, EntryId::decode(decoder)?))
        };
        let covered: Vec<_> = (0..count).map(|_| covered(&mut decoder)).collect::<Result<_, _>>()?;
        let data = Artifact::decode(&mut decoder)?;
        decoder.end()?;
        let ascend = covered.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ascend || data.size > DATA_MAX_BYTES as u64 {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { number, before, covered, data })
    }

    /// Returns whether an entry of a changes log is in the data.
    pub fn covers(&self, log: &LogId, seq: u64) -> bool {
        self.covered.binary_search_by_key(log, |(covered, ..)| *covered).is_ok_and(|at| seq <= self.covered[at].1)
    }
}

impl Adopt {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.checkpoint.as_bytes().to_vec()
    }

    /// Reads what [`Adopt::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let checkpoint = EntryId::decode(&mut decoder)?;
        decoder.end()?;
        Ok(Self { checkpoint })
    }
}

impl Data {
    /// The value under a key.
    pub fn get(&self, map: Map, key: &str) -> Option<&Value> {
        self.0.get(&(map, key.to_owned()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a value under a key, or takes it away.
    pub fn put(&mut self, map: Map, key: &str, value: Option<Value>) {
        match value {
            Some(value) => self.0.insert((map, key.to_owned()), value),
            None => self.0.remove(&(map, key.to_owned())),
        };
    }

    /// Every value, in order of map and key.
    pub fn iter(&self) -> impl Iterator<Item = (Map, &str, &Value)> {
        self.0.iter().map(|((map, key), value)| (*map, key.as_str(), value))
    }

    /// Reads a document's present state. Of what does not keep to the schema nothing is taken: another map, another type
    /// of value, a key that is too long.
    pub fn of(document: &Automerge) -> Self {
        let mut data = Self::default();
        for map in MAPS {
            let object = match map.name() {
                None => ROOT,
                Some(name) => match document.get(ROOT, name) {
                    Ok(Some((Stored::Object(ObjType::Map), object))) => object,
                    _ => continue,
                },
            };
            for key in document.keys(&object).filter(|key| key.len() <= KEY_MAX_BYTES) {
                let shown = match map {
                    Map::Private => key.strip_prefix(PRIVATE),
                    _ => Some(key.as_str()),
                };
                let value = read(document, &object, &key);
                if let (Some(shown), Some(value)) = (shown, value) {
                    data.0.insert((map, shown.to_owned()), value);
                }
            }
        }
        data
    }

    /// The canonical bytes: the same data has the same ones.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().integer(self.0.len() as u64);
        let data = self.iter().fold(encoder, |encoder, (map, key, value)| {
            let encoder = encoder.byte(map as u8).text(key);
            match value {
                Value::Text(text) => encoder.byte(1).text(text),
                Value::Bytes(bytes) => encoder.byte(2).bytes(bytes),
                Value::Integer(number) => encoder.byte(3).integer(*number),
                Value::True => encoder.byte(4),
                Value::Counter(count) => encoder.byte(5).integer(count.cast_unsigned()),
                Value::List(texts) => {
                    let encoder = encoder.byte(6).integer(texts.len() as u64);
                    texts.iter().fold(encoder, |encoder, text| encoder.text(text))
                }
            }
        });
        data.finish()
    }

    /// Reads what [`Data::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > DATA_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        let count = decoder.integer()?;
        let mut data = BTreeMap::new();
        for _ in 0..count {
            let (number, key) = (decoder.byte()?, decoder.text()?.to_owned());
            let map = MAPS.into_iter().find(|map| *map as u8 == number).ok_or(DecodeError::OutOfRange)?;
            let value = match decoder.byte()? {
                1 => Value::Text(decoder.text()?.to_owned()),
                2 => Value::Bytes(decoder.bytes()?.to_vec()),
                3 => Value::Integer(decoder.integer()?),
                4 => Value::True,
                5 => Value::Counter(decoder.integer()?.cast_signed()),
                6 => {
                    let texts = decoder.integer()?;
                    Value::List((0..texts).map(|_| decoder.text().map(str::to_owned)).collect::<Result<_, _>>()?)
                }
                other => return Err(DecodeError::UnknownKind(other)),
            };
            let place = (map, key);
            let ascends = data.last_key_value().is_none_or(|(last, _)| *last < place);
            if !ascends || place.1.len() > KEY_MAX_BYTES {
                return Err(DecodeError::OutOfRange);
            }
            data.insert(place, value);
        }
        decoder.end()?;
        Ok(Self(data))
    }

    /// The digest of the data.
    pub fn digest(&self) -> Digest {
        Digest::of(&Encoder::new().text(DOMAIN).bytes(&self.encode()).finish())
    }

    /// Makes the document that begins with this data: one change, with the data's digest as its actor and no date, so that
    /// every node makes the same bytes. Its first operations make the maps, in their order.
    pub fn to_document(&self) -> Automerge {
        let actor = self.digest();
        let mut document = Automerge::new().with_actor(ActorId::from(&actor.as_bytes()[..]));
        let mut transaction = document.transaction();
        let objects: BTreeMap<Map, ObjId> = MAPS
            .into_iter()
            .map(|map| match map.name() {
                None => (map, ROOT),
                Some(name) => {
                    let object = transaction.put_object(ROOT, name, ObjType::Map);
                    (map, object.expect("the root of a new document is a map"))
                }
            })
            .collect();
        for (map, key, value) in self.iter() {
            write(&mut transaction, &objects[&map], &stored_key(map, key), Some(value)).expect("its map was made");
        }
        transaction.commit_with(CommitOptions::default().with_time(0));
        document
    }
}

/// The key in the document.
pub(super) fn stored_key(map: Map, key: &str) -> String {
    if map == Map::Private { format!("{PRIVATE}{key}") } else { key.to_owned() }
}

/// The object of a map in a document, or `None` in one that was not made by a first change.
pub(super) fn object(document: &impl ReadDoc, map: Map) -> Option<ObjId> {
    match map.name() {
        None => Some(ROOT),
        Some(name) => super::schema::map(document, name),
    }
}

/// Writes one value, or takes it away.
pub(super) fn write(
    transaction: &mut impl Transactable,
    object: &ObjId,
    key: &str,
    value: Option<&Value>,
) -> Result<(), automerge::AutomergeError> {
    match value {
        None => transaction.delete(object, key),
        Some(Value::Text(text)) => transaction.put(object, key, text.as_str()),
        Some(Value::Bytes(bytes)) => transaction.put(object, key, bytes.clone()),
        Some(Value::Integer(number)) => transaction.put(object, key, *number),
        Some(Value::True) => transaction.put(object, key, true),
        Some(Value::Counter(count)) => transaction.put(object, key, ScalarValue::counter(*count)),
        Some(Value::List(texts)) => {
            let list = transaction.put_object(object, key, ObjType::List)?;
            texts.iter().enumerate().try_for_each(|(at, text)| transaction.insert(&list, at, text.as_str()))
        }
    }
}

fn read(document: &Automerge, object: &ObjId, key: &str) -> Option<Value> {
    match document.get(object, key) {
        Ok(Some((Stored::Scalar(value), _))) => scalar(value.as_ref()),
        Ok(Some((Stored::Object(ObjType::List), list))) => {
            let values = document.list_range(&list, ..).map(|item| item.value.into_value().as_str().map(str::to_owned));
            values.collect::<Option<Vec<_>>>().map(Value::List)
        }
        _ => None,
    }
}

/// A value of the schema.
pub(super) fn scalar(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Str(text) => Some(Value::Text(text.to_string())),
        ScalarValue::Bytes(bytes) => Some(Value::Bytes(bytes.clone())),
        ScalarValue::Uint(number) => Some(Value::Integer(*number)),
        ScalarValue::Boolean(true) => Some(Value::True),
        ScalarValue::Counter(count) => Some(Value::Counter(i64::from(count))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
