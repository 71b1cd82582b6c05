//! Gauges and counters, for two readers: as text for Prometheus (OpenMetrics 1.0), and as rows for a page.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use prometheus_client::registry::Registry;

/// The media type of [`text_of`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What ends the text.
const END: &str = "# EOF\n";

/// Registered gauges and counters.
#[derive(Default)]
pub struct Numbers {
    registry: Registry,
    listed: Vec<Listed>,
}

/// A number that is listed for people.
struct Listed {
    name: &'static str,
    help: &'static str,
    source: Source,
}

enum Source {
    Gauge(Gauge),
    Counter(Counter),
}

/// One number as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name without prefix.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    pub value: i64,
    /// Whether it is a state; otherwise it counts from the start on.
    pub is_state: bool,
}

impl Numbers {
    /// The numbers of a registry, which may have others that are not listed.
    pub fn new(registry: Registry) -> Self {
        Self { registry, listed: Vec::new() }
    }

    /// Adds states, each with its name and what it counts.
    pub fn add_gauges(&mut self, prefix: &str, gauges: &[(&'static str, &'static str, &Gauge)]) {
        let part = self.registry.sub_registry_with_prefix(prefix);
        for &(name, help, gauge) in gauges {
            part.register(name, help, gauge.clone());
            self.listed.push(Listed { name, help, source: Source::Gauge(gauge.clone()) });
        }
    }

    /// Adds counters, each with its name and what it counts.
    pub fn add_counters(&mut self, prefix: &str, counters: &[(&'static str, &'static str, &Counter)]) {
        let part = self.registry.sub_registry_with_prefix(prefix);
        for &(name, help, counter) in counters {
            part.register(name, help, counter.clone());
            self.listed.push(Listed { name, help, source: Source::Counter(counter.clone()) });
        }
    }

    /// Returns the listed numbers.
    pub fn rows(&self) -> Vec<Row> {
        let row = |listed: &Listed| {
            let (value, is_state) = match &listed.source {
                Source::Gauge(gauge) => (gauge.get(), true),
                Source::Counter(counter) => (i64::try_from(counter.get()).unwrap_or(i64::MAX), false),
            };
            Row { name: listed.name, help: listed.help, value, is_state }
        };
        self.listed.iter().map(row).collect()
    }
}

/// Returns all numbers as one text.
pub fn text_of<'a>(numbers: impl IntoIterator<Item = &'a Numbers>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for one in numbers {
        let mut part = String::new();
        encode(&mut part, &one.registry)?;
        text.push_str(part.strip_suffix(END).unwrap_or(&part));
    }
    text.push_str(END);
    Ok(text)
}
