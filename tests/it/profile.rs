//! Stories of one profile: what a person does, and that it is still there after a restart.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::digest::hex;
use gen_registry_core::keys::Did;
use gen_registry_core::limits::BLOCK_MAX_BYTES;
use gen_registry_core::picture::PICTURE_MAX_SIDE;
use gen_registry_core::time::Timestamp;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{StoreError, Table};
use gen_registry_node::{Network, Node};

use crate::support::network::numbered;
use crate::support::pictures::png;
use crate::support::profile::{PASSPHRASE, TestProfile};

fn import(bytes: &[u8], passphrase: &str) -> Command {
    Command::ImportBackup { bytes: bytes.to_vec(), passphrase: passphrase.into() }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

#[test]
fn claimed_name_survives_a_restart() {
    let alice = TestProfile::new(1);
    assert_eq!(alice.me(Command::WhoAmI).did, None);
    let me = alice.claim("Alice_Smith");
    assert_eq!(me.username.as_deref(), Some("alice_smith"));
    assert_eq!(me.name_status, Some(NameStatus::Provisional));
    let alice = alice.restart();
    assert_eq!(alice.me(Command::WhoAmI), me);
    assert!(alice.look_up("ALICE-SMITH").holder.is_some_and(|holder| holder.person.mine));
    assert_eq!(alice.look_up("nobody_here").holder, None);
    let me = alice.rename("alice_jones");
    assert_eq!((me.username.as_deref(), me.history.len()), (Some("alice_jones"), 2));
    assert_eq!(me.history[0].outcome, HistoryOutcome::Held, "the earlier name stays hers");
    let old = alice.restart().look_up("alice_smith");
    assert_eq!(old.holder.map(|holder| holder.person.username), Some(Some("alice_jones".into())));
}

#[test]
fn taken_names_and_their_look_alikes_are_rejected() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice_smith");
    bob.learn_from(&alice);
    for name in ["alice_smith", "Alice.Smith", "a1ice_smith"] {
        let command = Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() };
        assert_eq!(bob.code(command), FailureCode::NameTaken, "{name}");
        assert!(matches!(bob.verdict(name), NameVerdict::Taken { by } if by.username() == "alice_smith"), "{name}");
    }
    assert_eq!(bob.me(Command::WhoAmI).did, None, "a refused claim makes no key");
    // Whoever is set up with a taken name exists without one, and is told.
    let me = bob.me(Command::SetupUser { name: Some("alice_smith".into()), changes: ProfileChanges::default() });
    assert!(me.did.is_some() && me.username.is_none());
    assert_eq!(me.lost_name.unwrap().holder.unwrap().username(), "alice_smith");
    let bob = bob.restart();
    assert_eq!(bob.me(Command::WhoAmI).lost_name.unwrap().name, "alice_smith");
    assert_eq!(bob.claim("bob").lost_name, None);
    let taken = Command::UpdateProfile { changes: ProfileChanges::default() };
    assert!(bob.ask(taken).is_ok());
    assert_eq!(bob.code(Command::Rename { name: "alice_smith".into() }), FailureCode::NameTaken);
    assert_eq!(bob.me(Command::WhoAmI).username.as_deref(), Some("bob"), "a refused rename keeps the name");
}

#[test]
fn rival_claims_are_resolved_when_changes_are_exchanged() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("nova");
    bob.clock.advance(Duration::from_secs(10));
    bob.claim("nova");
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = told.clone();
    Node::subscribe(&bob.node, Rc::new(move |event: &Event| heard.borrow_mut().push(event.clone())));
    alice.clock.advance(Duration::from_secs(10));
    alice.learn_from(&bob);
    bob.learn_from(&alice);
    for profile in [&alice, &bob] {
        let report = profile.look_up("nova");
        assert_eq!(report.holder.as_ref().map(|holder| &holder.person.did), alice.me(Command::WhoAmI).did.as_ref());
        assert_eq!(report.holder.unwrap().status, NameStatus::Provisional);
        assert_eq!(report.losers.len(), 1);
        assert_eq!(report.why, Some(HoldReason::EarliestDate));
    }
    let me = bob.me(Command::WhoAmI);
    assert_eq!((me.username, me.lost_name.unwrap().name), (None, "nova".to_owned()));
    assert!(told.borrow().iter().any(|event| matches!(event, Event::NameLost { lost } if lost.name == "nova")));
    assert_eq!(bob.claim("stella").username.as_deref(), Some("stella"), "the loser picks another name");
}

#[test]
fn relinquished_name_is_free() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("nova");
    alice.clock.advance(Duration::from_secs(60));
    assert_eq!(alice.me(Command::GiveUpName { name: None, to: None }).username, None);
    assert_eq!(alice.code(Command::GiveUpName { name: None, to: None }), FailureCode::NoName);
    bob.clock.advance(Duration::from_secs(120));
    bob.learn_from(&alice);
    // Nobody can see to a cool-down where nobody is a witness.
    assert_eq!(bob.verdict("nova"), NameVerdict::Available);
    alice.clock.advance(Duration::from_secs(1));
    assert_eq!(alice.claim("nova").username.as_deref(), Some("nova"));
}

#[test]
fn clock_set_back_does_not_reorder_claims() {
    let alice = TestProfile::new(1);
    alice.claim("nova");
    alice.clock.set_now(Timestamp::from_millis(1_000));
    let me = alice.me(Command::Rename { name: "stella".into() });
    assert_eq!(me.username.as_deref(), Some("stella"));
    assert_eq!(alice.restart().me(Command::WhoAmI).username.as_deref(), Some("stella"));
}

#[test]
fn number_of_usernames_is_limited() {
    let usernames = Network::default().history().genesis().parameters.usernames as usize;
    let alice = TestProfile::new(1);
    alice.claim("name-a");
    for nth in 1..usernames {
        alice.rename(&format!("name-{}", "b".repeat(nth % 20 + 1) + &"c".repeat(nth / 20 + 1)));
    }
    assert_eq!(alice.code(Command::Rename { name: "one-more".into() }), FailureCode::TooManyNames);
    assert_eq!(alice.me(Command::WhoAmI).history.len(), usernames);
}

#[test]
fn profile_accepts_valid_fields_and_rejects_others() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    let picture = png(256, 256, &[7; 100]);
    let changes = ProfileChanges {
        display_name: Some("  Alice Smith ".into()),
        bio: Some("b".repeat(512)),
        avatar: Some(picture.clone().into()),
        links: Some(vec!["https://example.org/a".into(), " ".into()]),
    };
    let me = alice.me(Command::UpdateProfile { changes });
    assert_eq!(me.profile.display_name.as_deref(), Some("Alice Smith"));
    assert_eq!(me.profile.links, ["https://example.org/a"]);
    let cid = me.profile.avatar.clone().unwrap();
    let expected = Block { bytes: picture, media_type: "image/png".into() };
    assert_eq!(alice.ask(Command::Block { cid }), Ok(Answer::Block(Some(expected))));
    let refused = [
        (ProfileChanges { display_name: Some("d".repeat(65)), ..Default::default() }, FailureCode::ProfileInvalid),
        (ProfileChanges { bio: Some("b".repeat(513)), ..Default::default() }, FailureCode::ProfileInvalid),
        (
            ProfileChanges { links: Some(vec!["javascript:alert(1)".into()]), ..Default::default() },
            FailureCode::ProfileInvalid,
        ),
        (
            ProfileChanges { links: Some(vec!["https://e.org".into(); 9]), ..Default::default() },
            FailureCode::ProfileInvalid,
        ),
        (ProfileChanges { avatar: Some(b"<svg/>".to_vec().into()), ..Default::default() }, FailureCode::AvatarInvalid),
        (
            ProfileChanges { avatar: Some(png(256, 256, &[0; BLOCK_MAX_BYTES]).into()), ..Default::default() },
            FailureCode::AvatarInvalid,
        ),
    ];
    for (changes, code) in refused {
        assert_eq!(alice.code(Command::UpdateProfile { changes }), code);
        assert_eq!(alice.me(Command::WhoAmI), me);
    }
    let emptied = ProfileChanges { bio: Some(String::new()), avatar: Some(Vec::new().into()), ..Default::default() };
    let me = alice.me(Command::UpdateProfile { changes: emptied });
    assert_eq!((me.profile.bio, me.profile.avatar), (None, None));
}

#[test]
fn full_disk_leaves_the_old_state() {
    let alice = TestProfile::new(1);
    let before = alice.claim("alice");
    alice.store.fail_commits(Some(StoreError::Full));
    assert_eq!(alice.code(bio("new")), FailureCode::StorageFull);
    assert_eq!(alice.code(Command::Rename { name: "other".into() }), FailureCode::StorageFull);
    assert_eq!(alice.me(Command::WhoAmI), before);
    alice.store.fail_commits(None);
    assert_eq!(alice.me(bio("new")).changes, before.changes + 1);
}

#[test]
fn command_with_a_known_id_is_carried_out_once() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    let send = |profile: &TestProfile| block_on(profile.node.handle_once(Some("tab-1".into()), bio("once"))).map(drop);
    send(&alice).unwrap();
    let changes = alice.me(Command::WhoAmI).changes;
    send(&alice).unwrap();
    let alice = alice.restart();
    send(&alice).unwrap();
    assert_eq!(alice.me(Command::WhoAmI).changes, changes);
}

#[test]
fn document_loads_from_a_snapshot_and_later_changes() {
    let mut alice = TestProfile::new(1);
    alice.claim("alice");
    for nth in 0..70 {
        if nth % 25 == 0 {
            alice = alice.restart();
        }
        alice.me(bio(&format!("edit {nth}")));
    }
    let me = alice.restart().me(bio("last"));
    assert_eq!((me.changes, me.profile.bio.as_deref()), (72, Some("last")));
}

#[test]
fn damaged_records_are_quarantined_and_the_rest_loads() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice");
    bob.claim("bob");
    alice.learn_from(&bob);
    let people = alice.store.keys(Table::People);
    for key in &people {
        assert!(alice.store.tamper(Table::People, key, |raw| raw[20] ^= 1));
    }
    let alice = alice.restart();
    let status = match alice.ask(Command::Status) {
        Ok(Answer::Status(status)) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status.quarantined.len(), 2);
    assert_eq!(alice.store.keys(Table::Quarantine).len(), 2);
    // Both were folded again from their signed changes.
    assert_eq!(alice.me(Command::WhoAmI).username.as_deref(), Some("alice"));
    assert!(alice.look_up("bob").holder.is_some());
    // A damaged change of a document that is needed for writing costs that change, not the program.
    let own: Did = alice.me(Command::WhoAmI).did.unwrap().parse().unwrap();
    let own = alice.store.keys(Table::Changes).into_iter().find(|key| key.starts_with(&hex(own.as_bytes())));
    assert!(alice.store.tamper(Table::Changes, &own.unwrap(), |raw| raw[12] ^= 1));
    let alice = alice.restart();
    assert_eq!(alice.me(bio("still here")).profile.bio.as_deref(), Some("still here"));
    assert_eq!(alice.me(Command::WhoAmI).username.as_deref(), Some("alice"), "a fact once seen is never unseen");
}

#[test]
fn recovery_words_restore_the_key_and_the_document_the_name() {
    let alice = TestProfile::new(1);
    let me = alice.claim("alice");
    let Ok(Answer::RecoveryPhrase(phrase)) = alice.ask(Command::RecoveryPhrase) else { panic!("no phrase") };
    let words: Vec<&str> = phrase.split(' ').collect();
    let confirm = |words: Vec<(u32, String)>| Command::ConfirmRecoveryPhrase { words };
    assert_eq!(alice.code(confirm(vec![(3, "wrong".into())])), FailureCode::WrongWords);
    assert!(alice.me(confirm(vec![(3, words[3].into()), (17, words[17].to_uppercase())])).phrase_checked);

    let elsewhere = TestProfile::new(9);
    assert_eq!(
        elsewhere.code(Command::RestoreFromPhrase { phrase: words[..23].join(" "), unheard: true }),
        FailureCode::PhraseInvalid
    );
    let restored = elsewhere.me(Command::RestoreFromPhrase { phrase: phrase.clone(), unheard: true });
    assert_eq!((restored.did.clone(), restored.username), (me.did, None));
    elsewhere.learn_from(&alice);
    assert_eq!(elsewhere.me(Command::WhoAmI).username.as_deref(), Some("alice"));
    // Both devices write; nothing of either is lost.
    alice.me(bio("from the first"));
    elsewhere.me(Command::UpdateProfile {
        changes: ProfileChanges { display_name: Some("From the second".into()), ..Default::default() },
    });
    elsewhere.learn_from(&alice);
    alice.learn_from(&elsewhere);
    assert_eq!(alice.me(Command::WhoAmI).profile, elsewhere.me(Command::WhoAmI).profile);
    assert_eq!(alice.me(Command::WhoAmI).profile.bio.as_deref(), Some("from the first"));

    let bob = TestProfile::new(2);
    bob.claim("bob");
    assert_eq!(bob.code(Command::RestoreFromPhrase { phrase, unheard: true }), FailureCode::IdentityExists);
}

#[test]
fn early_writes_of_a_restored_device_are_merged() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    alice.me(bio("first device"));
    let Ok(Answer::RecoveryPhrase(phrase)) = alice.ask(Command::RecoveryPhrase) else { panic!("no phrase") };
    let second = TestProfile::new(5);
    second.me(Command::RestoreFromPhrase { phrase, unheard: true });
    second.me(Command::UpdateProfile {
        changes: ProfileChanges { links: Some(vec!["https://second.example".into()]), ..Default::default() },
    });
    second.learn_from(&alice);
    alice.learn_from(&second);
    let (first, second) = (alice.restart().me(Command::WhoAmI), second.restart().me(Command::WhoAmI));
    assert_eq!(first.profile.links, ["https://second.example"]);
    assert_eq!(first.profile.bio.as_deref(), Some("first device"));
    assert_eq!((first.profile, first.username), (second.profile, second.username));
}

#[test]
fn pictures_of_too_many_pixels_are_refused_with_the_reason() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    let changes = |avatar: Vec<u8>| ProfileChanges { avatar: Some(avatar.into()), ..Default::default() };
    alice.me(Command::UpdateProfile { changes: changes(png(PICTURE_MAX_SIDE, PICTURE_MAX_SIDE, &[7; 100])) });
    let large = png(30_000, 30_000, &[7; 100]);
    let refused = alice.ask(Command::UpdateProfile { changes: changes(large) }).unwrap_err();
    assert_eq!(refused.code, FailureCode::AvatarInvalid);
    assert_eq!(refused.message, "The picture has 30000 by 30000 pixels.");
}

#[test]
fn backup_restores_everything_or_changes_nothing() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    let picture = png(256, 256, &[7; 50]);
    let changes = ProfileChanges { avatar: Some(picture.into()), bio: Some("me".into()), ..Default::default() };
    alice.me(Command::UpdateProfile { changes });
    assert_eq!(alice.code(Command::ExportBackup { passphrase: "short".into() }), FailureCode::WeakPassphrase);
    let file = alice.backup();
    let me = alice.me(Command::WhoAmI);
    assert!(me.last_backup_at.is_some());

    let fresh = TestProfile::new(9);
    let nothing = fresh.me(Command::WhoAmI);
    assert_eq!(fresh.code(import(&file, "not the passphrase")), FailureCode::WrongPassphrase);
    assert_eq!(fresh.code(import(&file[..file.len() - 1], PASSPHRASE)), FailureCode::BackupDamaged);
    assert_eq!(fresh.code(import(b"something else", PASSPHRASE)), FailureCode::BackupDamaged);
    assert_eq!(fresh.code(import(b"", PASSPHRASE)), FailureCode::BackupDamaged);
    assert_eq!(fresh.code(import(&vec![0; 64 << 20], PASSPHRASE)), FailureCode::BackupTooLarge);
    for at in 0..file.len() {
        let mut flipped = file.clone();
        flipped[at] ^= 0x10;
        let code = fresh.code(import(&flipped, PASSPHRASE));
        assert!(matches!(code, FailureCode::BackupDamaged | FailureCode::BackupNewer), "byte {at}: {code:?}");
    }
    assert_eq!(fresh.me(Command::WhoAmI), nothing);

    let Ok(Answer::Imported(imported)) = fresh.ask(import(&file, PASSPHRASE)) else { panic!("not imported") };
    assert_eq!((imported.me.did, imported.me.username), (me.did, me.username));
    assert_eq!(imported.new_changes, 4, "opening, claim, and two edits");
    let fresh = fresh.restart();
    let again = fresh.me(Command::WhoAmI);
    assert_eq!(again.profile, me.profile);
    let Ok(Answer::Block(Some(_))) = fresh.ask(Command::Block { cid: again.profile.avatar.unwrap() }) else {
        panic!("the picture is missing")
    };
    let Ok(Answer::Imported(again)) = fresh.ask(import(&file, PASSPHRASE)) else { panic!("not imported twice") };
    assert_eq!(again.new_changes, 0);

    let bob = TestProfile::new(2);
    bob.claim("bob");
    assert_eq!(bob.code(import(&file, PASSPHRASE)), FailureCode::IdentityExists);
    let other = numbered(1);
    let elsewhere = block_on(Node::start(Rc::new(MemoryStore::new()), Rc::new(bob.clock), other)).unwrap();
    let refused = block_on(elsewhere.handle(import(&file, PASSPHRASE))).unwrap_err();
    assert_eq!(refused.code, FailureCode::BackupOtherNetwork);
}

#[test]
fn locked_key_reads_but_does_not_write() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    assert_eq!(alice.code(Command::SetPassphrase { passphrase: Some("short".into()) }), FailureCode::WeakPassphrase);
    let me = alice.me(Command::SetPassphrase { passphrase: Some(PASSPHRASE.into()) });
    assert_eq!(me.protection, Protection::Unlocked);
    let alice = alice.restart();
    let me = alice.me(Command::WhoAmI);
    assert_eq!((me.protection, me.username.as_deref()), (Protection::Locked, Some("alice")));
    assert_eq!(alice.code(bio("new")), FailureCode::Locked);
    assert_eq!(alice.code(Command::RecoveryPhrase), FailureCode::Locked);
    assert_eq!(alice.code(Command::Unlock { passphrase: "wrong passphrase".into() }), FailureCode::WrongPassphrase);
    assert_eq!(alice.me(Command::Unlock { passphrase: PASSPHRASE.into() }).protection, Protection::Unlocked);
    alice.me(bio("new"));
    assert_eq!(alice.me(Command::Lock).protection, Protection::Locked);
    assert_eq!(alice.code(bio("newer")), FailureCode::Locked);
    alice.me(Command::Unlock { passphrase: PASSPHRASE.into() });
    assert_eq!(alice.me(Command::SetPassphrase { passphrase: None }).protection, Protection::None);
    assert_eq!(alice.restart().me(bio("free")).profile.bio.as_deref(), Some("free"));
}

#[test]
fn identity_is_forgotten_only_with_its_did() {
    let alice = TestProfile::new(1);
    let did = alice.claim("alice").did.unwrap();
    assert_eq!(alice.code(Command::ForgetIdentity { confirm: "yes".into() }), FailureCode::ConfirmationWrong);
    assert_eq!(alice.me(Command::ForgetIdentity { confirm: did.clone() }).did, None);
    let alice = alice.restart();
    assert!(alice.look_up("alice").holder.is_some_and(|holder| holder.person.did == did && !holder.person.mine));
    assert_ne!(alice.claim("someone").did, Some(did));
}

#[test]
fn the_directory_is_paged_and_filtered() {
    let reader = TestProfile::new(1);
    for (seed, name) in ["bob", "ada", "bea", "ben", "zoe"].into_iter().enumerate() {
        let person = TestProfile::new(seed as u64 + 10);
        person.claim(name);
        reader.learn_from(&person);
    }
    let list =
        |prefix: &str, limit, cursor| match reader.ask(Command::ListUsernames { prefix: prefix.into(), limit, cursor })
        {
            Ok(Answer::People(page)) => page,
            other => panic!("{other:?}"),
        };
    let names = |page: &PeoplePage| page.people.iter().map(|entry| entry.username().to_owned()).collect::<Vec<_>>();
    let all = list("", 100, None);
    assert_eq!(
        (names(&all), all.cursor),
        (vec!["ada".into(), "bea".into(), "ben".into(), "bob".into(), "zoe".into()], None)
    );
    assert_eq!(all.initials, [("A".to_owned(), 1), ("B".to_owned(), 3), ("Z".to_owned(), 1)]);
    let first = list("B", 2, None);
    assert_eq!((names(&first), first.total), (vec!["bea".to_owned(), "ben".into()], 3));
    let second = list("B", 2, first.cursor);
    assert_eq!((names(&second), second.cursor), (vec!["bob".to_owned()], None));
    let bad = Command::ListUsernames { prefix: String::new(), limit: 1, cursor: Some("!".into()) };
    assert_eq!(reader.code(bad), FailureCode::InvalidArgument);
}

/// Found by the simulator (seed 271): the same bio drawn twice.
#[test]
fn saving_unchanged_values_succeeds_and_writes_no_change() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    let first = alice.me(bio("I write compilers."));
    assert_eq!(alice.me(bio("I write compilers.")), first);
    assert_eq!(alice.restart().me(Command::WhoAmI), first);
}
