//! `public/gen-registry.d.ts` says what the program does: every function, every member of every answer, every code.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gen_registry_api::*;
use serde_json::{Map, Value};

mod shapes;

use shapes::Shapes;

/// Names that are shorter for scripts than in here.
const RENAMED: [(&str, &str); 9] = [
    ("PeerEntry", "Peer"),
    ("RelayEntry", "Relay"),
    ("BlockListReport", "BlockList"),
    ("FollowRow", "Follow"),
    ("NoticeList", "Notices"),
    ("Outcome", "CheckOutcome"),
    ("Memory", "ModuleMemory"),
    ("Custom", "CustomSection"),
    ("Failure", "Error"),
];
/// What no answer is: the functions, what is given to them, and two that are put together by hand (`src/ui/js_api.rs`,
/// `registry::validation::Extern`).
const NO_ANSWERS: [&str; 6] =
    ["GenRegistry", "PublishDraft", "ModuleListOptions", "ModuleSearchOptions", "UsernameList", "Extern"];
/// What scripts never get: lists are not paged for them, and other questions are the page's own.
const NOT_FOR_SCRIPTS: [&str; 1] = ["ExternKind"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The declarations without their comments.
fn typings() -> String {
    let text = read("public/gen-registry.d.ts");
    let parts = text.split("/**").enumerate();
    parts.map(|(nth, part)| if nth == 0 { part } else { part.split_once("*/").unwrap().1 }).collect()
}

/// What stands between the first brace of `text` and the one that closes it.
fn braced(text: &str) -> &str {
    let start = text.find('{').unwrap() + 1;
    let mut depth = 1;
    let end = text[start..].find(|letter| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth == 0
    });
    &text[start..start + end.unwrap()]
}

/// The names of the members; overloads of a function are one.
fn members(body: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let parts = body.split(|letter| {
        depth += i32::from("{([".contains(letter)) - i32::from("})]".contains(letter));
        letter == ';' && depth == 0
    });
    let name = |part: &str| {
        part.trim().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
    };
    parts.filter_map(name).filter(|name| !name.is_empty()).collect()
}

fn interfaces(typings: &str) -> BTreeMap<String, BTreeSet<String>> {
    let declared = typings.split("export interface ").skip(1);
    declared.map(|text| (text.split([' ', '<']).next().unwrap().to_owned(), members(braced(text)))).collect()
}

/// The functions that scripts can call.
pub(crate) fn functions() -> BTreeSet<String> {
    interfaces(&typings()).remove("GenRegistry").unwrap()
}

fn owned(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Everything that scripts get.
fn answers() -> Shapes {
    let shapes = RefCell::default();
    macro_rules! of {
        ($($type:ty)*) => { $(let _made: Option<$type> = shapes::add(&shapes);)* };
    }
    of!(Me Protection Profile ProfileChanges LostName UsernameEntry HistoryEntry Imported NetworkReport PeerEntry
        Reputation BlockListReport FollowRow NoticeList Report CheckOutcome Memory Custom Published ModulePage ModuleChanges
        ModuleList SearchResults InstallPlan InstalledModule InstallProgress RunOutcome FindReport OnlineReport
        ChannelEntry MessagePage ChatMessage Statistics PresenceNews FailureCode ModuleSort ModuleKind ConnectionState);
    shapes.into_inner()
}

type CheckOutcome = gen_registry_core::validation::CheckOutcome;

#[test]
fn every_answer_has_the_members_that_the_typings_tell_of() {
    let typings = typings();
    let declared = interfaces(&typings);
    let answers = answers();
    let mut told = BTreeSet::new();
    for (name, fields) in &answers.structs {
        let name = RENAMED.iter().find(|(here, _)| here == name).map_or(*name, |(_, there)| there);
        assert_eq!(declared.get(name), Some(&owned(fields)), "{name}");
        told.insert(name);
    }
    assert!(told.len() > 40, "most of them were looked at: {told:?}");
    let untold: Vec<&String> =
        declared.keys().filter(|name| !told.contains(name.as_str()) && !NO_ANSWERS.contains(&name.as_str())).collect();
    assert_eq!(untold, [""; 0], "nothing is told of that is no more");
}

#[test]
fn every_code_is_in_the_typings() {
    let words = typings().split_whitespace().collect::<Vec<_>>().join(" ");
    let enums = answers().enums;
    assert!(enums.contains_key("FailureCode") && enums.contains_key("NoticeKind"));
    for (name, variants) in enums.iter().filter(|(name, _)| !NOT_FOR_SCRIPTS.contains(name)) {
        // In any order, but all of them and nothing else.
        let union = words.split([':', '=', ';', '}', ')', ',']).any(|part| {
            let codes: BTreeSet<String> = part
                .split('|')
                .map(|code| code.trim().trim_matches('"').to_owned())
                .filter(|code| !code.is_empty() && code != "null")
                .collect();
            codes == owned(variants)
        });
        assert!(union, "{name}: {variants:?}");
    }
}

#[test]
fn every_event_is_in_the_typings() {
    let shapes = RefCell::default();
    macro_rules! blank {
        () => {
            shapes::add(&shapes).expect("a plain type")
        };
    }
    let all = [
        Event::MeChanged,
        Event::PeopleChanged { dids: Vec::new() },
        Event::NameLost { lost: blank!() },
        Event::ModulesChanged { names: Vec::new() },
        Event::Announcement { notice: blank!() },
        Event::Installing { progress: blank!() },
        Event::NetworkChanged,
        Event::Presence { what: blank!(), did: String::new(), username: None, node: None, channel: None },
        Event::Message { message: blank!(), muted: false },
        Event::ChannelsChanged,
        Event::Conflict { name: String::new(), holder: None, losers: Vec::new() },
        Event::Quarantined { table: String::new(), key: String::new() },
        Event::WriterChanged,
        Event::ReloadNeeded,
    ];
    let real: BTreeMap<String, BTreeSet<String>> = all
        .iter()
        .map(|event| {
            // As `src/ui/js_api.rs` gives them: the kind stands beside the rest.
            let (kind, rest) = match serde_json::to_value(event).unwrap() {
                Value::String(kind) => (kind, Map::new()),
                Value::Object(one) => {
                    let (kind, rest) = one.into_iter().next().unwrap();
                    (kind, rest.as_object().unwrap().clone())
                }
                other => panic!("{other}"),
            };
            (kind, rest.into_iter().map(|(name, _)| name).chain(["event".to_owned()]).collect())
        })
        .collect();
    // None was forgotten above: whoever reads an unknown one names them all.
    let unknown = serde_json::from_str::<Event>(r#""?""#).unwrap_err().to_string();
    assert_eq!(unknown.matches('`').count() / 2 - 1, real.len(), "{unknown}");

    let typings = typings();
    let (_, union) = typings.split_once("export type RegistryEvent =").unwrap();
    let (union, _) = union.split_once("export ").unwrap();
    let told = union.split("| {").skip(1).map(|part| {
        let body = part.rsplit_once('}').unwrap().0;
        (body.split('"').nth(1).unwrap().to_owned(), members(body))
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), real);
}

#[test]
fn every_function_is_in_the_typings() {
    let mut real = BTreeSet::new();
    for file in [
        "js_api.rs",
        "js_api/find.rs",
        "js_api/modules.rs",
        "js_api/notices.rs",
        "js_api/block_list.rs",
        "js_api/chat.rs",
    ] {
        let source = read(&format!("src/ui/{file}"));
        for block in source.split("#[wasm_bindgen]\nimpl GenRegistry {").skip(1) {
            let block = block.split("\n}").next().unwrap();
            let mut renamed = None;
            for line in block.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix("#[wasm_bindgen(js_name = ") {
                    renamed = name.strip_suffix(")]");
                }
                let function = line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
                if let Some(function) = function {
                    real.insert(renamed.take().unwrap_or_else(|| function.split('(').next().unwrap()).to_owned());
                }
            }
        }
    }
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/js_api")).unwrap().count();
    assert_eq!(files, 5, "every file of src/ui/js_api is looked at");
    assert!(real.len() > 50, "{real:?}");
    assert_eq!(interfaces(&typings())["GenRegistry"], real);
}
