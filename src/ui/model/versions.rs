//! What changed between two versions of a module, and which of them can be run here.

use std::collections::BTreeSet;

use gen_registry_api::{Extern, ExternKind, ModulePage};

/// What two versions differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A sign, `−` or `+`, and what went or came.
    pub lines: Vec<(char, String)>,
    /// The bytes of the old and the new one.
    pub sizes: (u64, u64),
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// What it asks for.
    pub imports: &'a [Extern],
    /// What it offers.
    pub exports: &'a [Extern],
    pub bytes: u64,
}

/// Compares what two versions ask for and offer: first what went, then what came.
pub fn compare(old: Interface<'_>, new: Interface<'_>) -> Difference {
    let mut lines = Vec::new();
    for (what, old, new) in [("asks for", old.imports, new.imports), ("offers", old.exports, new.exports)] {
        let (old, new) = (format_externs(old), format_externs(new));
        lines.extend(old.difference(&new).map(|line| ('−', format!("{what} {line}"))));
        lines.extend(new.difference(&old).map(|line| ('+', format!("{what} {line}"))));
    }
    Difference { lines, sizes: (old.bytes, new.bytes) }
}

/// Sorted and without repetitions, so that two sides can be compared.
fn format_externs(all: &[Extern]) -> BTreeSet<String> {
    all.iter().map(format_extern).collect()
}

/// What a module asks for or offers, as one word: `env.log(i32) → ()`.
fn format_extern(one: &Extern) -> String {
    let name = one.module.as_ref().map_or_else(|| one.name.clone(), |module| format!("{module}.{}", one.name));
    match &one.kind {
        ExternKind::Function { params, results } => format!("{name}({}) → ({})", params.join(", "), results.join(", ")),
        _ => name,
    }
}

/// The module and that version of it which is on this device: the installed one, else any that is here.
pub fn find_runnable(page: &ModulePage) -> Option<(String, String)> {
    let installed = page.installed.as_ref().map(|installed| &installed.summary.version);
    let here = || page.versions.iter().find(|version| version.here).map(|version| &version.summary.version);
    installed.or_else(here).map(|version| (page.name.clone(), version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(module: Option<&str>, name: &str, params: &[&str]) -> Extern {
        Extern {
            module: module.map(str::to_owned),
            name: name.to_owned(),
            kind: ExternKind::Function {
                params: params.iter().map(|one| (*one).to_owned()).collect(),
                results: Vec::new(),
            },
        }
    }

    fn side<'a>(imports: &'a [Extern], exports: &'a [Extern], bytes: u64) -> Interface<'a> {
        Interface { imports, exports, bytes }
    }

    #[test]
    fn equal_versions_do_not_differ() {
        let same = [function(None, "run", &["i32"])];
        let difference = compare(side(&[], &same, 10), side(&[], &same, 12));
        assert_eq!(difference, Difference { lines: Vec::new(), sizes: (10, 12) });
        assert_eq!(compare(side(&[], &[], 0), side(&[], &[], 0)).lines, []);
    }

    #[test]
    fn what_went_comes_before_what_came() {
        let old = [function(None, "run", &["i32"]), function(None, "stop", &[])];
        let new = [function(None, "run", &["i64"]), function(None, "stop", &[])];
        let imports = [function(Some("env"), "log", &[])];
        assert_eq!(
            compare(side(&[], &old, 1), side(&imports, &new, 2)).lines,
            [
                ('+', "asks for env.log() → ()".to_owned()),
                ('−', "offers run(i32) → ()".to_owned()),
                ('+', "offers run(i64) → ()".to_owned()),
            ]
        );
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        let (a, b) = (function(None, "a", &[]), function(None, "ż", &[]));
        let (old, new) = ([a.clone(), b.clone()], [b.clone(), a, b]);
        assert_eq!(compare(side(&old, &[], 0), side(&new, &[], 0)).lines, []);
        let memory = Extern { module: Some("env".to_owned()), name: "memory".to_owned(), kind: ExternKind::Memory };
        assert_eq!(format_extern(&memory), "env.memory");
    }
}
