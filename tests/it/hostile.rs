//! A hostile peer against whole nodes: every rule it can break is counted and changes nothing.
//!
//! The victim talks with an honest peer meanwhile, and what it knows is compared with what it knew.

#[path = "../hostile/acts.rs"]
mod acts;
#[path = "../hostile/peer.rs"]
pub mod peer;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::{Command, ProfileChanges};
use gen_registry_core::actors::Device;
use gen_registry_core::canonical::DecodeError;
use gen_registry_core::digest::hex;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::net::relay::Relay;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Entry, Store, Table};
use libp2p::PeerId;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::support::clock::ShiftedClock;
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};
use acts::{ACTS, Act, PAGES};
use peer::{Mallory, Victim};

/// How long an act may take before a test gives up on it. Never a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an act must come to.
struct Outcome {
    counted: Option<Rejection>,
    banned: bool,
}

fn outcome(act: Act) -> Outcome {
    let nonsense = Rejection::Malformed(DecodeError::UnknownKind(0xff));
    let (counted, banned) = match act {
        Act::Malformed => (Some(nonsense), true),
        Act::Oversized => (Some(Rejection::Oversized), true),
        Act::OutOfOrder => (Some(Rejection::OutOfOrder), true),
        Act::ForeignTopic => (Some(Rejection::ForeignTopic), false),
        Act::OtherParameters => (Some(Rejection::OtherParameters), false),
        Act::Unasked => (Some(Rejection::Unasked), true),
        Act::Stalled | Act::NeverReads => (Some(Rejection::Stalled), false),
        Act::Comparison => (Some(Rejection::Comparison), true),
        Act::Forged => (Some(Rejection::Forged), true),
        Act::BadChange => (Some(Rejection::BadChange), true),
        // For the nonsense after it; carrying a fork is no fault.
        Act::Fork => (Some(nonsense), true),
        // Boasts are no fault, and take no room; it is the flood after them.
        Act::TooManyMessages | Act::LongBoasts => (Some(Rejection::TooManyMessages), true),
        Act::TooManyAnnouncements => (Some(Rejection::TooManyAnnouncements), true),
        Act::GossipFlood => (Some(Rejection::Oversized), true),
        // Who asks for much is served more slowly.
        Act::Greedy | Act::ManyStreams | Act::RubbishAddresses => (None, false),
    };
    Outcome { counted, banned }
}

/// Alice is the victim, Bob talks with her meanwhile.
struct Scene {
    alice: TestNode,
    bob: TestNode,
    /// Whose records change with every word.
    bobs: String,
    victim: Victim,
    words: u64,
    /// What the last act counted.
    said: usize,
    relay: Relay,
}

impl Scene {
    async fn new() -> Self {
        Self::on(Rc::new(Native)).await
    }

    /// Where Alice's node runs.
    async fn on(environment: Rc<dyn Environment>) -> Self {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join_on(environment, Rc::default(), network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        for word in 0..6 {
            let bio = format!("{word} {}", "I am Alice. ".repeat(30));
            write(&alice, ProfileChanges { bio: Some(bio), ..ProfileChanges::default() }).await;
        }
        let alices = owners(&alice.store, "");
        let bob = TestNode::join(network.clone()).await;
        bob.claim("bob").await.unwrap();
        alice.sees("bob").await;
        bob.sees("alice_smith").await;
        let bobs = owners(&alice.store, "").difference(&alices).next().unwrap().clone();
        let peer: PeerId = alice.mesh.local_peer_id().to_string().parse().unwrap();
        let relays = network.relays.iter().map(|address| address.parse().unwrap()).collect();
        let victim = Victim { peer, topic: network.topic, relays };
        Self { alice, bob, bobs, victim, words: 0, said: 0, relay }
    }

    /// What Bob says now reaches Alice.
    async fn honest_words_arrive(&mut self) {
        self.words += 1;
        let word = format!("word {}", self.words);
        write(&self.bob, ProfileChanges { display_name: Some(word.clone()), ..ProfileChanges::default() }).await;
        eventually("an honest peer is heard", async || {
            let holder = self.alice.look_up("bob").await.holder;
            holder.is_some_and(|holder| holder.person.display_name.as_ref() == Some(&word))
        })
        .await;
    }

    async fn counted(&self, why: Rejection) -> u64 {
        let told = self.alice.network().await.rejections;
        told.iter().find(|(what, _)| *what == why).map_or(0, |(_, count)| *count)
    }

    async fn has_for_a_peer(&self, mallory: &Mallory) -> bool {
        self.alice.network().await.peers.iter().any(|peer| peer.id == mallory.id.to_string())
    }

    /// The act, with Bob talking meanwhile, and all that must be true after it. What the liar is then.
    async fn suffers(&mut self, name: &str, act: Act) -> Mallory {
        let Outcome { counted: expected, banned } = outcome(act);
        let liar = Device::of(self.victim.topic, &format!("mallory {name}"));
        let spared = [self.bobs.clone(), hex(liar.did.as_bytes()), hex(liar.log().opening.as_bytes())];
        let before =
            (records(&self.alice.store, &spared), owners(&self.alice.store, &spared[1]), self.alice.me().await);
        let counted = match expected {
            Some(why) => self.counted(why).await,
            None => 0,
        };
        let (mut mallory, life) = Mallory::new(self.victim.clone(), act.side());
        spawn_local(life);
        let acting = async {
            mallory.approach().await;
            act.run_job(&mut mallory, liar).await
        };
        let both = async { futures::join!(acting, self.honest_words_arrive()) };
        let (said, ()) = timeout(PATIENCE, both).await.unwrap_or_else(|_| panic!("{name}: it did not end"));
        println!("{name}: {said}");
        self.said = said;
        if let Some(why) = expected {
            eventually(name, async || self.counted(why).await > counted).await;
        }
        if banned {
            eventually(name, async || !self.has_for_a_peer(&mallory).await).await;
            let again = timeout(PATIENCE, mallory.is_let_in_again()).await;
            assert_eq!(again.ok(), Some(false), "{name}: it is banned");
        }
        self.honest_words_arrive().await;
        let after = (records(&self.alice.store, &spared), owners(&self.alice.store, &spared[1]), self.alice.me().await);
        assert_eq!(before.1, after.1, "{name}: nobody came and nobody went");
        assert_eq!(before.0, after.0, "{name}: every record of everybody else is as it was");
        assert_eq!(before.2, after.2, "{name}: the person's own profile");
        let passed_on = self.bob.network().await.rejections;
        assert_eq!(passed_on, [], "{name}: the victim passes nothing bad on");
        mallory
    }
}

async fn write(party: &TestNode, changes: ProfileChanges) {
    party.node.handle(Command::UpdateProfile { changes }).await.unwrap();
}

/// Whose record it is: `owner…`, or `fork/opening` for a proof.
fn owner(key: &str) -> &str {
    let key = key.strip_prefix("fork/").unwrap_or(key);
    key.get(..64).unwrap_or(key)
}

/// Everybody in the store, but one.
fn owners(store: &MemoryStore, but: &str) -> BTreeSet<String> {
    let keys = [Table::Facts, Table::Changes, Table::People].map(|table| store.keys(table)).concat();
    keys.iter().map(|key| owner(key)).filter(|owner| *owner != but).map(str::to_owned).collect()
}

/// All that is kept of everybody but these. What peers are known, and other settings, belong to no identity.
fn records(store: &MemoryStore, but: &[String]) -> Vec<(Table, Entry)> {
    let of = |table| {
        let entries = block_on(store.scan(table, "", None, usize::MAX)).unwrap();
        entries.into_iter().map(move |entry| (table, entry))
    };
    // What peers earned is to change.
    let kept = Table::ALL.into_iter().filter(|table| ![Table::Settings, Table::Peers].contains(table));
    let all = kept.flat_map(of);
    all.filter(|(_, (key, _))| !but.iter().any(|spared| owner(key) == spared)).collect()
}

#[test]
fn every_broken_rule_is_counted_and_changes_no_data() {
    in_one_thread(async {
        let mut scene = Scene::new().await;
        // They have tests of their own.
        let others = [Act::Stalled, Act::NeverReads, Act::ManyStreams, Act::Greedy];
        for (name, act) in ACTS.into_iter().filter(|(_, act)| !others.contains(act)) {
            scene.suffers(name, act).await;
        }
    });
}

/// The victim's clock is set ahead, so that the test need not wait.
#[test]
fn peer_that_leaves_a_round_unanswered_is_given_up() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let mut scene = Scene::on(Rc::new(clock.clone())).await;
        let set_ahead = spawn_local(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(3)).await;
                clock.ahead.set(clock.ahead.get() + 31_000);
            }
        });
        scene.suffers("stalled", Act::Stalled).await;
        set_ahead.abort();
    });
}

#[test]
fn peer_that_never_reads_loses_its_stream() {
    in_one_thread(async {
        let mut scene = Scene::new().await;
        let mallory = scene.suffers("never-reads", Act::NeverReads).await;
        assert!(mallory.is_connected(), "a slow peer is no enemy");
    });
}

/// The victim's clock is frozen, so its work budget is not refilled. Everything else is as on any
/// node.
#[test]
fn peer_that_requests_everything_repeatedly_waits_and_others_do_not() {
    in_one_thread(async {
        let clock = TestEnvironment::new(1, Native.now());
        let mut scene = Scene::on(Rc::new(clock)).await;
        let mallory = scene.suffers("greedy", Act::Greedy).await;
        assert!(0 < scene.said && scene.said < PAGES, "{} pages", scene.said);
        assert!(mallory.is_connected(), "asking for much is no fault");
    });
}

#[test]
fn flood_of_streams_delays_no_other_peer() {
    in_one_thread(async {
        let mut scene = Scene::new().await;
        let mallory = scene.suffers("many-streams", Act::ManyStreams).await;
        let report = scene.alice.network().await;
        let of_mallory = report.peers.iter().filter(|peer| peer.id == mallory.id.to_string()).count();
        assert!(of_mallory <= 1, "{report:?}");
        // And it has not used up anything for others.
        let carol = TestNode::join(network(&scene.relay)).await;
        carol.claim("carol").await.unwrap();
        scene.alice.sees("carol").await;
    });
}

/// Set in the process that measures itself: no other test runs there.
const ALONE: &str = "HOSTILE_ALONE";
/// How much more the process of victim, honest peer and attacker may ever have had than before the floods. One link may
/// hold 8 MiB of pages that are not taken and 4 MiB of what was boasted; the rest is what allocators keep.
const MEMORY_GROWTH_MAX: u64 = 64 * 1024 * 1024;
/// So often each flood comes, always from somebody new.
const FLOODS: usize = 3;

/// In KiB, from the kernel.
fn memory(what: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().ok()
}

#[test]
fn floods_leave_memory_flat() {
    if memory("VmHWM").is_none() {
        println!("this system does not tell how much memory a process has");
        return;
    }
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().unwrap();
        let test = ["hostile::floods_leave_memory_flat", "--exact", "--nocapture"];
        let status = std::process::Command::new(this).args(test).env(ALONE, "1").status().unwrap();
        assert!(status.success());
        return;
    }
    in_one_thread(async {
        let mut scene = Scene::new().await;
        let floods = [
            ("gossip-flood", Act::GossipFlood),
            ("too-many-messages", Act::TooManyMessages),
            ("long-boasts", Act::LongBoasts),
            ("oversized", Act::Oversized),
            ("many-streams", Act::ManyStreams),
        ];
        // What a process takes once and keeps.
        scene.suffers("malformed", Act::Malformed).await;
        let before = memory("VmRSS").unwrap();
        for _ in 0..FLOODS {
            for (name, act) in floods {
                scene.suffers(name, act).await;
            }
        }
        // Two who ask for everything and read nothing; what waits for them is bounded while they do.
        let mut greedy = Vec::new();
        for name in ["greedy one", "greedy two"] {
            let (mut mallory, life) = Mallory::new(scene.victim.clone(), Act::NeverReads.side());
            spawn_local(life);
            mallory.approach().await;
            let liar = Device::of(scene.victim.topic, name);
            greedy.push(spawn_local(async move { Act::NeverReads.run_job(&mut mallory, liar).await }));
        }
        for _ in 0..FLOODS {
            scene.honest_words_arrive().await;
        }
        let (peak, after) = (memory("VmHWM").unwrap(), memory("VmRSS").unwrap());
        println!("memory in KiB: {before} before, {after} after, {peak} at most");
        assert!(peak - before < MEMORY_GROWTH_MAX / 1024, "{before} KiB before, {peak} KiB at most");
        greedy.iter().for_each(tokio::task::JoinHandle::abort);
    });
}
