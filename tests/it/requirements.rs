//! Requirements on versions: Cargo's rules, which are those of this network, and where node-semver's are the same, differ,
//! or are not known. (The Cargo book, "Specifying dependencies"; node-semver's README, "Ranges"; semver.org, item 11.)

use gen_registry_core::modules::version::{parse_requirement, parse_version};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    rule: String,
    requirement: String,
    /// None: the text is no requirement here.
    takes: Option<Vec<String>>,
    #[serde(default)]
    leaves: Vec<String>,
}

fn cases(file: &str) -> Vec<Case> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/requirements").join(file);
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 5);
    cases
}

#[test]
fn requirements_match_versions_by_the_rules() {
    for Case { rule, requirement, takes, leaves } in cases("cargo.json").into_iter().chain(cases("node.json")) {
        let parsed = parse_requirement(&requirement);
        let Some(takes) = takes else {
            assert!(parsed.is_err(), "{rule}: {requirement}");
            continue;
        };
        let parsed = parsed.unwrap_or_else(|error| panic!("{requirement}: {error}"));
        for (versions, expected) in [(takes, true), (leaves, false)] {
            for version in versions {
                let version = parse_version(&version).unwrap();
                assert_eq!(parsed.matches(&version), expected, "{rule}: {requirement} and {version}");
            }
        }
    }
}

/// The example of semver.org, item 11, and numbers that are no texts.
#[test]
fn versions_are_ordered() {
    let order = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.9",
        "1.0.10",
        "1.9.0",
        "1.10.0",
        "2.0.0",
    ];
    let versions: Vec<_> = order.iter().map(|text| parse_version(text).unwrap()).collect();
    assert!(versions.windows(2).all(|two| two[0] < two[1]), "{versions:?}");
}
