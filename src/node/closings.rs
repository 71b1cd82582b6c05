//! The paths of what earlier witness sets confirmed.
//!
//! Once a set was succeeded its receipts count no more. What it confirmed counts with its path under the root that the
//! change of the set names, and a node that knew a name before has its receipts and no path. It asks a witness of the
//! present set for the list of all facts under the root, page by page, checks that the list has that root, and computes
//! each path itself:
//!
//! ```text
//!   follows change 1 ─► rose counts no more ─► list of set 0 (32 bytes for each fact) ─► root as in the change
//!        ─► path of rose ─► stored, and passed on to peers as receipts are ─► rose counts again
//! ```
//!
//! A witness can withhold a list, not alter it; then the next one is asked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::receipts::{Known, WitnessLink, with};
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::PublicKey;
use gen_registry_core::log::EntryId;
use gen_registry_core::network::{Closing, FactList};
use gen_registry_core::receipt::ProvenPath;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire::{Answer, ClosingPage, FACTS_PAGE_MAX, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;

/// The most facts of a list that is fetched: as many receipts as a witness gives at most.
const LIST_FACTS_MAX: u64 = 1_000_000;
/// The most facts of all lists that are kept for what comes later. Each takes about a hundred bytes.
const KEPT_FACTS_MAX: u64 = 65_536;
/// The most pages that are asked for at one time: a sixth of what a witness answers one peer in a minute.
const PAGES_AT_ONCE: usize = 20;
/// How long to wait after a list that was none.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How long a list that is not kept is not fetched again.
const REFETCH_AFTER: Duration = Duration::from_secs(10 * 60);

/// The lists of closed sets, as far as they are here.
#[derive(Default)]
pub(crate) struct Closings {
    lists: RefCell<BTreeMap<u32, ClosedList>>,
}

/// How far the list of one closed set is here.
#[derive(Default)]
struct ClosedList {
    /// The first facts of the list, while it is fetched.
    facts: Vec<Digest>,
    /// The whole list, if it is kept.
    kept: Option<Rc<FactList>>,
    /// How many times a witness gave nothing, or something else.
    failures: usize,
    /// The earliest time at which it is asked for again.
    again: Timestamp,
}

/// What became of one question.
enum Page {
    Facts(Vec<Digest>),
    /// The witness can't be reached, or is busy.
    Nothing,
    /// It gives what can't be a page of the list.
    Wrong,
}

impl Closings {
    /// Returns the paths of the facts here that only their path confirms and that lack it, as pieces to admit. Asks for a
    /// list only if there is such a fact. `witnesses` are those of the present set that can be reached.
    pub(crate) async fn paths(
        &self,
        known: &dyn Known,
        witnesses: &[PublicKey],
        link: &dyn WitnessLink,
        now: Timestamp,
    ) -> Vec<Piece> {
        let closed = with(known, |registry| registry.history().number());
        let mut pieces = Vec::new();
        for set in 0..closed {
            let lacking = with(known, unconfirmed);
            if lacking.is_empty() {
                break;
            }
            let Some(list) = self.list_of(set, known, witnesses, link, now).await else { continue };
            pieces.extend(lacking.iter().filter_map(|entry| path_of(&list, set, entry)));
        }
        pieces
    }

    /// Returns the list of a closed set: the kept one, or once its last page is here.
    async fn list_of(
        &self,
        set: u32,
        known: &dyn Known,
        witnesses: &[PublicKey],
        link: &dyn WitnessLink,
        now: Timestamp,
    ) -> Option<Rc<FactList>> {
        let closing = with(known, |registry| registry.history().closing_of(set).map(|change| change.change().closing))?;
        let topic = with(known, Registry::topic);
        let ClosedList { mut facts, kept, failures, again } = self.lists.borrow_mut().remove(&set).unwrap_or_default();
        let is_due = kept.is_none() && now >= again && (1..=LIST_FACTS_MAX).contains(&closing.facts);
        let Some(witness) = witnesses.get(failures % witnesses.len().max(1)).filter(|_| is_due) else {
            self.lists.borrow_mut().insert(set, ClosedList { facts, kept: kept.clone(), failures, again });
            return kept;
        };
        let (mut is_wrong, before) = (false, facts.len());
        for _ in 0..PAGES_AT_ONCE {
            match ask(link, witness, &topic, set, &facts, &closing).await {
                Page::Facts(page) => facts.extend(page),
                Page::Nothing => break,
                Page::Wrong => is_wrong = true,
            }
            if is_wrong || facts.len() as u64 >= closing.facts {
                break;
            }
        }
        let is_whole = facts.len() as u64 == closing.facts;
        let list = is_whole.then(|| Rc::new(FactList::new(facts.iter().copied())));
        let list = list.filter(|list| Closing::of(list) == closing);
        let mut lists = self.lists.borrow_mut();
        let next = match &list {
            Some(list) => {
                let others: u64 =
                    lists.values().filter_map(|other| other.kept.as_ref()).map(|list| list.root().1).sum();
                let kept = (others + closing.facts <= KEPT_FACTS_MAX).then(|| list.clone());
                ClosedList { kept, again: now.plus(REFETCH_AFTER), ..ClosedList::default() }
            }
            None if is_whole || is_wrong => {
                tracing::warn!(set, "a witness gave another list than the one that the change of the set names");
                ClosedList { failures: failures + 1, again: now.plus(RETRY_AFTER), ..ClosedList::default() }
            }
            // The next one goes on where this one gave nothing.
            None => {
                let failures = failures + usize::from(facts.len() == before);
                ClosedList { facts, kept: None, failures, again }
            }
        };
        lists.insert(set, next);
        list
    }
}

/// Asks for the page behind the facts that are here.
async fn ask(
    link: &dyn WitnessLink,
    witness: &PublicKey,
    topic: &Topic,
    set: u32,
    facts: &[Digest],
    closing: &Closing,
) -> Page {
    let request = Request::Closing(ClosingPage { topic: *topic, set, from: facts.len() as u64 }).encode();
    let answer = link.ask(witness, &request).await.and_then(|bytes| Answer::decode(&bytes).ok());
    let Some(Answer::Facts(page)) = answer else { return Page::Nothing };
    let left = closing.facts - facts.len() as u64;
    let ascend = facts.last().into_iter().chain(&page).is_sorted_by(|one, next| one < next);
    if page.len() as u64 == left.min(FACTS_PAGE_MAX as u64) && ascend { Page::Facts(page) } else { Page::Wrong }
}

/// The facts that witnesses sign and that nothing here confirms.
fn unconfirmed(registry: &Registry) -> Vec<EntryId> {
    let (confirmations, history) = (registry.confirmations(), registry.history());
    let lacking = registry.facts().all().filter(|fact| !confirmations.is_confirmed(history, &fact.id));
    lacking.filter(|fact| !fact.slots().is_empty()).map(|fact| fact.id).collect()
}

fn path_of(list: &FactList, set: u32, entry: &EntryId) -> Option<Piece> {
    let path = list.path(entry.digest())?;
    Some(Piece::Path(*entry, ProvenPath { set, path }.encode()))
}

#[cfg(test)]
mod tests;
