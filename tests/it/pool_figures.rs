//! Many nodes at several relays of the real program: whether everybody finds everybody, what that takes, and what becomes of it
//! when a relay is lost. `make pool NODES=600 RELAYS=4`.
//!
//! The nodes are whole ones in a few threads of this process. As pages do, each takes a place at two relays, registers there
//! and keeps some connections to others. Two things are unlike a page: connections are of TCP in place of WebRTC, and what a page
//! finds out over a relayed connection, where the other is reached, stands in a list ([`PLACES`]).

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use gen_registry_node::Network;
use gen_registry_node::net::key::{NetPeerId, NodeKey};
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use crate::support::memory_network::keypair;
use crate::support::network::{of_server, through};
use crate::support::node::TestNode;
use crate::support::server::{Server, dist};
use crate::support::wait::in_one_thread;

/// Milliseconds between two nodes that join: 20 a second, as many as this takes from two cores with some hundreds.
const JOIN_EVERY: usize = 50;
/// Until a node has its relays and a peer, until a pair is connected, and until all is well after a relay was lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// At which every node listens, each at an address of its own.
const PORT: u16 = 4_001;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// In which relays are watched while nothing happens.
const QUIET: Duration = Duration::from_secs(30);
/// Pairs that look for each other at once.
const AT_ONCE: usize = 8;
/// Relays that each node uses.
const USED: usize = 2;
/// Of a second; Linux counts processor time in these.
const TICKS: f64 = 100.0;

type Nodes = Rc<RefCell<Vec<Rc<TestNode>>>>;
type Order = Box<dyn FnOnce(Nodes) -> LocalBoxFuture<'static, ()> + Send>;

/// Where each node listens: what a relayed connection would lead to.
static PLACES: LazyLock<Mutex<HashMap<PeerId, Multiaddr>>> = LazyLock::new(Mutex::default);

fn place_of(_: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    let place = PLACES.lock().unwrap().get(&peer).cloned()?;
    Some(place.with(Protocol::P2p(peer)))
}

/// TCP of a native node, at a place that the list has.
fn transport(key: NodeKey) -> TransportStack {
    let key = keypair(&key);
    let mut stack = transport::open(&key, &TransportOptions::default()).unwrap();
    let mut places = PLACES.lock().unwrap();
    let nth = places.len();
    // An address for each: free ports of one address are soon taken by outgoing connections.
    let address = Ipv4Addr::new(127, 1 + (nth / 62_500) as u8, (nth / 250 % 250) as u8, (nth % 250 + 1) as u8);
    let place = Multiaddr::from(address).with(Protocol::Tcp(PORT));
    places.insert(key.public().to_peer_id(), place.clone());
    stack.reachability.listening = vec![place];
    stack.reachability.circuit = place_of;
    stack
}

/// A thread with some of the nodes.
#[derive(Clone)]
struct Host(mpsc::UnboundedSender<Order>);

impl Host {
    fn start() -> Self {
        let (orders, mut due) = mpsc::unbounded_channel::<Order>();
        std::thread::spawn(move || {
            let nodes = Nodes::default();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(LocalSet::new().run_until(async move {
                while let Some(order) = due.recv().await {
                    spawn_local(order(nodes.clone()));
                }
            }));
        });
        Self(orders)
    }

    /// Runs this in the thread of the nodes.
    async fn run<T: Send + 'static>(&self, act: impl AsyncFnOnce(Nodes) -> T + Send + 'static) -> T {
        let (reply, done) = oneshot::channel();
        let order: Order = Box::new(move |nodes| {
            Box::pin(async move {
                let _ = reply.send(act(nodes).await);
            })
        });
        assert!(self.0.send(order).is_ok(), "the thread runs");
        done.await.expect("the thread runs")
    }
}

/// One of the nodes.
#[derive(Clone)]
struct Member {
    host: Host,
    place: usize,
    peer: NetPeerId,
}

impl Member {
    /// Joins, and returns how long it took until a relay and a peer were connected; `None` if that never happened.
    async fn join(host: Host, network: Network) -> (Self, Option<Duration>) {
        let began = Instant::now();
        let (place, peer) = host
            .run(async move |nodes: Nodes| {
                let node = Rc::new(TestNode::join_over(network, transport, None).await);
                let peer = node.mesh.local_peer_id();
                nodes.borrow_mut().push(node);
                (nodes.borrow().len() - 1, peer)
            })
            .await;
        let member = Self { host, place, peer };
        let is_connected = async |node: &TestNode| {
            let report = node.network().await;
            report.relays.iter().any(|relay| relay.connected) && !report.peers.is_empty()
        };
        let took = member.until(is_connected).await.then(|| began.elapsed());
        (member, took)
    }

    /// Waits until this holds. Returns whether it did within [`PATIENCE`].
    async fn until(&self, holds: impl AsyncFn(&TestNode) -> bool + Send + 'static) -> bool {
        let place = self.place;
        let waiting = async move |nodes: Nodes| {
            let node = nodes.borrow()[place].clone();
            let waiting = async {
                while !holds(&node).await {
                    sleep(LOOK_EVERY).await;
                }
            };
            timeout(PATIENCE, waiting).await.is_ok()
        };
        self.host.run(waiting).await
    }

    /// Looks for another one, and returns how long it took to be connected; `None` if it never was.
    async fn find(&self, other: NetPeerId) -> Option<Duration> {
        let began = Instant::now();
        let place = self.place;
        self.host.run(async move |nodes: Nodes| nodes.borrow()[place].mesh.connect_to(other)).await;
        let id = other.to_string();
        let is_found = async move |node: &TestNode| node.network().await.peers.iter().any(|peer| peer.id == id);
        self.until(is_found).await.then(|| began.elapsed())
    }

    /// The relays that it uses and is connected to.
    async fn relays(&self) -> Vec<String> {
        let place = self.place;
        let used = async move |nodes: Nodes| {
            let node = nodes.borrow()[place].clone();
            let relays = node.network().await.relays.into_iter();
            relays.filter(|relay| relay.used && relay.connected).map(|relay| relay.address).collect()
        };
        self.host.run(used).await
    }
}

/// A relay's process.
struct Pool {
    servers: Vec<Server>,
    addresses: Vec<String>,
}

/// What a process takes.
#[derive(Clone, Copy)]
struct Use {
    kib: f64,
    cpu_seconds: f64,
    connections: f64,
}

impl Pool {
    fn start(count: usize, nodes: usize, dist: &Path) -> Self {
        let (mut servers, mut addresses) = (Vec::new(), Vec::<String>::new());
        let many = (4 * nodes + 256).to_string();
        for _ in 0..count {
            let mut more = vec!["--no-witness", "--no-catalogue", "--p2p", "/ip4/127.0.0.1/tcp/0/ws"];
            for limit in [
                "--limit-connections",
                "--limit-connections-address",
                "--limit-connections-rate",
                "--limit-places",
                "--limit-places-address",
                "--limit-registrations",
                "--limit-registrations-address",
                "--limit-registrations-rate",
            ] {
                more.extend([limit, &many]);
            }
            if let Some(first) = addresses.first() {
                more.extend(["--p2p-bootstrap", first]);
            }
            let server = Server::with(dist, &more);
            let address = of_server(&server).relays.remove(0);
            addresses.push(address);
            servers.push(server);
        }
        Self { servers, addresses }
    }

    fn used(&self) -> Vec<Use> {
        self.servers
            .iter()
            .map(|server| {
                let counters = server.counters();
                let connections = counters.lines().find_map(|line| line.strip_prefix("gen_relay_connections "));
                let (kib, cpu_seconds) = used_by(server.child.id());
                Use {
                    kib,
                    cpu_seconds,
                    connections: connections.and_then(|text| text.parse().ok()).unwrap_or_default(),
                }
            })
            .collect()
    }
}

/// Resident KiB and processor seconds of a process.
fn used_by(process: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in brackets, may have spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap()).sum();
    (kib, ticks / TICKS)
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Prints the middle, the 95th of a hundred and the longest, and returns how many there are none of.
fn say(what: &str, took: &[Option<Duration>]) -> usize {
    let mut times: Vec<Duration> = took.iter().copied().flatten().collect();
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    println!("{what}: {} of {}, p50 {:?}, p95 {:?}, longest {:?}", times.len(), took.len(), at(50), at(95), at(100));
    took.len() - times.len()
}

/// Lets random pairs find each other.
async fn ask_pairs(members: &[Member], pairs: usize, rng: &mut StdRng) -> Vec<Option<Duration>> {
    let (mut took, mut looking) = (Vec::new(), JoinSet::new());
    for _ in 0..pairs {
        let from = rng.random_range(0..members.len());
        let to = (from + rng.random_range(1..members.len())) % members.len();
        let (one, other) = (members[from].clone(), members[to].peer);
        looking.spawn_local(async move { one.find(other).await });
        if looking.len() >= AT_ONCE {
            took.extend(looking.join_next().await.map(Result::unwrap));
        }
    }
    while let Some(one) = looking.join_next().await {
        took.push(one.unwrap());
    }
    took
}

#[test]
#[ignore = "minutes and gigabytes: make pool"]
fn measured_pool_of_relays() {
    let (nodes, relays, pairs) = (number("POOL_NODES", 600), number("POOL_RELAYS", 4), number("POOL_PAIRS", 200));
    assert!(relays > USED, "one relay is lost, and then each node uses {USED} others");
    let threads = number("POOL_THREADS", 2);
    let join_every = Duration::from_millis(number("POOL_JOIN_EVERY", JOIN_EVERY) as u64);
    let seed = number("SEED", rand::rng().random_range(0..1_000_000)) as u64;
    println!("{nodes} nodes, {relays} relays, {pairs} pairs, SEED={seed}");
    in_one_thread(async move {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = dist();
        let mut pool = Pool::start(relays, nodes, folder.path());
        let idle = pool.used();
        let network = through(&Network::default(), pool.addresses.clone());
        let hosts: Vec<Host> = (0..threads).map(|_| Host::start()).collect();
        let mut joining = JoinSet::new();
        for nth in 0..nodes {
            joining.spawn_local(Member::join(hosts[nth % threads].clone(), network.clone()));
            sleep(join_every).await;
        }
        let joined: Vec<(Member, Option<Duration>)> = joining.join_all().await;
        let missing = say("joined", &joined.iter().map(|(_, took)| *took).collect::<Vec<_>>());
        assert_eq!(missing, 0, "each has a relay and a peer");
        let members: Vec<Member> = joined.into_iter().map(|(member, _)| member).collect();

        let found = ask_pairs(&members, pairs, &mut rng).await;
        assert_eq!(say("pairs that found each other", &found), 0);

        let before = pool.used();
        sleep(QUIET).await;
        for ((idle, before), after) in idle.iter().zip(&before).zip(pool.used()) {
            println!(
                "relay: {} connections, {:.0} KiB (idle {:.0}): {:.1} KiB for each; {:.1} % of a processor in quiet",
                after.connections,
                after.kib,
                idle.kib,
                (after.kib - idle.kib) / after.connections.max(1.0),
                100.0 * (after.cpu_seconds - before.cpu_seconds) / QUIET.as_secs_f64()
            );
        }
        let (kib, cpu) = used_by(std::process::id());
        println!(
            "all nodes: {:.0} MiB, {:.1} KiB for each, {cpu:.0} s of a processor so far",
            kib / 1024.0,
            kib / nodes as f64
        );

        let lost = pool.addresses.remove(0);
        let mut concerned = Vec::new();
        for member in &members {
            if member.relays().await.contains(&lost) {
                concerned.push(member.clone());
            }
        }
        assert!(!concerned.is_empty(), "somebody used the relay that is lost");
        pool.servers.remove(0).kill();
        let began = Instant::now();
        let well: BTreeSet<String> = pool.addresses.iter().cloned().collect();
        let mut waiting = JoinSet::new();
        for member in concerned.clone() {
            let well = well.clone();
            waiting.spawn_local(async move {
                let is_well = async move |node: &TestNode| {
                    let relays = node.network().await.relays;
                    relays.iter().filter(|relay| relay.used && relay.connected && well.contains(&relay.address)).count()
                        >= USED
                };
                member.until(is_well).await.then(|| began.elapsed())
            });
        }
        let again = waiting.join_all().await;
        let missing = say("nodes of the lost relay that have two others", &again);
        assert_eq!(missing, 0);
        let found = ask_pairs(&members, pairs, &mut rng).await;
        assert_eq!(say("pairs that found each other without it", &found), 0);
    });
}
