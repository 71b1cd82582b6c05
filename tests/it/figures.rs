//! How long an edit and a claim take to a connected peer, a burst of edits, and joining many people: native nodes around
//! the server program, which is relay and witness. `make figures` prints the figures.
//!
//! Tests assert no time: of a burst they show that it needs no comparison to arrive.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::join;
use gen_registry_api::*;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::exchange::budget::NEWS_EVERY;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_node::Network;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, Table};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::crowd::shared::{beginning, crowded_store, name as name_number, start};
use crate::support::neighbour::Neighbour;
use crate::support::network::of_server;
use crate::support::node::{NodeOn, TestNode, WatchedNode};
use crate::support::relay::{network, relay};
use crate::support::server::{Server, dist};
use crate::support::wait::{eventually, in_one_thread};

/// An identity may hold five names: each claimant takes so many, one after the other.
const NAMES_EACH: usize = 5;
/// Longer than a node waits until it says more news: each edit is alone.
const PAUSE: Duration = Duration::from_millis(300);
const BURST_EDITS: u32 = 100;
const BURST_LASTS: Duration = Duration::from_secs(2);
/// So many people come in one page of the admission that is measured.
const PAGE_PEOPLE: u64 = 200;

/// Times of the same thing, again and again.
#[derive(Default)]
struct Samples(Vec<Duration>);

impl Samples {
    fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that so many percent stay below.
    fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
    }

    fn print(&self, what: impl Display) {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        let [p50, p95, most] = [50, 95, 100].map(|percent| millis(self.percentile(percent)));
        println!("{what}: p50 {p50:.1} ms, p95 {p95:.1} ms, at most {most:.1} ms ({} rounds)", self.0.len());
    }
}

/// What a node shows, looked at whenever something changed.
struct Watch {
    changed: Rc<Notify>,
}

impl Watch {
    fn of<S: Store + Default + 'static>(node: &NodeOn<S>) -> Self {
        let changed = Rc::<Notify>::default();
        let wakes = changed.clone();
        node.node.subscribe(Rc::new(move |_| wakes.notify_one()));
        Self { changed }
    }

    /// Until it holds. Returns when that was.
    async fn until(&self, mut holds: impl AsyncFnMut() -> bool) -> Instant {
        while !holds().await {
            self.changed.notified().await;
        }
        Instant::now()
    }
}

async fn edit<S: Store + Default + 'static>(node: &NodeOn<S>, word: &str) {
    let changes = ProfileChanges { display_name: Some(word.to_owned()), ..ProfileChanges::default() };
    node.node.handle(Command::UpdateProfile { changes }).await.unwrap();
}

async fn shows(node: &TestNode, name: &str, word: &str) -> bool {
    let holder = node.look_up(name).await.holder;
    holder.is_some_and(|holder| holder.person.display_name.as_deref() == Some(word))
}

async fn has_confirmed<S: Store + Default + 'static>(node: &NodeOn<S>, name: &str) -> bool {
    node.look_up(name).await.holder.is_some_and(|holder| holder.status == NameStatus::Confirmed)
}

fn rounds() -> usize {
    env::var("FIGURES_ROUNDS").map_or(100, |rounds| rounds.parse().expect("a number of rounds"))
}

/// The server program with these flags, and its network.
fn serve(more: &[&str]) -> (Server, Network, tempfile::TempDir) {
    let folder = dist();
    let flags = ["--p2p", "/ip4/127.0.0.1/tcp/0/ws", "--no-catalogue"];
    let server = Server::with(folder.path(), &[&flags[..], more].concat());
    let network = of_server(&server);
    (server, network, folder)
}

/// Alice, whose name is confirmed, and Bob, who is connected to her directly and sees it.
async fn alice_and_bob(network: &Network) -> (TestNode, TestNode) {
    let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
    alice.claim("alice").await.unwrap();
    alice.is_confirmed().await;
    bob.has_peers(1).await;
    eventually("Bob sees her", async || has_confirmed(&bob, "alice").await).await;
    (alice, bob)
}

/// The neighbour begins no comparison, and Alice begins none with it: what it has of the burst came with news alone.
#[test]
fn burst_of_edits_arrives_without_a_comparison() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        alice.claim("alice").await.unwrap();
        bob.sees("alice").await;
        let registry = Rc::new(RefCell::new(Registry::new(network.history().clone())));
        let _neighbour = Neighbour::of(&alice, &network, registry.clone(), async |_: &[Piece]| Vec::new()).await;
        let own = alice.node.known().identities().next().copied().unwrap();
        assert_eq!(registry.borrow().logs_of(&own).count(), 0, "it was told nothing yet");
        // News begin once both have greeted.
        eventually("the first news", async || {
            edit(&alice, "hello").await;
            sleep(NEWS_EVERY).await;
            registry.borrow().logs_of(&own).count() > 0
        })
        .await;
        for word in 0..BURST_EDITS {
            edit(&alice, &format!("word {word}")).await;
            // Much is said while the neighbour still fetches.
            sleep(NEWS_EVERY / 20).await;
        }
        let has_all = async || registry.borrow().digest_of(&own) == alice.node.known().digest_of(&own);
        eventually("all of it is there", has_all).await;
        let longest = registry.borrow().logs_of(&own).map(|(_, chain)| chain.len()).max();
        assert!(longest >= Some(u64::from(BURST_EDITS)), "{longest:?}");
        assert!(!shows(&alice, "alice", "word 0").await, "the last word stands");
    });
}

#[test]
#[ignore = "a figure"]
fn measured_edits() {
    in_one_thread(async {
        let (_server, network, _folder) = serve(&["--for-tests"]);
        let (alice, bob) = alice_and_bob(&network).await;
        let watch = Watch::of(&bob);
        for (pause, what) in [(PAUSE, "each alone"), (Duration::ZERO, "one right after the other")] {
            let (mut written, mut visible) = (Samples::default(), Samples::default());
            for round in 0..rounds() {
                let word = format!("{round} {what}");
                sleep(pause).await;
                let begun = Instant::now();
                edit(&alice, &word).await;
                written.add(begun.elapsed());
                visible.add(watch.until(async || shows(&bob, "alice", &word).await).await - begun);
            }
            written.print(format_args!("edit → stored, {what}"));
            visible.print(format_args!("edit → visible at a connected peer, {what}"));
        }
    });
}

#[test]
#[ignore = "a figure"]
fn measured_bursts() {
    in_one_thread(async {
        let (_server, network, _folder) = serve(&["--for-tests"]);
        let (alice, bob) = alice_and_bob(&network).await;
        let watch = Watch::of(&bob);
        let (mut visible, mut complete) = (Samples::default(), Samples::default());
        for burst in 0..rounds().div_ceil(10) {
            let begun = Instant::now();
            for number in 0..BURST_EDITS {
                sleep_until(begun + BURST_LASTS * number / BURST_EDITS).await;
                edit(&alice, &format!("{burst} {number}")).await;
            }
            let (last, lasted) = (Instant::now(), begun.elapsed());
            let word = format!("{burst} {}", BURST_EDITS - 1);
            visible.add(watch.until(async || shows(&bob, "alice", &word).await).await - last);
            let own = bob.node.known().identities().next().copied().unwrap();
            let same = async || bob.node.known().digest_of(&own) == alice.node.known().digest_of(&own);
            complete.add(watch.until(same).await - last);
            println!("burst {burst}: {BURST_EDITS} edits in {lasted:?}");
            sleep(PAUSE).await;
        }
        visible.print("the last edit of a burst → visible at a connected peer");
        complete.print("the last edit of a burst → all of it at a connected peer");
    });
}

/// When a claim was signed and staged, and when it entered the log with its receipts, by what the store was given.
fn asking(store: &crate::support::store::WatchedStore, begun: Instant) -> (Instant, Instant) {
    let commits = store.commits.borrow();
    let since: Vec<_> = commits.iter().filter(|(at, _)| *at >= begun).collect();
    // The claim, its receipts, and that it is staged no more. What comes from others has no settings beside it.
    let is_confirming = |tables: &BTreeSet<Table>| {
        [Table::Facts, Table::Evidence, Table::Settings].iter().all(|table| tables.contains(table))
    };
    let confirmed = since.iter().position(|(_, tables)| is_confirming(tables)).expect("receipts are stored");
    let is_staging = |tables: &BTreeSet<Table>| tables.iter().eq([&Table::Settings]);
    let staged =
        since[..confirmed].iter().rposition(|(_, tables)| is_staging(tables)).expect("a claim is staged first");
    (since[staged].0, since[confirmed].0)
}

#[test]
#[ignore = "a figure"]
fn measured_claims() {
    in_one_thread(async {
        let (_server, network, _folder) = serve(&["--for-tests"]);
        let bob = TestNode::join(network.clone()).await;
        let seen = Watch::of(&bob);
        let (mut signed, mut share, mut own) = (Samples::default(), Samples::default(), Samples::default());
        let (mut spread, mut visible) = (Samples::default(), Samples::default());
        let names: Vec<String> = (0..rounds()).map(|round| name_number(round as u64).to_string()).collect();
        for names in names.chunks(NAMES_EACH) {
            let alice = WatchedNode::join(network.clone()).await;
            alice.has_peers(1).await;
            eventually("its relay is connected", async || alice.has_relay().await).await;
            let watch = Watch::of(&alice);
            // The first name of an identity opens its log as well.
            for (number, name) in names.iter().enumerate() {
                sleep(PAUSE).await;
                let (name, changes) = (name.clone(), ProfileChanges::default());
                let begun = Instant::now();
                let command = match number {
                    0 => Command::RegisterUsername { name: name.clone(), changes },
                    _ => Command::Rename { name: name.clone() },
                };
                let (said, mine, theirs) = join!(
                    alice.node.handle(command),
                    watch.until(async || has_confirmed(&alice, &name).await),
                    seen.until(async || has_confirmed(&bob, &name).await),
                );
                said.unwrap();
                let (staged, confirmed) = asking(&alice.store, begun);
                signed.add(staged - begun);
                share.add(confirmed - staged);
                own.add(mine - begun);
                spread.add(theirs - confirmed);
                visible.add(theirs - begun);
            }
            alice.leave().await;
        }
        visible.print("claim → visible, confirmed, at a connected peer");
        signed.print("  of it: until the claim is signed and staged");
        share.print("  of it: the witness's share, from asking to the stored receipt");
        spread.print("  of it: from the stored receipt to the peer");
        own.print("claim → confirmed at the claimant");
    });
}

#[test]
#[ignore = "a figure"]
fn measured_admission() {
    let people = 2_000;
    let pages: Vec<Vec<Piece>> = (0..people)
        .step_by(PAGE_PEOPLE as usize)
        .map(|first| (first..first + PAGE_PEOPLE).flat_map(|nth| beginning(nth).pieces()).collect())
        .collect();
    let entries: usize = pages.iter().map(Vec::len).sum();
    let node = start(Rc::new(MemoryStore::new()));
    let begun = Instant::now();
    for page in pages {
        let report = futures::executor::block_on(node.admission().admit(page)).unwrap();
        assert_eq!(report.outcome.rejections, []);
    }
    let took = begun.elapsed();
    println!(
        "admission: {entries} entries in {took:?}, {:.0} entries each second",
        entries as f64 / took.as_secs_f64()
    );
}

async fn total(node: &TestNode) -> u64 {
    match node.node.handle(Command::ListUsernames { prefix: String::new(), limit: 1, cursor: None }).await.unwrap() {
        Answer::People(page) => page.total,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "a figure"]
fn measured_joins() {
    for people in [1_000, 10_000] {
        let (_server, network, _folder) = serve(&["--no-witness"]);
        let (ready, waits) = mpsc::channel();
        let (ended, end) = tokio::sync::oneshot::channel();
        // The giver has a thread of its own, as another program has.
        let giving = thread::spawn({
            let network = network.clone();
            move || {
                in_one_thread(async move {
                    let giver = TestNode::join_with(crowded_store(people), network).await;
                    eventually("its relay is connected", async || giver.has_relay().await).await;
                    ready.send(()).unwrap();
                    end.await.unwrap();
                    giver.leave().await;
                });
            }
        });
        waits.recv().unwrap();
        in_one_thread(async move {
            let begun = Instant::now();
            let node = TestNode::join(network).await;
            while node.network().await.peers.is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            let connected = Instant::now();
            while total(&node).await < people {
                sleep(Duration::from_millis(50)).await;
            }
            let (meeting, fetching) = (connected - begun, connected.elapsed());
            println!("join of {people} people: connected after {meeting:?}, all there {fetching:?} later");
            ended.send(()).unwrap();
        });
        giving.join().unwrap();
    }
}
