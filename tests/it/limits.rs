//! Limits from both sides: what reaches one works, one more is refused by name and changes nothing.

use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::chat::history::HISTORY_MAX;
use gen_registry_core::document::{ChangeRejection, Document, Edit, EditError, Rating};
use gen_registry_core::identity::SigningIdentity;
use gen_registry_core::limits::*;
use gen_registry_core::name::ModuleName;
use gen_registry_core::sync::chat::rates::{
    ANSWERS_BURST, ANSWERS_PER_SECOND, PeerRates, QUESTIONS_BURST, QUESTIONS_PER_SECOND,
};
use gen_registry_node::FOLLOWS_MAX;
use gen_registry_node::NOTICES_MAX;
use gen_registry_node::store::Table;

use crate::support::modules::{draft, wasm};
use crate::support::people::{TOPIC, at, claim, person};
use crate::support::profile::TestProfile;

fn edit(document: &mut Document, actor: u8, edits: &[Edit]) -> Result<(), EditError> {
    document.edit(&person("alice"), &TOPIC, &[actor; 16], at(1_000_000), edits).map(drop)
}

fn module(n: usize) -> ModuleName {
    format!("module-{n:04}").parse().unwrap()
}

/// A document with all of these, as few changes as hold them.
fn holding(edits: impl IntoIterator<Item = Edit>) -> Document {
    let mut document = Document::new(person("alice").identity());
    for some in edits.into_iter().collect::<Vec<_>>().chunks(200) {
        edit(&mut document, 1, some).unwrap();
    }
    document
}

#[test]
fn document_rejects_changes_beyond_its_limit() {
    let author = person("alice");
    let bio = |n: usize| [Edit::Bio(Some(n.to_string()))];
    let (mut own, mut replica) = (Document::new(author.identity()), Document::new(author.identity()));
    for n in 0..DOCUMENT_MAX_CHANGES {
        let change = own.edit(&author, &TOPIC, &[1; 16], at(1_000_000), &bio(n)).unwrap();
        if n + 1 < DOCUMENT_MAX_CHANGES {
            replica.admit(change).unwrap();
        }
    }
    let (heads, bytes) = (own.heads(), own.bytes());
    assert_eq!(own.changes(), DOCUMENT_MAX_CHANGES);
    assert_eq!(edit(&mut own, 1, &bio(0)), Err(EditError::Full));
    // Another device has room for one; this one has none for it.
    let rival = replica.edit(&author, &TOPIC, &[2; 16], at(1_000_000), &bio(0)).unwrap();
    assert_eq!(replica.changes(), DOCUMENT_MAX_CHANGES);
    assert_eq!(own.admit(rival).map(drop), Err(ChangeRejection::TooManyChanges));
    assert_eq!((own.heads(), own.bytes(), own.changes()), (heads, bytes, DOCUMENT_MAX_CHANGES));
    assert_eq!(own.view(&TOPIC).profile.bio, Some((DOCUMENT_MAX_CHANGES - 1).to_string()));
}

/// What is beyond a limit stands in the document, as its owner signed it, and nobody reads it.
#[test]
fn facts_ratings_and_installs_are_read_up_to_their_limit() {
    let author = person("alice");
    for (count, left_out) in [(DOCUMENT_MAX_FACTS, 0), (DOCUMENT_MAX_FACTS + 1, 1)] {
        let facts = (0..count).map(|n| Edit::AddFact(claim(&author, &format!("name_{n}"), at(n as u64))));
        let view = holding(facts).view(&TOPIC);
        assert_eq!((view.facts.len(), view.rejections.len()), (DOCUMENT_MAX_FACTS, left_out), "{:?}", view.rejections);
    }
    let rating = Rating { stars: 5, review: String::new(), at: at(0), version: None };
    for more in [0, 1] {
        let rate = |n| Edit::Rate { name: module(n), rating: Some(rating.clone()) };
        assert_eq!(holding((0..RATINGS_MAX + more).map(rate)).annotations().ratings.len(), RATINGS_MAX);
        let install = |n| Edit::CountInstall { name: module(n) };
        assert_eq!(holding((0..INSTALLS_MAX + more).map(install)).annotations().installs.len(), INSTALLS_MAX);
    }
    for (length, read) in [(REVIEW_MAX_CHARS, 1), (REVIEW_MAX_CHARS + 1, 0)] {
        let rating = Some(Rating { review: "ß".repeat(length), ..rating.clone() });
        assert_eq!(holding([Edit::Rate { name: module(0), rating }]).annotations().ratings.len(), read, "{length}");
    }
}

impl TestProfile {
    fn publishes(&self, name: &str, version: &str) -> Result<Answer, Failure> {
        let draft = Box::new(draft(name, version, wasm("f", 1), &[]));
        self.ask(Command::Modules { command: ModuleCommand::Publish { draft } })
    }

    fn rates(&self, name: &str, review: String) -> Result<Answer, Failure> {
        self.ask(Command::Modules { command: ModuleCommand::Rate { name: name.into(), stars: Some(3), review } })
    }

    fn installs(&self, name: &str) {
        let requirements = vec![Requirement { name: name.into(), requirement: "*".into() }];
        self.ask(Command::Modules { command: ModuleCommand::Install { requirements, accept: vec![] } }).unwrap();
    }

    fn page_of(&self, name: &str) -> ModulePage {
        match self.ask(Command::Modules { command: ModuleCommand::Page { name: name.into() } }) {
            Ok(Answer::Module(Some(page))) => *page,
            other => panic!("no page: {other:?}"),
        }
    }

    fn follows(&self, subject: &str, follow: bool) -> Result<usize, Failure> {
        let command = NoticeCommand::Follow { subject: subject.to_owned(), follow };
        match self.ask(Command::Notices { command })? {
            Answer::Follows(rows) => Ok(rows.len()),
            other => panic!("{other:?}"),
        }
    }

    /// Newest first.
    fn notices(&self) -> Vec<u64> {
        match self.ask(Command::Notices { command: NoticeCommand::List }) {
            Ok(Answer::Notices(list)) => list.notices.into_iter().map(|notice| notice.id).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn talks(&self, command: ChatCommand) -> Answer {
        self.ask(Command::Chat { command }).unwrap()
    }

    /// Everything said in `#general`, oldest first.
    fn words(&self) -> Vec<String> {
        let (mut before, mut read) = (None, Vec::new());
        loop {
            let command = ChatCommand::Messages { channel: "#general".into(), before, limit: 200 };
            let Answer::Messages(page) = self.talks(command) else { panic!("no page") };
            read.splice(0..0, page.messages.into_iter().map(|message| message.text));
            before = page.before;
            if before.is_none() {
                return read;
            }
        }
    }
}

#[test]
fn module_names_of_an_identity_are_limited_and_stay_usable() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    for n in 0..MODULE_CLAIMS_MAX {
        alice.publishes(module(n).as_str(), "1.0.0").unwrap();
    }
    let before = alice.me(Command::WhoAmI);
    let refused = alice.publishes("one-too-many", "1.0.0").unwrap_err();
    assert_eq!(refused.code, FailureCode::TooManyModules);
    assert!(refused.message.contains(&MODULE_CLAIMS_MAX.to_string()), "{}", refused.message);
    assert_eq!(alice.me(Command::WhoAmI), before);
    alice.publishes(module(0).as_str(), "1.1.0").unwrap();
}

#[test]
fn full_document_rejects_writes_and_stays_readable() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    alice.publishes("crc32", "1.0.0").unwrap();
    let review = |n: usize| format!("{n:04}{}", "𝄞".repeat(REVIEW_MAX_CHARS - 4));
    assert_eq!(alice.rates("crc32", review(0) + "x").unwrap_err().code, FailureCode::ModuleInvalid);
    let mut written = 0;
    let refused = loop {
        match alice.rates("crc32", review(written)) {
            Ok(_) => written += 1,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.code, FailureCode::DocumentFull);
    let me = alice.me(Command::WhoAmI);
    let one = 4 * REVIEW_MAX_CHARS as u64;
    assert!(
        me.document_bytes <= DOCUMENT_MAX_BYTES as u64 && me.document_bytes + one + 1_024 > DOCUMENT_MAX_BYTES as u64
    );
    assert!(written as u64 >= DOCUMENT_MAX_BYTES as u64 / (one + 1_024), "{written}");
    assert_eq!(alice.rates("crc32", review(written)).unwrap_err().code, FailureCode::DocumentFull);
    let alice = alice.restart();
    assert_eq!(alice.me(Command::WhoAmI), me);
    assert_eq!(alice.page_of("crc32").reviews[0].text, review(written - 1));
}

/// What was rated or counted before goes on at the limit; a further one does not begin.
#[test]
fn ratings_and_installs_at_their_limit_can_be_changed_only() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    for name in ["crc32", "base64"] {
        alice.publishes(name, "1.0.0").unwrap();
    }
    alice.rates("crc32", "Good.".into()).unwrap();
    alice.installs("crc32");
    // All the others come from another device of hers.
    let Ok(Answer::RecoveryPhrase(phrase)) = alice.ask(Command::RecoveryPhrase) else { panic!("no phrase") };
    let author = SigningIdentity::from_recovery_phrase(&phrase).unwrap();
    let mut elsewhere = Document::new(author.identity());
    let rating = Rating { stars: 5, review: String::new(), at: at(0), version: None };
    let rate = |n| Edit::Rate { name: module(n), rating: Some(rating.clone()) };
    let edits: Vec<Edit> =
        (1..RATINGS_MAX).map(rate).chain((1..INSTALLS_MAX).map(|n| Edit::CountInstall { name: module(n) })).collect();
    let change = |some| elsewhere.edit(&author, &TOPIC, &[9; 16], at(1_000_000), some).unwrap().signed().clone();
    let changes = edits.chunks(200).map(change).collect();
    let report = block_on(alice.node.admission().admit(changes)).unwrap();
    assert!(report.refused.is_empty(), "{report:?}");

    alice.rates("crc32", "Better.".into()).unwrap();
    assert_eq!(alice.page_of("crc32").reviews[0].text, "Better.");
    let before = alice.me(Command::WhoAmI);
    assert_eq!(alice.rates("base64", "Good.".into()).unwrap_err().code, FailureCode::ModuleInvalid);
    assert_eq!(alice.me(Command::WhoAmI), before);
    alice.ask(Command::Modules { command: ModuleCommand::Uninstall { name: "crc32".into() } }).unwrap();
    for name in ["crc32", "base64"] {
        alice.installs(name);
    }
    assert_eq!(["crc32", "base64"].map(|name| alice.page_of(name).opinion.downloads), [2, 0]);
    let withdraw = ModuleCommand::Rate { name: "crc32".into(), stars: None, review: String::new() };
    alice.ask(Command::Modules { command: withdraw }).unwrap();
    alice.rates("base64", "Good.".into()).unwrap();
}

#[test]
fn follows_are_limited() {
    let alice = TestProfile::new(1);
    for n in 0..FOLLOWS_MAX {
        assert_eq!(alice.follows(&format!("tag:t{n}"), true), Ok(n + 1));
    }
    assert_eq!(alice.follows("tag:more", true).unwrap_err().code, FailureCode::InvalidArgument);
    let alice = alice.restart();
    assert_eq!(alice.follows("tag:t0", false), Ok(FOLLOWS_MAX - 1));
    assert_eq!(alice.follows("tag:more", true), Ok(FOLLOWS_MAX));
}

#[test]
fn notices_are_limited_and_the_oldest_is_dropped() {
    let (alice, bob) = (TestProfile::new(1), TestProfile::new(2));
    alice.follows("module:crc32", true).unwrap();
    bob.claim("bob");
    for n in 0..NOTICES_MAX + 1 {
        bob.publishes("crc32", &format!("1.{n}.0")).unwrap();
        // The name itself may be news too.
        if n + 1 >= NOTICES_MAX {
            alice.learn_from(&bob);
            assert_eq!(alice.notices().len(), NOTICES_MAX);
        }
    }
    let (ids, newest) = (alice.notices(), alice.notices()[0]);
    assert!(newest >= NOTICES_MAX as u64 && ids.iter().all(|id| *id > newest - NOTICES_MAX as u64), "{ids:?}");
    alice.ask(Command::Notices { command: NoticeCommand::MarkRead { ids: vec![] } }).unwrap();
    assert_eq!(alice.restart().notices(), ids);
}

#[test]
fn channel_log_beyond_its_limit_drops_the_oldest_message() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    alice.talks(ChatCommand::Join { username: None, channel: "#general".into() });
    let say = |n: usize| {
        // Slower than any rate of authors.
        alice.clock.advance(Duration::from_secs(2));
        alice.talks(ChatCommand::Say { channel: "#general".into(), text: format!("word {n}") });
    };
    let said = |range: std::ops::Range<usize>| range.map(|n| format!("word {n}")).collect::<Vec<_>>();
    (0..HISTORY_MAX).for_each(say);
    assert_eq!(alice.words(), said(0..HISTORY_MAX));
    let oldest = alice.store.keys(Table::Messages)[0].clone();
    assert_eq!(alice.store.keys(Table::Messages).len(), HISTORY_MAX);
    say(HISTORY_MAX);
    assert_eq!(alice.words(), said(1..HISTORY_MAX + 1));
    let keys = alice.store.keys(Table::Messages);
    assert!(keys.len() == HISTORY_MAX && !keys.contains(&oldest), "{}", keys.len());
    let alice = alice.restart();
    assert_eq!(alice.words(), said(1..HISTORY_MAX + 1));
}

#[test]
fn requests_of_one_peer_are_limited() {
    let mut rates = PeerRates::default();
    let begin = 5_000;
    for _ in 0..QUESTIONS_BURST {
        assert!(rates.question(at(begin)));
    }
    assert!(!rates.question(at(begin)), "one more than at once");
    for _ in 0..QUESTIONS_PER_SECOND {
        assert!(rates.question(at(begin + 1_000)));
    }
    assert!(!rates.question(at(begin + 1_000)), "and one more than a second brings");
    assert!(rates.answer(ANSWERS_BURST as usize, at(begin)));
    assert!(!rates.answer(1, at(begin)));
    assert!(!rates.answer(ANSWERS_PER_SECOND as usize + 1, at(begin + 1_000)));
    assert!(rates.answer(ANSWERS_PER_SECOND as usize, at(begin + 1_000)));
}
