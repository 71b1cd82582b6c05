//! Documents: orders of arrival, waiting, forks, limits, and two devices of one identity.

use super::*;
use crate::fact::{ClaimedName, Fact, NameClaim};
use crate::identity::Signed;

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn alice() -> SigningIdentity {
    SigningIdentity::from_entropy(&[1; 32])
}

fn device(document: &mut Document, actor: u8, text: &str) -> VerifiedChange {
    let edits = [Edit::Bio(Some(text.to_owned()))];
    document.edit(&alice(), &TOPIC, &[actor; 16], NOW, &edits).expect("a small edit")
}

/// `count` changes of one session.
fn changes(count: usize) -> (Document, Vec<VerifiedChange>) {
    let mut document = Document::new(alice().identity());
    let changes = (0..count).map(|nth| device(&mut document, 1, &format!("bio {nth}"))).collect();
    (document, changes)
}

#[test]
fn a_replica_becomes_the_document_in_any_order() {
    let (document, changes) = changes(12);
    for rotation in 0..12 {
        let mut replica = Document::new(alice().identity());
        let mut order = changes.clone();
        order.rotate_left(rotation);
        order.reverse();
        for change in &order {
            replica.admit(change.clone()).unwrap();
            assert!(matches!(replica.admit(change.clone()), Ok(Admitted::Known)));
        }
        assert_eq!(replica.heads(), document.heads());
        assert_eq!((replica.changes(), replica.bytes()), (document.changes(), document.bytes()));
        assert_eq!(replica.view(&TOPIC).profile, document.view(&TOPIC).profile);
    }
}

#[test]
fn two_devices_that_never_met_write_into_the_same_maps() {
    let (mut one, mut two) = (Document::new(alice().identity()), Document::new(alice().identity()));
    let bio = device(&mut one, 1, "from one");
    let name = two.edit(&alice(), &TOPIC, &[2; 16], NOW, &[Edit::DisplayName(Some("Alice".into()))]).unwrap();
    one.admit(name).unwrap();
    two.admit(bio).unwrap();
    assert_eq!(one.view(&TOPIC).profile, two.view(&TOPIC).profile);
    assert_eq!(one.view(&TOPIC).profile.bio.as_deref(), Some("from one"));
    assert_eq!(one.view(&TOPIC).profile.display_name.as_deref(), Some("Alice"));
}

#[test]
fn rejects_a_second_change_with_one_id_as_a_fork() {
    let (mut document, _) = changes(1);
    let mut clone = Document::new(alice().identity());
    let rival = device(&mut clone, 1, "another first change");
    match document.admit(rival.clone()) {
        Err(ChangeRejection::Fork(proof)) => assert_eq!(*proof, *rival.signed()),
        other => panic!("{other:?}"),
    }
    assert_eq!(document.view(&TOPIC).profile.bio.as_deref(), Some("bio 0"));
}

#[test]
fn waiting_changes_are_bounded() {
    let (_, changes) = changes(DOCUMENT_MAX_ORPHANS + 2);
    let mut replica = Document::new(alice().identity());
    for change in &changes[1..=DOCUMENT_MAX_ORPHANS] {
        assert!(matches!(replica.admit(change.clone()), Ok(Admitted::Waiting)));
    }
    assert_eq!(replica.admit(changes[DOCUMENT_MAX_ORPHANS + 1].clone()), Err(ChangeRejection::TooManyOrphans));
    let first = replica.admit(changes[0].clone());
    assert_eq!(first, Ok(Admitted::Applied { waiting_applied: DOCUMENT_MAX_ORPHANS }));
}

#[test]
fn a_full_document_takes_no_more() {
    let filling = "x".repeat(60 * 1024);
    let mut document = Document::new(alice().identity());
    let mut refused = None;
    for nth in 0..40_u8 {
        // Incompressible enough: every edit is one change of about 60 KiB.
        let edit = Edit::Bio(Some(format!("{nth}{filling}")));
        match document.edit(&alice(), &TOPIC, &[1; 16], NOW, &[edit]) {
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    assert_eq!(refused, Some(EditError::Full));
    assert!(document.bytes() <= DOCUMENT_MAX_BYTES);
    assert!(document.bytes() + 61 * 1024 > DOCUMENT_MAX_BYTES, "refused only when it was full");
    let large = Edit::Bio(Some("y".repeat(CHANGE_MAX_BYTES)));
    assert_eq!(
        Document::new(alice().identity()).edit(&alice(), &TOPIC, &[1; 16], NOW, &[large]),
        Err(EditError::TooLarge)
    );
}

#[test]
fn what_breaks_the_schema_is_left_out_and_the_rest_is_read() {
    let mut document = Document::new(alice().identity());
    let claim = NameClaim { work: 0, name: ClaimedName::Username("alice".parse().unwrap()), claimed_at: NOW };
    let fact = Signed::sign(&alice(), &TOPIC, Fact::NameClaim(claim));
    let edits = [
        Edit::DisplayName(Some("d".repeat(DISPLAY_NAME_MAX_CHARS + 1))),
        Edit::Bio(Some("b".repeat(BIO_MAX_CHARS))),
        Edit::Links(vec!["javascript:alert(1)".into(), "https://example.org".into()]),
        Edit::AddFact(fact.clone()),
    ];
    document.edit(&alice(), &TOPIC, &[1; 16], NOW, &edits).unwrap();
    let view = document.view(&TOPIC);
    assert_eq!(view.profile.display_name, None);
    assert_eq!(view.profile.bio.map(|bio| bio.len()), Some(BIO_MAX_CHARS));
    assert_eq!(view.profile.links, ["https://example.org"]);
    assert_eq!(view.facts, [fact]);
    assert_eq!(
        view.rejections.iter().map(|left_out| left_out.what.as_str()).collect::<Vec<_>>(),
        ["profile.display_name"]
    );
}

#[test]
fn a_snapshot_is_the_document() {
    let (document, changes) = changes(5);
    let mut again = Document::load(alice().identity(), &document.snapshot()).unwrap();
    assert_eq!(
        (again.heads(), again.changes(), again.bytes()),
        (document.heads(), document.changes(), document.bytes())
    );
    assert!(matches!(again.admit(changes[3].clone()), Ok(Admitted::Known)));
    device(&mut again, 9, "goes on");
    assert_eq!(again.changes(), 6);
}

#[test]
fn the_built_in_change_is_the_same_everywhere_and_nobodys() {
    let heads = Document::new(alice().identity()).heads();
    assert_eq!(heads, Document::new(SigningIdentity::from_entropy(&[2; 32]).identity()).heads());
    // Part of the stored and travelling form: every document's history starts from this hash.
    assert_eq!(heads[0].to_string(), GENESIS_HASH);
    let mut document = Document::new(alice().identity());
    let forged = document.edit(&alice(), &TOPIC, &GENESIS_ACTOR, NOW, &[Edit::Bio(Some("mine".into()))]);
    assert!(forged.is_err());
}

/// Written down when version 1 was made.
const GENESIS_HASH: &str = "6bef1b11485399edf6ee238c809720e3017803a1a3d64d62f2589558c0449e44";
