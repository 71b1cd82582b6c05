//! A witness in the swarm: the pure book of `sync::witness`, and a document of its own that carries the receipts.

use std::collections::HashSet;

use futures::executor::block_on;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Document, Edit};
use gen_registry_core::fact::Fact;
use gen_registry_core::identity::{Identity, Signed, SigningIdentity};
use gen_registry_core::sync::simulator::NodeId;
use gen_registry_core::sync::witness::ReceiptLog;

use super::Swarm;
use crate::support::people::{TOPIC, person};

/// Receipts in one change.
const RECEIPTS_MAX: usize = 32;

pub struct Witness {
    key: SigningIdentity,
    book: ReceiptLog,
    document: Document,
    judged: HashSet<Digest>,
}

impl Witness {
    pub fn new(number: usize) -> Self {
        let key = person(&format!("witness {number}"));
        let document = Document::new(key.identity());
        Self { key, book: ReceiptLog::default(), document, judged: HashSet::new() }
    }

    pub fn identity(&self) -> Identity {
        self.key.identity()
    }
}

impl Swarm {
    /// True when every witness has judged every claim that its node knows.
    pub fn witnesses_are_done(&self) -> bool {
        self.members.iter().filter_map(|member| Some((member, member.witness.as_ref()?))).all(|(member, witness)| {
            let summaries = block_on(member.node.replication().document_summaries()).expect("summaries");
            let facts = summaries.iter().flat_map(|summary| member.node.replication().facts_of(&summary.owner));
            facts.into_iter().all(|fact| witness.judged.contains(&fact.hash()))
        })
    }

    /// Looks at every fact that is new here, and writes receipts for those that may have one.
    pub(super) fn bear_witness(&mut self, id: NodeId) {
        let now = self.local_time(id);
        let member = &mut self.members[id];
        let Some(witness) = &mut member.witness else { return };
        let mut edits = Vec::new();
        for summary in block_on(member.node.replication().document_summaries()).expect("summaries") {
            for fact in member.node.replication().facts_of(&summary.owner) {
                if edits.len() >= RECEIPTS_MAX || !witness.judged.insert(fact.hash()) {
                    continue;
                }
                match witness.book.consider(&fact, now) {
                    Ok(approval) => {
                        witness.book.note(&fact, now);
                        edits.push(Edit::AddFact(Signed::sign(&witness.key, &TOPIC, approval.receipt)));
                    }
                    Err(_) if matches!(fact.statement(), Fact::Receipt(_)) => {}
                    Err(_) => self.counts.receipts_refused += 1,
                }
            }
        }
        if edits.is_empty() {
            return;
        }
        self.counts.receipts += edits.len() as u64;
        let actor = [id as u8 + 1; 16];
        let change = witness.document.edit(&witness.key, &TOPIC, &actor, now, &edits).expect("a receipt is written");
        let change = change.signed().clone();
        block_on(member.node.admission().admit(vec![change.clone()])).expect("the memory store never fails");
        member.outbox.borrow_mut().push(change);
        self.announce_own(id);
    }
}
