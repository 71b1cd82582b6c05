//! Each fault happens, and the same seed makes the same network.

use crate::support::simulator::*;

const CALM: Faults = Faults { latency_millis: 5..50, lost: 0, doubled: 0, late: 0, cut: 0 };
const FOR_EVER: u64 = u64::MAX / 2;

fn all(network: &mut SimulatedNetwork) -> Vec<(NodeId, Delivery)> {
    std::iter::from_fn(|| network.advance(FOR_EVER)).collect()
}

fn streamed(deliveries: &[(NodeId, Delivery)]) -> Vec<u8> {
    let bytes = deliveries.iter().filter_map(|(_, delivery)| match delivery {
        Delivery::Stream { bytes, .. } => Some(bytes[0]),
        _ => None,
    });
    bytes.collect()
}

#[test]
fn delivers_streams_in_order_and_gossip_out_of_order() {
    let mut network = SimulatedNetwork::new(1, 2, CALM);
    assert!(network.dial(0, 1));
    assert!(!network.dial(1, 0), "one link between two nodes");
    (0..50).for_each(|byte| network.send(0, 1, vec![byte]));
    (0..50).for_each(|byte| network.gossip(0, 1, &[byte]));
    let deliveries = all(&mut network);
    assert_eq!(streamed(&deliveries), (0..50).collect::<Vec<u8>>());
    let gossip: Vec<u8> = deliveries
        .iter()
        .filter_map(|(_, delivery)| match delivery {
            Delivery::Gossip { bytes, .. } => Some(bytes[0]),
            _ => None,
        })
        .collect();
    assert_eq!(gossip.len(), 50);
    assert!(gossip.windows(2).any(|pair| pair[0] > pair[1]));
    assert_eq!(network.traffic()[0], Traffic { messages: 100, bytes: 100, ..Traffic::default() });
}

#[test]
fn cut_link_loses_what_was_on_its_way_and_notifies_both_sides() {
    let mut network = SimulatedNetwork::new(1, 2, CALM);
    network.dial(0, 1);
    network.send(0, 1, vec![1]);
    network.cut(0, 1);
    network.dial(1, 0);
    let deliveries = all(&mut network);
    assert_eq!(streamed(&deliveries), Vec::<u8>::new());
    assert_eq!(deliveries.iter().filter(|(_, delivery)| matches!(delivery, Delivery::Cut { .. })).count(), 2);
    assert_eq!(deliveries.iter().filter(|(_, delivery)| matches!(delivery, Delivery::Opened { .. })).count(), 2);
}

#[test]
fn partition_cuts_and_refuses_links_until_healed() {
    let mut network = SimulatedNetwork::new(1, 3, CALM);
    network.dial(0, 1);
    network.dial(1, 2);
    network.part(vec![0, 0, 1]);
    assert_eq!(network.peers(1), [0]);
    assert!(!network.dial(2, 1));
    network.gossip(0, 2, b"x");
    assert_eq!((network.traffic()[2].parted, network.traffic()[0].parted), (1, 1));
    network.heal();
    assert!(network.dial(2, 1));
}

#[test]
fn injects_every_fault_and_repeats_them_with_the_seed() {
    let faults = Faults { lost: 100, doubled: 100, late: 100, cut: 100, ..CALM };
    let run = |seed| {
        let mut network = SimulatedNetwork::new(seed, 2, faults.clone());
        for byte in 0..200 {
            network.dial(0, 1);
            network.send(0, 1, vec![byte]);
            network.gossip(1, 0, &[byte]);
        }
        (all(&mut network), network.traffic().to_vec())
    };
    let (first, traffic) = run(7);
    assert!(traffic[0].cuts > 5 && traffic[1].lost > 5 && traffic[1].doubled > 5 && traffic[1].late > 5);
    assert_eq!(run(7), (first.clone(), traffic));
    assert_ne!(run(8).0, first);
}
