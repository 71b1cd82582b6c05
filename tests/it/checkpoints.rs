//! Documents that last: profiles that are edited more often than a log may hold, seen from peers that were there all the
//! time, that were away, and that come late.

use std::rc::Rc;
use std::time::Duration;

use gen_registry_api::*;
use gen_registry_node::store::{Store, Table};

use crate::support::node::{NodeOn, TestNode, WatchedNode};
use crate::support::relay::{network, relay};
use crate::support::store::WatchedStore;
use crate::support::wait::{eventually, in_one_thread};

/// More than two checkpoints' worth of edits.
const MANY: usize = 850;
/// The entries that a log may have since the checkpoint before the last one.
const KEPT_MAX: usize = 700;

impl<S: Store + 'static> NodeOn<S> {
    async fn update(&self, changes: ProfileChanges) {
        self.node.handle(Command::UpdateProfile { changes }).await.unwrap();
    }

    async fn write_bio(&self, bio: &str) {
        self.update(ProfileChanges { bio: Some(bio.to_owned()), ..Default::default() }).await;
    }

    /// Writes one bio after the other, up to number `last`.
    async fn write_bios(&self, numbers: std::ops::RangeInclusive<usize>) {
        for number in numbers {
            self.write_bio(&format!("edit {number}")).await;
        }
    }

    async fn bio_of(&self, did: &str) -> Option<String> {
        match self.node.handle(Command::Person { did: did.to_owned() }).await.unwrap() {
            Answer::Person(person) => person?.profile.bio,
            other => panic!("{other:?}"),
        }
    }

    async fn sees_bio(&self, did: &str, bio: &str) {
        eventually(bio, async || self.bio_of(did).await.as_deref() == Some(bio)).await;
    }

    async fn count(&self, table: Table) -> usize {
        self.store.scan(table, "", None, 10_000).await.unwrap().len()
    }
}

/// The data of a checkpoint arrives while the entries of its log are still being written.
#[test]
fn slow_disk_holds_up_neither_the_document_nor_own_writes() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        let did = alice.did().await;
        alice.write_bios(1..=520).await;
        assert!(alice.count(Table::Blocks).await > 0, "there is a checkpoint");
        let disk = Rc::new(WatchedStore::default());
        disk.commit_takes.set(Duration::from_millis(40));
        let carol = WatchedNode::join_with(disk, network).await;
        carol.sees_bio(&did, "edit 520").await;
        carol.claim("carol").await.unwrap();
        assert_eq!(carol.network().await.rejections, []);
    });
}

#[test]
fn profile_that_is_edited_for_years_stays_small_and_complete_everywhere() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        let did = alice.did().await;
        let bob = TestNode::join(network.clone()).await;
        bob.sees("alice_smith").await;
        let away = bob.leave().await;
        alice.write_bios(1..=MANY).await;
        let last = format!("edit {MANY}");
        assert_eq!(alice.bio_of(&did).await.as_deref(), Some(&*last));
        let entries = alice.count(Table::Changes).await;
        assert!((1..=KEPT_MAX).contains(&entries), "{entries} entries are kept");
        assert_eq!(alice.count(Table::Headers).await, entries);
        assert!(alice.count(Table::Blocks).await <= 2, "the data of two checkpoints");

        let carol = TestNode::join(network.clone()).await;
        carol.sees_bio(&did, &last).await;
        assert!(carol.count(Table::Changes).await <= entries, "she got no more than there is");
        let bob = TestNode::join_with(away, network.clone()).await;
        bob.sees_bio(&did, &last).await;
        assert_eq!(carol.network().await.rejections, []);
        assert_eq!(bob.network().await.rejections, []);

        // It goes on, also after a restart.
        let alice = TestNode::join_with(alice.leave().await, network).await;
        assert_eq!(alice.bio_of(&did).await.as_deref(), Some(&*last));
        alice.write_bio("and on").await;
        bob.sees_bio(&did, "and on").await;
        carol.sees_bio(&did, "and on").await;
    });
}

#[test]
fn device_that_was_away_loses_nothing_to_another_ones_checkpoint() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let laptop = TestNode::join(network.clone()).await;
        laptop.claim("alice_smith").await.unwrap();
        let did = laptop.did().await;
        let Answer::RecoveryPhrase(phrase) = laptop.node.handle(Command::RecoveryPhrase).await.unwrap() else {
            panic!("no words");
        };
        let phone = TestNode::join(network.clone()).await;
        phone.node.handle(Command::RestoreFromPhrase { phrase, unheard: false }).await.unwrap();
        phone.sees("alice_smith").await;
        let links = vec!["https://example.org".to_owned()];
        phone.update(ProfileChanges { links: Some(links.clone()), ..Default::default() }).await;
        eventually("the laptop has it", async || laptop.me().await.profile.links == links).await;

        // Apart, the phone writes a name and the laptop so much that a checkpoint is due.
        let laptops = laptop.leave().await;
        phone.update(ProfileChanges { display_name: Some("Alice".to_owned()), ..Default::default() }).await;
        let phones = phone.leave().await;
        let laptop = TestNode::join_with(laptops, network.clone()).await;
        laptop.write_bios(1..=420).await;
        assert!(laptop.count(Table::Blocks).await > 0, "there is a checkpoint");

        let phone = TestNode::join_with(phones, network.clone()).await;
        phone.sees_bio(&did, "edit 420").await;
        let has_both = async |device: &TestNode| {
            let profile = device.me().await.profile;
            profile.display_name.as_deref() == Some("Alice") && profile.links == links
        };
        eventually("the phone says it again", async || has_both(&phone).await).await;
        eventually("the laptop has it", async || has_both(&laptop).await).await;
        assert_eq!(laptop.bio_of(&did).await.as_deref(), Some("edit 420"));
        let carol = TestNode::join(network).await;
        carol.sees_bio(&did, "edit 420").await;
        assert_eq!(laptop.network().await.rejections, []);
    });
}
