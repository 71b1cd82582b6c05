//! What nodes answer others: about names, to connected peers; and as keepers of records, to everybody.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_api::*;
use gen_registry_core::canonical::Encoder;
use gen_registry_core::digest::Digest;
use gen_registry_core::name_proof;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::lookup::ASKS_PER_PEER_RATE;
use gen_registry_node::net::mesh::FIND_PROTOCOL;
use libp2p::PeerId;
use libp2p::swarm::StreamProtocol;
use libp2p_stream::Control;

use crate::lookup::poison::answering;
use crate::lookup::{relay_keeps, username_key};
use crate::support::memory_network::{self, Founded};
use crate::support::wait::{eventually, in_one_thread};

/// As many questions as one peer may ask in a minute.
const QUESTIONS: usize = 60;

fn question(name: &str) -> Vec<u8> {
    Encoder::new().byte(1).byte(1).text(name).finish()
}

/// Empty as well when the other side wants to hear no more.
async fn ask(control: &mut Control, peer: PeerId, request: &[u8]) -> Vec<u8> {
    let Ok(mut stream) = control.open_stream(peer, StreamProtocol::new(FIND_PROTOCOL)).await else { return Vec::new() };
    if stream.write_all(request).await.is_err() || stream.close().await.is_err() {
        return Vec::new();
    }
    let mut answer = Vec::new();
    // A question that gets no answer may end its stream any way.
    stream.read_to_end(&mut answer).await.ok();
    answer
}

#[test]
fn node_answers_with_proofs_and_limits_requests() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let (relay, _) = founded.relay_again(None).await;
        let alice = memory_network::join(founded.through(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
        alice.is_confirmed().await;
        let peer = answering(memory_network::place(&alice.mesh), Default::default());
        let mut control = peer.control.clone();
        eventually("they are connected", async || alice.network().await.peers.len() == 1).await;
        let her: PeerId = alice.mesh.local_peer_id().to_string().parse().unwrap();

        let answer = ask(&mut control, her, &question("Alice-Smith")).await;
        let key = Digest::from_bytes(username_key(&founded.network, "alice_smith"));
        let record = name_proof::verify(&key, &answer, founded.network.history()).unwrap();
        assert_eq!(record.holder().unwrap().holder.to_string(), alice.did().await);
        assert!(ask(&mut control, her, &question("nobody_at_all")).await.is_empty());
        assert_eq!(alice.network().await.rejections, []);
        assert!(ask(&mut control, her, b"what?").await.is_empty());
        let counted = async |is_it: fn(&Rejection) -> bool| {
            alice.network().await.rejections.iter().any(|(rejection, _)| is_it(rejection))
        };
        assert!(counted(|rejection| matches!(rejection, Rejection::Malformed(_))).await);
        for _ in 0..QUESTIONS {
            ask(&mut control, her, &question("alice_smith")).await;
        }
        assert!(counted(|rejection| *rejection == Rejection::TooManyRequests).await);
        assert!(ask(&mut control, her, &question("alice_smith")).await.is_empty(), "enough is enough");
        eventually("and it is sent away", async || alice.network().await.peers.is_empty()).await;
    });
}

/// Who looks many names up asks the network for what it may not ask a peer.
#[test]
fn no_peer_is_asked_more_than_it_answers() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        let bob = memory_network::join_narrow(founded.through(&relay), &alice).await;
        let mut asked = 0;
        for _ in 0..=QUESTIONS {
            let report = bob.find_username("nobody_at_all").await;
            assert!(report.network_asked);
            asked += report.peers_asked;
        }
        assert_eq!(asked, u64::from(ASKS_PER_PEER_RATE));
        assert_eq!(alice.count_of(Rejection::TooManyRequests).await, 0);
        assert_eq!(bob.network().await.peers.len(), 1, "they are connected as before");
    });
}

/// A relay that lost everything, and a native node that kept it.
#[test]
fn native_node_stores_records_for_others() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let (first, key) = founded.relay_again(None).await;
        let server = memory_network::serve(founded.through(&first)).await;
        let view = first.view();
        eventually("the relay knows it", async || view.counts().kademlia_peers.get() == 1).await;
        let alice = memory_network::join(founded.through(&first)).await;
        alice.claim("alice_smith").await.unwrap();
        relay_keeps(&first, 1).await;
        let here = async || {
            let found =
                server.mesh.find_values(username_key(&founded.network, "alice_smith")).collect::<Vec<_>>().await;
            found.iter().any(|value| value.from.is_none())
        };
        eventually("it keeps the record", here).await;
        alice.leave().await;
        first.stop().await;

        let (second, _) = founded.relay_again(Some(key)).await;
        let view = second.view();
        eventually("the new relay knows it", async || view.counts().kademlia_peers.get() == 1).await;
        let bob = memory_network::join(founded.through(&second)).await;
        let report = bob.find_username("alice_smith").await;
        assert_eq!(report.answered_by, Some(AnsweredBy::Network));
        assert_eq!(view.counts().kademlia_values.get(), 0, "the relay had nothing");
    });
}
