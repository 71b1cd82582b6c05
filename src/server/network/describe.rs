//! A network in words, for operators.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;

use crate::keys::witness_text;
use gen_registry_api::describe_resilience;
use gen_registry_core::book::handover::Gathered;
use gen_registry_core::network::{NetworkHistory, SignedSetChange, WitnessSet};
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;

/// Returns what a network is: who witnesses, what the set bears, by which numbers it judges.
pub fn describe(network: &Network) -> String {
    let (history, set) = (network.history(), network.history().set());
    let (genesis, parameters) = (history.genesis(), &history.genesis().parameters);
    let mut lines = vec![
        ("Name", genesis.name.clone()),
        ("Topic", String::from(network.topic)),
        (
            "Founded",
            if genesis.created_at == Timestamp::default() { "built in".into() } else { date(genesis.created_at) },
        ),
    ];
    lines.extend(lines_of_set(set));
    lines.push(("Hold", span(parameters.hold)));
    lines.push(("Cool-down", span(parameters.cool_down)));
    lines.push(("Names", format!("{} usernames and {} modules each", parameters.usernames, parameters.modules)));
    lines.push(("Work", format!("{} bits for a claim", parameters.work_bits)));
    lines.push(("Skew", span(parameters.skew)));
    if parameters.are_for_tests() {
        lines.push(("For tests", "its waits are too short for names that matter".into()));
    }
    if history.changes().is_empty() {
        lines.push(("Changes", "none".into()));
    }
    let changes = history.changes().iter();
    lines.extend(changes.map(|change| ("Change", format!("{} {}", change.change().number, change.digest()))));
    lines.extend(network.relays.iter().map(|relay| ("Relay", relay.clone())));
    text_of(&lines)
}

/// Returns what a change does, what it closes, and whose turn it is. `file` is where it was written.
pub fn describe_change(history: &NetworkHistory, signed: &SignedSetChange, gathered: &Gathered, file: &Path) -> String {
    let (change, before) = (signed.change(), history.set());
    let mut lines = vec![
        ("Network", history.genesis().name.clone()),
        ("Topic", String::from(history.topic())),
        ("Change", format!("{} {}", change.number, signed.digest())),
    ];
    lines.extend(lines_of_set(&change.set));
    let root = change.closing.root;
    lines.push(("Closes", format!("{} facts that the set before confirmed, under {root}", change.closing.facts)));
    lines.push(("Hand-overs", format!("of {} witnesses of {}", gathered.files(), before.witnesses.len())));
    if gathered.passed_over() > 0 {
        let what = "facts in them do not prove themselves and were passed over";
        lines.push(("Attention", format!("{} {what}", gathered.passed_over())));
    }
    let (signers, needed) = (signed.signers_of(before), usize::from(before.threshold));
    lines.push(("Signed by", format!("{signers} of the {needed} that are needed")));
    let file = file.display();
    let next = match needed.saturating_sub(signers) {
        0 => format!("Write the network's new file: gen-registry network apply {file} --network … --out FILE"),
        missing => format!(
            "Compare the witnesses above with what was agreed, then pass {file} on: {missing} more {} to sign it with \
             `gen-registry network sign`",
            if missing == 1 { "operator has" } else { "operators have" }
        ),
    };
    lines.push(("Next", next));
    text_of(&lines)
}

fn lines_of_set(set: &WitnessSet) -> Vec<(&'static str, String)> {
    let mut lines: Vec<_> = set.witnesses.iter().map(|witness| ("Witness", witness_text(witness))).collect();
    let (witnesses, threshold) = (set.witnesses.len() as u64, u64::from(set.threshold));
    lines.push(("Confirms", describe_resilience(witnesses, threshold, set.may_lose() as u64, set.may_lie() as u64)));
    lines.extend(set.succession.iter().map(|key| ("Succession", key.to_string())));
    lines
}

fn text_of(lines: &[(&str, String)]) -> String {
    lines.iter().fold(String::new(), |mut text, (what, value)| {
        writeln!(text, "{what:<11} {value}").expect("a text takes all");
        text
    })
}

/// A span in its largest whole unit.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        _ if seconds >= 172_800 && seconds.is_multiple_of(86_400) => format!("{} days", seconds / 86_400),
        _ if seconds >= 7_200 && seconds.is_multiple_of(3_600) => format!("{} hours", seconds / 3_600),
        _ if seconds >= 120 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

/// A day and a time in UTC; the milliseconds where that is no date of a calendar.
fn date(at: Timestamp) -> String {
    let millis = at.as_millis();
    match i64::try_from(millis / 1_000).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()) {
        Some(at) => format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()),
        None => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_are_those_of_a_calendar() {
        for (millis, day) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_800_000_000_000, "2027-01-15 08:00 UTC"),
        ] {
            assert_eq!(date(Timestamp::from_millis(millis)), day);
        }
        assert_eq!(date(Timestamp::from_millis(u64::MAX)), "18446744073709551615 ms");
        let spans =
            [(20, "20 seconds"), (300, "5 minutes"), (259_200, "3 days"), (86_400, "24 hours"), (90, "90 seconds")];
        for (seconds, text) in spans {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn network_is_described_with_what_it_bears() {
        let text = describe(&Network::default());
        assert!(text.contains(&String::from(Network::default().topic)), "{text}");
        assert!(text.contains("There are no witnesses") && text.contains("built in"), "{text}");
    }
}
