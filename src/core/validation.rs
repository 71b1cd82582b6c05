//! Validation of WebAssembly files: whether a file is a well-formed module or component within the network's bounds,
//! check by check, as a [`Report`].
//!
//! Core modules and components are read (WebAssembly core specification 3.0, component model) with one fixed set of
//! features, so two nodes never disagree. Nothing is run, and the time is linear in the file's size. Which imports are
//! granted is not decided here, only which there are.
//!
//! # Example
//! A file of 9 bytes, `\0asm` `01 00 00 00` and one byte of a section: [`Check::Size`], [`Check::Magic`] and
//! [`Check::Version`] pass; [`Check::Structure`] fails with [`Problem::Truncated`], and [`Check::Functions`],
//! [`Check::Memory`] and [`Check::Externs`] are not made. A page of HTML passes `Size` and fails `Magic` with
//! [`Problem::NotWasm`].
//!
//! Before modules run, [`run_budget`] divides what they may allocate together, and [`run_limits`] writes each one's part
//! into it.

mod read;
pub mod run_budget;
pub mod run_limits;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::limits::*;

pub use read::validate;

/// Texts of a module are shown up to so many characters.
pub const TEXT_MAX_CHARS: usize = 256;

/// Custom sections with a text that describes the module (WebAssembly tool conventions, `Metadata.md`).
pub const METADATA: [&str; 6] = ["authors", "description", "homepage", "licenses", "source", "version"];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ModuleKind {
    Module,
    Component,
}

/// In the order in which they are made. After one that failed the rest is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// The file is within the bound.
    Size,
    /// It begins with `\0asm`.
    Magic,
    /// A version that is known here.
    Version,
    /// It parses, and every function is valid.
    Structure,
    Functions,
    Memory,
    Externs,
}

impl Check {
    pub const ALL: [Self; 7] =
        [Self::Size, Self::Magic, Self::Version, Self::Structure, Self::Functions, Self::Memory, Self::Externs];
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(tag = "problem", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Problem {
    #[error("a module has at most {MODULE_MAX_BYTES} bytes; this has {found}")]
    TooLarge { found: u64 },
    #[error("the file is empty")]
    Empty,
    #[error("this is no WebAssembly: it does not begin with \\0asm")]
    NotWasm,
    #[error("WebAssembly text must be compiled first (for example with wat2wasm)")]
    IsText,
    #[error("the version {found} of WebAssembly is not known here")]
    UnknownVersion { found: u32 },
    #[error("the file ends in the middle, at byte {offset}")]
    Truncated { offset: u64 },
    #[error("at byte {offset}: {message}")]
    Invalid { offset: u64, message: String },
    #[error("a module has at most {MODULE_MAX_FUNCTIONS} functions; this has {found} or more")]
    TooManyFunctions { found: u64 },
    #[error("a module's memories may have {MODULE_MAX_MEMORY_BYTES} bytes together; these begin with {found}")]
    TooMuchMemory { found: u64 },
    #[error("a module has at most {MODULE_MAX_EXTERNS} imports and as many exports; this has {found} or more")]
    TooManyExterns { found: u64 },
    #[error("a file holds at most {MODULE_MAX_NESTED} modules and components; this holds more")]
    TooManyNested,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CheckOutcome {
    pub check: Check,
    /// None: it passed.
    pub problem: Option<Problem>,
}

/// Something a module asks for or offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Extern {
    /// The namespace of an import; none for exports and in components.
    pub module: Option<String>,
    pub name: String,
    #[serde(flatten)]
    pub kind: ExternKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ExternKind {
    /// Types as in the text format: `i32`, `f64`, `externref`, …
    Function {
        params: Vec<String>,
        results: Vec<String>,
    },
    Memory,
    Table,
    Global,
    Tag,
    /// Of a component; its types are in the component's own language.
    ComponentFunction,
    Instance,
    Component,
    Module,
    Type,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Bytes.
    pub minimum: u64,
    pub maximum: Option<u64>,
    pub shared: bool,
    pub imported: bool,
}

/// A custom section. Its bytes are not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct Custom {
    pub name: String,
    pub bytes: u64,
}

/// All that can be said of a file without running it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub bytes: u64,
    /// SHA-256.
    #[cfg_attr(feature = "typings", ts(type = "string"))]
    pub digest: Digest,
    /// None for what is no WebAssembly.
    pub kind: Option<ModuleKind>,
    /// One for each check that was made.
    pub outcomes: Vec<CheckOutcome>,
    pub imports: Vec<Extern>,
    pub exports: Vec<Extern>,
    pub memories: Vec<Memory>,
    pub functions: u64,
    pub custom: Vec<Custom>,
    /// What the file says of itself, by name: those of [`METADATA`], and `name` from its name section.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// It runs something as soon as it is instantiated.
    pub starts_by_itself: bool,
}

impl Report {
    /// A report without outcomes.
    fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len() as u64,
            digest: Digest::of(bytes),
            kind: None,
            outcomes: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            memories: Vec::new(),
            functions: 0,
            custom: Vec::new(),
            metadata: BTreeMap::new(),
            starts_by_itself: false,
        }
    }

    /// The problem of the check that failed, or `None`.
    pub fn problem(&self) -> Option<&Problem> {
        self.outcomes.iter().find_map(|outcome| outcome.problem.as_ref())
    }

    /// Returns whether every check was made and passed.
    pub fn is_valid(&self) -> bool {
        self.problem().is_none() && self.outcomes.len() == Check::ALL.len()
    }
}
