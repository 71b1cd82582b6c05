//! The messages of libp2p's rendezvous, as protobuf.
//! <https://github.com/libp2p/specs/blob/master/rendezvous/README.md>

use libp2p::core::{PeerRecord, SignedEnvelope};
use prost::{Enumeration, Message as Protobuf};

/// Any message: the field of its kind is set.
#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct Message {
    #[prost(enumeration = "Kind", optional, tag = "1")]
    pub(super) kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub(super) register: Option<Register>,
    #[prost(message, optional, tag = "3")]
    pub(super) register_response: Option<RegisterResponse>,
    #[prost(message, optional, tag = "4")]
    pub(super) unregister: Option<Unregister>,
    #[prost(message, optional, tag = "5")]
    pub(super) discover: Option<Discover>,
    #[prost(message, optional, tag = "6")]
    pub(super) discover_response: Option<DiscoverResponse>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(super) enum Kind {
    Register = 0,
    RegisterResponse = 1,
    Unregister = 2,
    Discover = 3,
    DiscoverResponse = 4,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(super) enum Status {
    Ok = 0,
    InvalidNamespace = 100,
    InvalidSignedPeerRecord = 101,
    InvalidTtl = 102,
    NotAuthorized = 200,
    Unavailable = 400,
}

/// A registration: asked for, or found.
#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct Register {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) signed_peer_record: Option<Vec<u8>>,
    /// Seconds.
    #[prost(uint64, optional, tag = "3")]
    pub(super) ttl: Option<u64>,
}

#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct RegisterResponse {
    #[prost(enumeration = "Status", optional, tag = "1")]
    pub(super) status: Option<i32>,
    /// Seconds.
    #[prost(uint64, optional, tag = "3")]
    pub(super) ttl: Option<u64>,
}

#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct Unregister {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
}

#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct Discover {
    #[prost(string, optional, tag = "1")]
    pub(super) namespace: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) limit: Option<u64>,
}

#[derive(Clone, PartialEq, Protobuf)]
pub(super) struct DiscoverResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) registrations: Vec<Register>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) cookie: Option<Vec<u8>>,
    #[prost(enumeration = "Status", optional, tag = "3")]
    pub(super) status: Option<i32>,
}

/// Bytes of a cookie that stands for nothing: an id, and no namespace. A client that sends it gets the whole list.
const NO_COOKIE: [u8; 8] = [0; 8];

/// Returns the answer to a registration.
pub(super) fn registered(outcome: Result<u64, Status>) -> Message {
    let (status, ttl) = match outcome {
        Ok(ttl) => (Status::Ok, Some(ttl)),
        Err(status) => (status, None),
    };
    Message {
        kind: Some(Kind::RegisterResponse.into()),
        register_response: Some(RegisterResponse { status: Some(status.into()), ttl }),
        ..Message::default()
    }
}

/// Returns the answer to a discovery.
pub(super) fn discovered(outcome: Result<Vec<Register>, Status>) -> Message {
    let (status, registrations) = match outcome {
        Ok(registrations) => (Status::Ok, registrations),
        Err(status) => (status, Vec::new()),
    };
    Message {
        kind: Some(Kind::DiscoverResponse.into()),
        discover_response: Some(DiscoverResponse {
            registrations,
            cookie: Some(NO_COOKIE.to_vec()),
            status: Some(status.into()),
        }),
        ..Message::default()
    }
}

/// Returns the peer's record, if its signature is good.
pub(super) fn record_of(bytes: &[u8]) -> Option<PeerRecord> {
    PeerRecord::from_signed_envelope(SignedEnvelope::from_protobuf_encoding(bytes).ok()?).ok()
}
