//! Stories of modules: what their authors do, and what everybody else makes of it. No network: changes are handed over.

use std::time::Duration;

use gen_registry_api::*;

use crate::support::modules::draft;
use crate::support::modules::wasm;
use crate::support::profile::TestProfile;

fn publish(draft: PublishDraft) -> Command {
    modules(ModuleCommand::Publish { draft: Box::new(draft) })
}

fn modules(command: ModuleCommand) -> Command {
    Command::Modules { command }
}

impl TestProfile {
    fn publish(&self, name: &str, version: &str, constant: i32) -> Published {
        match self.ask(publish(draft(name, version, wasm("f", constant), &[]))) {
            Ok(Answer::Published(published)) => published,
            other => panic!("not published: {other:?}"),
        }
    }

    fn page(&self, name: &str) -> Option<ModulePage> {
        self.module(ModuleCommand::Page { name: name.to_owned() })
    }

    fn module(&self, command: ModuleCommand) -> Option<ModulePage> {
        match self.ask(modules(command)) {
            Ok(Answer::Module(page)) => page.map(|page| *page),
            other => panic!("no page: {other:?}"),
        }
    }

    fn list(&self, filter: ModuleFilter, sort: ModuleSort) -> Vec<String> {
        match self.ask(modules(ModuleCommand::List { filter, sort, limit: 50, cursor: None })) {
            Ok(Answer::Modules(list)) => list.modules.into_iter().map(|card| card.name).collect(),
            other => panic!("no list: {other:?}"),
        }
    }
}

#[test]
fn published_module_survives_a_restart_and_reaches_others() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice_smith");
    let published = alice.publish("crc-32", "1.0.0", 1);
    assert!(published.claimed && published.size == wasm("f", 1).len() as u64);
    bob.learn_from(&alice);
    for profile in [alice.restart(), bob] {
        let page = profile.page("CRC_32").expect("a look-alike leads to it");
        assert_eq!((page.name.as_str(), page.latest.as_deref()), ("crc-32", Some("1.0.0")));
        assert_eq!(page.holder.username.as_deref(), Some("alice_smith"));
        assert_eq!(page.versions[0].summary.release, published.release);
        assert_eq!(page.details.description.description.as_deref(), Some("A check sum"));
        assert_eq!((page.details.exports, page.details.imports), (vec!["f".to_owned()], vec![]));
        assert_eq!(profile.page("unknown"), None);
    }
}

#[test]
fn failed_publication_gives_a_reason_and_changes_nothing() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice_smith");
    alice.publish("crc32", "1.0.0", 1);
    let before = alice.me(Command::WhoAmI);
    for (name, version, wasm, code) in [
        ("crc32", "1.0.0", wasm("f", 2), FailureCode::VersionTaken),
        ("crc32", "1.0", wasm("f", 2), FailureCode::VersionInvalid),
        ("crc32", "1.0.1+build", wasm("f", 2), FailureCode::VersionInvalid),
        ("crc32", "1.0.1", b"(module)".to_vec(), FailureCode::ModuleInvalid),
        ("crc32", "1.0.1", wasm("f", 2)[..20].to_vec(), FailureCode::ModuleInvalid),
        ("c r c", "1.0.1", wasm("f", 2), FailureCode::NameInvalid),
    ] {
        assert_eq!(alice.code(publish(draft(name, version, wasm, &[]))), code, "{name} {version}");
    }
    for (dependency, code) in [
        (("crc32", "1"), FailureCode::ModuleInvalid),
        (("base64", "one"), FailureCode::VersionInvalid),
        (("ba se", "1"), FailureCode::NameInvalid),
    ] {
        assert_eq!(alice.code(publish(draft("crc32", "1.0.1", wasm("f", 2), &[dependency]))), code);
    }
    assert_eq!(alice.me(Command::WhoAmI), before);
    bob.learn_from(&alice);
    assert_eq!(bob.code(publish(draft("CRC32", "1.0.1", wasm("f", 2), &[]))), FailureCode::NotYourModule);
    assert_eq!(bob.me(Command::WhoAmI).did, None, "not even a key was made");
}

/// One result everywhere, people told, nothing overwritten.
#[test]
fn rival_releases_of_one_version_are_resolved() {
    let (desk, phone) = (TestProfile::new(1), TestProfile::new(2));
    desk.claim("alice_smith");
    desk.publish("crc32", "0.9.0", 0);
    let backup = Command::ImportBackup { bytes: desk.backup(), passphrase: "correct horse battery".into() };
    phone.ask(backup).expect("a second device");
    phone.clock.advance(Duration::from_secs(1));
    let first = desk.publish("crc32", "1.0.0", 1);
    let second = phone.publish("crc32", "1.0.0", 2);
    assert_ne!(first.release, second.release);
    let mallory = TestProfile::new(3);
    mallory.clock.advance(Duration::from_secs(2));
    mallory.claim("mallory");
    let stranger = mallory.publish("CRC32", "1.0.0", 3);
    let readers = [TestProfile::new(4), TestProfile::new(5)];
    readers[0].learn_from(&mallory);
    readers[0].learn_from(&phone);
    readers[0].learn_from(&desk);
    readers[1].learn_from(&desk);
    readers[1].learn_from(&phone);
    readers[1].learn_from(&mallory);
    desk.learn_from(&phone);
    desk.learn_from(&mallory);
    phone.learn_from(&desk);
    phone.learn_from(&mallory);
    for profile in readers.iter().chain([&desk, &phone]) {
        let page = profile.page("crc32").expect("a module");
        let versions: Vec<_> =
            page.versions.iter().map(|entry| (&*entry.summary.version, &*entry.summary.release)).collect();
        assert_eq!(versions[0], ("1.0.0", &*first.release), "the first counts, everywhere");
        assert_eq!(versions.len(), 2);
        let refused: Vec<_> = page.refused.iter().map(|refused| &*refused.release).collect();
        assert!(refused.contains(&&*second.release), "nothing is lost, and people are told why");
        assert_eq!(page.holder.username.as_deref(), Some("alice_smith"));
        assert!(refused.contains(&&*stranger.release));
    }
    mallory.learn_from(&desk);
    let told = mallory.page("crc32").expect("a module");
    assert!(!told.mine && told.refused.iter().any(|refused| refused.release == stranger.release));
}

#[test]
fn yanked_version_shows_its_reason_until_unyanked() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.claim("alice_smith");
    alice.publish("crc32", "1.0.0", 1);
    alice.publish("crc32", "1.1.0", 2);
    let yank = |reason: Option<&str>| ModuleCommand::Yank {
        name: "crc32".into(),
        version: "1.1.0".into(),
        reason: reason.map(str::to_owned),
    };
    let page = alice.module(yank(Some("wrong for empty input"))).expect("a page");
    assert_eq!(page.latest.as_deref(), Some("1.0.0"));
    bob.learn_from(&alice);
    let seen = bob.page("crc32").expect("a page");
    assert_eq!(seen.versions[0].summary.withdrawn.as_ref().map(|w| &*w.reason), Some("wrong for empty input"));
    assert_eq!(bob.code(modules(yank(None))), FailureCode::NoIdentity);
    bob.claim("bob");
    assert_eq!(bob.code(modules(yank(None))), FailureCode::NotYourModule);
    // The clock is set back in between; what is said later still counts as later.
    alice.clock.set_now(gen_registry_core::time::Timestamp::from_millis(1_700_000_000_000));
    let page = alice.module(yank(None)).expect("a page");
    assert_eq!(page.latest.as_deref(), Some("1.1.0"));
    assert_eq!(alice.restart().page("crc32").expect("a page").latest.as_deref(), Some("1.1.0"));
}

#[test]
fn each_person_has_one_rating_and_lists_follow_it() {
    let (alice, bob, carol) = (TestProfile::new(1), TestProfile::new(2), TestProfile::new(3));
    alice.claim("alice_smith");
    alice.publish("crc32", "1.0.0", 1);
    alice.clock.advance(Duration::from_secs(5));
    alice.publish("base64", "1.0.0", 2);
    let describe = ModuleCommand::Describe {
        name: "base64".into(),
        changes: ModulePatch { tags: Some(vec!["Encoding".into(), " text ".into()]), ..ModulePatch::default() },
    };
    assert_eq!(
        alice.module(describe).expect("a page").details.description.tags,
        ["encoding", "text"].map(str::to_owned).into()
    );
    for (person, stars) in [(&bob, 4), (&carol, 5)] {
        person.learn_from(&alice);
        let rate = |stars| ModuleCommand::Rate { name: "crc32".into(), stars, review: "Does what it says.".into() };
        person.module(rate(Some(1)));
        let page = person.module(rate(Some(stars))).expect("a page");
        assert_eq!((page.opinion.ratings, page.reviews[0].stars), (1, stars), "the second in place of the first");
        alice.learn_from(person);
    }
    let page = alice.page("crc32").expect("a page");
    assert_eq!((page.opinion.stars, page.opinion.ratings), (Some(4.5), 2));
    assert_eq!(alice.list(ModuleFilter::default(), ModuleSort::Rated), ["crc32", "base64"]);
    assert_eq!(alice.list(ModuleFilter::default(), ModuleSort::Recent), ["base64", "crc32"]);
    let tagged = ModuleFilter { tag: Some("encoding".into()), ..ModuleFilter::default() };
    assert_eq!(alice.list(tagged, ModuleSort::Name), ["base64"]);
    let exporting = ModuleFilter { exports: Some("g".into()), ..ModuleFilter::default() };
    assert!(alice.list(exporting, ModuleSort::Name).is_empty());
}
