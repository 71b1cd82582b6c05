//! Running a story, and waiting for what must happen in it.

use std::future::Future;
use std::time::Duration;

use tokio::task::LocalSet;

/// How long a condition may take before a test gives up on it. Never a measurement.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds; fails after [`PATIENCE`], naming it.
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(PATIENCE, what, holds).await;
}

/// Waits longer, for what takes its time.
pub async fn eventually_within(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// Nodes are of one thread, as in a page.
pub fn in_one_thread(story: impl Future<Output = ()> + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(story));
}
