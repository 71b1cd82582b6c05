//! One who fetches, and peers of every kind: whole, half, dying, lying, silent. Each seed is a story of its own.

use super::*;
use crate::artifact::Artifact;
use crate::limits::BLOCK_MAX_BYTES;
use crate::random::Random;
use crate::sync::blocks::wire::block_in;

const TICK_MILLIS: u64 = 250;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A message of a peer, with the hash that a host computes.
fn received(peer: Peer, bytes: Vec<u8>) -> Input {
    let hash = block_in(&bytes).map(Digest::of);
    Input::Received { peer, bytes, hash }
}

/// Bytes without a repeating block.
fn file(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.number() as u8).collect()
}

fn blocks_of(file: &[u8], length: usize) -> BTreeMap<Digest, Vec<u8>> {
    file.chunks(length).map(|block| (Digest::of(block), block.to_vec())).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Honest,
    /// Gone after so many answers.
    Dies(u64),
    /// One bit of some answer is wrong.
    Lies,
    Silent,
    /// Answers what it was not asked.
    Unasked,
    Garbage,
    /// A second for each block.
    Slow,
}

const KINDS: [Kind; 7] =
    [Kind::Honest, Kind::Dies(3), Kind::Lies, Kind::Silent, Kind::Unasked, Kind::Garbage, Kind::Slow];

struct Server {
    kind: Kind,
    has: BTreeSet<Digest>,
    answered: u64,
}

/// A fetcher, its peers, and what is on the way to it.
struct World {
    random: Random,
    content: BTreeMap<Digest, Vec<u8>>,
    fetch: Fetch,
    servers: BTreeMap<Peer, Server>,
    /// By the time at which it arrives.
    arriving: BTreeMap<(u64, u64), Input>,
    next: u64,
    now: u64,
    kept: BTreeMap<Digest, Vec<u8>>,
    asked: BTreeMap<Digest, usize>,
    rejected: Vec<(Peer, Rejection)>,
    ended: BTreeMap<Job, Result<(), Fault>>,
    got: usize,
}

impl World {
    fn new(seed: u64, content: BTreeMap<Digest, Vec<u8>>) -> Self {
        Self {
            random: Random::new(seed),
            content,
            fetch: Fetch::default(),
            servers: BTreeMap::new(),
            arriving: BTreeMap::new(),
            next: 0,
            now: 1_000_000,
            kept: BTreeMap::new(),
            asked: BTreeMap::new(),
            rejected: Vec::new(),
            ended: BTreeMap::new(),
            got: 0,
        }
    }

    fn join(&mut self, peer: Peer, kind: Kind, has: impl IntoIterator<Item = Digest>) {
        self.servers.insert(peer, Server { kind, has: has.into_iter().collect(), answered: 0 });
        self.feed(Input::Came(peer));
    }

    fn want(&mut self, job: Job) {
        self.feed(Input::Start { job, blocks: self.content.keys().copied().collect() });
    }

    fn later(&mut self, millis: u64, input: Input) {
        self.next += 1;
        self.arriving.insert((self.now + millis, self.next), input);
    }

    fn feed(&mut self, input: Input) {
        let outputs = self.fetch.handle(input, at(self.now));
        assert!(self.fetch.in_flight() <= PEERS_MAX * IN_FLIGHT_MAX, "memory is bounded");
        for output in outputs {
            match output {
                Output::Send { peer, message: Message::Want(blocks) } => self.serve(peer, &blocks),
                Output::Send { message, .. } => panic!("a fetcher only wants: {message:?}"),
                Output::Keep { block, bytes, .. } => {
                    assert_eq!(Digest::of(&bytes), block, "nothing unverified is handed out");
                    self.kept.insert(block, bytes);
                    self.later(3, Input::Kept { block, stored: true });
                }
                Output::Got { .. } => self.got += 1,
                Output::Done { job } => drop(self.ended.insert(job, Ok(()))),
                Output::Failed { job, why } => drop(self.ended.insert(job, Err(why))),
                Output::Rejected { peer, why } => self.rejected.push((peer, why)),
                Output::Leave { peer, .. } => drop(self.servers.remove(&peer)),
            }
        }
    }

    fn serve(&mut self, peer: Peer, blocks: &[Digest]) {
        let Some(server) = self.servers.get_mut(&peer) else { return };
        for block in blocks {
            *self.asked.entry(*block).or_default() += 1;
            server.answered += 1;
            let mut wait = self.random.within(&(5..60)) + if server.kind == Kind::Slow { 1_000 } else { 0 };
            let known = server.has.contains(block).then(|| self.content[block].clone());
            let message = match known {
                Some(bytes) => Message::Block { block: *block, bytes },
                None => Message::Missing(*block),
            };
            let bytes = match server.kind {
                Kind::Silent => continue,
                Kind::Dies(after) if server.answered > after => {
                    self.next += 1;
                    self.arriving.insert((self.now + wait, self.next), Input::Gone(peer));
                    continue;
                }
                Kind::Garbage if server.answered == 2 => vec![9; 40],
                Kind::Unasked if server.answered == 2 => Message::Missing(Digest::of(b"unasked")).encode(),
                Kind::Lies => {
                    let mut bytes = message.encode();
                    if let Message::Block { bytes: content, .. } = &message {
                        let flipped = bytes.len() - 1 - self.random.below(content.len() as u64) as usize;
                        bytes[flipped] ^= 1 << self.random.below(8);
                    }
                    bytes
                }
                _ => message.encode(),
            };
            wait += server.answered % 7;
            self.next += 1;
            self.arriving.insert((self.now + wait, self.next), received(peer, bytes));
        }
    }

    /// Until every job has ended, and never longer than anybody's patience together allows.
    fn run(&mut self, jobs: usize) {
        let end = self.now + 20 * 60 * 1_000;
        let mut tick = self.now;
        while self.ended.len() < jobs {
            assert!(self.now < end, "it never ends");
            let next = self.arriving.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= tick);
            match next {
                Some(at) => {
                    self.now = self.now.max(at);
                    let (_, input) = self.arriving.pop_first().unwrap();
                    self.feed(input);
                }
                None => {
                    self.now = self.now.max(tick);
                    tick += TICK_MILLIS;
                    self.feed(Input::Tick);
                }
            }
        }
    }
}

#[test]
fn spreads_blocks_over_two_peers_and_asks_for_each_once() {
    let mut world = World::new(1, blocks_of(&file(4_000, 1), 100));
    world.want(1);
    let all: Vec<Digest> = world.content.keys().copied().collect();
    world.join(1, Kind::Honest, all.clone());
    world.join(2, Kind::Honest, all);
    let shares = [1, 2].map(|peer| world.servers[&peer].answered);
    assert_eq!(shares, [IN_FLIGHT_MAX as u64; 2], "both are asked at once, and neither for more than it may be");
    world.run(1);
    assert_eq!((world.ended[&1], &world.kept), (Ok(()), &world.content));
    assert!(world.asked.values().all(|times| *times == 1));
    assert!(world.servers.values().all(|server| server.answered >= 10), "neither was idle");
    assert!(world.fetch.is_idle() && world.fetch.in_flight() == 0 && world.fetch.wanted.is_empty());
}

/// With one honest peer for each block everything arrives, whatever the others do; without one it still ends.
#[test]
fn ends_every_job_with_right_bytes_or_none_whatever_peers_do() {
    let mut ended_without = 0;
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let length = 1 + random.below(6_000) as usize;
        let mut world = World::new(seed, blocks_of(&file(length, seed), 100));
        let all: Vec<Digest> = world.content.keys().copied().collect();
        let complete = random.chance(800);
        let jobs = 1 + random.below(3);
        (0..jobs).for_each(|job| world.want(job));
        let mut honest: Vec<Vec<Digest>> = vec![Vec::new(); 1 + random.below(2) as usize];
        for block in &all {
            let holder = random.below(honest.len() as u64) as usize;
            honest[holder].push(*block);
        }
        if !complete {
            let half = honest[0].len() / 2;
            honest[0].truncate(half);
        }
        let whole = honest.iter().map(Vec::len).sum::<usize>() == all.len();
        let mut peer = 0;
        for _ in 0..random.below(5) {
            peer += 1;
            let kind = *random.pick(&KINDS[1..6]).unwrap();
            world.join(peer, kind, all.iter().copied().filter(|_| random.chance(700)));
        }
        for has in honest {
            peer += 1;
            let kind = if random.chance(200) { Kind::Slow } else { Kind::Honest };
            world.join(peer, kind, has);
        }
        world.run(jobs as usize);
        for (job, result) in &world.ended {
            match result {
                Ok(()) => assert_eq!(world.kept, world.content, "seed {seed}, job {job}"),
                Err(_) => assert!(!whole, "seed {seed}, job {job}: {result:?}"),
            }
        }
        ended_without += usize::from(world.ended.values().any(Result::is_err));
        assert!(world.fetch.wanted.is_empty() && world.fetch.jobs.is_empty(), "seed {seed}: nothing is left behind");
    }
    assert!(ended_without > 10, "the unlucky ending was seen, too");
}

#[test]
fn rejects_a_flipped_bit_and_fetches_the_block_elsewhere() {
    let small = file(61, 5);
    let large = file(3 * BLOCK_MAX_BYTES + 77, 6);
    let mut random = Random::new(7);
    let everywhere = (0..small.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit)));
    let in_large: Vec<(usize, u32)> =
        (0..40).map(|_| (random.below(large.len() as u64) as usize, random.below(8) as u32)).collect();
    let cases = everywhere.map(|place| (&small, place)).chain(in_large.into_iter().map(|place| (&large, place)));
    for (bytes, (byte, bit)) in cases {
        let artifact = Artifact::of(bytes);
        let mut fetch = Fetch::default();
        fetch.handle(Input::Came(1), at(0));
        let asked = fetch.handle(Input::Start { job: 1, blocks: artifact.blocks.clone() }, at(0));
        assert!(matches!(&asked[..], [Output::Send { peer: 1, .. }]));
        let nth = byte / BLOCK_MAX_BYTES;
        let mut block = bytes[artifact.block_range(nth)].to_vec();
        block[byte % BLOCK_MAX_BYTES] ^= 1 << bit;
        let lie = Message::Block { block: artifact.blocks[nth], bytes: block }.encode();
        fetch.handle(Input::Came(2), at(0));
        let outputs = fetch.handle(received(1, lie), at(1));
        assert!(outputs.contains(&Output::Rejected { peer: 1, why: Rejection::WrongBlock }), "{byte} {bit}");
        assert!(outputs.contains(&Output::Leave { peer: 1, slow: false }));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Keep { .. })), "{byte} {bit}");
        let again = Output::Send { peer: 2, message: Message::Want(artifact.blocks.clone()) };
        assert!(outputs.contains(&again), "everything it was asked for is asked for elsewhere");
    }
    let why = Rejection::WrongBlock;
    assert_eq!((why.mark(), why.is_fatal()), (50, true));
}

#[test]
fn asks_a_second_peer_when_one_is_silent_and_then_leaves_it() {
    let content = blocks_of(&file(100, 1), 100);
    let block = *content.keys().next().unwrap();
    let mut fetch = Fetch::default();
    fetch.handle(Input::Came(1), at(0));
    let want = |peer| Output::Send { peer, message: Message::Want(vec![block]) };
    assert_eq!(fetch.handle(Input::Start { job: 1, blocks: vec![block] }, at(0)), [want(1)]);
    assert_eq!(fetch.handle(Input::Came(2), at(10)), [], "nothing is asked twice at once");
    let later = 1 + ASK_ANOTHER_AFTER.as_millis() as u64;
    assert_eq!(fetch.handle(Input::Tick, at(later)), [want(2)]);
    let answer = |peer| received(peer, Message::Block { block, bytes: content[&block].clone() }.encode());
    assert!(matches!(fetch.handle(answer(2), at(later + 1))[..], [Output::Keep { peer: 2, .. }]));
    let done = [Output::Got { job: 1, block }, Output::Done { job: 1 }];
    assert_eq!(fetch.handle(Input::Kept { block, stored: true }, at(later + 2)), done);
    assert_eq!(fetch.handle(answer(1), at(later + 3)), [], "late, but asked for");
    let unasked = Output::Rejected { peer: 1, why: Rejection::Unasked };
    assert_eq!(fetch.handle(answer(1), at(later + 4))[0], unasked, "not twice");

    let mut fetch = Fetch::default();
    fetch.handle(Input::Came(1), at(0));
    fetch.handle(Input::Start { job: 1, blocks: vec![block] }, at(0));
    let patience = ANSWER_PATIENCE.as_millis() as u64;
    assert_eq!(fetch.handle(Input::Tick, at(patience)), []);
    assert_eq!(fetch.handle(Input::Tick, at(patience + 1)), [Output::Leave { peer: 1, slow: true }]);
}

#[test]
fn waits_for_a_peer_with_the_blocks_before_a_job_fails() {
    let content = blocks_of(&file(100, 1), 100);
    let block = *content.keys().next().unwrap();
    let mut fetch = Fetch::default();
    assert_eq!(fetch.handle(Input::Start { job: 1, blocks: vec![block] }, at(0)), []);
    fetch.handle(Input::Came(1), at(1));
    let missing = received(1, Message::Missing(block).encode());
    assert_eq!(fetch.handle(missing, at(2)), []);
    assert!(fetch.is_useless(1));
    let patience = PATIENCE.as_millis() as u64;
    assert_eq!(fetch.handle(Input::Tick, at(2 + patience)), []);
    let failed = Output::Failed { job: 1, why: Fault::Nobody { missing: 1 } };
    assert_eq!(fetch.handle(Input::Tick, at(3 + patience)), [failed]);
    assert!(fetch.is_idle());
}

#[test]
fn fails_jobs_when_a_block_can_not_be_stored_and_asks_for_no_unwanted_ones() {
    let content = blocks_of(&file(300, 1), 100);
    let blocks: Vec<Digest> = content.keys().copied().collect();
    let mut fetch = Fetch::default();
    for job in [1, 2] {
        fetch.handle(Input::Start { job, blocks: blocks.clone() }, at(0));
    }
    fetch.handle(Input::Cancel { job: 2 }, at(0));
    fetch.handle(Input::Came(1), at(0));
    let block = blocks[0];
    let answer = received(1, Message::Block { block, bytes: content[&block].clone() }.encode());
    fetch.handle(answer, at(1));
    let failed = Output::Failed { job: 1, why: Fault::NotKept };
    assert_eq!(fetch.handle(Input::Kept { block, stored: false }, at(2)), [failed]);
    assert!(fetch.is_idle() && fetch.wanted.is_empty());
    assert_eq!(fetch.handle(Input::Came(2), at(3)), []);
}

#[test]
fn leaves_peers_beyond_the_bound() {
    let mut fetch = Fetch::default();
    for peer in 0..PEERS_MAX as Peer {
        assert_eq!(fetch.handle(Input::Came(peer), at(0)), []);
    }
    let peer = PEERS_MAX as Peer;
    assert_eq!(fetch.handle(Input::Came(peer), at(0)), [Output::Leave { peer, slow: false }]);
}
