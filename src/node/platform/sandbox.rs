//! Running a stranger's function: what is asked and what comes of it, as data.
//!
//! The runner gives it no network, no storage and no clock, ends it after [`RUN_TIME`], and lets its memory grow to
//! [`RUN_MEMORY_BYTES`]; `memory_limit` writes that bound into the module before it comes here.

use std::time::Duration;

/// A run that takes longer is ended.
pub const RUN_TIME: Duration = Duration::from_secs(5);
/// Each memory of a run.
pub const RUN_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// A longer text as a result is cut there.
pub const RESULT_MAX_CHARS: usize = 1024 * 1024;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Every module after those it imports from; the last one is called. Imports are looked for by module name.
    pub modules: Vec<(String, Vec<u8>)>,
    pub function: String,
    pub arguments: Vec<Argument>,
    /// `i32`, `i64`, `f32` or `f64` for each result.
    pub results: Vec<String>,
    /// The result is a text in the module's memory: two `i32` (place and length in bytes), or one `i64` with the place
    /// in its upper half.
    pub text_result: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// `i32`, `i64`, `f32` or `f64`, and the number in decimal.
    Number { kind: String, value: String },
    /// Written into memory allocated by the module (`alloc` or `malloc`) and passed as two `i32`: address and length in
    /// bytes.
    Text(String),
}

/// A call that returned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Returned {
    /// In decimal.
    pub values: Vec<String>,
    pub text: Option<String>,
    pub millis: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("it was ended after {} seconds", RUN_TIME.as_secs())]
    TimedOut,
    #[error("it broke off: {0}")]
    Trapped(String),
    #[error("it called {0}, which no run is granted")]
    NotGranted(String),
    #[error("it can't be put together: {0}")]
    Link(String),
    #[error("the arguments do not fit: {0}")]
    Arguments(String),
    #[error("nothing here can run modules")]
    Unavailable,
}
