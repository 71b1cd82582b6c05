//! Channels over real libp2p nodes: what is said arrives once and in one order, late comers get it, and floods end.

use std::cell::RefCell;
use std::rc::Rc;

use gen_registry_api::*;
use gen_registry_core::chat::{SAID_MAX_CHARS, TOPIC_LINE_MAX_CHARS};
use gen_registry_core::sync::chat::rates::OWN_WORDS_BURST;
use gen_registry_node::Node;
use gen_registry_node::store::{StoreError, Table};

use crate::presence::three;
use crate::support::clock::ShiftedClock;
use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::wait::{eventually, in_one_thread};

impl TestNode {
    async fn says(&self, channel: &str, text: &str) -> Result<ChatMessage, Failure> {
        let (channel, text) = (channel.to_owned(), text.to_owned());
        match self.talk(ChatCommand::Say { channel, text }).await? {
            Answer::Said(message) => Ok(message),
            other => panic!("{other:?}"),
        }
    }

    async fn page_of(&self, channel: &str, before: Option<String>, limit: u32) -> Result<MessagePage, Failure> {
        match self.talk(ChatCommand::Messages { channel: channel.to_owned(), before, limit }).await? {
            Answer::Messages(page) => Ok(*page),
            other => panic!("{other:?}"),
        }
    }

    async fn reads(&self, channel: &str) -> Vec<String> {
        let page = self.page_of(channel, None, 200).await.unwrap();
        page.messages.into_iter().map(|message| message.text).collect()
    }

    async fn hears(&self, channel: &str, texts: &[&str]) {
        eventually(&format!("{texts:?} in {channel}"), async || self.reads(channel).await == texts).await;
    }

    async fn entry(&self, channel: &str) -> ChannelEntry {
        match self.talk(ChatCommand::Channels).await.unwrap() {
            Answer::Channels(all) => all.into_iter().find(|entry| entry.channel == channel).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn three_members_read_the_same_messages() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, carol]) = three(&clock).await;
        let outside = alice.says("#general", "is anybody here?").await.unwrap_err();
        assert_eq!(outside.code, FailureCode::NotInChannel);
        for party in [&alice, &bob, &carol] {
            party.joins("#general").await;
        }
        for party in [&alice, &bob, &carol] {
            party.finds_in("#general", &["alice", "bob", "carol"]).await;
        }
        alice.says("#general", "hello").await.unwrap();
        bob.hears("#general", &["hello"]).await;
        bob.says("general", "hello @alice,\nhow are you?").await.unwrap();
        carol.hears("#general", &["hello", "hello @alice,\nhow are you?"]).await;
        carol.says("#general", "good evening").await.unwrap();
        for party in [&alice, &bob, &carol] {
            party.hears("#general", &["hello", "hello @alice,\nhow are you?", "good evening"]).await;
        }
        let page = alice.page_of("#general", None, 50).await.unwrap();
        let authors: Vec<_> = page.messages.iter().map(|said| said.person.username.as_deref().unwrap()).collect();
        assert_eq!(authors, ["alice", "bob", "carol"]);
        assert_eq!(page.messages.iter().map(|said| said.mentions_me).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(alice.network().await.rejections, [], "nobody broke a rule");
    });
}

#[test]
fn unread_messages_are_counted_and_mentions_in_muted_channels_too() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, _carol]) = three(&clock).await;
        for party in [&alice, &bob] {
            party.joins("#general").await;
        }
        bob.says("#general", "one").await.unwrap();
        bob.says("#general", "two, @alice").await.unwrap();
        alice.hears("#general", &["one", "two, @alice"]).await;
        let entry = alice.entry("#general").await;
        assert_eq!((entry.unread, entry.mentions, entry.joined, entry.muted), (2, 1, true, false));
        assert_eq!(bob.entry("#general").await.unread, 0, "own words are read");
        alice.talk(ChatCommand::MarkRead { channel: "#general".to_owned() }).await.unwrap();
        assert_eq!(alice.entry("#general").await.unread, 0);
        alice.talk(ChatCommand::Mute { channel: "#general".to_owned(), muted: true }).await.unwrap();
        bob.says("#general", "three").await.unwrap();
        bob.says("#general", "four @Alice!").await.unwrap();
        eventually("the mention counts", async || alice.entry("#general").await.mentions == 1).await;
        assert_eq!(alice.entry("#general").await.unread, 1, "and nothing else does");
    });
}

#[test]
fn messages_of_blocked_people_are_hidden() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, carol]) = three(&clock).await;
        for party in [&alice, &bob, &carol] {
            party.joins("#general").await;
        }
        carol.says("#general", "buy this").await.unwrap();
        let line = ChatCommand::SetTopicLine { channel: "#general".to_owned(), text: "Only Carol's".to_owned() };
        carol.talk(line).await.unwrap();
        bob.says("#general", "hello").await.unwrap();
        let shown = async || {
            let entry = alice.entry("#general").await;
            (alice.reads("#general").await.len(), entry.topic_line.is_some(), entry.members, entry.unread)
        };
        eventually("alice has it all", async || shown().await == (3, true, 3, 2)).await;
        let heard: Rc<RefCell<Vec<Event>>> = Rc::default();
        let listener = heard.clone();
        Node::subscribe(&alice.node, Rc::new(move |event: &Event| listener.borrow_mut().push(event.clone())));
        let block =
            |did: &str, verdict| BlockListCommand::Decide { subject: format!("person:{did}"), verdict, note: None };
        let carol_did = carol.me().await.did.unwrap();
        alice.node.handle(Command::BlockList { command: block(&carol_did, Decision::Block) }).await.unwrap();
        assert_eq!(shown().await, (1, false, 2, 1));
        assert_eq!(alice.in_channel("#general").await, ["alice", "bob"]);
        carol.talk(ChatCommand::Leave { username: None, channel: "#general".to_owned() }).await.unwrap();
        bob.finds_in("#general", &["alice", "bob"]).await;
        bob.says("#general", "is she gone?").await.unwrap();
        alice.hears("#general", &["hello", "is she gone?"]).await;
        let of_carol = |event: &Event| matches!(event, Event::Presence { did, .. } if *did == carol_did);
        assert!(!heard.borrow().iter().any(of_carol), "nor is told of");
        alice.node.handle(Command::BlockList { command: block(&carol_did, Decision::Neither) }).await.unwrap();
        assert_eq!(alice.reads("#general").await.len(), 4, "nothing of hers was lost");
    });
}

/// While somebody is blocked, nothing that they say or write costs any storage; afterwards it comes.
#[test]
fn what_blocked_people_said_comes_once_they_are_blocked_no_more() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, carol]) = three(&clock).await;
        for party in [&alice, &bob, &carol] {
            party.joins("#general").await;
        }
        for party in [&alice, &bob, &carol] {
            party.finds_in("#general", &["alice", "bob", "carol"]).await;
        }
        let did = carol.me().await.did.unwrap();
        let decide = async |verdict| {
            let command = BlockListCommand::Decide { subject: format!("person:{did}"), verdict, note: None };
            alice.node.handle(Command::BlockList { command }).await.unwrap();
        };
        let writes = async |bio: &str| {
            let changes = ProfileChanges { bio: Some(bio.to_owned()), ..ProfileChanges::default() };
            carol.node.handle(Command::UpdateProfile { changes }).await.unwrap();
        };
        let read_by = async |party: &TestNode| match party.node.handle(Command::Person { did: did.clone() }).await {
            Ok(Answer::Person(person)) => person.and_then(|person| person.profile.bio),
            other => panic!("{other:?}"),
        };
        decide(Decision::Block).await;
        writes("Sells things").await;
        carol.says("#general", "buy this").await.unwrap();
        bob.hears("#general", &["buy this"]).await;
        eventually("bob reads it", async || read_by(&bob).await.is_some()).await;
        bob.says("#general", "hello").await.unwrap();
        alice.hears("#general", &["hello"]).await;
        eventually("it is stored", async || !alice.store.keys(Table::Messages).is_empty()).await;
        assert_eq!(alice.store.keys(Table::Messages).len(), 1, "hers is not");
        assert_eq!(read_by(&alice).await, None);

        decide(Decision::Neither).await;
        alice.hears("#general", &["buy this", "hello"]).await;
        // The next comparison finds what she wrote; so does the next news of her.
        writes("Sells good things").await;
        eventually("her document comes", async || read_by(&alice).await.as_deref() == Some("Sells good things")).await;
    });
}

#[test]
fn late_and_returning_members_get_the_history() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, network, [alice, bob, carol]) = three(&clock).await;
        alice.joins("#general").await;
        let set = ChatCommand::SetTopicLine { channel: "#general".to_owned(), text: "all and nothing".to_owned() };
        alice.talk(set).await.unwrap();
        alice.says("#general", "before anybody came").await.unwrap();
        bob.finds_in("#general", &["alice"]).await;
        bob.joins("#general").await;
        bob.hears("#general", &["all and nothing", "before anybody came"]).await;
        assert_eq!(bob.entry("#general").await.topic_line.as_deref(), Some("all and nothing"));

        let bobs = bob.leave().await;
        alice.says("#general", "while bob was away").await.unwrap();
        let bob = TestNode::join_on(Rc::new(clock.clone()), bobs, network.clone()).await;
        let all = ["all and nothing", "before anybody came", "while bob was away"];
        bob.hears("#general", &all).await;
        // Alice goes; what she said is still told by those who heard it.
        let alices = alice.leave().await;
        carol.finds_in("#general", &["bob"]).await;
        carol.joins("#general").await;
        carol.hears("#general", &all).await;
        // Alone, and yet nothing is lost.
        let alone = through(&network, vec![]);
        let alice = TestNode::join_on(Rc::new(clock), alices, alone).await;
        assert_eq!(alice.reads("#general").await, all);
        assert_eq!(alice.entry("#general").await.topic_line.as_deref(), Some("all and nothing"));
        let leave = ChatCommand::Leave { username: None, channel: "#general".to_owned() };
        alice.talk(leave).await.unwrap();
        assert_eq!(alice.page_of("#general", None, 5).await.unwrap_err().code, FailureCode::NotInChannel);
    });
}

#[test]
fn message_pages_reach_the_first_message() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, ..]) = three(&clock).await;
        alice.joins("#module/left-pad").await;
        assert_eq!(alice.entry("#module/left-pad").await.module.as_deref(), Some("left-pad"));
        for n in 0..OWN_WORDS_BURST {
            alice.says("#module/left-pad", &format!("word {n}")).await.unwrap();
        }
        let mut before = None;
        let mut read = Vec::new();
        loop {
            let page = alice.page_of("#module/left-pad", before, 4).await.unwrap();
            read.splice(0..0, page.messages.into_iter().map(|message| message.text));
            before = page.before;
            if before.is_none() {
                break;
            }
        }
        let said: Vec<String> = (0..OWN_WORDS_BURST).map(|n| format!("word {n}")).collect();
        assert_eq!(read, said);
    });
}

#[test]
fn resent_message_is_posted_once_and_no_document_contains_it() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, _carol]) = three(&clock).await;
        let before = (alice.me().await.changes, alice.me().await.document_bytes);
        for party in [&alice, &bob] {
            party.joins("#general").await;
        }
        let ask = ChatCommand::Say { channel: "#general".to_owned(), text: "once".to_owned() };
        let mut answers = Vec::new();
        for _ in 0..2 {
            // As when the writing tab changed before its answer came.
            let again = Command::Chat { command: ask.clone() };
            answers.push(alice.node.handle_once(Some("the same".to_owned()), again).await.unwrap());
        }
        assert_eq!(answers[0], answers[1]);
        alice.says("#general", "twice").await.unwrap();
        bob.hears("#general", &["once", "twice"]).await;
        assert_eq!((alice.me().await.changes, alice.me().await.document_bytes), before);
    });
}

#[test]
fn message_size_and_rate_are_limited() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, _carol]) = three(&clock).await;
        for party in [&alice, &bob] {
            party.joins("#general").await;
        }
        for bad in ["", " \n", &"x".repeat(SAID_MAX_CHARS + 1), "a\u{0}b"] {
            assert_eq!(alice.says("#general", bad).await.unwrap_err().code, FailureCode::TextInvalid);
        }
        let line = |text: String| ChatCommand::SetTopicLine { channel: "#general".to_owned(), text };
        let long = alice.talk(line("x".repeat(TOPIC_LINE_MAX_CHARS + 1))).await.unwrap_err();
        assert_eq!(long.code, FailureCode::TextInvalid);
        let bad = ChatCommand::Join { username: None, channel: "#a b".to_owned() };
        assert_eq!(alice.talk(bad).await.unwrap_err().code, FailureCode::ChannelInvalid);
        let longest = "x".repeat(SAID_MAX_CHARS);
        alice.says("#general", &longest).await.unwrap();
        bob.hears("#general", &[&longest]).await;
        let mut said = 1;
        let refused = loop {
            match alice.says("#general", &format!("word {said}")).await {
                Ok(_) => said += 1,
                Err(failure) => break failure,
            }
            assert!(said < 3 * OWN_WORDS_BURST, "there is an end to it");
        };
        assert_eq!(refused.code, FailureCode::TooFast);
    });
}

#[test]
fn messages_that_the_store_refused_are_stored_later() {
    in_one_thread(async {
        let clock = ShiftedClock::default();
        let (_relay, _, [alice, bob, _carol]) = three(&clock).await;
        for party in [&alice, &bob] {
            party.joins("#general").await;
        }
        bob.finds_in("#general", &["alice", "bob"]).await;
        alice.store.fail_commits(Some(StoreError::Full));
        bob.says("#general", "one").await.unwrap();
        alice.hears("#general", &["one"]).await;
        assert_eq!(alice.store.keys(Table::Messages), [""; 0], "the disk is full");
        alice.store.fail_commits(None);
        bob.says("#general", "two").await.unwrap();
        alice.hears("#general", &["one", "two"]).await;
        eventually("both are stored", async || alice.store.keys(Table::Messages).len() == 2).await;
    });
}
