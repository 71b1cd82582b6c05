//! What goes wrong with modules, in sentences for people.

pub(super) use crate::errors::*;
use crate::platform::sandbox::RunError;
use gen_registry_api::{Failure, FailureCode};
use gen_registry_core::limits::*;
use gen_registry_core::lockfile::LockfileError;
use gen_registry_core::modules::version::VersionError;
use gen_registry_core::name::{ModuleName, NameError};
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::resolver::Unresolved;
use gen_registry_core::resolver::explain::ThereIs;
use gen_registry_core::validation::Problem;

pub(super) fn name_invalid(error: &NameError) -> Failure {
    Failure::new(
        FailureCode::NameInvalid,
        sentence(&error.to_string()),
        "Choose 2 to 64 letters or digits of one script, starting with a letter; _ - . may stand between them.",
    )
}

pub(super) fn version_invalid(text: &str, error: &VersionError) -> Failure {
    Failure::new(
        FailureCode::VersionInvalid,
        format!("“{}” is no version: {error}.", shortened(text)),
        "A version has three numbers, as 1.4.0, and may end in a pre-release, as 1.4.0-beta.2.",
    )
}

pub(super) fn requirement_invalid(name: &str, text: &str, error: &VersionError) -> Failure {
    Failure::new(
        FailureCode::VersionInvalid,
        format!("“{}” for {} is no requirement: {error}.", shortened(text), shortened(name)),
        "Requirements are written as for Cargo: ^1.2, ~1.2.3, >=1, <2, or * for any version.",
    )
}

pub(super) fn version_taken(name: &str, version: &str) -> Failure {
    Failure::new(
        FailureCode::VersionTaken,
        format!("{name} {version} is published already, and no version is ever replaced."),
        "Publish under a higher version; if the old one is bad, withdraw it.",
    )
}

pub(super) fn module_invalid(problem: &Problem) -> Failure {
    Failure::new(
        FailureCode::ModuleInvalid,
        sentence(&problem.to_string()),
        "Nothing was published. Build the module again, or choose another file.",
    )
}

/// What has a program of its own can't be done now.
pub(super) fn no_helper() -> Failure {
    Failure::new(
        FailureCode::ReloadNeeded,
        "The part of this app that reads and writes modules' files could not be started.",
        "Reload the page and try again. Your data is as it was before.",
    )
}

pub(super) fn not_yours(name: &str, holder: &str) -> Failure {
    Failure::new(
        FailureCode::NotYourModule,
        format!("{name} belongs to {holder}."),
        "Only whoever holds a module's name publishes under it. Choose another name.",
    )
}

pub(super) fn unknown_module(name: &str) -> Failure {
    Failure::new(
        FailureCode::UnknownModule,
        format!("No module named {} is known on this device.", shortened(name)),
        "Check the spelling; a module that was published elsewhere arrives when a peer who knows it is met.",
    )
}

/// Why a module that was asked for is not here.
pub(super) fn absent_module(read_model: &ReadModel, name: &ModuleName) -> Failure {
    let state = read_model.module_name(&name.folded());
    if state.is_none_or(|state| state.holder().is_some() || state.contested.is_empty()) {
        return unknown_module(name.as_str());
    }
    Failure::new(
        FailureCode::NameContested,
        format!(
            "The network's witnesses confirmed {} for two people at once, so nothing of either is taken.",
            name.as_str()
        ),
        "Ask the people you trust whose it was before. The network's operators can settle it.",
    )
}

pub(super) fn unknown_version(name: &str, version: &str) -> Failure {
    Failure::new(
        FailureCode::UnknownModule,
        format!("{name} has no version {} that is known on this device.", shortened(version)),
        "The module's page lists all versions that are known here.",
    )
}

pub(super) fn too_many_modules(most: usize) -> Failure {
    Failure::new(
        FailureCode::TooManyModules,
        format!("An identity holds at most {most} module names in this network, and this one does."),
        "Publish under one of your present names, or from another profile.",
    )
}

pub(super) fn details_invalid(message: String) -> Failure {
    Failure::new(FailureCode::ModuleInvalid, message, "Make it shorter, or leave it empty.")
}

/// Of what somebody typed.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MODULE_NAME_MAX_CHARS).collect()
}

pub(super) fn published_invalid(name: &str, version: &str, problem: &Problem) -> Failure {
    Failure::new(
        FailureCode::WrongBytes,
        format!("{name} {version} came as it was signed, but it is no valid module: {problem}."),
        "Nothing was installed. Choose another version, and tell its author.",
    )
}

pub(super) fn new_imports(added: &[String]) -> Failure {
    Failure::new(
        FailureCode::NewImports,
        sentence(&added.join("; ")),
        "Nothing was changed. Look at what is new; accept it to go on.",
    )
}

pub(super) fn not_installed(name: &str) -> Failure {
    Failure::new(FailureCode::UnknownModule, format!("{name} is not installed."), "There is nothing to remove.")
}

pub(super) fn needed_by(name: &str, others: &[String]) -> Failure {
    Failure::new(
        FailureCode::NeededByOthers,
        format!("{name} is needed by {}.", others.join(", ")),
        "Remove those first; it goes with the last of them.",
    )
}

pub(super) fn unresolvable(unresolved: &Unresolved) -> Failure {
    let code = match unresolved {
        Unresolved::Impossible(wants) if wants.iter().any(|want| want.there_is == ThereIs::Nothing) => {
            FailureCode::DependencyUnknown
        }
        _ => FailureCode::Unresolvable,
    };
    Failure::new(
        code,
        unresolved.to_string(),
        "Nothing was changed. Ask for other versions, or for fewer modules at once.",
    )
}

pub(super) fn run_failed(message: String) -> Failure {
    Failure::new(
        FailureCode::RunFailed,
        message,
        "Nothing outside the sandbox was touched. Look at the function's types, or tell the module's author.",
    )
}

pub(super) fn run_timed_out(error: &RunError) -> Failure {
    Failure::new(
        FailureCode::RunTimedOut,
        sentence(&error.to_string()),
        "Try smaller input; a function that never returns can't be run here.",
    )
}

pub(super) fn lockfile_invalid(why: &LockfileError) -> Failure {
    Failure::new(
        FailureCode::LockfileInvalid,
        format!("This is no lockfile that can be read here: {why}."),
        "Nothing was changed. Export it again where it was made.",
    )
}

pub(super) fn lockfile_mismatch(name: &str, version: &str, what: &str) -> Failure {
    Failure::new(
        FailureCode::LockfileInvalid,
        format!("The lockfile names {what} for {name} {version} than the release that counts."),
        "Nothing was changed. Ask whoever made the lockfile; one of the two is not what it says.",
    )
}

pub(super) fn blocked(name: &str) -> Failure {
    Failure::new(
        FailureCode::Blocked,
        format!("{name} is on your blocklist, or is published by somebody who is."),
        "Take it off the blocklist first, or allow the module by itself.",
    )
}
