//! Bounds the memory of a module before it runs: rewrites the maximum of each memory it defines.
//!
//! An engine enforces the maximum that is written in the module, and browsers offer no other limit. So the memory
//! section is written again with a maximum of at most the bound, and all other bytes stay as they are. A module that
//! declares `(memory 1)`, 64 KiB to begin with and no maximum, becomes `(memory 1 256)` under a bound of 16 MiB; its
//! `memory.grow` beyond that returns -1.

use serde::{Deserialize, Serialize};
use wasmparser::{CompositeInnerType, MemoryType, Parser, Payload};

/// Why a module is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum MemoryLimitError {
    #[error("it is a component; browsers run core modules only")]
    Component,
    #[error("it begins with more memory than a run may have")]
    TooMuchMemory,
    /// It defines struct or array types. An engine allocates these outside of linear memory, without a limit that a
    /// module could state.
    #[error("it uses garbage-collected objects, whose memory nobody bounds")]
    Collected,
    #[error("it is no valid module")]
    Invalid,
}

/// Section and flag numbers of the core specification (5.5.8, 5.3.8) and of the custom-page-sizes proposal.
const MEMORY_SECTION: u8 = 5;
/// A maximum follows the minimum.
const HAS_MAXIMUM: u8 = 1;
const IS_SHARED: u8 = 2;
const IS_64_BIT: u8 = 4;
/// The logarithm of the page size follows.
const HAS_PAGE_SIZE: u8 = 8;

/// Returns the module with each of its own memories bounded to `most` bytes. `bytes` must have passed validation.
pub fn limit_memory(bytes: &[u8], most: u64) -> Result<Vec<u8>, MemoryLimitError> {
    let mut confined = Vec::with_capacity(bytes.len() + 16);
    let mut copied = 0;
    let mut section_start = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|_| MemoryLimitError::Invalid)?;
        match &payload {
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => {
                return Err(MemoryLimitError::Component);
            }
            Payload::Version { range, .. } => section_start = position(range.end)?,
            Payload::TypeSection(types) => {
                for group in types.clone() {
                    for ty in group.map_err(|_| MemoryLimitError::Invalid)?.types() {
                        if !matches!(ty.composite_type.inner, CompositeInnerType::Func(_)) {
                            return Err(MemoryLimitError::Collected);
                        }
                    }
                }
            }
            Payload::MemorySection(memories) => {
                let memories: Vec<MemoryType> =
                    memories.clone().into_iter().collect::<Result<_, _>>().map_err(|_| MemoryLimitError::Invalid)?;
                confined.extend_from_slice(&bytes[copied..section_start]);
                write_memories(&memories, most, &mut confined)?;
                copied = position(payload.as_section().map_or(0, |(_, range)| range.end))?;
            }
            _ => {}
        }
        if let Some((_, range)) = payload.as_section() {
            section_start = position(range.end)?;
        }
    }
    confined.extend_from_slice(&bytes[copied..]);
    Ok(confined)
}

/// A parser's offset as an index.
fn position(offset: impl TryInto<usize>) -> Result<usize, MemoryLimitError> {
    offset.try_into().map_err(|_| MemoryLimitError::Invalid)
}

/// Appends the memory section (WebAssembly core specification, 5.5.8 and 5.3.8).
fn write_memories(memories: &[MemoryType], most: u64, to: &mut Vec<u8>) -> Result<(), MemoryLimitError> {
    let mut section = Vec::new();
    leb128(memories.len() as u64, &mut section);
    for memory in memories {
        let pages = most / u64::from(memory.page_size());
        if memory.initial > pages {
            return Err(MemoryLimitError::TooMuchMemory);
        }
        let mut flags = HAS_MAXIMUM;
        for (is, flag) in
            [(memory.shared, IS_SHARED), (memory.memory64, IS_64_BIT), (memory.page_size_log2.is_some(), HAS_PAGE_SIZE)]
        {
            flags |= if is { flag } else { 0 };
        }
        section.push(flags);
        leb128(memory.initial, &mut section);
        leb128(memory.maximum.unwrap_or(pages).min(pages), &mut section);
        if let Some(log2) = memory.page_size_log2 {
            leb128(u64::from(log2), &mut section);
        }
    }
    to.push(MEMORY_SECTION);
    leb128(section.len() as u64, to);
    to.extend_from_slice(&section);
    Ok(())
}

/// Appends an unsigned LEB128 number.
fn leb128(mut value: u64, to: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}
