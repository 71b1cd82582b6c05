//! What may be signed now: one function for each kind of fact, over what is known, by the clock of the node that asks.

use std::collections::BTreeSet;

use crate::book::{Memory, Noticed, Refusal};
use crate::identity::Topic;
use crate::log::body::{Claim, Grant, Mark, Release};
use crate::log::{Body, EntryId, Opening};
use crate::name::NameKind;
use crate::network::Parameters;
use crate::outcome::{Counts, Fact, NameKey, Tenure};
use crate::proof_of_work::claim_shows_work;
use crate::registry::Registry;
use crate::standing::Standing;
use crate::statement::{Finish, SignedStatement, Statement};
use crate::time::Timestamp;

/// What a rule looks at.
struct Question<'a> {
    registry: &'a Registry,
    memory: &'a Memory,
    /// Claims of the same identity that this witness signed, and when.
    votes: Vec<(&'a Fact, Timestamp)>,
    /// Of the fact's log; it may be new to the registry.
    opening: &'a Opening,
    fact: &'a Fact,
    body: &'a [u8],
    now: Timestamp,
}

/// Checks whether a fact may be signed at `now`. `votes` are the claims of its identity that the witness has signed,
/// `opening` begins its log.
pub(super) fn check(
    registry: &Registry,
    memory: &Memory,
    votes: Vec<(&Fact, Timestamp)>,
    opening: &Opening,
    fact: &Fact,
    body: &[u8],
    now: Timestamp,
) -> Result<(), Refusal> {
    let question = Question { registry, memory, votes, opening, fact, body, now };
    question.check_log()?;
    match &fact.body {
        Body::Claim(claim) => question.check_claim(claim),
        Body::Release(release) => question.check_release(release),
        Body::Mark(mark) => question.check_mark(mark),
        Body::Grant(grant) => question.check_grant(grant),
        Body::Revoke(revoke) => question.check_known_own(&revoke.grant),
        Body::Veto(announced) => question.check_veto(announced),
        Body::Statement(signed, _) => question.check_statement(signed),
        _ => Err(Refusal::NotWitnessed),
    }
}

impl Question<'_> {
    fn topic(&self) -> Topic {
        self.registry.topic()
    }

    fn parameters(&self) -> &Parameters {
        &self.registry.history().genesis().parameters
    }

    fn standing(&self) -> Standing {
        self.registry.standing_with(self.opening)
    }

    /// Checks that the log goes on here, and that its device acts for the identity.
    fn check_log(&self) -> Result<(), Refusal> {
        let fork = self.registry.chain(&self.fact.log).and_then(crate::log::Chain::fork);
        if fork.is_some_and(|fork| fork <= self.fact.seq) {
            return Err(Refusal::Forked);
        }
        // A rotation often arrives before anything else of its device, and a veto must not wait for anything.
        let by_itself = matches!(self.fact.statement(), Some(Statement::Rotate(_) | Statement::Veto(_)))
            || matches!(self.fact.body, Body::Veto(_));
        if by_itself || self.is_device_in() { Ok(()) } else { Err(Refusal::DeviceNotIn) }
    }

    fn is_device_in(&self) -> bool {
        self.standing().device_in(&self.fact.device()).is_some()
    }

    /// Dates order nothing, but they are shown: one that lies ahead of all honest clocks is refused.
    fn check_date(&self, at: Timestamp) -> Result<(), Refusal> {
        if at > self.now.plus(self.parameters().skew) { Err(Refusal::DatedAhead) } else { Ok(()) }
    }

    fn check_claim(&self, claim: &Claim) -> Result<(), Refusal> {
        self.check_date(claim.at)?;
        if !claim_shows_work(&self.topic(), &self.fact.device(), self.body, self.parameters().work_bits) {
            return Err(Refusal::NoWork);
        }
        let name: NameKey = (claim.name.kind(), claim.name.folded());
        let outcome = self.registry.name(&name);
        if let Some(holder) = outcome.holder() {
            return Err(Refusal::Held(holder.claim));
        }
        if let Some(contested) = outcome.contested.first() {
            return Err(Refusal::Held(*contested));
        }
        if claim.after != outcome.last_end() {
            return match claim.after {
                Some(after) if self.registry.facts().get(&after).is_none() => Err(Refusal::Unknown(after)),
                _ => Err(Refusal::NotAfterLastEnd(outcome.last_end())),
            };
        }
        if let Some(last) = outcome.tenures.last() {
            let is_entitled = match last.passed_to {
                // Only the receiver, not even the giver.
                Some(receiver) => receiver == self.fact.did,
                None => last.holder == self.fact.did,
            };
            let until = self.cooled_down_at(last);
            if !is_entitled && self.now < until {
                return Err(Refusal::CoolingDown { until });
            }
        }
        self.check_caps(&name)
    }

    /// When a name that was given up is open to everybody.
    fn cooled_down_at(&self, tenure: &Tenure) -> Timestamp {
        let since = tenure.ended_by.map(|finish| {
            let witnessed = self.registry.witnessed_at(&finish);
            self.memory.since(Noticed::Finished(finish)).or(witnessed).unwrap_or(self.now)
        });
        since.unwrap_or(self.now).plus(self.parameters().cool_down)
    }

    /// Counts the names of one kind that the identity holds, gave up recently, or has a vote for, besides this one.
    fn check_caps(&self, name: &NameKey) -> Result<(), Refusal> {
        let parameters = self.parameters();
        let most = match name.0 {
            NameKind::Username => parameters.usernames,
            NameKind::Module => parameters.modules,
        };
        let of_kind = |fact: &&Fact| fact.claim().is_some_and(|claim| claim.name.kind() == name.0);
        let mut names: BTreeSet<NameKey> = BTreeSet::new();
        for fact in self.registry.facts().by_identity(&self.fact.did).filter(of_kind) {
            let Some(claimed) = name_of(fact) else { continue };
            let outcome = self.registry.name(&claimed);
            let tenure = outcome.tenures.iter().find(|tenure| tenure.claim == fact.id);
            let counts = tenure.is_some_and(|tenure| match tenure.ended_by {
                None => true,
                Some(_) => tenure.passed_to.is_none() && self.now < self.cooled_down_at(tenure),
            });
            if counts {
                names.insert(claimed);
            }
        }
        for (fact, at) in self.votes.iter().filter(|(fact, _)| of_kind(fact)) {
            let Some(claimed) = name_of(fact) else { continue };
            let is_pending = self.registry.name(&claimed).tenures.iter().all(|tenure| tenure.claim != fact.id);
            if is_pending && self.now < at.plus(parameters.cool_down) {
                names.insert(claimed);
            }
        }
        names.remove(name);
        if names.len() >= most as usize { Err(Refusal::TooManyNames { most }) } else { Ok(()) }
    }

    /// Checks that `under` is the claim by which this identity holds a module's name now.
    fn check_under(&self, under: &EntryId) -> Result<NameKey, Refusal> {
        let claim = self.registry.facts().get(under).ok_or(Refusal::Unknown(*under))?;
        let name = name_of(claim).filter(|(kind, _)| *kind == NameKind::Module).ok_or(Refusal::NotHolder)?;
        let outcome = self.registry.name(&name);
        let holder = outcome.holder().filter(|tenure| tenure.claim == *under && tenure.holder == self.fact.did);
        match holder {
            Some(_) => Ok(name),
            None if !self.registry.counts(claim) => Err(Refusal::Unknown(*under)),
            None => Err(Refusal::NotHolder),
        }
    }

    fn check_release(&self, release: &Release) -> Result<(), Refusal> {
        self.check_date(release.at)?;
        let name = self.check_under(&release.under)?;
        if name.1 == release.module.folded() { Ok(()) } else { Err(Refusal::NotHolder) }
    }

    fn check_mark(&self, mark: &Mark) -> Result<(), Refusal> {
        self.check_date(mark.at)?;
        let name = self.check_under(&mark.under)?;
        let versions = self.registry.versions(&name);
        let version = versions.values().find(|version| version.release == mark.release);
        let version = version.ok_or(Refusal::Unknown(mark.release))?;
        if version.mark == mark.before { Ok(()) } else { Err(Refusal::NotLastMark(version.mark)) }
    }

    fn check_grant(&self, grant: &Grant) -> Result<(), Refusal> {
        self.check_under(&grant.under).map(|_| ())
    }

    fn check_known_own(&self, entry: &EntryId) -> Result<(), Refusal> {
        match self.registry.facts().get(entry) {
            Some(fact) if fact.did == self.fact.did => Ok(()),
            Some(_) => Err(Refusal::NotHolder),
            None => Err(Refusal::Unknown(*entry)),
        }
    }

    fn check_statement(&self, signed: &SignedStatement) -> Result<(), Refusal> {
        let standing = self.standing();
        if let Statement::Rotate(_) = &signed.statement {
            return standing.link.follow(self.fact.did, signed).map(|_| ()).map_err(|_| Refusal::NotNextKey);
        }
        if signed.key != standing.link.key {
            return Err(Refusal::OtherKey);
        }
        match &signed.statement {
            Statement::GiveUp(give_up) => self.check_holds(&give_up.claim),
            Statement::NewWords(words) if words.before == standing.link.digest => Ok(()),
            Statement::NewWords(_) => Err(Refusal::NotNextKey),
            Statement::Finish(finish) => self.check_finish(finish, &standing),
            Statement::Veto(veto) => self.check_known_own(&veto.announced),
            Statement::DeviceAdd(_) | Statement::DeviceRevoke(_) | Statement::Rotate(_) | Statement::ListKeys(_) => {
                Err(Refusal::NotWitnessed)
            }
        }
    }

    /// Checks that a claim is the one by which this identity holds a name now.
    fn check_holds(&self, claim: &EntryId) -> Result<(), Refusal> {
        let fact = self.registry.facts().get(claim).ok_or(Refusal::Unknown(*claim))?;
        let name = name_of(fact).ok_or(Refusal::NotHolder)?;
        let outcome = self.registry.name(&name);
        match outcome.holder() {
            Some(tenure) if tenure.claim == *claim && tenure.holder == self.fact.did => Ok(()),
            _ if !self.registry.counts(fact) => Err(Refusal::Unknown(*claim)),
            _ => Err(Refusal::NotHolder),
        }
    }

    /// Checks that the hold has passed since this node saw the announcement, that a veto could have reached the node, and
    /// that what was announced can still be done.
    fn check_finish(&self, finish: &Finish, standing: &Standing) -> Result<(), Refusal> {
        let announced = self.registry.facts().get(&finish.announced).ok_or(Refusal::Unknown(finish.announced))?;
        if announced.did != self.fact.did {
            return Err(Refusal::NotHolder);
        }
        if !self.registry.counts(announced) {
            return Err(Refusal::Unknown(finish.announced));
        }
        let Body::Statement(signed, _) = &announced.body else { return Err(Refusal::Unknown(finish.announced)) };
        // A rotation in between has taken the word of the key of before.
        if signed.key != standing.link.key {
            return Err(Refusal::OtherKey);
        }
        match &signed.statement {
            Statement::GiveUp(give_up) if finish.ends == *give_up.claim.digest() => self.check_holds(&give_up.claim)?,
            Statement::NewWords(words) if finish.ends == words.before && words.before == standing.link.digest => {}
            _ => return Err(Refusal::NotHolder),
        }
        let hold = self.parameters().hold;
        let since = self.memory.since(Noticed::Announced(finish.announced)).unwrap_or(self.now);
        if self.now < since.plus(hold) {
            return Err(Refusal::HoldRuns { until: since.plus(hold) });
        }
        let back = self.memory.back_since.plus(hold / 3);
        if self.now < back { Err(Refusal::Away { until: back }) } else { Ok(()) }
    }

    /// A veto by a device takes one that had every capability before the announcement. A revocation takes this right only
    /// after the hold: else a thief would revoke first.
    fn check_veto(&self, announced: &EntryId) -> Result<(), Refusal> {
        self.check_known_own(announced)?;
        let device = self.fact.device();
        let standing = self.standing();
        if !standing.devices.contains_key(&device) {
            return Err(Refusal::DeviceNotIn);
        }
        let announced_at = self.memory.since(Noticed::Announced(*announced)).unwrap_or(self.now);
        // A log that is seen for the first time was opened now, as far as this node knows.
        let is_new = self.registry.opening(&self.fact.log).is_none();
        let added_at = self.memory.since(Noticed::Device(device)).or(is_new.then_some(self.now));
        let is_later = added_at.is_some_and(|added| added > announced_at);
        let is_in = standing.device_in(&device).is_some();
        let revoked_at = self.memory.since(Noticed::Revoked(device)).unwrap_or(self.now);
        let is_past = !is_in && revoked_at.plus(self.parameters().hold) <= self.now;
        if is_later || is_past { Err(Refusal::NoVeto) } else { Ok(()) }
    }
}

fn name_of(fact: &Fact) -> Option<NameKey> {
    fact.claim().map(|claim| (claim.name.kind(), claim.name.folded()))
}
