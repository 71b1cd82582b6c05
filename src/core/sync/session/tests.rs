//! Stories of two peers, and every rule that a peer can break.

mod rules;

use std::collections::BTreeMap;

use super::*;
use crate::document::{Admitted, ChangeError, ChangeId, Document, Edit, VerifiedChange};
use crate::identity::SigningIdentity;
use crate::sync::version_vector::{DocumentSummary, beyond};
use crate::sync::wire::SYNC_PAGE_BYTES;

const TOPIC: Topic = Topic::from_bytes([7; 32]);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

/// `count` changes of a person's document by one writing session.
fn changes(author: &SigningIdentity, actor: u8, count: usize, bytes: usize) -> Vec<SignedChange> {
    let mut document = Document::new(author.identity());
    let mut edit = |number: usize| {
        let bio = Edit::Bio(Some(format!("{number} {}", "x".repeat(bytes))));
        document.edit(author, &TOPIC, &[actor; 16], at(1_000 * number as u64), &[bio]).unwrap().signed().clone()
    };
    (1..=count).map(&mut edit).collect()
}

/// A host with documents in memory.
#[derive(Default)]
struct Replica {
    documents: BTreeMap<Identity, (Document, Vec<(ChangeId, SignedChange)>)>,
}

impl Replica {
    fn with(changes: Vec<SignedChange>) -> Self {
        let mut replica = Self::default();
        assert!(replica.admit(changes).iter().all(|verdict| *verdict == Verdict::Admitted));
        replica
    }

    fn admit(&mut self, changes: Vec<SignedChange>) -> Vec<Verdict> {
        changes.into_iter().map(|change| self.admit_one(change)).collect()
    }

    fn admit_one(&mut self, change: SignedChange) -> Verdict {
        let verified: VerifiedChange = match change.verify(&TOPIC) {
            Ok(verified) => verified,
            Err(ChangeError::Forged) => return Verdict::Rejected(Rejection::Forged),
            Err(_) => return Verdict::Rejected(Rejection::BadChange),
        };
        let owner = verified.owner();
        let (document, history) = self.documents.entry(owner).or_insert_with(|| (Document::new(owner), Vec::new()));
        match document.admit(verified.clone()) {
            Ok(Admitted::Applied { .. }) => {
                history.push((verified.id().clone(), verified.signed().clone()));
                Verdict::Admitted
            }
            Ok(Admitted::Known) => Verdict::Known,
            Ok(Admitted::Waiting) => Verdict::Waiting,
            Err(_) => Verdict::Rejected(Rejection::Refused),
        }
    }

    fn vector(&self, owner: &Identity) -> DocumentVector {
        let history = self.documents.get(owner).map_or(&[][..], |(_, history)| history);
        DocumentVector::of(*owner, history, false)
    }

    fn heads(&self) -> Vec<(Identity, Vec<Digest>)> {
        self.documents.iter().map(|(owner, (document, _))| (*owner, document.heads())).collect()
    }

    /// What the host answers to one output, if it is a question.
    fn answer(&mut self, output: &Output) -> Option<Input> {
        Some(match output {
            Output::AskSummaries => Input::Summaries(
                self.documents
                    .iter()
                    .map(|(owner, (document, _))| DocumentSummary {
                        owner: *owner,
                        changed_at: document.changed_at(),
                        heads: document.heads(),
                        forked: false,
                    })
                    .collect(),
            ),
            Output::AskVectors(owners) => Input::Vectors(owners.iter().map(|owner| self.vector(owner)).collect()),
            Output::AskChanges { vectors, max_bytes } => {
                let (mut changes, mut unfinished) = (Vec::new(), Vec::new());
                for vector in vectors {
                    let room = max_bytes - changes.iter().map(change_weight).sum::<usize>();
                    let history = self.documents.get(&vector.owner).map_or(&[][..], |(_, history)| history);
                    let (page, more) = beyond(history, vector, room);
                    changes.extend(page);
                    unfinished.extend(more.then_some(vector.owner));
                }
                Input::Changes { changes, unfinished }
            }
            Output::Admit(changes) => Input::Verdicts(self.admit(changes.clone())),
            _ => return None,
        })
    }
}

struct Side {
    replica: Replica,
    session: Session,
    synced: usize,
    rejected: Vec<Rejection>,
    ended: Option<Rejection>,
    sent: usize,
    bytes: usize,
}

impl Side {
    fn new(replica: Replica, initiator: bool) -> Self {
        let session = Session::new(TOPIC, initiator);
        Self { replica, session, synced: 0, rejected: Vec::new(), ended: None, sent: 0, bytes: 0 }
    }

    /// Takes one input and answers its own questions; returns the messages for the other side.
    fn take(&mut self, input: Input, now: Timestamp) -> Vec<Vec<u8>> {
        let (mut inputs, mut messages) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            for output in self.session.handle(input, now) {
                inputs.extend(self.replica.answer(&output));
                match output {
                    Output::Send(message) => messages.push(message.encode()),
                    Output::Rejected { why, .. } => self.rejected.push(why),
                    Output::Synced => self.synced += 1,
                    Output::End(why) => self.ended = Some(why),
                    _ => {}
                }
            }
            assert!(self.session.buffered_bytes() < 2 * BUFFERED_MAX_BYTES);
        }
        self.sent += messages.len();
        self.bytes += messages.iter().map(Vec::len).sum::<usize>();
        messages
    }
}

/// Lets two sides talk until nothing is said any more, or for so many messages.
fn talk(sides: &mut [Side; 2], first: [Vec<Input>; 2], most: usize) {
    let mut ways: [VecDeque<Vec<u8>>; 2] = Default::default();
    for (side, inputs) in first.into_iter().enumerate() {
        for input in inputs {
            ways[side].extend(sides[side].take(input, at(0)));
        }
    }
    for _ in 0..most {
        let Some(from) = (0..2).find(|side| !ways[*side].is_empty()) else { return };
        let message = ways[from].pop_front().unwrap();
        let replies = sides[1 - from].take(Input::Received(message), at(1));
        ways[1 - from].extend(replies);
    }
}

fn connect(sides: &mut [Side; 2], most: usize) {
    talk(sides, [vec![Input::Connected], vec![Input::Connected]], most);
}

fn pair(a: Vec<SignedChange>, b: Vec<SignedChange>) -> [Side; 2] {
    [Side::new(Replica::with(a), true), Side::new(Replica::with(b), false)]
}

const ENOUGH: usize = 100_000;

fn assert_same(sides: &[Side; 2]) {
    assert_eq!(sides[0].replica.heads(), sides[1].replica.heads());
    for side in sides {
        assert_eq!((side.synced, &side.rejected[..], side.ended), (1, &[][..], None));
        assert!(!side.session.is_syncing());
    }
}

#[test]
fn fills_an_empty_peer_whichever_side_dials() {
    let all: Vec<SignedChange> = (1..=100).flat_map(|seed| changes(&person(seed), 1, 2, 10)).collect();
    for (a, b) in [(all.clone(), Vec::new()), (Vec::new(), all)] {
        let mut sides = pair(a, b);
        connect(&mut sides, ENOUGH);
        assert_same(&sides);
        assert_eq!(sides[0].replica.documents.len(), 100);
    }
}

#[test]
fn two_peers_with_different_documents_become_one() {
    let of = |range: std::ops::Range<u8>, count| -> Vec<SignedChange> {
        range.flat_map(|seed| changes(&person(seed), 1, count, 10)).collect()
    };
    // 1–20 only here, 21–40 shorter here, 41–60 the same, 61–80 longer here, 81–100 only there.
    let a = [of(1..21, 1), of(21..41, 1), of(41..61, 2), of(61..81, 3)].concat();
    let b = [of(21..41, 3), of(41..61, 2), of(61..81, 1), of(81..101, 1)].concat();
    let mut sides = pair(a, b);
    connect(&mut sides, ENOUGH);
    assert_same(&sides);
    let shared: usize = sides[0].replica.documents.values().map(|(document, _)| document.changes()).sum();
    assert_eq!(shared, 20 + 60 + 40 + 60 + 20);
}

#[test]
fn equal_peers_exchange_few_messages() {
    let all: Vec<SignedChange> = (1..=200).flat_map(|seed| changes(&person(seed), 1, 1, 10)).collect();
    let mut sides = pair(all.clone(), all);
    connect(&mut sides, ENOUGH);
    assert_same(&sides);
    assert!(sides.iter().map(|side| side.sent).sum::<usize>() <= 6);
    assert!(sides.iter().map(|side| side.bytes).sum::<usize>() < 2_000);
}

#[test]
fn a_document_of_many_pages_arrives_in_pages() {
    let mut sides = pair(changes(&person(1), 1, 18, 50_000), Vec::new());
    connect(&mut sides, ENOUGH);
    assert_same(&sides);
    assert!(sides[0].bytes > 3 * SYNC_PAGE_BYTES);
}

#[test]
fn a_cut_at_any_message_costs_nothing_but_the_rest() {
    let all: Vec<SignedChange> = (1..=8).flat_map(|seed| changes(&person(seed), 1, 3, 30_000)).collect();
    for cut_after in 1..30 {
        let mut sides = pair(all[..12].to_vec(), all[12..].to_vec());
        connect(&mut sides, cut_after);
        let here: Vec<usize> = sides.iter().map(|side| side.replica.documents.len()).collect();
        let [a, b] = sides;
        let mut again = [Side::new(a.replica, true), Side::new(b.replica, false)];
        connect(&mut again, ENOUGH);
        assert_same(&again);
        assert!(here.iter().all(|documents| *documents >= 4));
    }
}

#[test]
fn a_second_round_finds_what_came_in_between() {
    let mut sides = pair(changes(&person(1), 1, 1, 10), Vec::new());
    connect(&mut sides, ENOUGH);
    sides[1].replica.admit(changes(&person(2), 1, 1, 10));
    talk(&mut sides, [vec![Input::Resync], vec![Input::Resync]], ENOUGH);
    assert_eq!(sides[0].replica.heads(), sides[1].replica.heads());
    assert_eq!((sides[0].synced, sides[1].synced), (2, 2));
}

#[test]
fn small_changes_are_announced_inline_and_large_ones_by_their_state() {
    let mut sides = pair(Vec::new(), Vec::new());
    connect(&mut sides, ENOUGH);
    let small = changes(&person(1), 1, 1, 10);
    let announce = |changes: Vec<SignedChange>| Input::Announce { owner: changes[0].owner, changes, heads: Vec::new() };
    talk(&mut sides, [vec![announce(small)], vec![]], ENOUGH);
    assert_eq!(sides[1].replica.documents.len(), 1);
    let large = changes(&person(2), 1, 1, 10_000);
    let message = sides[0].take(announce(large), at(2)).remove(0);
    let outputs = sides[1].session.handle(Input::Received(message), at(3));
    assert_eq!(outputs, [Output::Behind(person(2).identity())]);
}

#[test]
fn an_announcement_whose_forerunner_is_missing_says_so() {
    let mut sides = pair(Vec::new(), Vec::new());
    connect(&mut sides, ENOUGH);
    let second = changes(&person(1), 1, 2, 10).split_off(1);
    let message = Message::Announce(second.clone()).encode();
    assert_eq!(sides[1].session.handle(Input::Received(message), at(3)), [Output::Admit(second)]);
    let outputs = sides[1].session.handle(Input::Verdicts(vec![Verdict::Waiting]), at(3));
    assert_eq!(outputs, [Output::Behind(person(1).identity())]);
}
