//! Chat: channel names, what people post in channels, and in which order it is read.
//!
//! A message is a statement signed by its author and dated by a hybrid clock. Nothing of it enters a document, so
//! messages are neither part of a person's registry nor kept for good: each device has the last
//! [`HISTORY_MAX`](history::HISTORY_MAX) of a channel. Which people are in a channel is the business of
//! [`presence`](crate::presence).
//!
//! # From Alice to Bob
//! 1. Alice posts `@bob hello` in `#general`. Her clock says 12:00:00.000; the newest message she has is dated
//!    12:00:00.400 by a device whose clock is ahead. The [`HybridClock`](hybrid_clock::HybridClock) dates hers
//!    `(12:00:00.400, 1)`: after what she answers.
//! 2. The signed bytes go out on gossip. Bob's device verifies them and puts them into its [`Log`](history::Log),
//!    ordered by date, author and hash.
//! 3. Dora's device was offline. It asks a peer for the channel's history and lists the short ids of what it has
//!    ([`short_of`](history::short_of)); the answer is what the list lacks, oldest first. So gaps anywhere in the log
//!    are filled, not only at its end.
//!
//! - dates: [`hybrid_clock`]; the last messages of one channel: [`history`]

pub mod history;
pub mod hybrid_clock;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::identity::Topic;
use crate::name::{ModuleName, NameError};
use crate::signed::{Authored, SHOWN_OPENING_MAX_BYTES, Signable};
use hybrid_clock::HybridTime;

/// The most characters of one message.
pub const SAID_MAX_CHARS: usize = 2_000;
/// The most characters of a channel's topic line.
pub const TOPIC_LINE_MAX_CHARS: usize = 200;
/// The most bytes of one encoded message with its signature and opening: the longest text in the widest script, a
/// channel's name, and framing.
pub const MESSAGE_MAX_BYTES: usize = 4 * SAID_MAX_CHARS + 1_024 + SHOWN_OPENING_MAX_BYTES;

const MODULE_PREFIX: &str = "module/";

/// The name of a channel: `#general`, or `#module/<name>` for the channel about a module. Written with its `#`, parsed
/// without one as well. The rules are those of module names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName {
    about_module: bool,
    name: ModuleName,
}

/// A post: "the author says this in this channel".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub channel: ChannelName,
    pub at: HybridTime,
    pub body: Body,
}

/// What a message contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Said(SaidText),
    /// The channel's topic from now on; the newest one counts.
    TopicLine(TopicLine),
}

/// A posted text, trimmed: 1 to [`SAID_MAX_CHARS`] characters, no control characters but line feed and tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidText(String);

/// A topic line, trimmed: at most [`TOPIC_LINE_MAX_CHARS`] characters without control characters. An empty one removes
/// the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicLine(String);

/// Why a text can't be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("there is nothing to say")]
    Empty,
    #[error("it has at most {most} characters; this has {found}")]
    TooLong { most: usize, found: usize },
    #[error("it has a control character")]
    Control,
}

/// A message with the signature of its author's device.
pub type SignedMessage = Authored<Message>;

impl ChannelName {
    /// The channel about a module.
    pub fn of_module(name: ModuleName) -> Self {
        Self { about_module: true, name }
    }

    /// The module that the channel is about, or `None` for a free channel.
    pub fn module(&self) -> Option<&ModuleName> {
        self.about_module.then_some(&self.name)
    }

    /// The hash that names the channel's gossip topic in one network. Peers that don't know the channel can't read its
    /// name off it.
    pub fn digest(&self, topic: &Topic) -> [u8; 32] {
        let text =
            Encoder::new().text("gen-registry/channel/v2").fixed(topic.as_bytes()).text(&self.to_string()).finish();
        *crate::digest::Digest::of(&text).as_bytes()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}{}", if self.about_module { MODULE_PREFIX } else { "" }, self.name)
    }
}

impl FromStr for ChannelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_prefix('#').unwrap_or(text);
        match text.strip_prefix(MODULE_PREFIX) {
            Some(module) => Ok(Self { about_module: true, name: module.parse()? }),
            None => Ok(Self { about_module: false, name: text.parse()? }),
        }
    }
}

impl TryFrom<String> for ChannelName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.to_string()
    }
}

impl SaidText {
    /// Trims and checks a text.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        bounded(text, SAID_MAX_CHARS, |c| c == '\n' || c == '\t').map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the text contains `@name` as a whole word. `name` must be in lower case, as usernames are.
    ///
    /// ```
    /// use gen_registry_core::chat::SaidText;
    ///
    /// let text = SaidText::new("Thanks, @Bob. Ask @alice-2!").unwrap();
    /// assert!(text.mentions("bob"), "a full stop may end the sentence");
    /// assert!(!text.mentions("alice"), "alice-2 is another name");
    /// ```
    pub fn mentions(&self, name: &str) -> bool {
        let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let lower = self.0.to_lowercase();
        let needle = format!("@{name}");
        lower.match_indices(&needle).any(|(at, found)| {
            let before = lower[..at].chars().next_back();
            let mut after = lower[at + found.len()..].chars();
            let ends = match after.next() {
                // A full stop may end the sentence.
                Some('.') => !after.next().is_some_and(part_of_a_name),
                Some(next) => !part_of_a_name(next),
                None => true,
            };
            ends && !before.is_some_and(part_of_a_name)
        })
    }
}

impl TopicLine {
    /// Trims and checks a topic line.
    pub fn new(text: &str) -> Result<Self, TextError> {
        bounded(text.trim(), TOPIC_LINE_MAX_CHARS, |_| false).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the text if it has at most `most` characters and no control characters but the `allowed` ones.
fn bounded(text: &str, most: usize, allowed: impl Fn(char) -> bool) -> Result<String, TextError> {
    let found = text.chars().take(most + 1).count();
    if found > most {
        return Err(TextError::TooLong { most, found: text.chars().count() });
    }
    if text.chars().any(|c| c.is_control() && !allowed(c)) {
        return Err(TextError::Control);
    }
    Ok(text.to_owned())
}

/// Kinds of [`Body`] in the signed bytes.
const KIND_SAID: u8 = 1;
const KIND_TOPIC_LINE: u8 = 2;

impl Signable for Message {
    fn domain(&self) -> &'static str {
        "gen-registry/message/v2"
    }

    fn encode(&self) -> Vec<u8> {
        let encoder = self.at.put(Encoder::new().text(&self.channel.to_string()));
        match &self.body {
            Body::Said(text) => encoder.byte(KIND_SAID).text(text.as_str()),
            Body::TopicLine(line) => encoder.byte(KIND_TOPIC_LINE).text(line.as_str()),
        }
        .finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_MAX_BYTES {
            return Err(DecodeError::OutOfRange);
        }
        let mut decoder = Decoder::new(bytes);
        let channel = get_channel(&mut decoder)?;
        let at = HybridTime::get(&mut decoder)?;
        let body = match decoder.byte()? {
            KIND_SAID => Body::Said(SaidText::new(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?),
            KIND_TOPIC_LINE => Body::TopicLine(TopicLine::new(decoder.text()?).map_err(|_| DecodeError::OutOfRange)?),
            other => return Err(DecodeError::UnknownKind(other)),
        };
        decoder.end()?;
        Ok(Self { channel, at, body })
    }
}

/// Reads a channel's name in its canonical spelling.
pub(crate) fn get_channel(decoder: &mut Decoder<'_>) -> Result<ChannelName, DecodeError> {
    let text = decoder.text()?;
    let channel: ChannelName = text.parse().map_err(|_| DecodeError::OutOfRange)?;
    if channel.to_string() == text { Ok(channel) } else { Err(DecodeError::OutOfRange) }
}

#[cfg(test)]
mod tests;
