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

/// Anna's evening and the day after, in the network without witnesses or with one.
async fn claims_again_by_the_right_clock(network: Network) -> TestNode {
    let clock = ShiftedClock::default();
    clock.ahead.set(TEN_YEARS);
    let anna = TestNode::join_on(Rc::new(clock.clone()), Rc::<MemoryStore>::default(), network.clone()).await;
    anna.claim("anna_b").await.unwrap();
    let bert = TestNode::join(network.clone()).await;
    bert.claim("bert_b").await.unwrap();
    anna.has_peers(1).await;
    let person = Command::Person { did: anna.did().await };
    eventually("her document comes", async || {
        matches!(bert.node.handle(person.clone()).await, Ok(Answer::Person(Some(_))))
    })
    .await;
    assert!(bert.look_up("anna_b").await.holder.is_none(), "as long as her clock is ahead it waits");

    let store = anna.killed().await;
    clock.ahead.set(0);
    let anna = TestNode::join_on(Rc::new(clock), store, network).await;
    bert.sees("anna_b").await;
    eventually("her own page has it", async || anna.me().await.username.as_deref() == Some("anna_b")).await;

    anna.node.handle(Command::Rename { name: "anna_c".into() }).await.unwrap();
    bert.sees("anna_c").await;
    anna.publish(draft("clockwork", "1.0.0", wasm("f", 1), &[])).await;
    eventually("her module comes", async || {
        bert.module("clockwork").await.is_some_and(|page| page.latest.as_deref() == Some("1.0.0"))
    })
    .await;
    anna
}

#[test]
fn name_claimed_by_a_clock_far_ahead_is_claimed_again_by_the_right_one() {
    in_one_thread(async {
        let relay = relay().await;
        claims_again_by_the_right_clock(network(&relay)).await;
    });
}

#[test]
fn name_claimed_by_a_clock_far_ahead_is_confirmed_once_the_clock_is_right() {
    in_one_thread(async {
        let (network, _relays) = witnessed(1, 1).await;
        claims_again_by_the_right_clock(network).await.is_confirmed().await;
    });
}
