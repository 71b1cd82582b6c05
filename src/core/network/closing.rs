//! The closing of a witness set: one root over everything that the set confirmed, and the path from a fact to it.
//!
//! A [`FactList`] has the ids of all facts in ascending order; its root is a Merkle tree hash (RFC 6962, section 2.1) over
//! them. A fact, its path (32 bytes for each doubling of the list, 640 bytes for a million facts) and the root prove that
//! the fact was confirmed, without the rest of the list and without trust in the peer that sent them.
//!
//! For three facts `a < b < c` the root is `h(1, h(1, h(0, a), h(0, b)), h(0, c))`, and the path of `b` is
//! `[h(0, a), h(0, c)]`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{InclusionProof, RootHash};
use sha2::Sha256;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;

/// The most facts that one closing lists.
pub const CLOSING_FACTS_MAX: u64 = 1 << 40;
/// The longest path: one digest for each doubling of [`CLOSING_FACTS_MAX`].
pub const PATH_DIGESTS_MAX: usize = 40;

/// What a set change says of the facts before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The root over the facts that the set confirmed, one for each slot.
    pub root: Digest,
    /// The number of facts under the root.
    pub facts: u64,
}

/// The ids of facts in ascending order, each once, and the tree over them.
#[derive(Default)]
pub struct FactList(MemoryBackedTree<Sha256, [u8; 32]>);

/// The proof that a fact is in a list: its place and the digests beside its way to the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClosingPath {
    pub place: u64,
    pub beside: Vec<Digest>,
}

impl FactList {
    /// The list of these facts.
    pub fn new(facts: impl IntoIterator<Item = Digest>) -> Self {
        let mut facts: Vec<Digest> = facts.into_iter().collect();
        facts.sort_unstable();
        facts.dedup();
        let mut tree = MemoryBackedTree::new();
        facts.iter().for_each(|fact| tree.push(*fact.as_bytes()));
        Self(tree)
    }

    /// The root and the number of facts. The root of an empty list is the hash of nothing.
    pub fn root(&self) -> (Digest, u64) {
        let root = self.0.root();
        (Digest::from_bytes((*root.as_bytes()).into()), self.0.len())
    }

    /// The path of a fact, or `None` if it is not in the list.
    pub fn path(&self, fact: &Digest) -> Option<ClosingPath> {
        let place = self.0.items().binary_search(fact.as_bytes()).ok()?;
        let beside = self.0.prove_inclusion(place).as_bytes().chunks_exact(32).map(as_digest).collect();
        Some(ClosingPath { place: place as u64, beside })
    }

    /// The facts in ascending order.
    pub fn facts(&self) -> impl Iterator<Item = Digest> {
        self.0.items().iter().copied().map(Digest::from_bytes)
    }
}

impl ClosingPath {
    /// Returns whether the path leads from `fact` to a root over `facts` facts.
    pub fn leads(&self, fact: &Digest, root: &Digest, facts: u64) -> bool {
        let root = RootHash::<Sha256>::new((*root.as_bytes()).into(), facts);
        let bytes: Vec<u8> = self.beside.iter().flat_map(|digest| *digest.as_bytes()).collect();
        let path = InclusionProof::try_from_bytes(bytes);
        path.is_ok_and(|path| root.verify_inclusion(fact.as_bytes(), self.place, &path).is_ok())
    }

    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.integer(self.place).byte(self.beside.len() as u8);
        self.beside.iter().fold(encoder, |encoder, digest| encoder.fixed(digest.as_bytes()))
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (place, count) = (decoder.integer()?, usize::from(decoder.byte()?));
        if count > PATH_DIGESTS_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let beside = (0..count).map(|_| decoder.array().map(Digest::from_bytes)).collect::<Result<_, _>>()?;
        Ok(Self { place, beside })
    }
}

impl Closing {
    /// The closing over a list.
    pub fn of(confirmed: &FactList) -> Self {
        let (root, facts) = confirmed.root();
        Self { root, facts }
    }

    /// Returns whether a fact is under the root.
    pub fn confirms(&self, fact: &Digest, path: &ClosingPath) -> bool {
        path.leads(fact, &self.root, self.facts)
    }

    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.fixed(self.root.as_bytes()).integer(self.facts)
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (root, facts) = (Digest::from_bytes(decoder.array()?), decoder.integer()?);
        if facts > CLOSING_FACTS_MAX { Err(DecodeError::OutOfRange) } else { Ok(Self { root, facts }) }
    }
}

fn as_digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(bytes.try_into().expect("chunks of 32 bytes"))
}
