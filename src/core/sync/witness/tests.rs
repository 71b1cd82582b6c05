//! Every decision of a witness, on both sides of its limit.

use super::*;
use crate::fact::ClaimedName;
use crate::identity::{Signed, SigningIdentity, Topic};
use crate::proof_of_work::{PowJob, solve};

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const DAY: u64 = 24 * 60 * 60 * 1000;

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn claim(author: &SigningIdentity, name: &str, claimed_at: u64) -> SignedFact {
    let name = ClaimedName::Username(name.parse().unwrap());
    Signed::sign(author, &TOPIC, Fact::NameClaim(NameClaim { work: 0, name, claimed_at: at(claimed_at) }))
}

fn release(author: &SigningIdentity, claim: &SignedFact, released_at: u64) -> SignedFact {
    Signed::sign(author, &TOPIC, Fact::NameRelinquish(NameRelinquish { claim: claim.hash(), at: at(released_at) }))
}

fn approve(book: &mut ReceiptLog, fact: &SignedFact, now: u64) {
    let approval = book.consider(fact, at(now)).unwrap();
    assert_eq!(approval.receipt, receipt(fact, at(now)));
    assert_eq!(approval.record, Some(Record { fact: fact.encode(), witnessed_at: at(now) }));
    book.note(fact, at(now));
}

#[test]
fn a_claim_without_the_work_that_is_asked_for_gets_no_receipt() {
    let mut book = ReceiptLog::default();
    book.ask_for_work(8);
    let alice = person(1);
    let bare = claim(&alice, "alice", 5);
    assert_eq!(book.consider(&bare, at(10)), Err(WitnessRefusal::NoWork { bits: 8 }));
    let Fact::NameClaim(claim) = bare.statement() else { panic!("a claim") };
    let work = solve(&PowJob::new(&TOPIC, &alice.identity(), claim, 8));
    let worked = Signed::sign(&alice, &TOPIC, Fact::NameClaim(NameClaim { work, ..claim.clone() }));
    approve(&mut book, &worked, 10);
}

#[test]
fn the_first_identity_gets_the_receipt_and_a_second_none() {
    let (alice, bob) = (person(1), person(2));
    let mut book = ReceiptLog::default();
    approve(&mut book, &claim(&alice, "alice_smith", 5), 10);
    // Dated earlier, and spelled otherwise: it is the witness's own time and the folded name that count.
    let refused = book.consider(&claim(&bob, "Alice-Smith", 1), at(11));
    assert_eq!(refused, Err(WitnessRefusal::Taken { by: alice.identity(), witnessed_at: at(10) }));
    approve(&mut book, &claim(&bob, "bob", 11), 11);
    approve(&mut book, &claim(&alice, "Alice-Smith", 12), 12);
}

#[test]
fn returns_the_same_receipt_when_asked_again() {
    let (alice, mut book) = (person(1), ReceiptLog::default());
    let fact = claim(&alice, "alice", 5);
    approve(&mut book, &fact, 10);
    assert_eq!(book.consider(&fact, at(999)), Ok(Approval { receipt: receipt(&fact, at(10)), record: None }));
}

#[test]
fn claims_from_the_future_wait() {
    let (alice, mut book) = (person(1), ReceiptLog::default());
    let skew = CLOCK_SKEW.as_millis() as u64;
    let late = claim(&alice, "alice", skew + 101);
    assert_eq!(book.consider(&late, at(100)), Err(WitnessRefusal::FromTheFuture { counts_from: at(101) }));
    approve(&mut book, &late, 101);
}

#[test]
fn a_released_name_is_closed_until_the_cool_down_is_over() {
    let (alice, bob, mut book) = (person(1), person(2), ReceiptLog::default());
    let first = claim(&alice, "nova", 5);
    approve(&mut book, &first, 10);
    assert_eq!(book.consider(&release(&bob, &first, 20), at(20)), Err(WitnessRefusal::NotYours));
    approve(&mut book, &release(&alice, &first, 20), 30);
    let free_at = at(30 + 30 * DAY);
    let wanted = claim(&bob, "nova", 40);
    assert_eq!(book.consider(&wanted, at(30 + 30 * DAY - 1)), Err(WitnessRefusal::CoolingDown { free_at }));
    approve(&mut book.clone(), &claim(&alice, "nova", 41), 41);
    approve(&mut book, &wanted, 30 + 30 * DAY);
    let refused = book.consider(&claim(&alice, "nova", 50), free_at);
    assert_eq!(refused, Err(WitnessRefusal::Taken { by: bob.identity(), witnessed_at: free_at }));
}

#[test]
fn a_newer_username_releases_the_older_one() {
    let (alice, bob, mut book) = (person(1), person(2), ReceiptLog::default());
    approve(&mut book, &claim(&alice, "nova", 5), 10);
    approve(&mut book, &claim(&alice, "stella", 11), 20);
    let free_at = at(20 + 30 * DAY);
    assert_eq!(book.consider(&claim(&bob, "nova", 21), at(21)), Err(WitnessRefusal::CoolingDown { free_at }));
}

#[test]
fn other_facts_and_unknown_claims_get_nothing() {
    let (alice, book) = (person(1), ReceiptLog::default());
    let first = claim(&alice, "nova", 5);
    assert_eq!(book.consider(&release(&alice, &first, 6), at(6)), Err(WitnessRefusal::UnknownClaim));
    let receipt = Signed::sign(&alice, &TOPIC, receipt(&first, at(6)));
    assert_eq!(book.consider(&receipt, at(6)), Err(WitnessRefusal::NotAboutNames));
}
