//! The parameters of gossipsub's peer scores (libp2p/specs, `pubsub/gossipsub/gossipsub-v1.1.md`, "peer scoring"),
//! tuned to this network.
//!
//! It is quiet (minutes may pass without a message), small (6 to 24 connections), and each message is validated. So no
//! peer is penalized for silence (P3 is off: it would penalize peers that have nothing to send) or for its address (P6
//! is off: that of a data channel is unknown, and many people share one). The score consists of invalid messages (P4),
//! the host's own score (P5), and misbehaviour in the protocol itself (P7).
//!
//! What that means in numbers, for a peer that is otherwise neutral (a score of 0):
//!
//! | what the peer did | score | effect |
//! |---|---|---|
//! | the host rates it 0.3 (it is no longer asked for content) | -16 | no gossip about messages is exchanged |
//! | the host rates it 0.15 (it is about to be disconnected) | -28 | own messages are not published to it, too |
//! | 50 invalid messages | -10 | the first threshold; 100 reach -40: its messages are ignored |
//! | 5 broken promises of messages | -45 | its messages are ignored, and the host is notified |
//! | an hour in the mesh and 20 first deliveries | +3 | no more than a bonus: it outweighs nothing of the above |
//!
//! Penalties decay every second, to a tenth after the time given here. So the peer with 5 broken promises is above the
//! lowest threshold again after 5 s, and above all of them after 50 s; the host's own score decays much more slowly.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::gossipsub::{PeerScoreParams, PeerScoreThresholds, TopicScoreParams, score_parameter_decay};

/// Below this no gossip is exchanged with a peer outside gossipsub's mesh; below 0 it is not added to that mesh.
const GOSSIP_BELOW: f64 = -10.0;
/// Below this own messages are not published to it.
const PUBLISH_BELOW: f64 = -20.0;
/// Below this all messages of a peer are ignored. The host is notified, since such a peer is useless.
pub(super) const GRAYLIST_BELOW: f64 = -40.0;
/// The host's score of 0 counts as minus this, 1 as plus this, one half as zero.
const HOST_WEIGHT: f64 = 40.0;
/// One invalid message; the number is squared, so a hundred reach [`GRAYLIST_BELOW`]. The host counts them, too, and
/// bans the peer long before.
const INVALID_WEIGHT: f64 = -0.004;
/// The count of invalid messages decays to a tenth in this time.
const INVALID_DECAY: Duration = Duration::from_secs(10 * 60);
/// One graft during a backoff, or one broken promise, beyond [`MISBEHAVIOUR_FREE`]; the number is squared.
const MISBEHAVIOUR_WEIGHT: f64 = -5.0;
/// Misbehaviour that costs nothing: two peers may graft each other at the same moment.
const MISBEHAVIOUR_FREE: f64 = 2.0;
/// The count of misbehaviour decays to a tenth in this time.
const MISBEHAVIOUR_DECAY: Duration = Duration::from_secs(5 * 60);
/// An hour in the mesh, and being the first to deliver twenty messages, count a little.
const PRESENT_FOR: Duration = Duration::from_secs(60 * 60);
/// The bonus for the whole hour.
const PRESENT_WEIGHT: f64 = 1.0;
/// The bonus for each message that a peer delivers first.
const FIRST_WEIGHT: f64 = 0.1;
/// First deliveries that count.
const FIRST_MAX: f64 = 20.0;
/// Their count decays to a tenth in this time.
const FIRST_DECAY: Duration = Duration::from_secs(10 * 60);
/// The most for all topics together.
const TOPICS_MAX: f64 = 10.0;
/// How long the score of a disconnected peer is stored.
const RETAIN_SCORE: Duration = Duration::from_secs(60 * 60);

/// Returns the parameters of the score.
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
        behaviour_penalty_decay: score_parameter_decay(MISBEHAVIOUR_DECAY),
        retain_score: RETAIN_SCORE,
        // Slow peers lose their link instead.
        slow_peer_weight: 0.0,
        ..PeerScoreParams::default()
    }
}

/// Returns what a low score leads to.
pub(super) fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: GOSSIP_BELOW,
        publish_threshold: PUBLISH_BELOW,
        graylist_threshold: GRAYLIST_BELOW,
        // Peers of prune messages are never accepted: the connection manager chooses.
        accept_px_threshold: f64::MAX,
        opportunistic_graft_threshold: 1.0,
    }
}

/// Returns the parameters of every topic.
pub(super) fn topic() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: PRESENT_WEIGHT,
        time_in_mesh_quantum: PRESENT_FOR,
        time_in_mesh_cap: 1.0,
        first_message_deliveries_weight: FIRST_WEIGHT,
        first_message_deliveries_decay: score_parameter_decay(FIRST_DECAY),
        first_message_deliveries_cap: FIRST_MAX,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(INVALID_DECAY),
        ..TopicScoreParams::default()
    }
}

/// Converts the host's score, between 0 and 1, to gossipsub's P5: 0.5 counts as 0, 0.3 as -16.
pub(super) fn of_host(score: f64) -> f64 {
    (score.clamp(0.0, 1.0) - 0.5) * 2.0 * HOST_WEIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's scores of a neutral peer, of one not asked for content, and of one disconnected.
    const NEUTRAL: f64 = 0.5;
    const FETCH_MIN: f64 = 0.3;
    const CONNECTED_MIN: f64 = 0.15;

    #[test]
    fn gossipsub_accepts_the_parameters() {
        params().validate().expect("sound parameters");
        thresholds().validate().expect("sound thresholds");
        topic().validate().expect("sound parameters of a topic");
    }

    #[test]
    fn neutral_peer_scores_zero_and_bad_ones_cross_the_thresholds_in_order() {
        assert_eq!(of_host(NEUTRAL), 0.0);
        assert!(of_host(FETCH_MIN) < GOSSIP_BELOW);
        assert!(of_host(CONNECTED_MIN) < PUBLISH_BELOW);
        assert!(of_host(CONNECTED_MIN) > GRAYLIST_BELOW, "its messages are accepted until the host bans it");
        assert!(of_host(0.0) <= GRAYLIST_BELOW);
        let best_of_topics = TOPICS_MAX.min(PRESENT_WEIGHT + FIRST_WEIGHT * FIRST_MAX);
        assert!(of_host(CONNECTED_MIN) + best_of_topics < GOSSIP_BELOW, "useful messages do not outweigh a bad score");
        assert!(100.0_f64.powi(2) * INVALID_WEIGHT <= GRAYLIST_BELOW);
    }
}
