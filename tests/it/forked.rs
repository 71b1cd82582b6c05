//! Somebody's own key signed two different changes for one place: their device says so and offers nothing that can't count.

use std::cell::RefCell;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;

use crate::support::profile::TestProfile;

fn claim(name: &str) -> Command {
    Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

#[test]
fn forked_identity_is_reported_and_can_be_replaced() {
    let first = TestProfile::new(1);
    let did = first.claim("alice").did.unwrap();
    // The whole machine was copied while it ran, randomness and all.
    let clock = || TestEnvironment::new(1, Timestamp::from_millis(1_800_000_000_000));
    let (one, other) = (Rc::new(first.store.copy()), Rc::new(first.store.copy()));
    let (one, other) = (TestProfile::open(one, clock()), TestProfile::open(other, clock()));
    one.me(bio("one"));
    other.me(bio("other"));
    assert!(!one.me(Command::WhoAmI).forked);

    let told: Rc<RefCell<u32>> = Rc::default();
    let hears = told.clone();
    one.node.subscribe(Rc::new(move |event| *hears.borrow_mut() += u32::from(*event == Event::MeChanged)));
    let report = block_on(one.node.admission().admit(block_on(other.node.own_signed_changes()).unwrap())).unwrap();
    assert!(!report.refused.is_empty(), "the second change for one place is the proof");
    let me = one.me(Command::WhoAmI);
    assert_eq!((me.forked, me.username, me.did.as_deref()), (true, None, Some(&*did)));
    assert!(*told.borrow() > 0, "the page hears of it");

    // What could never count is refused, and nothing of it is kept.
    for command in [claim("alice"), claim("alicia"), bio("again"), Command::Rename { name: "alicia".into() }] {
        assert_eq!(one.code(command.clone()), FailureCode::IdentityForked, "{command:?}");
    }
    let one = one.restart();
    let again = one.me(Command::WhoAmI);
    assert_eq!((again.forked, again.changes), (true, me.changes));

    // A new identity may have the old name, too.
    let me = one.me(Command::ForgetIdentity { confirm: did.clone() });
    assert_eq!((me.did, me.forked), (None, false));
    let me = one.claim("alice");
    assert_eq!((me.username.as_deref(), me.forked), (Some("alice"), false));
    assert_ne!(me.did.unwrap(), did);
}
