//! Where a connection comes from, as limits count it.
//!
//! Peer ids and keys cost nothing; addresses do. Of IPv6 a customer gets at least a /64, so all addresses of one count as
//! one: 2001:db8:1:2::7 and 2001:db8:1:2::8 are one origin, 2001:db8:1:3::7 is another.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// An IPv4 address, or the first half of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    /// Returns the origin of a peer with this address, or `None` if it does not begin with an IP address.
    pub fn of(address: &Multiaddr) -> Option<Self> {
        match address.iter().next()? {
            Protocol::Ip4(address) => Some(IpAddr::V4(address).into()),
            Protocol::Ip6(address) => Some(IpAddr::V6(address).into()),
            _ => None,
        }
    }

    /// Returns its address: of IPv6 the first one.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Origin {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn all_addresses_of_one_subscriber_are_one_origin() {
        assert_eq!(origin("2001:db8:1:2::7"), origin("2001:db8:1:2:ffff::8"));
        assert_ne!(origin("2001:db8:1:2::7"), origin("2001:db8:1:3::7"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"), "one address in two spellings");
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("2001:db8:1:2::7").to_string(), "2001:db8:1:2::/64");
        let address: Multiaddr = "/ip6/2001:db8:1:2::9/tcp/1/ws".parse().expect("an address");
        assert_eq!(Origin::of(&address), Some(origin("2001:db8:1:2::1")));
        assert_eq!(Origin::of(&"/dns4/example.org/tcp/1".parse().expect("an address")), None);
    }
}
