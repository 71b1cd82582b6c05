//! Slots: what a witness signs at most one fact for. They are the root of "one holder": two facts that can't both hold
//! have a slot in common, so no honest witness signs both.
//!
//! | fact | slots, besides its place in the log |
//! |---|---|
//! | a claim of `rose` | (`rose`, the finish it comes after, the round) |
//! | release 1.0.0 of `crc32` | (`crc32`, 1.0.0) |
//! | a mark of a release | (the release, the mark before) |
//! | a finish or a veto | what it finishes or forbids |
//! | a finish of a give-up | that the claim ends |
//! | a rotation, or a finish of new words | the link that it follows |
//!
//! Alice's laptop claims `rose` and Bob's claims `r0se`, which folds to the same name. Both are the claim (`rose`, nothing,
//! round 0). The first witness asked signs the one that comes first, and answers the other with that fact and its receipt.
//!
//! A slot is compared by its digest, so that a receipt can carry it and two receipts prove a contradiction by themselves.

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::log::{Body, EntryId, LogId};
use crate::name::{FoldedName, NameKind};
use crate::statement::Statement;

/// The most slots of one fact.
pub const SLOTS_MAX: usize = 3;

const DOMAIN: &str = "gen-registry/slot/v2";

/// What at most one receipted fact can have at one witness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    Place {
        log: LogId,
        seq: u64,
    },
    Claim {
        kind: NameKind,
        name: FoldedName,
        after: Option<EntryId>,
        round: u32,
    },
    Release {
        module: FoldedName,
        version: String,
    },
    Mark {
        release: EntryId,
        before: Option<EntryId>,
    },
    /// The end of a wait: a finish or a veto.
    Announced(EntryId),
    /// What follows a claim (its end) or a link (the next one).
    Successor(Digest),
}

impl Slot {
    /// The digest by which slots are compared.
    pub fn digest(&self) -> Digest {
        let encoder = Encoder::new().text(DOMAIN);
        let id = |encoder: Encoder, id: &Option<EntryId>| match id {
            None => encoder.byte(0),
            Some(id) => encoder.byte(1).fixed(id.as_bytes()),
        };
        let encoder = match self {
            Self::Place { log, seq } => encoder
                .byte(1)
                .fixed(log.opening.as_bytes())
                .fixed(log.device.as_bytes())
                .integer(log.number.into())
                .integer(*seq),
            Self::Claim { kind, name, after, round } => {
                let kind = match kind {
                    NameKind::Username => 1,
                    NameKind::Module => 2,
                };
                id(encoder.byte(2).byte(kind).text(name.as_str()), after).integer((*round).into())
            }
            Self::Release { module, version } => encoder.byte(3).text(module.as_str()).text(version),
            Self::Mark { release, before } => id(encoder.byte(4).fixed(release.as_bytes()), before),
            Self::Announced(announced) => encoder.byte(5).fixed(announced.as_bytes()),
            Self::Successor(before) => encoder.byte(6).fixed(before.as_bytes()),
        };
        Digest::of(&encoder.finish())
    }
}

/// The slots of a body at a place of a log, the place first. Empty for what witnesses do not sign.
pub fn slots_of(log: LogId, seq: u64, body: &Body) -> Vec<Slot> {
    let own: Vec<Slot> = match body {
        Body::Claim(claim) => vec![Slot::Claim {
            kind: claim.name.kind(),
            name: claim.name.folded(),
            after: claim.after,
            round: claim.round,
        }],
        Body::Release(release) => {
            vec![Slot::Release { module: release.module.folded(), version: release.version.to_string() }]
        }
        Body::Mark(mark) => vec![Slot::Mark { release: mark.release, before: mark.before }],
        Body::Veto(announced) => vec![Slot::Announced(*announced)],
        Body::Statement(signed, _) => match &signed.statement {
            Statement::Rotate(rotate) => vec![Slot::Successor(rotate.before)],
            Statement::Finish(finish) => vec![Slot::Announced(finish.announced), Slot::Successor(finish.ends)],
            Statement::Veto(veto) => vec![Slot::Announced(veto.announced)],
            Statement::GiveUp(_) | Statement::NewWords(_) => vec![],
            Statement::DeviceAdd(_) | Statement::DeviceRevoke(_) | Statement::ListKeys(_) => return vec![],
        },
        Body::Grant(_) | Body::Revoke(_) => vec![],
        Body::Opening(_)
        | Body::NextChanges(_)
        | Body::Withdraw(_)
        | Body::Label(_)
        | Body::LabelSet(_)
        | Body::Attestation(_)
        | Body::Holding(_) => return vec![],
    };
    [Slot::Place { log, seq }].into_iter().chain(own).collect()
}
