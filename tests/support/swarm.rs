//! Many real nodes on one simulated network: memory stores, scripted clocks, one session for each link.
//!
//! The swarm is the host: it answers what sessions ask, carries their messages, passes announcements on as gossip does
//! (each once), drops and avoids peers whose sessions ended in blame, and counts every broken rule with its culprit.

pub mod liar;
pub mod witness;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Command, Failure, FailureCode, ProfileChanges};
use gen_registry_core::digest::Digest;
use gen_registry_core::document::SignedChange;
use gen_registry_core::ownership::Rules;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::session::{Input, Output, Session, Verdict};
use gen_registry_core::sync::simulator::{Delivery, Faults, NodeId, Random, SimulatedNetwork};
use gen_registry_core::sync::wire::Message;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network as Parameters;
use gen_registry_node::Node;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::verified::Verified;

use crate::support::network::of_topic;
use crate::support::people::TOPIC;
use liar::{Liar, Trick};
use witness::Witness;

const BEGINNING: u64 = 1_800_000_000_000;
const LINKS_WANTED: usize = 4;
const LINKS_MAX: usize = 24;
const HOUSEKEEPING: u64 = 0;
const CLAIM: u64 = 1;
const PROFILE: u64 = 2;
const LIE: u64 = 3;
/// Real nodes keep house every 30 s; here a run has not that long.
const HOUSEKEEPING_MILLIS: std::ops::Range<u64> = 5_000..10_000;
const LIE_MILLIS: std::ops::Range<u64> = 1_500..3_500;
/// Clocks of honest nodes differ by at most this, either way.
const CLOCKS_APART_MILLIS: u64 = 60_000;
pub const WITNESSES: usize = 3;

struct Member {
    node: Rc<Node>,
    store: Rc<MemoryStore>,
    clock: TestEnvironment,
    /// Added to the true time, less [`CLOCKS_APART_MILLIS`].
    offset: u64,
    sessions: BTreeMap<NodeId, Open>,
    banned: BTreeSet<NodeId>,
    /// Own changes that were not announced yet.
    outbox: Rc<RefCell<Vec<SignedChange>>>,
    gossip_seen: HashSet<Digest>,
    liar: Option<Liar>,
    witness: Option<Witness>,
}

struct Open {
    link: u64,
    initiator: bool,
    session: Session,
}

/// What a run came to, beside its assertions.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub rejections: BTreeMap<(Trick, String), u64>,
    /// Rejections with a mark by honest nodes of honest nodes. There should be none.
    pub wronged: Vec<(NodeId, NodeId, Rejection)>,
    pub admitted: u64,
    pub restarts: u64,
    pub most_buffered: usize,
    pub receipts: u64,
    pub receipts_refused: u64,
}

pub struct Swarm {
    pub network: SimulatedNetwork,
    pub random: Random,
    pub counts: Counts,
    /// Every change that was really signed by its owner.
    pub genuine: HashSet<Digest>,
    parameters: Parameters,
    /// A signature is the same to all; two hundred nodes need not verify it two hundred times.
    verified: Rc<Verified>,
    members: Vec<Member>,
    names: Vec<String>,
    quiet: bool,
}

fn open_node(
    store: &Rc<MemoryStore>,
    clock: &TestEnvironment,
    parameters: &Parameters,
    verified: &Rc<Verified>,
) -> (Rc<Node>, Rc<RefCell<Vec<SignedChange>>>) {
    let node = block_on(Node::start(store.clone(), Rc::new(clock.clone()), parameters.clone())).expect("a node starts");
    let outbox: Rc<RefCell<Vec<SignedChange>>> = Rc::default();
    let sink = outbox.clone();
    node.admission().share_verified(verified.clone());
    node.announce_through(Rc::new(move |change| sink.borrow_mut().push(change.clone())));
    (Rc::new(node), outbox)
}

impl Swarm {
    /// The first nodes are the witnesses, the last `liars` lie; with which tricks they begin depends on the seed.
    pub fn new(seed: u64, nodes: usize, liars: usize, faults: Faults) -> Self {
        let mut random = Random::new(seed);
        let witnesses: Vec<Witness> = (0..WITNESSES).map(Witness::new).collect();
        let rules = Rules { witnesses: witnesses.iter().map(Witness::identity).collect(), threshold: 2, work_bits: 0 };
        let mut parameters = of_topic(TOPIC);
        parameters.rules = rules;
        let mut witnesses = witnesses.into_iter();
        let verified: Rc<Verified> = Rc::default();
        let members = (0..nodes).map(|id| {
            let store = Rc::new(MemoryStore::new());
            let clock = TestEnvironment::new(random.number(), Timestamp::from_millis(BEGINNING));
            let (node, outbox) = open_node(&store, &clock, &parameters, &verified);
            let liar = (id >= nodes - liars).then(|| Liar::new(seed as usize + id + liars - nodes, id));
            Member {
                node,
                store,
                clock,
                offset: random.below(2 * CLOCKS_APART_MILLIS),
                sessions: BTreeMap::new(),
                banned: BTreeSet::new(),
                outbox,
                gossip_seen: HashSet::new(),
                liar,
                witness: witnesses.next(),
            }
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
        Self {
            network,
            random,
            counts: Counts::default(),
            genuine: HashSet::new(),
            parameters,
            verified,
            members,
            names,
            quiet: false,
        }
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

    /// Of a thousand honest nodes, so many claim a name and so many write their profile at some time in the next `span`.
    pub fn plan_writing(&mut self, span: u64, claims: u64, profiles: u64) {
        for id in self.honest().skip(WITNESSES).collect::<Vec<_>>() {
            for (share, timer) in [(claims, CLAIM), (profiles, PROFILE)] {
                if self.random.chance(share) {
                    let at = self.random.below(span);
                    self.network.wake(id, at, timer);
                }
            }
        }
    }

    /// No more lies and no more writing, except by witnesses.
    pub fn quieten(&mut self) {
        self.quiet = true;
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
        let (node, outbox) = open_node(&member.store, &member.clock, &self.parameters, &self.verified);
        (member.node, member.outbox) = (node, outbox);
        member.sessions.clear();
        member.gossip_seen.clear();
        self.counts.restarts += 1;
    }

    fn local_time(&self, id: NodeId) -> Timestamp {
        let offset = self.members[id].offset;
        Timestamp::from_millis(BEGINNING + self.network.now() + offset - CLOCKS_APART_MILLIS)
    }

    fn deliver(&mut self, id: NodeId, delivery: Delivery) {
        self.members[id].clock.set_now(self.local_time(id));
        match delivery {
            Delivery::Opened { peer, link, dialler } => {
                let full = self.members[id].sessions.len() >= LINKS_MAX;
                if full || self.members[id].banned.contains(&peer) {
                    self.network.cut(id, peer);
                    return;
                }
                let session = Session::new(TOPIC, dialler);
                self.members[id].sessions.insert(peer, Open { link, initiator: dialler, session });
                self.feed(id, peer, Input::Connected, false);
            }
            Delivery::Stream { peer, bytes, .. } => {
                if let Some(liar) = &mut self.members[id].liar {
                    liar.remember(&bytes);
                }
                self.feed(id, peer, Input::Received(bytes), false);
            }
            Delivery::Gossip { peer, bytes } => {
                if self.members[id].gossip_seen.insert(Digest::of(&bytes)) {
                    self.feed(id, peer, Input::Received(bytes), true);
                }
            }
            Delivery::Cut { peer, link } => {
                if self.members[id].sessions.get(&peer).is_some_and(|open| open.link == link) {
                    self.members[id].sessions.remove(&peer);
                }
            }
            Delivery::Timer(HOUSEKEEPING) => self.keep_house(id),
            Delivery::Timer(LIE) if !self.quiet => {
                self.wake_within(id, LIE_MILLIS, LIE);
                self.lie(id);
            }
            Delivery::Timer(CLAIM) if !self.quiet => self.claim(id),
            Delivery::Timer(PROFILE) if !self.quiet => {
                let bio = Some(format!("bio {}", self.random.below(1_000)));
                self.write(id, Command::UpdateProfile { changes: ProfileChanges { bio, ..ProfileChanges::default() } });
            }
            Delivery::Timer(_) => {}
        }
        self.announce_own(id);
    }

    fn claim(&mut self, id: NodeId) {
        for _ in 0..3 {
            let name = self.random.pick(&self.names).expect("there are names").clone();
            let taken =
                |failure: &Failure| matches!(failure.code, FailureCode::NameTaken | FailureCode::NameCoolingDown);
            let command = Command::RegisterUsername { name, changes: ProfileChanges::default() };
            match block_on(self.members[id].node.handle(command)) {
                Err(failure) if taken(&failure) => {}
                other => return drop(other.expect("a claim is made")),
            }
        }
    }

    fn write(&mut self, id: NodeId, command: Command) {
        block_on(self.members[id].node.handle(command)).expect("an honest command is carried out");
    }

    fn wake_within(&mut self, id: NodeId, span: std::ops::Range<u64>, timer: u64) {
        let delay = span.start + self.random.below(span.end - span.start);
        self.network.wake(id, delay, timer);
    }

    fn keep_house(&mut self, id: NodeId) {
        self.wake_within(id, HOUSEKEEPING_MILLIS, HOUSEKEEPING);
        let peers: Vec<NodeId> = self.members[id].sessions.keys().copied().collect();
        for peer in &peers {
            self.feed(id, *peer, Input::Tick, false);
        }
        for _ in peers.len()..LINKS_WANTED {
            let peer = self.random.below(self.members.len() as u64) as NodeId;
            if !self.members[id].banned.contains(&peer) {
                self.network.dial(id, peer);
            }
        }
        let dialled: Vec<NodeId> =
            self.members[id].sessions.iter().filter(|(_, open)| open.initiator).map(|(peer, _)| *peer).collect();
        if let Some(peer) = self.random.pick(&dialled).copied() {
            self.feed(id, peer, Input::Resync, false);
        }
        if self.members[id].witness.is_some() {
            self.bear_witness(id);
        }
    }

    fn announce_own(&mut self, id: NodeId) {
        let new: Vec<SignedChange> = self.members[id].outbox.borrow_mut().drain(..).collect();
        for change in new {
            self.genuine.insert(Digest::of(&change.bytes));
            self.announce(id, None, change);
        }
    }

    fn announce(&mut self, id: NodeId, except: Option<NodeId>, change: SignedChange) {
        let heads = self.members[id].node.replication().heads(&change.owner);
        let peers: Vec<NodeId> =
            self.members[id].sessions.keys().copied().filter(|peer| Some(*peer) != except).collect();
        for peer in peers {
            let (changes, heads) = (vec![change.clone()], heads.clone());
            self.feed(id, peer, Input::Announce { owner: change.owner, changes, heads }, false);
        }
    }

    /// Gives a session one input, answers its questions and does what it says.
    fn feed(&mut self, id: NodeId, peer: NodeId, input: Input, gossip: bool) {
        let now = self.local_time(id);
        let mut inputs = VecDeque::from([input]);
        let mut pass_on = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let Some(open) = self.members[id].sessions.get_mut(&peer) else { break };
            let outputs = open.session.handle(input, now);
            self.counts.most_buffered = self.counts.most_buffered.max(open.session.buffered_bytes());
            let initiator = open.initiator;
            let node = self.members[id].node.clone();
            for output in outputs {
                match output {
                    Output::Send(message) => self.send(id, peer, &message),
                    Output::AskSummaries => {
                        inputs.push_back(Input::Summaries(
                            block_on(node.replication().document_summaries()).expect("summaries"),
                        ));
                    }
                    Output::AskVectors(owners) => {
                        inputs.push_back(Input::Vectors(
                            block_on(node.replication().version_vectors(&owners)).expect("vectors"),
                        ));
                    }
                    Output::AskChanges { vectors, max_bytes } => {
                        let withheld = self.members[id].liar.as_ref().is_some_and(Liar::withholds) && !self.quiet;
                        let answer = block_on(node.replication().changes_beyond(&vectors, max_bytes)).expect("changes");
                        let (changes, unfinished) = if withheld { Default::default() } else { answer };
                        inputs.push_back(Input::Changes { changes, unfinished });
                    }
                    Output::Admit(changes) => {
                        let report =
                            block_on(node.admission().admit(changes.clone())).expect("the memory store never fails");
                        self.counts.admitted += report.admitted as u64;
                        let new = changes.into_iter().zip(&report.verdicts);
                        let new = new.filter(|(_, verdict)| gossip && **verdict == Verdict::Admitted);
                        pass_on.extend(new.map(|(change, _)| change));
                        inputs.push_back(Input::Verdicts(report.verdicts));
                    }
                    Output::Behind(_) if initiator => inputs.push_back(Input::Resync),
                    Output::Behind(_) | Output::Synced => {}
                    Output::Rejected { why, mark } => self.count(id, peer, why, mark),
                    Output::End(why) => self.drop_peer(id, peer, why),
                }
            }
        }
        if self.members[id].liar.is_none() {
            pass_on.into_iter().for_each(|change| self.announce(id, Some(peer), change));
        }
    }

    fn send(&mut self, id: NodeId, peer: NodeId, message: &Message) {
        let bytes = message.encode();
        if message.is_announcement() {
            self.network.gossip(id, peer, &bytes);
        } else {
            self.network.send(id, peer, bytes);
        }
    }

    fn count(&mut self, id: NodeId, peer: NodeId, why: Rejection, mark: u32) {
        if self.members[id].liar.is_some() {
            return;
        }
        let trick = self.members[peer].liar.as_ref().map(Liar::trick);
        if trick.is_none() && mark > 0 {
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

/// 0 → "aa", 1 → "ab", …: names whose look-alike forms all differ.
fn letters(number: usize) -> String {
    let letter = |at: usize| char::from(b"abcdefghkp"[at % 10]);
    [letter(number / 100), letter(number / 10), letter(number)].iter().collect()
}
