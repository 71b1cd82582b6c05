//! Calls a function of a module: collects the module and what it imports, limits their memory, matches the arguments,
//! and has the platform run it in a sandbox.
//!
//! A module is another person's code. It is validated again before each run, gets no imports but those of its
//! dependencies, runs in a worker of its own without network and storage, and is stopped after a time limit.

use std::rc::Rc;

use crate::context::Context;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::errors;
use crate::platform::sandbox::{Argument, RUN_MEMORY_BYTES, Run, RunError};
use gen_registry_api::*;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::validation::Report;
use gen_registry_core::validation::memory_limit::MemoryLimitError;

/// The service that runs a module's function.
pub(crate) struct Runner {
    context: Rc<Context>,
    catalog: Rc<ModuleCatalog>,
}

impl Runner {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, catalog: Rc<ModuleCatalog>) -> Self {
        Self { context, catalog }
    }

    /// Runs a function. `version`: the installed or newest one if `None`. `text_result`: the two `i32` results are a
    /// text's pointer and length. Fails if the module is invalid, the arguments do not match, or the run fails or takes
    /// too long.
    pub(super) async fn run(
        &self,
        name: &str,
        version: Option<&str>,
        function: String,
        arguments: &[RunArgument],
        text_result: bool,
    ) -> Result<RunOutcome, Failure> {
        let (name, version) = self.catalog.version_here(name, version)?;
        let mut modules = Vec::new();
        let mut report = None;
        for (needed, counted) in self.catalog.closure(&name, &version)? {
            let bytes = self.catalog.content.artifact_bytes(&counted.release.artifact).await?;
            let job = Job::Confine { bytes, most: RUN_MEMORY_BYTES };
            let Some(JobOutput::Confined(looked_at, confined)) = self.context.environment.run_job(job).await else {
                return Err(errors::no_helper());
            };
            if let Some(problem) = looked_at.problem() {
                return Err(errors::module_invalid(problem));
            }
            let confined = confined.map_err(|error| cannot_run(needed.as_str(), &error))?;
            modules.push((needed.to_string(), confined.into_vec()));
            // The called one is the last.
            report = Some(looked_at);
        }
        let (params, results) = report.as_ref().and_then(|report| signature(report, &function)).ok_or_else(|| {
            errors::run_failed(format!("{name} {version} offers no function {}.", errors::shortened(&function)))
        })?;
        let arguments = match_arguments(&params, arguments)?;
        let kinds = results.clone();
        let run = Run { modules, function, arguments, results, text_result };
        let returned = self.context.environment.run(run).await.map_err(|error| match error {
            RunError::TimedOut => errors::run_timed_out(&error),
            other => errors::run_failed(crate::errors::sentence(&other.to_string())),
        })?;
        let values = kinds.into_iter().zip(returned.values).map(|(kind, value)| RunValue { kind, value }).collect();
        Ok(RunOutcome { values, text: returned.text, millis: returned.millis })
    }
}

/// Returns the parameters and results of an exported function.
fn signature(report: &Report, function: &str) -> Option<(Vec<String>, Vec<String>)> {
    report.exports.iter().find(|export| export.name == function).and_then(|export| match &export.kind {
        ExternKind::Function { params, results } => Some((params.clone(), results.clone())),
        _ => None,
    })
}

/// Matches arguments with the function's parameters. A text takes two `i32`: pointer and length.
fn match_arguments(params: &[String], arguments: &[RunArgument]) -> Result<Vec<Argument>, Failure> {
    let mut places = params.iter();
    let mut fitted = Vec::new();
    for argument in arguments {
        match argument {
            RunArgument::Text(text) => {
                if [places.next(), places.next()].map(|kind| kind.map(String::as_str)) != [Some("i32"), Some("i32")] {
                    return Err(errors::run_failed(
                        "A text stands for two i32, and the function has none there.".to_owned(),
                    ));
                }
                fitted.push(Argument::Text(text.clone()));
            }
            RunArgument::Number(text) => {
                let Some(kind) = places.next() else {
                    return Err(errors::run_failed(format!("The function takes {} numbers, not more.", params.len())));
                };
                let text = text.trim();
                if !is_number(kind, text) {
                    return Err(errors::run_failed(format!("“{}” is no {kind}.", errors::shortened(text))));
                }
                fitted.push(Argument::Number { kind: kind.clone(), value: text.to_owned() });
            }
        }
    }
    match places.len() {
        0 => Ok(fitted),
        missing => {
            Err(errors::run_failed(format!("The function takes {} numbers; {missing} are missing.", params.len())))
        }
    }
}

/// Integers may be written signed or unsigned.
fn is_number(kind: &str, text: &str) -> bool {
    match kind {
        "i32" => text.parse::<i32>().is_ok() || text.parse::<u32>().is_ok(),
        "i64" => text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok(),
        "f32" | "f64" => text.parse::<f64>().is_ok(),
        _ => false,
    }
}

/// Words why a module's memory can't be limited.
fn cannot_run(name: &str, error: &MemoryLimitError) -> Failure {
    errors::run_failed(format!("{name} can't be run here: {error}."))
}
