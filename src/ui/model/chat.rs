//! Messages as lines of a list, and the marks within their text.

use gen_registry_api::{ChannelEntry, ChatMessage};

/// Messages of one author within this time stand together.
const TOGETHER_MILLIS: u64 = 5 * 60 * 1_000;

/// A line of the list of messages.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatLine {
    /// Everything below was posted on this day.
    Day(String),
    /// `continues`: it follows another one of the same author, whose head is enough for both.
    Message { message: ChatMessage, continues: bool },
}

impl ChatLine {
    /// Changes when the line has to be rendered again.
    pub fn key(&self) -> String {
        match self {
            Self::Day(day) => day.clone(),
            Self::Message { message, continues } => {
                format!("{} {continues} {:?} {:?}", message.id, message.person.username, message.person.avatar)
            }
        }
    }
}

/// The messages with a line before each new day. `format_day` names the day of a time in milliseconds.
pub fn with_days(messages: &[ChatMessage], format_day: impl Fn(u64) -> String) -> Vec<ChatLine> {
    let mut lines: Vec<ChatLine> = Vec::new();
    let mut last: Option<(&ChatMessage, String)> = None;
    for message in messages {
        let day = format_day(message.at);
        let same_day = last.as_ref().is_some_and(|(_, before)| *before == day);
        if !same_day {
            lines.push(ChatLine::Day(day.clone()));
        }
        let continues = same_day && last.as_ref().is_some_and(|(before, _)| continues(before, message));
        lines.push(ChatLine::Message { message: message.clone(), continues });
        last = Some((message, day));
    }
    lines
}

/// Whether a message needs no head of its own below the one before it.
fn continues(before: &ChatMessage, message: &ChatMessage) -> bool {
    !message.topic_line
        && !before.topic_line
        && before.person.did == message.person.did
        && message.at < before.at.saturating_add(TOGETHER_MILLIS)
}

/// The classes of a message's row.
pub fn message_class(continues: bool, mentions_me: bool) -> &'static str {
    match (continues, mentions_me) {
        (true, true) => "message message-goes-on message-mention",
        (true, false) => "message message-goes-on",
        (false, true) => "message message-mention",
        (false, false) => "message",
    }
}

/// A piece of a message's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPart {
    Plain(String),
    /// With its `@`.
    Mention(String),
}

/// The text in pieces. A mention is an `@` and at least one letter, digit, `_` or `-` after it.
pub fn with_mentions(text: &str) -> Vec<TextPart> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        let end =
            from[1..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).map_or(from.len(), |end| end + 1);
        let (name, after) = from.split_at(end);
        parts.push(TextPart::Plain(before.to_owned()));
        parts.push(if name.len() > 1 { TextPart::Mention(name.to_owned()) } else { TextPart::Plain(name.to_owned()) });
        rest = after;
    }
    parts.push(TextPart::Plain(rest.to_owned()));
    parts
}

/// The channels with `part` in their name, in the same order.
pub fn filter_channels(all: &[ChannelEntry], part: &str) -> Vec<ChannelEntry> {
    all.iter().filter(|entry| entry.channel.contains(part)).cloned().collect()
}

/// The names of the joined channels.
pub fn joined_channels(all: &[ChannelEntry]) -> Vec<String> {
    all.iter().filter(|entry| entry.joined).map(|entry| entry.channel.clone()).collect()
}

/// “3 unread, you are mentioned”.
pub fn format_unread(unread: u64, mentions: u64) -> String {
    if mentions > 0 { format!("{unread} unread, you are mentioned") } else { format!("{unread} unread") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::PersonSummary;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn message(id: &str, did: &str, at: u64) -> ChatMessage {
        ChatMessage {
            id: id.to_owned(),
            channel: "#general".to_owned(),
            person: PersonSummary {
                did: did.to_owned(),
                public_key: String::new(),
                username: None,
                display_name: None,
                avatar: None,
                mine: false,
            },
            at,
            text: "hello".to_owned(),
            topic_line: false,
            mentions_me: false,
        }
    }

    fn day(at: u64) -> String {
        format!("day {}", at / DAY)
    }

    /// Days by their name; messages by their id, with a `+` if they continue.
    fn outline(messages: &[ChatMessage]) -> Vec<String> {
        with_days(messages, day)
            .into_iter()
            .map(|line| match line {
                ChatLine::Day(day) => day,
                ChatLine::Message { message, continues } => {
                    format!("{}{}", message.id, if continues { "+" } else { "" })
                }
            })
            .collect()
    }

    #[test]
    fn every_day_is_named_once() {
        assert_eq!(outline(&[]), [""; 0]);
        let messages = [message("a", "x", 0), message("b", "y", DAY - 1), message("c", "x", DAY)];
        assert_eq!(outline(&messages), ["day 0", "a", "b", "day 1", "c"]);
    }

    #[test]
    fn messages_of_one_author_stand_together_for_minutes() {
        let messages = [
            message("a", "x", 0),
            message("b", "x", TOGETHER_MILLIS - 1),
            message("c", "x", 2 * TOGETHER_MILLIS - 2),
            message("d", "x", 3 * TOGETHER_MILLIS),
            message("e", "y", 3 * TOGETHER_MILLIS),
        ];
        assert_eq!(outline(&messages), ["day 0", "a", "b+", "c+", "d", "e"]);
    }

    #[test]
    fn midnight_and_topic_lines_begin_anew() {
        let mut topic = message("t", "x", DAY + 1);
        topic.topic_line = true;
        let messages = [message("a", "x", DAY - 1), message("b", "x", DAY), topic, message("c", "x", DAY + 2)];
        assert_eq!(outline(&messages), ["day 0", "a", "day 1", "b", "t", "c"]);
    }

    #[test]
    fn a_line_is_rendered_again_when_its_author_got_a_name() {
        let before = ChatLine::Message { message: message("a", "x", 0), continues: false };
        let mut named = message("a", "x", 0);
        named.person.username = Some("bob".to_owned());
        assert_ne!(before.key(), ChatLine::Message { message: named, continues: false }.key());
        assert_ne!(before.key(), ChatLine::Message { message: message("a", "x", 0), continues: true }.key());
        assert_eq!(ChatLine::Day("day 1".to_owned()).key(), "day 1");
    }

    /// Mentions in brackets.
    fn marked(text: &str) -> String {
        with_mentions(text)
            .into_iter()
            .map(|part| match part {
                TextPart::Plain(text) => text,
                TextPart::Mention(name) => format!("[{name}]"),
            })
            .collect()
    }

    #[test]
    fn mentions_are_marked() {
        for (text, expected) in [
            ("", ""),
            ("hello", "hello"),
            ("@bob", "[@bob]"),
            ("hi @bob, @eve-1_x!", "hi [@bob], [@eve-1_x]!"),
            ("@żółw: 🦀", "[@żółw]: 🦀"),
            ("a@ b", "a@ b"),
            ("@@bob", "@[@bob]"),
            ("mail@example.org", "mail[@example].org"),
            ("@", "@"),
        ] {
            assert_eq!(marked(text), expected, "{text}");
        }
        let long = "@a ".repeat(10_000);
        assert_eq!(with_mentions(&long).iter().filter(|part| matches!(part, TextPart::Mention(_))).count(), 10_000);
    }

    #[test]
    fn nothing_of_a_text_is_lost() {
        for text in ["", "a @b c", "@@@", "é@é@", "no mention"] {
            let whole: String = with_mentions(text)
                .into_iter()
                .map(|part| match part {
                    TextPart::Plain(text) | TextPart::Mention(text) => text,
                })
                .collect();
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn classes_tell_both_facts() {
        assert_eq!(message_class(false, false), "message");
        assert_eq!(message_class(true, true), "message message-goes-on message-mention");
        assert_eq!(message_class(false, true), "message message-mention");
    }

    fn channel(name: &str, joined: bool) -> ChannelEntry {
        ChannelEntry {
            channel: name.to_owned(),
            module: None,
            members: 0,
            joined,
            muted: false,
            unread: 0,
            mentions: 0,
            topic_line: None,
            last_at: None,
        }
    }

    #[test]
    fn channels_are_found_by_any_part() {
        let all = [channel("#general", true), channel("#module/crc", false), channel("#żółw", true)];
        let found = |part: &str| filter_channels(&all, part).into_iter().map(|one| one.channel).collect::<Vec<_>>();
        assert_eq!(found(""), ["#general", "#module/crc", "#żółw"]);
        assert_eq!(found("gen"), ["#general"]);
        assert_eq!(found("ółw"), ["#żółw"]);
        assert_eq!(found("nothing"), [""; 0]);
        assert_eq!(joined_channels(&all), ["#general", "#żółw"]);
    }

    #[test]
    fn a_mention_is_worth_a_word() {
        assert_eq!(format_unread(3, 0), "3 unread");
        assert_eq!(format_unread(3, 1), "3 unread, you are mentioned");
    }
}
