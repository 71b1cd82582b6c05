//! The protobuf message of libp2p's WebRTC: a number in field 1, bytes in field 2, the length as a varint in front.
//!
//! Signalling messages and the frames on data channels both have this form. It is written by hand because two optional
//! fields are less than what a protobuf crate brings. Unknown fields are skipped; nothing is allocated for a length
//! that is only claimed; a length beyond the caller's limit is refused before its bytes arrive.
//!
//! A candidate `{}` (type 2) is the 7 bytes `06` (length), `08 02` (field 1), `12 02 7b 7d` (field 2).

/// The longest varint: ten bytes of seven bits hold 64 bits.
const VARINT_MAX_BYTES: usize = 10;

/// Tag of field 1 (wire type 0, a varint).
const KIND_TAG: u64 = 1 << 3;
/// Tag of field 2 (wire type 2, bytes behind their length).
const DATA_TAG: u64 = 2 << 3 | 2;

/// Why bytes are no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("a number that does not end within 64 bits")]
    BadVarint,
    #[error("{length} bytes, where {limit} are allowed")]
    TooLong { length: u64, limit: usize },
    #[error("the message ends inside a field")]
    CutShort,
    #[error("field {0} has not the type the protocol gives it")]
    WrongType(u64),
    #[error("a field type that protobuf does not have")]
    UnknownType,
}

/// A message with both fields optional, as in the protocol's schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    pub kind: Option<u64>,
    pub data: Option<Vec<u8>>,
}

impl Envelope {
    /// Encodes the message with its length in front.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.data.as_ref().map_or(0, Vec::len) + 16);
        if let Some(kind) = self.kind {
            put_varint(KIND_TAG, &mut body);
            put_varint(kind, &mut body);
        }
        if let Some(data) = &self.data {
            put_varint(DATA_TAG, &mut body);
            put_varint(data.len() as u64, &mut body);
            body.extend_from_slice(data);
        }
        let mut framed = Vec::with_capacity(body.len() + 4);
        put_varint(body.len() as u64, &mut framed);
        framed.append(&mut body);
        framed
    }

    /// Decodes the message without the length in front. Of a field that occurs twice the last one counts, as protobuf
    /// has it.
    pub fn decode(mut body: &[u8]) -> Result<Self, EnvelopeError> {
        let mut envelope = Self::default();
        while !body.is_empty() {
            let tag = take_varint(&mut body)?;
            match tag {
                KIND_TAG => envelope.kind = Some(take_varint(&mut body)?),
                DATA_TAG => envelope.data = Some(take_bytes(&mut body)?.to_vec()),
                _ if matches!(tag >> 3, 1 | 2) => return Err(EnvelopeError::WrongType(tag >> 3)),
                _ => skip(tag & 7, &mut body)?,
            }
        }
        Ok(envelope)
    }
}

/// Removes the first complete message from `buffer`; returns `None` while its bytes are not all there. The length in
/// front counts towards `limit`.
pub fn split_first(buffer: &mut Vec<u8>, limit: usize) -> Result<Option<Envelope>, EnvelopeError> {
    let mut rest = buffer.as_slice();
    let length = match take_varint(&mut rest) {
        Ok(length) => length,
        Err(EnvelopeError::CutShort) => return Ok(None),
        Err(error) => return Err(error),
    };
    let prefix = buffer.len() - rest.len();
    let whole = length.saturating_add(prefix as u64);
    if whole > limit as u64 {
        return Err(EnvelopeError::TooLong { length: whole, limit });
    }
    let whole = whole as usize;
    if buffer.len() < whole {
        return Ok(None);
    }
    let envelope = Envelope::decode(&buffer[prefix..whole])?;
    buffer.drain(..whole);
    Ok(Some(envelope))
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a varint (LEB128); `CutShort` if it does not end in these bytes.
fn take_varint(bytes: &mut &[u8]) -> Result<u64, EnvelopeError> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().take(VARINT_MAX_BYTES).enumerate() {
        // The tenth byte has room for one bit.
        if at == VARINT_MAX_BYTES - 1 && *byte > 1 {
            return Err(EnvelopeError::BadVarint);
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err(EnvelopeError::CutShort)
}

/// Reads a length and as many bytes.
fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], EnvelopeError> {
    let length = usize::try_from(take_varint(bytes)?).map_err(|_| EnvelopeError::CutShort)?;
    take(length, bytes)
}

fn take<'a>(length: usize, bytes: &mut &'a [u8]) -> Result<&'a [u8], EnvelopeError> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(EnvelopeError::CutShort)?;
    *bytes = rest;
    Ok(taken)
}

/// Skips the value of an unknown field.
fn skip(wire_type: u64, bytes: &mut &[u8]) -> Result<(), EnvelopeError> {
    match wire_type {
        0 => take_varint(bytes).map(drop),
        1 => take(8, bytes).map(drop),
        2 => take_bytes(bytes).map(drop),
        5 => take(4, bytes).map(drop),
        _ => Err(EnvelopeError::UnknownType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(kind: u64, data: &[u8]) -> Envelope {
        Envelope { kind: Some(kind), data: Some(data.to_vec()) }
    }

    #[test]
    fn decodes_envelopes_however_the_stream_is_cut() {
        let mut bytes = envelope(2, &[7; 300]).encode();
        bytes.extend(Envelope { kind: Some(0), data: None }.encode());
        for cut in 0..bytes.len() {
            let mut buffer = bytes[..cut].to_vec();
            let mut found = Vec::new();
            for rest in [&[][..], &bytes[cut..]] {
                buffer.extend_from_slice(rest);
                while let Some(envelope) = split_first(&mut buffer, 1024).unwrap() {
                    found.push(envelope);
                }
            }
            assert_eq!(found, [envelope(2, &[7; 300]), Envelope { kind: Some(0), data: None }]);
        }
    }

    #[test]
    fn limit_includes_the_length_prefix() {
        let bytes = envelope(0, &[1; 100]).encode();
        assert!(split_first(&mut bytes.clone(), bytes.len()).unwrap().is_some());
        let limit = bytes.len() - 1;
        let refused = EnvelopeError::TooLong { length: bytes.len() as u64, limit };
        assert_eq!(split_first(&mut bytes.clone(), limit), Err(refused));
        // Refused before the bytes are there.
        assert_eq!(split_first(&mut bytes[..1].to_vec(), limit), Err(refused));
    }

    #[test]
    fn rejects_malformed_bodies_with_a_reason() {
        for (body, reason) in [
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02][..], EnvelopeError::BadVarint),
            (&[0x08], EnvelopeError::CutShort),
            (&[0x12, 5, 1], EnvelopeError::CutShort),
            (&[0x0a, 0], EnvelopeError::WrongType(1)),
            (&[0x10, 0], EnvelopeError::WrongType(2)),
            (&[0x1b], EnvelopeError::UnknownType),
            (&[0x19, 1, 2], EnvelopeError::CutShort),
        ] {
            assert_eq!(Envelope::decode(body), Err(reason), "{body:02x?}");
        }
    }

    #[test]
    fn skips_unknown_fields_and_takes_the_last_of_two() {
        let body = [0x18, 9, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2a, 1, 0, 0x35, 1, 2, 3, 4, 0x08, 1, 0x08, 2];
        assert_eq!(Envelope::decode(&body), Ok(Envelope { kind: Some(2), data: None }));
    }
}
