//! The shape of the source that neither the compiler nor cargo-deny holds: layers inside one crate, the one file that may
//! name a foreign crate, where platforms are told apart, and how files look.
//!
//! Reads the text of `src/`, not the compiler's view: a path hidden behind a macro would escape it.

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file. A state machine belongs into one file, so this is no reason to cut one in two.
const LONGEST_FILE: usize = 700;

/// Folders of a crate that may name only these modules of the same crate. Crates among each other are `Cargo.toml`'s matter.
const LAYERS: &[(&str, &[&str])] = &[
    ("node/platform", &["platform"]),
    ("node/store", &["store", "platform"]),
    ("node/net", &["net", "platform"]),
    ("ui/model", &["model"]),
    ("ui/routes", &["routes", "model"]),
    ("ui/app_state", &["app_state", "dom", "model", "notify", "routes", "text"]),
    // Primitives know neither the state nor the widgets that read it.
    ("ui/components", &["components", "dom", "latest_request", "model", "routes", "text"]),
    (
        "ui/widgets",
        &[
            "widgets",
            "components",
            "action",
            "app_state",
            "dom",
            "keys",
            "latest_request",
            "model",
            "preferences",
            "pwa",
            "query",
            "reactive",
            "routes",
            "text",
            "time",
        ],
    ),
];

/// What makes a piece of a page depend on the state: a primitive has none of it.
const STATE: (&str, [&str; 3]) = ("ui/components", ["app_state", "Client", "expect_context"]);

/// What is said and signed must not depend on how it travels: only the protocols may name it, and the jobs, which hand out
/// work of every part.
const ABOVE_SYNC: [&str; 2] = ["core/sync", "core/jobs"];

/// A foreign crate, and the modules (a file and the folder of its name) of a crate that may name it.
const SOLE_OWNERS: &[(&str, &[&str])] = &[
    // The keys of the first format and of the second.
    ("ed25519_dalek", &["core/identity", "core/keys"]),
    ("automerge", &["core/document"]),
    ("pubgrub", &["core/resolver"]),
    ("wasmparser", &["core/validation"]),
    ("wasm_encoder", &["core/validation"]),
    ("tantivy", &["core/search"]),
    ("rexie", &["node/store/indexed_db"]),
    ("rusqlite", &["node/store/sqlite"]),
    ("libp2p", &["node/net"]),
    ("ureq", &["server/network/source"]),
];

/// Files that may tell platforms apart, and only at a `mod`, a `pub use` or an entry point.
const MAY_SPLIT_PLATFORMS: &[&str] = &[
    "main.rs",
    "bin/search_worker.rs",
    "bin/job_worker.rs",
    "node/lib.rs",
    "node/platform.rs",
    "node/store.rs",
    "node/net.rs",
    "node/net/transport.rs",
    "node/net/webrtc.rs",
    "ui/lib.rs",
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
    let named = own_modules(&code);
    if let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| source.belongs_to(layer)) {
        let foreign = named.iter().filter(|module| !allowed.contains(&module.as_str()));
        found.extend(foreign.map(|module| format!("{}: {layer} may not import {module}", source.path)));
    }
    let is_above_sync = ABOVE_SYNC.iter().any(|above| source.belongs_to(above));
    if source.belongs_to("core") && !is_above_sync && named.iter().any(|module| module == "sync") {
        found.push(format!("{}: only {} may import sync", source.path, ABOVE_SYNC.join(" and ")));
    }
    if source.belongs_to(STATE.0)
        && let Some(word) = words(&code).find(|word| STATE.1.contains(word))
    {
        found.push(format!("{}: a primitive may not name {word}", source.path));
    }
    for (foreign, owners) in SOLE_OWNERS {
        let is_owner = owners.iter().any(|owner| source.belongs_to(owner));
        if !is_owner && words(&code).any(|word| word == *foreign) {
            found.push(format!("{}: only {} may name the crate {foreign}", source.path, owners.join(" and ")));
        }
    }
    if !(source.text.starts_with("//!") || source.text.starts_with("#![doc")) {
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

/// The first part of every path that begins with `crate::`. rustfmt keeps one path to a line; a group at the very root
/// (`crate::{…}`) comes back as `{`, which no layer allows.
fn own_modules(code: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let paths = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with(is_part));
    let first = |(at, start): (usize, &str)| {
        let rest = &code[at + start.len()..];
        let end = rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len());
        if end == 0 { "{".to_owned() } else { rest[..end].to_owned() }
    };
    paths.map(first).collect()
}

fn platform_splits(source: &Source, code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if !line.contains("target_arch") {
            continue;
        }
        let item = lines[number + 1..].iter().find(|line| !line.is_empty() && !line.starts_with("#["));
        let splits_items = line.starts_with("#![cfg")
            || line.starts_with("#[cfg")
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

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
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
fn source_keeps_its_shape() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&folder, &folder, &mut all);
    assert!(all.len() > 300, "the source was found");
    let found: Vec<String> = all.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// One broken rule each, and the words the report must have.
#[test]
fn each_broken_rule_is_reported() {
    let long = format!("//! Long.\n{}", "\n".repeat(LONGEST_FILE));
    for (path, text, report) in [
        ("node/store/memory.rs", "//! M.\nuse crate::net::key;", "node/store may not import net"),
        ("node/platform.rs", "//! P.\nfn f() { crate::store::open() }", "node/platform may not import store"),
        ("node/net/mesh.rs", "//! N.\nuse crate::{net, admit};", "node/net may not import {"),
        ("ui/app_state.rs", "//! A.\nuse crate::widgets::toast;", "ui/app_state may not import widgets"),
        ("ui/components/icon.rs", "//! I.\nuse crate::widgets::toast;", "ui/components may not import widgets"),
        ("ui/components/icon.rs", "//! I.\nfn f() { app_state().me }", "a primitive may not name app_state"),
        ("ui/widgets/toast.rs", "//! T.\nuse crate::screens::home;", "ui/widgets may not import screens"),
        ("core/name.rs", "//! N.\nuse crate::sync::wire;", "only core/sync and core/jobs may import sync"),
        ("node/sign.rs", "//! S.\nuse ed25519_dalek::SigningKey;", "only core/identity and core/keys may name"),
        ("core/documents.rs", "//! D.\nuse automerge::Automerge;", "only core/document may name"),
        ("server/serve.rs", "//! S.\nuse libp2p::Multiaddr;", "only node/net may name the crate libp2p"),
        ("node/witness.rs", "//! W.\nuse rusqlite::Connection;", "only node/store/sqlite may name the crate rusqlite"),
        ("node/lib.rs", "use std::fmt;", "does not begin by saying"),
        ("node/store/mod.rs", "//! S.", "stands beside its folder"),
        ("core/name.rs", &long, "has more than"),
        ("node/store.rs", "//! S.\nfn f() {\n    if cfg!(target_arch = \"wasm32\") {}\n}", "store.rs:3: platforms"),
        ("node/run.rs", "//! R.\n#[cfg(target_arch = \"wasm32\")]\nmod web;", "node/run.rs:2: platforms"),
        ("node/store.rs", "//! S.\n#[cfg(target_arch = \"wasm32\")]\nfn open() {}", "store.rs:2: platforms"),
    ] {
        let found = violations(&Source::new(path, text));
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].contains(report), "{path}: {found:?} should say {report:?}");
    }
}

#[test]
fn allowed_imports_are_not_reported() {
    for (path, text) in [
        ("ui/page.rs", "//! P.\nuse leptos::prelude::*;\nuse crate::{reactive, routes};"),
        ("node/platform.rs", "//! P.\nuse crate::platform::search;\n#[cfg(target_arch = \"wasm32\")]\nmod browser;"),
        ("core/identity/key.rs", "//! K.\nuse ed25519_dalek::SigningKey;\n// crate::sync is not named in code\n"),
        ("core/sync/session.rs", "//! S.\nuse crate::sync::wire;"),
        ("node/store/indexed_db.rs", "//! I.\nuse rexie::Rexie;\nuse crate::platform::timer;"),
    ] {
        assert_eq!(violations(&Source::new(path, text)), Vec::<String>::new());
    }
}
