//! A record and what a server knows of it, as it is kept beyond the server's run.
//!
//! The bytes: value, publisher (none, or a peer id), what it is counted by (1 and an address as text, or 2 and a peer id), and
//! when it expires. They are as hostile as what a peer sends: the record in them is validated again.

use std::net::IpAddr;

use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use libp2p::PeerId;
use libp2p::kad::{Record, RecordKey};

use super::storage_quota::{Millis, Source};

const BY_ADDRESS: u8 = 1;
const BY_PEER: u8 = 2;

/// Keeps a server's records beyond its run. What can't be read or written is for it to log: the records are in memory, and
/// their publishers put them again.
pub trait RecordArchive: Send {
    /// Returns all keys with what was put.
    fn load(&mut self) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Writes these bytes in place of those of the key.
    fn put(&mut self, key: &[u8], bytes: &[u8]);

    /// Removes those of a key, if there are any.
    fn remove(&mut self, key: &[u8]);
}

/// The record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    pub record: Record,
    /// What it is counted by.
    pub source: Source,
    /// When it expires.
    pub until: Millis,
}

impl KeptRecord {
    /// The bytes, without the key.
    pub fn encode(&self) -> Vec<u8> {
        let publisher = self.record.publisher.map(PeerId::to_bytes).unwrap_or_default();
        let encoder = Encoder::new().bytes(&self.record.value).bytes(&publisher);
        let encoder = match self.source {
            Source::Address(address) => encoder.byte(BY_ADDRESS).text(&address.to_string()),
            Source::Peer(peer) => encoder.byte(BY_PEER).bytes(&peer.to_bytes()),
        };
        encoder.integer(self.until).finish()
    }

    /// Reads what [`KeptRecord::encode`] wrote of the record under a key.
    pub fn decode(key: Vec<u8>, bytes: &[u8]) -> Result<Self, DecodeError> {
        let peer = |bytes: &[u8]| PeerId::from_bytes(bytes).map_err(|_| DecodeError::OutOfRange);
        let mut decoder = Decoder::new(bytes);
        let value = decoder.bytes()?.to_vec();
        let publisher = Some(decoder.bytes()?).filter(|bytes| !bytes.is_empty()).map(peer).transpose()?;
        let source = match decoder.byte()? {
            BY_ADDRESS => Source::Address(decoder.text()?.parse::<IpAddr>().map_err(|_| DecodeError::OutOfRange)?),
            BY_PEER => Source::Peer(peer(decoder.bytes()?)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        let until = decoder.integer()?;
        decoder.end()?;
        let record = Record { key: RecordKey::from(key), value, publisher, expires: None };
        Ok(Self { record, source, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_other_bytes_are_refused() {
        let peer = PeerId::random();
        let sources = [
            Source::Peer(peer),
            Source::Address(IpAddr::from([192, 0, 2, 1])),
            Source::Address("2001:db8::1".parse().unwrap()),
        ];
        for (source, publisher) in sources.into_iter().zip([None, Some(peer), None]) {
            let record = Record { key: RecordKey::new(b"key"), value: vec![7; 9], publisher, expires: None };
            let kept = KeptRecord { record, source, until: 5 };
            let bytes = kept.encode();
            assert_eq!(KeptRecord::decode(b"key".to_vec(), &bytes), Ok(kept));
            for end in 0..bytes.len() {
                assert!(KeptRecord::decode(b"key".to_vec(), &bytes[..end]).is_err(), "cut at {end}");
            }
        }
    }
}
