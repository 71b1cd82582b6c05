//! `public/gen-registry.d.ts` is written by a test: the functions of the script interface by hand
//! (`src/ui/js_api/functions.d.ts`), every type from the Rust type that scripts really get.
//!
//! `make typings` (or `BLESS=1`) writes the file; without, a difference fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use gen_registry_api::*;
use ts_rs::{Config, TS, TypeVisitor};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Declarations by name.
struct Declarations {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Types of the language itself have no declaration of their own.
        if T::output_path().is_none() || self.found.contains_key(&T::ident(&self.config)) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        let declaration = format!("{docs}export {}", T::decl(&self.config));
        self.found.insert(T::ident(&self.config), declaration);
        T::visit_dependencies(self);
    }
}

/// Everything that a function of the script interface takes or returns, with all that it is made of.
fn declarations() -> BTreeMap<String, String> {
    let mut all = Declarations { config: Config::new().with_large_int("number"), found: BTreeMap::new() };
    macro_rules! add {
        ($($type:ty)*) => { $(all.visit::<$type>();)* };
    }
    add!(Event Failure FailureCode Me ProfileChanges UsernameEntry AnsweredBy FindReport NetworkReport PeerEntry Statistics Imported
        Reputation BlockListReport Decision FollowRow NoticeList Report Published ModulePage ModulePatch ModuleFilter ModuleSort
        ModuleList SearchResults NetworkSearchResults Requirement InstallPlan InstalledModule RunOutcome OnlineReport OnlineUser ChannelEntry
        MessagePage ChatMessage DeviceList DeviceCapabilities DeviceGrant DeviceEnd LastGood);
    all.found
}

fn typings() -> String {
    let functions = fs::read_to_string(root().join("src/ui/js_api/functions.d.ts")).unwrap();
    let types: Vec<String> = declarations().into_values().collect();
    format!("{functions}\n// ---- the types, from the program's own ----\n\n{}\n", types.join("\n\n"))
}

#[test]
fn typings_are_those_of_the_program() {
    let path = root().join("public/gen-registry.d.ts");
    let typings = typings();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &typings).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap();
    assert!(published == typings, "public/gen-registry.d.ts is out of date: make typings");
}

/// Names that the hand-written part uses and that come from nowhere would be errors in a script's editor.
#[test]
fn functions_name_only_types_that_exist() {
    let functions = fs::read_to_string(root().join("src/ui/js_api/functions.d.ts")).unwrap();
    let types = declarations();
    let code: String =
        functions.split("/**").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let names = code.split(|letter: char| !letter.is_alphanumeric());
    let language = ["Promise", "Uint8Array", "Record", "Array", "Partial", "Exclude", "K", "E", "Error"];
    let own = |name: &str| code.contains(&format!("interface {name}")) || code.contains(&format!("type {name}"));
    let unknown: Vec<&str> = names
        .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter(|name| !language.contains(name) && !own(name) && !types.contains_key(*name))
        .collect();
    assert_eq!(unknown, [""; 0]);
    assert!(types.len() > 50, "{}", types.len());
}
