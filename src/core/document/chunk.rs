//! The outer form of one Automerge change, read without Automerge: enough to refuse what must never reach it.
//!
//! Automerge (0.12) inflates without a ceiling and walks as many operations as a run length announces, before any
//! hash is known. So only plain change chunks pass here, and only with a bounded number of rows in every column.
//! Format: the Automerge binary format specification, sections "Chunks" and "Change chunks".

use super::CHANGE_MAX_BYTES;
use crate::log::chain::{CHANGES_MAX, OPERATIONS_MAX};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const CHUNK_TYPE_CHANGE: u8 = 1;
const COLUMN_DEFLATED: u64 = 0b1000;
const COLUMN_TYPE: u64 = 0b0111;
/// No honest change names more parents: a session merges a few devices.
const MAX_DEPENDENCIES: u64 = 64;
/// The first operation's number: after those of the checkpoint's data and of all changes since.
const START_MAX: u64 = 16 * CHANGES_MAX * OPERATIONS_MAX;
const MAX_ACTOR_BYTES: u64 = 64;
const MAX_COLUMNS: u64 = 64;
/// Every column that Automerge writes into a change (automerge.org/automerge-binary-format-spec, "Operation columns"),
/// as its number and type. Any other is refused: Automerge (0.12) reads some with another type as if it were the right
/// one, bounds them not at all, and panics.
const COLUMNS: [u64; 14] = [0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73, 0x94, 0xa5];

/// What a change says of its place in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHeader {
    pub(crate) actor: Vec<u8>,
    /// Counts this actor's changes from 1.
    pub(crate) seq: u64,
    /// The rows that its longest column announces: at least as many as it has operations.
    pub(crate) operations: u64,
}

/// Why some bytes are not a change that may be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a change has at most {CHANGE_MAX_BYTES} bytes; this has {0}")]
    TooLarge(usize),
    #[error("these bytes are no Automerge chunk")]
    NotAChunk,
    #[error("only plain change chunks are admitted; this is of type {0}")]
    NotAPlainChange(u8),
    #[error("the change is cut short or has bytes left over")]
    Length,
    #[error("a number in the change is out of its range")]
    OutOfRange,
    #[error("a column of the change is compressed")]
    CompressedColumn,
    #[error("a change has no column of the kind {0:#x}")]
    UnknownColumn(u64),
    #[error("a change has at most {OPERATIONS_MAX} operations; this announces more")]
    TooManyOperations,
}

/// Reads the form of exactly one plain change chunk.
pub(crate) fn parse(bytes: &[u8]) -> Result<ChunkHeader, ChunkError> {
    if bytes.len() > CHANGE_MAX_BYTES {
        return Err(ChunkError::TooLarge(bytes.len()));
    }
    let mut outer = Reader(bytes);
    if outer.take(MAGIC.len() as u64).ok() != Some(&MAGIC[..]) {
        return Err(ChunkError::NotAChunk);
    }
    outer.take(CHECKSUM_BYTES as u64)?;
    match outer.take(1)?[0] {
        CHUNK_TYPE_CHANGE => {}
        other => return Err(ChunkError::NotAPlainChange(other)),
    }
    if outer.unsigned()? != outer.0.len() as u64 {
        return Err(ChunkError::Length);
    }

    let mut data = outer;
    let dependencies = data.bounded(MAX_DEPENDENCIES)?;
    data.take(dependencies * 32)?;
    let actor = data.prefixed(MAX_ACTOR_BYTES)?.to_vec();
    let seq = data.bounded(CHANGES_MAX)?;
    data.bounded(START_MAX)?; // first operation's counter
    data.skip_number()?; // time
    data.prefixed(CHANGE_MAX_BYTES as u64)?; // message
    let others = data.bounded(MAX_DEPENDENCIES)?;
    for _ in 0..others {
        data.prefixed(MAX_ACTOR_BYTES)?;
    }
    let mut columns = Vec::new();
    for _ in 0..data.bounded(MAX_COLUMNS)? {
        columns.push((data.unsigned()?, data.bounded(CHANGE_MAX_BYTES as u64)?));
    }
    let mut operations = 0;
    for (specification, length) in columns {
        if specification & COLUMN_DEFLATED != 0 {
            return Err(ChunkError::CompressedColumn);
        }
        if !COLUMNS.contains(&specification) {
            return Err(ChunkError::UnknownColumn(specification));
        }
        let column = Reader(data.take(length)?);
        operations = check_column(specification & COLUMN_TYPE, others, column)?.max(operations);
    }
    if seq == 0 || actor.is_empty() {
        return Err(ChunkError::OutOfRange);
    }
    if data.0.is_empty() { Ok(ChunkHeader { actor, seq, operations }) } else { Err(ChunkError::Length) }
}

const TYPE_GROUP: u64 = 0;
const TYPE_ACTOR: u64 = 1;
const TYPE_BOOLEAN: u64 = 4;
const TYPE_STRING: u64 = 5;
const TYPE_RAW_VALUE: u64 = 7;

/// Walks a column's run-length coding, bounds what it would unpack to, and returns how many rows it announces. Actors are numbered: 0 is the change's own,
/// then come the `others` it names.
fn check_column(column_type: u64, others: u64, mut column: Reader<'_>) -> Result<u64, ChunkError> {
    let mut rows = ParseBudget(OPERATIONS_MAX);
    let mut grouped = ParseBudget(OPERATIONS_MAX);
    if column_type == TYPE_RAW_VALUE {
        return Ok(0);
    }
    while !column.0.is_empty() {
        if column_type == TYPE_BOOLEAN {
            rows.spend(column.unsigned()?)?;
            continue;
        }
        let run = column.signed()?;
        rows.spend(if run == 0 { column.unsigned()? } else { run.unsigned_abs() })?;
        let (values, repeats) = match run {
            0 => (0, 0),
            1.. => (1, run.unsigned_abs()),
            _ => (run.unsigned_abs(), 1),
        };
        for _ in 0..values {
            match column_type {
                TYPE_STRING => drop(column.prefixed(CHANGE_MAX_BYTES as u64)?),
                TYPE_GROUP => {
                    let members = column.bounded(OPERATIONS_MAX)?;
                    grouped.spend(members.saturating_mul(repeats))?;
                }
                TYPE_ACTOR => drop(column.bounded(others)?),
                _ => column.skip_number()?,
            }
        }
    }
    Ok(OPERATIONS_MAX - rows.0)
}

struct ParseBudget(u64);

impl ParseBudget {
    fn spend(&mut self, amount: u64) -> Result<(), ChunkError> {
        self.0 = self.0.checked_sub(amount).ok_or(ChunkError::TooManyOperations)?;
        Ok(())
    }
}

/// Bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], ChunkError> {
        let count = usize::try_from(count).map_err(|_| ChunkError::Length)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ChunkError::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn prefixed(&mut self, most: u64) -> Result<&'a [u8], ChunkError> {
        let length = self.bounded(most)?;
        self.take(length)
    }

    fn bounded(&mut self, most: u64) -> Result<u64, ChunkError> {
        Some(self.unsigned()?).filter(|value| *value <= most).ok_or(ChunkError::OutOfRange)
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow (LEB128).
    fn groups(&mut self) -> Result<(u64, u32, u8), ChunkError> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.take(1)?[0];
            let part = u64::from(byte & 0x7f);
            if shift >= 63 && part > 1 && part != 0x7f {
                return Err(ChunkError::OutOfRange);
            }
            value |= part << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok((value, shift, byte));
            }
            if shift > 63 {
                return Err(ChunkError::OutOfRange);
            }
        }
    }

    fn unsigned(&mut self) -> Result<u64, ChunkError> {
        self.groups().map(|(value, _, _)| value)
    }

    fn signed(&mut self) -> Result<i64, ChunkError> {
        let (value, shift, last) = self.groups()?;
        let extended = if last & 0x40 != 0 && shift < 64 { value | u64::MAX << shift } else { value };
        Ok(extended.cast_signed())
    }

    fn skip_number(&mut self) -> Result<(), ChunkError> {
        self.groups().map(drop)
    }
}
