//! Whose request a proxy passes on, by its `X-Forwarded-For`.
//!
//! Anybody can send that header, so it is believed of the operator's own proxies alone, and only what the nearest of
//! them added: the list is read from its right end, over further proxies of the operator, to the first address that is
//! none.
//!
//! ```text
//!   X-Forwarded-For: 203.0.113.9, 198.51.100.7, 192.0.2.10        from 192.0.2.11
//!                    said by the   the client    a proxy of ours   a proxy of ours
//!                    client
//! ```

use std::net::{IpAddr, SocketAddr};

/// The header's name.
pub const HEADER: &str = "x-forwarded-for";

/// The proxies whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpAddr>);

impl TrustedProxies {
    /// Trusts these addresses.
    pub fn new(proxies: impl IntoIterator<Item = IpAddr>) -> Self {
        Self(proxies.into_iter().map(|address| address.to_canonical()).collect())
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Returns the client's address, of the header's lines in their order. `None` if nothing there can be believed.
    pub fn client_of<'a>(&self, lines: impl DoubleEndedIterator<Item = &'a str>) -> Option<IpAddr> {
        let mut entries = lines.rev().flat_map(|line| line.rsplit(',')).map(address_in);
        entries.find(|entry| entry.is_none_or(|address| !self.contains(address)))?
    }
}

/// Reads one entry: an address, with or without a port.
fn address_in(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry.parse().ok().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_is_the_last_address_that_is_no_proxy() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let trusted = TrustedProxies::new([ip("192.0.2.10"), ip("192.0.2.11")]);
        for (lines, client) in [
            (&["198.51.100.7"][..], Some("198.51.100.7")),
            (&["203.0.113.9, 198.51.100.7"], Some("198.51.100.7")),
            (&["203.0.113.9, 198.51.100.7,192.0.2.10"], Some("198.51.100.7")),
            (&["203.0.113.9", "198.51.100.7:4711"], Some("198.51.100.7")),
            (&["203.0.113.9", "[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["203.0.113.9, unknown"], None),
            (&["203.0.113.9,"], None),
            (&["192.0.2.10, 192.0.2.11"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(trusted.client_of(lines.iter().copied()), client.map(ip), "{lines:?}");
        }
        assert!(trusted.contains(ip("::ffff:192.0.2.10")) && !trusted.contains(ip("192.0.2.12")));
    }
}
