//! Peers and relays.

use serde::{Deserialize, Serialize};

use super::{Rejection, Reputation};
use gen_registry_core::limits::PARAMETERS_VERSION;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    /// No relay is configured: no peer can be found.
    #[default]
    Alone,
    /// No relay answers and no peer is connected.
    Offline,
    /// A relay answers; no other peer is there.
    Waiting,
    /// At least one peer.
    Connected,
}

/// Peers and relays as they are now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NetworkReport {
    pub connection: ConnectionState,
    /// This profile's node (a libp2p peer id); none without a network.
    pub node: Option<String>,
    /// As its founder named it.
    pub name: String,
    /// The network's topic: the digest of its genesis, 64 hex digits.
    pub topic: String,
    /// When it was founded, as its founder says. 0: the built-in network.
    pub created_at: u64,
    /// Its waits are too short for names that matter.
    pub for_tests: bool,
    /// `did:gen:…` of those whose receipts confirm names, and how many receipts it takes.
    pub witnesses: Vec<String>,
    pub threshold: u64,
    /// How many witnesses may be lost before nothing new is confirmed.
    pub may_lose: u64,
    /// How many witnesses may lie before a name can be confirmed for two.
    pub may_lie: u64,
    /// The digests of the changes of the witnesses that this device follows, in order.
    pub changes: Vec<String>,
    pub relays: Vec<RelayEntry>,
    /// Longest connected first.
    pub peers: Vec<PeerEntry>,
    /// Own changes that were not announced yet, because no peer was connected.
    pub unsent: u64,
    /// Rules that peers broke, and how often, since the page was opened.
    pub rejections: Vec<(Rejection, u64)>,
    /// Why what the page's server says of its network is left aside.
    pub left_aside: Option<ParametersError>,
    /// The networks of this browser, each with a profile of its own.
    pub networks: Vec<NetworkName>,
    /// The topic of the network to which the link belongs that opened this page, if that is another one.
    pub linked: Option<String>,
    /// The newest change of the witnesses that this device follows, or the topic: what a link carries.
    pub newest: String,
    /// This browser also has a profile of an earlier version of the program. It is left as it is, and not used.
    pub earlier_profile: bool,
}

/// Why what a server says of its network is left aside. Worded as half a sentence about that server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ParametersError {
    #[error("this program knows the network's parameters up to version {PARAMETERS_VERSION}, not {0}")]
    Version(u32),
    #[error("the genesis of its network is invalid")]
    Genesis,
    #[error("its change {0} of the witnesses is invalid, or not signed by enough of the succession keys")]
    SetChange(u32),
    #[error("its change {0} of the witnesses is another one than the one that this device follows")]
    Rival(u32),
    #[error("it knows {served} changes of the witnesses, and this device knows {known}")]
    Behind { served: u32, known: u32 },
    #[error("too many STUN or TURN servers, or one that is none")]
    IceServer,
    #[error("too many relays, open nodes or changes of the witnesses, or one that is too long")]
    TooMuch,
    #[error("it does not know the change of the witnesses that the link names: it is behind, or hides one")]
    LinkUnknown,
    #[error("it serves another network, {}", .0.label())]
    OtherNetwork(NetworkName),
}

/// The name and topic of a network. Anybody may found one of the same name, so a name is never shown alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NetworkName {
    /// As its founder named it; two networks may have one name.
    pub name: String,
    /// 64 hex digits.
    pub topic: String,
}

/// Digits of a topic that are shown beside a name: enough unless somebody made a similar topic on purpose. The network's
/// page shows all of them.
pub const TOPIC_SHOWN_DIGITS: usize = 12;

impl NetworkName {
    /// The name and the beginning of the topic, as in `“Our network” (1f2e3d4c5b6a…)`.
    pub fn label(&self) -> String {
        format!("“{}” ({})", self.name, shorten_topic(&self.topic))
    }
}

/// The beginning of a topic, as it is shown beside a name.
pub fn shorten_topic(topic: &str) -> String {
    format!("{}…", topic.get(..TOPIC_SHOWN_DIGITS).unwrap_or(topic))
}

/// The beginning of the part of an address that says which network it is an address in.
const NETWORK_FRAGMENT: &str = "network=";

/// The fragment of a link to a page: the network's topic and, if the witnesses ever changed, the newest change that this
/// device follows.
pub fn write_network_fragment(topic: &str, newest: &str) -> String {
    let newest = if newest == topic { String::new() } else { format!(".{newest}") };
    format!("{NETWORK_FRAGMENT}{topic}{newest}")
}

/// Reads what [`write_network_fragment`] wrote, with or without the `#`: the topic and the newest change, which is the
/// topic if there was none. `None` for any other fragment.
pub fn read_network_fragment(fragment: &str) -> Option<(String, String)> {
    let said = fragment.trim_start_matches('#').strip_prefix(NETWORK_FRAGMENT)?;
    let (topic, newest) = said.split_once('.').unwrap_or((said, said));
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_digest(topic) && is_digest(newest)).then(|| (topic.to_ascii_lowercase(), newest.to_ascii_lowercase()))
}

/// When a name is confirmed, and what the witnesses bear, in sentences for people.
pub fn describe_resilience(witnesses: u64, threshold: u64, may_lose: u64, may_lie: u64) -> String {
    if threshold == 0 {
        return "There are no witnesses: of two claims to one name the one dated earlier counts.".to_owned();
    }
    if witnesses == 1 {
        return "A name is confirmed once the one witness saw the claim. While it is away nothing new is confirmed, and \
                if it lies a name can be confirmed for two people."
            .to_owned();
    }
    let lost = match may_lose {
        0 => "While one of them is away nothing new is confirmed".to_owned(),
        1 => "One of them may be away".to_owned(),
        _ => format!("{may_lose} of them may be away"),
    };
    let lying = match may_lie {
        0 => "if one of them lies a name can be confirmed for two people".to_owned(),
        1 => "one may lie without giving a name to two people".to_owned(),
        _ => format!("{may_lie} may lie without giving a name to two people"),
    };
    format!("A name is confirmed once {threshold} of {witnesses} witnesses saw the claim. {lost}, and {lying}.")
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RelayEntry {
    /// A multiaddress.
    pub address: String,
    /// This device uses it, or tries to; others of the network are asked now and then.
    pub used: bool,
    pub connected: bool,
    /// Others can find this node through it.
    pub reserved: bool,
}

/// A peer with a direct connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PeerEntry {
    /// A libp2p peer id: the node, not the person.
    pub id: String,
    pub since: u64,
    /// This side dialled.
    pub dialled: bool,
    /// What program it says it is.
    pub agent: Option<String>,
    pub round_trip_millis: Option<f64>,
    /// None where it could not be measured, and in a native node.
    pub path: Option<ConnectionPath>,
    pub syncing: bool,
    /// Changes it brought that were new here.
    pub brought: u64,
    /// Rules it broke since the page was opened, and how often.
    pub rejections: Vec<(Rejection, u64)>,
    /// What it has earned here, over all times.
    pub reputation: Reputation,
    /// The person trusts it.
    pub trusted: bool,
}

/// Where an address of a candidate is from (RFC 8445, section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum CandidateType {
    /// The device's own.
    Host,
    /// What a STUN server saw: there is address translation in between.
    Srflx,
    /// What the other side saw.
    Prflx,
    /// A TURN server's.
    Relay,
}

/// The route of a direct connection, and the bytes sent over it since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionPath {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// Of the pair of candidates in use.
    pub local: Option<CandidateType>,
    pub remote: Option<CandidateType>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_set_bears_is_said_in_words() {
        let said = |witnesses, threshold, lose, lie| describe_resilience(witnesses, threshold, lose, lie);
        assert!(said(0, 0, 0, 0).starts_with("There are no witnesses"));
        assert!(said(1, 1, 0, 0).contains("the one witness"));
        assert!(
            said(3, 2, 1, 0)
                .ends_with("One of them may be away, and if one of them lies a name can be confirmed for two people.")
        );
        assert!(
            said(4, 3, 1, 1).ends_with("One of them may be away, and one may lie without giving a name to two people.")
        );
        assert!(said(7, 5, 2, 2).contains("2 of them may be away, and 2 may lie"));
        assert!(said(3, 3, 0, 2).contains("While one of them is away nothing new is confirmed, and 2 may lie"));
    }

    #[test]
    fn links_say_their_network_and_nothing_else_is_read_as_one() {
        let (topic, newest) = ("ab".repeat(32), "0".repeat(64));
        for newest in [&topic, &newest] {
            let fragment = write_network_fragment(&topic, newest);
            assert_eq!(read_network_fragment(&format!("#{fragment}")), Some((topic.clone(), newest.clone())));
        }
        assert_eq!(
            read_network_fragment(&format!("network={}", "AB".repeat(32))),
            Some((topic.clone(), topic.clone()))
        );
        let short = format!("network={}", &topic[1..]);
        for other in
            ["", "#", "#network=", "#files", &short, &format!("network={topic}."), &format!("network={topic}.ab")]
        {
            assert_eq!(read_network_fragment(other), None, "{other}");
        }
    }

    #[test]
    fn networks_are_shown_with_the_beginning_of_their_topic() {
        let name = |topic: &str| NetworkName { name: "Ours".into(), topic: topic.into() }.label();
        assert_eq!(name("0123456789abcdef"), "“Ours” (0123456789ab…)");
        assert_eq!(name("short"), "“Ours” (short…)");
    }
}
