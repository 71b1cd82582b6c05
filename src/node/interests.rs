//! Which identities this profile is interested in, and which peers get credit for their changes.
//!
//! Identities are free, so changes that a peer delivers are no evidence of its usefulness in general. They count
//! for its reputation only if they are of an identity that the person *chose*: followed, trusted, the holder of a followed or
//! installed module, or just looked at; and of each of them once a day, for whichever peer brings it first.
//!
//! ```text
//!   Alice follows Bob and looks at the page of `crc32`, which Carol holds
//!   peer 1 brings 3 changes of Bob, 1 of Carol, 900 of others     peer 1: 2 people    Bob, Carol: 1 each
//!   peer 2 brings one more change of Bob, an hour later           nothing
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crate::context::Context;
use crate::retention::Retainer;
use gen_registry_api::Answer;
use gen_registry_core::keys::Did;
use gen_registry_core::retention::WANTED_MAX;
use gen_registry_core::time::Timestamp;

/// Most recently viewed people that are remembered: more than a person opens in an evening.
const LOOKED_AT_MAX: usize = 64;
/// How long after an identity earned somebody a credit it earns the next one. A day: who writes all day long helps no
/// peer more than who writes once.
const CREDIT_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The service that tracks these interests.
pub(crate) struct Interests {
    context: Rc<Context>,
    retainer: Rc<Retainer>,
    /// Most recently viewed identities, the newest last.
    looked_at: RefCell<VecDeque<Did>>,
    /// When each of them earned somebody a credit last. Not stored: a restart gives one more.
    credited: RefCell<BTreeMap<Did, Timestamp>>,
}

impl Interests {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, retainer: Rc<Retainer>) -> Self {
        Self { context, retainer, looked_at: RefCell::default(), credited: RefCell::default() }
    }

    /// Records the identity whose page an answer shows.
    pub(crate) fn note_answer(&self, answer: &Answer) {
        let shown = match answer {
            Answer::Person(Some(person)) => Some(&person.did),
            Answer::Name(report) => report.holder.as_ref().map(|holder| &holder.person.did),
            Answer::Module(Some(page)) => Some(&page.holder.did),
            _ => None,
        };
        let Some(shown) = shown.and_then(|did| did.parse().ok()) else { return };
        let mut looked_at = self.looked_at.borrow_mut();
        looked_at.retain(|did| *did != shown);
        looked_at.push_back(shown);
        if looked_at.len() > LOOKED_AT_MAX {
            looked_at.pop_front();
        }
    }

    /// Returns those of the identities that are of interest and have not been credited within a day, and marks them as
    /// credited.
    pub(crate) fn take_credits<'a>(&self, brought: impl IntoIterator<Item = &'a Did>) -> Vec<Did> {
        let brought: BTreeSet<Did> = brought.into_iter().copied().collect();
        if brought.is_empty() {
            return Vec::new();
        }
        let now = self.context.now();
        let chosen: BTreeSet<Did> = self.retainer.chosen().into_iter().collect();
        let looked_at = self.looked_at.borrow();
        let is_of_use = |did: &Did| chosen.contains(did) || looked_at.contains(did);
        let mut credited = self.credited.borrow_mut();
        let earning = brought.into_iter().filter(is_of_use);
        let earning: Vec<Did> =
            earning.filter(|did| credited.get(did).is_none_or(|last| last.plus(CREDIT_EVERY) <= now)).collect();
        if credited.len() + earning.len() > WANTED_MAX {
            credited.retain(|_, last| last.plus(CREDIT_EVERY) > now);
        }
        credited.extend(earning.iter().map(|did| (*did, now)));
        earning
    }
}
