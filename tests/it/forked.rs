//! Somebody's own device key signed two different entries for one place: their device says so, and offers nothing that
//! can't count.

use std::cell::RefCell;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;

use crate::support::profile::TestProfile;

fn claim(name: &str) -> Command {
    Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

/// The profile was copied while it was used, and each copy goes on with another command. The first
/// one then gets what the second one wrote. Returns it, and what both wrote.
fn copied(profile: &TestProfile, one: Command, other: Command) -> (TestProfile, Vec<Piece>) {
    let copy = || {
        let clock = TestEnvironment::new(3, Timestamp::from_millis(1_800_000_000_000));
        TestProfile::open(Rc::new(profile.store.copy()), clock)
    };
    let (first, second) = (copy(), copy());
    first.me(one);
    second.me(other);
    assert!(!first.me(Command::WhoAmI).forked);
    let events: Rc<RefCell<u32>> = Rc::default();
    let seen = events.clone();
    first.node.subscribe(Rc::new(move |event| *seen.borrow_mut() += u32::from(*event == Event::MeChanged)));
    let [ours, theirs] = [&first, &second].map(|copy| block_on(copy.node.own_pieces()).unwrap());
    let report = block_on(first.node.admission().admit(theirs.clone())).unwrap();
    assert_eq!(report.outcome.forked.len(), 1, "the second entry for one place is the proof");
    assert_eq!(report.outcome.rejections, Vec::<Rejection>::new(), "its carrier is not to blame");
    assert!(first.me(Command::WhoAmI).forked);
    assert!(*events.borrow() > 0, "the page is informed");
    (first, [ours, theirs].concat())
}

/// What a fresh profile shows of a person when it gets this, and everything that the profile itself has now.
fn seen_by_another(profile: &TestProfile, pieces: &[Piece]) -> Person {
    let other = TestProfile::new(2);
    block_on(other.node.admission().admit(pieces.to_vec())).unwrap();
    other.learn_from(profile);
    let did = profile.me(Command::WhoAmI).did.unwrap();
    match other.ask(Command::Person { did }) {
        Ok(Answer::Person(Some(person))) => *person,
        other => panic!("{other:?}"),
    }
}

#[test]
fn device_whose_facts_log_is_forked_keeps_its_names_and_writes_no_more() {
    let profile = TestProfile::new(1);
    let did = profile.claim("alice").did.unwrap();
    let (one, pieces) = copied(&profile, claim("nova"), claim("stella"));
    let me = one.me(Command::WhoAmI);
    assert_eq!((me.username.as_deref(), me.did.as_deref()), (Some("alice"), Some(&*did)), "what was before the fork");
    assert_eq!(me.other_usernames, Vec::<String>::new());

    // What could never count is refused, and nothing of it is kept.
    for command in [claim("nova"), claim("alicia"), bio("again"), Command::Rename { name: "alicia".into() }] {
        assert_eq!(one.code(command.clone()), FailureCode::IdentityForked, "{command:?}");
    }
    let one = one.restart();
    let again = one.me(Command::WhoAmI);
    assert_eq!((again.forked, again.changes, &again.username), (true, me.changes, &me.username));
    let seen = seen_by_another(&one, &pieces);
    assert_eq!((seen.forked, seen.entry.unwrap().person.username.as_deref()), (true, Some("alice")));

    // A new identity begins with another name: the old one is still held.
    let me = one.me(Command::ForgetIdentity { confirm: did.clone() });
    assert_eq!((me.did, me.forked), (None, false));
    assert_eq!(one.code(claim("alice")), FailureCode::NameTaken);
    let me = one.claim("alicia");
    assert_eq!((me.username.as_deref(), me.forked), (Some("alicia"), false));
    assert_ne!(me.did.unwrap(), did);
}

#[test]
fn forked_changes_log_is_followed_by_the_next_one() {
    let profile = TestProfile::new(1);
    profile.claim("alice");
    profile.me(bio("before"));
    let (one, pieces) = copied(&profile, bio("one"), bio("other"));
    let me = one.me(Command::WhoAmI);
    assert_eq!((me.username.as_deref(), me.profile.bio.as_deref()), (Some("alice"), Some("before")));

    // The device goes on in the next log.
    let me = one.me(bio("again"));
    assert_eq!((me.profile.bio.as_deref(), me.username.as_deref()), (Some("again"), Some("alice")));
    let me = one.me(claim("alicia"));
    assert_eq!((me.username.as_deref(), me.other_usernames), (Some("alicia"), vec!["alice".to_owned()]));
    let one = one.restart();
    assert_eq!(one.me(Command::WhoAmI).profile.bio.as_deref(), Some("again"));
    let seen = seen_by_another(&one, &pieces);
    assert_eq!(seen.profile.bio.as_deref(), Some("again"));
    assert_eq!(seen.entry.unwrap().person.username.as_deref(), Some("alicia"));
}
