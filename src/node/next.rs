//! The running parts of the second format: complete with their tests, and not used yet. They stand beside those of the
//! first format and replace them later.

pub mod receipts;
#[cfg(test)]
mod support;
pub mod witness;
