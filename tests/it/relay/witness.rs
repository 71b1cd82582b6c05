//! The witness behind the relay, as real libp2p clients meet it: in this process, and as the real program.

use std::{fs, path::Path, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use gen_registry_core::actors::Device;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::log::Entry;
use gen_registry_core::sync::asking::wire::{Answer, NotServed, PROTOCOL, REQUEST_MAX_BYTES};
use gen_registry_node::Network;
use gen_registry_node::net::relay::key::NodeKey;
use gen_registry_node::net::relay::{
    Relay, RelayOptions, RelayStatus,
    limits::{RelayLimits, WitnessLimits},
    witness::{ExchangeOutcome, Reply, WitnessEndpoint, WitnessRequest},
};
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_server::keys::{KeyFileError, WITNESS_KEY, fresh_key};
use gen_registry_server::witness::{self, BOOK_FILE, Witness, WitnessStartError};
use libp2p::Multiaddr;
use libp2p_stream::OpenStreamError;
use tokio::sync::{broadcast, mpsc};

use crate::relay::ask;
use crate::relay::program::ANY_PORT;
use crate::support::asker::{Asker, seen, shows};
use crate::support::network::{founded_by, numbered, of_server};
use crate::support::people::{self, LONG_AGO};
use crate::support::relay::options;
use crate::support::relay_client::{eventually, patient};
use crate::support::server::{Server, dist, network_of};

/// The key in this folder, and a network whose only witness has it.
fn founded_in(folder: &Path) -> Result<(Network, SecretKey), WitnessStartError> {
    let key = witness::load_or_create_key(folder)?;
    Ok((founded_by(&[key.public()], 1, 0), key))
}

/// A witness with its key and book in this folder.
async fn start(folder: &Path) -> Result<(Witness, PublicKey), WitnessStartError> {
    let (network, key) = founded_in(folder)?;
    let public = key.public();
    Ok((witness::start(Some(folder.to_owned()), key, network.history().clone()).await?, public))
}

/// A relay with a real witness, both in this process.
pub(super) struct Scene {
    relay: Relay,
    view: RelayStatus,
    pub(super) address: Multiaddr,
    network: Network,
    witness: Witness,
    pub(super) key: PublicKey,
}

impl Scene {
    pub(super) async fn new(data: &Path, limits: WitnessLimits) -> Self {
        let (network, key) = founded_in(data).unwrap();
        let key = key.public();
        let (witness, _) = start(data).await.unwrap();
        let limits = RelayLimits { witness: limits, ..RelayLimits::default() };
        let with = RelayOptions { witness: Some(witness.door.clone()), ..options(limits) };
        let relay = Relay::start(with).await.unwrap();
        let view = relay.view();
        let address = view.addresses().remove(0);
        Self { relay, view, address, network, witness, key }
    }

    /// The device of somebody of this name, and their claim of a name.
    pub(super) fn claim(&self, who: &str, name: &str) -> (Device, Entry) {
        let mut device = Device::of(self.network.topic, who);
        let claim = people::claim(&mut device, name, LONG_AGO);
        (device, claim)
    }
}

#[tokio::test]
async fn first_claim_gets_a_receipt_and_metrics_count_it() {
    let data = tempfile::tempdir().unwrap();
    let scene = Scene::new(data.path(), WitnessLimits::default()).await;
    let (mut alice, mut mallory) = (Asker::at(&scene.address).await, Asker::at(&scene.address).await);
    let (hers, claim) = scene.claim("alice", "alice_smith");
    let witnessed_at = seen(&alice.ask(&hers, &claim).await, &scene.key, &hers, &claim);
    let (mallorys, rival) = scene.claim("mallory", "A1ice-Smith");
    let refused = mallory.ask(&mallorys, &rival).await;
    assert_eq!(shows(&refused, &scene.key, &hers, &claim), witnessed_at);
    // Every carrier of an entry gets the receipt that its author got.
    assert_eq!(seen(&mallory.ask(&hers, &claim).await, &scene.key, &hers, &claim), witnessed_at);
    let elsewhere = Device::of(numbered(8).topic, "mallory");
    let answer = mallory.ask(&elsewhere, &elsewhere.opening).await;
    assert_eq!(answer, Answer::NotServed(NotServed::OtherNetwork));
    let Scene { relay, view, witness, .. } = scene;
    let counts = view.counts();
    let (receipts, refusals) = (counts.witness_receipts.get(), counts.witness_refusals.get());
    assert_eq!((receipts, refusals, counts.witness_not_served.get()), (2, 1, 1));
    assert_eq!(counts.witness_turned_away.get(), 0);
    assert_eq!(view.witness_is_running(), Some(true));
    relay.stop().await;
    let Witness { door, ended } = witness;
    drop(door);
    patient("the witness ends with its last door", ended).await.unwrap();
    assert_eq!(view.witness_is_running(), Some(false));
}

/// The other relay starts only after the receipt was signed.
#[tokio::test]
async fn other_witness_that_was_away_is_shown_what_was_signed_meanwhile() {
    let keys = [fresh_key(), fresh_key()];
    let network = founded_by(&keys.each_ref().map(SecretKey::public), 2, 0);
    let (mut doors, mut relays) = (Vec::new(), Vec::new());
    for key in keys {
        doors.push(witness::start(None, key, network.history().clone()).await.unwrap().door);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap();
    let node_key = NodeKey::fresh();
    let away = listen.clone().with_p2p(node_key.peer_id()).unwrap();
    let witness = doors.pop();
    let with = RelayOptions { witness, bootstrap: vec![away], ..options(RelayLimits::default()) };
    relays.push(Relay::start(with).await.unwrap());
    let address = relays[0].view().addresses().remove(0);
    let mut alice = Device::of(network.topic, "alice");
    let claim = people::claim(&mut alice, "rose", LONG_AGO);
    let answer = Asker::at(&address).await.ask(&alice, &claim).await;
    assert!(matches!(answer, Answer::Signed(_)), "{answer:?}");
    let with = RelayOptions {
        key: node_key,
        listen,
        witness: doors.pop(),
        bootstrap: vec![address],
        ..options(RelayLimits::default())
    };
    relays.push(Relay::start(with).await.unwrap());
    let counts = relays[1].view().counts().clone();
    eventually("it is shown it", || counts.witness_not_served.get() == 1).await;
}

#[tokio::test]
async fn rivals_who_ask_at_once_get_one_receipt() {
    let data = tempfile::tempdir().unwrap();
    let scene = Scene::new(data.path(), WitnessLimits::default()).await;
    let asks = (0..6).map(|number| {
        let (device, claim) = scene.claim(&format!("person {number}"), "nova");
        let address = scene.address.clone();
        async move { Asker::at(&address).await.ask(&device, &claim).await }
    });
    let answers = futures::future::join_all(asks).await;
    let signed = answers.iter().filter(|answer| matches!(answer, Answer::Signed(_))).count();
    let taken = answers.iter().filter(|answer| matches!(answer, Answer::Taken(_))).count();
    assert_eq!((signed, taken), (1, 5));
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
    let scene = Scene::new(data.path(), limits).await;
    let (mut alice, mut bob) = (Asker::at(&scene.address).await, Asker::at(&scene.address).await);
    let (device, claim) = scene.claim("alice", "nova");
    for _ in 0..2 {
        seen(&alice.ask(&device, &claim).await, &scene.key, &device, &claim);
    }
    assert_eq!(alice.ask(&device, &claim).await, Answer::Busy);
    assert_eq!(scene.view.counts().witness_turned_away.get(), 1);
    seen(&bob.ask(&device, &claim).await, &scene.key, &device, &claim);
}

#[tokio::test]
async fn overloaded_or_ended_witness_answers_busy() {
    let (questions, mut asked) = mpsc::channel(1);
    let busy = Answer::Busy.encode();
    let door = WitnessEndpoint {
        protocol: PROTOCOL,
        request_max_bytes: REQUEST_MAX_BYTES,
        busy: busy.clone(),
        questions,
        outgoing: broadcast::Sender::new(1),
    };
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
    let scene = Scene::new(data.path(), WitnessLimits::default()).await;
    let mut mallory = Asker::at(&scene.address).await;
    let answer = mallory.send(&[7; REQUEST_MAX_BYTES]).await.unwrap();
    assert_eq!(Answer::decode(&answer), Ok(Answer::NotServed(NotServed::Unreadable)));
    let nothing = mallory.send(&[7; REQUEST_MAX_BYTES + 1]).await;
    assert!(nothing.as_ref().map_or(true, Vec::is_empty), "{nothing:?}");
    let counts = scene.view.counts();
    eventually("it is counted", || counts.witness_turned_away.get() == 1).await;
    assert_eq!(counts.witness_not_served.get(), 1, "the witness saw the first alone");
}

#[tokio::test]
async fn slow_request_times_out_and_frees_its_place() {
    let data = tempfile::tempdir().unwrap();
    let limits =
        WitnessLimits { deadline: Duration::from_secs(2), at_once: 2, at_once_per_peer: 1, ..Default::default() };
    let scene = Scene::new(data.path(), limits).await;
    let (mut mallory, mut alice) = (Asker::at(&scene.address).await, Asker::at(&scene.address).await);
    let mut slow = mallory.open().await.unwrap();
    slow.write_all(b"x").await.unwrap();
    slow.flush().await.unwrap();
    let (device, claim) = scene.claim("alice", "nova");
    seen(&alice.ask(&device, &claim).await, &scene.key, &device, &claim);
    let mut answer = Vec::new();
    let end = patient("the end of the slow one", slow.read_to_end(&mut answer)).await;
    assert!(end.is_err() || answer.is_empty(), "{answer:?}");
    assert!(scene.view.counts().witness_turned_away.get() >= 1);
    seen(&mallory.ask(&device, &claim).await, &scene.key, &device, &claim);
}

#[tokio::test]
async fn damaged_key_or_lost_receipt_log_is_not_used() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path();
    let file = WITNESS_KEY.path(folder);
    let began = async || {
        let (Witness { door, ended }, key) = start(folder).await.unwrap();
        drop(door);
        patient("its book is closed", ended).await.unwrap();
        key
    };
    // A log whose key was never saved has signed nothing.
    SqliteStore::open(&folder.join(BOOK_FILE)).unwrap();
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

fn relay_of(server: &Server) -> Multiaddr {
    network_of(server)["relays"][0].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn receipt_log_survives_a_kill() {
    let (folder, data) = (dist(), tempfile::tempdir().unwrap());
    let with = [&ANY_PORT[..], &["--for-tests", "--data", data.path().to_str().unwrap()]].concat();
    let mut server = Server::with(folder.path(), &with);
    let network = of_server(&server);
    let genesis = network.history().genesis().clone();
    assert_eq!((genesis.set.witnesses.len(), genesis.set.threshold), (1, 1));
    let (mut alice, mut bob) = (Device::of(network.topic, "alice"), Device::of(network.topic, "bob"));
    let [hers, his] = [&mut alice, &mut bob].map(|device| people::claim_with_work(device, "nova", LONG_AGO, &network));
    let witness = genesis.set.witnesses[0];
    let answer = Asker::at(&relay_of(&server)).await.ask(&alice, &hers).await;
    let witnessed_at = seen(&answer, &witness, &alice, &hers);
    assert!(server.counters().contains("\ngen_relay_witness_receipts_total 1\n"));
    assert!(server.raw("/health").contains(r#""witness":"running""#));
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = Server::with(folder.path(), &with);
    let again = of_server(&server);
    assert_eq!(*again.history().genesis(), genesis, "the same network with the same witness");
    let mut asker = Asker::at(&relay_of(&server)).await;
    assert_eq!(shows(&asker.ask(&bob, &his).await, &witness, &alice, &hers), witnessed_at);
    assert_eq!(seen(&asker.ask(&alice, &hers).await, &witness, &alice, &hers), witnessed_at);
}
