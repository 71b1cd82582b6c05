//! What is wanted of the witnesses: claims, round after round, and releases under a name that is held.

use std::rc::Rc;

use serde_bytes::ByteBuf;

use super::Witnessing;
use crate::errors;
use crate::key_state::Keys;
use crate::key_store::{Intent, NextRound, RefusedName};
use crate::net::mesh::MeshHandle;
use crate::people::answers::refused_name;
use crate::receipts::Outcome;
use crate::registry::Draft;
use crate::store::Durability;
use gen_registry_api::{Event, Failure};
use gen_registry_core::log::body::{Claim, Release, Withdrawal};
use gen_registry_core::log::{Body, Entry};
use gen_registry_core::name::{ClaimedName, ModuleName, NameKind};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::asking::Split;
use gen_registry_core::sync::asking::wire::Code;

/// How far an intent came.
pub(super) enum Progress {
    /// It is done with, for good or ill.
    Done,
    /// It goes on once somebody else, or another intent, has done something.
    WaitsForOthers,
    /// Too few witnesses answer.
    Unanswered,
}
impl Witnessing {
    /// Carries out an intent as far as it goes.
    pub(super) async fn carry_out_intent(
        &self,
        mesh: &MeshHandle,
        keys: &Keys,
        intent: &Intent,
    ) -> Result<Progress, Failure> {
        match intent {
            Intent::Username(name) => self.claim(mesh, keys, intent, ClaimedName::Username(name.clone())).await,
            Intent::Module(name) => self.claim(mesh, keys, intent, ClaimedName::Module(name.clone())).await,
            Intent::Release(body) => self.release(keys, intent, body).await,
        }
    }

    /// Signs and stages the claim of a name, unless that was done before, and asks for it.
    async fn claim(
        &self,
        mesh: &MeshHandle,
        keys: &Keys,
        intent: &Intent,
        name: ClaimedName,
    ) -> Result<Progress, Failure> {
        let topic = self.context.network.topic;
        let staged = self.keys.settings().staged.clone();
        let staged = staged.map(|staged| Entry::decode(&topic, &staged.entry)).transpose();
        let staged = staged.map_err(|_| errors::internal())?;
        let is_of_name =
            |entry: &Entry| matches!(Body::of(&topic, entry), Ok(Body::Claim(claim)) if claim.name == name);
        if staged.as_ref().is_some_and(|entry| !is_of_name(entry)) {
            // Another claim is staged: this one's turn comes after it.
            return Ok(Progress::WaitsForOthers);
        }
        let entry = match staged {
            Some(entry) if !self.is_dated_ahead(&entry) => entry,
            staged => {
                let Some(claim) = self.next_claim(intent, &name) else { return Ok(Progress::WaitsForOthers) };
                let claim = self.registry.work_for(keys, claim).await;
                let _one_at_a_time = self.registry.begin_write().await;
                if let Some(ahead) = staged {
                    self.registry.admit_staged(&ahead, Vec::new(), None, None).await?;
                }
                self.registry.stage(keys, &Body::Claim(Box::new(claim))).await?
            }
        };
        let opening = self.registry.opening_entry_of(keys)?;
        let asked = self.ask(mesh, &opening, &entry).await?;
        let one_at_a_time = self.registry.begin_write().await;
        match asked {
            Outcome::Confirmed(receipts) => {
                self.registry.admit_staged(&entry, receipts.clone(), Some(intent), None).await?;
                drop(one_at_a_time);
                self.show_receipts(mesh, &opening, &entry, &receipts).await;
            }
            Outcome::Lost { proof, .. } => {
                self.admission.admit_while_writing(proof, Durability::Strict).await?;
                self.give_up_intent(&entry, intent, &name).await?;
            }
            // Kept for another entry for a short while; or the name may be free, and it is this device's clock that is wrong.
            Outcome::Refused(refused) if matches!(refused.code, Code::Reserved | Code::DatedAhead) => {
                return Ok(Progress::Unanswered);
            }
            Outcome::Refused(_) => self.give_up_intent(&entry, intent, &name).await?,
            Outcome::Split { split, proof } => {
                self.admission.admit_while_writing(proof, Durability::Strict).await?;
                return self.withdraw(keys, &entry, intent, &name, split).await;
            }
            Outcome::Exhausted(receipts) => {
                self.keep_staged_receipts(&receipts).await?;
                return Ok(Progress::Unanswered);
            }
            Outcome::NoWitnesses => return Ok(Progress::Unanswered),
        }
        Ok(Progress::Done)
    }

    /// The receipts that an entry got already; the staged one also before a restart.
    pub(super) fn known_receipts(&self, entry: &Entry) -> Vec<Receipt> {
        if let Some(known) = self.partial.borrow().get(&entry.id()) {
            return known.clone();
        }
        let settings = self.keys.settings();
        let Some(staged) = settings.staged.as_ref().filter(|staged| staged.entry == entry.encode()) else {
            return Vec::new();
        };
        let topic = self.context.network.topic;
        staged.receipts.iter().filter_map(|receipt| Receipt::decode(&topic, receipt).ok()).collect()
    }

    /// Stores what the staged entry has got: with a receipt, a rival elsewhere does not decide. The caller holds the write
    /// lock.
    async fn keep_staged_receipts(&self, receipts: &[Receipt]) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        let receipts: Vec<ByteBuf> = receipts.iter().map(|receipt| ByteBuf::from(receipt.encode())).collect();
        match &mut settings.staged {
            Some(staged) if staged.receipts != receipts => staged.receipts = receipts,
            _ => return Ok(()),
        }
        self.keys.save_settings(settings).await
    }

    /// The claim that is to be signed for an intent: a first one, or the one of the next round, with the withdrawals of
    /// all rivals; `None` while one of these is missing.
    fn next_claim(&self, intent: &Intent, name: &ClaimedName) -> Option<Claim> {
        let settings = self.keys.settings();
        let Some(round) = settings.rounds.iter().rev().find(|round| round.intent == *intent) else {
            return Some(self.registry.claim_of(name.clone()));
        };
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let claim = registry.facts().get(&round.claim)?.claim()?;
        let withdrawals = round.split.votes().keys().filter_map(|rival| registry.withdrawal_of(rival));
        match round.split.next_round(claim, withdrawals, self.context.now()) {
            Ok(next) => Some(next),
            Err(error) => {
                tracing::info!(%error, "a claim waits for its next round");
                None
            }
        }
    }

    /// Handles split votes: appends the staged claim to the log and withdraws it there. If this claim is the one that stays,
    /// it is claimed again in the next round; otherwise the person is told that the name is taken. The caller holds the
    /// write lock.
    async fn withdraw(
        &self,
        keys: &Keys,
        entry: &Entry,
        intent: &Intent,
        name: &ClaimedName,
        split: Split,
    ) -> Result<Progress, Failure> {
        let withdrawal = Withdrawal::sign(&self.context.network.topic, &keys.device, entry.id());
        let stays = split.stays() == entry.id();
        let next_round = stays.then(|| NextRound { intent: intent.clone(), claim: entry.id(), split });
        let refused_name = match name {
            ClaimedName::Username(name) if !stays => Some(RefusedName { name: name.to_string() }),
            ClaimedName::Username(_) | ClaimedName::Module(_) => None,
        };
        let given_up = (!stays).then(|| intent.clone());
        let facts = vec![Body::Withdraw(withdrawal)];
        let draft = Draft { facts, refused_name, given_up, next_round, ..Draft::default() };
        self.registry.write(None, keys.clone(), draft).await?;
        if stays {
            return Ok(Progress::WaitsForOthers);
        }
        self.note_lost(name).await?;
        Ok(Progress::Done)
    }

    /// Whether a staged claim was dated by a clock that was set back since. No witness signs it, so it is claimed again.
    fn is_dated_ahead(&self, staged: &Entry) -> bool {
        let has_receipts = !self.known_receipts(staged).is_empty();
        let Ok(Body::Claim(claim)) = Body::of(&self.context.network.topic, staged) else { return false };
        let skew = self.context.network.history().genesis().parameters.skew;
        !has_receipts && claim.at > self.context.now().plus(skew)
    }

    /// The name can't be had: the staged claim enters the log without effect, and the person is told.
    async fn give_up_intent(&self, entry: &Entry, intent: &Intent, name: &ClaimedName) -> Result<(), Failure> {
        let refused = match name {
            ClaimedName::Username(name) => Some(RefusedName { name: name.to_string() }),
            ClaimedName::Module(_) => None,
        };
        self.registry.admit_staged(entry, Vec::new(), Some(intent), refused).await?;
        self.note_lost(name).await
    }

    /// Says that a name can't be had, and drops what was wanted under it.
    async fn note_lost(&self, name: &ClaimedName) -> Result<(), Failure> {
        match name {
            ClaimedName::Username(name) => {
                if let Some(own) = self.keys.identity() {
                    let lost = refused_name(&self.registry.read_model(), own, name);
                    self.context.emit(&Event::NameLost { lost });
                }
                Ok(())
            }
            ClaimedName::Module(name) => self.drop_releases_of(name).await,
        }
    }

    /// Releases of a module whose name is another's are not wanted any more.
    async fn drop_releases_of(&self, module: &ModuleName) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        let is_of = |body: &[u8]| Release::decode_alone(body).is_ok_and(|one| one.module.folded() == module.folded());
        settings.intents.retain(|intent| !matches!(intent, Intent::Release(body) if is_of(body)));
        self.keys.save_settings(settings).await?;
        self.context.emit(&Event::ModulesChanged { names: vec![module.to_string()] });
        Ok(())
    }

    /// Signs a release under the claim by which the module's name is held now.
    async fn release(&self, keys: &Keys, intent: &Intent, body: &[u8]) -> Result<Progress, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let release = Release::decode_alone(body).ok();
        let is_of = |name: &ModuleName| release.as_ref().is_some_and(|one| one.module.folded() == name.folded());
        if self.keys.settings().intents.iter().any(|other| matches!(other, Intent::Module(name) if is_of(name))) {
            return Ok(Progress::WaitsForOthers);
        }
        let facts: Vec<Body> = release
            .and_then(|release| {
                let name = (NameKind::Module, release.module.folded());
                let read_model = self.registry.read_model();
                let held = read_model.name_state(&name)?.holder()?;
                let under = held.tenure.claim;
                let is_own = held.tenure.holder == keys.did();
                is_own.then(|| Body::Release(Box::new(Release { under, at: self.context.now(), ..release })))
            })
            .into_iter()
            .collect();
        self.keys.drop_intent(intent).await?;
        self.registry.write(None, keys.clone(), Draft::of_facts(facts)).await?;
        Ok(Progress::Done)
    }
}
