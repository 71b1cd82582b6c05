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
use gen_registry_node::net::relay::{RelayStatus, address::websocket_origin, metrics::METRICS_TYPE};
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

/// `/network.json`: the network's genesis and changes, with the present addresses of relay and catalogue. The relays
/// that a joined network named come after the own one.
pub(super) async fn network(State(site): State<Site>) -> Response {
    let own = site.relay.as_ref().map(RelayStatus::addresses).unwrap_or_default();
    let mut relays: Vec<String> = own.iter().map(ToString::to_string).collect();
    let others = site.network.relays.iter().filter(|relay| !relays.contains(relay)).cloned().collect::<Vec<_>>();
    relays.extend(others);
    relays.truncate(ENTRIES_MAX);
    let public_nodes = site.catalogue.as_ref().map(CatalogueNodeView::addresses).unwrap_or_default();
    json(StatusCode::OK, &NetworkParameters { relays, public_nodes, ..NetworkParameters::from(&site.network) })
}

/// `/health`: 200 while everything that was started runs, else 503.
pub(super) async fn health(State(site): State<Site>) -> Response {
    let state = |running: Option<bool>| match running {
        None => "off",
        Some(true) => "running",
        Some(false) => "ended",
    };
    let relay = state(site.relay.as_ref().map(RelayStatus::is_running));
    let witness = state(site.relay.as_ref().and_then(RelayStatus::witness_is_running));
    let catalogue = state(site.catalogue.as_ref().map(CatalogueNodeView::is_running));
    let (code, status) = match [relay, witness, catalogue].contains(&"ended") {
        false => (StatusCode::OK, "ok"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let peer_id = site.relay.as_ref().map(|relay| relay.peer_id().to_string());
    json(code, &Health { status, version: VERSION, relay, witness, catalogue, peer_id })
}

/// `/metrics`: the relay's counters for Prometheus, on a listener of their own.
pub(super) async fn metrics(State(site): State<Site>) -> Response {
    // Without a relay nothing is counted; an empty page of numbers ends like this.
    let text = site.relay.as_ref().map_or_else(|| Ok("# EOF\n".to_owned()), |relay| relay.metrics().text());
    match text {
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
