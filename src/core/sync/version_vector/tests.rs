//! What vectors say, and what a replica gets beyond one.

use super::*;
use crate::identity::SigningIdentity;

fn owner() -> Identity {
    SigningIdentity::from_entropy(&[1; 32]).identity()
}

fn change(actor: u8, seq: u64, text: &str) -> (ChangeId, SignedChange) {
    let bytes = text.as_bytes().to_vec();
    (ChangeId { actor: vec![actor; 16], seq }, SignedChange { owner: owner(), bytes, signature: vec![0; 64] })
}

fn vector(history: &History) -> DocumentVector {
    DocumentVector::of(owner(), history, false)
}

fn texts(changes: &[SignedChange]) -> Vec<&str> {
    changes.iter().map(|change| std::str::from_utf8(&change.bytes).unwrap()).collect()
}

#[test]
fn a_vector_counts_up_to_the_first_gap() {
    let history = [change(1, 1, "a"), change(1, 2, "b"), change(1, 4, "d"), change(2, 2, "y")];
    let vector = vector(&history);
    assert_eq!(vector.actors.len(), 1);
    assert_eq!(vector.actors[&vec![1; 16]].seq, 2);
}

#[test]
fn one_replica_lacks_what_the_other_has_more() {
    let long = [change(1, 1, "a"), change(1, 2, "b"), change(2, 1, "x")];
    let (long_vector, short_vector) = (vector(&long), vector(&long[..1]));
    assert!(short_vector.lacks(&long_vector) && !long_vector.lacks(&short_vector));
    assert!(!long_vector.lacks(&long_vector));
    assert!(DocumentVector::nothing(owner()).lacks(&short_vector));
    assert_eq!(texts(&beyond(&long, &short_vector, usize::MAX).0), ["b", "x"]);
    assert_eq!(beyond(&long, &long_vector, usize::MAX), (Vec::new(), false));
}

#[test]
fn replicas_of_a_fork_lack_each_others_half() {
    let (one, two) = ([change(1, 1, "a"), change(1, 2, "b")], [change(1, 1, "a"), change(1, 2, "B")]);
    assert!(vector(&one).lacks(&vector(&two)) && vector(&two).lacks(&vector(&one)));
    assert_eq!(texts(&beyond(&one, &vector(&two), usize::MAX).0), ["a", "b"]);
    // A longer half notices; the shorter one is behind and will see it in what it gets.
    let longer = [&one[..], &[change(1, 3, "c")]].concat();
    assert_eq!(texts(&beyond(&longer, &vector(&two), usize::MAX).0), ["a", "b", "c"]);
}

#[test]
fn only_a_replica_without_the_proof_lacks_a_fork() {
    let proven = DocumentVector { forked: true, ..DocumentVector::nothing(owner()) };
    let other = vector(&[change(1, 1, "a")]);
    assert!(other.lacks(&proven) && !proven.lacks(&other) && !proven.lacks(&proven));
}

#[test]
fn a_page_ends_before_it_is_too_large() {
    let history = [change(1, 1, "a"), change(1, 2, "b"), change(1, 3, "c")];
    let each = change_weight(&history[0].1);
    let page = |room| {
        let (changes, more) = beyond(&history, &DocumentVector::nothing(owner()), room);
        (changes.len(), more)
    };
    assert_eq!([page(each - 1), page(2 * each), page(3 * each)], [(0, true), (2, true), (3, false)]);
}

#[test]
fn states_are_named_by_their_heads_and_forks_by_nothing_else() {
    let summary = DocumentSummary { owner: owner(), changed_at: 5, heads: vec![Digest::of(b"a")], forked: false };
    let later = DocumentSummary { heads: vec![Digest::of(b"b")], ..summary };
    assert_ne!(summary.id(), later.id());
    let forked = |summary: &DocumentSummary| DocumentSummary { forked: true, ..summary.clone() };
    assert_ne!(forked(&summary).id(), summary.id());
    assert_eq!((forked(&summary).id(), forked(&summary).order()), (forked(&later).id(), 0));
}

#[test]
fn a_vector_lists_so_many_sessions_and_no_more() {
    let mut history = Vec::new();
    for number in 0..=VECTOR_MAX_ACTORS as u64 {
        let (mut place, change) = change(0, 1, "a");
        place.actor[..8].copy_from_slice(&number.to_be_bytes());
        history.push((place, change));
    }
    assert_eq!(vector(&history[1..]).actors.len(), VECTOR_MAX_ACTORS);
    assert_eq!(vector(&history).actors.len(), VECTOR_MAX_ACTORS);
}
