//! What peers earn, and what a person blocks: over real nodes, real libp2p and a real relay.

use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::block_list::{ENTRIES_MAX, NOTE_MAX_CHARS};
use gen_registry_core::digest::hex;
use gen_registry_core::keys::{Did, Master};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::{ASK_FROM, BEGINNING, KEEP_FROM};
use gen_registry_node::Network;
use gen_registry_node::store::{Store, Table};

use crate::support::liar::liar;
use crate::support::modules::file;
use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::node::WatchedNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

async fn ask(party: &TestNode, command: BlockListCommand) -> Result<Answer, Failure> {
    party.node.handle(Command::BlockList { command }).await
}

async fn decide(party: &TestNode, subject: &str, verdict: Decision) -> Result<BlockListReport, Failure> {
    let decided = ask(party, BlockListCommand::Decide { subject: subject.to_owned(), verdict, note: None }).await?;
    let Answer::BlockList(lists) = decided else { panic!("{decided:?}") };
    Ok(lists)
}

async fn lists(party: &TestNode) -> Vec<(String, Decision)> {
    let Answer::BlockList(report) = ask(party, BlockListCommand::BlockList).await.unwrap() else { panic!("no lists") };
    report.rows.into_iter().map(|row| (row.subject, row.verdict)).collect()
}

async fn modules(party: &TestNode) -> Vec<String> {
    let list = ModuleCommand::List { filter: ModuleFilter::default(), sort: ModuleSort::Name, limit: 50, cursor: None };
    let Answer::Modules(list) = party.node.handle(Command::Modules { command: list }).await.unwrap() else { panic!() };
    list.modules.into_iter().map(|card| card.name).collect()
}

async fn publish(party: &TestNode, name: &str) {
    let draft = Box::new(draft(name, "1.0.0", wasm("answer", 42), &[]));
    party.node.handle(Command::Modules { command: ModuleCommand::Publish { draft } }).await.unwrap();
}

async fn install(party: &TestNode, name: &str) -> Result<Answer, Failure> {
    let requirements = vec![Requirement { name: name.to_owned(), requirement: "*".to_owned() }];
    party.node.handle(Command::Modules { command: ModuleCommand::Install { requirements, accept: Vec::new() } }).await
}

/// Whether a text stands in somebody's changes as they are stored here.
async fn holds(party: &TestNode, owner: &Me, text: &str) -> bool {
    let owner: Did = owner.did.as_ref().unwrap().parse().unwrap();
    let owner = hex(owner.as_bytes());
    for key in party.store.keys(Table::Changes).into_iter().filter(|key| key.starts_with(&owner)) {
        let raw = party.store.get(Table::Changes, &key).await.unwrap().unwrap_or_default();
        if raw.windows(text.len()).any(|window| window == text.as_bytes()) {
            return true;
        }
    }
    false
}

fn did_of(words: &str) -> String {
    Master::from_words(words).unwrap().inception().did(&Network::default().topic).to_string()
}

#[test]
fn reputation_follows_what_peers_do() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let bytes = file(3 * 256 * 1024, 4);
        let (bob, artifact) = WatchedNode::with_file(&network, &bytes).await;
        let alice = WatchedNode::join(network.clone()).await;
        alice.has_peers(1).await;
        let reputation = async || alice.network().await.peers.first().map(|peer| peer.reputation.clone());
        assert_eq!(reputation().await, Some(Reputation::default()), "a stranger stands in the middle");
        alice.fetch(&artifact).await.unwrap();
        let earned = reputation().await.unwrap();
        assert!(earned.score > BEGINNING && !earned.low, "{earned:?}");
        let [ReputationReason { kind: ReputationKind::Served, times: 3, .. }] = earned.reasons[..] else {
            panic!("{earned:?}")
        };

        // It is remembered although both sides went.
        alice.mesh.close();
        alice.life.await.unwrap();
        let again = WatchedNode::join_with(alice.store.restarted(), network.clone()).await;
        again.has_peers(1).await;
        let kept = again.network().await.peers[0].reputation.clone();
        assert_eq!(kept.reasons, earned.reasons);
        assert!((kept.score - earned.score).abs() < 0.001, "{kept:?}");
        drop(bob);
    });
}

/// Alice, and a peer that gives wrong bytes for a file.
struct Deceit {
    alice: WatchedNode,
    liar: WatchedNode,
    artifact: Artifact,
    /// The liar, as a subject.
    of: String,
}

async fn deceit(network: &Network) -> Deceit {
    let bytes = file(256 * 1024, 5);
    let artifact = Artifact::of(&bytes);
    let liar = liar(network, &artifact, &bytes, 7, 1).await;
    let alice = WatchedNode::join(network.clone()).await;
    alice.has_peers(1).await;
    let of = format!("peer:{}", liar.network().await.node.unwrap());
    Deceit { alice, liar, artifact, of }
}

async fn is_lied_to(alice: &WatchedNode, artifact: &Artifact) {
    let (fetching, _) = alice.fetching(artifact);
    eventually("the lie is noticed", async || alice.count_of(Rejection::WrongBlock).await >= 1).await;
    fetching.abort();
}

async fn earned(party: &WatchedNode, of: &str) -> Reputation {
    let command = BlockListCommand::Reputation { of: of.to_owned() };
    match party.node.handle(Command::BlockList { command }).await.unwrap() {
        Answer::Reputation(earned) => earned,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reputation_of_a_liar_falls_and_survives_a_restart() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let Deceit { alice, liar, artifact, of } = deceit(&network).await;
        is_lied_to(&alice, &artifact).await;
        assert_eq!(alice.count_of(Rejection::WrongBlock).await, 1, "and no more");
        let fallen = earned(&alice, &of).await;
        assert!(fallen.low && fallen.score < KEEP_FROM && fallen.score < ASK_FROM, "{fallen:?}");
        assert_eq!(fallen.reasons.iter().map(|reason| reason.kind).collect::<Vec<_>>(), [ReputationKind::False]);
        eventually("it is gone", async || alice.network().await.peers.is_empty()).await;

        alice.mesh.close();
        alice.life.await.unwrap();
        let again = WatchedNode::join_with(alice.store.restarted(), network.clone()).await;
        assert!(earned(&again, &of).await.score < KEEP_FROM, "remembered");
        drop(liar);
    });
}

#[test]
fn blocked_person_is_not_listed_and_their_modules_not_installed() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        alice.claim("alice").await.unwrap();
        bob.claim("mallory").await.unwrap();
        publish(&bob, "shady").await;
        publish(&bob, "useful").await;
        alice.sees("mallory").await;
        eventually("both modules are there", async || modules(&alice).await.len() == 2).await;
        let person = format!("person:{}", bob.me().await.did.unwrap());

        let report = decide(&alice, &person, Decision::Block).await.unwrap();
        assert_eq!((report.rows[0].username.as_deref(), report.shared), (Some("mallory"), true));
        assert_eq!(alice.people().await, ["alice"]);
        assert!(alice.look_up("mallory").await.holder.is_some(), "the name stays theirs");
        assert_eq!(modules(&alice).await, [""; 0]);
        assert_eq!(install(&alice, "useful").await.unwrap_err().code, FailureCode::Blocked);

        decide(&alice, "module:useful", Decision::Allow).await.unwrap();
        assert_eq!(modules(&alice).await, ["useful"]);
        install(&alice, "useful").await.unwrap();
        assert_eq!(install(&alice, "shady").await.unwrap_err().code, FailureCode::Blocked);

        decide(&alice, &person, Decision::Neither).await.unwrap();
        assert_eq!(alice.people().await, ["alice", "mallory"]);
        install(&alice, "shady").await.unwrap();
    });
}

#[test]
fn blocked_peer_is_disconnected_and_not_readmitted() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        alice.has_peers(1).await;
        let peer = format!("peer:{}", bob.network().await.node.unwrap());
        decide(&alice, &peer, Decision::Block).await.unwrap();
        eventually("it is gone", async || alice.network().await.peers.is_empty()).await;
        let store = alice.leave().await;
        bob.claim("bob").await.unwrap();
        let carol = TestNode::join(network.clone()).await;
        // Before Alice comes back: her first comparison with Carol brings her the name.
        carol.sees("bob").await;
        let alice = TestNode::join_with(store, network).await;
        assert_eq!(lists(&alice).await, [(peer.clone(), Decision::Block)]);
        let carols = carol.network().await.node.unwrap();
        eventually("she meets Carol and nobody else", async || {
            let peers = alice.network().await.peers;
            peers.iter().map(|met| &met.id).eq([&carols]) && bob.network().await.peers.len() == 1
        })
        .await;
        assert!(alice.network().await.rejections.is_empty(), "to be blocked is no fault");
        // What is everybody's comes through others.
        alice.sees("bob").await;
    });
}

#[test]
fn lists_reach_the_persons_other_device_sealed() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let first = TestNode::join(network.clone()).await;
        let stranger = TestNode::join(network.clone()).await;
        first.claim("alice").await.unwrap();
        stranger.claim("mallory").await.unwrap();
        let mallory = stranger.me().await.did.unwrap();
        let person = format!("person:{mallory}");
        let note = "spam, spam and spam".to_owned();
        let decided = BlockListCommand::Decide { subject: person.clone(), verdict: Decision::Block, note: Some(note) };
        ask(&first, decided).await.unwrap();
        let Answer::RecoveryPhrase(phrase) = first.node.handle(Command::RecoveryPhrase).await.unwrap() else {
            panic!()
        };

        let second = TestNode::join(network).await;
        second.has_peers(2).await;
        second.node.handle(Command::RestoreFromPhrase { phrase: phrase.clone(), unheard: false }).await.unwrap();
        assert_eq!(second.me().await.did, Some(did_of(&phrase)));
        second.sees("alice").await;
        let blocked = [(person.clone(), Decision::Block)];
        eventually("the second device blocks, too", async || lists(&second).await == blocked).await;
        assert!(!second.people().await.contains(&"mallory".to_owned()));

        // Taken back there, taken back here.
        decide(&second, &person, Decision::Neither).await.unwrap();
        eventually("the first device hears of it", async || lists(&first).await.is_empty()).await;

        let alice = first.me().await;
        // The stranger carries the document and can't tell what is in it.
        stranger.sees("alice").await;
        assert!(holds(&stranger, &alice, "private/").await, "it has come");
        for secret in ["spam, spam", mallory.as_str()] {
            assert!(!holds(&stranger, &alice, secret).await, "{secret}");
        }
    });
}

#[test]
fn list_rejects_invalid_and_excess_entries() {
    in_one_thread(async {
        let alone = TestNode::join(gen_registry_node::Network::default()).await;
        for nobody in ["", "mallory", "person:mallory", "peer:a b", "module:a/b"] {
            let refused = decide(&alone, nobody, Decision::Block).await.unwrap_err();
            assert_eq!(refused.code, FailureCode::InvalidArgument, "{nobody}");
        }
        let note = Some("x".repeat(NOTE_MAX_CHARS + 1));
        let long = BlockListCommand::Decide { subject: "module:left-pad".to_owned(), verdict: Decision::Block, note };
        assert_eq!(ask(&alone, long).await.unwrap_err().code, FailureCode::InvalidArgument);
        for number in 0..ENTRIES_MAX {
            decide(&alone, &format!("module:m{number}"), Decision::Block).await.unwrap();
        }
        assert!(decide(&alone, "module:more", Decision::Block).await.is_err());
        decide(&alone, "module:m7", Decision::Neither).await.unwrap();
        decide(&alone, "module:more", Decision::Block).await.unwrap();
        alone.claim("alice").await.unwrap();
        let own = format!("person:{}", alone.me().await.did.unwrap());
        assert!(decide(&alone, &own, Decision::Block).await.is_err(), "nobody blocks themselves");
    });
}

#[test]
fn damaged_lists_are_restored_from_the_document() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        let decided = decide(&alice, "module:left-pad", Decision::Block).await.unwrap().rows;
        let store = alice.leave().await;
        assert!(store.tamper(Table::Settings, "lists", |raw| *raw.last_mut().unwrap() ^= 1), "they were kept");

        let alice = TestNode::join_with(store, network).await;
        let Answer::Status(status) = alice.node.handle(Command::Status).await.unwrap() else { panic!("no status") };
        let aside: Vec<(&str, &str)> =
            status.quarantined.iter().map(|record| (record.table.as_str(), record.key.as_str())).collect();
        assert_eq!(aside, [("settings", "lists")]);
        let kept = [(decided[0].subject.clone(), Decision::Block)];
        eventually("the sealed copy brings them back", async || lists(&alice).await == kept).await;
    });
}

#[test]
fn trusted_peer_is_neither_banned_nor_marked() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let Deceit { alice, liar, artifact, of } = deceit(&network).await;
        let trust = BlockListCommand::Decide { subject: of.clone(), verdict: Decision::Allow, note: None };
        alice.node.handle(Command::BlockList { command: trust }).await.unwrap();
        is_lied_to(&alice, &artifact).await;
        let earned = earned(&alice, &of).await;
        assert!(earned.score < KEEP_FROM && !earned.low, "the number is as for anybody: {earned:?}");
        // Banning closes the connection; what is claimed now still comes over it.
        liar.claim("liar").await.unwrap();
        alice.sees("liar").await;
        let peers = alice.network().await.peers;
        assert!(peers.len() == 1 && peers[0].trusted, "{peers:?}");
    });
}

#[test]
fn only_news_of_chosen_people_raise_a_reputation_and_once_a_day() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        let learn = async |name: &str| {
            let changes = ProfileChanges { display_name: Some(name.to_owned()), ..ProfileChanges::default() };
            alice.node.handle(Command::UpdateProfile { changes }).await.unwrap();
            eventually("the change arrives", async || {
                let list = Command::ListUsernames { prefix: String::new(), limit: 9, cursor: None };
                let Answer::People(page) = bob.node.handle(list).await.unwrap() else { panic!("no list") };
                page.people.iter().any(|entry| entry.person.display_name.as_deref() == Some(name))
            })
            .await;
        };
        alice.claim("alice").await.unwrap();
        learn("one").await;
        let person = format!("person:{}", alice.me().await.did.unwrap());
        let peer = format!("peer:{}", bob.network().await.peers[0].id);
        let earned = async |of: &str| {
            let ask_for = BlockListCommand::Reputation { of: of.to_owned() };
            let Answer::Reputation(earned) = ask(&bob, ask_for).await.unwrap() else { panic!("no reputation") };
            (earned.score, earned.reasons.iter().map(|reason| (reason.kind, reason.times)).collect::<Vec<_>>())
        };
        for of in [&person, &peer] {
            assert_eq!(earned(of).await, (BEGINNING, vec![]), "nobody asked for it");
        }

        let follow = NoticeCommand::Follow { subject: person.clone(), follow: true };
        bob.node.handle(Command::Notices { command: follow }).await.unwrap();
        for name in ["two", "three", "four"] {
            learn(name).await;
        }
        for of in [&person, &peer] {
            let (score, reasons) = earned(of).await;
            assert_eq!(reasons, [(ReputationKind::Brought, 1)]);
            assert!(score > BEGINNING, "{score}");
        }
    });
}

#[test]
fn damaged_presence_record_keeps_the_person_invisible() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        let hide = Command::Chat { command: ChatCommand::SetInvisible { invisible: true } };
        alice.node.handle(hide).await.unwrap();
        let store = alice.leave().await;
        assert!(store.tamper(Table::Settings, "presence", |raw| *raw.last_mut().unwrap() ^= 1), "it was kept");

        let alice = TestNode::join_with(store, network).await;
        let users = Command::Chat { command: ChatCommand::Users };
        let Answer::Online(report) = alice.node.handle(users).await.unwrap() else { panic!("nobody") };
        assert!(report.invisible && !report.visible, "{report:?}");
        let Answer::Status(status) = alice.node.handle(Command::Status).await.unwrap() else { panic!("no status") };
        assert!(status.quarantined.iter().any(|record| record.key == "presence"), "{:?}", status.quarantined);
    });
}
