//! Searching beyond this device: at peers over real connections, liars among them.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures::{AsyncReadExt, AsyncWriteExt};
use gen_registry_api::*;
use gen_registry_core::actors::{BEGIN, Device};
use gen_registry_core::keys::Did;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::search::{
    self as wire, ANSWER_MAX_BYTES, FOUND_MAX, Found, PROTOCOL, QUESTION_MAX_BYTES, Question, UnverifiedText,
};
use gen_registry_node::Node;
use gen_registry_node::platform::native::Native;
use libp2p::PeerId;
use libp2p::swarm::StreamProtocol;
use libp2p_stream::Control;

use crate::lookup::poison::{self, Answering, answering_to, written};
use crate::support::memory_network::{self, Founded};
use crate::support::modules::{described, draft, wasm};
use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::wait::{eventually, in_one_thread};

/// As many questions as a peer answers another one in a minute.
const ANSWERED: usize = 30;
/// As many as a node asks one peer.
const ASKED: usize = 20;

async fn search_with(node: &TestNode, query: &str, filter: ModuleFilter) -> NetworkSearchResults {
    let sort = ModuleSort::Relevance;
    let command = ModuleCommand::SearchNetwork { query: query.to_owned(), filter, sort, limit: 50 };
    match node.node.handle(Command::Modules { command }).await.unwrap() {
        Answer::NetworkFound(found) => *found,
        other => panic!("{other:?}"),
    }
}

async fn search(node: &TestNode, query: &str) -> NetworkSearchResults {
    search_with(node, query, ModuleFilter::default()).await
}

fn names(results: &NetworkSearchResults) -> Vec<&str> {
    results.modules.iter().map(|module| module.card.name.as_str()).collect()
}

async fn publish(node: &TestNode, name: &str, description: &str) {
    let mut draft = draft(name, "1.0.0", wasm("run", 1), &[]);
    draft.details = described(description);
    node.publish(draft).await;
    eventually("it is published", async || node.module(name).await.is_some_and(|page| page.latest.is_some())).await;
}

async fn decide(node: &TestNode, subject: String, verdict: Decision) {
    let command = BlockListCommand::Decide { subject, verdict, note: None };
    node.node.handle(Command::BlockList { command }).await.unwrap();
}

#[test]
fn module_is_found_by_a_word_that_only_a_peer_knows_opened_and_kept() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        publish(&alice, "svg-renderer", "Draws vector graphics into pixels").await;
        publish(&alice, "crc-32", "The check sum of Ethernet").await;
        let bob = memory_network::join_narrow(founded.through(&relay), &alice).await;

        let found = search(&bob, "graphics VECTOR").await;
        assert_eq!((found.peers_asked, found.peers_answered, found.not_asked), (1, 1, None));
        assert_eq!((names(&found), found.total_on_device), (vec!["svg-renderer"], 0));
        let module = &found.modules[0];
        assert_eq!((module.on_device, module.peers, module.network), (false, 1, false));
        assert_eq!((module.card.version.as_str(), &module.card.holder.did), ("1.0.0", &alice.did().await));
        assert_eq!(module.card.description.as_deref(), Some("Draws vector graphics into pixels"));
        assert!(bob.module("svg-renderer").await.is_none(), "nothing of it is known as his own");
        // Her index is in memory once she has searched, and forgives a typing error.
        assert_eq!(names(&search(&bob, "vectr").await), [""; 0]);
        search(&alice, "anything").await;
        assert_eq!(names(&search(&bob, "vectr").await), ["svg-renderer"]);

        // Opened: its records come. Kept: they stay.
        assert_eq!(bob.find(NameKind::Module, "svg-renderer").await.answered_by, Some(AnsweredBy::Peers));
        eventually("it arrives", async || bob.module("svg-renderer").await.is_some()).await;
        eventually("and what is said of it", async || {
            let found = search(&bob, "pixels").await;
            found.modules.first().is_some_and(|module| (module.on_device, module.peers) == (true, 1))
        })
        .await;
        let stays = async |bob: TestNode| {
            let store = bob.leave().await;
            let node = Node::start(store.clone(), Rc::new(Native), founded.through(&relay)).await.unwrap();
            node.handle(Command::KeepStrangers { most: 0 }).await.unwrap();
            let command = ModuleCommand::Page { name: "svg-renderer".to_owned() };
            let page = node.handle(Command::Modules { command }).await.unwrap();
            matches!(page, Answer::Module(Some(_)))
        };
        let follow = NoticeCommand::Follow { subject: "module:svg-renderer".to_owned(), follow: true };
        bob.node.handle(Command::Notices { command: follow }).await.unwrap();
        assert_eq!(bob.network().await.rejections, []);
        assert!(stays(bob).await, "what is kept stays after a restart");

        let carol = memory_network::join_narrow(founded.through(&relay), &alice).await;
        carol.find(NameKind::Module, "svg-renderer").await;
        eventually("it arrives", async || carol.module("svg-renderer").await.is_some()).await;
        assert!(!stays(carol).await, "what was only looked at does not");
        assert_eq!(alice.network().await.rejections, []);
    });
}

#[test]
fn module_of_an_absent_holder_is_found_by_its_name_in_the_network() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        publish(&alice, "crc-32", "The check sum of Ethernet").await;
        let view = relay.view();
        let release = async || view.counts().kademlia_values_accepted.get() >= 2;
        eventually("the relay has her records", release).await;
        alice.leave().await;

        let bob = memory_network::join(founded.through(&relay)).await;
        eventually("it is found", async || {
            let found = search(&bob, "CRC_32").await;
            assert_eq!((found.peers_asked, found.network_asked), (0, true));
            found.modules.first().is_some_and(|module| module.network && module.card.name == "crc-32")
        })
        .await;
        let found = search(&bob, "check sum").await;
        assert_eq!((names(&found).len(), found.network_asked), (0, false), "that is no name");
    });
}

/// A network with one witness, and Bob, who has a relay.
struct Story {
    founded: poison::Founded,
    bob: TestNode,
    /// Ends with the story.
    _relay: gen_registry_node::net::relay::Relay,
}

/// Peers that say what they are told to.
type Say = Arc<Mutex<Vec<u8>>>;

impl Story {
    async fn new() -> Self {
        let founded = poison::Founded::new();
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let addresses = relay.view().addresses().iter().map(ToString::to_string).collect();
        let bob = memory_network::join(through(&founded.network, addresses)).await;
        Self { founded, bob, _relay: relay }
    }

    /// One more peer of Bob.
    async fn peer(&self) -> (Answering, Say) {
        let before = self.bob.network().await.peers.len();
        let say = Say::default();
        let peer = answering_to(memory_network::place(&self.bob.mesh), PROTOCOL, say.clone());
        self.bob.has_peers(before + 1).await;
        (peer, say)
    }

    /// A module with a release, as a peer that has it names it.
    fn module(&mut self, device: &mut Device, name: &str) -> Found {
        let claim = device.claim_module(name);
        let release = device.release(name, "1.0.0", claim.id());
        let witness = &mut self.founded.witness;
        let of_claim = witness.ask(device, &claim, BEGIN).unwrap();
        witness.learn_confirmed(device, &claim, std::slice::from_ref(&of_claim), BEGIN);
        let receipts = [of_claim, witness.ask(device, &release, BEGIN).unwrap()];
        let proof = written(&[&device.opening, &claim, &release], &receipts);
        let text = UnverifiedText { description: format!("Says {name}"), ..UnverifiedText::default() };
        Found { name: name.parse().unwrap(), proof, text }
    }
}

fn answer(found: &[&Found]) -> Vec<u8> {
    let mut answer = wire::Answer::default();
    found.iter().for_each(|found| assert!(answer.push((*found).clone())));
    answer.encode()
}

fn said(say: &Say, bytes: Vec<u8>) {
    *say.lock().unwrap() = bytes;
}

#[test]
fn wrong_answers_are_not_believed_and_counted() {
    in_one_thread(async {
        let mut story = Story::new().await;
        let topic = story.founded.network.topic;
        let (mut alice, mut mallory) = (Device::of(topic, "alice"), Device::of(topic, "mallory"));
        let (hers, his) = (story.module(&mut alice, "svg-renderer"), story.module(&mut mallory, "mal-ware"));
        let (_peer, say) = story.peer().await;
        let bob = &story.bob;
        // Asked again whatever it said before.
        let peer = bob.network().await.peers.remove(0);
        decide(bob, format!("peer:{}", peer.id), Decision::Allow).await;

        let mut broken = hers.clone();
        let within_a_receipt = broken.proof.len() - 60;
        broken.proof[within_a_receipt] ^= 1;
        let of_another = Found { name: hers.name.clone(), ..his.clone() };
        let nothing = Found { proof: vec![], ..hers.clone() };
        let tagged = ModuleFilter { tag: Some("svg".to_owned()), ..ModuleFilter::default() };
        let owned = ModuleFilter { owner: Some(alice.did.to_string()), ..ModuleFilter::default() };
        let any = ModuleFilter::default();
        let cases = [
            ("a broken receipt", any.clone(), answer(&[&broken]), Rejection::WrongRecord),
            ("another name's proof", any.clone(), answer(&[&of_another]), Rejection::WrongRecord),
            ("no proof", any.clone(), answer(&[&nothing]), Rejection::WrongRecord),
            ("a wrong one beside a right one", any.clone(), answer(&[&his, &broken]), Rejection::WrongRecord),
            ("another tag", tagged, answer(&[&hers]), Rejection::Unasked),
            ("another owner", owned, answer(&[&hers, &his]), Rejection::Unasked),
            ("too many bytes", any.clone(), vec![1; ANSWER_MAX_BYTES + 1], Rejection::Oversized),
        ];
        for (what, filter, bytes, why) in cases {
            said(&say, bytes);
            let before = bob.count_of(why).await;
            let found = search_with(bob, "svg pictures", filter).await;
            assert_eq!((found.peers_asked, found.peers_answered), (1, 0), "{what}");
            assert_eq!(names(&found), [""; 0], "{what}");
            assert_eq!(bob.count_of(why).await, before + 1, "{what}");
        }
        said(&say, b"junk".to_vec());
        assert_eq!(names(&search(bob, "svg pictures").await), [""; 0]);
        let malformed = |(why, _): &(Rejection, u64)| matches!(why, Rejection::Malformed(_));
        assert!(bob.network().await.rejections.iter().any(malformed));

        // To be too busy is no fault, and what is right is believed whoever says it.
        let before = bob.network().await.rejections;
        said(&say, Vec::new());
        let found = search(bob, "svg pictures").await;
        assert_eq!((found.peers_asked, found.peers_answered), (1, 0));
        said(&say, answer(&[&hers, &his]));
        assert_eq!(names(&search(bob, "svg pictures").await), ["svg-renderer", "mal-ware"]);
        assert_eq!(bob.network().await.rejections, before);

        // Whom and what the person blocks is left out.
        decide(bob, "module:mal-ware".to_owned(), Decision::Block).await;
        assert_eq!(names(&search(bob, "svg pictures").await), ["svg-renderer"]);
        decide(bob, format!("person:{}", alice.did), Decision::Block).await;
        assert_eq!(names(&search(bob, "svg pictures").await), [""; 0]);
        assert!(bob.node.known().identities().next().is_none_or(|did| *did != alice.did), "nothing of it was taken in");
    });
}

#[test]
fn what_several_peers_name_comes_before_what_one_repeats() {
    in_one_thread(async {
        let mut story = Story::new().await;
        let topic = story.founded.network.topic;
        let (mut alice, mut mallory) = (Device::of(topic, "alice"), Device::of(topic, "mallory"));
        let (hers, his) = (story.module(&mut alice, "svg-renderer"), story.module(&mut mallory, "mal-ware"));
        let lie = Found {
            text: UnverifiedText { title: "Best\u{202e} of all".to_owned(), ..UnverifiedText::default() },
            ..hers.clone()
        };
        let mut peers = Vec::new();
        for bytes in [answer(&[&his, &lie]), answer(&[&hers]), answer(&[&hers])] {
            let (peer, say) = story.peer().await;
            said(&say, bytes);
            peers.push(peer);
        }
        let found = search(&story.bob, "svg pictures").await;
        assert_eq!((found.peers_asked, found.peers_answered), (3, 3));
        assert_eq!(names(&found), ["svg-renderer", "mal-ware"]);
        assert_eq!(found.modules.iter().map(|module| module.peers).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(found.modules[0].card.title, None, "what most say");
        assert_eq!(found.modules[0].card.description.as_deref(), Some("Says svg-renderer"));
    });
}

#[test]
fn silent_peer_costs_its_time_and_no_answer_of_others() {
    in_one_thread(async {
        let mut story = Story::new().await;
        let mut alice = Device::of(story.founded.network.topic, "alice");
        let hers = story.module(&mut alice, "svg-renderer");
        let (_good, say) = story.peer().await;
        said(&say, answer(&[&hers]));
        let before = story.bob.network().await.peers.len();
        let _silent = poison::silent(memory_network::place(&story.bob.mesh), PROTOCOL);
        story.bob.has_peers(before + 1).await;
        let found = search(&story.bob, "svg pictures").await;
        assert_eq!((found.peers_asked, found.peers_answered), (2, 1));
        assert_eq!(names(&found), ["svg-renderer"]);
    });
}

/// Empty as well where no answer is given.
async fn ask(control: &mut Control, peer: PeerId, request: &[u8]) -> Vec<u8> {
    let Ok(mut stream) = control.open_stream(peer, StreamProtocol::new(PROTOCOL)).await else { return Vec::new() };
    if stream.write_all(request).await.is_err() || stream.close().await.is_err() {
        return Vec::new();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    answer
}

fn question(text: &str) -> Vec<u8> {
    Question { text: text.to_owned(), limit: FOUND_MAX as u8, ..Question::default() }.encode()
}

fn names_in(answer: &[u8]) -> Vec<String> {
    let answer = wire::Answer::decode(answer).unwrap();
    answer.found().iter().map(|found| found.name.to_string()).collect()
}

#[test]
fn node_answers_a_bounded_number_of_questions_of_bounded_length() {
    in_one_thread(async {
        let (_founded, _relay, alice) = Founded::with_alice().await;
        publish(&alice, "svg-renderer", "Draws vector graphics into pixels").await;
        let peer = answering_to(memory_network::place(&alice.mesh), PROTOCOL, Say::default());
        alice.has_peers(1).await;
        let mut control = peer.control.clone();
        let her: PeerId = alice.mesh.local_peer_id().to_string().parse().unwrap();

        assert_eq!(names_in(&ask(&mut control, her, &question("vector")).await), ["svg-renderer"]);
        assert_eq!(names_in(&ask(&mut control, her, &question("zzzz")).await), [""; 0]);
        assert!(ask(&mut control, her, &vec![1; QUESTION_MAX_BYTES + 1]).await.is_empty());
        assert_eq!(alice.network().await.rejections, []);
        assert!(ask(&mut control, her, b"what?").await.is_empty());
        let malformed = |(why, _): &(Rejection, u64)| matches!(why, Rejection::Malformed(_));
        assert!(alice.network().await.rejections.iter().any(malformed));
        for _ in 0..ANSWERED {
            ask(&mut control, her, &question("vector")).await;
        }
        assert!(alice.count_of(Rejection::TooManyRequests).await > 0);
        assert!(ask(&mut control, her, &question("vector")).await.is_empty(), "enough is enough");
    });
}

#[test]
fn node_asks_less_than_peers_answer() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        let bob = memory_network::join_narrow(founded.through(&relay), &alice).await;
        for _ in 0..ASKED {
            let found = search(&bob, "any thing").await;
            assert_eq!((found.peers_asked, found.peers_answered), (1, 1));
        }
        assert_eq!(search(&bob, "any thing").await.peers_asked, 0);
        assert_eq!(alice.network().await.rejections, []);
    });
}

#[test]
fn node_names_nothing_that_shows_whom_it_has_to_do_with() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        publish(&alice, "svg-renderer", "Draws vector graphics").await;
        let her: Did = alice.did().await.parse().unwrap();
        let carol = memory_network::join_narrow(founded.through(&relay), &alice).await;
        let follow = NoticeCommand::Follow { subject: format!("person:{her}"), follow: true };
        carol.node.handle(Command::Notices { command: follow }).await.unwrap();
        carol.claim("carol_jones").await.unwrap();
        publish(&carol, "svg-viewer", "Shows vector graphics").await;
        eventually("whom she follows is there", async || carol.module("svg-renderer").await.is_some()).await;
        let peer = answering_to(memory_network::place(&carol.mesh), PROTOCOL, Say::default());
        carol.has_peers(2).await;
        let hers: PeerId = carol.mesh.local_peer_id().to_string().parse().unwrap();
        let mut control = peer.control.clone();
        assert_eq!(names_in(&ask(&mut control, hers, &question("vector")).await), ["svg-viewer"]);
        assert_eq!(search(&carol, "vector pictures").await.peers_asked, 2, "she asks for herself as anybody does");
    });
}
