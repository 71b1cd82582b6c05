//! The witness behind the relay, as real libp2p clients meet it: in this process, and as the real program.

use std::{fs, io, path::Path, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use gen_registry_core::sync::witness::{
    NotServed, PROTOCOL, Request, WitnessAnswer, WitnessRefusal,
    wire::{REQUEST_MAX_BYTES, check_receipt},
};
use gen_registry_core::{
    fact::{ClaimedName, Fact, NameClaim, SignedFact},
    identity::{Identity, Signed, Topic},
    proof_of_work::{PowJob, solve},
    time::Timestamp,
};
use gen_registry_node::Network;
use gen_registry_node::net::relay::{
    Relay, RelayOptions, RelayStatus,
    limits::{RelayLimits, WitnessLimits},
    witness::{ExchangeOutcome, Reply, WitnessEndpoint, WitnessRequest},
};
use gen_registry_server::keys::{KeyFileError, WITNESS_KEY};
use gen_registry_server::witness::{self, BOOK_FILE, Witness, WitnessStartError};
use libp2p::{Multiaddr, PeerId, swarm::StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::relay::ask;
use crate::relay::program::ANY_PORT;
use crate::support::network::of_server;
use crate::support::people::{TOPIC, at, claim, person};
use crate::support::relay::options;
use crate::support::relay_client::{Client, eventually, patient, peer_of};
use crate::support::server::{Server, dist, network_of};

/// A client that asks the witness of one relay.
struct Asker {
    control: Control,
    relay: PeerId,
    task: JoinHandle<()>,
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asker {
    async fn at(relay: &Multiaddr) -> Self {
        let mut client = Client::new();
        client.connect(relay).await;
        let control = client.0.behaviour().streams.new_control();
        Self { control, relay: peer_of(relay), task: client.left_running() }
    }

    async fn open(&mut self) -> Result<libp2p::Stream, OpenStreamError> {
        patient("a stream", self.control.open_stream(self.relay, StreamProtocol::new(PROTOCOL))).await
    }

    /// What comes back for these bytes.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.open().await.unwrap();
        let exchange = async {
            stream.write_all(bytes).await?;
            stream.close().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        patient("an answer or the end", exchange).await
    }

    async fn ask(&mut self, topic: Topic, fact: &SignedFact) -> WitnessAnswer {
        let answer = self.send(&Request { topic, fact: fact.encode() }.encode()).await.unwrap();
        WitnessAnswer::decode(&answer).unwrap()
    }
}

fn seen(answer: &WitnessAnswer, witness: &Identity, fact: &SignedFact, topic: &Topic) -> Timestamp {
    let WitnessAnswer::Receipt(bytes) = answer else { panic!("no receipt: {answer:?}") };
    match check_receipt(bytes, &[*witness], fact, topic).unwrap().statement() {
        Fact::Receipt(receipt) => receipt.witnessed_at,
        other => panic!("{other:?}"),
    }
}

/// A witness with its key and book in this folder.
async fn start(folder: &Path) -> Result<Witness, WitnessStartError> {
    let key = witness::load_or_create_key(folder)?;
    witness::start(Some(folder.to_owned()), key, TOPIC, 0).await
}

/// A relay with a real witness, both in this process.
async fn relay_with_witness(data: &Path, limits: WitnessLimits) -> (Relay, RelayStatus, Multiaddr, Witness) {
    let witness = start(data).await.unwrap();
    let limits = RelayLimits { witness: limits, ..RelayLimits::default() };
    let relay = Relay::start(RelayOptions { witness: Some(witness.door.clone()), ..options(limits) }).await.unwrap();
    let view = relay.view();
    let address = view.addresses().remove(0);
    (relay, view, address, witness)
}

#[tokio::test]
async fn first_claim_gets_a_receipt_and_metrics_count_it() {
    let data = tempfile::tempdir().unwrap();
    let (relay, view, address, witness) = relay_with_witness(data.path(), WitnessLimits::default()).await;
    let (mut alice, mut mallory) = (Asker::at(&address).await, Asker::at(&address).await);
    let alices = claim(&person("alice"), "alice_smith", at(5));
    let witnessed_at = seen(&alice.ask(TOPIC, &alices).await, &witness.identity, &alices, &TOPIC);
    let mallorys = claim(&person("mallory"), "A1ice-Smith", at(1));
    let refused = WitnessAnswer::Refused(WitnessRefusal::Taken { by: person("alice").identity(), witnessed_at });
    assert_eq!(mallory.ask(TOPIC, &mallorys).await, refused);
    // Whoever carries a fact gets the receipt that its author got.
    assert_eq!(seen(&mallory.ask(TOPIC, &alices).await, &witness.identity, &alices, &TOPIC), witnessed_at);
    let elsewhere = mallory.ask(Topic::from_bytes([8; 32]), &mallorys).await;
    assert_eq!(elsewhere, WitnessAnswer::NotServed(NotServed::ForeignTopic));
    let counts = view.counts();
    let (receipts, refusals) = (counts.witness_receipts.get(), counts.witness_refusals.get());
    assert_eq!((receipts, refusals, counts.witness_not_served.get()), (2, 1, 1));
    assert_eq!(counts.witness_turned_away.get(), 0);
    assert_eq!(view.witness_is_running(), Some(true));
    relay.stop().await;
    let Witness { door, ended, .. } = witness;
    drop(door);
    patient("the witness ends with its last door", ended).await.unwrap();
    assert_eq!(view.witness_is_running(), Some(false));
}

#[tokio::test]
async fn relay_without_a_witness_refuses_its_protocol() {
    let relay = Relay::start(options(RelayLimits::default())).await.unwrap();
    assert_eq!(relay.view().witness_is_running(), None);
    let mut alice = Asker::at(&relay.view().addresses()[0]).await;
    let error = alice.open().await.expect_err("no such protocol");
    assert!(matches!(error, OpenStreamError::UnsupportedProtocol(_)), "{error}");
}

#[tokio::test]
async fn peer_that_asks_too_often_is_delayed_alone() {
    let data = tempfile::tempdir().unwrap();
    let limits = WitnessLimits { rate_per_peer: 2, ..WitnessLimits::default() };
    let (_relay, view, address, witness) = relay_with_witness(data.path(), limits).await;
    let (mut alice, mut bob) = (Asker::at(&address).await, Asker::at(&address).await);
    let fact = claim(&person("alice"), "nova", at(5));
    for _ in 0..2 {
        seen(&alice.ask(TOPIC, &fact).await, &witness.identity, &fact, &TOPIC);
    }
    assert_eq!(alice.ask(TOPIC, &fact).await, WitnessAnswer::Busy);
    assert_eq!(view.counts().witness_turned_away.get(), 1);
    seen(&bob.ask(TOPIC, &fact).await, &witness.identity, &fact, &TOPIC);
}

#[tokio::test]
async fn overloaded_or_ended_witness_answers_busy() {
    let (questions, mut asked) = mpsc::channel(1);
    let busy = WitnessAnswer::Busy.encode();
    let door =
        WitnessEndpoint { protocol: PROTOCOL, request_max_bytes: REQUEST_MAX_BYTES, busy: busy.clone(), questions };
    let with = RelayOptions { witness: Some(door), ..options(RelayLimits::default()) };
    let relay = Relay::start(with).await.unwrap();
    let (view, address) = (relay.view(), relay.view().addresses().remove(0));
    let (mut alice, mut bob) = (Asker::at(&address).await, Asker::at(&address).await);
    let mut first = alice.open().await.unwrap();
    first.write_all(b"first").await.unwrap();
    first.close().await.unwrap();
    eventually("the first waits", || asked.len() == 1).await;
    assert_eq!(bob.send(b"second").await.unwrap(), busy, "there is room for one");
    let WitnessRequest { request, reply } = asked.recv().await.unwrap();
    assert_eq!(request, b"first");
    reply.send(Reply { bytes: b"a reply".to_vec(), outcome: ExchangeOutcome::Receipt }).unwrap();
    let mut answer = Vec::new();
    patient("an answer", first.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"a reply");
    drop(asked);
    assert_eq!(bob.send(b"third").await.unwrap(), busy);
    assert_eq!(view.witness_is_running(), Some(false));
    let counts = view.counts();
    assert_eq!((counts.witness_receipts.get(), counts.witness_turned_away.get()), (1, 2));
    let folder = dist();
    let (code, _, health) = ask(folder.path(), &view, "/health").await;
    assert_eq!((code, health.contains(r#""witness":"ended""#)), (503, true), "{health}");
}

#[tokio::test]
async fn oversized_witness_requests_are_rejected() {
    let data = tempfile::tempdir().unwrap();
    let (_relay, view, address, _witness) = relay_with_witness(data.path(), WitnessLimits::default()).await;
    let mut mallory = Asker::at(&address).await;
    let answer = mallory.send(&[7; REQUEST_MAX_BYTES]).await.unwrap();
    assert_eq!(WitnessAnswer::decode(&answer), Ok(WitnessAnswer::NotServed(NotServed::Unreadable)));
    let nothing = mallory.send(&[7; REQUEST_MAX_BYTES + 1]).await;
    assert!(nothing.as_ref().map_or(true, Vec::is_empty), "{nothing:?}");
    let counts = view.counts();
    eventually("it is counted", || counts.witness_turned_away.get() == 1).await;
    assert_eq!(counts.witness_not_served.get(), 1, "the witness saw the first alone");
}

#[tokio::test]
async fn slow_request_times_out_and_frees_its_place() {
    let data = tempfile::tempdir().unwrap();
    let limits =
        WitnessLimits { deadline: Duration::from_secs(2), at_once: 2, at_once_per_peer: 1, ..Default::default() };
    let (_relay, view, address, witness) = relay_with_witness(data.path(), limits).await;
    let (mut mallory, mut alice) = (Asker::at(&address).await, Asker::at(&address).await);
    let mut slow = mallory.open().await.unwrap();
    slow.write_all(b"x").await.unwrap();
    slow.flush().await.unwrap();
    let fact = claim(&person("alice"), "nova", at(5));
    seen(&alice.ask(TOPIC, &fact).await, &witness.identity, &fact, &TOPIC);
    let mut answer = Vec::new();
    let end = patient("the end of the slow one", slow.read_to_end(&mut answer)).await;
    assert!(end.is_err() || answer.is_empty(), "{answer:?}");
    assert!(view.counts().witness_turned_away.get() >= 1);
    seen(&mallory.ask(TOPIC, &fact).await, &witness.identity, &fact, &TOPIC);
}

#[tokio::test]
async fn receipt_log_of_another_key_is_not_used() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path();
    let file = WITNESS_KEY.path(folder);
    let began = async || {
        let Witness { identity, door, ended } = start(folder).await.unwrap();
        drop(door);
        patient("its book is closed", ended).await.unwrap();
        identity
    };
    let first = began().await;
    assert_eq!(began().await, first, "the key is kept");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let whole = fs::read(&file).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &damaged).unwrap();
        let error = start(folder).await.err().unwrap();
        assert!(matches!(error, WitnessStartError::Key(KeyFileError::Damaged(_))), "bit {bit}: {error}");
        assert_eq!(fs::read(&file).unwrap(), damaged, "the file is as it was");
    }
    fs::write(&file, whole).unwrap();
    fs::rename(folder.join(BOOK_FILE), folder.join("elsewhere")).unwrap();
    let error = start(folder).await.err().unwrap();
    assert!(matches!(error, WitnessStartError::BookMissing(_)), "{error}");
    assert!(!folder.join(BOOK_FILE).exists(), "no empty book is begun");
    fs::rename(folder.join("elsewhere"), folder.join(BOOK_FILE)).unwrap();
    fs::write(folder.join(BOOK_FILE), "damaged").unwrap();
    assert!(matches!(start(folder).await.err().unwrap(), WitnessStartError::Book(_)));
}

// ---- the real program ----

/// A claim with the work that the network asks for.
fn claim_in(network: &Network, who: &str, name: &str) -> SignedFact {
    let (author, name) = (person(who), ClaimedName::Username(name.parse().unwrap()));
    let mut claim = NameClaim { work: 0, name, claimed_at: at(5) };
    claim.work = solve(&PowJob::new(&network.topic, &author.identity(), &claim, network.rules.work_bits));
    Signed::sign(&author, &network.topic, Fact::NameClaim(claim))
}

fn relay_of(server: &Server) -> Multiaddr {
    network_of(server)["relays"][0].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn receipt_log_survives_a_kill() {
    let (folder, data) = (dist(), tempfile::tempdir().unwrap());
    let with = [&ANY_PORT[..], &["--for-tests", "--data", data.path().to_str().unwrap()]].concat();
    let mut server = Server::with(folder.path(), &with);
    let network = of_server(&server);
    let topic = network.topic;
    let (alices, bobs) = (claim_in(&network, "alice", "nova"), claim_in(&network, "bob", "nova"));
    assert_eq!((network.rules.witnesses.len(), network.rules.threshold), (1, 1));
    let witness = network.rules.witnesses[0];
    let answer = Asker::at(&relay_of(&server)).await.ask(topic, &alices).await;
    let witnessed_at = seen(&answer, &witness, &alices, &topic);
    assert!(server.raw("/metrics").contains("\ngen_relay_witness_receipts_total 1\n"));
    assert!(server.raw("/health").contains(r#""witness":"running""#));
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = Server::with(folder.path(), &with);
    let again = of_server(&server);
    assert_eq!((again.topic, &again.rules), (topic, &network.rules), "the same network with the same witness");
    let mut asker = Asker::at(&relay_of(&server)).await;
    let taken = WitnessRefusal::Taken { by: person("alice").identity(), witnessed_at };
    assert_eq!(asker.ask(topic, &bobs).await, WitnessAnswer::Refused(taken));
    assert_eq!(seen(&asker.ask(topic, &alices).await, &witness, &alices, &topic), witnessed_at);
}
