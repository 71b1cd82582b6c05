//! Name proofs: self-certifying records of one name, which untrusted servers may store and hand out.
//!
//! A record is a handful of signed facts: the claims by which the name was held, one after the other, the ends of the
//! earlier ones, the witnesses' receipts for all of them, and for a module its newest release. A receiver [`verify`]s
//! it without asking anyone. It never proves that nothing else is known; ownership is decided from all facts, by
//! [`ownership`](crate::ownership).
//!
//! # Which of two is kept
//! [`NameProof::compare`] follows the rule of ownership: the claim with the earlier position, then the smaller hash;
//! with the same claim, the one that shows its end; then the next claim, and so on. So neither of these lasts:
//! - A claim that lost comes after the holder's record wherever the two meet, and no honest node publishes it.
//! - A name that was given up has a record that says so, signed by its holder, which comes before every record without
//!   the end. The next holder's record begins with the same chain, and its earlier holder can sign nothing that undoes
//!   it.
//!
//! # Example
//! Alice held `rose` from 1 March to 10 June; Dan holds it since 12 July. Dan's record contains Alice's claim with two
//! receipts, her relinquishment with two, and Dan's claim with two: nine facts of about 150 bytes. Alice's old record
//! (three facts) still verifies, and loses against Dan's: same first claim, but Dan's shows its end.
//!
//! A chain of holders that is too long for [`RECORD_MAX_BYTES`] has no record: such a name is known to peers only.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::fact::{self, Fact, NameClaim, SignedFact};
use crate::identity::{Identity, SignatureError, Topic};
use crate::limits::{RECORD_FACTS_MAX, RECORD_MAX_BYTES};
use crate::modules::{CountedRelease, Releases};
use crate::name::NameKind;
use crate::ownership::{Evidence, NameKey, NameState, Rules, Tenure, counts_from};
use crate::time::Timestamp;

const VERSION: u8 = 1;
const KEY_DOMAIN: &str = "gen-registry/record-key/v1";

/// Why some bytes are no record of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it is longer than {RECORD_MAX_BYTES} bytes, or has more than {RECORD_FACTS_MAX} facts")]
    TooLong,
    #[error("it can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("a fact in it is not what it says")]
    Fact(#[from] SignatureError),
    #[error("its facts are not in their one order")]
    NotCanonical,
    #[error("it is about another name, or none")]
    WrongKey,
    #[error("a fact in it says nothing about the name, or not from who may say it")]
    Foreign,
    #[error("a claim in it lost the name")]
    Lost,
    #[error("a claim in it is dated in the future")]
    Early,
}

/// A record whose every part was checked.
#[derive(Clone, Debug)]
pub struct NameProof {
    pub name: NameKey,
    /// As these facts alone decide it.
    pub state: NameState,
    /// The newest release, for a module.
    pub release: Option<CountedRelease>,
    /// The date of the newest word on that release's withdrawal.
    marked_at: Option<Timestamp>,
    bytes: Vec<u8>,
}

/// The Kademlia key of a name's record: a hash, from which the name can't be read.
pub fn key(topic: &Topic, name: &NameKey) -> Digest {
    let kind = match name.0 {
        NameKind::Username => 1,
        NameKind::Module => 2,
    };
    let encoder = Encoder::new().text(KEY_DOMAIN).fixed(topic.as_bytes()).byte(kind);
    Digest::of(&encoder.text(name.1.as_str()).finish())
}

/// Checks everything about a record that was found under `key`: each signature, that each fact belongs there, that
/// the receipts are of the network's witnesses.
pub fn verify(
    key: &Digest,
    bytes: &[u8],
    topic: &Topic,
    rules: &Rules,
    now: Timestamp,
) -> Result<NameProof, RecordError> {
    if bytes.len() > RECORD_MAX_BYTES {
        return Err(RecordError::TooLong);
    }
    let mut decoder = Decoder::new(bytes);
    match decoder.byte()? {
        VERSION => {}
        other => return Err(DecodeError::UnknownKind(other).into()),
    }
    let count = decoder.integer()?;
    if count > RECORD_FACTS_MAX as u64 {
        return Err(RecordError::TooLong);
    }
    let mut facts: Vec<SignedFact> = Vec::new();
    for _ in 0..count {
        let fact = fact::verify(decoder.bytes()?, topic)?;
        if facts.last().is_some_and(|last| last.hash() >= fact.hash()) {
            return Err(RecordError::NotCanonical);
        }
        facts.push(fact);
    }
    decoder.end()?;
    let name = facts.iter().filter_map(name_of).find(|name| self::key(topic, name) == *key);
    weigh(name.ok_or(RecordError::WrongKey)?, &facts, bytes.to_vec(), rules, now)
}

/// The record that these facts make, each of which is known to be valid.
pub(crate) fn compose(
    name: &NameKey,
    facts: impl IntoIterator<Item = SignedFact>,
    rules: &Rules,
    now: Timestamp,
) -> Result<NameProof, RecordError> {
    let facts: BTreeMap<Digest, SignedFact> = facts.into_iter().map(|fact| (fact.hash(), fact)).collect();
    let facts: Vec<SignedFact> = facts.into_values().collect();
    let encoder = Encoder::new().byte(VERSION).integer(facts.len() as u64);
    let bytes = facts.iter().fold(encoder, |encoder, fact| encoder.bytes(&fact.encode())).finish();
    if bytes.len() > RECORD_MAX_BYTES || facts.len() > RECORD_FACTS_MAX {
        return Err(RecordError::TooLong);
    }
    weigh(name.clone(), &facts, bytes, rules, now)
}

fn weigh(
    name: NameKey,
    facts: &[SignedFact],
    bytes: Vec<u8>,
    rules: &Rules,
    now: Timestamp,
) -> Result<NameProof, RecordError> {
    let (mut evidence, mut releases) = (Evidence::new(rules.clone()), Releases::default());
    for fact in facts {
        evidence.add(fact);
        releases.add(fact);
    }
    let state = evidence.resolve(&name, now);
    if !state.held_back.is_empty() {
        return Err(RecordError::Early);
    }
    if !state.losers.is_empty() || state.tenures.is_empty() {
        return Err(RecordError::Lost);
    }
    check_belonging(&name, &state, facts, rules)?;
    let ahead = |fact: &SignedFact| match fact.statement() {
        Fact::Release(release) => counts_from(release.published_at) > now,
        _ => false,
    };
    if facts.iter().any(ahead) {
        return Err(RecordError::Early);
    }
    let module = releases.resolve(&name.1, &state, |fact, dated| evidence.position(fact, dated), now);
    let release = module.newest().cloned();
    let marked_at = facts.iter().find_map(|fact| match fact.statement() {
        Fact::Yank(yank) => Some(yank.at),
        Fact::Unyank(unyank) => Some(unyank.at),
        _ => None,
    });
    if !module.refused.is_empty() {
        return Err(RecordError::Foreign);
    }
    Ok(NameProof { name, state, release, marked_at, bytes })
}

/// Nothing may stand in a record that decides nothing: it would be a way to make many of one.
fn check_belonging(name: &NameKey, state: &NameState, facts: &[SignedFact], rules: &Rules) -> Result<(), RecordError> {
    let claims: BTreeMap<Digest, Identity> = facts
        .iter()
        .filter(|fact| name_of(fact).as_ref() == Some(name))
        .map(|fact| (fact.hash(), fact.author()))
        .collect();
    let authors: BTreeSet<Identity> = claims.values().copied().collect();
    let holder = state.holder().map(|tenure| tenure.holder);
    let mut witnessed = BTreeSet::new();
    let (mut releases, mut marks) = (Vec::new(), 0);
    for fact in facts {
        let author = fact.author();
        let belongs = match fact.statement() {
            // A newer username ends the older one.
            Fact::NameClaim(claim) => {
                claims.contains_key(&fact.hash())
                    || name.0 == NameKind::Username && claim.name.kind() == name.0 && authors.contains(&author)
            }
            Fact::NameRelinquish(release) => claims.get(&release.claim) == Some(&author),
            Fact::Receipt(receipt) => {
                facts.iter().any(|other| other.hash() == receipt.fact)
                    && rules.witnesses.contains(&author)
                    && witnessed.insert((author, receipt.fact))
            }
            Fact::Release(release) => {
                releases.push((fact.hash(), author));
                name.0 == NameKind::Module && release.module.folded() == name.1 && holder == Some(author)
            }
            Fact::Yank(_) | Fact::Unyank(_) => {
                marks += 1;
                true
            }
        };
        if !belongs {
            return Err(RecordError::Foreign);
        }
    }
    let of_release = |mark: Digest, author| releases.first() == Some(&(mark, author));
    let marks_belong = facts.iter().all(|fact| match fact.statement() {
        Fact::Yank(yank) => of_release(yank.release, fact.author()),
        Fact::Unyank(unyank) => of_release(unyank.release, fact.author()),
        _ => true,
    });
    if releases.len() <= 1 && marks <= 1 && marks_belong { Ok(()) } else { Err(RecordError::Foreign) }
}

fn name_of(fact: &SignedFact) -> Option<NameKey> {
    match fact.statement() {
        Fact::NameClaim(NameClaim { name, .. }) => Some((name.kind(), name.folded())),
        _ => None,
    }
}

impl NameProof {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Who holds the name now, as far as this record goes.
    pub fn holder(&self) -> Option<&Tenure> {
        self.state.holder()
    }

    /// `Greater` when this one is the better record of the same name. The same for everybody, in whatever order records
    /// are met; equal only for the same bytes.
    pub fn compare(&self, other: &Self) -> Ordering {
        let tenures = self.tenures().cmp(other.tenures());
        // A chain that goes on is greater in Rust's order, and it is the better one.
        let chain = tenures.then_with(|| self.version().cmp(&other.version()));
        let bytes = |record: &Self| Reverse((record.bytes.len(), record.bytes.clone()));
        chain.then_with(|| bytes(self).cmp(&bytes(other)))
    }

    /// The earlier, the better; an end is better than none.
    fn tenures(&self) -> impl Iterator<Item = Reverse<(crate::ownership::Position, Digest, Timestamp)>> {
        let end = |tenure: &Tenure| tenure.until.unwrap_or(Timestamp::LATEST);
        self.state.tenures.iter().map(move |tenure| Reverse((tenure.position, tenure.claim, end(tenure))))
    }

    /// The newest version of a module; of two releases of it the first one, and then the newest word on whether it is
    /// withdrawn.
    #[expect(clippy::type_complexity, reason = "an order, written down once")]
    fn version(
        &self,
    ) -> Option<(bool, &Version, Reverse<(crate::ownership::Position, Digest)>, Option<Timestamp>, bool)> {
        self.release.as_ref().map(|release| {
            let version = &release.release.version;
            let first = Reverse((release.position, release.fact));
            (version.pre.is_empty(), version, first, self.marked_at, release.withdrawn.is_some())
        })
    }
}

#[cfg(test)]
mod tests;
