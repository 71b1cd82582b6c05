//! Who holds a name, as data: every file of `tests/fixtures/claims` is a set of facts and what follows from it.
//!
//! `BLESS=1 cargo test --test it claims` writes the outcome into the files; read the difference before keeping it.
//! Times are minutes. Each fixture is resolved in several orders and with every fact given twice.

use std::collections::BTreeMap;
use std::path::Path;

use gen_registry_core::fact::{Fact, SignedFact};
use gen_registry_core::identity::Identity;
use gen_registry_core::name::{NameKind, Username};
use gen_registry_core::ownership::{Evidence, NameState, Position, Rules};
use gen_registry_core::time::Timestamp;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::support::people::{claim, person, receipt, release};

const MINUTE: u64 = 60_000;
const ORDERS: u64 = 50;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fixture {
    about: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    witnesses: Vec<String>,
    #[serde(default)]
    threshold: usize,
    observed_at: u64,
    facts: Vec<Line>,
    #[serde(default)]
    outcome: BTreeMap<String, Outcome>,
}

/// One fact: `{"id": "a", "by": "alice", "claims": "nova", "at": 5}`, or `releases` / `receipts` with an id.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claims: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    releases: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipts: Option<String>,
    at: u64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Outcome {
    holder: Option<String>,
    spelled: Option<String>,
    status: Option<String>,
    /// Minutes; `confirmed 5` or `provisional 5`.
    position: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    free_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    losers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held_back: Vec<String>,
}

#[test]
fn every_fixture_resolves_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/claims");
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "the fixtures of the rules are missing");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut fixture: Fixture = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let outcome = resolve(&fixture);
        if bless {
            fixture.outcome = outcome;
            std::fs::write(&file, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
        } else {
            assert_eq!(outcome, fixture.outcome, "{}: {}", file.display(), fixture.about);
        }
    }
}

fn resolve(fixture: &Fixture) -> BTreeMap<String, Outcome> {
    let mut ids: BTreeMap<String, SignedFact> = BTreeMap::new();
    let mut facts = Vec::new();
    let mut people: BTreeMap<Identity, String> = BTreeMap::new();
    for line in &fixture.facts {
        let author = person(&line.by);
        people.insert(author.identity(), line.by.clone());
        let time = Timestamp::from_millis(line.at * MINUTE);
        let fact = match (&line.claims, &line.releases, &line.receipts) {
            (Some(name), None, None) => claim(&author, name, time),
            (None, Some(id), None) => release(&author, &ids[id], time),
            (None, None, Some(id)) => receipt(&author, &ids[id], time),
            _ => panic!("a line says one thing"),
        };
        if let Some(id) = &line.id {
            ids.insert(id.clone(), fact.clone());
        }
        facts.push(fact);
    }
    let witnesses = fixture.witnesses.iter().map(|name| person(name).identity()).collect();
    let rules = Rules { witnesses, threshold: fixture.threshold, work_bits: 0 };
    let observed_at = Timestamp::from_millis(fixture.observed_at * MINUTE);
    let named = |identity: &Identity| people[identity].clone();

    let mut first: Option<BTreeMap<String, Outcome>> = None;
    for seed in 0..ORDERS {
        let mut order: Vec<&SignedFact> = facts.iter().chain(&facts).collect();
        order.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
        let mut evidence = Evidence::new(rules.clone());
        for fact in order {
            evidence.add(fact);
        }
        let outcome: BTreeMap<String, Outcome> = facts
            .iter()
            .filter_map(|fact| match fact.statement() {
                Fact::NameClaim(claim) => Some(claim.name.as_str().parse::<Username>().unwrap()),
                _ => None,
            })
            .map(|name| {
                let state = evidence.resolve(&(NameKind::Username, name.folded()), observed_at);
                (name.folded().as_str().to_owned(), describe(&state, &named, &ids))
            })
            .collect();
        match &first {
            Some(first) => assert_eq!(*first, outcome, "another order gives another outcome: {}", fixture.about),
            None => first = Some(outcome),
        }
    }
    first.unwrap()
}

fn describe(state: &NameState, named: &impl Fn(&Identity) -> String, ids: &BTreeMap<String, SignedFact>) -> Outcome {
    let minutes = |time: Timestamp| time.as_millis() / MINUTE;
    let holder = state.holder();
    let given_up = state.given_up();
    let mut losers: Vec<String> = state
        .losers
        .iter()
        .map(|loser| {
            let reason = serde_json::to_value(&loser.reason).unwrap();
            format!("{}: {}", named(&loser.author), reason["rule"].as_str().unwrap())
        })
        .collect();
    losers.sort();
    let id = |hash| ids.iter().find(|(_, fact)| fact.hash() == hash).map_or("?".to_owned(), |(id, _)| id.clone());
    Outcome {
        holder: holder.map(|tenure| named(&tenure.holder)),
        spelled: holder.map(|tenure| tenure.spelled.as_str().to_owned()),
        status: state.status().map(|status| serde_json::to_value(status).unwrap().as_str().unwrap().to_owned()),
        position: holder.map(|tenure| match tenure.position {
            Position::Confirmed(at) => format!("confirmed {}", minutes(at)),
            Position::Provisional(at) => format!("provisional {}", minutes(at)),
        }),
        given_up_by: given_up.map(|(tenure, _)| named(&tenure.holder)),
        free_at: given_up.map(|(_, at)| minutes(at)),
        losers,
        held_back: state.held_back.iter().map(|(hash, _)| id(*hash)).collect(),
    }
}
