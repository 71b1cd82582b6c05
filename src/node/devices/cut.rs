//! Where a device's logs end when it is revoked.
//!
//! A cut names the last good entry of each log. The person chooses one entry: "that one was still mine". It ends its own
//! log; the device's other logs end at the date of that entry, before the first entry that says it is younger.

use gen_registry_core::document::Document;
use gen_registry_core::log::{Chain, EntryId, LogId, Opening};
use gen_registry_core::outcome::Fact;
use gen_registry_core::registry::Registry;
use gen_registry_core::statement::{CUT_LOGS_MAX, Cut, CutLog};
use gen_registry_core::time::Timestamp;

/// What is kept of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Everything,
    UpTo(EntryId),
    Nothing,
}

/// Returns the cut, or `None` if the entry is none of that device.
pub(crate) fn cut_of(registry: &Registry, document: &Document, opening: &Opening, keep: Keep) -> Option<Cut> {
    let facts = opening.log();
    let chosen: Option<CutLog> = match keep {
        Keep::Nothing => return Some(Cut::default()),
        Keep::Everything => None,
        Keep::UpTo(entry) => {
            let place = registry.header(&entry)?.header();
            if (place.log.opening, place.log.device) != (facts.opening, facts.device) {
                return None;
            }
            Some(CutLog { log: place.log.number, seq: place.seq, entry })
        }
    };
    let did = opening.did();
    let logs = registry.logs_of(&did).filter(|(log, _)| log.opening == facts.opening);
    let until = chosen.and_then(|chosen| date_of(registry, document, &chosen.entry));
    let last = |log: &LogId, chain: &Chain| {
        if let Some(chosen) = chosen.filter(|chosen| chosen.log == log.number) {
            return Some(chosen);
        }
        let is_late = |seq: &u64| {
            let date = chain.entry(*seq).and_then(|entry| date_of(registry, document, &entry));
            until.zip(date).is_some_and(|(until, date)| date > until)
        };
        let end = (chain.base()..chain.len()).find(is_late).unwrap_or(chain.len());
        let seq = end.checked_sub(1)?;
        chain.entry(seq).map(|entry| CutLog { log: log.number, seq, entry })
    };
    // The newest logs, if there are more than a cut can name.
    let mut ends: Vec<CutLog> = logs.filter_map(|(log, chain)| last(log, chain)).collect();
    let facts_end = ends.iter().position(|end| end.log == facts.number).map(|at| ends.remove(at));
    let spare = ends.len().saturating_sub(CUT_LOGS_MAX - 1);
    Some(Cut::new(facts.opening, facts_end.into_iter().chain(ends.into_iter().skip(spare))))
}

/// When an entry says that it was written.
pub(crate) fn date_of(registry: &Registry, document: &Document, entry: &EntryId) -> Option<Timestamp> {
    match registry.facts().get(entry) {
        Some(fact) => date_of_fact(fact).or_else(|| registry.witnessed_at(entry)),
        None => document.written_at(entry),
    }
}

fn date_of_fact(fact: &Fact) -> Option<Timestamp> {
    let claim = fact.claim().map(|claim| claim.at);
    let release = fact.release().map(|release| release.at);
    claim.or(release).or(fact.mark().map(|mark| mark.at))
}
