//! Somebody copies a profile's folder, in a network with witnesses: what the thief can do, and how the owner ends it.

use std::rc::Rc;
use std::time::Duration;

use gen_registry_api::*;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Durability, Store, Table, Write};
use gen_registry_node::{Network, Node};

use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::witnessed;
use crate::support::wait::{eventually, in_one_thread};

impl TestNode {
    async fn say(&self, command: Command) -> Answer {
        self.node.handle(command).await.unwrap()
    }

    async fn refused(&self, command: Command) -> FailureCode {
        self.node.handle(command).await.unwrap_err().code
    }

    async fn devices(&self) -> DeviceList {
        self.change_devices(DeviceCommand::List).await
    }

    async fn change_devices(&self, command: DeviceCommand) -> DeviceList {
        match self.say(Command::Devices { command }).await {
            Answer::Devices(list) => list,
            other => panic!("{other:?}"),
        }
    }

    /// Shows to have the words, so that they leave the device. Returns them.
    async fn check_words(&self) -> String {
        let Answer::RecoveryPhrase(phrase) = self.say(Command::RecoveryPhrase).await else { panic!() };
        let first = phrase.split(' ').next().unwrap().to_owned();
        self.say(Command::ConfirmRecoveryPhrase { words: vec![(0, first)] }).await;
        phrase
    }

    async fn restore(&self, phrase: &str) {
        self.say(Command::RestoreFromPhrase { phrase: phrase.to_owned(), unheard: false }).await;
    }

    async fn release(&self, module: &str, version: &str, constant: i32) {
        self.publish(draft(module, version, wasm("f", constant), &[])).await;
    }

    /// The versions of a module that witnesses have confirmed.
    async fn confirmed(&self, module: &str) -> Vec<String> {
        let versions = self.module(module).await.map(|page| page.versions).unwrap_or_default();
        let confirmed = versions.into_iter().filter(|version| version.status == NameStatus::Confirmed);
        confirmed.map(|version| version.summary.version).collect()
    }

    async fn shows_confirmed(&self, module: &str, versions: &[&str]) {
        eventually("the versions are confirmed", async || {
            let mut confirmed = self.confirmed(module).await;
            confirmed.sort();
            confirmed == versions
        })
        .await;
    }

    async fn is_compromised(&self, module: &str, version: &str) -> bool {
        let versions = self.module(module).await.map(|page| page.versions).unwrap_or_default();
        let found = versions.into_iter().find(|known| known.summary.version == version);
        found.and_then(|known| known.summary.withdrawn).is_some_and(|withdrawn| withdrawn.compromised)
    }

    async fn holder_of(&self, name: &str) -> Option<String> {
        self.look_up(name).await.holder.map(|holder| holder.person.did)
    }
}

fn bio(text: &str) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text.into()), ..Default::default() } }
}

/// What a thief has of a profile: everything but the place in the network.
async fn copy(store: &Rc<MemoryStore>) -> Rc<MemoryStore> {
    let copy = Rc::new(store.copy());
    let forget = Write::Delete { table: Table::Keys, key: "node".to_owned() };
    copy.commit(vec![forget], Durability::Strict).await.unwrap();
    copy
}

/// Alice holds a name and a module, confirmed, and has checked her words. Returns what is on her device's disk.
async fn alice_at(network: &Network) -> (Rc<MemoryStore>, String, String) {
    let alice = TestNode::join(network.clone()).await;
    alice.claim("alice_smith").await.unwrap();
    alice.is_confirmed().await;
    alice.release("crc32", "1.0.0", 1).await;
    alice.shows_confirmed("crc32", &["1.0.0"]).await;
    let (did, phrase) = (alice.did().await, alice.check_words().await);
    (alice.leave().await, did, phrase)
}

#[test]
fn owner_revokes_the_copied_device_and_keeps_all_that_was_hers() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let (store, did, phrase) = alice_at(&network).await;
        let thief = TestNode::join_with(copy(&store).await, network.clone()).await;
        thief.has_relay().await;
        thief.release("crc32", "6.6.6", 2).await;
        thief.shows_confirmed("crc32", &["1.0.0", "6.6.6"]).await;
        thief.say(Command::Rename { name: "mallory".to_owned() }).await;
        thief.is_confirmed().await;
        let bob = TestNode::join(network.clone()).await;
        bob.shows_confirmed("crc32", &["1.0.0", "6.6.6"]).await;
        let requirement = Requirement { name: "crc32".to_owned(), requirement: "*".to_owned() };
        let install = ModuleCommand::Install { requirements: vec![requirement], accept: vec![] };
        bob.say(Command::Modules { command: install }).await;

        let phone = TestNode::join(network.clone()).await;
        phone.sees("alice_smith").await;
        phone.restore(&phrase).await;
        phone.shows_confirmed("crc32", &["1.0.0", "6.6.6"]).await;
        let laptop = phone.devices().await.devices.into_iter().find(|row| !row.this_device).unwrap();
        let release = laptop.entries.iter().find(|entry| entry.subject == "crc32 1.0.0").unwrap();
        let last_good = LastGood::Entry { id: release.id.clone() };
        phone.change_devices(DeviceCommand::Revoke { key: laptop.key, last_good }).await;

        // Everywhere: nothing of before is annulled, what is confirmed stays, and the release after the cut is marked.
        let carol = TestNode::join(network.clone()).await;
        for node in [&phone, &bob, &thief, &carol] {
            eventually("the stolen release is marked", async || node.is_compromised("crc32", "6.6.6").await).await;
            assert!(!node.is_compromised("crc32", "1.0.0").await);
            assert_eq!(node.holder_of("alice_smith").await.as_deref(), Some(&*did));
            assert_eq!(node.holder_of("mallory").await.as_deref(), Some(&*did), "hers as well");
            assert_eq!(node.module("crc32").await.unwrap().latest.as_deref(), Some("1.0.0"));
        }
        let Answer::Notices(notices) = bob.say(Command::Notices { command: NoticeCommand::List }).await else {
            panic!()
        };
        let notice = notices.notices.iter().find(|notice| notice.kind == NoticeKind::Compromised).unwrap();
        assert_eq!((notice.module.as_deref(), notice.version.as_deref()), (Some("crc32"), Some("6.6.6")));
        let rename = Command::Rename { name: "mallory2".to_owned() };
        assert_eq!(thief.refused(rename).await, FailureCode::NotAllowed);
        // She goes on.
        phone.release("crc32", "1.0.1", 3).await;
        bob.shows_confirmed("crc32", &["1.0.0", "1.0.1", "6.6.6"]).await;
        assert_eq!(bob.module("crc32").await.unwrap().latest.as_deref(), Some("1.0.1"));
        for node in [&phone, &bob, &carol] {
            assert_eq!(node.network().await.rejections, []);
        }
    });
}

#[test]
fn log_that_owner_and_thief_forked_costs_no_name() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let (store, did, phrase) = alice_at(&network).await;
        let stolen = copy(&store).await;
        let alice = TestNode::join_with(store, network.clone()).await;
        alice.say(Command::Rename { name: "alicia".to_owned() }).await;
        alice.is_confirmed().await;
        // The same place of the log, before the thief's node sees hers: the witness signs no second fact for it.
        let alone = Node::start(stolen.clone(), Rc::new(Native), network.clone()).await.unwrap();
        alone.handle(Command::Rename { name: "mallory".to_owned() }).await.unwrap();
        drop(alone);
        let thief = TestNode::join_with(stolen, network.clone()).await;
        eventually("the fork is known to the owner", async || {
            thief.node.handle(bio("taken")).await.ok();
            alice.me().await.forked
        })
        .await;
        assert_eq!(alice.refused(Command::Rename { name: "alina".to_owned() }).await, FailureCode::IdentityForked);

        alice.restore(&phrase).await;
        assert!(!alice.me().await.forked);
        let before = alice.devices().await.devices.into_iter().find(|row| row.forked).unwrap();
        let mine = before.entries.iter().find(|entry| entry.subject == "alicia").unwrap();
        let last_good = LastGood::Entry { id: mine.id.clone() };
        alice.change_devices(DeviceCommand::Revoke { key: before.key, last_good }).await;
        alice.say(Command::Rename { name: "alina".to_owned() }).await;
        alice.is_confirmed().await;
        let bob = TestNode::join(network).await;
        for name in ["alice_smith", "alicia", "alina"] {
            bob.sees(name).await;
            assert_eq!(bob.holder_of(name).await.as_deref(), Some(&*did), "{name}");
        }
        assert_eq!(bob.holder_of("mallory").await, None);
        assert_eq!(bob.confirmed("crc32").await, ["1.0.0"]);
        assert_eq!(bob.network().await.rejections, []);
    });
}

#[test]
fn thief_of_the_identity_key_is_ended_by_a_rotation_from_the_words() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let (store, did, phrase) = alice_at(&network).await;
        let thief = TestNode::join_with(copy(&store).await, network.clone()).await;
        // With key 0 the thief adds a device of their own.
        let burner = TestNode::join(network.clone()).await;
        let Answer::DeviceText(request) = burner.say(Command::Devices { command: DeviceCommand::Request }).await else {
            panic!()
        };
        let add = DeviceCommand::Add { request, capabilities: DeviceCapabilities::full() };
        let Answer::DeviceText(grant) = thief.say(Command::Devices { command: add }).await else { panic!() };
        burner.change_devices(DeviceCommand::Accept { grant }).await;
        burner.sees("alice_smith").await;
        burner.say(Command::Rename { name: "mallory".to_owned() }).await;
        burner.is_confirmed().await;

        let fresh = TestNode::join(network.clone()).await;
        fresh.sees("mallory").await;
        fresh.restore(&phrase).await;
        let ends = fresh.devices().await.devices.into_iter().filter(|row| !row.this_device).map(|row| {
            let own = row.entries.iter().find(|entry| entry.subject == "crc32 1.0.0");
            let last_good = own.map_or(LastGood::Nothing, |entry| LastGood::Entry { id: entry.id.clone() });
            DeviceEnd { key: row.key, last_good }
        });
        let words = WordsForRotation { phrase: Some(phrase.clone()), make_new: false };
        let rotate = DeviceCommand::Rotate { words, ends: ends.collect() };
        fresh.change_devices(rotate).await;
        eventually("the rotation is confirmed", async || {
            let list = fresh.devices().await;
            list.key_number == 1 && list.holds_key && !list.rotating
        })
        .await;
        for node in [&thief, &burner] {
            eventually("it is ended", async || !node.devices().await.holds_key && node.devices().await.key_number == 1)
                .await;
            let rename = Command::Rename { name: "mallory2".to_owned() };
            assert_eq!(node.refused(rename).await, FailureCode::NotAllowed);
        }
        let give_up = Command::GiveUpName { name: None, to: None };
        assert_eq!(thief.refused(give_up).await, FailureCode::NoIdentityKey);
        fresh.say(Command::Rename { name: "alicia".to_owned() }).await;
        fresh.is_confirmed().await;
        let bob = TestNode::join(network).await;
        for name in ["alice_smith", "alicia", "mallory"] {
            bob.sees(name).await;
            assert_eq!(bob.holder_of(name).await.as_deref(), Some(&*did), "{name}");
        }
        assert!(!bob.is_compromised("crc32", "1.0.0").await);
    });
}

#[test]
fn give_up_that_a_thief_began_is_vetoed_and_one_without_witnesses_does_not_finish() {
    in_one_thread(async {
        let (network, mut servers) = witnessed(1, 1).await;
        let (store, did, _) = alice_at(&network).await;
        let thief = TestNode::join_with(copy(&store).await, network.clone()).await;
        let name = OwnName { kind: NameKind::Username, name: "alice_smith".to_owned() };
        let give_up = Command::GiveUpName { name: Some(name.clone()), to: None };
        let alice = TestNode::join_with(store, network.clone()).await;
        alice.has_relay().await;
        thief.say(give_up.clone()).await;
        eventually("the owner is told", async || alice.me().await.giving_up.is_some()).await;
        alice.say(Command::VetoGiveUp { name: name.clone() }).await;
        eventually("the veto counts", async || {
            thief.me().await.giving_up.is_none() && alice.me().await.giving_up.is_none()
        })
        .await;
        // Longer than the hold: nothing takes effect by time.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let bob = TestNode::join(network.clone()).await;
        bob.sees("alice_smith").await;
        assert_eq!(bob.holder_of("alice_smith").await.as_deref(), Some(&*did));

        // The witness stops, so nobody sees the give-up, and nobody signs its finish.
        let (relay, _witness) = servers.remove(0);
        relay.stop().await;
        thief.say(give_up).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(thief.me().await.giving_up.is_some_and(|giving| giving.final_at.is_none()));
        assert_eq!(thief.refused(Command::FinishGiveUp { name }).await, FailureCode::TooFast);
        assert_eq!(bob.holder_of("alice_smith").await.as_deref(), Some(&*did));
    });
}

#[test]
fn lost_words_are_replaced_after_the_hold_and_the_new_ones_bring_the_identity_back() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let (store, did, lost) = alice_at(&network).await;
        let alice = TestNode::join_with(store, network.clone()).await;
        alice.has_relay().await;
        let list = alice.change_devices(DeviceCommand::ReplaceLostWords).await;
        assert!(list.has_words && list.new_words.is_some());
        let words = alice.check_words().await;
        assert_ne!(words, lost);
        eventually("the new words count", async || alice.devices().await.new_words.is_none()).await;

        let phone = TestNode::join(network.clone()).await;
        phone.sees("alice_smith").await;
        phone.restore(&words).await;
        eventually("the key is one of the new words", async || {
            let list = phone.devices().await;
            list.key_number == 1 && list.holds_key
        })
        .await;
        assert_eq!(phone.did().await, did);
        phone.say(Command::Rename { name: "alicia".to_owned() }).await;
        phone.is_confirmed().await;
        let other = TestNode::join(network).await;
        other.sees("alicia").await;
        let restore = Command::RestoreFromPhrase { phrase: lost, unheard: false };
        assert_eq!(other.refused(restore).await, FailureCode::WordsReplaced);
    });
}

#[test]
fn device_that_was_added_by_a_text_is_seen_and_revoked_over_the_network() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let laptop = TestNode::join(network.clone()).await;
        laptop.claim("alice").await.unwrap();
        laptop.is_confirmed().await;
        let phone = TestNode::join(network.clone()).await;
        phone.sees("alice").await;
        let Answer::DeviceText(request) = phone.say(Command::Devices { command: DeviceCommand::Request }).await else {
            panic!()
        };
        let capabilities = DeviceCapabilities { profile: true, ..DeviceCapabilities::default() };
        let add = DeviceCommand::Add { request, capabilities };
        let Answer::DeviceText(grant) = laptop.say(Command::Devices { command: add }).await else { panic!() };
        phone.change_devices(DeviceCommand::Accept { grant }).await;
        phone.say(bio("from the phone")).await;
        eventually("the laptop has it", async || laptop.me().await.profile.bio.as_deref() == Some("from the phone"))
            .await;
        let row = laptop.devices().await.devices.into_iter().find(|row| !row.this_device).unwrap();
        laptop.change_devices(DeviceCommand::Revoke { key: row.key, last_good: LastGood::Everything }).await;
        eventually("the phone is told", async || phone.node.handle(bio("again")).await.is_err()).await;
        assert_eq!(laptop.me().await.profile.bio.as_deref(), Some("from the phone"));
        for node in [&laptop, &phone] {
            assert_eq!(node.network().await.rejections, [], "being there takes no capability");
        }
    });
}
