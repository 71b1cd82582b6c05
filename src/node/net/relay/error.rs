//! Why a relay could not start, or ended.

use std::{error::Error, io, time::Duration};

use libp2p::{Multiaddr, core::transport::TransportError};

use crate::net::relay::key::KeyError;

/// Why a relay could not start, or ended. The texts are for operators, and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the relay could not set up its connections")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    #[error(
        "the relay's address {0} is taken by another program. Stop that program, or choose another port: gen-registry \
         serve --p2p /ip4/127.0.0.1/tcp/9091/ws (or --no-p2p, to serve only the page)"
    )]
    AddressTaken(Multiaddr),
    #[error("the relay can't listen on {0}; an address looks like /ip4/127.0.0.1/tcp/9090/ws")]
    AddressKind(Multiaddr),
    #[error("the relay could not listen on {address}")]
    Listen { address: Multiaddr, source: TransportError<io::Error> },
    #[error("the relay got no address to listen on for {0} in {1:?}")]
    NoAddress(Multiaddr, Duration),
    #[error("no browser can use the public address {0}; one looks like /dns4/example.org/tcp/443/wss")]
    PublicKind(Multiaddr),
    #[error("the address {0} of another relay does not end with its peer id: /p2p/12D3…")]
    BootstrapWithoutPeer(Multiaddr),
    #[error("the witness's protocol can't be offered")]
    Protocol(#[source] Box<dyn Error + Send + Sync>),
    #[error("the relay's listener closed")]
    ListenerClosed(#[source] io::Error),
}
