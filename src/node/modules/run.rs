//! Calling a function of a module: the module, what it needs, and arguments that fit; the platform runs it.

use semver::Version;

use crate::Node;
use crate::modules::{errors, parse_name};
use crate::platform::sandbox::{Argument, RUN_MEMORY_BYTES, Run, RunError};
use gen_registry_api::*;
use gen_registry_core::fact::release::{parse_requirement, parse_version};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::modules::CountedRelease;
use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::{Dependency, Versions, resolve};
use gen_registry_core::validation::Report;
use gen_registry_core::validation::memory_limit::MemoryLimitError;

impl Node {
    pub(super) async fn run_function(
        &self,
        name: &str,
        version: Option<&str>,
        function: String,
        arguments: &[RunArgument],
        text_result: bool,
    ) -> Result<RunOutcome, Failure> {
        let (name, version) = self.version_here(name, version)?;
        let mut modules = Vec::new();
        let mut report = None;
        for (needed, counted) in self.closure(&name, &version)? {
            let bytes = self.artifact_bytes(&counted.release.artifact).await?;
            let job = Job::Confine { bytes, most: RUN_MEMORY_BYTES };
            let Some(JobOutput::Confined(looked_at, confined)) = self.environment.run_job(job).await else {
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
        let arguments = fit(&params, arguments)?;
        let kinds = results.clone();
        let run = Run { modules, function, arguments, results, text_result };
        let returned = self.environment.run(run).await.map_err(|error| match error {
            RunError::TimedOut => errors::run_timed_out(&error),
            other => errors::run_failed(crate::errors::sentence(&other.to_string())),
        })?;
        let values = kinds.into_iter().zip(returned.values).map(|(kind, value)| RunValue { kind, value }).collect();
        Ok(RunOutcome { values, text: returned.text, millis: returned.millis })
    }

    /// The version that was named, else the installed one, else the newest.
    pub(super) fn version_here(&self, name: &str, version: Option<&str>) -> Result<(ModuleName, Version), Failure> {
        let name = parse_name(name)?;
        let state = self.state.borrow();
        let name = state.index.spelled(&name);
        let module = state.index.module(&name.folded());
        let version = match version {
            Some(text) => parse_version(text.trim()).map_err(|error| errors::version_invalid(text, &error))?,
            None => {
                let installed = state.installed.get(&name).map(|installed| installed.version.clone());
                let latest = module.latest().map(|latest| latest.release.version.clone());
                installed.or(latest).ok_or_else(|| errors::unknown_module(name.as_str()))?
            }
        };
        if !module.releases.contains_key(&version) {
            return Err(errors::unknown_version(name.as_str(), &version.to_string()));
        }
        Ok((name, version))
    }

    /// A version and all it needs, as far as that goes in the versions that are installed; each after what it needs.
    pub(super) fn closure(
        &self,
        name: &ModuleName,
        version: &Version,
    ) -> Result<Vec<(ModuleName, CountedRelease)>, Failure> {
        let state = self.state.borrow();
        let requirement = parse_requirement(&format!("={version}"))
            .map_err(|error| errors::requirement_invalid(name.as_str(), &version.to_string(), &error))?;
        let wanted = [Dependency { name: name.clone(), requirement }];
        let catalogue = state.index.catalogue(&wanted);
        let mut locked: Versions =
            state.installed.iter().map(|(name, installed)| (name.clone(), installed.version.clone())).collect();
        locked.insert(name.clone(), version.clone());
        let plan = resolve(&wanted, &catalogue, &locked).map_err(|unresolved| errors::unresolvable(&unresolved))?;
        let releases = plan.order.into_iter().filter_map(|name| {
            let counted = state.index.module(&name.folded()).releases.get(plan.versions.get(&name)?)?.clone();
            Some((name, counted))
        });
        Ok(releases.collect())
    }
}

fn signature(report: &Report, function: &str) -> Option<(Vec<String>, Vec<String>)> {
    report.exports.iter().find(|export| export.name == function).and_then(|export| match &export.kind {
        ExternKind::Function { params, results } => Some((params.clone(), results.clone())),
        _ => None,
    })
}

/// Arguments in the types of the function. A text takes two places.
fn fit(params: &[String], arguments: &[RunArgument]) -> Result<Vec<Argument>, Failure> {
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

fn cannot_run(name: &str, error: &MemoryLimitError) -> Failure {
    errors::run_failed(format!("{name} can't be run here: {error}."))
}
