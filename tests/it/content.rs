//! Content between whole nodes over real libp2p: from several peers, through deaths, restarts, lies and full disks.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::SinkExt;
use futures::future::join_all;
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::canonical::DecodeError;
use gen_registry_core::digest::cid_of;
use gen_registry_core::limits::BLOCK_MAX_BYTES;
use gen_registry_core::random::Random;
use gen_registry_core::sync::blocks::upload::UPLOAD_MIN_BYTES_PER_SECOND;
use gen_registry_core::sync::blocks::wire::{IN_FLIGHT_MAX, Message};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::blocks::{ContentError, Pin, Progress};
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{StoreError, Table};
use tokio::time::Instant;

use crate::support::clock::ShiftedClock;
use crate::support::liar::liar;
use crate::support::modules::file;
use crate::support::network::{numbered, through};
use crate::support::node::WatchedNode;
use crate::support::pictures::png;
use crate::support::relay::{network, relay};
use crate::support::store::WatchedStore;
use crate::support::wait::{eventually, in_one_thread};

/// `(module (func (export "answer") (result i32) i32.const 42))`
const SMALL: &[u8] =
    b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x0a\x01\x06answer\0\0\x0a\x06\x01\x04\0\x41\x2a\x0b";
const MIB: usize = 1024 * 1024;

#[test]
fn file_is_fetched_from_two_peers_and_no_block_twice() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(3 * MIB + 5, 1);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        let (bob, _) = WatchedNode::with_file(&network, &bytes).await;
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(2).await;
        let told = RefCell::new(Vec::new());
        let progress = |progress: Progress| told.borrow_mut().push(progress);
        carol.node.content().fetch(&artifact, progress).await.unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
        let (from_alice, from_bob) = (alice.store.reads(), bob.store.reads());
        assert_eq!(from_alice + from_bob, artifact.blocks.len(), "each block was asked for once");
        assert!(from_alice > 0 && from_bob > 0, "{from_alice} and {from_bob}");
        let told = told.take();
        assert_eq!(told.first(), Some(&Progress { done: 0, total: artifact.size }));
        assert_eq!(told.last(), Some(&Progress { done: artifact.size, total: artifact.size }));
        assert!(told.is_sorted_by_key(|progress| progress.done) && told.len() == artifact.blocks.len() + 1);
        assert_eq!(carol.network().await.rejections, [], "nobody broke a rule");
        assert_eq!(carol.node.content().artifact_progress(&artifact).await.unwrap().done, artifact.size);
    });
}

#[test]
fn fetch_continues_with_another_peer_when_one_dies() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(3 * MIB, 2);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        alice.store.hangs_after.set(Some(3));
        let (bob, _) = WatchedNode::with_file(&network, &bytes).await;
        bob.store.hangs_after.set(Some(2));
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(2).await;
        let (fetching, done) = carol.fetching(&artifact);
        eventually("both gave something", async || done.get() == 5 * BLOCK_MAX_BYTES as u64).await;
        assert!(!fetching.is_finished());
        // Alice's process is gone; Bob's disk is quick again.
        alice.life.abort();
        eventually("she is missed", async || carol.network().await.peers.len() == 1).await;
        bob.store.hangs_after.set(None);
        fetching.await.unwrap().unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
        assert_eq!(bob.store.reads(), artifact.blocks.len() - 3, "all but what Alice gave");
    });
}

#[test]
fn restarted_fetch_requests_missing_blocks_only() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(3 * MIB + 100, 3);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        alice.store.hangs_after.set(Some(5));
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(1).await;
        let (fetching, done) = carol.fetching(&artifact);
        eventually("some of it came", async || done.get() == 5 * BLOCK_MAX_BYTES as u64).await;
        fetching.abort();
        let incomplete = carol.node.content().artifact_bytes(&artifact).await;
        assert!(matches!(incomplete, Err(ContentError::Incomplete)), "{incomplete:?}");
        carol.mesh.close();
        carol.life.await.unwrap();

        let carol = WatchedNode::join_with(carol.store.restarted(), network.clone()).await;
        assert_eq!(carol.node.content().artifact_progress(&artifact).await.unwrap().done, 5 * BLOCK_MAX_BYTES as u64);
        let stored = carol.store.blocks();
        assert_eq!(stored.len(), 5);
        alice.store.hangs_after.set(None);
        alice.store.reads.borrow_mut().clear();
        carol.has_peers(1).await;
        carol.fetch(&artifact).await.unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
        let again: Vec<&String> =
            stored.iter().filter(|block| alice.store.reads.borrow().contains_key(*block)).collect();
        assert_eq!(again, Vec::<&String>::new(), "what was stored is not asked for again");
        assert_eq!(alice.store.reads.borrow().len(), artifact.blocks.len() - 5);
    });
}

#[test]
fn dropped_fetch_ends_and_two_fetches_of_one_file_share_blocks() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(2 * MIB, 4);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(1).await;
        alice.store.hangs_after.set(Some(1));
        let (fetching, done) = carol.fetching(&artifact);
        eventually("it began", async || done.get() > 0).await;
        fetching.abort();
        alice.store.hangs_after.set(None);
        let (one, two) = futures::join!(carol.fetch(&artifact), carol.fetch(&artifact));
        one.unwrap();
        two.unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
        assert!(alice.store.reads() < artifact.blocks.len() + IN_FLIGHT_MAX, "neither asked for what the other did");
    });
}

#[test]
fn missing_content_is_an_error_until_a_peer_has_it() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(10_000, 5);
        let artifact = Artifact::of(&bytes);
        let alone = Node::start(Rc::new(MemoryStore::new()), Rc::new(Native), network.clone()).await.unwrap();
        assert!(matches!(alone.content().fetch(&artifact, |_| {}).await, Err(ContentError::Alone)));
        let too_large = Artifact { size: u64::MAX, ..artifact.clone() };
        assert!(matches!(alone.content().fetch(&too_large, |_| {}).await, Err(ContentError::Artifact(_))));
        let carol = WatchedNode::join(network.clone()).await;
        let (fetching, _) = carol.fetching(&artifact);
        // It waits for somebody; then one comes who has it.
        tokio::task::yield_now().await;
        let (_alice, _) = WatchedNode::with_file(&network, &bytes).await;
        fetching.await.unwrap().unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
    });
}

/// The liar alone is there; it is asked, found out and left. Then somebody honest comes.
async fn one_flipped_bit(network: Network, bytes: &[u8], flipped: usize, bit: u32) {
    let artifact = Artifact::of(bytes);
    let liar = liar(&network, &artifact, bytes, flipped, bit).await;
    let carol = WatchedNode::join(network.clone()).await;
    carol.has_peers(1).await;
    let (fetching, _) = carol.fetching(&artifact);
    eventually("the lie is noticed", async || carol.count_of(Rejection::WrongBlock).await == 1).await;
    eventually("the liar is sent away", async || carol.network().await.peers.is_empty()).await;
    let nth = flipped / BLOCK_MAX_BYTES;
    assert!(!carol.store.blocks().contains(&cid_of(&artifact.blocks[nth]).to_string()), "nothing of it is kept");
    assert!(liar.store.reads() > 0);
    let (honest, _) = WatchedNode::with_file(&network, bytes).await;
    fetching.await.unwrap().unwrap();
    assert_eq!(carol.node.content().artifact_bytes(&artifact).await.unwrap(), bytes, "byte {flipped}, bit {bit}");
    assert!(honest.store.reads.borrow().contains_key(&cid_of(&artifact.blocks[nth]).to_string()));
    for party in [liar, carol, honest] {
        party.mesh.close();
        party.life.await.unwrap();
    }
}

#[test]
fn block_with_any_flipped_bit_is_rejected_and_fetched_elsewhere() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let mut random = Random::new(8);
        // Every story has a file of its own: one relay serves them all, and would lead to the file's holders in another.
        let small = (0..SMALL.len()).map(|byte| ([SMALL, &[byte as u8]].concat(), byte));
        let mut cases: Vec<(Vec<u8>, usize, u32)> =
            small.map(|(bytes, byte)| (bytes, byte, random.below(8) as u32)).collect();
        for seed in 0..6 {
            let large = file(2 * MIB + 7, seed);
            let flipped = random.below(large.len() as u64) as usize;
            cases.push((large, flipped, random.below(8) as u32));
        }
        // Each in a network of its own, some at a time.
        for (number, some) in cases.chunks(8).enumerate() {
            let stories = some.iter().enumerate().map(|(nth, (bytes, flipped, bit))| {
                let own = numbered((8 * number + nth) as u8 + 1);
                one_flipped_bit(through(&own, network.relays.clone()), bytes, *flipped, *bit)
            });
            join_all(stories).await;
        }
    });
}

#[test]
fn artifact_that_contradicts_its_blocks_is_rejected_without_blame() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (_alice, artifact) = WatchedNode::with_file(&network, &file(300_000, 7)).await;
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(1).await;
        let other_whole = Artifact { sha256: Artifact::of(b"other").sha256, ..artifact.clone() };
        let other_size = Artifact { size: artifact.size + 1, ..artifact.clone() };
        for wrong in [other_whole, other_size] {
            let fetched = carol.fetch(&wrong).await;
            assert!(matches!(fetched, Err(ContentError::Contradiction)), "{fetched:?}");
            assert_eq!(carol.store.blocks(), Vec::<String>::new(), "nothing of it stays");
        }
        assert_eq!(carol.network().await.rejections, []);
    });
}

#[test]
fn full_device_evicts_cached_content_and_never_pinned() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let [installed, cached, wanted, too_much] = [10, 11, 12, 13].map(|seed| file(MIB, seed));
        let (alice, first) = WatchedNode::with_file(&network, &installed).await;
        let second = alice.node.content().keep_artifact(&wanted, Pin::Own).await.unwrap();
        let third =
            alice.node.content().keep_artifact(&[wanted.clone(), too_much.clone()].concat(), Pin::Own).await.unwrap();
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(1).await;
        carol.fetch(&first).await.unwrap();
        carol.node.content().pin_artifact(&first, Pin::Installed).await.unwrap();
        let old = carol.node.content().keep_artifact(&cached, Pin::Cached).await.unwrap();
        // Two files of 1 MiB fit, and a little beside them.
        carol.store.room.set(Some(2 * MIB + BLOCK_MAX_BYTES / 2));
        carol.fetch(&second).await.unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&second).await.unwrap(), wanted);
        assert_eq!(carol.node.content().artifact_progress(&old).await.unwrap().done, 0, "it made room");
        assert_eq!(carol.node.content().artifact_bytes(&first).await.unwrap(), installed);

        carol.node.content().pin_artifact(&second, Pin::Installed).await.unwrap();
        let before = carol.store.blocks();
        let full = carol.fetch(&third).await;
        assert!(matches!(full, Err(ContentError::Store(StoreError::Full))), "{full:?}");
        assert_eq!(Failure::from(full.unwrap_err()).code, FailureCode::StorageFull);
        let kept = carol.node.content().keep_artifact(&too_much, Pin::Own).await;
        assert!(matches!(kept, Err(ContentError::Store(StoreError::Full))), "{kept:?}");
        assert_eq!(carol.store.blocks(), before, "all or nothing");
        assert_eq!(carol.node.content().artifact_bytes(&second).await.unwrap(), wanted);
        // Room again: what was pinned makes some, and the same fetch goes through.
        carol.node.content().unpin_artifact(&first, Pin::Installed).await.unwrap();
        carol.fetch(&third).await.unwrap();
        assert_eq!(carol.node.content().artifact_bytes(&first).await.ok(), None, "unpinned, it went");
        assert_eq!(carol.network().await.rejections, []);
    });
}

#[test]
fn pins_and_order_of_use_survive_a_restart() {
    in_one_thread(async {
        let store = Rc::<WatchedStore>::default();
        let start =
            async |store: Rc<WatchedStore>| Node::start(store, Rc::new(Native), Network::default()).await.unwrap();
        let node = start(store.clone()).await;
        let mut artifacts = Vec::new();
        for (seed, pin) in [(1, Pin::Installed), (2, Pin::Own), (3, Pin::Cached), (4, Pin::Cached)] {
            // A clock's tick apart: the order is that of use.
            tokio::time::sleep(Duration::from_millis(2)).await;
            artifacts.push(node.content().keep_artifact(&file(200_000, seed), pin).await.unwrap());
        }
        let store = store.restarted();
        let node = start(store.clone()).await;
        store.room.set(Some(store.used.borrow().values().sum()));
        let newest = node.content().keep_artifact(&file(190_000, 5), Pin::Cached).await.unwrap();
        let mut here = Vec::new();
        for artifact in artifacts.iter().chain([&newest]) {
            here.push(node.content().artifact_bytes(artifact).await.is_ok());
        }
        assert_eq!(here, [true, true, false, true, true], "the oldest without a pin went");
    });
}

#[test]
fn unpinned_content_stays_within_half_of_the_quota() {
    in_one_thread(async {
        let store = Rc::<WatchedStore>::default();
        let quota = 2_000_000;
        let node = Node::start(
            store.clone(),
            Rc::new(ShiftedClock { quota: Some(quota), ..ShiftedClock::default() }),
            Network::default(),
        )
        .await
        .unwrap();
        let keep = async |seed: u64, pin: Pin| {
            tokio::time::sleep(Duration::from_millis(2)).await;
            node.content().keep_artifact(&file(300_000, seed), pin).await.unwrap()
        };
        let first = keep(1, Pin::Cached).await;
        for seed in 2..6 {
            keep(seed, Pin::Cached).await;
        }
        let used =
            || store.used.borrow().iter().filter(|((table, _), _)| *table == Table::Blocks).map(|(_, n)| n).sum();
        let (bytes, half): (usize, usize) = (used(), quota as usize / 2);
        assert!((half - 300_000..half + 1_000).contains(&bytes), "{bytes}");
        assert!(node.content().artifact_bytes(&first).await.is_err(), "the oldest went");
        for seed in 10..15 {
            keep(seed, Pin::Own).await;
        }
        let bytes: usize = used();
        assert!(bytes >= 5 * 300_000, "what is pinned is kept beyond it: {bytes}");
        assert_eq!(store.blocks().len(), 10, "and nothing else, two blocks each");
    });
}

#[test]
fn peer_that_breaks_block_rules_is_counted_and_banned() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(600_000, 9);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        let mallory = WatchedNode::join(network.clone()).await;
        mallory.has_peers(1).await;
        let mut stream = mallory.mesh.open_blocks(alice.mesh.local_peer_id()).await.unwrap();
        stream.outgoing.send(vec![9, 9]).await.unwrap();
        let malformed = Rejection::Malformed(DecodeError::UnknownKind(9));
        eventually("rubbish is counted", async || alice.count_of(malformed).await == 1).await;
        stream.outgoing.send(Message::Missing(artifact.blocks[0]).encode()).await.unwrap();
        eventually("an answer nobody asked for, too", async || alice.count_of(Rejection::Unasked).await == 1).await;
        // Nothing is answered now; what waits for an answer is bounded, and so is the patience.
        alice.store.hangs_after.set(Some(0));
        let wants = Message::Want(vec![artifact.blocks[0]; IN_FLIGHT_MAX]).encode();
        for _ in 0..60 {
            if stream.outgoing.send(wants.clone()).await.is_err() {
                break;
            }
        }
        alice.store.hangs_after.set(None);
        eventually("sent away", async || alice.network().await.peers.is_empty()).await;
        let wanted_too_much = alice.count_of(Rejection::TooManyRequests).await;
        assert!((1..=10).contains(&wanted_too_much), "{wanted_too_much}");
        assert_eq!(alice.node.content().artifact_bytes(&artifact).await.unwrap(), bytes);
        let bob = WatchedNode::join(network.clone()).await;
        bob.has_peers(1).await;
        bob.fetch(&artifact).await.unwrap();
    });
}

#[test]
fn avatar_is_fetched_when_viewed_and_may_be_evicted() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = WatchedNode::join(network.clone()).await;
        let picture = png(256, 256, &file(100_000, 20));
        let changes = ProfileChanges { avatar: Some(picture.clone().into()), ..ProfileChanges::default() };
        alice.node.handle(Command::RegisterUsername { name: "alice".into(), changes }).await.unwrap();
        let cid = cid_of(&Artifact::of(&picture).sha256).to_string();
        let look =
            async |party: &WatchedNode| match party.node.handle(Command::Block { cid: cid.clone() }).await.unwrap() {
                Answer::Block(block) => block.map(|block| (block.bytes, block.media_type)),
                other => panic!("{other:?}"),
            };
        let carol = WatchedNode::join(network.clone()).await;
        assert_eq!(look(&carol).await, None, "nobody is connected");
        carol.has_peers(1).await;
        assert_eq!(look(&carol).await, Some((picture.clone(), "image/png".to_owned())));
        assert_eq!(alice.store.reads(), 1);
        assert!(look(&carol).await.is_some());
        assert_eq!(alice.store.reads(), 1, "kept");
        // A program of another make publishes what this one would not.
        let large = png(30_000, 30_000, &file(100, 22));
        alice.node.content().keep_artifact(&large, Pin::Own).await.unwrap();
        let of_large = cid_of(&Artifact::of(&large).sha256).to_string();
        let shown = carol.node.handle(Command::Block { cid: of_large }).await.unwrap();
        let media_type = "application/octet-stream".to_owned();
        assert_eq!(shown, Answer::Block(Some(Block { bytes: large, media_type })), "no page decodes it");
        carol.store.room.set(Some(BLOCK_MAX_BYTES));
        carol.node.content().keep_artifact(&file(200_000, 21), Pin::Own).await.unwrap();
        assert!(!carol.store.blocks().contains(&cid), "there was no room for both");
        assert_eq!(alice.network().await.rejections, []);
    });
}

/// Somebody waits for it, and it is gone: no task is left behind that would hold the node.
#[test]
fn leaving_the_network_ends_running_fetches() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let carol = WatchedNode::join(network.clone()).await;
        let (fetching, _) = carol.fetching(&Artifact::of(b"nobody has this"));
        tokio::task::yield_now().await;
        carol.mesh.close();
        carol.life.await.unwrap();
        let ended = fetching.await.unwrap();
        assert!(matches!(ended, Err(ContentError::Alone)), "{ended:?}");
    });
}

/// Bytes per second that a giver of these stories gives at most.
const UPLOAD_LIMIT: u32 = MIB as u32;

async fn limit_upload(node: &WatchedNode, bytes_per_second: Option<u32>) -> Result<Option<u32>, Failure> {
    match node.node.handle(Command::LimitUpload { bytes_per_second }).await? {
        Answer::Status(status) => Ok(status.upload_limit),
        other => panic!("{other:?}"),
    }
}

/// The most that may have been given at the limit since a moment: the first block waits for nothing.
fn at_the_limit(since: Instant) -> u64 {
    (since.elapsed().as_secs_f64() * f64::from(UPLOAD_LIMIT)) as u64 + BLOCK_MAX_BYTES as u64
}

#[test]
fn upload_limit_holds_for_all_peers_together_and_they_take_turns() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(2 * MIB, 31);
        let (alice, artifact) = WatchedNode::with_file(&network, &bytes).await;
        assert_eq!(limit_upload(&alice, Some(UPLOAD_LIMIT)).await, Ok(Some(UPLOAD_LIMIT)));
        let peers = [WatchedNode::join(network.clone()).await, WatchedNode::join(network.clone()).await];
        alice.has_peers(2).await;
        let began = Instant::now();
        let [(one, of_one), (other, of_other)] = peers.each_ref().map(|peer| peer.fetching(&artifact));
        eventually("one of them has all", async || {
            let given = of_one.get() + of_other.get();
            assert!(given <= at_the_limit(began), "{given} bytes after {:?}", began.elapsed());
            of_one.get().max(of_other.get()) == artifact.size
        })
        .await;
        let least = of_one.get().min(of_other.get());
        assert!(least + 3 * BLOCK_MAX_BYTES as u64 >= artifact.size, "the other one has {least} bytes");
        // Who waits notices that there is no limit any more.
        assert_eq!(limit_upload(&alice, None).await, Ok(None));
        one.await.unwrap().unwrap();
        other.await.unwrap().unwrap();
        for peer in &peers {
            assert_eq!(peer.network().await.rejections, [], "slow by choice is no fault");
        }
    });
}

#[test]
fn file_comes_from_several_limited_peers_at_once() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(3 * MIB, 32);
        let mut givers = Vec::new();
        let artifact = Artifact::of(&bytes);
        for _ in 0..3 {
            let (giver, _) = WatchedNode::with_file(&network, &bytes).await;
            limit_upload(&giver, Some(UPLOAD_LIMIT)).await.unwrap();
            givers.push(giver);
        }
        let carol = WatchedNode::join(network.clone()).await;
        carol.has_peers(3).await;
        carol.fetch(&artifact).await.unwrap();
        let given: Vec<usize> = givers.iter().map(|giver| giver.store.reads()).collect();
        assert_eq!(given.iter().sum::<usize>(), artifact.blocks.len(), "no block came twice");
        assert!(given.iter().all(|given| *given >= 2), "each gave some: {given:?}");
    });
}

#[test]
fn upload_limit_is_stored_and_one_that_is_too_low_is_refused() {
    in_one_thread(async {
        let store = Rc::<MemoryStore>::default();
        let node = Node::start(store.clone(), Rc::new(Native), Network::default()).await.unwrap();
        let limit = |bytes_per_second| Command::LimitUpload { bytes_per_second };
        node.handle(limit(Some(UPLOAD_MIN_BYTES_PER_SECOND))).await.unwrap();
        let low = node.handle(limit(Some(UPLOAD_MIN_BYTES_PER_SECOND - 1))).await.unwrap_err();
        assert_eq!(low.code, FailureCode::InvalidArgument);
        let node = Node::start(store, Rc::new(Native), Network::default()).await.unwrap();
        let Answer::Status(status) = node.handle(Command::Status).await.unwrap() else { panic!("no status") };
        assert_eq!(status.upload_limit, Some(UPLOAD_MIN_BYTES_PER_SECOND), "a refused one changes nothing");
    });
}
