//! A device whose clock was ten years ahead on its first evening, and right from then on.

use std::rc::Rc;

use gen_registry_api::*;
use gen_registry_node::Network;
use gen_registry_node::store::memory::MemoryStore;

use crate::support::clock::ShiftedClock;
use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay, witnessed};
use crate::support::wait::{eventually, in_one_thread};

const TEN_YEARS: u64 = 10 * 365 * 24 * 3_600_000;

/// Anna's evening with Bert, and the day after. `meanwhile` is what must be true while her clock is ahead.
async fn claims_by_a_wrong_clock(network: Network, meanwhile: impl AsyncFnOnce(&TestNode, &TestNode)) -> TestNode {
    let clock = ShiftedClock::default();
    clock.ahead.set(TEN_YEARS);
    let anna = TestNode::join_on(Rc::new(clock.clone()), Rc::<MemoryStore>::default(), network.clone()).await;
    anna.claim("anna_b").await.unwrap();
    let bert = TestNode::join(network.clone()).await;
    bert.claim("bert_b").await.unwrap();
    anna.has_peers(1).await;
    let person = Command::Person { did: anna.did().await };
    eventually("she is known", async || matches!(bert.node.handle(person.clone()).await, Ok(Answer::Person(Some(_)))))
        .await;
    meanwhile(&anna, &bert).await;

    let store = anna.killed().await;
    clock.ahead.set(0);
    let anna = TestNode::join_on(Rc::new(clock), store, network).await;
    bert.sees("anna_b").await;
    eventually("her own page has it", async || anna.me().await.username.as_deref() == Some("anna_b")).await;

    anna.node.handle(Command::Rename { name: "anna_c".into() }).await.unwrap();
    bert.sees("anna_c").await;
    eventually("her newest name is shown", async || anna.me().await.username.as_deref() == Some("anna_c")).await;
    anna.publish(draft("clockwork", "1.0.0", wasm("f", 1), &[])).await;
    eventually("her module comes", async || {
        bert.module("clockwork").await.is_some_and(|page| page.latest.as_deref() == Some("1.0.0"))
    })
    .await;
    anna
}

/// Without witnesses a claim counts whatever its date; an earlier one would come before it.
#[test]
fn device_whose_clock_was_far_ahead_goes_on_by_the_right_one() {
    in_one_thread(async {
        let relay = relay().await;
        claims_by_a_wrong_clock(network(&relay), async |_, bert| bert.sees("anna_b").await).await;
    });
}

#[test]
fn name_claimed_by_a_clock_far_ahead_is_confirmed_once_the_clock_is_right() {
    in_one_thread(async {
        let (network, servers) = witnessed(1, 1).await;
        let refusals = async || servers[0].0.view().counts().witness_refusals.get();
        let anna = claims_by_a_wrong_clock(network, async |anna, bert| {
            eventually("the witness refuses it", async || refusals().await > 0).await;
            assert!(bert.look_up("anna_b").await.holder.is_none(), "as long as her clock is ahead it waits");
            assert_eq!(anna.me().await.name_status, Some(NameStatus::Intent), "and is still wanted");
            assert_eq!(anna.me().await.lost_name, None);
        });
        anna.await.is_confirmed().await;
    });
}
