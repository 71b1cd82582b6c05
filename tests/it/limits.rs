//! Limits from both sides: what reaches one works, one more is refused by name and changes nothing.

use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::actors::{Device, Person as Owner};
use gen_registry_core::chat::history::HISTORY_MAX;
use gen_registry_core::document::{Document, Edit, ModuleAnnotations, Rating, Write};
use gen_registry_core::keys::Master;
use gen_registry_core::limits::*;
use gen_registry_core::log::{Capabilities, Entry, Kind};
use gen_registry_core::name::ModuleName;
use gen_registry_core::sync::chat::rates::{
    ANSWERS_BURST, ANSWERS_PER_SECOND, PeerRates, QUESTIONS_BURST, QUESTIONS_PER_SECOND,
};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::FOLLOWS_MAX;
use gen_registry_node::NOTICES_MAX;
use gen_registry_node::Network;
use gen_registry_node::store::Table;

use crate::support::modules::{draft, wasm};
use crate::support::profile::TestProfile;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn module(n: usize) -> ModuleName {
    format!("module-{n:04}").parse().unwrap()
}

fn rate(n: usize, rating: &Rating) -> Edit {
    Edit::Rate { name: module(n), rating: Some(rating.clone()) }
}

fn count(n: usize) -> Edit {
    Edit::CountInstalls { name: module(n), count: 1 }
}

/// Some edits of a device in as few changes as hold them, after its opening.
fn changes_of(device: &Device, edits: &[Edit]) -> (Document, Vec<Entry>) {
    let (log, mut document, mut entries) = (device.log().numbered(1), Document::default(), Vec::<Entry>::new());
    for some in edits.chunks(100) {
        let writes: Vec<Write> = some.iter().map(Edit::to_write).collect();
        let body = document.write(log, at(1_000_000), &writes).unwrap();
        let entry = match entries.last() {
            None => Entry::begin(&device.topic, &device.key, log, Kind::Change as u8, body),
            Some(last) => Entry::after(&device.topic, &device.key, last.signed_header(), Kind::Change as u8, body),
        };
        let seq = entries.len() as u64;
        document.insert_change(log, seq, entry.id(), entry.body(), &Capabilities::full()).unwrap();
        entries.push(entry);
    }
    (document, entries)
}

/// What is beyond a limit is in the document, as its owner signed it, and is not read.
#[test]
fn ratings_and_installs_are_read_up_to_their_limit() {
    let alice = Device::of(Network::default().topic, "alice");
    let said = |edits: Vec<Edit>| ModuleAnnotations::of(&changes_of(&alice, &edits).0.data().unwrap());
    let rating = Rating { stars: 5, review: String::new(), at: at(0), version: None };
    for more in [0, 1] {
        assert_eq!(said((0..RATINGS_MAX + more).map(|n| rate(n, &rating)).collect()).ratings.len(), RATINGS_MAX);
        assert_eq!(said((0..INSTALLS_MAX + more).map(count).collect()).installs.len(), INSTALLS_MAX);
    }
    for (length, read) in [(REVIEW_MAX_CHARS, 1), (REVIEW_MAX_CHARS + 1, 0)] {
        let rating = Rating { review: "ß".repeat(length), ..rating.clone() };
        assert_eq!(said(vec![rate(0, &rating)]).ratings.len(), read, "{length}");
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
    for n in 0..MODULES_MAX {
        alice.publishes(module(n).as_str(), "1.0.0").unwrap();
    }
    let before = alice.me(Command::WhoAmI);
    let refused = alice.publishes("one-too-many", "1.0.0").unwrap_err();
    assert_eq!(refused.code, FailureCode::TooManyModules);
    assert!(refused.message.contains(&MODULES_MAX.to_string()), "{}", refused.message);
    assert_eq!(alice.me(Command::WhoAmI), before);
    alice.publishes(module(0).as_str(), "1.1.0").unwrap();
}

#[test]
fn usernames_of_an_identity_are_limited() {
    let alice = TestProfile::new(1);
    let most = Network::default().history().genesis().parameters.usernames as usize;
    let letter = |n: usize| char::from(b'a' + n as u8);
    for n in 0..most {
        alice.claim(&format!("alice_{}", letter(n)));
    }
    let before = alice.me(Command::WhoAmI);
    let claim = |name: &str| Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() };
    assert_eq!(alice.code(claim("alice_more")), FailureCode::TooManyNames);
    assert_eq!(alice.me(Command::WhoAmI), before);
    assert_eq!(before.other_usernames.len(), most - 1);
}

#[test]
fn full_document_rejects_writes_and_stays_readable() {
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    let review = |n: usize| format!("{n:04}{}", "𝄞".repeat(REVIEW_MAX_CHARS - 4));
    let mut written = 0;
    let refused = loop {
        alice.publishes(module(written).as_str(), "1.0.0").unwrap();
        if written == 0 {
            let long = alice.rates(module(0).as_str(), review(0) + "x");
            assert_eq!(long.unwrap_err().code, FailureCode::ModuleInvalid);
        }
        match alice.rates(module(written).as_str(), review(written)) {
            Ok(_) => written += 1,
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.code, FailureCode::DocumentFull);
    // A mebibyte, and room for a checkpoint in it.
    let one = 4 * REVIEW_MAX_CHARS;
    assert!((120..=1024 * 1024 / one).contains(&written), "{written}");
    let me = alice.me(Command::WhoAmI);
    assert_eq!(alice.rates(module(written).as_str(), review(written)).unwrap_err().code, FailureCode::DocumentFull);
    let alice = alice.restart();
    assert_eq!(alice.me(Command::WhoAmI), me);
    assert_eq!(alice.page_of(module(written - 1).as_str()).reviews[0].text, review(written - 1));
    // What makes room is taken, and then there is some.
    alice.rates(module(0).as_str(), "Short.".into()).unwrap();
    alice.rates(module(1).as_str(), "Short.".into()).unwrap();
    alice.rates(module(written).as_str(), review(written)).unwrap();
}

/// What was rated or counted before goes on at the limit; a further one does not begin.
#[test]
fn ratings_and_installs_at_their_limit_can_be_changed_only() {
    const A_DAY: Duration = Duration::from_secs(25 * 60 * 60);
    let alice = TestProfile::new(1);
    alice.claim("alice_smith");
    for name in ["crc32", "base64"] {
        alice.publishes(name, "1.0.0").unwrap();
    }
    alice.rates("crc32", "Good.".into()).unwrap();
    alice.installs("crc32");
    // All the others come from other devices of hers, each with as much as a log may have without a checkpoint.
    let Ok(Answer::RecoveryPhrase(phrase)) = alice.ask(Command::RecoveryPhrase) else { panic!("no phrase") };
    let owner = Owner::of_entropy(Network::default().topic, *Master::from_words(&phrase).unwrap().entropy());
    let rating = Rating { stars: 5, review: String::new(), at: at(0), version: None };
    let edits: Vec<Edit> = (1..RATINGS_MAX).map(|n| rate(n, &rating)).chain((1..INSTALLS_MAX).map(count)).collect();
    for (number, edits) in (60..).zip(edits.chunks(1_000)) {
        let elsewhere = owner.device(number, number);
        let (_, changes) = changes_of(&elsewhere, edits);
        let entries = [&elsewhere.opening].into_iter().chain(&changes);
        let pieces: Vec<Piece> = entries.map(|entry| Piece::Entry(entry.encode())).collect();
        let report = block_on(alice.node.admission().admit(pieces.clone())).unwrap();
        assert_eq!((report.outcome.kept.len(), report.outcome.rejections), (pieces.len(), vec![]));
    }

    alice.rates("crc32", "Better.".into()).unwrap();
    assert_eq!(alice.page_of("crc32").reviews[0].text, "Better.");
    let before = alice.me(Command::WhoAmI);
    assert_eq!(alice.rates("base64", "Good.".into()).unwrap_err().code, FailureCode::ModuleInvalid);
    assert_eq!(alice.me(Command::WhoAmI), before);
    alice.ask(Command::Modules { command: ModuleCommand::Uninstall { name: "crc32".into() } }).unwrap();
    for name in ["crc32", "base64"] {
        // Installs are counted in the document once a day.
        alice.clock.advance(A_DAY);
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
