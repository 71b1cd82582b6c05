//! Who is online, over real libp2p nodes: the three flows (registration, channels, goodbye), and those who would disturb them.

#[path = "presence/clocks.rs"]
mod clocks;
// #[path = "presence/simulator.rs"]
mod simulator;
#[path = "presence/stranger.rs"]
pub mod stranger;

use std::rc::Rc;

use gen_registry_api::*;
use gen_registry_core::presence::pace;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::Network;
use gen_registry_node::net::relay::Relay;
use gen_registry_node::platform::Environment;
use gen_registry_node::store::memory::MemoryStore;

use crate::support::clock::{STEP_SECONDS, ShiftedClock};
use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};
use stranger::Stranger;

pub async fn party(clock: &ShiftedClock, network: &Network, name: &str) -> TestNode {
    let party = TestNode::join_on(Rc::new(clock.clone()), Rc::default(), network.clone()).await;
    party.claim(name).await.unwrap();
    party
}

pub async fn three(clock: &ShiftedClock) -> (Relay, Network, [TestNode; 3]) {
    let relay = relay().await;
    let network = network(&relay);
    let parties = [
        party(clock, &network, "alice").await,
        party(clock, &network, "bob").await,
        party(clock, &network, "carol").await,
    ];
    for party in &parties {
        party.has_peers(2).await;
        party.finds_online(&["alice", "bob", "carol"]).await;
    }
    (relay, network, parties)
}

#[test]
fn user_registers_and_is_seen_online_until_unregistered() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, carol]) = three(&clock).await;
        alice.talk(ChatCommand::Unregister { username: Some("alice".to_owned()) }).await.unwrap();
        for party in [&alice, &bob, &carol] {
            party.finds_online(&["bob", "carol"]).await;
        }
        alice.talk(ChatCommand::Register { username: Some("alice".to_owned()) }).await.unwrap();
        for party in [&alice, &bob, &carol] {
            party.finds_online(&["alice", "bob", "carol"]).await;
        }
        // Nobody logs anybody else in or out.
        let refused = bob.talk(ChatCommand::Register { username: Some("alice".to_owned()) }).await.unwrap_err();
        assert_eq!(refused.code, FailureCode::UnknownUser);
        bob.talk(ChatCommand::Unregister { username: Some("alice".to_owned()) }).await.unwrap();
        bob.talk(ChatCommand::Unregister { username: Some("nobody".to_owned()) }).await.unwrap();
        // Invisible is a goodbye that lasts; who is invisible still sees the others.
        carol.talk(ChatCommand::SetInvisible { invisible: true }).await.unwrap();
        for party in [&alice, &bob, &carol] {
            party.finds_online(&["alice", "bob"]).await;
        }
        assert_eq!(alice.network().await.rejections, [], "nobody broke a rule");
    });
}

#[test]
fn user_joins_and_leaves_channels() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, carol]) = three(&clock).await;
        assert!(bob.in_channel("#general").await.is_empty());
        let join = |name: &str| ChatCommand::Join { username: Some(name.to_owned()), channel: "#general".to_owned() };
        assert_eq!(alice.talk(join("nobody")).await.unwrap_err().code, FailureCode::UnknownUser);
        assert_eq!(alice.talk(join("bob")).await.unwrap_err().code, FailureCode::UnknownUser);
        alice.talk(join("alice")).await.unwrap();
        alice.talk(join("alice")).await.unwrap();
        bob.joins("general").await;
        for party in [&alice, &bob, &carol] {
            party.finds_in("#general", &["alice", "bob"]).await;
        }
        let leave = |name: &str, channel: &str| ChatCommand::Leave {
            username: Some(name.to_owned()),
            channel: channel.to_owned(),
        };
        // Missing users and channels are no fault, and others stay where they are.
        for (name, channel) in [("nobody", "#general"), ("alice", "#nowhere"), ("alice", "?"), ("bob", "#general")] {
            alice.talk(leave(name, channel)).await.unwrap();
        }
        alice.talk(leave("alice", "#general")).await.unwrap();
        for party in [&alice, &bob, &carol] {
            party.finds_in("#general", &["bob"]).await;
        }
    });
}

#[test]
fn disconnected_node_is_noticed_and_its_user_goes_offline() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, network, [alice, bob, carol]) = three(&clock).await;
        for party in [&alice, &bob] {
            party.joins("#general").await;
        }
        for party in [&alice, &carol] {
            party.finds_in("#general", &["alice", "bob"]).await;
        }
        let bobs = bob.killed().await;
        let expiry = |users: Vec<OnlineUser>| {
            let bob = users.into_iter().find(|user| user.person.username.as_deref() == Some("bob"));
            bob.map(|bob| bob.devices.iter().map(|device| device.expires_at).max().unwrap_or(0))
        };
        let observers = [&alice, &carol];
        let mut expires = Vec::new();
        for party in observers {
            expires.push(expiry(party.online().await).expect("a killed node is online until its time is over"));
        }
        for step in 0.. {
            assert!(step < 40, "he never goes");
            let mut gone = true;
            for (party, expires) in observers.into_iter().zip(&expires) {
                let before = clock.now().as_millis();
                let there = expiry(party.online().await);
                assert!(there.is_some() || before >= *expires, "gone too early");
                assert!(party.online_names().await.contains(&"alice".to_owned()), "who lives is never gone");
                gone &= there.is_none();
            }
            if gone {
                break;
            }
            clock.step().await;
        }
        for party in observers {
            assert_eq!(party.in_channel("#general").await, ["alice"]);
        }
        let back = TestNode::join_on(Rc::new(clock.clone()), bobs, network).await;
        for party in [&alice, &carol, &back] {
            party.finds_online(&["alice", "bob", "carol"]).await;
            party.finds_in("#general", &["alice", "bob"]).await;
            let devices: usize = party.online().await.iter().map(|user| user.devices.len()).sum();
            assert_eq!(devices, 3, "one entry each");
        }
        back.leave().await;
        for party in observers {
            party.finds_online(&["alice", "carol"]).await;
        }
    });
}

#[test]
fn two_devices_of_one_person_are_one_user() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, network, [alice, bob, _carol]) = three(&clock).await;
        let Answer::RecoveryPhrase(phrase) = alice.node.handle(Command::RecoveryPhrase).await.unwrap() else {
            panic!()
        };
        let second = TestNode::join_on(Rc::new(clock.clone()), Rc::default(), network).await;
        second.node.handle(Command::RestoreFromPhrase { phrase }).await.unwrap();
        let devices = async |party: &TestNode| {
            let users = party.online().await;
            users
                .iter()
                .find(|user| user.person.username.as_deref() == Some("alice"))
                .map_or(0, |alice| alice.devices.len())
        };
        for party in [&alice, &bob, &second] {
            eventually("alice has two devices", async || devices(party).await == 2).await;
            party.finds_online(&["alice", "bob", "carol"]).await;
        }
        alice.leave().await;
        eventually("alice has one device", async || devices(&bob).await == 1).await;
        assert_eq!(bob.online_names().await, ["alice", "bob", "carol"]);
    });
}

#[test]
fn late_joiner_gets_the_whole_roster() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, network, [alice, bob, carol]) = three(&clock).await;
        for party in [&alice, &bob, &carol] {
            party.joins("#general").await;
        }
        alice.finds_in("#general", &["alice", "bob", "carol"]).await;
        let started = tokio::time::Instant::now();
        let late = party(&clock, &network, "dave").await;
        late.has_peers(1).await;
        let linked = tokio::time::Instant::now();
        eventually("everybody is there", async || {
            let users = late.online().await;
            users.iter().filter(|user| user.channels == ["#general"]).count() == 3
        })
        .await;
        println!(
            "the whole picture {:?} after the first link, {:?} after the start",
            linked.elapsed(),
            started.elapsed()
        );
    });
}

#[test]
fn rosters_agree_after_a_partition() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (first, second) = (relay().await, relay().await);
        let (here, there) = (network(&first), network(&second));
        let alice = party(&clock, &here, "alice").await;
        let bob = party(&clock, &here, "bob").await;
        let carol = party(&clock, &there, "carol").await;
        let dave = party(&clock, &there, "dave").await;
        alice.finds_online(&["alice", "bob"]).await;
        carol.finds_online(&["carol", "dave"]).await;
        for party in [&alice, &carol] {
            party.joins("#general").await;
        }
        let both = through(&here, [here.relays.clone(), there.relays].concat());
        let bridge = party(&clock, &both, "erin").await;
        bridge.has_peers(4).await;
        for _ in 0..(pace::INTERVAL_MIN.as_secs() * 5 / 4).div_ceil(STEP_SECONDS) {
            clock.step().await;
        }
        for party in [&alice, &bob, &carol, &dave, &bridge] {
            party.finds_online(&["alice", "bob", "carol", "dave", "erin"]).await;
            party.finds_in("#general", &["alice", "carol"]).await;
        }
    });
}

/// Alice and Bob, and a stranger who has heard what Bob says.
async fn disturbed(clock: &ShiftedClock) -> (Relay, TestNode, TestNode, Stranger) {
    let relay = relay().await;
    let network = network(&relay);
    let (alice, bob) = (party(clock, &network, "alice").await, party(clock, &network, "bob").await);
    for party in [&alice, &bob] {
        party.joins("#general").await;
    }
    for party in [&alice, &bob] {
        party.finds_in("#general", &["alice", "bob"]).await;
    }
    let stranger = Stranger::join(clock, &network);
    eventually("the stranger is there", async || stranger.peers() == 2).await;
    // Gossip flows.
    for party in [&alice, &bob] {
        stranger.last_heartbeat_of(party.mesh.local_peer_id()).await;
    }
    (relay, alice, bob, stranger)
}

/// How often Alice refused something of the stranger's, who alone breaks rules here; and that the stranger's mark fell
/// with it. (Whoever falls far is sent away, so the list of peers need not have it.)
async fn held_against(alice: &TestNode, stranger: &Stranger, why: Rejection) -> u64 {
    let refused = alice.network().await.rejections;
    let count = refused.iter().find(|(what, _)| *what == why).map_or(0, |(_, count)| *count);
    let command = BlockListCommand::Reputation { of: format!("peer:{}", stranger.name()) };
    let Answer::Reputation(earned) = alice.node.handle(Command::BlockList { command }).await.unwrap() else { panic!() };
    assert_eq!(earned.low, count > 0, "{earned:?}");
    count
}

#[test]
fn spoofed_goodbyes_and_joins_are_rejected_and_counted() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        for goodbye in [true, false] {
            let (_relay, alice, bob, stranger) = disturbed(&clock).await;
            let heard = stranger.last_heartbeat_of(bob.mesh.local_peer_id()).await;
            let spoof = if goodbye { stranger.goodbye_for(&heard) } else { stranger.join_for(&heard, "#spam") };
            stranger.publish(spoof);
            eventually("it is counted", async || held_against(&alice, &stranger, Rejection::Spoofed).await == 1).await;
            alice.finds_online(&["alice", "bob"]).await;
            assert!(alice.in_channel("#spam").await.is_empty());
            assert_eq!(alice.in_channel("#general").await, ["alice", "bob"]);
        }
    });
}

#[test]
fn replayed_heartbeat_is_rejected_and_counted() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, alice, bob, stranger) = disturbed(&clock).await;
        let old = stranger.last_heartbeat_of(bob.mesh.local_peer_id()).await;
        bob.leave().await;
        alice.finds_online(&["alice"]).await;
        for _ in 0..6 {
            clock.step().await;
        }
        // Gossip itself drops what it has seen not long ago.
        stranger.tell(alice.mesh.local_peer_id(), &old).await;
        eventually("a replay is counted", async || held_against(&alice, &stranger, Rejection::Replayed).await == 1)
            .await;
        assert_eq!(alice.online_names().await, ["alice"], "he does not rise again");
    });
}

#[test]
fn flood_of_joins_is_rejected_and_counted() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, alice, bob, stranger) = disturbed(&clock).await;
        for word in stranger.joins_and_leaves("#flood", 3 * pace::HEARTBEATS_BURST as usize) {
            stranger.publish(word);
        }
        eventually("the flood is counted", async || {
            held_against(&alice, &stranger, Rejection::TooManyHeartbeats).await > 0
        })
        .await;
        alice.finds_in("#general", &["alice", "bob"]).await;
        assert_eq!(bob.in_channel("#general").await, ["alice", "bob"]);
        let told = alice.network().await.peers;
        let honest = told.iter().find(|peer| peer.id == bob.mesh.local_peer_id().to_string()).unwrap();
        assert_eq!(honest.rejections, [], "who only passed it on is not to blame");
    });
}

#[test]
fn stored_attendance_shows_a_locked_profile_and_keeps_an_invisible_one_hidden() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, network, [alice, bob, carol]) = three(&clock).await;
        let passphrase = "four words that last".to_owned();
        bob.node.handle(Command::SetPassphrase { passphrase: Some(passphrase) }).await.unwrap();
        carol.talk(ChatCommand::SetInvisible { invisible: true }).await.unwrap();
        let stores: [Rc<MemoryStore>; 2] = [bob.leave().await, carol.leave().await];
        alice.finds_online(&["alice"]).await;
        let mut back = Vec::new();
        for store in stores {
            back.push(TestNode::join_on(Rc::new(clock.clone()), store, network.clone()).await);
        }
        assert_eq!(back[0].me().await.protection, Protection::Locked);
        for party in [&alice, &back[0], &back[1]] {
            party.has_peers(2).await;
            party.finds_online(&["alice", "bob"]).await;
        }
    });
}
