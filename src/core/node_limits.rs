//! What one node bounds for itself, given to it when it starts.
//!
//! Nodes may differ in these, unlike in [`limits`](crate::limits). Each field's default is a constant with its reason. Only
//! a build for tests starts a page with other ones: so an attack can be repeated with its defence lifted, and the harness
//! of the attacks (`tests/attack`) shows that it is this bound that holds.
//!
//! Bounds on what is decoded or waits unread (sizes of messages, entries, frames, operations, streams) are not here:
//! without them a peer's bytes would decide how much is allocated, and nothing is learned from a page that ends by that.

use serde::{Deserialize, Serialize};

use crate::chat::history::{AUTHOR_PER_MINUTE, HISTORY_MAX};
use crate::presence::NODES_MAX;
use crate::validation::run_budget::{RUN_MEMORY_BYTES, RUN_TABLE_ELEMENTS};

/// The bounds of one node. As data, what is left out has its default, and what is unknown is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeLimits {
    /// Identities that a page keeps though the person has nothing to do with them.
    pub strangers: usize,
    /// Identities without a confirmed name that are taken at once, from all peers together.
    pub newcomers_burst: u64,
    /// The same lastingly, per second.
    pub newcomers_per_second: u64,
    /// Messages of one peer's exchange at once.
    pub messages_burst: u64,
    /// The same lastingly, per second.
    pub messages_per_second: u64,
    /// States that one peer announces as news at once.
    pub announcements_burst: u64,
    /// The same lastingly, per second.
    pub announcements_per_second: u64,
    /// Units of work that one peer causes at once.
    pub work_burst: u64,
    /// The same lastingly, per second; at least 1.
    pub work_per_second: u64,
    /// Seconds for which a banned peer is kept out.
    pub ban_seconds: u64,
    /// Look-ups of one peer that are answered in a minute.
    pub lookups_per_minute: u32,
    /// Searches of one peer that are answered in a minute.
    pub searches_per_minute: u32,
    /// Searches of all peers together that are answered in a minute; the others get no answer, and no blame.
    pub answered_searches_per_minute: u32,
    /// Heartbeats of one peer at once.
    pub heartbeats_burst: u64,
    /// The same lastingly, per second.
    pub heartbeats_per_second: u64,
    /// Nodes that are remembered as online, or as just gone.
    pub present_nodes: usize,
    /// Messages in channels that one peer brings at once.
    pub words_burst: u64,
    /// The same lastingly, per second.
    pub words_per_second: u64,
    /// Messages of one author at once.
    pub author_words_burst: u64,
    /// The same lastingly, per second.
    pub author_words_per_second: u64,
    /// Messages that are kept of one channel.
    pub channel_messages: usize,
    /// Messages of one author within a minute that are kept.
    pub channel_messages_of_author: usize,
    /// Seconds in which the offer of a direct connection has to arrive.
    pub offer_seconds: u64,
    /// Handshakes at once of peers that one relay introduces.
    pub handshakes_per_relay: usize,
    /// Bytes of all memories of a run together.
    pub run_memory_bytes: u64,
    /// Elements of all tables of a run together.
    pub run_table_elements: u64,
}

/// Identities that a node takes in a burst though they prove nothing, from all its peers together: identities cost nothing,
/// and a peer comes back under another name. A first comparison fits into the burst.
pub const NEWCOMERS_BURST: u64 = 20_000;
/// The refill that goes with [`NEWCOMERS_BURST`], per second.
pub const NEWCOMERS_PER_SECOND: u64 = 5;
/// Messages of one peer in a burst.
pub const MESSAGES_BURST: u64 = 2_000;
/// The refill that goes with [`MESSAGES_BURST`], per second.
pub const MESSAGES_PER_SECOND: u64 = 500;
/// States that one peer announces as news in a burst. A host sends far fewer, and leaves the rest to the next comparison.
pub const ANNOUNCEMENTS_BURST: u64 = 2_000;
/// The refill that goes with [`ANNOUNCEMENTS_BURST`], per second.
pub const ANNOUNCEMENTS_PER_SECOND: u64 = 500;
/// Units of work that the messages of one peer cause in a burst. Of 1,000 people, each with three entries of 400 bytes, the
/// side that has them does some 35,000 units of work, and the other 25,000.
pub const WORK_BURST: u64 = 1_000_000;
/// The refill that goes with [`WORK_BURST`], per second: it keeps a third of one processor busy.
pub const WORK_PER_SECOND: u64 = 50_000;
/// Heartbeats accepted from one peer on gossip in a burst.
pub const HEARTBEATS_BURST: u64 = 300;
/// The refill that goes with [`HEARTBEATS_BURST`], per second.
pub const HEARTBEATS_PER_SECOND: u64 = 30;
/// Messages accepted from one peer on gossip in a burst.
pub const WORDS_BURST: u64 = 120;
/// The refill that goes with [`WORDS_BURST`], per second.
pub const WORDS_PER_SECOND: u64 = 20;
/// Messages accepted of one author, by whichever peer they are forwarded: more than an author may post, since messages
/// posted one after the other may arrive at once.
pub const AUTHOR_WORDS_BURST: u64 = 20;
/// The refill that goes with [`AUTHOR_WORDS_BURST`], per second.
pub const AUTHOR_WORDS_PER_SECOND: u64 = 2;
/// Identities that a page keeps though the person has nothing to do with them: with some 5 KB each on the disk they take 100 MB.
/// In memory one of a single entry takes 4 KB natively; a name and a profile take more.
pub const STRANGERS_MAX: usize = 20_000;
/// How long a banned peer is kept out, in seconds.
pub const BAN_SECONDS: u64 = 10 * 60;
/// Look-ups of one peer that are answered in a minute.
pub const LOOKUPS_PER_MINUTE: u32 = 60;
/// Searches of one peer that are answered in a minute. An honest peer asks fewer.
pub const SEARCHES_PER_MINUTE: u32 = 30;
/// Searches of all peers together that are answered in a minute: at some 20 ms each, 4 % of one processor.
pub const ANSWERED_SEARCHES_PER_MINUTE: u32 = 120;
/// The time in which a whole offer has to arrive, in seconds. It is sent at once, over a relayed connection that is open
/// already.
pub const OFFER_SECONDS: u64 = 10;
/// Incoming handshakes of the peers that one relay introduces.
pub const HANDSHAKES_PER_RELAY: usize = 8;

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            strangers: STRANGERS_MAX,
            newcomers_burst: NEWCOMERS_BURST,
            newcomers_per_second: NEWCOMERS_PER_SECOND,
            messages_burst: MESSAGES_BURST,
            messages_per_second: MESSAGES_PER_SECOND,
            announcements_burst: ANNOUNCEMENTS_BURST,
            announcements_per_second: ANNOUNCEMENTS_PER_SECOND,
            work_burst: WORK_BURST,
            work_per_second: WORK_PER_SECOND,
            ban_seconds: BAN_SECONDS,
            lookups_per_minute: LOOKUPS_PER_MINUTE,
            searches_per_minute: SEARCHES_PER_MINUTE,
            answered_searches_per_minute: ANSWERED_SEARCHES_PER_MINUTE,
            heartbeats_burst: HEARTBEATS_BURST,
            heartbeats_per_second: HEARTBEATS_PER_SECOND,
            present_nodes: NODES_MAX,
            words_burst: WORDS_BURST,
            words_per_second: WORDS_PER_SECOND,
            author_words_burst: AUTHOR_WORDS_BURST,
            author_words_per_second: AUTHOR_WORDS_PER_SECOND,
            channel_messages: HISTORY_MAX,
            channel_messages_of_author: AUTHOR_PER_MINUTE,
            offer_seconds: OFFER_SECONDS,
            handshakes_per_relay: HANDSHAKES_PER_RELAY,
            run_memory_bytes: RUN_MEMORY_BYTES,
            run_table_elements: RUN_TABLE_ELEMENTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_an_error() {
        let read = |text: &str| serde_json::from_str::<NodeLimits>(text);
        assert_eq!(read("{}").unwrap(), NodeLimits::default());
        let lifted = read(r#"{"strangers": 7}"#).unwrap();
        assert_eq!(lifted, NodeLimits { strangers: 7, ..NodeLimits::default() });
        assert!(read(r#"{"stranger": 7}"#).is_err(), "a limit that is misspelled lifts nothing in silence");
        assert!(read(r#"{"strangers": -1}"#).is_err());
    }
}
