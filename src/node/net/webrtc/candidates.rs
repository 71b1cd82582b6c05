//! Which addresses of the other side are tried: the filter on its ICE candidates (RFC 8839, section 5.1).
//!
//! A browser sends connectivity checks to every address that it is given. Unfiltered, any peer could have this browser send
//! packets to `192.168.0.1` or to services of this machine, see which answer, and open TCP connections. So:
//!
//! | address of a candidate | is tried |
//! |---|---|
//! | a public one | yes |
//! | a name as browsers hide theirs: `UUID.local` (draft-ietf-mmusic-mdns-ice-candidates) | yes |
//! | of a private network | once a candidate of this side is of the same network, see [`Network`] |
//! | any other name, a multicast address, none, or over TCP | no |
//!
//! Example: Alice is at 192.168.0.7, which her browser hides. Bob's candidate 192.168.0.9 is not tried, but Bob tries the name
//! under which hers is hidden, and her browser learns his address from his check. So they connect all the same.
//!
//! A description may list candidates, too. They are taken out of it and pass the same filter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// The most candidates of the other side that wait for one of this side.
const WAITING_MAX: usize = 16;

/// A candidate as `RTCIceCandidate.toJSON()` writes it; the attribute has the name that it belongs to a second time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Candidate {
    /// The attribute: `candidate:1 1 udp 2122260223 192.0.2.2 49203 typ host`.
    #[serde(default)]
    pub candidate: String,
    #[serde(default, rename = "sdpMid")]
    pub sdp_mid: Option<String>,
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_line: Option<u16>,
}

impl Candidate {
    /// Returns the words of the attribute: visible ASCII with one space between, so that no parser reads others.
    fn words(&self) -> Option<Vec<&str>> {
        let words: Vec<&str> = self.candidate.split(' ').collect();
        let is_plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        words.iter().all(is_plain).then_some(words)
    }

    /// Returns where checks would be sent over UDP.
    fn place(&self) -> Option<Place> {
        let words = self.words()?;
        let [_foundation, _component, transport, _priority, address, _port, "typ", _kind, ..] = words[..] else {
            return None;
        };
        if !transport.eq_ignore_ascii_case("udp") {
            return None;
        }
        if is_hidden(address) {
            return Some(Place::Hidden);
        }
        let address: IpAddr = address.parse().ok()?;
        Some(Network::of(address.to_canonical())?.map_or(Place::Public, Place::Private))
    }
}

/// Where a candidate leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    Hidden,
    Private(Network),
}

/// Returns whether this is a name under which a browser hides an address of its own: a UUID in `.local`.
fn is_hidden(name: &str) -> bool {
    let Some((uuid, "local")) = name.split_once('.') else { return false };
    let groups: Vec<&str> = uuid.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// An address range that is not routed in the internet (IANA's special-purpose registries, RFC 6890). Two addresses of the same
/// one may be neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Loopback,
    LinkLocal,
    /// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598), or one for examples and measurements;
    /// by its first address.
    V4(Ipv4Addr),
    /// The 48 bits that a local network chose (RFC 4193).
    UniqueLocal([u16; 3]),
}

/// The ranges of IPv4 beside loopback and link-local: first address and length of the prefix.
const V4_RANGES: [(Ipv4Addr, u32); 9] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
];

impl Network {
    /// Returns the network of an address: `Some(None)` for a public one, nothing for one that no host has.
    fn of(address: IpAddr) -> Option<Option<Self>> {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Option<Self>> {
        if address.is_link_local() {
            return Some(Some(Self::LinkLocal));
        }
        if address.is_loopback() {
            return Some(Some(Self::Loopback));
        }
        // "This network", multicast, and what is reserved, with broadcast.
        if matches!(address.octets()[0], 0 | 224..) {
            return None;
        }
        let is_in = |(first, length): &(Ipv4Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (32 - length) == 0;
        Some(V4_RANGES.into_iter().find(is_in).map(|(first, _)| Self::V4(first)))
    }

    /// What is assigned to hosts in the internet is in 2000::/3 (RFC 4291). An IPv4 address inside one of IPv6 is where it leads.
    fn of_v6(address: Ipv6Addr) -> Option<Option<Self>> {
        let v4 = |high: u16, low: u16| Self::of_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
        match address.segments() {
            // NAT64 (RFC 6052) and 6to4 (RFC 3056).
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
            [0xfe80..=0xfebf, ..] => Some(Some(Self::LinkLocal)),
            [one @ 0xfc00..=0xfdff, two, three, ..] => Some(Some(Self::UniqueLocal([one, two, three]))),
            [0x2000..=0x3fff, ..] => Some(None),
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Some(Self::Loopback)),
            _ => None,
        }
    }
}

/// The filter of one handshake.
#[derive(Debug, Default)]
pub struct CandidateFilter {
    /// The networks of this side's candidates.
    own: Vec<Network>,
    /// Candidates of the other side for which this side has no candidate of the same network yet.
    waiting: Vec<(Network, Candidate)>,
}

impl CandidateFilter {
    /// Notes a candidate of this side. Returns those of the other side that may be tried because of it.
    pub fn note_own(&mut self, own: &Candidate) -> Vec<Candidate> {
        let Some(Place::Private(network)) = own.place() else { return Vec::new() };
        if !self.own.contains(&network) {
            self.own.push(network);
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(theirs, _)| *theirs == network);
        self.waiting = later;
        now.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// Takes a candidate of the other side. Returns it if it may be tried now.
    pub fn admit(&mut self, theirs: Candidate) -> Option<Candidate> {
        match theirs.place()? {
            Place::Private(network) if !self.own.contains(&network) => {
                if self.waiting.len() < WAITING_MAX {
                    self.waiting.push((network, theirs));
                }
                None
            }
            Place::Public | Place::Hidden | Place::Private(_) => Some(theirs),
        }
    }
}

/// Takes the candidates out of a description, each for its first media line.
pub fn split_candidates(sdp: &str) -> (String, Vec<Candidate>) {
    let (mut rest, mut candidates) = (String::with_capacity(sdp.len()), Vec::new());
    for line in sdp.split_inclusive(['\n', '\r']) {
        let text = line.trim();
        match text.get(..CANDIDATE_LINE.len()) {
            Some(start) if start.eq_ignore_ascii_case(CANDIDATE_LINE) => candidates.push(Candidate {
                candidate: text[ATTRIBUTE.len()..].to_owned(),
                sdp_line: Some(0),
                ..Candidate::default()
            }),
            _ => rest.push_str(line),
        }
    }
    (rest, candidates)
}

/// What an attribute line of a description begins with.
const ATTRIBUTE: &str = "a=";
/// The same of a candidate.
const CANDIDATE_LINE: &str = "a=candidate";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Candidate {
        over("udp", address)
    }

    fn over(transport: &str, address: &str) -> Candidate {
        let candidate = format!("candidate:1 1 {transport} 2122260223 {address} 49203 typ host generation 0");
        Candidate { candidate, sdp_mid: Some("0".to_owned()), ..Candidate::default() }
    }

    fn is_tried(filter: &mut CandidateFilter, candidate: Candidate) -> bool {
        filter.admit(candidate.clone()).is_some_and(|admitted| admitted == candidate)
    }

    const HIDDEN: &str = "3f2504e0-4f89-11d3-9a0c-0305e82c3301.local";

    #[test]
    fn tries_public_and_hidden_addresses_at_once() {
        for address in ["93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", HIDDEN, "172.32.0.1", "11.0.0.1"] {
            assert!(is_tried(&mut CandidateFilter::default(), at(address)), "{address}");
        }
    }

    #[test]
    fn tries_no_private_address_without_one_of_the_same_network() {
        let private = [
            ("127.0.0.1", "127.0.0.2"),
            ("::1", "127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("10.0.0.1", "10.200.1.1"),
            ("172.31.255.255", "172.16.0.1"),
            ("192.168.0.1", "192.168.7.1"),
            ("100.64.0.1", "100.127.0.1"),
            ("169.254.169.254", "169.254.1.1"),
            ("192.0.2.1", "192.0.2.2"),
            ("64:ff9b::192.168.0.1", "192.168.0.2"),
            ("2002:a00:1::1", "10.0.0.2"),
            ("fe80::1", "fe80::2"),
            ("fd00:1:2:3::1", "fd00:1:2:4::1"),
        ];
        for (theirs, own) in private {
            let mut filter = CandidateFilter::default();
            for (_, other) in private.into_iter().filter(|(_, other)| network(other) != network(theirs)) {
                assert_eq!(filter.note_own(&at(other)), []);
            }
            assert_eq!(filter.note_own(&at("93.184.216.34")), []);
            assert!(!is_tried(&mut filter, at(theirs)), "{theirs}");
            assert_eq!(filter.note_own(&at(own)), [at(theirs)], "it waited for {own}");
            assert!(is_tried(&mut filter, at(theirs)), "{theirs} beside {own}");
        }
    }

    fn network(address: &str) -> Option<Network> {
        Network::of(address.parse::<IpAddr>().expect("an address").to_canonical()).expect("one that hosts have")
    }

    #[test]
    fn tries_nothing_that_is_no_host_over_udp() {
        let mut filter = CandidateFilter::default();
        let addresses = [
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "::",
            "::10.0.0.1",
            "fec0::1",
            "64:ff9b:1::1",
            "router.local",
            "a.example",
        ];
        let almost = [HIDDEN.replace('-', ""), format!("x.{HIDDEN}"), HIDDEN.replace("3f", "xx")];
        for address in addresses.into_iter().chain(almost.iter().map(String::as_str)) {
            assert!(!is_tried(&mut filter, at(address)), "{address}");
        }
        assert!(!is_tried(&mut filter, over("tcp", "93.184.216.34")));
        for broken in ["", "candidate:1 1 udp 1 93.184.216.34", "candidate:1 1 udp 1 93.184.216.34 9 type host"] {
            assert!(!is_tried(&mut filter, Candidate { candidate: broken.to_owned(), ..Candidate::default() }));
        }
        let two_lines = at("93.184.216.34\n127.0.0.1");
        assert!(!is_tried(&mut filter, two_lines));
        assert_eq!(filter.waiting, []);
    }

    #[test]
    fn few_wait() {
        let mut filter = CandidateFilter::default();
        for _ in 0..2 * WAITING_MAX {
            filter.admit(at("10.0.0.1"));
        }
        assert_eq!(filter.note_own(&at("10.0.0.2")).len(), WAITING_MAX);
        assert_eq!(filter.note_own(&at("10.0.0.2")), [], "each is tried once");
    }

    #[test]
    fn candidates_are_taken_out_of_a_description() {
        let sdp = "v=0\r\na=ice-ufrag:x\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\nA=CANDIDATE:2 1 udp 1 10.0.0.1 9 typ host\ra=mid:0\n";
        let (rest, candidates) = split_candidates(sdp);
        assert_eq!(rest.to_lowercase().matches("candidate").count(), 0);
        assert!(rest.contains("a=ice-ufrag:x\r\n") && rest.ends_with("a=mid:0\n"));
        let places: Vec<_> = candidates.iter().map(Candidate::place).collect();
        let ten = Network::V4(Ipv4Addr::new(10, 0, 0, 0));
        assert_eq!(places, [Some(Place::Private(Network::Loopback)), Some(Place::Private(ten))]);
    }
}
