//! Channels: names, words, clocks and logs.

use std::time::Duration;

use super::history::{HISTORY_MAX, Log};
use super::hybrid_clock::{DRAWN_MAX, HybridClock, HybridTime};
use super::*;
use crate::actors::Device;
use crate::limits::CLOCK_SKEW;
use crate::time::Timestamp;

const TOPIC: Topic = Topic::from_bytes([7; 32]);

fn person(name: &str) -> Device {
    Device::of(TOPIC, name)
}

fn at(millis: u64, count: u32) -> HybridTime {
    HybridTime { wall: Timestamp::from_millis(millis), count }
}

fn message(author: &Device, millis: u64, text: &str) -> SignedMessage {
    let body = Body::Said(SaidText::new(text).expect("a text"));
    author.author(Message { channel: "#general".parse().expect("a channel"), at: at(millis, 0), body })
}

#[test]
fn parses_every_spelling_of_a_channel_to_one_name() {
    for (text, name) in [("general", "#general"), ("#General", "#general"), ("#module/Left-Pad", "#module/left-pad")] {
        assert_eq!(text.parse::<ChannelName>().expect("a channel").to_string(), name);
    }
    for bad in ["", "#", "##general", "#a b", "#module/", "#module/a/b", "#1st", &"a".repeat(200)] {
        assert!(bad.parse::<ChannelName>().is_err(), "{bad}");
    }
    let [module, plain] = ["#module/qr", "#qr"].map(|text| text.parse::<ChannelName>().expect("a channel"));
    assert_eq!(module.module().map(ToString::to_string).as_deref(), Some("qr"));
    assert_eq!(plain.module(), None);
    assert_ne!(module.digest(&TOPIC), plain.digest(&TOPIC));
    assert_ne!(plain.digest(&TOPIC), plain.digest(&Topic::from_bytes([8; 32])), "other networks, other gossip");
}

#[test]
fn rejects_texts_beyond_their_bounds() {
    assert!(SaidText::new(&"ü".repeat(SAID_MAX_CHARS)).is_ok());
    let found = SAID_MAX_CHARS + 1;
    assert_eq!(SaidText::new(&"ü".repeat(found)), Err(TextError::TooLong { most: SAID_MAX_CHARS, found }));
    assert_eq!(SaidText::new(" \n "), Err(TextError::Empty));
    assert_eq!(SaidText::new("a\u{7}"), Err(TextError::Control));
    assert!(SaidText::new("a\nb").is_ok());
    assert!(TopicLine::new(&"x".repeat(TOPIC_LINE_MAX_CHARS)).is_ok());
    assert!(TopicLine::new(&"x".repeat(TOPIC_LINE_MAX_CHARS + 1)).is_err());
    assert_eq!(TopicLine::new("a\nb"), Err(TextError::Control));
    assert!(TopicLine::new("").is_ok(), "takes the line away");
}

#[test]
fn finds_mentions_of_whole_names_only() {
    let text = |text| SaidText::new(text).expect("a text");
    for there in ["@ann", "hi @Ann!", "(@ann)", "well, @ann.", "@bob @ann: hello"] {
        assert!(text(there).mentions("ann"), "{there}");
    }
    for not in ["ann", "@anna", "@ann-lee", "@ann.lee", "me@ann", "@an"] {
        assert!(!text(not).mentions("ann"), "{not}");
    }
}

#[test]
fn decodes_messages_and_rejects_changed_ones() {
    let message = message(&person("alice"), 5, "hello\nworld");
    let bytes = message.encode();
    assert_eq!(SignedMessage::verify(&bytes, &TOPIC).expect("it is true"), message);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(SignedMessage::verify(&changed, &TOPIC).is_err(), "{at}");
    }
    let longest = Message {
        channel: format!("#module/{}", "a".repeat(64)).parse().expect("a channel"),
        at: at(5, u32::MAX),
        body: Body::Said(SaidText::new(&"𝄞".repeat(SAID_MAX_CHARS)).expect("a text")),
    };
    assert!(person("alice").author(longest).encode().len() <= MESSAGE_MAX_BYTES);
}

#[test]
fn dates_an_answer_after_its_question_when_clocks_differ() {
    let (mut fast, mut slow) = (HybridClock::default(), HybridClock::default());
    let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_900));
    let question = fast.tick(late);
    slow.observe(question, early).expect("it is not ahead");
    let answer = slow.tick(early);
    assert!(answer > question);
    assert!(slow.tick(early) > answer, "and so does the next word");
    let ahead = HybridTime { wall: early.plus(CLOCK_SKEW).plus(Duration::from_millis(1)), count: 0 };
    assert!(slow.observe(ahead, early).is_err());
    assert!(slow.observe(HybridTime { wall: early.plus(CLOCK_SKEW), count: 0 }, early).is_ok());
}

/// Somebody dates their messages as far ahead as they are taken, again and again.
#[test]
fn nobody_draws_a_clock_far_ahead() {
    let mut clock = HybridClock::default();
    for second in 0..600 {
        let now = Timestamp::from_millis(second * 1_000);
        clock.observe(HybridTime { wall: now.plus(CLOCK_SKEW), count: u32::MAX }, now).expect("it is taken");
        let own = clock.tick(now);
        assert!(own.wall <= now.plus(DRAWN_MAX), "{second}");
        // Somebody whose clock is late takes the answer.
        own.check(Timestamp::from_millis((second * 1_000).saturating_sub(240_000))).expect("it is not too far ahead");
    }
}

#[test]
fn log_keeps_the_newest_topic_line() {
    let line = |millis, text: &str| {
        let body = Body::TopicLine(TopicLine::new(text).expect("a line"));
        person("alice").author(Message { channel: "#general".parse().expect("a channel"), at: at(millis, 0), body })
    };
    let mut log = Log::default();
    log.put(line(50, "new"));
    log.put(line(10, "old"));
    for n in 0..HISTORY_MAX as u64 + 5 {
        log.put(message(&person("bob"), 60_000 * (n + 1), "word"));
    }
    assert_eq!(log.topic_line().map(|line| line.statement().at.wall.as_millis()), Some(50));
    assert!(!log.put(line(50, "new")).new, "it is known though it left the messages");
}
