//! Many real nodes on one simulated network: memory stores, scripted clocks, one exchange for each link. The network is
//! the one without witnesses: what needs them is proven with books in core's own swarm, and with real ones in stories.
//!
//! The swarm is the host: it carries what exchanges send, loads and admits what they ask for, passes news on, drops and
//! avoids peers whose exchanges ended in blame, and counts every broken rule with its culprit.

pub mod liar;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Answer, Command, Failure, FailureCode, ProfileChanges};
use gen_registry_core::keys::Did;
use gen_registry_core::random::Random;
use gen_registry_core::sync::exchange::{Exchange, Input, Output};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::{Network, Node};

use crate::support::simulator::{Delivery, Faults, NodeId, SimulatedNetwork};
use liar::{Liar, Trick};

pub const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LINKS_WANTED: usize = 4;
const LINKS_MAX: usize = 24;
const HOUSEKEEPING: u64 = 0;
const CLAIM: u64 = 1;
const PROFILE: u64 = 2;
const LIE: u64 = 3;
/// Real nodes compare every 30 s; here a run has not that long.
const HOUSEKEEPING_MILLIS: Range<u64> = 5_000..10_000;
const LIE_MILLIS: Range<u64> = 1_500..3_500;
/// As a real host gives up a round.
const STALLED_MILLIS: u64 = 30_000;
/// Clocks of honest nodes differ by at most this, either way.
const CLOCKS_APART_MILLIS: u64 = 60_000;

struct Member {
    node: Rc<Node>,
    store: Rc<MemoryStore>,
    clock: TestEnvironment,
    /// Added to the true time, less [`CLOCKS_APART_MILLIS`].
    offset: u64,
    sessions: BTreeMap<NodeId, Open>,
    banned: BTreeSet<NodeId>,
    /// Identities with own changes that were not announced yet.
    outbox: Rc<RefCell<Vec<Did>>>,
    liar: Option<Liar>,
}

struct Open {
    link: u64,
    is_initiator: bool,
    has_begun: bool,
    last_message: u64,
    exchange: Exchange,
}

/// What a run came to, beside its assertions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    pub rejections: BTreeMap<(Trick, String), u64>,
    /// Rejections with a mark by honest nodes of honest nodes. There should be none.
    pub wronged: Vec<(NodeId, NodeId, Rejection)>,
    pub admitted: u64,
    pub restarts: u64,
}

pub struct Swarm {
    pub network: SimulatedNetwork,
    pub random: Random,
    pub counts: Counts,
    members: Vec<Member>,
    names: Vec<String>,
    is_quiet: bool,
}

fn open_node(store: &Rc<MemoryStore>, clock: &TestEnvironment) -> (Rc<Node>, Rc<RefCell<Vec<Did>>>) {
    let node = block_on(Node::start(store.clone(), Rc::new(clock.clone()), Network::default())).expect("a node starts");
    let outbox: Rc<RefCell<Vec<Did>>> = Rc::default();
    let sink = outbox.clone();
    node.announce_through(Rc::new(move |did| sink.borrow_mut().push(*did)));
    (Rc::new(node), outbox)
}

impl Swarm {
    /// The last `liars` lie; with which tricks they begin depends on the seed.
    pub fn new(seed: u64, nodes: usize, liars: usize, faults: Faults) -> Self {
        let mut random = Random::new(seed);
        let members = (0..nodes).map(|id| {
            let store = Rc::new(MemoryStore::new());
            let clock = TestEnvironment::new(random.number(), BEGINNING);
            let (node, outbox) = open_node(&store, &clock);
            let is_liar = id >= nodes - liars;
            let liar = is_liar.then(|| Liar::new(Network::default().topic, seed as usize + id + liars - nodes, id));
            let offset = random.below(2 * CLOCKS_APART_MILLIS);
            let (sessions, banned) = Default::default();
            Member { node, store, clock, offset, sessions, banned, outbox, liar }
        });
        let members: Vec<Member> = members.collect();
        let names = (0..nodes.div_ceil(2)).map(|number| format!("name{}", letters(number))).collect();
        let mut network = SimulatedNetwork::new(seed ^ 1, nodes, faults);
        for (id, member) in members.iter().enumerate() {
            network.wake(id, random.below(500), HOUSEKEEPING);
            if member.liar.is_some() {
                network.wake(id, random.below(LIE_MILLIS.end), LIE);
            }
        }
        Self { network, random, counts: Counts::default(), members, names, is_quiet: false }
    }

    pub fn honest(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.members.len()).filter(|id| self.members[*id].liar.is_none())
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.members[id].node
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Who may be known: everybody who runs a node, and those who sign twice.
    pub fn genuine(&self) -> BTreeSet<Did> {
        let own = self.members.iter().filter_map(|member| match block_on(member.node.handle(Command::WhoAmI)) {
            Ok(Answer::Me(me)) => me.did.map(|did| did.parse().expect("a DID")),
            other => panic!("{other:?}"),
        });
        own.chain(self.members.iter().filter_map(|member| member.liar.as_ref()?.equivocator())).collect()
    }

    pub fn equivocators(&self) -> BTreeSet<Did> {
        self.members.iter().filter_map(|member| member.liar.as_ref()?.equivocator()).collect()
    }

    /// Of a thousand honest nodes, so many claim a name and so many write their profile at some time in the next `span`.
    pub fn plan_writing(&mut self, span: u64, claims: u64, profiles: u64) {
        for id in self.honest().collect::<Vec<_>>() {
            for (share, timer) in [(claims, CLAIM), (profiles, PROFILE)] {
                if self.random.chance(share) {
                    let at = self.random.below(span);
                    self.network.wake(id, at, timer);
                }
            }
        }
    }

    /// No more lies and no more writing.
    pub fn quieten(&mut self) {
        self.is_quiet = true;
    }

    pub fn run_until(&mut self, until: u64) {
        while let Some((id, delivery)) = self.network.advance(until) {
            self.deliver(id, delivery);
        }
    }

    /// The process ends without a word and starts again from what was stored.
    pub fn restart(&mut self, id: NodeId) {
        for peer in self.network.peers(id) {
            self.network.cut(id, peer);
        }
        let member = &mut self.members[id];
        member.store = Rc::new(member.store.copy());
        let (node, outbox) = open_node(&member.store, &member.clock);
        (member.node, member.outbox) = (node, outbox);
        member.sessions.clear();
        self.counts.restarts += 1;
    }

    fn local_time(&self, id: NodeId) -> Timestamp {
        let offset = self.members[id].offset;
        Timestamp::from_millis(BEGINNING.as_millis() + self.network.now() + offset - CLOCKS_APART_MILLIS)
    }

    fn deliver(&mut self, id: NodeId, delivery: Delivery) {
        self.members[id].clock.set_now(self.local_time(id));
        match delivery {
            Delivery::Opened { peer, link, dialler } => {
                let is_full = self.members[id].sessions.len() >= LINKS_MAX;
                if is_full || self.members[id].banned.contains(&peer) {
                    self.network.cut(id, peer);
                    return;
                }
                let (exchange, last_message) = (Exchange::new(dialler, Rc::default()), self.network.now());
                let open = Open { link, is_initiator: dialler, has_begun: false, last_message, exchange };
                self.members[id].sessions.insert(peer, open);
                self.feed(id, peer, Input::Opened);
            }
            Delivery::Stream { peer, bytes, .. } => {
                let now = self.network.now();
                let member = &mut self.members[id];
                if let Some(liar) = &mut member.liar {
                    liar.overhear(&bytes);
                }
                if let Some(open) = member.sessions.get_mut(&peer) {
                    open.last_message = now;
                    self.feed(id, peer, Input::Message(bytes));
                }
            }
            Delivery::Cut { peer, link } => {
                if self.members[id].sessions.get(&peer).is_some_and(|open| open.link == link) {
                    self.members[id].sessions.remove(&peer);
                }
            }
            Delivery::Timer(HOUSEKEEPING) => self.keep_house(id),
            Delivery::Timer(LIE) if !self.is_quiet => {
                self.wake_within(id, LIE_MILLIS, LIE);
                self.lie(id);
            }
            Delivery::Timer(CLAIM) if !self.is_quiet => self.claim(id),
            Delivery::Timer(PROFILE) if !self.is_quiet => {
                let bio = Some(format!("bio {}", self.random.below(1_000)));
                self.write(id, Command::UpdateProfile { changes: ProfileChanges { bio, ..ProfileChanges::default() } });
            }
            Delivery::Gossip { .. } | Delivery::Timer(_) => {}
        }
        let own: Vec<Did> = self.members[id].outbox.borrow_mut().drain(..).collect();
        self.announce(id, None, own);
    }

    fn claim(&mut self, id: NodeId) {
        for _ in 0..3 {
            let name = self.random.pick(&self.names).expect("there are names").clone();
            let cannot = |failure: &Failure| {
                matches!(
                    failure.code,
                    FailureCode::NameTaken | FailureCode::NameCoolingDown | FailureCode::TooManyNames
                )
            };
            let command = Command::RegisterUsername { name, changes: ProfileChanges::default() };
            match block_on(self.members[id].node.handle(command)) {
                Err(failure) if cannot(&failure) => {}
                other => return drop(other.expect("a claim is made")),
            }
        }
    }

    fn write(&mut self, id: NodeId, command: Command) {
        match block_on(self.members[id].node.handle(command)) {
            // Who has no name yet has no profile.
            Err(failure) if failure.code == FailureCode::NoIdentity => {}
            other => drop(other.expect("an honest command is carried out")),
        }
    }

    fn wake_within(&mut self, id: NodeId, span: Range<u64>, timer: u64) {
        let delay = span.start + self.random.below(span.end - span.start);
        self.network.wake(id, delay, timer);
    }

    fn keep_house(&mut self, id: NodeId) {
        self.wake_within(id, HOUSEKEEPING_MILLIS, HOUSEKEEPING);
        let now = self.network.now();
        let sessions = &self.members[id].sessions;
        let is_stalled = |open: &Open| open.exchange.is_busy() && open.last_message + STALLED_MILLIS <= now;
        let stalled: Vec<NodeId> =
            sessions.iter().filter(|(_, open)| is_stalled(open)).map(|(peer, _)| *peer).collect();
        for peer in stalled {
            self.count(id, peer, Rejection::Stalled);
            self.drop_peer(id, peer, Rejection::Stalled);
        }
        for _ in self.members[id].sessions.len()..LINKS_WANTED {
            let peer = self.random.below(self.members.len() as u64) as NodeId;
            if !self.members[id].banned.contains(&peer) {
                self.network.dial(id, peer);
            }
        }
        let begun: Vec<NodeId> =
            self.members[id].sessions.iter().filter(|(_, open)| open.is_initiator).map(|(peer, _)| *peer).collect();
        if let Some(peer) = self.random.pick(&begun).copied() {
            self.feed(id, peer, Input::Begin);
        }
    }

    fn lie(&mut self, id: NodeId) {
        for peer in self.network.peers(id) {
            let Some(liar) = &self.members[id].liar else { return };
            for bytes in liar.lies(&mut self.random) {
                self.network.send(id, peer, bytes);
            }
        }
    }

    fn announce(&mut self, id: NodeId, except: Option<NodeId>, changed: Vec<Did>) {
        if changed.is_empty() {
            return;
        }
        let peers: Vec<NodeId> =
            self.members[id].sessions.keys().copied().filter(|peer| Some(*peer) != except).collect();
        for peer in peers {
            self.feed(id, peer, Input::Changed(changed.clone()));
        }
    }

    /// Gives an exchange one input and does what it says.
    fn feed(&mut self, id: NodeId, peer: NodeId, input: Input) {
        let now = self.local_time(id);
        let mut inputs = VecDeque::from([input]);
        let mut news: BTreeSet<Did> = BTreeSet::new();
        while let Some(input) = inputs.pop_front() {
            let member = &mut self.members[id];
            let Some(open) = member.sessions.get_mut(&peer) else { break };
            let outputs = open.exchange.handle(input, &member.node.known(), now);
            if open.is_initiator && !open.has_begun && open.exchange.has_greeted() {
                open.has_begun = true;
                inputs.push_back(Input::Begin);
            }
            for output in outputs {
                match output {
                    Output::Send(message) => self.network.send(id, peer, message.encode()),
                    Output::Load { ticket, asks } => {
                        let member = &self.members[id];
                        let mut pieces = block_on(member.node.answer(&asks)).expect("the memory store never fails");
                        if let Some(liar) = member.liar.as_ref().filter(|_| !self.is_quiet) {
                            pieces = liar.answers(peer, &asks, pieces);
                        }
                        inputs.push_back(Input::Loaded { ticket, pieces });
                    }
                    Output::Admit(pieces) => {
                        let admitted = block_on(self.members[id].node.admission().admit(pieces));
                        let report = admitted.expect("the memory store never fails");
                        self.counts.admitted += report.outcome.kept.len() as u64;
                        news.extend(report.people);
                        inputs.push_back(Input::Admitted(report.outcome));
                    }
                    Output::Rejected(why) => self.count(id, peer, why),
                    Output::Ended => {
                        let why = self.members[id].sessions.get(&peer).map(|open| open.exchange.last_fault());
                        why.into_iter().for_each(|why| self.drop_peer(id, peer, why));
                    }
                    Output::Follow(_) | Output::Synced => {}
                }
            }
        }
        self.announce(id, Some(peer), news.into_iter().collect());
    }

    fn count(&mut self, id: NodeId, peer: NodeId, why: Rejection) {
        if self.members[id].liar.is_some() {
            return;
        }
        let trick = self.members[peer].liar.as_ref().map(|liar| liar.trick);
        if trick.is_none() && why.mark() > 0 && why != Rejection::Stalled {
            self.counts.wronged.push((id, peer, why));
        }
        let rule = format!("{why:?}");
        let rule = rule.split('(').next().unwrap_or_default().to_owned();
        *self.counts.rejections.entry((trick.unwrap_or(Trick::None), rule)).or_default() += 1;
    }

    fn drop_peer(&mut self, id: NodeId, peer: NodeId, why: Rejection) {
        self.members[id].sessions.remove(&peer);
        // A silent peer may only have been unlucky.
        if why.mark() > 0 && why != Rejection::Stalled {
            self.members[id].banned.insert(peer);
        }
        self.network.cut(id, peer);
    }
}

/// 0 → "aaa", 1 → "aab", …: names whose look-alike forms all differ.
fn letters(number: usize) -> String {
    let letter = |at: usize| char::from(b"abcdefghkp"[at % 10]);
    [letter(number / 100), letter(number / 10), letter(number)].iter().collect()
}
