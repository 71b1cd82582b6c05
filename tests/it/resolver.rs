//! Which versions are chosen, and what is said when none fit: fixtures with their outcomes, and a brute-force oracle.
//!
//! `BLESS=1 cargo test --test it resolver` writes the outcomes into `tests/fixtures/resolver/*.json`; read the difference
//! before keeping it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::{Catalogue, Dependency, Plan, ResolvableRelease, Unresolved, Versions, resolve};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

type Requirements = BTreeMap<String, VersionReq>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    about: String,
    catalogue: BTreeMap<String, BTreeMap<Version, Line>>,
    want: Requirements,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    locked: BTreeMap<String, Version>,
    #[serde(default)]
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    yanked: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    needs: Requirements,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    /// `name version`, in the order in which to install them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    install: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

fn name(text: &str) -> ModuleName {
    text.parse().unwrap()
}

fn dependencies(requirements: &Requirements) -> Vec<Dependency> {
    let dependency = |(module, requirement): (&String, &VersionReq)| Dependency {
        name: name(module),
        requirement: requirement.clone(),
    };
    requirements.iter().map(dependency).collect()
}

fn catalogue(fixture: &Fixture) -> Catalogue {
    let release = |line: &Line| ResolvableRelease { yanked: line.yanked, dependencies: dependencies(&line.needs) };
    let releases = |lines: &BTreeMap<Version, Line>| {
        lines.iter().map(|(version, line)| (version.clone(), release(line))).collect()
    };
    fixture.catalogue.iter().map(|(module, lines)| (name(module), releases(lines))).collect()
}

fn outcome(result: &Result<Plan, Unresolved>) -> Outcome {
    match result {
        Ok(plan) => Outcome {
            install: plan.order.iter().map(|name| format!("{name} {}", plan.versions[name])).collect(),
            explanation: None,
        },
        Err(why) => Outcome { install: Vec::new(), explanation: Some(why.to_string()) },
    }
}

#[test]
fn every_fixture_resolves_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resolver");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut fixture: Fixture = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let locked: Versions = fixture.locked.iter().map(|(module, version)| (name(module), version.clone())).collect();
        let found = outcome(&resolve(&dependencies(&fixture.want), &catalogue(&fixture), &locked));
        if env::var_os("BLESS").is_some() {
            fixture.outcome = found;
            fs::write(&path, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
        } else {
            assert_eq!(found, fixture.outcome, "{}: {}", path.display(), fixture.about);
        }
        count += 1;
    }
    assert!(count > 15, "the fixtures were found");
}

const NAMES: [&str; 5] = ["aa", "bb", "cc", "dd", "ee"];

/// A few modules with a few versions and wild requirements.
fn small_universe(random: &mut StdRng) -> Catalogue {
    let versions = ["0.1.0", "0.2.0", "1.0.0", "1.1.0-beta.1", "1.1.0", "2.0.0"];
    let requirements = ["*", "^1", ">=0.2", "=1.0.0", "<1.1", "^0.1", ">=1.1.0-beta.1", "^2", "~1.0"];
    let mut catalogue = Catalogue::new();
    for module in NAMES.iter().take(random.random_range(2..=NAMES.len())) {
        let releases = (0..random.random_range(1..=3)).map(|_| {
            let needs = (0..random.random_range(0..=2)).map(|_| Dependency {
                name: name(NAMES.choose(random).unwrap()),
                requirement: requirements.choose(random).unwrap().parse().unwrap(),
            });
            let dependencies = needs.collect();
            let version = versions.choose(random).unwrap().parse().unwrap();
            (version, ResolvableRelease { yanked: random.random_bool(0.15), dependencies })
        });
        catalogue.insert(name(module), releases.collect());
    }
    catalogue
}

fn meets(wants: &[Dependency], chosen: &Versions) -> bool {
    wants.iter().all(|want| chosen.get(&want.name).is_some_and(|version| want.requirement.matches(version)))
}

/// Whether `chosen` is a solution: everything wanted is there, and everything there has what it needs.
fn holds(wanted: &[Dependency], catalogue: &Catalogue, chosen: &Versions) -> bool {
    let sound = |(module, version): (&ModuleName, &Version)| {
        let release = catalogue.get(module).and_then(|releases| releases.get(version));
        release.is_some_and(|release| {
            let itself = release.dependencies.iter().any(|need| need.name == *module);
            !release.yanked && !itself && meets(&release.dependencies, chosen)
        })
    };
    meets(wanted, chosen) && chosen.iter().all(sound)
}

/// Tries every choice there is.
fn some_solution_exists(
    wanted: &[Dependency],
    catalogue: &Catalogue,
    modules: &[&ModuleName],
    chosen: &mut Versions,
) -> bool {
    let Some((module, rest)) = modules.split_first() else { return holds(wanted, catalogue, chosen) };
    if some_solution_exists(wanted, catalogue, rest, chosen) {
        return true;
    }
    for version in catalogue[*module].keys() {
        chosen.insert((*module).clone(), version.clone());
        if some_solution_exists(wanted, catalogue, rest, chosen) {
            return true;
        }
        chosen.remove(*module);
    }
    false
}

#[test]
fn resolver_agrees_with_exhaustive_search() {
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (mut found, mut none) = (0, 0);
    for _ in 0..1_500 {
        let catalogue = small_universe(&mut random);
        let wanted: Vec<Dependency> = (0..random.random_range(1..=2))
            .map(|_| Dependency { name: name(NAMES.choose(&mut random).unwrap()), requirement: VersionReq::STAR })
            .collect();
        let modules: Vec<&ModuleName> = catalogue.keys().collect();
        let exists = some_solution_exists(&wanted, &catalogue, &modules, &mut Versions::new());
        let result = resolve(&wanted, &catalogue, &Versions::new());
        match &result {
            Ok(plan) => {
                assert!(exists && holds(&wanted, &catalogue, &plan.versions), "{catalogue:?}\n{wanted:?}\n{plan:?}");
                for (at, module) in plan.order.iter().enumerate() {
                    let release = &catalogue[module][&plan.versions[module]];
                    let after = |need: &Dependency| !plan.order[..at].contains(&need.name);
                    assert!(!release.dependencies.iter().any(after), "{module} before what it needs: {:?}", plan.order);
                }
                assert_eq!(plan.order.len(), plan.versions.len());
                found += 1;
            }
            // The versions fit, but there is no order to install them in.
            Err(Unresolved::Cycle(path)) => {
                assert!(exists && path.len() > 1 && path.first() == path.last(), "{path:?}");
                found += 1;
            }
            Err(Unresolved::Impossible(wants)) => {
                assert!(!exists, "{catalogue:?}\n{wanted:?}");
                assert!(!wants.is_empty(), "a reason is given");
                assert!(wants.iter().any(|want| want.by.is_none()), "it begins with what was asked for");
                none += 1;
            }
            Err(Unresolved::TooHard) => panic!("a small universe is not hard"),
        }
        assert_eq!(resolve(&wanted, &catalogue, &Versions::new()), result, "the same each time");
    }
    assert!(found > 100 && none > 100, "both happen: {found} and {none}");
}

#[test]
fn hard_catalogue_is_given_up_after_bounded_steps() {
    // Every version of each module wants exactly its own number of all others: nothing fits but equal numbers, and the
    // last module has none.
    let count = 40;
    let versions: Vec<Version> = (0..count).map(|patch| Version::new(1, 0, patch)).collect();
    let mut catalogue = Catalogue::new();
    for module in 0..12 {
        let releases = versions.iter().map(|version| {
            let needs = (0..12).filter(|other| *other != module).map(|other| {
                let other_patch = (version.patch + other * module) % count;
                let requirement = format!(">=1.0.{}, <1.0.{}", other_patch.saturating_sub(2), other_patch + 3);
                let module = name(&format!("hard{}", char::from(b'a' + other as u8)));
                Dependency { name: module, requirement: requirement.parse().unwrap() }
            });
            (version.clone(), ResolvableRelease { yanked: false, dependencies: needs.collect() })
        });
        catalogue.insert(name(&format!("hard{}", char::from(b'a' + module as u8))), releases.collect());
    }
    let wanted = [Dependency { name: name("harda"), requirement: VersionReq::STAR }];
    // Whichever it comes to, it comes to an end.
    let _: Result<Plan, Unresolved> = resolve(&wanted, &catalogue, &Versions::new());
}
