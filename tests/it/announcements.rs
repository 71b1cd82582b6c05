//! Following people, modules and tags: what is told, to whom, and once.

use std::cell::RefCell;
use std::rc::Rc;

use gen_registry_api::*;

use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

async fn follow(party: &TestNode, subject: &str) -> Result<Answer, Failure> {
    let command = NoticeCommand::Follow { subject: subject.to_owned(), follow: true };
    party.node.handle(Command::Notices { command }).await
}

async fn notices(party: &TestNode) -> NoticeList {
    match party.node.handle(Command::Notices { command: NoticeCommand::List }).await.unwrap() {
        Answer::Notices(list) => list,
        other => panic!("{other:?}"),
    }
}

/// What was told, the oldest first: kind, module and version or text.
async fn told(party: &TestNode) -> Vec<(NoticeKind, String)> {
    let mut notices = notices(party).await.notices;
    notices.reverse();
    let words = |notice: Notice| [notice.module, notice.version, notice.text].into_iter().flatten().collect::<Vec<_>>();
    notices.into_iter().map(|notice| (notice.kind, words(notice).join(" "))).collect()
}

async fn publish(party: &TestNode, name: &str, version: &str, tags: &[&str]) {
    let mut draft = draft(name, version, wasm("answer", version.len() as i32), &[]);
    draft.details.tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    ask(party, ModuleCommand::Publish { draft: Box::new(draft) }).await;
}

async fn ask(party: &TestNode, command: ModuleCommand) -> Answer {
    party.node.handle(Command::Modules { command }).await.unwrap()
}

async fn knows(party: &TestNode, name: &str, version: &str) {
    eventually("the version has come", async || {
        let Answer::Module(page) = ask(party, ModuleCommand::Page { name: name.to_owned() }).await else { panic!() };
        page.is_some_and(|page| page.versions.iter().any(|entry| entry.summary.version == version))
    })
    .await;
}

#[test]
fn follower_gets_one_notice_and_others_none() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        let carol = TestNode::join(network.clone()).await;
        bob.claim("bob").await.unwrap();
        publish(&bob, "before", "1.0.0", &[]).await;
        knows(&alice, "before", "1.0.0").await;

        let events = Rc::<RefCell<Vec<String>>>::default();
        let heard = events.clone();
        alice.node.subscribe(Rc::new(move |event| {
            if let Event::Announcement { notice } = event {
                heard.borrow_mut().push(notice.module.clone().unwrap_or_default());
            }
        }));
        follow(&alice, "module:crc").await.unwrap();
        follow(&alice, "tag:math").await.unwrap();
        assert_eq!(told(&alice).await, [], "what was there before is no news");
        publish(&bob, "crc", "1.0.0", &["checks"]).await;
        publish(&bob, "adder", "1.0.0", &["math"]).await;
        publish(&bob, "other", "1.0.0", &["text"]).await;
        knows(&alice, "other", "1.0.0").await;
        knows(&carol, "other", "1.0.0").await;
        let release = |what: &str| (NoticeKind::Release, what.to_owned());
        assert_eq!(told(&alice).await, [release("crc 1.0.0"), release("adder 1.0.0")]);
        assert_eq!(*events.borrow(), ["crc", "adder"]);
        assert_eq!(told(&carol).await, [], "Carol follows nothing");

        // It is kept, and not told again.
        eventually("it is kept", async || {
            alice.node.handle(Command::Notices { command: NoticeCommand::MarkRead { ids: vec![0] } }).await.unwrap();
            notices(&alice).await.unread == 1
        })
        .await;
        let alice = TestNode::join_with(alice.leave().await, network).await;
        alice.has_peers(1).await;
        publish(&bob, "crc", "1.1.0", &["checks"]).await;
        knows(&alice, "crc", "1.1.0").await;
        assert_eq!(told(&alice).await, [release("crc 1.0.0"), release("adder 1.0.0"), release("crc 1.1.0")]);
        assert_eq!(notices(&alice).await.unread, 2);
    });
}

#[test]
fn followed_person_makes_notices_and_a_blocked_one_none() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        bob.claim("bob").await.unwrap();
        alice.sees("bob").await;
        let person = format!("person:{}", bob.me().await.did.unwrap());
        follow(&alice, &person).await.unwrap();
        bob.node.handle(Command::Rename { name: "robert".to_owned() }).await.unwrap();
        publish(&bob, "crc", "1.0.0", &[]).await;
        knows(&alice, "crc", "1.0.0").await;
        let expected = [
            (NoticeKind::Username, "robert".to_owned()),
            (NoticeKind::ModuleName, "crc".to_owned()),
            (NoticeKind::Release, "crc 1.0.0".to_owned()),
        ];
        let mut heard = told(&alice).await;
        heard.sort_by_key(|(kind, _)| expected.iter().position(|(known, _)| known == kind));
        assert_eq!(heard, expected);
        let block = BlockListCommand::Decide { subject: person, verdict: Decision::Block, note: None };
        alice.node.handle(Command::BlockList { command: block }).await.unwrap();
        publish(&bob, "crc", "2.0.0", &[]).await;
        knows(&alice, "crc", "2.0.0").await;
        assert_eq!(told(&alice).await.len(), 3);
    });
}

#[test]
fn installed_module_makes_notices_of_yanks_and_advice() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        bob.claim("bob").await.unwrap();
        publish(&bob, "crc", "1.0.0", &[]).await;
        knows(&alice, "crc", "1.0.0").await;
        let requirements = vec![Requirement { name: "crc".to_owned(), requirement: "*".to_owned() }];
        ask(&alice, ModuleCommand::Install { requirements, accept: Vec::new() }).await;
        let (name, version) = ("crc".to_owned(), "1.0.0".to_owned());
        let reason = Some("wrong for empty input".to_owned());
        ask(&bob, ModuleCommand::Yank { name: name.clone(), version, reason }).await;
        let changes = ModulePatch { deprecated: Some("use crc32".to_owned()), ..ModulePatch::default() };
        ask(&bob, ModuleCommand::Describe { name, changes }).await;
        let expected = [
            (NoticeKind::Yank, "crc 1.0.0 wrong for empty input".to_owned()),
            (NoticeKind::Advisory, "crc use crc32".to_owned()),
        ];
        eventually("both are told", async || told(&alice).await == expected).await;
    });
}

#[test]
fn following_an_invalid_subject_fails_with_a_reason() {
    in_one_thread(async {
        let alone = TestNode::join(gen_registry_node::Network::default()).await;
        for nothing in ["", "tag:", "tag:Two Words", "person:bob", "module:a/b", "planet:mars"] {
            let refused = follow(&alone, nothing).await.unwrap_err();
            assert_eq!(refused.code, FailureCode::InvalidArgument, "{nothing}");
        }
    });
}
