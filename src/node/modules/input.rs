//! What comes in from outside: names and files of modules.

use crate::context::Context;
use crate::modules::errors;
use gen_registry_api::*;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::name::{ModuleName, parse_input};
use gen_registry_core::validation::Report;

/// Validates a file in a worker, or fails: the page's own program does not contain the validator.
pub(crate) async fn validate(context: &Context, bytes: Vec<u8>) -> Result<Report, Failure> {
    match context.environment.run_job(Job::Validate(bytes)).await {
        Some(JobOutput::Validated(report)) => Ok(*report),
        _ => Err(errors::no_helper()),
    }
}

/// Parses a module's name as a person typed it.
pub(crate) fn parse_name(text: &str) -> Result<ModuleName, Failure> {
    parse_input(text).map_err(|error| errors::name_invalid(&error))
}
