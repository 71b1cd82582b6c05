//! What a search for a name beyond this device came to, in words.

use gen_registry_api::FindReport;

use super::text::{FormatNumber, format_count};

/// What the offer to claim a name rests on. `lookup` is absent while others are being asked; `now` is in milliseconds.
///
/// Returns `None` if somebody holds the name, or gave it up not long ago.
pub fn describe_offer(lookup: Option<&FindReport>, now: f64) -> Option<&'static str> {
    let Some(report) = lookup else { return Some("It is free as far as this device knows; others are being asked.") };
    let is_closed = report.free_at.is_some_and(|at| at as f64 > now);
    if report.found.is_some() || is_closed {
        return None;
    }
    Some(match (report.peers_asked, report.network_asked) {
        (0, false) => "It is free as far as this device knows.",
        _ => "It is free: nobody who was asked knows a holder.",
    })
}

/// Who was asked in vain.
pub fn describe_unanswered(peers: u64, network: bool, number: FormatNumber) -> String {
    match (peers, network) {
        (0, false) => {
            "Nobody could be asked: no peer and no relay is connected. Check that this device is online, then look again."
                .to_owned()
        }
        (0, true) => "The wider network was asked. Nobody there knows this name.".to_owned(),
        (peers, network) => {
            let asked = format_count(peers, "connected peer", "connected peers", number);
            let (network, were) = match (peers, network) {
                (_, true) => (" and the wider network", "were"),
                (1, false) => ("", "was"),
                _ => ("", "were"),
            };
            format!("{asked}{network} {were} asked. Nobody there knows this name.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::{FoundName, NameKind, NameStatus};

    fn report(peers_asked: u64, network_asked: bool) -> FindReport {
        FindReport {
            kind: NameKind::Username,
            asked: "bob".to_owned(),
            answered_by: None,
            found: None,
            free_at: None,
            peers_asked,
            network_asked,
            sought: 0,
        }
    }

    #[test]
    fn an_offer_says_what_it_rests_on() {
        let offer = |report: &FindReport| describe_offer(Some(report), 1_000.0);
        assert_eq!(
            describe_offer(None, 1_000.0),
            Some("It is free as far as this device knows; others are being asked.")
        );
        assert_eq!(offer(&report(0, false)), Some("It is free as far as this device knows."));
        assert_eq!(offer(&report(3, false)), Some("It is free: nobody who was asked knows a holder."));
        assert_eq!(offer(&report(0, true)), Some("It is free: nobody who was asked knows a holder."));
    }

    #[test]
    fn a_name_that_is_held_or_closed_is_not_offered() {
        let mut held = report(1, true);
        held.found = Some(found());
        assert_eq!(describe_offer(Some(&held), 0.0), None);
        let mut closed = report(1, true);
        closed.free_at = Some(1_001);
        assert_eq!(describe_offer(Some(&closed), 1_000.0), None);
        assert!(describe_offer(Some(&closed), 1_001.0).is_some());
    }

    fn found() -> FoundName {
        FoundName {
            name: "bob".to_owned(),
            did: "did:gen:z1".to_owned(),
            public_key: String::new(),
            registered_at: 0,
            status: NameStatus::Confirmed,
            release: None,
        }
    }

    #[test]
    fn who_was_asked_is_counted() {
        let asked = |peers, network| describe_unanswered(peers, network, |value| value.to_string());
        assert!(asked(0, false).starts_with("Nobody could be asked"));
        assert_eq!(asked(0, true), "The wider network was asked. Nobody there knows this name.");
        assert_eq!(asked(1, false), "1 connected peer was asked. Nobody there knows this name.");
        assert_eq!(asked(2, true), "2 connected peers and the wider network were asked. Nobody there knows this name.");
    }
}
