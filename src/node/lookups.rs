//! Looking names up beyond what is known here, and letting others find one's own.
//!
//! - what a directory may keep: `judge`

mod judge;

pub use judge::RecordJudge;
