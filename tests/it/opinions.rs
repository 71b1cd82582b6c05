//! Which opinions of modules count: those of people whose name witnesses confirmed a while ago, and that this device's
//! owner did not block; and what blocked people write is not stored. No network: what others wrote is handed over.

use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::actors::{BEGIN, Device};
use gen_registry_core::document::{Document, Edit, Rating, Write};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::{Entry, Kind};
use gen_registry_core::modules::ratings::NAMED_FOR;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_node::Network;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::Table;
use gen_registry_node::store::memory::MemoryStore;

use crate::support::network::founded_by;
use crate::support::profile::TestProfile;

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A network of one witness, whose key the test has.
struct World {
    network: Network,
    witness: SecretKey,
}

impl World {
    fn new() -> Self {
        let witness = SecretKey::from_seed(&[7; 32]);
        Self { network: founded_by(&[witness.public()], 1, 0), witness }
    }

    fn person(&self, name: &str) -> Device {
        Device::of(self.network.topic, name)
    }

    /// An entry with the witness's receipt of some days after the beginning.
    fn confirmed(&self, entry: &Entry, days: u32) -> [Piece; 2] {
        let (slots, at) = (vec![*entry.id().digest()], BEGIN.plus(A_DAY * days));
        let receipt = Receipt::sign(&self.network.topic, &self.witness, 0, entry.id(), slots, at);
        [Piece::Entry(entry.encode()), Piece::Receipt(receipt.encode())]
    }

    /// A profile a month after the beginning.
    fn profile(&self) -> TestProfile {
        let clock = TestEnvironment::new(1, BEGIN.plus(A_DAY * 30));
        TestProfile::open_in(Rc::new(MemoryStore::new()), clock, self.network.clone())
    }
}

/// What somebody says of modules, in one change: so many stars and installs of each.
fn says(device: &Device, modules: &[(&str, u8, u32)]) -> Vec<Piece> {
    let edits = modules.iter().flat_map(|(name, stars, count)| {
        let name: gen_registry_core::name::ModuleName = name.parse().unwrap();
        let rating = Rating { stars: *stars, review: format!("{stars} stars"), at: BEGIN, version: None };
        [Edit::Rate { name: name.clone(), rating: Some(rating) }, Edit::CountInstalls { name, count: *count }]
    });
    let (log, writes) = (device.log().numbered(1), edits.map(|edit| edit.to_write()).collect::<Vec<Write>>());
    let body = Document::default().write(log, BEGIN, &writes).unwrap();
    let change = Entry::begin(&device.topic, &device.key, log, Kind::Change as u8, body);
    [&device.opening, &change].map(|entry| Piece::Entry(entry.encode())).to_vec()
}

impl TestProfile {
    fn receives(&self, pieces: impl IntoIterator<Item = Piece>) {
        let report = block_on(self.node.admission().admit(pieces.into_iter().collect())).unwrap();
        assert_eq!(report.outcome.rejections, [], "{report:?}");
    }

    fn opinion(&self, name: &str) -> (RatingSummary, Vec<Review>) {
        let command = ModuleCommand::Page { name: name.to_owned() };
        let Ok(Answer::Module(Some(page))) = self.ask(Command::Modules { command }) else { panic!("no page") };
        (page.opinion, page.reviews)
    }

    fn listed(&self, sort: ModuleSort) -> Vec<String> {
        let command = ModuleCommand::List { filter: ModuleFilter::default(), sort, limit: 50, cursor: None };
        let Ok(Answer::Modules(list)) = self.ask(Command::Modules { command }) else { panic!("no list") };
        list.modules.into_iter().map(|card| card.name).collect()
    }

    fn found(&self, sort: ModuleSort) -> Vec<String> {
        let (query, filter) = (String::new(), ModuleFilter::default());
        let command = ModuleCommand::Search { query, filter, sort, limit: 50, cursor: None };
        let Ok(Answer::Found(found)) = self.ask(Command::Modules { command }) else { panic!("no results") };
        assert!(found.complete, "the index answers");
        found.modules.into_iter().map(|card| card.name).collect()
    }

    fn decides(&self, person: &Device, verdict: Decision) {
        let command = BlockListCommand::Decide { subject: format!("person:{}", person.did), verdict, note: None };
        self.ask(Command::BlockList { command }).unwrap();
    }
}

#[test]
fn opinions_count_of_people_with_a_name_of_some_age_who_are_not_blocked() {
    let world = World::new();
    let reader = world.profile();
    let (mut alice, mut bob, mut dora) = (world.person("alice"), world.person("bob"), world.person("dora"));
    let mut pieces = vec![Piece::Entry(alice.opening.encode())];
    pieces.extend(world.confirmed(&alice.claim("alice_smith", None), 0));
    for name in ["base64", "crc32"] {
        let claim = alice.claim_module(name);
        pieces.extend(world.confirmed(&claim, 0));
        pieces.extend(world.confirmed(&alice.release(name, "1.0.0", claim.id()), 0));
    }
    reader.receives(pieces);
    reader.receives(says(&bob, &[("crc32", 4, 3)]));
    reader.receives(world.confirmed(&bob.claim("bob", None), 1));
    // Her name is two days old.
    reader.receives(says(&dora, &[("base64", 5, 2)]));
    reader.receives(world.confirmed(&dora.claim("dora", None), 28));
    let before = (reader.opinion("crc32").0, reader.listed(ModuleSort::Rated), reader.listed(ModuleSort::Popular));
    assert_eq!((before.0.stars, before.0.ratings, before.0.downloads), (Some(4.0), 1, 3));
    for nth in 0..50 {
        reader.receives(says(&world.person(&format!("nobody {nth}")), &[("crc32", 1, 20), ("base64", 5, 20)]));
    }

    let (opinion, reviews) = reader.opinion("crc32");
    assert_eq!((opinion.ratings_apart, opinion.downloads_apart), (50, 1_000));
    assert_eq!(
        RatingSummary { ratings_apart: 0, downloads_apart: 0, ..opinion },
        before.0,
        "the crowd changes nothing"
    );
    assert_eq!((reviews[0].author.username.as_deref(), reviews[0].counted), (Some("bob"), true));
    assert!(reviews[1..].iter().all(|review| !review.counted));
    let (opinion, _) = reader.opinion("base64");
    assert_eq!((opinion.stars, opinion.ratings, opinion.downloads, opinion.ratings_apart), (None, 0, 0, 51));
    for sort in [ModuleSort::Rated, ModuleSort::Popular] {
        assert_eq!(reader.listed(sort), ["crc32", "base64"]);
        assert_eq!(reader.found(sort), ["crc32", "base64"]);
    }
    assert_eq!(
        (before.1, before.2),
        (vec!["crc32".to_owned(), "base64".into()], vec!["crc32".into(), "base64".into()])
    );

    // What a blocked person says is neither counted nor shown.
    reader.decides(&bob, Decision::Block);
    let (opinion, reviews) = reader.opinion("crc32");
    assert_eq!((opinion.stars, opinion.ratings, opinion.ratings_apart), (None, 0, 50));
    assert!(reviews.iter().all(|review| review.author.username.as_deref() != Some("bob")));
    assert_eq!(reader.found(ModuleSort::Popular), ["base64", "crc32"], "equals are in the order of their names");
    reader.decides(&bob, Decision::Neither);
    assert_eq!(reader.opinion("crc32").0.stars, Some(4.0));
    assert_eq!(reader.found(ModuleSort::Popular), ["crc32", "base64"]);

    // A name is old enough from the day on, and not a moment before.
    let due = BEGIN.plus(A_DAY * 28).plus(NAMED_FOR);
    reader.clock.set_now(gen_registry_core::time::Timestamp::from_millis(due.as_millis() - 1));
    assert_eq!(reader.opinion("base64").0.ratings, 0);
    reader.clock.set_now(due);
    let (opinion, _) = reader.restart().opinion("base64");
    assert_eq!((opinion.stars, opinion.downloads, opinion.ratings_apart), (Some(5.0), 2, 50));
}

#[test]
fn what_blocked_people_write_is_not_stored_and_their_names_are() {
    let world = World::new();
    let reader = world.profile();
    let mut mallory = world.person("mallory");
    let document = says(&mallory, &[("crc32", 1, 20)]);
    let (rose, lily) = (mallory.claim("rose", None), mallory.claim("lily", None));
    reader.receives([Piece::Entry(mallory.opening.encode())].into_iter().chain(world.confirmed(&rose, 1)));
    reader.decides(&mallory, Decision::Block);
    let stored = |profile: &TestProfile| {
        [Table::Facts, Table::Headers, Table::Changes].map(|table| profile.store.keys(table).len())
    };
    reader.receives(document.clone());
    reader.receives(world.confirmed(&lily, 2));
    assert_eq!(stored(&reader), [3, 0, 0], "the opening and both claims");
    let holder = |profile: &TestProfile, name: &str| profile.look_up(name).holder.map(|holder| holder.person.did);
    for name in ["rose", "lily"] {
        assert_eq!(holder(&reader, name), Some(mallory.did.to_string()), "{name}");
    }
    // So it is after a restart, until the person decides otherwise.
    let reader = reader.restart();
    reader.receives(document.clone());
    assert_eq!(stored(&reader), [3, 0, 0]);
    reader.decides(&mallory, Decision::Neither);
    reader.receives(document);
    assert_eq!(stored(&reader), [3, 1, 1]);
    assert_eq!(stored(&reader.restart()), [3, 1, 1]);
}

/// Somebody restores, from words, an identity that this device blocked before.
#[test]
fn own_document_is_never_refused() {
    let (alice, device) = (TestProfile::new(1), TestProfile::new(2));
    let did = alice.claim("alice_smith").did.unwrap();
    let Ok(Answer::RecoveryPhrase(phrase)) = alice.ask(Command::RecoveryPhrase) else { panic!("no words") };
    let command = BlockListCommand::Decide { subject: format!("person:{did}"), verdict: Decision::Block, note: None };
    device.ask(Command::BlockList { command }).unwrap();
    device.me(Command::RestoreFromPhrase { phrase, unheard: true });
    let bio = |bio: &str| ProfileChanges { bio: Some(bio.to_owned()), ..ProfileChanges::default() };
    let written = device.me(Command::UpdateProfile { changes: bio("It is me") });
    assert_eq!(written.profile.bio.as_deref(), Some("It is me"));
    assert_eq!(device.restart().me(Command::WhoAmI).profile.bio.as_deref(), Some("It is me"));
}
