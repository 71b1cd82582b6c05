//! Requests receipts of own facts from the witnesses at the relays: whenever there is a chance, until enough have
//! answered.
//!
//! A receipt is verified before it is written into the own document. A refusal changes nothing: who holds a name is
//! decided by the rules of the network, from what everyone can see. Without enough receipts a claim remains
//! provisional.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::Network;
use crate::context::Context;
use crate::key_store::KeyStore;
use crate::net::mesh::MeshHandle;
use crate::peers::PeerTable;
use crate::registry::Registry;
use gen_registry_api::Failure;
use gen_registry_core::digest::Digest;
use gen_registry_core::fact::{Fact, SignedFact};
use gen_registry_core::keys::Did;
use gen_registry_core::sync::witness::wire::{PROTOCOL, Request, WitnessAnswer, check_receipt};
use gen_registry_core::time::Timestamp;

/// After a refusal the same fact is shown again, later each time: the witness may have had its clock wrong, and a name
/// may become free.
const RETRY_FIRST: Duration = Duration::from_secs(30);
const RETRY_DOUBLINGS_MAX: u32 = 7;

/// The service that requests receipts.
pub(crate) struct ReceiptCollector {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    peers: Rc<PeerTable>,
    under_way: Cell<bool>,
    /// What was refused, how often, and when to ask again.
    refused: RefCell<BTreeMap<Digest, (u32, Timestamp)>>,
}

/// What asking for a receipt came to.
enum ReceiptRequest {
    Given,
    Refused,
    /// No witness answered.
    Nobody,
}

/// One asking at a time, however it ends.
struct UnderWay<'a>(&'a Cell<bool>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl ReceiptCollector {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, registry: Rc<Registry>, peers: Rc<PeerTable>) -> Self {
        Self { context, keys, registry, peers, under_way: Cell::default(), refused: RefCell::default() }
    }

    /// Requests what is missing, one fact after the other. Does nothing without witnesses, without a relay, while the
    /// key is locked, or while another collection is under way.
    pub(crate) async fn collect(&self) {
        let (Some(mesh), false) = (self.peers.mesh(), self.under_way.replace(true)) else { return };
        let _until_done = UnderWay(&self.under_way);
        for fact in self.facts_without_receipts() {
            match self.ask_for(&mesh, &fact).await {
                Ok(ReceiptRequest::Given) => drop(self.refused.borrow_mut().remove(&fact.hash())),
                Ok(ReceiptRequest::Refused) => self.schedule_retry(&fact),
                // The next chance comes with a relay or after a while.
                Ok(ReceiptRequest::Nobody) => return,
                Err(failure) => return tracing::warn!(code = ?failure.code, "a receipt could not be kept"),
            }
        }
    }

    fn schedule_retry(&self, fact: &SignedFact) {
        let mut refused = self.refused.borrow_mut();
        let (times, again) = refused.entry(fact.hash()).or_default();
        *again = self.context.now().plus(RETRY_FIRST * (1 << (*times).min(RETRY_DOUBLINGS_MAX)));
        *times += 1;
    }

    /// Own claims, their ends and releases of modules that fewer witnesses than needed have seen, in the order in which
    /// they were made.
    fn facts_without_receipts(&self) -> Vec<SignedFact> {
        let rules = &self.context.network.rules;
        let writable = self.keys.signer().is_ok();
        let Some(own) = self.keys.identity().filter(|_| writable && rules.threshold > 0) else { return Vec::new() };
        let facts = self.registry.facts_of(&own);
        let mut seen: BTreeMap<Digest, BTreeSet<Did>> = BTreeMap::new();
        for fact in &facts {
            if let Fact::Receipt(receipt) = fact.statement() {
                seen.entry(receipt.fact).or_default().insert(fact.author());
            }
        }
        let now = self.context.now();
        let refused = self.refused.borrow();
        let missing = |fact: &SignedFact| {
            let witnesses = seen.get(&fact.hash());
            let count = witnesses.map_or(0, |seen| rules.witnesses.iter().filter(|who| seen.contains(who)).count());
            count < rules.threshold && refused.get(&fact.hash()).is_none_or(|(_, again)| *again <= now)
        };
        let mut wanted: Vec<(Timestamp, SignedFact)> = facts
            .iter()
            .filter(|fact| fact.author() == own && missing(fact))
            .filter_map(|fact| match fact.statement() {
                Fact::NameClaim(claim) => Some((claim.claimed_at, fact.clone())),
                Fact::NameRelinquish(release) => Some((release.at, fact.clone())),
                Fact::Release(release) => Some((release.published_at, fact.clone())),
                Fact::Receipt(_) | Fact::Yank(_) | Fact::Unyank(_) => None,
            })
            .collect();
        wanted.sort_by_key(|(at, fact)| (*at, request_order(fact), fact.hash()));
        wanted.into_iter().map(|(_, fact)| fact).collect()
    }

    async fn ask_for(&self, mesh: &MeshHandle, fact: &SignedFact) -> Result<ReceiptRequest, Failure> {
        let Network { topic, rules, .. } = &self.context.network;
        let request = Request { topic: *topic, fact: fact.encode() };
        let mut receipts = Vec::new();
        let mut outcome = ReceiptRequest::Nobody;
        for answer in mesh.ask_relays(PROTOCOL, request.encode()).await {
            let answer = match answer {
                Ok(bytes) => WitnessAnswer::decode(&bytes),
                Err(error) => {
                    tracing::debug!(%error, "a relay gives no receipt");
                    continue;
                }
            };
            match answer {
                Ok(WitnessAnswer::Receipt(bytes)) => match check_receipt(&bytes, &rules.witnesses, fact, topic) {
                    Ok(receipt) => receipts.push(receipt),
                    Err(error) => tracing::warn!(%error, "a receipt does not count"),
                },
                Ok(WitnessAnswer::Refused(why)) => {
                    tracing::info!(%why, "a witness refuses a receipt");
                    outcome = ReceiptRequest::Refused;
                }
                Ok(other) => tracing::debug!(?other, "no receipt"),
                Err(error) => tracing::warn!(%error, "a relay's answer can't be read"),
            }
        }
        if receipts.is_empty() {
            return Ok(outcome);
        }
        self.registry.write_receipts(receipts).await?;
        Ok(ReceiptRequest::Given)
    }
}

/// Which of the facts of one time is shown first: a rename gives up the old name before it takes the new one, and a
/// module's name is taken before its first release.
fn request_order(fact: &SignedFact) -> u8 {
    match fact.statement() {
        Fact::NameRelinquish(_) => 0,
        Fact::NameClaim(_) => 1,
        _ => 2,
    }
}
