//! Modules and files to publish.

use gen_registry_api::*;
use gen_registry_core::random::Random;

/// A module that offers one function; another `constant`, other bytes.
pub fn wasm(function: &str, constant: i32) -> Vec<u8> {
    wat::parse_str(format!("(module (func (export \"{function}\") (result i32) i32.const {constant}))")).unwrap()
}

/// What is needed to publish a version; dependencies are names and requirements.
pub fn draft(name: &str, version: &str, wasm: Vec<u8>, dependencies: &[(&str, &str)]) -> PublishDraft {
    let dependencies = dependencies
        .iter()
        .map(|(name, requirement)| Requirement { name: (*name).to_owned(), requirement: (*requirement).to_owned() })
        .collect();
    PublishDraft {
        name: name.to_owned(),
        version: version.to_owned(),
        wasm,
        dependencies,
        details: described("A check sum"),
    }
}

/// The description of a module, and nothing else about it.
pub fn described(description: &str) -> ModulePatch {
    ModulePatch { description: Some(description.to_owned()), ..ModulePatch::default() }
}

/// Bytes that no other seed gives.
pub fn file(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.number() as u8).collect()
}
