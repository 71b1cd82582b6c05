//! A neighbour that overtakes: it hears every claim, and at once asks the witness for the same name under a key of its own,
//! with an earlier date and without any check. It gets nothing.
//!
//! The witness is the real program. In some rounds it stands still around the claim, or is killed and started again.
//! `make front-running` runs many of them.

use std::cell::RefCell;
use std::env;
use std::rc::Rc;
use std::time::Duration;

use gen_registry_api::*;
use gen_registry_core::actors::Device;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Body, Entry, Opening};
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_node::Network;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tempfile::TempDir;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until};

use crate::crowd::shared::name as name_number;
use crate::support::asker::Asker;
use crate::support::neighbour::{Neighbour, SharedRegistry};
use crate::support::network::of_server;
use crate::support::node::TestNode;
use crate::support::people::{self, LONG_AGO};
use crate::support::server::{Server, dist};
use crate::support::wait::{eventually, eventually_within, in_one_thread};

/// An identity may hold five names: each claimant takes so many, one after the other.
const NAMES_EACH: usize = 5;
/// How long a node may take to find a witness that is back. Never a measurement.
const RETURN_PATIENCE: Duration = Duration::from_secs(120);

/// What the neighbour tried, and what came of it.
struct Attempt {
    name: String,
    /// The claim that it heard.
    heard: Entry,
    answer: wire::Answer,
}

/// Tries for the name of every claim in a page, and returns the rivals, which are passed on whatever the witness says.
struct Overtaker {
    network: Network,
    relay: Multiaddr,
    /// Connected before anything is heard.
    asker: Asker,
    known: SharedRegistry,
    attempts: Rc<RefCell<Vec<Attempt>>>,
}

impl Overtaker {
    async fn overtake(&mut self, page: &[Piece]) -> Vec<Piece> {
        let mut rivals = Vec::new();
        for piece in page {
            let Piece::Entry(bytes) = piece else { continue };
            let heard = Entry::decode(&self.network.topic, bytes).unwrap();
            let Ok(Body::Claim(claim)) = Body::of(&self.network.topic, &heard) else { continue };
            // A page may have it twice: in its log, and by itself with its receipts.
            let is_tried = self.attempts.borrow().iter().any(|attempt| attempt.heard.id() == heard.id());
            if is_tried || self.known.borrow().facts().get(&heard.id()).is_some() {
                continue;
            }
            let name = claim.name.as_str().to_owned();
            let mut rival = Device::of(self.network.topic, &format!("rival for {name}"));
            let claim = people::claim_with_work(&mut rival, &name, LONG_AGO, &self.network);
            let answer = self.ask(&rival, &claim).await;
            rivals.extend([&rival.opening, &claim].map(|entry| Piece::Entry(entry.encode())));
            self.attempts.borrow_mut().push(Attempt { name, heard, answer });
        }
        rivals
    }

    /// Asks until there is an answer.
    async fn ask(&mut self, rival: &Device, claim: &Entry) -> wire::Answer {
        loop {
            match self.asker.try_ask(rival, claim).await {
                Ok(wire::Answer::Busy) | Err(_) => self.asker = Asker::at(&self.relay).await,
                Ok(answer) => return answer,
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Frozen,
    Killed,
}

/// A witness, Bob who looks on, and what the overtaker knows and tried.
struct Scene {
    page: TempDir,
    data: TempDir,
    server: Server,
    network: Network,
    bob: TestNode,
    known: SharedRegistry,
    attempts: Rc<RefCell<Vec<Attempt>>>,
    /// Who holds which name.
    held: Vec<(String, String)>,
}

fn relay_of(network: &Network) -> Multiaddr {
    network.relays[0].parse().unwrap()
}

fn serve(page: &TempDir, data: &TempDir, listen: &str) -> Server {
    let data = data.path().to_str().unwrap();
    Server::with(page.path(), &["--p2p", listen, "--no-catalogue", "--for-tests", "--data", data])
}

impl Scene {
    async fn new() -> Self {
        let (page, data) = (dist(), tempfile::tempdir().unwrap());
        let server = serve(&page, &data, "/ip4/127.0.0.1/tcp/0/ws");
        let network = of_server(&server);
        let bob = TestNode::join(network.clone()).await;
        let known = Rc::new(RefCell::new(Registry::new(network.history().clone())));
        Self { page, data, server, network, bob, known, attempts: Rc::default(), held: Vec::new() }
    }

    /// A claimant whom Bob and the overtaker are connected to.
    async fn claimant(&self) -> (TestNode, Neighbour) {
        let claimant = TestNode::join(self.network.clone()).await;
        // Once they have met, both can be found at the relay. Bob, too, has to find a relay again that was gone.
        let has_peers = async |count| {
            let connected = async || claimant.network().await.peers.len() >= count;
            eventually_within(RETURN_PATIENCE, "peers are connected", connected).await;
        };
        has_peers(1).await;
        let (network, relay) = (self.network.clone(), relay_of(&self.network));
        let asker = Asker::at(&relay).await;
        let (known, attempts) = (self.known.clone(), self.attempts.clone());
        let mut overtaker = Overtaker { network, relay, asker, known: known.clone(), attempts };
        let on_page = async move |page: &[Piece]| overtaker.overtake(page).await;
        let neighbour = Neighbour::of(&claimant, &self.network, known, on_page).await;
        has_peers(2).await;
        (claimant, neighbour)
    }

    fn has_tried(&self, name: &str) -> bool {
        self.attempts.borrow().iter().any(|attempt| attempt.name == name)
    }

    /// What must be true once the claimant's claim has reached the witness.
    async fn is_held(&mut self, claimant: &TestNode, name: &str) {
        let did = claimant.did().await;
        let holds = async |node: &TestNode| {
            let holder = node.look_up(name).await.holder;
            holder.is_some_and(|holder| holder.status == NameStatus::Confirmed && holder.person.did == did)
        };
        eventually_within(RETURN_PATIENCE, name, async || holds(claimant).await).await;
        eventually("the overtaker has tried", async || self.has_tried(name)).await;
        self.was_refused(name, &did);
        // Its rival arrives, and changes nothing.
        eventually("the rival is here", async || {
            let losers = claimant.look_up(name).await.losers;
            losers.iter().map(|loser| loser.reason).eq([LossReason::NotConfirmed])
        })
        .await;
        assert!(holds(claimant).await, "{name}");
        eventually("Bob sees who holds it", async || holds(&self.bob).await).await;
        self.held.push((name.to_owned(), did));
    }

    /// The overtaker heard of this very claim, asked the witness, and was shown who has the name.
    fn was_refused(&self, name: &str, did: &str) {
        let attempts = self.attempts.borrow();
        let attempts: Vec<&Attempt> = attempts.iter().filter(|attempt| attempt.name == name).collect();
        assert_eq!(attempts.len(), 1, "{name}");
        let Attempt { heard, answer, .. } = attempts[0];
        let wire::Answer::Taken(pieces) = answer else { panic!("{name}: {answer:?}") };
        assert!(pieces.contains(&Piece::Entry(heard.encode())), "{name}: {pieces:?}");
        assert!(pieces.iter().any(|piece| matches!(piece, Piece::Receipt(_))), "{name}: {pieces:?}");
        let author = self.known.borrow().opening(&heard.header().log).map(Opening::did);
        assert_eq!(author.as_ref().map(Did::to_string).as_deref(), Some(did), "{name}");
    }

    /// Rounds in which nothing else happens.
    async fn run(&mut self, rounds: std::ops::Range<usize>) {
        let names: Vec<String> = rounds.map(|round| name_number(round as u64).to_string()).collect();
        for names in names.chunks(NAMES_EACH) {
            let (claimant, _overtaker) = self.claimant().await;
            claimant.claim(&names[0]).await.unwrap();
            self.is_held(&claimant, &names[0]).await;
            for name in &names[1..] {
                claimant.node.handle(Command::Rename { name: name.clone() }).await.unwrap();
                self.is_held(&claimant, name).await;
            }
            claimant.leave().await;
        }
    }

    /// A round in which the witness stands still for so long, and the name is claimed in the middle of it.
    async fn run_stopped(&mut self, round: usize, fault: Fault, pause: Duration) {
        let name = name_number(round as u64).to_string();
        let (claimant, overtaker) = self.claimant().await;
        let listen: Multiaddr =
            relay_of(&self.network).iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
        let begun = Instant::now();
        match fault {
            Fault::Frozen => self.server.freeze(),
            Fault::Killed => self.server.kill(),
        }
        sleep(pause / 2).await;
        let claimant = Rc::new(claimant);
        let claiming = spawn_local({
            let (claimant, name) = (claimant.clone(), name.clone());
            async move { claimant.claim(&name).await.unwrap() }
        });
        sleep_until(begun + pause).await;
        assert_eq!(claimant.me().await.name_status, Some(NameStatus::Intent), "{name}: the witness can't be asked");
        assert!(!self.has_tried(&name), "{name}: a claim that is not confirmed is nobody else's business");
        assert!(!overtaker.peer.heard_in_gossip(&name), "{name}");
        match fault {
            Fault::Frozen => self.server.thaw(),
            Fault::Killed => self.server = serve(&self.page, &self.data, &listen.to_string()),
        }
        self.is_held(&claimant, &name).await;
        claiming.await.unwrap();
        Rc::into_inner(claimant).unwrap().leave().await;
    }

    /// Whoever comes later, Bob and the overtaker itself see the same holders.
    async fn ends(self) {
        let carol = TestNode::join(self.network.clone()).await;
        for (name, did) in &self.held {
            for (who, node) in [("Carol", &carol), ("Bob", &self.bob)] {
                eventually(&format!("{who} sees {name}"), async || {
                    let holder = node.look_up(name).await.holder;
                    holder.is_some_and(|one| one.status == NameStatus::Confirmed && one.person.did == *did)
                })
                .await;
            }
            let known = self.known.borrow();
            let key = (NameKind::Username, name.parse::<gen_registry_core::name::Username>().unwrap().folded());
            let holder = known.name(&key).holder().map(|tenure| tenure.holder.to_string());
            assert_eq!(holder.as_ref(), Some(did), "the overtaker knows it, too: {name}");
        }
        assert_eq!(self.attempts.borrow().len(), self.held.len(), "every claim was heard, and tried for");
        println!("{} claims heard, as many attempts to overtake, all refused", self.held.len());
    }
}

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).map_or(otherwise, |text| text.parse().expect(variable))
}

async fn rounds(plain: usize, stopped: usize, pause: Duration) {
    let mut scene = Scene::new().await;
    scene.run(0..plain).await;
    println!("{plain} rounds with a witness that answers");
    for round in 0..stopped {
        let fault = if round % 2 == 0 { Fault::Frozen } else { Fault::Killed };
        let begun = Instant::now();
        scene.run_stopped(plain + round, fault, pause).await;
        println!("round {round}: {fault:?} for {pause:?}, the name was held after {:?}", begun.elapsed());
    }
    scene.ends().await;
}

#[test]
fn overtaker_that_hears_every_claim_gets_none() {
    in_one_thread(rounds(8, 0, Duration::ZERO));
}

#[test]
fn overtaker_gets_nothing_while_the_witness_stands_still() {
    in_one_thread(rounds(0, 1, Duration::from_secs(2)));
}

/// `make front-running`.
#[test]
#[ignore = "takes a quarter of an hour"]
fn overtaker_gets_none_of_many() {
    let pause = Duration::from_secs(number("STOPPED_SECONDS", 30) as u64);
    in_one_thread(rounds(number("PLAIN_ROUNDS", 50), number("STOPPED_ROUNDS", 20), pause));
}
