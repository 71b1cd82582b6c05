//! What two replicas compare: one digest for each identity, over the length and head of each of its logs and over what is
//! held beside them. Equal digests mean equal registries.

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::keys::Did;
use crate::log::End;
use crate::registry::Registry;
use crate::standing::Statements;

const DOMAIN: &str = "gen-registry/summary/v2";

/// What one replica has of one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub did: Did,
    pub digest: Digest,
}

impl Summary {
    /// Names the state: the same for replicas that have the same of the identity.
    pub fn id(&self) -> Digest {
        self.digest
    }

    /// The place on the ring of identities, in whose order states are compared.
    pub fn place(&self) -> u64 {
        let bytes = self.did.as_bytes();
        u64::from_be_bytes(bytes[..8].try_into().expect("8 bytes"))
    }
}

impl Registry {
    /// The summaries of all identities, in the order of their names.
    pub fn summaries(&self) -> Vec<Summary> {
        self.authorities.keys().map(|did| Summary { did: *did, digest: self.digest_of(did) }).collect()
    }

    /// The digest over everything that is kept of an identity.
    pub fn digest_of(&self, did: &Did) -> Digest {
        let mut encoder = Encoder::new().text(DOMAIN).fixed(did.as_bytes());
        for opening in self.authorities.get(did).into_iter().flatten() {
            encoder = encoder.byte(1).fixed(opening.as_bytes());
        }
        for (statement, key) in self.statements.get(did).into_iter().flat_map(Statements::signed) {
            encoder = encoder.byte(2).fixed(statement.as_bytes()).fixed(key.as_bytes());
        }
        for (log, chain) in self.logs_of(did) {
            encoder = encoder.byte(3).fixed(log.opening.as_bytes()).integer(log.number.into()).integer(chain.len());
            encoder = encoder.fixed(&chain.head().map_or([0; 32], |head| *head.as_bytes()));
            // Where the owner ended the log, no fork matters any more.
            if let Some(fork) = chain.fork().filter(|_| chain.end() == End::Open) {
                encoder = encoder.byte(4).integer(fork);
            }
        }
        for (entry, digest) in self.beside(did) {
            encoder = encoder.byte(5).fixed(entry.as_bytes()).fixed(digest.as_bytes());
        }
        Digest::of(&encoder.finish())
    }
}
