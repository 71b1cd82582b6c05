//! Devices and keys of one person, without witnesses: adding, revoking, replacing the key, bringing an identity back.

use std::rc::Rc;
use std::time::Duration;

use gen_registry_api::*;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;

use crate::support::profile::{PASSPHRASE, TestProfile};

impl TestProfile {
    fn devices(&self, command: DeviceCommand) -> Answer {
        self.ask(Command::Devices { command }).unwrap()
    }

    fn refused(&self, command: DeviceCommand) -> FailureCode {
        self.code(Command::Devices { command })
    }

    pub fn list_devices(&self) -> DeviceList {
        match self.devices(DeviceCommand::List) {
            Answer::Devices(list) => list,
            other => panic!("{other:?}"),
        }
    }

    fn request(&self) -> String {
        text(self.devices(DeviceCommand::Request))
    }

    fn add(&self, request: &str, capabilities: DeviceCapabilities) -> String {
        text(self.devices(DeviceCommand::Add { request: request.to_owned(), capabilities }))
    }

    pub fn phrase(&self) -> String {
        match self.ask(Command::RecoveryPhrase) {
            Ok(Answer::RecoveryPhrase(phrase)) => phrase,
            other => panic!("{other:?}"),
        }
    }

    /// Shows to have the words, so that they leave the device. Returns them.
    pub fn check_words(&self) -> String {
        let phrase = self.phrase();
        let first = phrase.split(' ').next().unwrap().to_owned();
        self.me(Command::ConfirmRecoveryPhrase { words: vec![(0, first)] });
        phrase
    }

    fn restore(&self, phrase: &str) -> Me {
        self.me(Command::RestoreFromPhrase { phrase: phrase.to_owned(), unheard: false })
    }

    fn bio(&self) -> Option<String> {
        self.me(Command::WhoAmI).profile.bio
    }

    /// Somebody copies the profile's folder.
    fn copied(&self, seed: u64) -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock = TestEnvironment::new(seed, now);
        clock.advance(Duration::from_secs(3_600));
        Self::open(Rc::new(self.store.copy()), clock)
    }
}

fn text(answer: Answer) -> String {
    match answer {
        Answer::DeviceText(text) => text,
        other => panic!("{other:?}"),
    }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

fn rename(name: &str) -> Command {
    Command::Rename { name: name.into() }
}

/// Everybody learns what everybody knows of one identity.
fn meet(profiles: &[&TestProfile]) {
    for _ in 0..2 {
        for one in profiles {
            profiles.iter().for_each(|other| one.learn_from(other));
        }
    }
}

fn words(phrase: &str) -> WordsForRotation {
    WordsForRotation { phrase: Some(phrase.to_owned()), make_new: false }
}

#[test]
fn device_is_added_by_a_text_and_acts_within_its_capabilities() {
    let (laptop, phone) = (TestProfile::new(1), TestProfile::new(2));
    laptop.claim("alice");
    let request = phone.request();
    assert_eq!(phone.request(), request, "the same one until it is used");
    let phone = phone.restart();
    assert_eq!(phone.list_devices().request.as_deref(), Some(&*request), "also after a restart");
    assert_eq!(laptop.refused(DeviceCommand::Request), FailureCode::IdentityExists);

    let capabilities = DeviceCapabilities { profile: true, ..DeviceCapabilities::default() };
    let grant = laptop.add(&request, capabilities.clone());
    assert_eq!(laptop.add(&request, capabilities.clone()), grant, "asked for once more, it is the same");
    let Answer::DeviceGrant(shown) = phone.devices(DeviceCommand::ReadGrant { grant: grant.clone() }) else { panic!() };
    let alice = laptop.me(Command::WhoAmI);
    assert_eq!(
        (Some(shown.did), shown.safety_words, &shown.capabilities),
        (alice.did.clone(), alice.safety_words, &capabilities)
    );
    phone.devices(DeviceCommand::Accept { grant });
    phone.learn_from(&laptop);
    let me = phone.me(Command::WhoAmI);
    assert_eq!((me.did, me.username.as_deref()), (alice.did, Some("alice")));

    // It changes the profile, and nothing else.
    phone.me(bio("from the phone"));
    laptop.learn_from(&phone);
    assert_eq!(laptop.bio().as_deref(), Some("from the phone"));
    assert_eq!(phone.code(rename("alicia")), FailureCode::NotAllowed);
    assert_eq!(phone.code(Command::GiveUpName { name: None, to: None }), FailureCode::NoIdentityKey);
    assert_eq!(phone.refused(DeviceCommand::Add { request, capabilities }), FailureCode::NoIdentityKey);
    let phone = phone.restart();
    let list = phone.list_devices();
    assert_eq!((list.devices.len(), list.holds_key, list.has_words), (2, false, false));
    assert!(list.devices[0].this_device && list.devices[0].capabilities.publish.is_none());
    assert_eq!(laptop.list_devices().devices[1].entries[0].what, DeviceEntryKind::Change);
    // With the words it gets the key.
    phone.restore(&laptop.phrase());
    assert!(phone.list_devices().holds_key);
    assert_eq!(phone.restart().list_devices().devices.len(), 2, "and stays the device that it was");
}

#[test]
fn text_of_another_device_or_network_is_refused_and_changes_nothing() {
    let (laptop, phone, other) = (TestProfile::new(1), TestProfile::new(2), TestProfile::new(3));
    laptop.claim("alice");
    let grant = laptop.add(&phone.request(), DeviceCapabilities::full());
    other.request();
    let accept = |grant: &str| DeviceCommand::Accept { grant: grant.to_owned() };
    for bad in [&*grant, "gen-added:", "", &phone.request(), &grant[..grant.len() - 4]] {
        assert_eq!(other.refused(accept(bad)), FailureCode::DeviceTextInvalid, "{bad}");
    }
    assert_eq!(other.me(Command::WhoAmI).did, None);
    other.devices(DeviceCommand::CancelRequest);
    assert_eq!(other.list_devices().request, None);
    let add =
        |request: &str| DeviceCommand::Add { request: request.to_owned(), capabilities: DeviceCapabilities::full() };
    for bad in ["hello", "", &*grant] {
        assert_eq!(laptop.refused(add(bad)), FailureCode::DeviceTextInvalid, "{bad}");
    }
    assert_eq!(laptop.list_devices().devices.len(), 2);
}

#[test]
fn revoked_device_keeps_what_was_good_and_loses_the_rest() {
    let laptop = TestProfile::new(1);
    laptop.claim("alice");
    laptop.me(bio("mine"));
    let phrase = laptop.check_words();
    // The folder is copied; the thief writes, and the laptop does not any more.
    let thief = laptop.copied(7);
    thief.me(bio("stolen"));
    thief.me(rename("mallory"));
    let phone = TestProfile::new(2);
    phone.learn_from(&thief);
    phone.clock.advance(Duration::from_secs(7_200));
    phone.restore(&phrase);
    assert_eq!(phone.bio().as_deref(), Some("stolen"), "until it is known");

    let stolen = phone.list_devices().devices.into_iter().find(|row| !row.this_device).unwrap();
    let last = stolen.entries.iter().find(|entry| entry.what == DeviceEntryKind::Claim && entry.subject == "alice");
    let last_good = LastGood::Entry { id: last.unwrap().id.clone() };
    let revoke = DeviceCommand::Revoke { key: stolen.key.clone(), last_good };
    assert_eq!(
        thief.refused(DeviceCommand::Revoke { key: stolen.key.clone(), last_good: LastGood::Nothing }),
        FailureCode::InvalidArgument
    );
    phone.devices(revoke);
    meet(&[&phone, &thief]);
    let bob = TestProfile::new(3);
    bob.learn_from(&thief);
    bob.learn_from(&phone);
    assert_eq!(bob.look_up("alice").holder.unwrap().person.username.as_deref(), Some("alice"));
    assert_eq!(bob.look_up("mallory").holder, None);
    assert_eq!(phone.bio().as_deref(), Some("mine"));
    assert_eq!(thief.code(bio("again")), FailureCode::NotAllowed);
    // It goes on without the laptop.
    phone.me(bio("free again"));
    bob.learn_from(&phone);
    assert_eq!(phone.restart().list_devices().devices[1].state, DeviceState::Revoked);
}

#[test]
fn laptop_whose_log_is_forked_goes_on_with_a_new_key() {
    let laptop = TestProfile::new(1);
    laptop.claim("alice");
    let phrase = laptop.check_words();
    let thief = laptop.copied(7);
    laptop.clock.advance(Duration::from_secs(60));
    laptop.me(rename("nova"));
    thief.me(rename("stella"));
    meet(&[&laptop, &thief]);
    assert!(laptop.me(Command::WhoAmI).forked);
    assert_eq!(laptop.code(rename("nova_again")), FailureCode::IdentityForked);

    let before = laptop.list_devices().devices.remove(0);
    laptop.restore(&phrase);
    let me = laptop.me(Command::WhoAmI);
    assert_eq!((me.forked, me.username.as_deref()), (false, Some("alice")));
    let mine = before.entries.iter().find(|entry| entry.subject == "nova").expect("it is still shown");
    let last_good = LastGood::Entry { id: mine.id.clone() };
    laptop.devices(DeviceCommand::Revoke { key: before.key, last_good });
    assert_eq!(laptop.me(Command::WhoAmI).username.as_deref(), Some("nova"), "the own branch counts again");
    let laptop = laptop.restart();
    assert_eq!(laptop.me(Command::WhoAmI).username.as_deref(), Some("nova"));
    let bob = TestProfile::new(3);
    bob.learn_from(&thief);
    // First that it was forked and ended, then the branch that counts.
    bob.learn_from(&laptop);
    bob.learn_from(&laptop);
    assert!(bob.look_up("nova").holder.is_some());
    assert_eq!(bob.look_up("stella").holder, None);
}

#[test]
fn rotation_from_the_words_ends_what_the_thief_of_the_key_did() {
    let laptop = TestProfile::new(1);
    let alice = laptop.claim("alice");
    let phone = TestProfile::new(2);
    let grant = laptop.add(&phone.request(), DeviceCapabilities::full());
    phone.devices(DeviceCommand::Accept { grant });
    phone.learn_from(&laptop);
    phone.me(bio("from the phone"));
    laptop.learn_from(&phone);
    let phrase = laptop.check_words();

    // The thief has the identity key: adds a device, and revokes the phone.
    let thief = laptop.copied(7);
    let burner = TestProfile::new(8);
    let grant = thief.add(&burner.request(), DeviceCapabilities::full());
    burner.devices(DeviceCommand::Accept { grant });
    burner.learn_from(&thief);
    burner.me(bio("taken over"));
    let key = phone.list_devices().devices.remove(0).key;
    thief.devices(DeviceCommand::Revoke { key, last_good: LastGood::Nothing });

    let fresh = TestProfile::new(4);
    fresh.learn_from(&thief);
    fresh.learn_from(&burner);
    fresh.clock.advance(Duration::from_secs(7_200));
    fresh.restore(&phrase);
    let rows = fresh.list_devices().devices;
    assert_eq!(rows.len(), 4);
    let ends = rows.iter().filter(|row| !row.this_device && row.number == laptop.list_devices().devices[0].number).map(
        |row| DeviceEnd {
            key: row.key.clone(),
            last_good: LastGood::Entry { id: row.entries.last().unwrap().id.clone() },
        },
    );
    let mut ends: Vec<DeviceEnd> = ends.collect();
    let of_burner = burner.list_devices().devices.remove(0).key;
    ends.push(DeviceEnd { key: of_burner, last_good: LastGood::Nothing });
    let wrong = TestProfile::new(20);
    wrong.claim("somebody");
    let other_words = DeviceCommand::Rotate { words: words(&wrong.phrase()), ends: Vec::new() };
    assert_eq!(fresh.refused(other_words), FailureCode::WordsReplaced);
    fresh.devices(DeviceCommand::Rotate { words: words(&phrase), ends });
    let list = fresh.list_devices();
    assert_eq!((list.key_number, list.holds_key, list.rotating), (1, true, false));
    assert_ne!(fresh.me(Command::WhoAmI).public_key, alice.public_key);

    meet(&[&fresh, &thief, &burner]);
    assert_eq!(thief.code(bio("and on")), FailureCode::NotAllowed);
    assert_eq!(burner.code(bio("and on")), FailureCode::NotAllowed);
    assert_eq!(
        thief.refused(DeviceCommand::Revoke { key: list.devices[0].key.clone(), last_good: LastGood::Nothing }),
        FailureCode::NoIdentityKey
    );
    let me = fresh.me(Command::WhoAmI);
    assert_eq!((me.did, me.username.as_deref(), me.profile.bio), (alice.did, Some("alice"), None));
    let fresh = fresh.restart();
    fresh.me(bio("free"));
    assert_eq!(fresh.bio().as_deref(), Some("free"));
    // The old words still give the key: they were not stolen.
    let later = TestProfile::new(5);
    later.learn_from(&fresh);
    later.restore(&phrase);
    assert_eq!(later.list_devices().key_number, 1);
    assert!(later.list_devices().holds_key);
}

#[test]
fn stolen_words_are_replaced_by_new_ones() {
    let laptop = TestProfile::new(1);
    laptop.claim("alice");
    let stolen = laptop.check_words();
    laptop.me(Command::SetPassphrase { passphrase: Some(PASSPHRASE.into()) });
    let words = WordsForRotation { phrase: Some(stolen.clone()), make_new: true };
    laptop.devices(DeviceCommand::Rotate { words, ends: Vec::new() });
    let list = laptop.list_devices();
    assert_eq!((list.key_number, list.holds_key, list.has_words), (2, true, true));
    assert!(!laptop.me(Command::WhoAmI).phrase_checked, "the new words are to be written down");
    let laptop = laptop.restart();
    assert_eq!(laptop.me(Command::WhoAmI).protection, Protection::Locked);
    laptop.me(Command::Unlock { passphrase: PASSPHRASE.into() });
    let fresh_words = laptop.check_words();
    assert_ne!(fresh_words, stolen);
    laptop.me(Command::Lock);
    laptop.me(Command::Unlock { passphrase: PASSPHRASE.into() });
    assert_eq!(laptop.code(Command::RecoveryPhrase), FailureCode::WordsGone, "also of the sealed keys");
    assert!(laptop.list_devices().holds_key);

    let thief = TestProfile::new(7);
    thief.learn_from(&laptop);
    let restore = |phrase: &str| Command::RestoreFromPhrase { phrase: phrase.to_owned(), unheard: false };
    assert_eq!(thief.code(restore(&stolen)), FailureCode::WordsReplaced);
    let phone = TestProfile::new(2);
    assert_eq!(phone.code(restore(&fresh_words)), FailureCode::IdentityNotFound, "nobody was asked");
    assert_eq!(phone.me(Command::WhoAmI).did, None);
    phone.learn_from(&laptop);
    assert_eq!(phone.restore(&fresh_words).username.as_deref(), Some("alice"));
    phone.me(bio("from the phone"));
    laptop.learn_from(&phone);
    assert_eq!(laptop.bio().as_deref(), Some("from the phone"));
    // A backup of before has a key that speaks no more.
    assert!(phone.list_devices().holds_key);
}

#[test]
fn lost_words_can_only_be_replaced_where_witnesses_watch() {
    let laptop = TestProfile::new(1);
    laptop.claim("alice");
    assert_eq!(laptop.refused(DeviceCommand::ReplaceLostWords), FailureCode::InvalidArgument, "they are still here");
    laptop.check_words();
    assert_eq!(laptop.refused(DeviceCommand::ReplaceLostWords), FailureCode::NotAllowed);
}

#[test]
fn name_is_given_to_somebody() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("nova");
    bob.claim("bob");
    alice.learn_from(&bob);
    let nova = OwnName { kind: NameKind::Username, name: "Nova".into() };
    let give = |to: &str| Command::GiveUpName { name: Some(nova.clone()), to: Some(to.to_owned()) };
    assert_eq!(alice.code(give("nobody_here")), FailureCode::UnknownUser);
    assert_eq!(alice.code(give("nova")), FailureCode::UnknownUser, "to oneself");
    assert_eq!(bob.code(give("alice")), FailureCode::NoName);
    assert_eq!(alice.code(Command::VetoGiveUp { name: nova.clone() }), FailureCode::AlreadyAnswered);
    alice.me(give("bob"));
    bob.clock.advance(Duration::from_secs(60));
    bob.learn_from(&alice);
    assert_eq!(bob.claim("nova").username.as_deref(), Some("nova"));
}
