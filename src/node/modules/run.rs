//! Calls a function of a module: collects the module and what it imports, divides the run's memory and tables among
//! them, matches the arguments, and has the platform run it in a sandbox.
//!
//! A module is another person's code. It is validated again before each run, gets no imports but those of its
//! dependencies, runs in a worker of its own without network and storage, and is stopped after a time limit.

use std::rc::Rc;

use crate::context::Context;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::errors;
use crate::platform::sandbox::{Argument, Run, RunError};
use gen_registry_api::*;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::validation::Report;
use gen_registry_core::validation::run_budget::{Allotment, Demand, check_module_count, divide};
use gen_registry_core::validation::run_limits::RunLimitError;

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
        let closure = self.catalog.closure(&name, &version)?;
        check_module_count(closure.len()).map_err(|error| cannot_run(name.as_str(), &error))?;
        let mut collected = Vec::new();
        let mut demands = Vec::new();
        let mut report = None;
        for (needed, counted) in closure {
            let bytes = self.catalog.content.artifact_bytes(&counted.release.artifact).await?;
            let (looked_at, demand) = self.survey(needed.as_str(), bytes.clone()).await?;
            collected.push((needed.to_string(), bytes));
            demands.push(demand);
            // The called one is the last.
            report = Some(looked_at);
        }
        let allotments = divide(&demands, &self.context.limits).map_err(|error| cannot_run(name.as_str(), &error))?;
        let mut modules = Vec::new();
        for ((needed, bytes), allotment) in collected.into_iter().zip(allotments) {
            let confined = self.confine(&needed, bytes, allotment).await?;
            modules.push((needed, confined));
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

    /// Validates a module and returns which memories and tables it defines.
    async fn survey(&self, name: &str, bytes: Vec<u8>) -> Result<(Box<Report>, Demand), Failure> {
        let Some(JobOutput::Surveyed(report, demand)) = self.context.environment.run_job(Job::Survey(bytes)).await
        else {
            return Err(errors::no_helper());
        };
        if let Some(problem) = report.problem() {
            return Err(errors::module_invalid(problem));
        }
        Ok((report, demand.map_err(|error| cannot_run(name, &error))?))
    }

    /// Returns a module with its part of the run's budget written into it.
    async fn confine(&self, name: &str, bytes: Vec<u8>, allotment: Allotment) -> Result<Vec<u8>, Failure> {
        let job = Job::Confine { bytes, allotment };
        let Some(JobOutput::Confined(confined)) = self.context.environment.run_job(job).await else {
            return Err(errors::no_helper());
        };
        Ok(confined.map_err(|error: RunLimitError| cannot_run(name, &error))?.into_vec())
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

/// Words why a module can't be run within the bounds.
fn cannot_run(name: &str, error: &impl std::fmt::Display) -> Failure {
    errors::run_failed(format!("{name} can't be run here: {error}."))
}
