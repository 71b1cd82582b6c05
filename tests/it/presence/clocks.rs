//! A device whose clock is wrong: it is told so, and nobody is sent away for it.

use gen_registry_api::{Answer, BlockListCommand, Command};
use gen_registry_core::sync::rejection::Rejection;

use crate::presence::party;
use crate::support::clock::{STEP_SECONDS, ShiftedClock};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

const HOUR_MILLIS: u64 = 60 * 60 * 1_000;
/// Enough for each of three to say something several times.
const STEPS: usize = 14;

async fn mark(of: &TestNode, by: &TestNode) -> f64 {
    let command = BlockListCommand::Reputation { of: format!("peer:{}", of.mesh.local_peer_id()) };
    let Answer::Reputation(earned) = by.node.handle(Command::BlockList { command }).await.unwrap() else { panic!() };
    earned.score
}

async fn clock_apart(party: &TestNode) -> Option<i64> {
    match party.node.handle(Command::Status).await.unwrap() {
        Answer::Status(status) => status.clock_apart,
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_clock_is_reported_and_bans_no_peer() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (right, wrong) = (ShiftedClock::default(), ShiftedClock::default());
        wrong.ahead.set(HOUR_MILLIS);
        let alice = party(&right, &network, "alice").await;
        let bob = party(&right, &network, "bob").await;
        let carol = party(&wrong, &network, "carol").await;
        let all = [&alice, &bob, &carol];
        for one in all {
            one.has_peers(2).await;
        }
        for _ in 0..STEPS {
            right.step().await;
            wrong.ahead.set(wrong.ahead.get() + STEP_SECONDS * 1_000);
        }
        eventually("carol's device knows", async || clock_apart(&carol).await.is_some()).await;
        let apart = clock_apart(&carol).await.unwrap();
        assert!(apart < -(HOUR_MILLIS as i64 * 9 / 10), "the others are behind: {apart}");
        for right in [&alice, &bob] {
            assert_eq!(clock_apart(right).await, None, "one of two peers agrees with it");
            right.finds_online(&["alice", "bob"]).await;
            let refused = right.network().await.rejections;
            let misdated = Rejection::Misdated;
            assert!(refused.iter().any(|(what, count)| *what == misdated && *count > 1), "{refused:?}");
        }
        for (of, by) in [(&carol, &alice), (&carol, &bob), (&alice, &carol), (&bob, &carol)] {
            let mark = mark(of, by).await;
            assert!(mark >= 0.5, "{mark}");
            by.has_peers(2).await;
        }
        // Set right, it is one of them again.
        wrong.ahead.set(right.ahead.get());
        eventually("she is there", async || {
            right.step().await;
            wrong.ahead.set(right.ahead.get());
            // Her name is dated an hour ahead, and waits.
            alice.online().await.len() == 3 && clock_apart(&carol).await.is_none()
        })
        .await;
    });
}
