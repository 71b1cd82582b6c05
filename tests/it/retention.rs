//! A node that has no room for everybody: over real nodes, real libp2p and a real relay.

use std::collections::BTreeSet;
use std::rc::Rc;

use gen_registry_api::*;
use gen_registry_core::digest::hex;
use gen_registry_core::keys::Did;
use gen_registry_core::ring::{RingRange, place_of};
use gen_registry_node::store::Table;

use crate::crowd::shared::{beginning, crowded_store};
use crate::support::clock::ShiftedClock;
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

/// People whom the large node knows.
const PEOPLE: u64 = 300;
/// Strangers for whom the small one has room.
const ROOM: u32 = 40;
/// A platform's quota that leaves room for so many strangers, in bytes.
const QUOTA_OF_ROOM: u64 = ROOM as u64 * 5_000 * 20;
/// One of the people, whom the small node's person follows.
const FOLLOWED: u64 = 7;

fn known(party: &TestNode) -> BTreeSet<Did> {
    party.node.known().identities().copied().collect()
}

/// The identities of which a node has something in its store.
fn stored(party: &TestNode) -> BTreeSet<String> {
    let tables = [Table::Facts, Table::Headers, Table::Changes, Table::People];
    let keys = tables.into_iter().flat_map(|table| party.store.keys(table));
    keys.map(|key| key.split('/').next().unwrap_or_default().to_owned()).collect()
}

async fn bio_of(party: &TestNode, did: &Did) -> Option<String> {
    match party.node.handle(Command::Person { did: did.to_string() }).await.unwrap() {
        Answer::Person(person) => person?.profile.bio,
        other => panic!("{other:?}"),
    }
}

#[test]
fn small_node_keeps_whom_it_has_to_do_with_and_a_range_of_strangers() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let small = TestNode::join(network.clone()).await;
        let keep = Command::KeepStrangers { most: ROOM };
        small.node.handle(keep).await.unwrap();
        small.claim("small").await.unwrap();
        let own: Did = small.me().await.did.unwrap().parse().unwrap();
        let followed = beginning(FOLLOWED).device.did;
        let follow = NoticeCommand::Follow { subject: format!("person:{followed}"), follow: true };
        small.node.handle(Command::Notices { command: follow }).await.unwrap();

        let large = TestNode::join_with(crowded_store(PEOPLE), network.clone()).await;
        let everybody: BTreeSet<Did> = known(&large);
        assert_eq!(everybody.len() as u64, PEOPLE);
        eventually("the large one knows the small one's person", async || known(&large).contains(&own)).await;
        eventually("the small one narrows its range", async || small.node.known().retention().range().bits() > 0).await;
        eventually("whom it follows is there", async || bio_of(&small, &followed).await.is_some()).await;
        // All of its range, and nobody else; and there is room for all of them, so the range stays.
        let expected = |range: RingRange| -> BTreeSet<Did> {
            let inside = everybody.iter().filter(|did| range.contains(place_of(did)));
            inside.copied().chain([own, followed]).collect()
        };
        let range = || small.node.known().retention().range();
        eventually("it keeps what it has room for", async || {
            let expected = expected(range());
            expected.len() <= ROOM as usize + 2 && known(&small) == expected
        })
        .await;
        let (expected, range) = (expected(range()), range());
        let of_expected: BTreeSet<String> = expected.iter().map(|did| hex(did.as_bytes())).collect();
        assert_eq!(stored(&small), of_expected, "what was evicted is deleted");
        for node in [&small, &large] {
            assert!(node.network().await.rejections.is_empty(), "nobody is to blame for what the other keeps");
        }

        let Answer::Status(status) = small.node.handle(Command::Status).await.unwrap() else { panic!("no status") };
        assert_eq!((status.strangers_max, status.strangers_share), (ROOM, 1 << range.bits()));

        // Own writes go on, and reach the large one; whom it follows goes on, too.
        let changes = ProfileChanges { bio: Some("small, and content".to_owned()), ..ProfileChanges::default() };
        small.node.handle(Command::UpdateProfile { changes }).await.unwrap();
        eventually("the change arrives", async || bio_of(&large, &own).await.is_some()).await;

        let store = small.leave().await;
        let small = TestNode::join_with(store, network).await;
        assert_eq!(small.node.known().retention().range(), range, "it is stored");
        assert_eq!(known(&small), expected, "the same after a restart");
        eventually("it is among peers again", async || !small.network().await.peers.is_empty()).await;
        assert_eq!(known(&small), expected);

        // The person wants none at all, and then everybody.
        small.node.handle(Command::KeepStrangers { most: 0 }).await.unwrap();
        assert_eq!(known(&small), [own, followed].into());
        small.node.handle(Command::KeepStrangers { most: 1_000 }).await.unwrap();
        eventually("everybody comes back", async || known(&small).len() as u64 == PEOPLE + 1).await;
    });
}

#[test]
fn node_keeps_no_more_strangers_than_its_device_has_room_for() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let device = ShiftedClock { quota: Some(QUOTA_OF_ROOM), ..ShiftedClock::default() };
        let small = TestNode::join_on(Rc::new(device), Rc::default(), network.clone()).await;
        let large = TestNode::join_with(crowded_store(PEOPLE), network).await;
        eventually("the small one narrows its range", async || small.node.known().retention().range().bits() > 0).await;
        let Answer::Status(status) = small.node.handle(Command::Status).await.unwrap() else { panic!("no status") };
        assert_eq!(status.strangers_max, ROOM);
        eventually("it keeps what it has room for", async || {
            let range = small.node.known().retention().range();
            let inside: BTreeSet<Did> = known(&large).into_iter().filter(|did| range.contains(place_of(did))).collect();
            inside.len() <= ROOM as usize && known(&small) == inside
        })
        .await;
    });
}
