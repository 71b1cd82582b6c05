//! The facts that decide names, indexed so that one name can be resolved without looking at the others.
//!
//! Takes verified facts only; decides nothing by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::fact::{ClaimedName, Fact, SignedFact};
use crate::identity::Identity;
use crate::limits::{CLOCK_SKEW, MODULE_CLAIMS_MAX, USERNAME_CLAIMS_MAX};
use crate::name::{FoldedName, NameKind, Username};
use crate::ownership::{Candidate, NameState, Position, Rules, decide};
use crate::proof_of_work::shows_work;
use crate::time::Timestamp;

/// A name as the rule compares it.
pub type NameKey = (NameKind, FoldedName);

/// A growing set of facts. Adding is idempotent and commutative. Indexes by name and by author keep
/// [`Evidence::resolve`] proportional to the claims of one name.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    rules: Rules,
    claims: HashMap<Digest, Claim>,
    by_name: HashMap<NameKey, BTreeSet<Digest>>,
    /// Every claim of an author's of one kind, in the order the author gives them.
    by_author: HashMap<(Identity, NameKind), BTreeSet<(Timestamp, Digest)>>,
    releases: HashMap<Digest, BTreeMap<Digest, (Identity, Timestamp)>>,
    /// Which claim a release is about.
    released: HashMap<Digest, Digest>,
    /// For any fact: each witness's earliest sight of it.
    receipts: HashMap<Digest, BTreeMap<Identity, Timestamp>>,
    /// Authors with a proven fork.
    discredited: BTreeSet<Identity>,
}

#[derive(Clone, Debug)]
struct Claim {
    author: Identity,
    name: ClaimedName,
    key: NameKey,
    claimed_at: Timestamp,
}

impl Evidence {
    /// An empty set under the network's rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Adds a fact; returns the names whose state may have changed.
    pub fn add(&mut self, fact: &SignedFact) -> BTreeSet<NameKey> {
        match fact.statement() {
            Fact::NameClaim(claim) => {
                if self.claims.contains_key(&fact.hash()) {
                    return BTreeSet::new();
                }
                let key = (claim.name.kind(), claim.name.folded());
                self.by_name.entry(key.clone()).or_default().insert(fact.hash());
                self.by_author.entry((fact.author(), key.0)).or_default().insert((claim.claimed_at, fact.hash()));
                let (name, claimed_at) = (claim.name.clone(), claim.claimed_at);
                self.claims.insert(fact.hash(), Claim { author: fact.author(), name, key, claimed_at });
                self.names_touched_by(&fact.hash())
            }
            Fact::NameRelinquish(release) => {
                let releases = self.releases.entry(release.claim).or_default();
                if releases.insert(fact.hash(), (fact.author(), release.at)).is_some() {
                    return BTreeSet::new();
                }
                self.released.insert(fact.hash(), release.claim);
                self.names_touched_by(&release.claim)
            }
            Fact::Receipt(receipt) => {
                if !self.rules.witnesses.contains(&fact.author()) {
                    return BTreeSet::new();
                }
                let seen = self.receipts.entry(receipt.fact).or_default();
                if seen.get(&fact.author()).is_some_and(|earlier| *earlier <= receipt.witnessed_at) {
                    return BTreeSet::new();
                }
                seen.insert(fact.author(), receipt.witnessed_at);
                let mut touched = self.names_touched_by(&receipt.fact);
                if let Some(claim) = self.released.get(&receipt.fact) {
                    touched.extend(self.names_touched_by(claim));
                }
                touched
            }
            Fact::Release(_) | Fact::Yank(_) | Fact::Unyank(_) => BTreeSet::new(),
        }
    }

    /// Stops counting every claim of `author`, permanently, and returns the names this touches. No rule over a bounded
    /// part of two histories can resolve them to one registry; that there are two is what all replicas can agree on.
    pub fn discredit(&mut self, author: Identity) -> BTreeSet<NameKey> {
        if !self.discredited.insert(author) {
            return BTreeSet::new();
        }
        self.claims.values().filter(|claim| claim.author == author).map(|claim| claim.key.clone()).collect()
    }

    /// A claim's own name, and every username of its author: a newer one releases the older ones. A claim that comes in
    /// before those that count moves the last of them out.
    pub(crate) fn names_touched_by(&self, claim: &Digest) -> BTreeSet<NameKey> {
        let Some(claim) = self.claims.get(claim) else { return BTreeSet::new() };
        let mut touched = BTreeSet::from([claim.key.clone()]);
        let kind = claim.key.0;
        let most = counted_max(kind);
        let unmoved = if kind == NameKind::Username { 0 } else { most };
        let moved = self.own(claim.author, kind).take(most + 1).skip(unmoved);
        touched.extend(moved.filter_map(|(_, hash)| self.claims.get(hash)).map(|claim| claim.key.clone()));
        touched
    }

    fn own(&self, author: Identity, kind: NameKind) -> impl Iterator<Item = &(Timestamp, Digest)> {
        self.by_author.get(&(author, kind)).into_iter().flatten()
    }

    /// The number of module names an author ever claimed, counted or not.
    pub fn module_claims_of(&self, author: &Identity) -> usize {
        self.by_author.get(&(*author, NameKind::Module)).map_or(0, BTreeSet::len)
    }

    /// Every name with at least one claim, counted or not.
    pub fn names(&self) -> impl Iterator<Item = &NameKey> {
        self.by_name.keys()
    }

    /// The username claims of one author, in the author's own order: hash, name, date.
    pub fn usernames_of(&self, author: &Identity) -> impl Iterator<Item = (Digest, &Username, Timestamp)> {
        self.own(*author, NameKind::Username).filter_map(|(at, hash)| match &self.claims.get(hash)?.name {
            ClaimedName::Username(name) => Some((*hash, name, *at)),
            ClaimedName::Module(_) => None,
        })
    }

    /// Computes the state of one name for an observer at `observed_at`. Returns the empty state for a name without
    /// claims.
    pub fn resolve(&self, key: &NameKey, observed_at: Timestamp) -> NameState {
        let hashes = self.by_name.get(key).into_iter().flatten();
        let candidates = hashes.filter_map(|hash| self.candidate(hash, observed_at)).collect();
        decide(candidates, observed_at)
    }

    fn candidate(&self, hash: &Digest, observed_at: Timestamp) -> Option<Candidate> {
        let claim = self.claims.get(hash).filter(|claim| !self.discredited.contains(&claim.author))?;
        if !shows_work(hash, self.rules.work_bits) {
            return None;
        }
        let position = self.position(hash, claim.claimed_at);
        Some(Candidate {
            hash: *hash,
            author: claim.author,
            spelled: claim.name.clone(),
            claimed_at: claim.claimed_at,
            position,
            released_at: self.released_at(hash, claim, position, observed_at),
            counted: self.is_counted(hash, claim),
        })
    }

    /// Rule 2: the k-th smallest time of the network's witnesses, else what the author says.
    pub(crate) fn position(&self, fact: &Digest, dated: Timestamp) -> Position {
        let mut seen: Vec<Timestamp> =
            self.receipts.get(fact).into_iter().flat_map(BTreeMap::values).copied().collect();
        seen.sort_unstable();
        match self.rules.threshold.checked_sub(1).and_then(|at| seen.get(at)) {
            Some(at) => Position::Confirmed(*at),
            None => Position::Provisional(dated),
        }
    }

    /// The earliest end of a claim: its author's release, or (rule 5) the author's next claim of another username.
    fn released_at(&self, hash: &Digest, claim: &Claim, position: Position, now: Timestamp) -> Option<Timestamp> {
        let stated = self.releases.get(hash).into_iter().flatten();
        let stated = stated.filter(|(_, (author, _))| *author == claim.author);
        let stated = stated.map(|(release, (_, at))| self.position(release, *at).at());
        let next = self.next_username(hash, claim, now);
        stated.chain(next).min().map(|at| at.max(position.at()))
    }

    fn next_username(&self, hash: &Digest, claim: &Claim, now: Timestamp) -> Option<Timestamp> {
        if claim.key.0 != NameKind::Username {
            return None;
        }
        let later = self
            .by_author
            .get(&(claim.author, NameKind::Username))?
            .range((claim.claimed_at, *hash)..)
            .skip(1)
            .take(USERNAME_CLAIMS_MAX);
        let mut later = later.filter_map(|(at, hash)| Some((hash, at, self.claims.get(hash)?)));
        later.find_map(|(hash, dated, next)| {
            let at = self.position(hash, *dated).at();
            let counts = (*dated).max(at) <= now.plus(CLOCK_SKEW);
            (next.key != claim.key && counts && self.is_counted(hash, next)).then_some(at)
        })
    }

    /// The first of an author's claims count, in the author's own order; of them those that show work.
    fn is_counted(&self, hash: &Digest, claim: &Claim) -> bool {
        if !shows_work(hash, self.rules.work_bits) {
            return false;
        }
        let kind = claim.key.0;
        self.own(claim.author, kind).take(counted_max(kind)).any(|(_, counted)| counted == hash)
    }
}

fn counted_max(kind: NameKind) -> usize {
    match kind {
        NameKind::Username => USERNAME_CLAIMS_MAX,
        NameKind::Module => MODULE_CLAIMS_MAX,
    }
}
