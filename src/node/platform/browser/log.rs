//! Panics and log lines on the browser's console.

use tracing_subscriber::prelude::*;

/// Sends panics and log lines of level `INFO` and above to the console.
pub fn start() {
    console_error_panic_hook::set_once();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .without_time()
        .with_writer(tracing_web::MakeWebConsoleWriter::new().with_pretty_level())
        .with_filter(tracing_subscriber::filter::LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).init();
}
