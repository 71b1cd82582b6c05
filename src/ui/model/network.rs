//! What the network page says about connections.

use gen_registry_api::{CandidateType, ConnectionPath, NetworkName, NetworkReport, ParametersError, PeerEntry};

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

/// What a page asks that was opened by a link to another network than its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkChoice {
    /// The topic of the link's network.
    pub linked: String,
    /// The network in which the page has a profile, if it has one.
    pub own: Option<NetworkName>,
    /// The link's network, where this browser or the page's server has it.
    pub target: Option<NetworkName>,
    /// The network of the page's server, if that is neither.
    pub served: Option<NetworkName>,
    /// What else is wrong with what the server says.
    pub fault: Option<ParametersError>,
}

impl NetworkChoice {
    /// Returns the choice, or `None` if there is nothing to choose.
    pub fn of(report: &NetworkReport) -> Option<Self> {
        let linked = report.linked.clone()?;
        let own = (!report.topic.is_empty()).then(|| network_name(report));
        let (other, fault) = match report.left_aside.clone() {
            Some(ParametersError::OtherNetwork(other)) => (Some(other), None),
            fault => (None, fault),
        };
        let target = report.networks.iter().chain(&other).find(|network| network.topic == linked).cloned();
        let served = other.filter(|other| other.topic != linked);
        Some(Self { linked, own, target, served, fault })
    }
}

/// The network of a report.
pub fn network_name(report: &NetworkReport) -> NetworkName {
    NetworkName { name: report.name.clone(), topic: report.topic.clone() }
}

/// How far the way to others is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSteps {
    /// A relay is known: the page's server names it, or did.
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
    fn choice_names_both_networks_and_offers_only_what_is_there() {
        let network = |topic: &str| NetworkName { name: format!("Network {topic}"), topic: topic.to_owned() };
        let report = |topic: &str, linked: Option<&str>, served: Option<&str>| NetworkReport {
            name: format!("Network {topic}"),
            topic: topic.to_owned(),
            networks: vec![network("a"), network("b")],
            linked: linked.map(str::to_owned),
            left_aside: served.map(|served| ParametersError::OtherNetwork(network(served))),
            ..NetworkReport::default()
        };
        let choice = |topic, linked, served| NetworkChoice::of(&report(topic, linked, served));
        assert_eq!(choice("a", None, Some("c")), None, "a server alone opens no choice");
        let both = choice("a", Some("b"), None).unwrap();
        assert_eq!((both.own, both.target, both.served), (Some(network("a")), Some(network("b")), None));
        let served = choice("a", Some("c"), Some("c")).unwrap();
        assert_eq!((served.target, served.served), (Some(network("c")), None));
        let neither = choice("a", Some("d"), Some("c")).unwrap();
        assert_eq!((neither.target, neither.served), (None, Some(network("c"))));
        let fresh = choice("", Some("d"), Some("c")).unwrap();
        assert_eq!((fresh.own, fresh.served), (None, Some(network("c"))));
        let hidden = NetworkReport { left_aside: Some(ParametersError::LinkUnknown), ..report("", Some("d"), None) };
        assert_eq!(NetworkChoice::of(&hidden).unwrap().fault, Some(ParametersError::LinkUnknown));
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
