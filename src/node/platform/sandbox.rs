//! Running another person's function: the call and its outcome, as data.
//!
//! The sandbox gives it no network, no storage and no clock, and ends it after [`RUN_TIME`]. What all its memories and
//! tables may grow to together is divided by `core::validation::run_budget` and written into the modules before they
//! come here.

use std::time::Duration;

/// A run that takes longer is ended, whatever it is doing.
pub const RUN_TIME: Duration = Duration::from_secs(5);
/// A longer text as a result is cut.
pub const RESULT_MAX_CHARS: usize = 1024 * 1024;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Every module after those it imports from; the last one is called. Imports are resolved by module name.
    pub modules: Vec<(String, Vec<u8>)>,
    /// The exported function to call.
    pub function: String,
    /// The arguments, matched with the function's parameters.
    pub arguments: Vec<Argument>,
    /// `i32`, `i64`, `f32` or `f64` for each result.
    pub results: Vec<String>,
    /// The result is a text in the module's memory: two `i32` (place and length in bytes), or one `i64` with the place
    /// in its upper half.
    pub text_result: bool,
}

/// An argument of a call.
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
    /// The results, in decimal.
    pub values: Vec<String>,
    /// The text that the results point to, if that was requested.
    pub text: Option<String>,
    /// How long the call took, in milliseconds.
    pub millis: f64,
}

/// Why a call did not return.
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
