//! What the server reports to programs: the network's parameters, its health, and its counters.
//!
//! Nothing here comes from the page's folder, and nothing about a single person or peer is reported.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{catalogue_node::CatalogueNodeView, site::Site};
use gen_registry_node::VERSION;
use gen_registry_node::net::relay::numbers::{METRICS_TYPE, text_of};
use gen_registry_node::net::relay::{RelayStatus, address::websocket_origin};
use gen_registry_node::network::{NetworkParameters, parameters::ENTRIES_MAX};

/// The body of `/health`. Each part is `off`, `running` or `ended`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    version: &'static str,
    relay: &'static str,
    witness: &'static str,
    catalogue: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<String>,
}

/// `/network.json`: the network's genesis and changes, with the present addresses of relay and catalogue. The relays and
/// public nodes that the network's file names come after the own ones.
pub(super) async fn network(State(site): State<Site>) -> Response {
    let own = site.relay.as_ref().map(RelayStatus::addresses).unwrap_or_default();
    let relays = followed_by(own.iter().map(ToString::to_string).collect(), &site.network.relays);
    let own = site.catalogue.as_ref().map(CatalogueNodeView::addresses).unwrap_or_default();
    let public_nodes = followed_by(own, &site.network.public_nodes);
    json(StatusCode::OK, &NetworkParameters { relays, public_nodes, ..NetworkParameters::from(&site.network) })
}

/// The own addresses, and after them those of others, as far as there is room.
fn followed_by(mut own: Vec<String>, others: &[String]) -> Vec<String> {
    let others: Vec<String> = others.iter().filter(|other| !own.contains(other)).cloned().collect();
    own.extend(others);
    own.truncate(ENTRIES_MAX);
    own
}

/// What became of a part of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Off,
    Running,
    Ended,
}

impl Part {
    fn of(running: Option<bool>) -> Self {
        match running {
            None => Self::Off,
            Some(true) => Self::Running,
            Some(false) => Self::Ended,
        }
    }

    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }
}

/// Returns what became of the relay, the witness and the catalogue's node.
pub(super) fn parts(site: &Site) -> [(&'static str, Part); 3] {
    [
        ("Relay", Part::of(site.relay.as_ref().map(RelayStatus::is_running))),
        ("Witness", Part::of(site.relay.as_ref().and_then(RelayStatus::witness_is_running))),
        ("Catalogue's node", Part::of(site.catalogue.as_ref().map(CatalogueNodeView::is_running))),
    ]
}

/// `/health`: 200 while everything that was started runs, else 503.
pub(super) async fn health(State(site): State<Site>) -> Response {
    let [relay, witness, catalogue] = parts(&site).map(|(_, part)| part);
    let (code, status) = match [relay, witness, catalogue].contains(&Part::Ended) {
        false => (StatusCode::OK, "ok"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let [relay, witness, catalogue] = [relay, witness, catalogue].map(Part::name);
    let peer_id = site.relay.as_ref().map(|relay| relay.peer_id().to_string());
    json(code, &Health { status, version: VERSION, relay, witness, catalogue, peer_id })
}

/// `/metrics`: the counters for Prometheus, on a listener of their own.
pub(super) async fn metrics(State(site): State<Site>) -> Response {
    site.refresh_counts();
    let relay = site.relay.as_ref().map(RelayStatus::numbers);
    match text_of([site.counts.numbers()].into_iter().chain(relay)) {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE))], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "could not write the numbers");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Returns the sources that a page may connect to besides its own server, each with a space before it, for the
/// Content-Security-Policy. Not only the relays of this server: a page that keeps its network reaches the relays that it
/// knew, whatever its server is by then. Where a relay is behind TLS the page is, too, and needs nothing that is not.
pub(super) fn sources(relay: Option<&RelayStatus>) -> &'static str {
    let addresses = relay.map(RelayStatus::addresses).unwrap_or_default();
    let is_behind_tls = addresses.iter().filter_map(websocket_origin).any(|origin| origin.starts_with("wss:"));
    if is_behind_tls { " wss:" } else { " wss: ws:" }
}

/// Answers with JSON.
fn json(code: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => {
            (code, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "could not write an answer");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
