//! Work that takes long, as data: whoever has a worker has it done there, all others do it on the spot.

use serde::{Deserialize, Serialize};

use crate::registry::seal::{SealError, StretchJob, StretchedKey, stretch};
use crate::registry::stamp::{StampJob, stamp};
use crate::registry::validation::{Report, validate};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Job {
    Stretch(StretchJob),
    /// A file that says it is a module. A hostile one may take a second.
    Validate(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A number that shows work for a claim.
    Stamp(StampJob),
}

/// What came of a job, in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Product {
    Stretched(Result<StretchedKey, SealError>),
    Validated(Box<Report>),
    Stamped(u64),
}

pub fn perform(job: &Job) -> Product {
    match job {
        Job::Stretch(job) => Product::Stretched(stretch(job)),
        Job::Validate(bytes) => Product::Validated(Box::new(validate(bytes))),
        Job::Stamp(job) => Product::Stamped(stamp(job)),
    }
}
