//! The relay as real libp2p clients meet it: in this process with limits of the test's choosing, and as the real
//! program.

mod fairness;
pub(crate) mod program;
mod witness;

use std::{path::Path, time::Duration};

use axum::{body::Body, http::Request};
use gen_registry_node::Network;
use gen_registry_node::net::{
    KADEMLIA_PROTOCOL, REGISTRATION_SECONDS,
    relay::{
        Relay, RelayError, RelayOptions, RelayStatus,
        limits::{REGISTRATIONS_PER_PEER_RATE, RelayLimits},
    },
};
use gen_registry_server::counts::ServerCounts;
use gen_registry_server::serve::{counters, page};
use gen_registry_server::site::Site;
use http_body_util::BodyExt;
use libp2p::{
    Multiaddr, identify,
    kad::{self, GetProvidersOk, GetRecordError, QueryResult, Quorum, Record, RecordKey},
    multiaddr::Protocol,
    rendezvous,
    swarm::SwarmEvent,
};
use tower::ServiceExt;

use crate::support::relay::{options, relay_with};
use crate::support::relay_client::{BehaviourEvent, Client, eventually};
use crate::support::server::dist;

fn topic() -> rendezvous::Namespace {
    rendezvous::Namespace::new(Network::default().topic.into()).unwrap()
}

/// Status, policy and text of what the server of this relay answers.
async fn ask(dist: &Path, relay: &RelayStatus, path: &str) -> (u16, String, String) {
    let site = Site {
        dist: dist.to_owned(),
        network: Network::default(),
        relay: Some(relay.clone()),
        catalogue: None,
        counts: ServerCounts::default(),
    };
    let app = if path == "/metrics" { counters(site) } else { page(site) };
    let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let policy = response.headers().get("content-security-policy").map(|policy| policy.to_str().unwrap().to_owned());
    let policy = policy.unwrap_or_default();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, policy, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn clients_meet_through_a_circuit_and_metrics_count_it() {
    let (relay, view, address) = relay_with(RelayLimits::default()).await;
    let folder = dist();
    let (_, _, before) = ask(folder.path(), &view, "/metrics").await;
    assert!(before.contains("\ngen_relay_reservations 0\n"), "{before}");

    let (mut alice, mut bob) = (Client::new(), Client::new());
    alice.reserve(&address).await;
    bob.reserve(&address).await;
    let bobs = bob.peer();
    let bob = bob.left_running();
    alice.ping_through(&address, bobs).await;

    let counts = view.counts();
    eventually("two reservations, one circuit", || counts.reservations.get() == 2 && counts.circuits.get() == 1).await;
    let (code, policy, network) = ask(folder.path(), &view, "/network.json").await;
    let network: serde_json::Value = serde_json::from_str(&network).unwrap();
    assert_eq!(code, 200);
    assert_eq!(network["relays"], serde_json::json!([address.to_string()]));
    assert!(policy.ends_with("; connect-src 'self' wss: ws:"), "{policy}");
    let (code, _, health) = ask(folder.path(), &view, "/health").await;
    assert_eq!(code, 200);
    assert!(health.contains(r#""status":"ok""#) && health.contains(&view.peer_id().to_string()), "{health}");
    let (_, _, metrics) = ask(folder.path(), &view, "/metrics").await;
    for line in ["gen_relay_connections 2", "gen_relay_reservations 2", "gen_relay_circuits_opened_total 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    let bytes = metrics.lines().find(|line| line.starts_with("libp2p_bandwidth_bytes_total")).unwrap();
    assert!(bytes.rsplit(' ').next().unwrap().parse::<u64>().unwrap() > 1000, "{bytes}");
    assert!(!metrics.contains("12D3"), "no peer is named");

    relay.stop().await;
    alice.until_disconnected(view.peer_id()).await;
    assert!(!view.is_running());
    assert_eq!(counts.connections.get(), 0, "it closed what was open");
    let (code, _, health) = ask(folder.path(), &view, "/health").await;
    assert_eq!((code, health.contains("failing")), (503, true), "{health}");
    bob.abort();
}

#[tokio::test]
async fn clients_of_one_topic_find_each_other() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    bob.reserve(&address).await;
    let registered = |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Registered { .. })) => Some(()),
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::RegisterFailed {
            error, ..
        })) => panic!("not registered: {error:?}"),
        _ => None,
    };
    bob.0.behaviour_mut().rendezvous.register(topic(), view.peer_id(), Some(REGISTRATION_SECONDS)).unwrap();
    bob.until("a registration", registered).await;
    // The same again is a renewal, not a second entry.
    bob.0.behaviour_mut().rendezvous.register(topic(), view.peer_id(), Some(REGISTRATION_SECONDS)).unwrap();
    bob.until("a renewal", registered).await;
    let counts = view.counts();
    eventually("one is listed", || counts.registrations_accepted.get() == 2 && counts.registrations.get() == 1).await;

    alice.connect(&address).await;
    let discovered = |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered {
            registrations,
            ..
        })) => Some(registrations),
        _ => None,
    };
    let elsewhere = rendezvous::Namespace::from_static("another");
    alice.0.behaviour_mut().rendezvous.discover(Some(elsewhere), None, None, view.peer_id());
    assert!(alice.until("an answer", discovered).await.is_empty(), "another network sees nobody");
    alice.0.behaviour_mut().rendezvous.discover(Some(topic()), None, None, view.peer_id());
    let found = alice.until("an answer", discovered).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record.peer_id(), bob.peer());
    assert!(found[0].record.addresses()[0].iter().any(|part| part == Protocol::P2pCircuit));
}

#[tokio::test]
async fn long_registrations_are_shortened() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let mut bob = Client::new();
    bob.reserve(&address).await;
    // Two hours, if nothing is said.
    bob.0.behaviour_mut().rendezvous.register(topic(), view.peer_id(), None).unwrap();
    let error = bob.until("an answer", |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::RegisterFailed {
            error, ..
        })) => Some(error),
        _ => None,
    });
    assert!(matches!(error.await, rendezvous::ErrorCode::InvalidTtl));
    assert_eq!(view.counts().registrations_accepted.get(), 0);
}

#[tokio::test]
async fn client_that_registers_repeatedly_is_refused() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let mut mallory = Client::new();
    mallory.reserve(&address).await;
    for number in 0..=REGISTRATIONS_PER_PEER_RATE {
        mallory.0.behaviour_mut().rendezvous.register(topic(), view.peer_id(), Some(REGISTRATION_SECONDS)).unwrap();
        let accepted = mallory.until("an answer", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Registered { .. })) => {
                Some(true)
            }
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::RegisterFailed { .. })) => {
                Some(false)
            }
            _ => None,
        });
        assert_eq!(accepted.await, number < REGISTRATIONS_PER_PEER_RATE, "{number}");
    }
    let counts = view.counts();
    assert_eq!((counts.registrations.get(), counts.registrations_refused_rate.get()), (1, 1));
}

#[tokio::test]
async fn circuits_end_at_their_limits() {
    let bytes = RelayLimits { circuit_bytes: 8 * 1024, ..RelayLimits::default() };
    let time = RelayLimits { circuit_time: Duration::from_secs(1), ..RelayLimits::default() };
    for limits in [bytes, time] {
        let (_relay, view, address) = relay_with(limits).await;
        // A lot of little pings is more than 8 KiB soon.
        let mut alice = Client::pinging_every(Duration::from_millis(1));
        let mut bob = Client::new();
        bob.reserve(&address).await;
        let bobs = bob.peer();
        let bob = bob.left_running();
        alice.ping_through(&address, bobs).await;
        assert_eq!(view.counts().circuits_cut.get(), 0, "it was open");
        alice.until_disconnected(bobs).await;
        let counts = view.counts();
        eventually("the circuit is gone", || counts.circuits.get() == 0 && counts.circuits_cut.get() == 1).await;
        assert_eq!(counts.reservations.get(), 1, "the reservation stays");
        bob.abort();
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused() {
    let (_relay, view, address) =
        relay_with(RelayLimits { reservations: 1, connections_in: 2, ..RelayLimits::default() }).await;
    let (mut alice, mut bob, mut carol) = (Client::new(), Client::new(), Client::new());
    alice.reserve(&address).await;
    let alice = alice.left_running();
    bob.connect(&address).await;
    bob.0.listen_on(address.clone().with(Protocol::P2pCircuit)).unwrap();
    bob.until("a refusal", |event| matches!(event, SwarmEvent::ListenerClosed { .. }).then_some(())).await;
    let counts = view.counts();
    eventually("a refusal is counted", || counts.reservations_refused.get() == 1).await;
    assert_eq!(counts.reservations.get(), 1);

    carol.0.dial(address.clone()).unwrap();
    // The relay finds out who it is before it refuses.
    carol
        .until("no connection", |event| match event {
            SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => Some(()),
            _ => None,
        })
        .await;
    eventually("the refused connection is counted", || counts.connections_refused.get() == 1).await;
    alice.abort();
}

#[tokio::test]
async fn connections_of_one_address_are_limited_unless_it_is_a_proxy() {
    for by_address in [true, false] {
        let limits = RelayLimits { connections_per_address: 2, by_address, ..RelayLimits::default() };
        let (_relay, view, address) = relay_with(limits).await;
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = Client::new();
            client.connect(&address).await;
            clients.push(client.left_running());
        }
        let mut third = Client::new();
        third.0.dial(address.clone()).unwrap();
        let refused = third.until("an answer or the end", |event| match event {
            SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => Some(true),
            // Whoever it lets in gets an answer.
            SwarmEvent::Behaviour(BehaviourEvent::Ping(_)) => Some(false),
            _ => None,
        });
        assert_eq!(refused.await, by_address);
        assert_eq!(view.counts().connections_refused.get(), u64::from(by_address));
        clients.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn unverifiable_values_are_not_served_and_providers_are() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let (mut alice, mut mallory) = (Client::new(), Client::new());
    let key = RecordKey::new(b"a key");
    mallory.reserve(&address).await;
    mallory.0.behaviour_mut().kademlia.add_address(&view.peer_id(), address.clone());
    mallory.0.behaviour_mut().kademlia.put_record(Record::new(key.clone(), b"junk".to_vec()), Quorum::One).unwrap();
    mallory
        .until("the value was sent", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                result: QueryResult::PutRecord(_),
                ..
            })) => Some(()),
            _ => None,
        })
        .await;
    let counts = view.counts();
    eventually("the value was refused", || counts.kademlia_values_refused.get() == 1).await;
    assert_eq!(counts.kademlia_values.get(), 0);
    mallory.0.behaviour_mut().kademlia.start_providing(key.clone()).unwrap();
    let mallorys = mallory.peer();
    let mallory = mallory.left_running();
    eventually("the hint is kept", || counts.kademlia_providers_accepted.get() == 1).await;

    alice.connect(&address).await;
    alice.0.behaviour_mut().kademlia.get_record(key.clone());
    alice
        .until("an answer", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                result: QueryResult::GetRecord(result),
                ..
            })) => match result {
                Err(GetRecordError::NotFound { .. }) => Some(()),
                other => panic!("it was served: {other:?}"),
            },
            _ => None,
        })
        .await;
    alice.0.behaviour_mut().kademlia.get_providers(key);
    let providers = alice.until("an answer", |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
            result: QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })),
            ..
        })) => Some(providers),
        _ => None,
    });
    assert!(providers.await.contains(&mallorys));
    mallory.abort();
}

#[tokio::test]
async fn relays_find_each_other() {
    let (_first, first, address) = relay_with(RelayLimits::default()).await;
    let with = RelayOptions { bootstrap: vec![address], ..options(RelayLimits::default()) };
    let second = Relay::start(with).await.unwrap();
    eventually("each has a way to the other", || {
        first.counts().kademlia_peers.get() == 1 && second.view().counts().kademlia_peers.get() == 1
    })
    .await;
}

#[tokio::test]
async fn relay_without_kademlia_refuses_its_protocol() {
    for dht_server in [true, false] {
        let relay = Relay::start(RelayOptions { dht_server, ..options(RelayLimits::default()) }).await.unwrap();
        let mut alice = Client::new();
        alice.0.dial(relay.view().addresses().remove(0)).unwrap();
        let protocols = alice.until("it says what it speaks", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { info, .. })) => {
                Some(info.protocols)
            }
            _ => None,
        });
        let protocols: Vec<String> = protocols.await.iter().map(ToString::to_string).collect();
        assert_eq!(protocols.iter().any(|name| name == KADEMLIA_PROTOCOL), dht_server, "{protocols:?}");
        assert!(protocols.iter().any(|name| name == "/libp2p/circuit/relay/0.2.0/hop"), "{protocols:?}");
        assert!(!protocols.iter().any(|name| name.contains("meshsub")), "no gossip through a relay: {protocols:?}");
    }
}

#[tokio::test]
async fn unusable_addresses_are_rejected_at_the_start() {
    let start = |change: fn(&mut RelayOptions)| {
        let mut options = options(RelayLimits::default());
        change(&mut options);
        async { Relay::start(options).await.err().unwrap() }
    };
    let error = start(|options| options.listen = "/ip4/127.0.0.1/udp/1".parse().unwrap()).await;
    assert!(matches!(error, RelayError::AddressKind(_)), "{error}");
    let error = start(|options| options.public = vec!["/ip4/1.2.3.4/tcp/1".parse().unwrap()]).await;
    assert!(matches!(error, RelayError::PublicKind(_)), "{error}");
    let error = start(|options| options.bootstrap = vec!["/ip4/1.2.3.4/tcp/1/ws".parse().unwrap()]).await;
    assert!(matches!(error, RelayError::BootstrapWithoutPeer(_)), "{error}");
}

#[tokio::test]
async fn public_address_replaces_the_real_one() {
    let public: Multiaddr = "/dns4/example.org/tcp/443/wss".parse().unwrap();
    let with = RelayOptions { public: vec![public.clone()], ..options(RelayLimits::default()) };
    let relay = Relay::start(with).await.unwrap();
    let expected = public.with(Protocol::P2p(relay.view().peer_id()));
    assert_eq!(relay.view().addresses(), [expected]);
    let folder = dist();
    let (_, policy, _) = ask(folder.path(), &relay.view(), "/").await;
    assert!(policy.ends_with("; connect-src 'self' wss:"), "{policy}: the page is behind TLS as well");
}
