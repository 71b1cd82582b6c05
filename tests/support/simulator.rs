//! A simulated network: virtual time, one seed, and every fault by choice.
//!
//! A link is what a WebRTC data channel is: a reliable ordered stream that can be cut at any moment. Gossip is lost,
//! doubled and reordered. The network moves bytes between numbered nodes and does not know what they mean; the caller
//! owns the nodes and hands them what [`SimulatedNetwork::advance`] delivers. The same seed and the same calls give the
//! same deliveries, so a failed run is replayed from one number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;

use gen_registry_core::random::Random;

/// The number of a node, from 0.
pub type NodeId = usize;

/// How often what goes wrong. Chances are of 1,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The delay of each message, drawn evenly.
    pub latency_millis: Range<u64>,
    /// Gossip that never arrives.
    pub lost: u64,
    /// Gossip that arrives twice.
    pub doubled: u64,
    /// Gossip that takes ten times as long, so that later messages overtake it.
    pub late: u64,
    /// Stream messages at which the link breaks instead.
    pub cut: u64,
}

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The link that `dialler` asked for was opened; `peer` is the other side.
    Opened { peer: NodeId, link: u64, dialler: bool },
    /// A message on a link.
    Stream { peer: NodeId, link: u64, bytes: Vec<u8> },
    /// A message on gossip.
    Gossip { peer: NodeId, bytes: Vec<u8> },
    /// The link is gone, and what was on its way with it.
    Cut { peer: NodeId, link: u64 },
    /// A timer set by [`SimulatedNetwork::wake`], with its token.
    Timer(u64),
}

/// What one node sent, and the faults that met it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub messages: u64,
    pub bytes: u64,
    pub lost: u64,
    pub doubled: u64,
    pub late: u64,
    pub cuts: u64,
    /// Messages and dials refused at the border of a partition.
    pub parted: u64,
}

/// An open link.
struct SimulatedLink {
    number: u64,
    dialler: NodeId,
    /// When the last message on its way to the smaller and to the larger number arrives.
    last: [u64; 2],
}

/// The network and everything on its way.
pub struct SimulatedNetwork {
    faults: Faults,
    random: Random,
    now: u64,
    /// Counts what is scheduled, so that events of one millisecond have an order.
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64, NodeId)>>,
    deliveries: BTreeMap<u64, Delivery>,
    links: BTreeMap<(NodeId, NodeId), SimulatedLink>,
    /// The partition each node is in.
    groups: Vec<usize>,
    traffic: Vec<Traffic>,
    deepest: usize,
}

impl SimulatedNetwork {
    /// A network of `nodes` nodes without links, at time 0.
    pub fn new(seed: u64, nodes: usize, faults: Faults) -> Self {
        Self {
            faults,
            random: Random::new(seed),
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            deliveries: BTreeMap::new(),
            links: BTreeMap::new(),
            groups: vec![0; nodes],
            traffic: vec![Traffic::default(); nodes],
            deepest: 0,
        }
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What each node sent, by its number.
    pub fn traffic(&self) -> &[Traffic] {
        &self.traffic
    }

    /// The most deliveries that were ever on their way at once.
    pub fn deepest_queue(&self) -> usize {
        self.deepest
    }

    /// Changes the faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Partitions the network: only nodes of one group reach each other. Links across are cut. `groups` has one entry
    /// for each node.
    pub fn part(&mut self, groups: Vec<usize>) {
        self.groups = groups;
        let torn: Vec<(NodeId, NodeId)> =
            self.links.keys().copied().filter(|(a, b)| self.groups[*a] != self.groups[*b]).collect();
        for (a, b) in torn {
            self.cut(a, b);
        }
    }

    /// Ends all partitions; links must be dialled again.
    pub fn heal(&mut self) {
        self.groups.fill(0);
    }

    /// Returns whether a link between the two is open or opening.
    pub fn are_linked(&self, a: NodeId, b: NodeId) -> bool {
        self.links.contains_key(&pair(a, b))
    }

    /// The nodes that a node is linked to.
    pub fn peers(&self, node: NodeId) -> Vec<NodeId> {
        let of = |(a, b): &(NodeId, NodeId)| match node {
            node if node == *a => Some(*b),
            node if node == *b => Some(*a),
            _ => None,
        };
        self.links.keys().filter_map(of).collect()
    }

    /// Opens a link unless there is one or a partition lies between; returns whether it did. Both sides get
    /// [`Delivery::Opened`].
    pub fn dial(&mut self, from: NodeId, to: NodeId) -> bool {
        if from == to || self.are_linked(from, to) {
            return false;
        }
        if self.groups[from] != self.groups[to] {
            self.traffic[from].parted += 1;
            return false;
        }
        self.order += 1;
        let number = self.order;
        let at = self.now + self.random.within(&self.faults.latency_millis);
        self.links.insert(pair(from, to), SimulatedLink { number, dialler: from, last: [at, at] });
        self.schedule(at, to, Delivery::Opened { peer: from, link: number, dialler: false });
        self.schedule(at, from, Delivery::Opened { peer: to, link: number, dialler: true });
        true
    }

    /// Breaks a link. Both sides get [`Delivery::Cut`]; what was on its way is lost.
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        if let Some(link) = self.links.remove(&pair(a, b)) {
            self.traffic[link.dialler].cuts += 1;
            self.schedule(self.now, a, Delivery::Cut { peer: b, link: link.number });
            self.schedule(self.now, b, Delivery::Cut { peer: a, link: link.number });
        }
    }

    /// Sends on a link: arrives in order, unless the link breaks. Without a link the message is lost.
    pub fn send(&mut self, from: NodeId, to: NodeId, bytes: Vec<u8>) {
        self.count(from, bytes.len());
        if self.random.chance(self.faults.cut) {
            self.cut(from, to);
            return;
        }
        let latency = self.random.within(&self.faults.latency_millis);
        let now = self.now;
        if let Some(link) = self.links.get_mut(&pair(from, to)) {
            let last = &mut link.last[usize::from(to > from)];
            *last = (*last).max(now + latency);
            let (at, link) = (*last, link.number);
            self.schedule(at, to, Delivery::Stream { peer: from, link, bytes });
        }
    }

    /// Sends one gossip message to one node: may be lost, doubled or late.
    pub fn gossip(&mut self, from: NodeId, to: NodeId, bytes: &[u8]) {
        self.count(from, bytes.len());
        if self.groups[from] != self.groups[to] {
            self.traffic[from].parted += 1;
            return;
        }
        if self.random.chance(self.faults.lost) {
            self.traffic[from].lost += 1;
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.faults.doubled));
        self.traffic[from].doubled += copies - 1;
        for _ in 0..copies {
            let mut latency = self.random.within(&self.faults.latency_millis);
            if self.random.chance(self.faults.late) {
                latency *= 10;
                self.traffic[from].late += 1;
            }
            self.schedule(self.now + latency, to, Delivery::Gossip { peer: from, bytes: bytes.to_vec() });
        }
    }

    /// Delivers a [`Delivery::Timer`] after some time.
    pub fn wake(&mut self, node: NodeId, after_millis: u64, token: u64) {
        self.schedule(self.now + after_millis, node, Delivery::Timer(token));
    }

    /// The next event up to `until`, in milliseconds; the time advances to it. Without one the time advances to `until`
    /// and `None` is returned.
    pub fn advance(&mut self, until: u64) -> Option<(NodeId, Delivery)> {
        while let Some(Reverse((at, order, node))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = at;
            let Some(delivery) = self.deliveries.remove(&order) else { continue };
            if self.is_possible(node, &delivery) {
                return Some((node, delivery));
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// Returns whether a scheduled event still happens: what was sent on a link that is cut by now does not arrive.
    fn is_possible(&self, node: NodeId, delivery: &Delivery) -> bool {
        match delivery {
            Delivery::Opened { peer, link, .. } | Delivery::Stream { peer, link, .. } => {
                self.links.get(&pair(node, *peer)).is_some_and(|standing| standing.number == *link)
            }
            Delivery::Gossip { peer, .. } => self.groups[node] == self.groups[*peer],
            Delivery::Cut { .. } | Delivery::Timer(_) => true,
        }
    }

    /// Puts a delivery into the queue.
    fn schedule(&mut self, at: u64, node: NodeId, delivery: Delivery) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, node)));
        self.deliveries.insert(self.order, delivery);
        self.deepest = self.deepest.max(self.deliveries.len());
    }

    fn count(&mut self, from: NodeId, bytes: usize) {
        self.traffic[from].messages += 1;
        self.traffic[from].bytes += bytes as u64;
    }
}

/// A link's key: the smaller number first.
fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}
