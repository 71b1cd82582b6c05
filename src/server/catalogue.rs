//! The starter catalogue: small modules that the project publishes, so that a new network is not empty.
//!
//! They are text in this repository (`catalogue/*.wat`), compiled when a server starts. `catalogue.toml` lists what is
//! published under which version. To add a module, add its file, its table there, and its name below.

use std::collections::BTreeMap;

use serde::Deserialize;

use gen_registry_api::{ModulePatch, PublishDraft, Requirement};

/// The list of modules.
const INDEX: &str = include_str!("catalogue/catalogue.toml");

/// Names, each with its text.
macro_rules! texts {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("catalogue/", $name, ".wat")))),*] };
}

/// The modules' texts by name.
const TEXTS: [(&str, &str); 17] = texts![
    "adler32",
    "base64",
    "basic-auth",
    "crc32",
    "data-url",
    "etag",
    "fnv1a",
    "hex",
    "levenshtein",
    "luhn",
    "mandelbrot",
    "murmur3",
    "number-theory",
    "roman-numerals",
    "rot13",
    "uuid",
    "word-count",
];

/// The licence of the project, and so of every module of the catalogue.
const LICENSE: &str = "MIT OR Apache-2.0";

/// What is wrong with the catalogue in this repository; a test keeps it from happening.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the catalogue's index can't be read")]
    Index(#[from] toml::de::Error),
    #[error("the catalogue names {0} but has no text of it")]
    NoText(String),
    #[error("the catalogue's module {name} can't be compiled")]
    Text { name: String, source: wat::Error },
}

/// The form of `catalogue.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    module: Vec<Entry>,
}

/// One module of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    version: String,
    title: String,
    description: String,
    tags: Vec<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    readme: String,
}

/// Returns the modules to publish, each after those it needs.
pub fn catalogue() -> Result<Vec<PublishDraft>, CatalogueError> {
    let index: Index = toml::from_str(INDEX)?;
    index.module.into_iter().map(draft).collect()
}

/// Compiles one module.
fn draft(entry: Entry) -> Result<PublishDraft, CatalogueError> {
    let Entry { name, version, title, description, tags, dependencies, readme } = entry;
    let text = TEXTS.iter().find(|(known, _)| *known == name);
    let (_, text) = text.ok_or_else(|| CatalogueError::NoText(name.clone()))?;
    let wasm = wat::parse_str(text).map_err(|source| CatalogueError::Text { name: name.clone(), source })?;
    let dependencies = dependencies.into_iter().map(|(name, requirement)| Requirement { name, requirement }).collect();
    let details = ModulePatch {
        title: Some(title),
        description: Some(description),
        license: Some(LICENSE.to_owned()),
        readme: Some(readme),
        tags: Some(tags),
        ..ModulePatch::default()
    };
    Ok(PublishDraft { name, version, wasm, dependencies, details })
}
