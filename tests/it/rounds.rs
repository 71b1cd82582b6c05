//! Split votes: rivals for one name who reached different witnesses, and come to one holder all the same.

use gen_registry_api::*;

use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::relay::witnessed;
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
