//! How gossipsub rates peers (libp2p/specs, `pubsub/gossipsub/gossipsub-v1.1.md`, "peer scoring"), tuned to this
//! network.
//!
//! It is quiet (minutes may pass without a message), small (6 to 24 connections) and its messages are judged one by
//! one. So no peer is blamed for silence (P3 is off: it would punish a peer without anything to say), nor for its
//! address (P6 is off: a data channel's is not known, and many people share one). What counts is what was validated as
//! against the rules (P4), what the host knows of the peer from elsewhere (P5), and play with the protocol itself (P7).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::gossipsub::{PeerScoreParams, PeerScoreThresholds, TopicScoreParams, score_parameter_decay};

/// Below this nothing is gossiped with a peer beyond the mesh; it is not taken into the mesh below 0.
const GOSSIP_BELOW: f64 = -10.0;
/// Below this own messages are not sent to it.
const PUBLISH_BELOW: f64 = -20.0;
/// Below this, messages of a peer are ignored; the host is notified, since such a peer is of no more use.
pub(super) const GRAYLIST_BELOW: f64 = -40.0;
/// What the host's number of 0 comes to; 1 comes to as much above zero, one half to nothing.
const HOST_WEIGHT: f64 = 40.0;
/// One message against the rules; two count four times as much, a hundred reach [`GRAYLIST_BELOW`]. The host judges
/// each, and sends the peer away long before.
const INVALID_WEIGHT: f64 = -0.004;
const INVALID_FADES_IN: Duration = Duration::from_secs(10 * 60);
/// One grafting before its time, or one promise that was not kept, beyond [`MISBEHAVIOUR_FREE`]; squared.
const MISBEHAVIOUR_WEIGHT: f64 = -5.0;
const MISBEHAVIOUR_FREE: f64 = 2.0;
const MISBEHAVIOUR_FADES_IN: Duration = Duration::from_secs(5 * 60);
/// Being there for an hour, and bringing twenty messages first, is worth something, and never much.
const PRESENT_FOR: Duration = Duration::from_secs(60 * 60);
const PRESENT_WEIGHT: f64 = 1.0;
const FIRST_WEIGHT: f64 = 0.1;
const FIRST_MAX: f64 = 20.0;
const FIRST_FADES_IN: Duration = Duration::from_secs(10 * 60);
/// From all topics together.
const TOPICS_MAX: f64 = 10.0;
/// A peer that left and comes back is who it was.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

pub(super) fn params() -> PeerScoreParams {
    PeerScoreParams {
        topics: HashMap::new(),
        topic_score_cap: TOPICS_MAX,
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        ip_colocation_factor_threshold: 1.0,
        ip_colocation_factor_whitelist: HashSet::new(),
        behaviour_penalty_weight: MISBEHAVIOUR_WEIGHT,
        behaviour_penalty_threshold: MISBEHAVIOUR_FREE,
        behaviour_penalty_decay: score_parameter_decay(MISBEHAVIOUR_FADES_IN),
        retain_score: REMEMBERED_FOR,
        // Who does not take what it asked for loses its link.
        slow_peer_weight: 0.0,
        ..PeerScoreParams::default()
    }
}

pub(super) fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: GOSSIP_BELOW,
        publish_threshold: PUBLISH_BELOW,
        graylist_threshold: GRAYLIST_BELOW,
        // Peers are never taken from a pruning: the connection manager chooses.
        accept_px_threshold: f64::MAX,
        opportunistic_graft_threshold: 1.0,
    }
}

/// The same for every topic.
pub(super) fn topic() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: PRESENT_WEIGHT,
        time_in_mesh_quantum: PRESENT_FOR,
        time_in_mesh_cap: 1.0,
        first_message_deliveries_weight: FIRST_WEIGHT,
        first_message_deliveries_decay: score_parameter_decay(FIRST_FADES_IN),
        first_message_deliveries_cap: FIRST_MAX,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(INVALID_FADES_IN),
        ..TopicScoreParams::default()
    }
}

/// What the host's number, between 0 and 1, comes to here.
pub(super) fn of_host(score: f64) -> f64 {
    (score.clamp(0.0, 1.0) - 0.5) * 2.0 * HOST_WEIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's scores of a neutral peer, of one not asked for content, and of one disconnected.
    const BEGINNING: f64 = 0.5;
    const ASKED_FROM: f64 = 0.3;
    const KEPT_FROM: f64 = 0.15;

    #[test]
    fn the_numbers_are_ones_that_gossipsub_takes() {
        params().validate().expect("sound parameters");
        thresholds().validate().expect("sound thresholds");
        topic().validate().expect("sound parameters of a topic");
    }

    #[test]
    fn a_stranger_counts_nothing_and_who_fell_is_left_out_step_by_step() {
        assert_eq!(of_host(BEGINNING), 0.0);
        assert!(of_host(ASKED_FROM) < GOSSIP_BELOW);
        assert!(of_host(KEPT_FROM) < PUBLISH_BELOW);
        assert!(of_host(KEPT_FROM) > GRAYLIST_BELOW, "heard until the host sends it away");
        assert!(of_host(0.0) <= GRAYLIST_BELOW);
        let best_of_topics = TOPICS_MAX.min(PRESENT_WEIGHT + FIRST_WEIGHT * FIRST_MAX);
        assert!(of_host(KEPT_FROM) + best_of_topics < GOSSIP_BELOW, "diligence does not pay for lies");
        assert!(100.0_f64.powi(2) * INVALID_WEIGHT <= GRAYLIST_BELOW);
    }
}
