//! Relays that a network has since the page was opened.
//!
//! A page stays open for weeks. In that time a relay may move, or come back at the same address with another key, because
//! its folder was lost; a dial then ends at a node with another id than the expected one, for ever. So while relays are
//! missing, the page asks its own server again, as at its start: rarely while another relay is there, sooner while there is
//! none. Only the server may say so, not who answers at the address. What it says adds relays of the same network and
//! takes none away, and peers that are connected stay.

use std::rc::Rc;
use std::time::Duration;

use futures_timer::Delay;

use crate::Node;
use crate::net::mesh::MeshHandle;
use crate::network::NetworkParameters;

/// How often it is looked whether relays are missing.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long none is connected before the server is asked, at first. The wait doubles with each question.
const WITHOUT_ANY: Duration = Duration::from_secs(10);
/// The longest wait between two questions while none is connected.
const WITHOUT_ANY_MAX: Duration = Duration::from_secs(2 * 60);
/// The same while only some are missing, at first.
const WITH_SOME: Duration = Duration::from_secs(60);
/// The longest of these waits: one that never comes back must not make every open page ask all day.
const WITH_SOME_MAX: Duration = Duration::from_secs(60 * 60);

/// Which of the relays that a node uses are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relays {
    /// As many as it uses.
    Enough,
    /// Some are missing.
    Some,
    None,
}

/// When the server is asked. Pure.
#[derive(Debug, Default)]
struct Pace {
    /// What is missing, and for how long.
    missing: Option<(Relays, Duration)>,
    /// Questions since then.
    asked: u32,
}

impl Pace {
    /// Takes in what is connected after some time has passed. Returns whether the server is to be asked now.
    fn is_due(&mut self, relays: Relays, passed: Duration) -> bool {
        let waited = match self.missing {
            Some((missing, waited)) if missing == relays => waited + passed,
            _ => {
                self.asked = 0;
                Duration::ZERO
            }
        };
        let (first, most) = match relays {
            Relays::Enough => {
                self.missing = None;
                return false;
            }
            Relays::Some => (WITH_SOME, WITH_SOME_MAX),
            Relays::None => (WITHOUT_ANY, WITHOUT_ANY_MAX),
        };
        let is_due = waited >= first.saturating_mul(1 << self.asked.min(16)).min(most);
        self.asked += u32::from(is_due);
        self.missing = Some((relays, if is_due { Duration::ZERO } else { waited }));
        is_due
    }
}

/// Asks the server (`ask`) for the network's parameters while relays are missing, and has the mesh use the relays that it
/// names. Never returns.
pub async fn renew_relays(node: Rc<Node>, mesh: MeshHandle, ask: impl AsyncFn() -> Option<NetworkParameters>) {
    let mut pace = Pace::default();
    loop {
        Delay::new(LOOK_EVERY).await;
        if !pace.is_due(node.peers.relays(), LOOK_EVERY) {
            continue;
        }
        // A server that does not answer says nothing.
        if let Some(answer) = ask().await {
            let endpoints = node.refresh_endpoints(Some(answer)).await;
            tracing::info!(relays = endpoints.relays.len(), "relays are missing, the server was asked");
            mesh.set_relays(endpoints.relays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which seconds the server is asked if this is so for so long.
    fn asked(pace: &mut Pace, relays: Relays, time: Duration) -> Vec<u64> {
        let steps = 0..=time.as_secs() / LOOK_EVERY.as_secs();
        steps.filter(|_| pace.is_due(relays, LOOK_EVERY)).map(|step| step * LOOK_EVERY.as_secs()).collect()
    }

    #[test]
    fn server_is_asked_soon_without_relays_rarely_with_some_and_never_with_enough() {
        let mut pace = Pace::default();
        assert!(asked(&mut pace, Relays::Enough, Duration::from_secs(3600)).is_empty());
        assert_eq!(asked(&mut pace, Relays::None, Duration::from_secs(160)), [10, 30, 70, 150]);
        let later = asked(&mut pace, Relays::None, Duration::from_secs(24 * 60 * 60));
        assert!(later.windows(2).skip(1).all(|two| two[1] - two[0] == WITHOUT_ANY_MAX.as_secs()), "{later:?}");
        let some = asked(&mut pace, Relays::Some, Duration::from_secs(24 * 60 * 60));
        assert_eq!(some[..3], [60, 180, 420]);
        assert!(some.len() < 32, "{some:?}");
        // The backoff is reset.
        assert_eq!(asked(&mut pace, Relays::None, Duration::from_secs(10)), [10]);
        assert!(asked(&mut pace, Relays::Enough, Duration::from_secs(10)).is_empty());
        assert_eq!(asked(&mut pace, Relays::None, Duration::from_secs(10)), [10]);
    }
}
