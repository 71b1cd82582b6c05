//! The path and traffic of a connection between two browsers, from the browser's own statistics (W3C, Identifiers for
//! WebRTC's Statistics API). Pure.
//!
//! ICE tries pairs of candidates (addresses of both sides) and uses one. Its kinds show the way that the data takes:
//! `host` in the same local network, `srflx` through NAT with an address that STUN returned, `relay` through a TURN
//! server. The traffic of the whole connection is counted by the `transport` entry, the kinds are those of the selected
//! pair.

use gen_registry_api::{CandidateType, ConnectionPath};
use serde::Deserialize;

/// One entry of the statistics, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Stat {
    /// The entry's id, by which others refer to it.
    pub id: String,
    /// The entry's type, one of [`KINDS`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes sent, of a transport or a pair. JavaScript has no integers.
    pub bytes_sent: Option<f64>,
    /// Bytes received, of a transport or a pair.
    pub bytes_received: Option<f64>,
    /// Of a transport: the pair in use. Not reported by Firefox.
    pub selected_candidate_pair_id: Option<String>,
    /// Of a pair: this side's candidate.
    pub local_candidate_id: Option<String>,
    /// Of a pair: the other side's candidate.
    pub remote_candidate_id: Option<String>,
    /// Of a candidate: its kind.
    pub candidate_type: Option<CandidateType>,
    /// Set by Firefox on the pair in use.
    pub selected: Option<bool>,
}

/// The kinds of entries that are used.
pub const KINDS: [&str; 4] = ["transport", "candidate-pair", "local-candidate", "remote-candidate"];

/// Returns the path and traffic of one connection from its statistics, or `None` while no pair of candidates is in use.
pub fn path_of(stats: &[Stat]) -> Option<ConnectionPath> {
    let find = |id: Option<&String>| id.and_then(|id| stats.iter().find(|stat| stat.id == *id));
    let transport = stats.iter().find(|stat| stat.kind == "transport");
    let selected = transport.and_then(|transport| find(transport.selected_candidate_pair_id.as_ref()));
    let marked = || stats.iter().find(|stat| stat.kind == "candidate-pair" && stat.selected == Some(true));
    let pair = selected.or_else(marked)?;
    // A connection may have changed its pair; only the transport counts the traffic of all pairs.
    let count =
        |of: fn(&Stat) -> Option<f64>| transport.and_then(of).or_else(|| of(pair)).map_or(0, |bytes| bytes as u64);
    let kind = |id: &Option<String>| find(id.as_ref()).and_then(|candidate| candidate.candidate_type);
    Some(ConnectionPath {
        sent_bytes: count(|stat| stat.bytes_sent),
        received_bytes: count(|stat| stat.bytes_received),
        local: kind(&pair.local_candidate_id),
        remote: kind(&pair.remote_candidate_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Stat {
        serde_json::from_str(json).expect("an entry")
    }

    fn candidates() -> [Stat; 4] {
        [
            entry(r#"{"id":"L1","type":"local-candidate","candidateType":"host","port":9}"#),
            entry(r#"{"id":"L2","type":"local-candidate","candidateType":"srflx"}"#),
            entry(r#"{"id":"R1","type":"remote-candidate","candidateType":"prflx"}"#),
            entry(r#"{"id":"R2","type":"remote-candidate","candidateType":"relay"}"#),
        ]
    }

    const OLD: &str = r#"{"id":"P1","type":"candidate-pair","localCandidateId":"L1","remoteCandidateId":"R1",
        "bytesSent":700,"bytesReceived":50,"selected":false}"#;
    const NEW: &str = r#"{"id":"P2","type":"candidate-pair","localCandidateId":"L2","remoteCandidateId":"R2",
        "bytesSent":300,"bytesReceived":80,"selected":true}"#;

    #[test]
    fn path_is_of_the_selected_pair_and_traffic_of_all_pairs() {
        let transport =
            r#"{"id":"T","type":"transport","selectedCandidatePairId":"P2","bytesSent":1000,"bytesReceived":130}"#;
        let stats: Vec<Stat> = candidates().into_iter().chain([OLD, NEW, transport].map(entry)).collect();
        let path = path_of(&stats).expect("a pair is in use");
        assert_eq!((path.sent_bytes, path.received_bytes), (1_000, 130));
        assert_eq!((path.local, path.remote), (Some(CandidateType::Srflx), Some(CandidateType::Relay)));
    }

    #[test]
    fn marked_pair_is_used_without_a_transport_entry() {
        let stats: Vec<Stat> = candidates().into_iter().chain([OLD, NEW].map(entry)).collect();
        let path = path_of(&stats).expect("a pair is in use");
        assert_eq!((path.sent_bytes, path.received_bytes, path.local), (300, 80, Some(CandidateType::Srflx)));
    }

    #[test]
    fn no_path_before_a_pair_is_in_use() {
        let transport = r#"{"id":"T","type":"transport","bytesSent":0,"bytesReceived":0}"#;
        let stats: Vec<Stat> = candidates().into_iter().chain([OLD, transport].map(entry)).collect();
        assert_eq!(path_of(&stats), None);
        assert_eq!(path_of(&[]), None);
    }
}
