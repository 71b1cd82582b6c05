//! Ends of names, and new words: what this identity announced, and finishes once the hold has passed.

use super::Witnessing;
use crate::key_state::Keys;
use crate::registry::Draft;
use gen_registry_api::Failure;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Body, EntryId};
use gen_registry_core::outcome::Counts;
use gen_registry_core::statement::{DeviceList, Finish, SignedStatement, Statement};
use gen_registry_core::time::Timestamp;

/// An end of a name, or new words, whose hold runs or has passed.
pub(super) struct Announcement {
    entry: EntryId,
    /// What the finish ends: a claim, or the link before new words.
    ends: Digest,
    /// When it may be finished.
    pub(super) finish_from: Timestamp,
}
impl Witnessing {
    /// Finishes what this identity announced, once the hold has passed and if nobody objected.
    pub(super) async fn finish_announced(&self, keys: &Keys) -> Result<(), Failure> {
        let Some(key) = self.registry.identity_key(keys) else { return Ok(()) };
        let now = self.context.now();
        let due = self.open_announcements(&keys.did()).into_iter().filter(|one| one.finish_from <= now);
        for Announcement { entry, ends, .. } in due.collect::<Vec<_>>() {
            let statement = Statement::Finish(Finish { announced: entry, ends });
            let signed = SignedStatement::sign(&self.context.network.topic, keys.did(), &key, statement);
            let finish = Body::Statement(Box::new(signed), DeviceList::default());
            let _one_at_a_time = self.registry.begin_write().await;
            self.registry.write(None, keys.clone(), Draft::of_facts(vec![finish])).await?;
        }
        Ok(())
    }

    /// What this identity announced, that counts, and that nothing has answered yet.
    pub(super) fn open_announcements(&self, did: &Did) -> Vec<Announcement> {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let hold = registry.history().genesis().parameters.hold;
        let Some(present) = registry.standing(did).map(|standing| standing.link) else { return Vec::new() };
        let own = registry.facts().by_identity(did).filter(|fact| Counts::counts(registry, fact));
        let open = own.filter_map(|fact| {
            // What an earlier key announced is over.
            let Body::Statement(signed, _) = &fact.body else { return None };
            let ends = match &signed.statement {
                Statement::GiveUp(give_up) => *give_up.claim.digest(),
                Statement::NewWords(words) if words.before == present.digest => words.before,
                _ => return None,
            };
            if signed.key != present.key {
                return None;
            }
            let finish_from = registry.witnessed_at(&fact.id)?.plus(hold);
            let answers = registry.facts().finishes_of(&fact.id).chain(registry.facts().vetoes_of(&fact.id));
            let mut answers = answers.filter(|answer| answer.did == *did);
            answers.next().is_none().then_some(Announcement { entry: fact.id, ends, finish_from })
        });
        open.collect()
    }
}
