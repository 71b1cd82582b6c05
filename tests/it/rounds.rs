//! Split votes: rivals for one name who reached different witnesses, and come to one holder all the same.

use gen_registry_api::*;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_node::net::relay::limits::RelayLimits;
use gen_registry_node::net::relay::{Relay, RelayOptions};
use gen_registry_server::keys::fresh_key;
use gen_registry_server::witness;

use crate::support::network::{founded_by, through};
use crate::support::node::TestNode;
use crate::support::relay::{options, witnessed};
use crate::support::wait::{eventually, in_one_thread};

impl TestNode {
    /// The name that this person could not have, if there is one.
    async fn lost(&self) -> Option<String> {
        self.me().await.lost_name.map(|lost| lost.name)
    }
}

/// Three people claim `rose`, each where only another one of three witnesses is in reach.
#[test]
fn three_rivals_with_one_vote_each_come_to_one_holder() {
    in_one_thread(async {
        let (network, servers) = witnessed(3, 2).await;
        let mut stores = Vec::new();
        for (relay, _) in &servers {
            let addresses = relay.view().addresses().iter().map(ToString::to_string).collect();
            let rival = TestNode::join(through(&network, addresses)).await;
            eventually("the relay is connected", async || rival.has_relay().await).await;
            rival.claim("rose").await.unwrap();
            assert_eq!(rival.me().await.name_status, Some(NameStatus::Intent), "one of three does not decide");
            stores.push(rival.leave().await);
        }
        let mut rivals = Vec::new();
        for store in stores {
            rivals.push(TestNode::join_with(store, network.clone()).await);
        }
        let witnessed = async |rival: &TestNode| rival.me().await.name_status == Some(NameStatus::Confirmed);
        eventually("one of them holds it", async || {
            let mut holders = 0;
            for rival in &rivals {
                holders += usize::from(witnessed(rival).await);
            }
            holders == 1
        })
        .await;
        let mut holder = None;
        for rival in &rivals {
            if witnessed(rival).await {
                holder = rival.me().await.did;
            } else {
                eventually("it is said to the others", async || rival.lost().await.as_deref() == Some("rose")).await;
            }
        }
        for rival in &rivals {
            eventually("all agree", async || {
                rival.look_up("rose").await.holder.map(|holder| holder.person.did) == holder
            })
            .await;
        }
    });
}

/// Two witnesses can reach the third one through their relays. The claimant asks only those two, and a rival asks only
/// the third.
#[test]
fn witness_that_was_not_asked_learns_what_the_others_signed() {
    in_one_thread(async {
        let keys: Vec<SecretKey> = (0..3).map(|_| fresh_key()).collect();
        let witnesses: Vec<PublicKey> = keys.iter().map(SecretKey::public).collect();
        let network = founded_by(&witnesses, 2, 0);
        let (mut relays, mut doors) = (Vec::new(), Vec::new());
        for key in keys {
            let witness = witness::start(None, key, network.history().clone()).await.unwrap();
            let bootstrap = relays.first().map(|first: &Relay| first.view().addresses().remove(0));
            let limits = RelayLimits { by_address: false, ..RelayLimits::default() };
            let options = RelayOptions {
                witness: Some(witness.door.clone()),
                bootstrap: bootstrap.into_iter().collect(),
                ..options(limits)
            };
            relays.push(Relay::start(options).await.unwrap());
            doors.push(witness);
        }
        let addresses = |of: &[Relay]| of.iter().map(|relay| relay.view().addresses()[0].to_string()).collect();
        let alice = TestNode::join(through(&network, addresses(&relays[1..]))).await;
        alice.claim("rose").await.unwrap();
        alice.is_confirmed().await;
        let learned = relays[0].view();
        eventually("the third is shown it", async || learned.counts().witness_not_served.get() >= 2).await;
        alice.leave().await;
        let mallory = TestNode::join(through(&network, addresses(&relays[..1]))).await;
        eventually("the relay is connected", async || mallory.has_relay().await).await;
        let refused = mallory.claim("rose").await.unwrap_err();
        assert_eq!(refused.code, FailureCode::NameTaken);
        assert!(mallory.look_up("rose").await.holder.is_some(), "the refusal shows who holds it");
    });
}
