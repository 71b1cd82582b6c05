//! Bounds what a module can allocate before it runs: reads which memories and tables it defines, and rewrites the
//! maximum of each.
//!
//! An engine enforces the maximum that is written in the module, and browsers offer no other limit. So the memory and
//! table sections are written again with the maxima of an [`Allotment`], and all other bytes stay as they are. A module
//! that declares `(memory 1)`, 64 KiB to begin with and no maximum, becomes `(memory 1 256)` under an allotment of 16
//! MiB; its `memory.grow` beyond that returns -1.
//!
//! What an engine allocates elsewhere without a limit that a module could state is refused: structs and arrays, and
//! exceptions that could hold much or be kept in large numbers.

use serde::{Deserialize, Serialize};
use wasm_encoder::Section;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasmparser::{
    AbstractHeapType, CompositeInnerType, Encoding, HeapType, MemorySectionReader, Parser, Payload, TableSectionReader,
    TagSectionReader, TypeSectionReader, ValType,
};

use super::run_budget::{Allotment, Demand, Growable};

/// Values of one exception. Compilers need one, the address of the thrown object.
const EXCEPTION_MAX_VALUES: usize = 8;

/// Why a module is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RunLimitError {
    #[error("it is a component; browsers run core modules only")]
    Component,
    /// It defines struct or array types.
    #[error("it uses garbage-collected objects, whose memory nobody bounds")]
    Collected,
    /// It keeps exceptions in tables or globals, or its exceptions hold references or many values.
    #[error(
        "it keeps exceptions, or throws ones that hold more than {EXCEPTION_MAX_VALUES} numbers; nobody bounds their memory"
    )]
    Exceptions,
    #[error("it is no valid module")]
    Invalid,
}

impl From<wasmparser::Error> for RunLimitError {
    fn from(_: wasmparser::Error) -> Self {
        Self::Invalid
    }
}

/// Returns the memories and tables that the module defines. Fails if it can allocate what no maximum bounds. `bytes`
/// must have passed validation.
pub fn survey(bytes: &[u8]) -> Result<Demand, RunLimitError> {
    let mut demand = Demand::default();
    let mut throwable = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding: Encoding::Component, .. } => return Err(RunLimitError::Component),
            Payload::TypeSection(types) => throwable = throwable_types(types)?,
            Payload::TableSection(tables) => demand.tables = tables_of(tables)?,
            Payload::MemorySection(memories) => demand.memories = memories_of(memories)?,
            Payload::TagSection(tags) => check_tags(tags, &throwable)?,
            Payload::GlobalSection(globals) => {
                for global in globals {
                    check_holds_no_exceptions(global?.ty.content_type)?;
                }
            }
            _ => {}
        }
    }
    Ok(demand)
}

/// Returns for each type whether an exception may be of it: it holds few values, and none that refers to something. So
/// an exception can't hold another one.
fn throwable_types(types: TypeSectionReader<'_>) -> Result<Vec<bool>, RunLimitError> {
    let mut throwable = Vec::new();
    for group in types {
        for ty in group?.types() {
            let CompositeInnerType::Func(function) = &ty.composite_type.inner else {
                return Err(RunLimitError::Collected);
            };
            let values = function.params();
            throwable.push(
                values.len() <= EXCEPTION_MAX_VALUES && !values.iter().any(|value| matches!(value, ValType::Ref(_))),
            );
        }
    }
    Ok(throwable)
}

/// Checks that the exceptions of a module are of types that may be thrown.
fn check_tags(tags: TagSectionReader<'_>, throwable: &[bool]) -> Result<(), RunLimitError> {
    for tag in tags {
        let ty = position(tag?.func_type_idx)?;
        if throwable.get(ty) != Some(&true) {
            return Err(RunLimitError::Exceptions);
        }
    }
    Ok(())
}

/// Checks that values of a type, which a table or global holds, are no exceptions.
fn check_holds_no_exceptions(ty: ValType) -> Result<(), RunLimitError> {
    let ValType::Ref(reference) = ty else { return Ok(()) };
    match reference.heap_type() {
        HeapType::Abstract { ty: AbstractHeapType::Exn, .. } => Err(RunLimitError::Exceptions),
        _ => Ok(()),
    }
}

/// Returns the tables of a section.
fn tables_of(section: TableSectionReader<'_>) -> Result<Vec<Growable>, RunLimitError> {
    let mut tables = Vec::new();
    for table in section {
        let ty = table?.ty;
        check_holds_no_exceptions(ValType::Ref(ty.element_type))?;
        tables.push(Growable { initial: ty.initial, maximum: ty.maximum, unit: 1 });
    }
    Ok(tables)
}

/// Returns the memories of a section.
fn memories_of(section: MemorySectionReader<'_>) -> Result<Vec<Growable>, RunLimitError> {
    let mut memories = Vec::new();
    for memory in section {
        let memory = memory?;
        let unit = u64::from(memory.page_size());
        memories.push(Growable { initial: memory.initial, maximum: memory.maximum, unit });
    }
    Ok(memories)
}

/// Returns the module with the maxima of `allotment` in its own memories and tables. `bytes` must have passed
/// validation, and `allotment` must be for what [`survey`] found in them.
pub fn write_limits(bytes: &[u8], allotment: &Allotment) -> Result<Vec<u8>, RunLimitError> {
    let mut limited = Vec::with_capacity(bytes.len() + 16);
    let mut copied = 0;
    let mut section_start = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let section: Option<Vec<u8>> = match &payload {
            Payload::Version { range, .. } => {
                section_start = position(range.end)?;
                None
            }
            Payload::TableSection(tables) => Some(limited_tables(tables.clone(), &allotment.tables)?),
            Payload::MemorySection(memories) => Some(limited_memories(memories.clone(), &allotment.memories)?),
            _ => None,
        };
        let Some((_, range)) = payload.as_section() else { continue };
        if let Some(section) = section {
            limited.extend_from_slice(bytes.get(copied..section_start).ok_or(RunLimitError::Invalid)?);
            limited.extend_from_slice(&section);
            copied = position(range.end)?;
        }
        section_start = position(range.end)?;
    }
    limited.extend_from_slice(bytes.get(copied..).ok_or(RunLimitError::Invalid)?);
    Ok(limited)
}

/// Returns the table section with these maxima.
fn limited_tables(section: TableSectionReader<'_>, maxima: &[u64]) -> Result<Vec<u8>, RunLimitError> {
    let mut tables = wasm_encoder::TableSection::new();
    let maxima = one_for_each(maxima, section.count())?;
    for (table, &maximum) in section.into_iter().zip(maxima) {
        let mut table = table?;
        table.ty.maximum = Some(maximum);
        RoundtripReencoder.parse_table(&mut tables, table).map_err(|_| RunLimitError::Invalid)?;
    }
    Ok(encoded(&tables))
}

/// Returns the memory section with these maxima.
fn limited_memories(section: MemorySectionReader<'_>, maxima: &[u64]) -> Result<Vec<u8>, RunLimitError> {
    let mut memories = wasm_encoder::MemorySection::new();
    let maxima = one_for_each(maxima, section.count())?;
    for (memory, &maximum) in section.into_iter().zip(maxima) {
        let mut memory = memory?;
        memory.maximum = Some(maximum);
        memories.memory(RoundtripReencoder.memory_type(memory).map_err(|_| RunLimitError::Invalid)?);
    }
    Ok(encoded(&memories))
}

/// Checks that there is a maximum for each of `count` memories or tables: none may be left without one.
fn one_for_each(maxima: &[u64], count: u32) -> Result<&[u64], RunLimitError> {
    if maxima.len() == position(count)? { Ok(maxima) } else { Err(RunLimitError::Invalid) }
}

/// Returns a section's bytes, its number and length included.
fn encoded(section: &impl Section) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.append_to(&mut bytes);
    bytes
}

/// A parser's offset or number as an index.
fn position(offset: impl TryInto<usize>) -> Result<usize, RunLimitError> {
    offset.try_into().map_err(|_| RunLimitError::Invalid)
}
