//! The registry: a pure fold over all logs that one node has. The same entries, receipts and paths give the same registry,
//! in whatever order and however often they arrive.
//!
//! # What is kept of a log
//! Entries that follow each other ([`Chain`]) are kept. An entry that the chain ends before, for a fork or a cut, is kept
//! only if it counts *by itself*: with its opening and enough receipts, or its path under a root. That is also what
//! records carry and what eviction leaves.
//!
//! # Refused documents
//! A node may refuse what identities *write in their documents* ([`Registry::refuse_documents_of`]): profile, descriptions,
//! ratings. Their facts are still kept: the holders of names follow from facts alone, and a log of
//! facts is kept only as a whole; it is small, and no change is part of it.
//!
//! # Example
//! Alice's laptop signed a claim at place 4, and witnesses confirmed it. A thief who has copied the key signs another entry
//! 3. The log ends before place 3 for everybody. The claim of place 4 stays confirmed, on a replica that had the whole log
//! as on one that receives the claim, its opening and its receipts a year later and nothing else.

mod admission;
mod detail;
mod documents;
mod eviction;
mod holders;
mod restore;
mod states;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::few::Few;
use crate::identity::Topic;
use crate::keys::{Did, Inception, PublicKey};
use crate::log::body::Withdrawal;
use crate::log::{
    Admitted, Chain, ChainRejection, End, Entry, EntryId, ForkProof, LogId, Opening, OpeningError, SignedHeader,
};
use crate::network::{FollowError, NetworkHistory, SignedSetChange};
use crate::outcome::{CHAIN_MAX, Counts, Fact, Facts, NameKey, NameOutcome, VersionOutcome};
use crate::receipt::{Confirmations, ProvenPath, Receipt};
use crate::retention::Retention;
use crate::standing::{Device, DeviceState, Effects, Standing, Statements};
use crate::statement::{Cut, DeviceList, Statement};
use crate::time::Timestamp;

pub use detail::{Ask, Detail, KNOWN_PLACES_MAX, LogState, OPENINGS_MAX};
pub use eviction::{Evicted, StandingEntry};
pub use holders::KnownHolder;
use holders::KnownHolders;
use states::StatesCell;
pub use states::{State, States};

/// Everything one node knows of one network.
pub struct Registry {
    history: NetworkHistory,
    /// By digest, and the entry that says each.
    openings: BTreeMap<Digest, Opening>,
    opening_entries: BTreeMap<Digest, EntryId>,
    /// The openings of each identity.
    authorities: BTreeMap<Did, Few<Digest>>,
    chains: BTreeMap<LogId, Chain>,
    /// Headers of the entries that chains have, to prove a fork with.
    headers: HashMap<EntryId, Box<SignedHeader>>,
    /// The proof of the lowest place of each log that was signed twice.
    forks: BTreeMap<LogId, ForkProof>,
    statements: BTreeMap<Did, Statements>,
    facts: Facts,
    confirmations: Confirmations,
    holders: KnownHolders,
    states: StatesCell,
    retention: Retention,
    /// Identities whose changes are refused.
    refused: BTreeSet<Did>,
    /// Whether what is admitted was verified, stored and remembered before.
    is_restoring: bool,
}

/// Why an entry is refused. Each follows from the entry, its log and its opening alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryRejection {
    #[error("the log does not begin with a valid opening: {0}")]
    Opening(#[from] OpeningError),
    #[error("{0}")]
    Chain(#[from] ChainRejection),
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is kept: as the next of its log, or by itself.
    Kept,
    /// It was here already.
    Known,
    /// The opening of its log, or what it follows, is fetched first.
    Waiting,
    /// It proves that its place was signed twice.
    Forked,
    /// Its log ends before it and it is not confirmed, as far as this node knows.
    NotKept,
}

impl Registry {
    /// An empty registry of a network.
    pub fn new(history: NetworkHistory) -> Self {
        Self {
            history,
            openings: BTreeMap::new(),
            opening_entries: BTreeMap::new(),
            authorities: BTreeMap::new(),
            chains: BTreeMap::new(),
            headers: HashMap::new(),
            forks: BTreeMap::new(),
            statements: BTreeMap::new(),
            facts: Facts::default(),
            confirmations: Confirmations::default(),
            holders: KnownHolders::default(),
            states: StatesCell::default(),
            retention: Retention::default(),
            refused: BTreeSet::new(),
            is_restoring: false,
        }
    }

    pub fn topic(&self) -> Topic {
        self.history.topic()
    }

    pub fn history(&self) -> &NetworkHistory {
        &self.history
    }

    /// Which identities the node keeps. What is here of others is evicted by the node.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Changes which identities the node keeps.
    pub fn retain(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// Takes no changes of these identities from now on, and of all others; asks for none of them either. What is here
    /// already stays.
    pub fn refuse_documents_of(&mut self, people: impl IntoIterator<Item = Did>) {
        self.refused = people.into_iter().collect();
    }

    /// Takes changes of an identity again.
    pub fn accept_document_of(&mut self, did: &Did) {
        self.refused.remove(did);
    }

    /// Returns the identities whose changes are refused.
    pub fn refused(&self) -> &BTreeSet<Did> {
        &self.refused
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn confirmations(&self) -> &Confirmations {
        &self.confirmations
    }

    /// The opening of a log, if it is here.
    pub fn opening(&self, log: &LogId) -> Option<&Opening> {
        self.openings.get(&log.opening).filter(|opening| opening.device() == log.device)
    }

    /// The opening with a digest, if it is here.
    pub fn opening_of(&self, digest: &Digest) -> Option<&Opening> {
        self.openings.get(digest)
    }

    /// A log, if anything of it is here.
    pub fn chain(&self, log: &LogId) -> Option<&Chain> {
        self.chains.get(log)
    }

    /// An entry whose body is a fact that is kept here.
    pub fn entry(&self, id: &EntryId) -> Option<Entry> {
        let (header, fact) = (self.header(id)?, self.facts.get(id)?);
        Entry::new(*header, fact.body.encode()).ok()
    }

    /// Every identity of which something is here, in their order.
    pub fn identities(&self) -> impl Iterator<Item = &Did> {
        self.authorities.keys()
    }

    /// How many identities there is anything of.
    pub fn identity_count(&self) -> usize {
        self.authorities.len()
    }

    /// The names that an entry concerns: for a claim, a release or a mark the name that it is about, for an end the name
    /// that is given up. For what changes the keys, devices or logs of an identity, all of its names.
    pub fn names_concerned(&self, entry: &EntryId) -> BTreeSet<NameKey> {
        let Some(fact) = self.facts.get(entry) else { return BTreeSet::new() };
        if Self::is_about_keys(fact) {
            return self.names_of(&fact.did);
        }
        let about = |id: &EntryId| self.facts.get(id).and_then(|fact| name_of(fact).or_else(|| module_of(fact)));
        let ended = fact.finish().and_then(|finish| self.facts.get(&finish.announced)).and_then(Fact::give_up);
        let given_up = fact.give_up().or(ended).map(|give_up| give_up.claim);
        let marked = fact.mark().map(|mark| mark.release);
        let others = given_up.into_iter().chain(marked).filter_map(|id| about(&id));
        name_of(fact).into_iter().chain(module_of(fact)).chain(others).collect()
    }

    /// The withdrawal of a claim, if its device passed it on in its log.
    pub fn withdrawal_of(&self, claim: &EntryId) -> Option<Withdrawal> {
        let did = self.facts.get(claim)?.did;
        let device = self.facts.get(claim)?.device();
        let withdrawals = self.facts.by_identity(&did).filter_map(Fact::withdrawal);
        withdrawals.copied().find(|one| one.claim == *claim && one.device == device)
    }

    /// The names that an identity ever claimed or released versions of.
    pub fn names_of(&self, did: &Did) -> BTreeSet<NameKey> {
        self.facts.by_identity(did).filter_map(|fact| name_of(fact).or_else(|| module_of(fact))).collect()
    }

    /// Drops the entries of a changes log before the last checkpoint at or before a place, and returns them.
    fn prune(&mut self, log: &LogId, seq: u64) -> Vec<SignedHeader> {
        let pruned = self.chains.get_mut(log).map(|chain| chain.prune(seq)).unwrap_or_default();
        pruned.iter().filter_map(|entry| self.headers.remove(entry)).map(|header| *header).collect()
    }

    /// The header of the last entry of a log.
    pub fn head(&self, log: &LogId) -> Option<&SignedHeader> {
        self.header(&self.chains.get(log)?.head()?)
    }

    /// The header of an entry that is kept.
    pub fn header(&self, entry: &EntryId) -> Option<&SignedHeader> {
        self.headers.get(entry).map(Box::as_ref)
    }

    /// The entry that an opening is the body of.
    pub fn opening_entry(&self, opening: &Digest) -> Option<EntryId> {
        self.opening_entries.get(opening).copied()
    }

    /// The entries that an identity's openings came in.
    pub fn opening_entries_of(&self, did: &Did) -> impl Iterator<Item = &EntryId> {
        self.authorities.get(did).into_iter().flatten().filter_map(|opening| self.opening_entries.get(opening))
    }

    /// The proof of the lowest place of a log that was signed twice.
    pub fn fork_of(&self, log: &LogId) -> Option<&ForkProof> {
        self.forks.get(log)
    }

    /// The proofs that a device signed twice for one place, lowest place of each log.
    pub fn forks(&self) -> impl Iterator<Item = &ForkProof> {
        self.forks.values()
    }

    /// Adds a verified receipt. Returns whether it was new.
    pub fn add_receipt(&mut self, receipt: Receipt) -> bool {
        let entry = receipt.entry;
        let is_new = self.confirmations.add_receipt(&self.history, receipt);
        if is_new {
            self.reconsider(&entry);
        }
        is_new
    }

    /// Adds a path under the root of a closed set. Returns whether it was new and leads there.
    pub fn add_path(&mut self, entry: EntryId, path: ProvenPath) -> bool {
        let is_new = self.confirmations.add_path(&self.history, entry, path);
        if is_new {
            self.reconsider(&entry);
        }
        is_new
    }

    /// Follows a change of the witness set.
    pub fn follow(&mut self, change: SignedSetChange) -> Result<(), FollowError> {
        self.history.follow(change)?;
        // What counted by receipts of a set that is closed now may have been signed with a retired key.
        self.forget_unconfirmed_holders();
        // A rotation may have counted by such receipts, too.
        let identities: Vec<Did> = self.authorities.keys().copied().collect();
        identities.iter().for_each(|did| self.end_logs(did));
        self.touch_all();
        Ok(())
    }

    /// Takes the proof that a place was signed twice. Returns `false` if the log's opening is fetched first.
    pub fn note_fork(&mut self, proof: ForkProof) -> bool {
        let (log, seq) = (proof.log(), proof.seq());
        let Some(did) = self.opening(&log).map(Opening::did) else { return false };
        self.touch(did);
        self.chain_of(log, &did).note_fork(seq);
        let is_lower = self.forks.get(&log).is_none_or(|known| {
            let ids = |proof: &ForkProof| proof.headers().map(SignedHeader::id);
            (seq, ids(&proof)) < (known.seq(), ids(known))
        });
        if is_lower {
            self.forks.insert(log, proof);
        }
        true
    }

    /// What follows when an entry may have become confirmed.
    fn reconsider(&mut self, entry: &EntryId) {
        let Some(fact) = self.facts.get(entry) else { return };
        let (did, name, changes_keys) = (fact.did, name_of(fact), fact.statement().is_some());
        let id = fact.id;
        self.touch(did);
        self.touch_successors(&id);
        name.into_iter().for_each(|name| self.notice_holder(name));
        if changes_keys {
            self.end_logs(&did);
        }
    }

    /// Notes a change for those whose claims come after an entry: it is part of what is compared of them.
    fn touch_successors(&mut self, entry: &EntryId) {
        let (mut entries, mut seen) = (vec![*entry], BTreeSet::new());
        while let Some(entry) = entries.pop() {
            if !seen.insert(entry) || seen.len() > CHAIN_MAX {
                continue;
            }
            let claims = self.facts.claims_after(&entry);
            let ends = self.facts.give_ups_of(&entry).chain(self.facts.finishes_of(&entry));
            entries.extend(claims.chain(ends).map(|fact| fact.id));
            if let Some(claim) = self.facts.get(&entry).filter(|fact| fact.claim().is_some()) {
                let did = claim.did;
                self.touch(did);
            }
        }
    }

    /// Ends the logs of an identity's devices where its statements say.
    fn end_logs(&mut self, did: &Did) {
        if self.is_restoring {
            return;
        }
        let Some(standing) = self.standing(did) else { return };
        for opening in self.authorities.get(did).into_iter().flatten().map(|digest| &self.openings[digest]) {
            let (addition, link) = (opening.addition().digest(), opening.link(&self.history.topic()).digest);
            let facts = opening.log();
            for (log, chain) in self.chains.range_mut(facts..=facts.numbered(u32::MAX)) {
                let end = match standing.devices.get(&opening.device()) {
                    Some(Device { addition: counting, state: DeviceState::In, .. }) if *counting == addition => {
                        End::Open
                    }
                    Some(Device { addition: counting, state: DeviceState::EndedAt(cut), .. })
                        if *counting == addition =>
                    {
                        cut.last(log).map_or(End::BeforeFirst, |last| End::After(*last))
                    }
                    // Added under a link that this node has not come to: it may yet turn out to be in.
                    None if !standing.links.contains(&link) => End::Open,
                    // Another addition of the device, or of the number, counts.
                    _ => End::BeforeFirst,
                };
                chain.end_at(end);
                // The branch of a cut may be here, from before the log was found to be forked.
                while let Some(known) = chain.wanted().filter(|_| log.are_facts()).and_then(|id| self.headers.get(&id))
                {
                    if !matches!(chain.admit(known, 0), Ok(Admitted::Extended | Admitted::OnPath { .. })) {
                        break;
                    }
                }
            }
        }
    }

    /// The logs of an identity.
    pub fn logs_of(&self, did: &Did) -> impl Iterator<Item = (&LogId, &Chain)> {
        let openings = self.authorities.get(did).into_iter().flatten().map(|digest| self.openings[digest].log());
        openings.flat_map(|facts| self.chains.range(facts..=facts.numbered(u32::MAX)))
    }

    /// Returns whether this network has witnesses.
    pub fn has_witnesses(&self) -> bool {
        !self.history.set().is_empty()
    }

    /// The fact that counts and has a slot of this digest.
    pub fn confirmed_for(&self, slot: &Digest) -> Option<&Fact> {
        self.facts.of_slot(slot).find(|fact| Counts::counts(self, fact))
    }

    /// What began the logs of an identity's devices.
    pub fn openings_of(&self, did: &Did) -> impl Iterator<Item = &Opening> {
        self.authorities.get(did).into_iter().flatten().filter_map(|digest| self.openings.get(digest))
    }

    /// The first statement of an identity, if anything is known of it.
    pub fn inception(&self, did: &Did) -> Option<&Inception> {
        self.statements.get(did).map(Statements::inception)
    }

    /// The identities of which anything is known that changes the key of their inception.
    pub fn identities_with_links(&self) -> impl Iterator<Item = &Did> {
        self.statements.iter().filter(|(_, statements)| statements.have_links()).map(|(did, _)| did)
    }

    /// Returns whether an identity has claimed a name, and the claim is confirmed.
    pub fn has_confirmed_claim(&self, did: &Did) -> bool {
        let mut claims = self.facts.by_identity(did).filter(|fact| fact.claim().is_some());
        claims.any(|claim| self.confirmations.is_confirmed(&self.history, &claim.id))
    }

    /// Returns whether a key was ever the identity's, as far as its links say.
    pub fn has_identity_key(&self, did: &Did, key: &PublicKey) -> bool {
        self.statements.get(did).is_some_and(|statements| statements.has_key(key))
    }

    /// Who speaks and acts for an identity, or `None` if nothing is known of it.
    pub fn standing(&self, did: &Did) -> Option<Standing> {
        self.statements.get(did).map(|statements| statements.resolve(&self.topic(), self))
    }

    /// Who speaks and acts for the identity of an opening, with what the opening says; it need not be here.
    pub fn standing_with(&self, opening: &Opening) -> Standing {
        let known = self.statements.get(&opening.did()).cloned();
        let mut statements = known.unwrap_or_else(|| Statements::new(&self.topic(), *opening.inception()));
        add_statements(&mut statements, opening);
        statements.resolve(&self.topic(), self)
    }

    /// Who held a name, and who holds it.
    pub fn name(&self, name: &NameKey) -> NameOutcome {
        self.facts.name(name, self)
    }

    /// Which releases of a module count, by version.
    pub fn versions(&self, module: &NameKey) -> BTreeMap<semver::Version, VersionOutcome> {
        self.facts.versions(&module.1, &self.name(module), self)
    }

    /// Returns whether a fact was written after the last good entry of a device that ended. A release like this stays,
    /// since nothing confirmed is unsaid, but it is taken for compromised.
    pub fn is_compromised(&self, fact: &Fact) -> bool {
        let Some(standing) = self.standing(&fact.did) else { return false };
        let Some(opening) = self.opening(&fact.log) else { return true };
        let device = standing.devices.get(&fact.log.device);
        let Some(device) = device.filter(|device| device.addition == opening.addition().digest()) else { return true };
        let DeviceState::EndedAt(cut) = &device.state else { return false };
        !self.is_good(fact, cut)
    }

    /// Whether a fact is on the branch that leads to the last good entry. Where the log itself is not here, its place says.
    fn is_good(&self, fact: &Fact, cut: &Cut) -> bool {
        let here = self.chains.get(&fact.log).and_then(|chain| chain.entry(fact.seq));
        fact.log.is_within(cut, fact.seq, &fact.id) && here.is_none_or(|here| here == fact.id)
    }

    /// When the witnesses saw a fact, for people.
    pub fn witnessed_at(&self, entry: &EntryId) -> Option<Timestamp> {
        self.confirmations.witnessed_at(&self.history, entry)
    }

    /// Whether a statement that only an identity key may make is by the identity's present key.
    fn is_by_present_key(&self, fact: &Fact) -> bool {
        let crate::log::Body::Statement(signed, _) = &fact.body else { return true };
        match signed.statement {
            // These prove their key by the link that they follow.
            Statement::Rotate(_) => true,
            _ => self.statements.get(&fact.did).is_some_and(|statements| statements.has_key(&signed.key)),
        }
    }

    /// Whether a fact is part of what this node keeps: in its log, or counting by itself. Others may still be known, from
    /// before the log was found to end earlier; nothing may follow from them.
    pub fn is_kept(&self, fact: &Fact) -> bool {
        self.is_on_chain(fact) || self.is_of_identity(fact) || self.confirmations.is_confirmed(&self.history, &fact.id)
    }

    fn is_on_chain(&self, fact: &Fact) -> bool {
        self.chains.get(&fact.log).and_then(|chain| chain.entry(fact.seq)) == Some(fact.id)
    }
}

impl Counts for Registry {
    fn is_kept(&self, fact: &Fact) -> bool {
        Self::is_kept(self, fact)
    }

    fn counts(&self, fact: &Fact) -> bool {
        if self.has_witnesses() {
            self.confirmations.is_confirmed(&self.history, &fact.id)
        } else {
            self.is_on_chain(fact) && self.is_by_present_key(fact)
        }
    }

    fn earlier_holds(&self) -> bool {
        !self.has_witnesses()
    }

    fn known_holder(&self, name: &NameKey, after: Option<&EntryId>) -> Option<EntryId> {
        self.holders.known(name, after)
    }
}

/// Without witnesses a rotation counts as soon as it is known, since its log may end by it; and new words never do, since
/// no witness watches over their hold.
impl Effects for Registry {
    fn counts(&self, entry: &EntryId) -> bool {
        let is_confirmed = |fact: &Fact| !self.has_witnesses() || Counts::counts(self, fact);
        self.facts.get(entry).is_some_and(is_confirmed)
    }

    fn is_finished(&self, announced: &EntryId) -> bool {
        self.has_witnesses() && self.facts.finishes_of(announced).any(|finish| Counts::counts(self, finish))
    }
}

/// Adds what an opening says: the links up to its key, and the addition of its device.
fn add_statements(statements: &mut Statements, opening: &Opening) {
    for signed in opening.links() {
        statements.add(signed, &DeviceList::default(), None);
    }
    statements.add_device(opening.shared_addition());
}

fn name_of(fact: &Fact) -> Option<NameKey> {
    fact.claim().map(|claim| (claim.name.kind(), claim.name.folded()))
}

fn module_of(fact: &Fact) -> Option<NameKey> {
    fact.release().map(|release| (crate::name::NameKind::Module, release.module.folded()))
}

#[cfg(test)]
pub(crate) mod tests;
