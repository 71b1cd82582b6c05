//! The shape of the source, held by a test: who may import whom, who alone may touch a foreign crate, how files look.
//!
//! It reads the text of `src/`, not the compiler's view: a path hidden behind a macro would escape it.

use std::{
    fs,
    path::{Path, PathBuf},
};

const LONGEST_FILE: usize = 450;

/// For each layer, the module paths of this crate it may name. A longer path below an allowed one is allowed too.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("registry", &["registry"]),
    ("sync", &["sync", "registry"]),
    // Work and search, because workers do it; sealing, digests and encoding for the scripted environment of tests.
    (
        "platform",
        &[
            "platform",
            "registry::time",
            "registry::jobs",
            "registry::search::service",
            "registry::sealing",
            "registry::digest",
            "registry::canonical",
        ],
    ),
    ("store", &["store", "registry", "platform"]),
    ("net", &["net", "sync::wire", "sync::blocks::wire", "sync::signaling", "sync::chat", "platform"]),
    ("node", &["node", "registry", "sync", "store", "net", "platform"]),
    ("ui", &["ui", "node::api", "node::client", "node::failure"]),
    ("js_api", &["js_api", "node::api", "node::client", "node::failure", "platform"]),
    ("native", &["native", "registry", "node", "store", "net", "platform"]),
    // Where the layers are put together.
    ("lib", &[""]),
    ("main", &[""]),
    ("bin", &[""]),
];

/// A foreign crate, and the one module (a file and what is below it) that may name it.
const SOLE_OWNERS: &[(&str, &str)] = &[
    ("ed25519_dalek", "registry/identity"),
    ("automerge", "registry/document"),
    ("pubgrub", "registry/resolver"),
    ("wasmparser", "registry/validation"),
    ("tantivy", "registry/search"),
    ("rexie", "store/indexed_db"),
    ("rusqlite", "store/sqlite"),
    ("leptos", "ui"),
    ("libp2p", "net"),
    ("libp2p_stream", "net"),
];

/// Files that may tell platforms apart, and only at a `mod`, a `pub use` or an entry point.
const MAY_SPLIT_PLATFORMS: &[&str] = &[
    "lib.rs",
    "main.rs",
    "bin/gen-registry.rs",
    "bin/gen-registry-search.rs",
    "bin/gen-registry-work.rs",
    "platform.rs",
    "store.rs",
    "node.rs",
    "net.rs",
    "net/transport.rs",
    "net/webrtc.rs",
];

struct Source {
    /// Relative to `src/`.
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// `registry/name.rs` and `registry.rs` are both of the layer `registry`.
    fn layer(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or(&self.path);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The text without comments.
    fn code(&self) -> String {
        self.text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
    }

    fn belongs_to(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// All that is wrong with a file, as sentences.
fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let code = source.code();
    match MAY_IMPORT.iter().find(|(layer, _)| *layer == source.layer()) {
        None => found.push(format!("{} is in no layer of the table", source.path)),
        Some((layer, allowed)) => {
            for path in crate_paths(&code) {
                if !allowed.iter().any(|allowed| covers(allowed, &path)) {
                    found.push(format!("{}: the layer {layer} may not import {path}", source.path));
                }
            }
        }
    }
    for (foreign, owner) in SOLE_OWNERS {
        let entry = source.layer() == "main" && *owner == "ui";
        if !source.belongs_to(owner) && !entry && words(&code).any(|word| word == *foreign) {
            found.push(format!("{}: only {owner} may name the crate {foreign}", source.path));
        }
    }
    if !source.text.starts_with("//!") {
        found.push(format!("{} does not begin by saying what it is (//!)", source.path));
    }
    if source.path.ends_with("mod.rs") {
        found.push(format!("{}: a module's file stands beside its folder, not in it", source.path));
    }
    if source.text.lines().count() > LONGEST_FILE {
        found.push(format!("{} has more than {LONGEST_FILE} lines", source.path));
    }
    found.extend(platform_splits(source, &code));
    found
}

fn platform_splits(source: &Source, code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if !line.contains("target_arch") {
            continue;
        }
        let item = lines[number + 1..].iter().find(|line| !line.is_empty() && !line.starts_with("#["));
        let splits_items = line.starts_with("#[cfg")
            && item.is_some_and(|item| {
                let item = item.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
                item.starts_with("mod ") || item.starts_with("use ") || item.starts_with("fn main()")
            });
        if !splits_items || !MAY_SPLIT_PLATFORMS.contains(&source.path.as_str()) {
            found.push(format!("{}:{}: platforms are told apart here", source.path, number + 1));
        }
    }
    found
}

/// Whether `path` is `allowed` or below it.
fn covers(allowed: &str, path: &str) -> bool {
    allowed.is_empty() || path == allowed || path.strip_prefix(allowed).is_some_and(|rest| rest.starts_with("::"))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
}

/// Every path of this crate that the code names, without the leading `crate::` (or `gen_registry::`).
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in ["crate::", "gen_registry::"] {
        for (at, _) in code.match_indices(start) {
            let part_of_a_word = code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
            if !part_of_a_word {
                collect_paths("", &code[at + start.len()..], &mut paths);
            }
        }
    }
    paths
}

/// Reads one `a::b::{c, d::e}` from the start of `text`; returns what is left.
fn collect_paths<'a>(prefix: &str, text: &'a str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut rest = group;
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = collect_paths(prefix, rest, paths);
            if after.len() == rest.len() {
                return rest;
            }
            rest = after;
        }
    }
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(text.len());
    let (segment, rest) = text.split_at(end);
    if let Some(after) = text.strip_prefix('*') {
        paths.push(prefix.to_owned());
        return after;
    }
    let path = match (prefix, segment) {
        (_, "") | (_, "self") => prefix.to_owned(),
        ("", _) => segment.to_owned(),
        _ => format!("{prefix}::{segment}"),
    };
    if let Some(after) = rest.strip_prefix("::") {
        return collect_paths(&path, after, paths);
    }
    paths.push(path);
    // `name as other`
    match rest.trim_start().strip_prefix("as ") {
        Some(alias) => alias.trim_start().trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_'),
        None => rest,
    }
}

fn sources(folder: &Path, below: &Path, found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, below, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(below).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_source_keeps_its_shape() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&folder, &folder, &mut all);
    assert!(all.len() > 5, "the source was found");
    let found: Vec<String> = all.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// One broken rule each, and the words the report must have.
#[test]
fn each_broken_rule_is_noticed() {
    let long = format!("//! Long.\n{}", "\n".repeat(LONGEST_FILE));
    for (path, text, report) in [
        ("registry/name.rs", "//! N.\nuse crate::store::Store;", "registry may not import store::Store"),
        ("registry.rs", "//! N.\nfn f() { crate::node::run() }", "registry may not import node::run"),
        ("ui/page.rs", "//! P.\nuse crate::node::{api::Me, run};", "ui may not import node::run"),
        (
            "ui/page.rs",
            "//! P.\nuse crate::{\n    ui::x,\n    store::{memory, Store},\n};",
            "ui may not import store::memory",
        ),
        ("ui/page.rs", "//! P.\nuse crate::node::*;", "ui may not import node"),
        ("platform/clock.rs", "//! C.\nuse crate::registry::name::Username;", "platform may not import registry::name"),
        ("js_api.rs", "//! E.\nuse crate::{node::api::Me as Mine, store};", "js_api may not import store"),
        ("node/sign.rs", "//! S.\nuse ed25519_dalek::SigningKey;", "only registry/identity may name"),
        ("registry/documents.rs", "//! D.\nuse automerge::Automerge;", "only registry/document may name"),
        ("native/serve.rs", "//! S.\nuse libp2p::Multiaddr;", "only net may name the crate libp2p"),
        ("node/witness.rs", "//! W.\nuse rusqlite::Connection;", "only store/sqlite may name the crate rusqlite"),
        ("node.rs", "use std::fmt;", "does not begin by saying"),
        ("store/mod.rs", "//! S.", "stands beside its folder"),
        ("store/memory.rs", &long, "has more than"),
        ("newlayer/a.rs", "//! A.", "in no layer"),
        ("store.rs", "//! S.\nfn f() {\n    if cfg!(target_arch = \"wasm32\") {}\n}", "store.rs:3: platforms"),
        ("node/run.rs", "//! R.\n#[cfg(target_arch = \"wasm32\")]\nmod web;", "node/run.rs:2: platforms"),
        ("store.rs", "//! S.\n#[cfg(target_arch = \"wasm32\")]\nfn open() {}", "store.rs:2: platforms"),
    ] {
        let found = violations(&Source::new(path, text));
        assert_eq!(found.len(), report_count(report), "{path}: {found:?}");
        assert!(found.iter().any(|line| line.contains(report)), "{path}: {found:?} should say {report:?}");
    }
}

/// A group that names a module and something in it is two imports.
fn report_count(report: &str) -> usize {
    if report.contains("store::memory") { 2 } else { 1 }
}

#[test]
fn what_is_allowed_is_not_reported() {
    for (path, text) in [
        ("ui/page.rs", "//! P.\nuse leptos::prelude::*;\nuse crate::{node::{api::*, client::Client, failure}, ui::x};"),
        (
            "platform.rs",
            "//! P.\nuse crate::registry::time::{self, Millis};\n#[cfg(target_arch = \"wasm32\")]\nmod browser;",
        ),
        ("registry/identity/key.rs", "//! K.\nuse ed25519_dalek::SigningKey;\n// crate::store is not named in code\n"),
        ("bin/tool.rs", "//! T.\nuse gen_registry::native::serve;"),
        ("store/indexed_db.rs", "//! I.\nuse rexie::Rexie;\nuse crate::{platform::timer, registry::document as d};"),
    ] {
        assert_eq!(violations(&Source::new(path, text)), Vec::<String>::new());
    }
}
