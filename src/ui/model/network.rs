//! What the network page says about connections.

use gen_registry_api::{CandidateType, ConnectionPath, NetworkReport, PeerEntry};

use super::text::{FormatNumber, format_count, format_size};

/// How a connection reaches the other side. Returns `None` if the browser does not know.
pub fn describe_path(path: &ConnectionPath) -> Option<&'static str> {
    let both = [path.local?, path.remote?];
    Some(if both.contains(&CandidateType::Relay) {
        "through a TURN server"
    } else if both == [CandidateType::Host; 2] {
        "within the local network"
    } else if both.contains(&CandidateType::Srflx) {
        "through address translation"
    } else {
        "directly"
    })
}

/// What is known of the connection with a peer, with “ · ” in between.
pub fn describe_peer(peer: &PeerEntry, number: FormatNumber) -> String {
    let mut facts = vec![if peer.dialled { "found by this device" } else { "found this device" }.to_owned()];
    facts.extend(peer.round_trip_millis.map(|millis| format!("{millis:.0} ms away")));
    if let Some(path) = &peer.path {
        facts.extend(describe_path(path).map(str::to_owned));
        facts.push(format!("{} sent, {} received", format_size(path.sent_bytes), format_size(path.received_bytes)));
    }
    facts.extend(
        (peer.brought > 0).then(|| format!("brought {}", format_count(peer.brought, "change", "changes", number))),
    );
    facts.extend(peer.agent.clone());
    facts.join(" · ")
}

/// How far the way to others is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSteps {
    /// The page's server names a relay.
    pub named: bool,
    /// A hint only: a browser without a network often says that it has one.
    pub online: bool,
    /// A relay is connected.
    pub answers: bool,
    /// A relay lists this device.
    pub listed: bool,
}

impl ConnectionSteps {
    /// Takes what the report says; `online` is the browser's word.
    pub fn of(report: &NetworkReport, online: bool) -> Self {
        Self {
            named: !report.relays.is_empty(),
            online,
            answers: report.relays.iter().any(|relay| relay.connected),
            listed: report.relays.iter().any(|relay| relay.reserved),
        }
    }

    /// The steps in order, up to the first that is not in order: what follows depends on it.
    pub fn steps(self) -> Vec<bool> {
        let all = [self.named, self.online, self.answers, self.listed];
        let end = all.iter().position(|in_order| !in_order).map_or(all.len(), |broken| broken + 1);
        all[..end].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::Reputation;

    fn path(local: Option<CandidateType>, remote: Option<CandidateType>) -> ConnectionPath {
        ConnectionPath { sent_bytes: 1_024, received_bytes: 10, local, remote }
    }

    #[test]
    fn the_way_is_told_by_both_ends() {
        use CandidateType::{Host, Prflx, Relay, Srflx};
        for (local, remote, way) in [
            (Host, Host, "within the local network"),
            (Host, Srflx, "through address translation"),
            (Srflx, Prflx, "through address translation"),
            (Srflx, Relay, "through a TURN server"),
            (Relay, Host, "through a TURN server"),
            (Host, Prflx, "directly"),
        ] {
            assert_eq!(describe_path(&path(Some(local), Some(remote))), Some(way));
        }
        assert_eq!(describe_path(&path(Some(Host), None)), None);
        assert_eq!(describe_path(&path(None, None)), None);
    }

    #[test]
    fn only_what_is_known_of_a_peer_is_told() {
        let mut peer = PeerEntry {
            id: "12D3".to_owned(),
            since: 0,
            dialled: false,
            agent: None,
            round_trip_millis: None,
            path: None,
            syncing: false,
            brought: 0,
            rejections: Vec::new(),
            reputation: Reputation { score: 0.5, low: false, reasons: Vec::new() },
            trusted: false,
        };
        let number: FormatNumber = |value| value.to_string();
        assert_eq!(describe_peer(&peer, number), "found this device");
        peer.dialled = true;
        peer.round_trip_millis = Some(12.6);
        peer.path = Some(path(Some(CandidateType::Host), Some(CandidateType::Host)));
        peer.brought = 1;
        peer.agent = Some("gen/1".to_owned());
        assert_eq!(
            describe_peer(&peer, number),
            "found by this device · 13 ms away · within the local network · 1 KiB sent, 10 bytes received · \
             brought 1 change · gen/1"
        );
    }

    #[test]
    fn steps_end_with_the_first_that_is_not_in_order() {
        let all = ConnectionSteps { named: true, online: true, answers: true, listed: true };
        assert_eq!(all.steps(), [true, true, true, true]);
        assert_eq!(ConnectionSteps { named: false, ..all }.steps(), [false]);
        assert_eq!(ConnectionSteps { answers: false, listed: false, ..all }.steps(), [true, true, false]);
        assert_eq!(ConnectionSteps { listed: false, ..all }.steps(), [true, true, true, false]);
    }
}
