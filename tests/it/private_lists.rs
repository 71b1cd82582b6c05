//! Private lists and the devices of one person that have no identity key: over real nodes, real libp2p and a real relay.

use gen_registry_api::*;

use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

async fn devices(party: &TestNode, command: DeviceCommand) -> Answer {
    party.node.handle(Command::Devices { command }).await.unwrap()
}

/// Adds a device that may only chat.
async fn add(owner: &TestNode, device: &TestNode) {
    let Answer::DeviceText(request) = devices(device, DeviceCommand::Request).await else { panic!("no request") };
    let capabilities = DeviceCapabilities { chat: true, ..DeviceCapabilities::default() };
    let Answer::DeviceText(grant) = devices(owner, DeviceCommand::Add { request, capabilities }).await else {
        panic!("no grant")
    };
    devices(device, DeviceCommand::Accept { grant }).await;
}

async fn revoke(owner: &TestNode, device: &TestNode) {
    let Answer::Devices(list) = devices(device, DeviceCommand::List).await else { panic!("no devices") };
    let key = list.devices.into_iter().find(|row| row.this_device).unwrap().key;
    devices(owner, DeviceCommand::Revoke { key, last_good: LastGood::Everything }).await;
}

async fn decide(party: &TestNode, module: &str, verdict: Decision) {
    let command = BlockListCommand::Decide { subject: format!("module:{module}"), verdict, note: None };
    party.node.handle(Command::BlockList { command }).await.unwrap();
}

async fn report(party: &TestNode) -> BlockListReport {
    let command = Command::BlockList { command: BlockListCommand::BlockList };
    match party.node.handle(command).await.unwrap() {
        Answer::BlockList(report) => report,
        other => panic!("{other:?}"),
    }
}

async fn blocked(party: &TestNode) -> Vec<String> {
    let mut subjects: Vec<String> = report(party).await.rows.into_iter().map(|row| row.subject).collect();
    subjects.sort();
    subjects
}

async fn blocks(party: &TestNode, what: &str, modules: &[&str]) {
    let expected: Vec<String> = modules.iter().map(|name| format!("module:{name}")).collect();
    eventually(what, async || blocked(party).await == expected).await;
}

#[test]
fn lists_reach_a_device_without_the_identity_key_until_it_is_revoked() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let laptop = TestNode::join(network.clone()).await;
        laptop.claim("alice").await.unwrap();
        decide(&laptop, "apple", Decision::Block).await;
        let (phone, tablet) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        add(&laptop, &phone).await;
        add(&laptop, &tablet).await;
        for device in [&phone, &tablet] {
            blocks(device, "what was decided before it was added", &["apple"]).await;
            assert!(report(device).await.shared);
        }
        decide(&tablet, "banana", Decision::Block).await;
        blocks(&laptop, "what the tablet decided", &["apple", "banana"]).await;
        blocks(&phone, "what another device without the identity key decided", &["apple", "banana"]).await;

        revoke(&laptop, &phone).await;
        decide(&laptop, "cherry", Decision::Block).await;
        blocks(&tablet, "it was handed the new key", &["apple", "banana", "cherry"]).await;
        decide(&tablet, "damson", Decision::Block).await;
        blocks(&laptop, "and seals with it", &["apple", "banana", "cherry", "damson"]).await;
        // The phone gets the changes as everybody does, and can't read them.
        decide(&laptop, "apple", Decision::Neither).await;
        let changes = ProfileChanges { bio: Some("after all that".to_owned()), ..ProfileChanges::default() };
        laptop.node.handle(Command::UpdateProfile { changes }).await.unwrap();
        eventually("the phone has it all", async || phone.me().await.profile.bio.is_some()).await;
        assert_eq!(blocked(&phone).await, ["module:apple", "module:banana"], "what it knew");

        // A device that is added now reads what was decided under the key of before.
        let watch = TestNode::join(network).await;
        add(&laptop, &watch).await;
        blocks(&watch, "all that stands", &["banana", "cherry", "damson"]).await;
    });
}
