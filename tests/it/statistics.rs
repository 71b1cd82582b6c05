//! Sums of what a device has seen, over real nodes.

use gen_registry_api::*;

use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

async fn statistics(party: &TestNode, days: u32) -> Statistics {
    match party.node.handle(Command::Statistics { days }).await.unwrap() {
        Answer::Statistics(statistics) => *statistics,
        other => panic!("{other:?}"),
    }
}

async fn publish(party: &TestNode, name: &str, version: &str, answer: i32, needs: &[(&str, &str)]) {
    let draft = Box::new(draft(name, version, wasm("answer", answer), needs));
    party.node.handle(Command::Modules { command: ModuleCommand::Publish { draft } }).await.unwrap();
}

#[test]
fn statistics_count_what_was_admitted() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        let nothing = statistics(&bob, 7).await;
        assert_eq!((nothing.names.total, nothing.popular.len(), nothing.names.days.len()), (0, 0, 7));
        alice.claim("alice").await.unwrap();
        publish(&alice, "base", "1.0.0", 1, &[]).await;
        publish(&alice, "base", "1.1.0", 2, &[]).await;
        publish(&alice, "app", "0.1.0", 3, &[("base", "^1")]).await;
        publish(&alice, "tool", "0.1.0", 4, &[("base", "*"), ("app", "*")]).await;
        let install = vec![Requirement { name: "app".to_owned(), requirement: "*".to_owned() }];
        let command = ModuleCommand::Install { requirements: install, accept: Vec::new() };
        alice.node.handle(Command::Modules { command }).await.unwrap();

        bob.claim("bob").await.unwrap();
        bob.sees("alice").await;
        eventually("bob has it all", async || {
            let seen = statistics(&bob, 7).await;
            seen.releases.total == 4 && !seen.popular.is_empty()
        })
        .await;
        let seen = statistics(&bob, 7).await;
        let today = |count: &DailyCount| (count.total, count.before, *count.days.last().unwrap());
        assert_eq!(today(&seen.names), (2, 0, 2));
        assert_eq!(today(&seen.modules), (3, 0, 3));
        assert_eq!(today(&seen.releases), (4, 0, 4));
        let rows = |ranks: &[ModuleRank]| -> Vec<(String, u64)> {
            ranks.iter().map(|rank| (rank.name.clone(), rank.count)).collect()
        };
        assert_eq!(rows(&seen.needed), [("base".to_owned(), 2), ("app".to_owned(), 1)]);
        assert_eq!((rows(&seen.missing), seen.independent), (vec![], 1));
        assert_eq!(seen.popular[0].count, 1, "{:?}", seen.popular);
        let peers: Vec<u64> = seen.peers.iter().map(|count| count.peers).collect();
        assert_eq!(peers.last(), Some(&1), "{peers:?}");
        assert_eq!(statistics(&bob, u32::MAX).await.names.days.len(), 366, "at most a year");
    });
}
