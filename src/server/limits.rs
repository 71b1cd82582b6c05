//! All limits of the server that an operator may change, each a flag with its default. Those of the relay are explained at
//! [`gen_registry_node::net::relay::limits`].

use std::time::Duration;

use clap::Args;
use gen_registry_node::net::relay::limits as relay;
use gen_registry_node::net::relay::limits::{RelayLimits, WitnessLimits};

/// Open connections to the page's listener. With those of relay and catalogue they stay below the 1,024 files that a process
/// may usually have open.
pub const HTTP_CONNECTIONS_MAX: usize = 256;
/// The same of one address: a quarter, because a browser opens six and many people may share one. Behind a trusted proxy it is how many requests of one address are being
/// answered.
pub const HTTP_CONNECTIONS_PER_ADDRESS: usize = HTTP_CONNECTIONS_MAX / 4;
/// From a connection's beginning, or the answer before, to the end of a request's head. An idle connection ends after
/// this.
pub const HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that reads nothing of an answer for so long is cut off.
pub const HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head, its path included. Browsers send about 1 KiB.
pub const HTTP_HEAD_MAX_BYTES: usize = 16 * 1024;
/// Lines of a request's head.
pub const HTTP_HEAD_LINES_MAX: usize = 64;
/// Connections to the listener of the counters.
pub const METRICS_CONNECTIONS_MAX: usize = 8;

/// The limits of one listener of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// [`HTTP_CONNECTIONS_MAX`].
    pub connections: usize,
    /// [`HTTP_CONNECTIONS_PER_ADDRESS`].
    pub connections_per_address: usize,
    /// [`HTTP_HEAD_TIMEOUT`].
    pub head_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: HTTP_CONNECTIONS_MAX,
            connections_per_address: HTTP_CONNECTIONS_PER_ADDRESS,
            head_timeout: HTTP_HEAD_TIMEOUT,
        }
    }
}

impl HttpLimits {
    /// Returns those of the counters' listener, which is for programs of the operator.
    pub fn of_metrics() -> Self {
        Self {
            connections: METRICS_CONNECTIONS_MAX,
            connections_per_address: METRICS_CONNECTIONS_MAX,
            ..Self::default()
        }
    }

    /// Returns those where all clients have the same address, that of a proxy which names none.
    pub fn without_addresses(self) -> Self {
        Self { connections_per_address: usize::MAX, ..self }
    }
}

/// The limits as flags. "One address" is an IPv4 address or a /64 of IPv6; rates are for each minute.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Connections to the page at once.
    #[arg(long, value_name = "N", default_value_t = HTTP_CONNECTIONS_MAX)]
    limit_http: usize,
    /// The same of one address.
    #[arg(long, value_name = "N", default_value_t = HTTP_CONNECTIONS_PER_ADDRESS)]
    limit_http_address: usize,
    /// Seconds in which the head of a request has to arrive; an idle connection ends after them.
    #[arg(long, value_name = "SECONDS", default_value_t = HTTP_HEAD_TIMEOUT.as_secs())]
    limit_http_head: u64,
    /// Connections to the relay at once.
    #[arg(long, value_name = "N", default_value_t = relay::CONNECTIONS_IN)]
    limit_connections: u32,
    /// The same of one address.
    #[arg(long, value_name = "N", default_value_t = relay::CONNECTIONS_PER_ADDRESS)]
    limit_connections_address: usize,
    /// New connections of one address to the relay in a minute.
    #[arg(long, value_name = "N", default_value_t = relay::CONNECTIONS_PER_ADDRESS_RATE)]
    limit_connections_rate: u32,
    /// Places at the relay, under which browsers are reached.
    #[arg(long, value_name = "N", default_value_t = relay::RESERVATIONS_MAX)]
    limit_places: usize,
    /// The same of one address.
    #[arg(long, value_name = "N", default_value_t = relay::RESERVATIONS_PER_ADDRESS)]
    limit_places_address: usize,
    /// Registrations at the relay, by which peers find each other.
    #[arg(long, value_name = "N", default_value_t = relay::REGISTRATIONS_MAX)]
    limit_registrations: usize,
    /// The same of one address.
    #[arg(long, value_name = "N", default_value_t = relay::REGISTRATIONS_PER_ADDRESS)]
    limit_registrations_address: usize,
    /// New registrations of one address in a minute.
    #[arg(long, value_name = "N", default_value_t = relay::REGISTRATIONS_PER_ADDRESS_RATE)]
    limit_registrations_rate: u32,
    /// Requests to the witness in a minute.
    #[arg(long, value_name = "N", default_value_t = relay::WITNESS_REQUESTS_RATE)]
    limit_witness: u32,
    /// The same of one address.
    #[arg(long, value_name = "N", default_value_t = relay::WITNESS_REQUESTS_PER_ADDRESS_RATE)]
    limit_witness_address: u32,
    /// Requests of one address in a minute that the witness could not use, or refused.
    #[arg(long, value_name = "N", default_value_t = relay::WITNESS_WASTED_PER_ADDRESS_RATE)]
    limit_witness_wasted: u32,
}

impl LimitArguments {
    /// Returns those of the page's listener.
    pub fn http(&self) -> HttpLimits {
        HttpLimits {
            connections: self.limit_http,
            connections_per_address: self.limit_http_address,
            head_timeout: Duration::from_secs(self.limit_http_head),
        }
    }

    /// Returns those of the relay and of the witness beside it.
    pub fn relay(&self) -> RelayLimits {
        RelayLimits {
            connections_in: self.limit_connections,
            connections_per_address: self.limit_connections_address,
            connections_per_address_rate: self.limit_connections_rate,
            reservations: self.limit_places,
            reservations_per_address: self.limit_places_address,
            registrations: self.limit_registrations,
            registrations_per_address: self.limit_registrations_address,
            registrations_per_address_rate: self.limit_registrations_rate,
            witness: WitnessLimits {
                rate: self.limit_witness,
                rate_per_address: self.limit_witness_address,
                wasted_per_address: self.limit_witness_wasted,
                ..WitnessLimits::default()
            },
            ..RelayLimits::default()
        }
    }
}
