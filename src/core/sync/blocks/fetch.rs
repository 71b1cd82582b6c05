//! Fetching blocks from several peers at once: spreads the blocks over the peers, verifies every hash, and asks
//! elsewhere for what does not come.
//!
//! The machine holds hashes, never a block: verified bytes leave it as [`Output::Keep`] for the host to store. A job
//! (the blocks of one file) always ends, with [`Output::Done`] or [`Output::Failed`].
//!
//! # Which peer is asked for which block
//! Peers take turns; each gets one more block until it has [`IN_FLIGHT_MAX`] unanswered ones. A peer's next block is
//! one that no peer was asked for yet, oldest first. If there is none, it is one that another peer has not answered for
//! [`ASK_ANOTHER_AFTER`], up to [`ASKED_MAX`] peers for a block; so one slow peer does not hold up the end of a file. A
//! peer is not asked again for a block it said it lacks.
//!
//! # Example
//! A job of the blocks `a` to `f`; peers 1 and 2 are connected.
//!
//! | time | input | what comes out |
//! |---|---|---|
//! | 0 s | `Start` | `Want(a, c, e)` to 1, `Want(b, d, f)` to 2 |
//! | 0.1 s | peer 2: `Missing(b)` | `Want(b)` to 1, which has room for a fourth |
//! | 0.2 s | peer 2: bytes of `d` | their hash is right: `Keep(d)`; after the host's `Kept`, `Got(d)` |
//! | 0.3 s | peer 2: other bytes as `f` | `Rejected(WrongBlock)`, `Leave(2)`; `f` is open again, peer 1 is full |
//! | 0.4 s | peer 1: bytes of `a` | `Keep(a)`, and `Want(f)` to 1 |
//! | 31 s | peer 1 was silent since | `Leave(1, slow)`; no peer is left |
//! | 46 s | no peer came within [`PATIENCE`] | the job fails, 4 blocks missing ([`Fault::Nobody`]) |
//!
//! The two blocks that came are stored, so a later job for the same file asks for four. Had peer 3 come at 40 s, the
//! job would have gone on with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::digest::Digest;
use crate::sync::blocks::wire::{IN_FLIGHT_MAX, Message};
use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// A stream to a peer, numbered by the host. A peer that reconnects gets a new number.
pub type Peer = u64;
/// A number for blocks that are wanted together, chosen by the host.
pub type Job = u64;

/// The most peers asked at once: together they have 8 MiB on the way.
pub const PEERS_MAX: usize = 8;
/// A peer that was asked and sends nothing for this long is left.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// A block not answered for this long is asked for at a second peer, once no other block is left to ask for.
pub const ASK_ANOTHER_AFTER: Duration = Duration::from_secs(5);
/// The most peers that are asked for one block at the same time.
pub const ASKED_MAX: usize = 2;
/// A job with nothing under way is given up after this time: a peer that has the blocks may still come.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begins a job, in place of an earlier one of the same number. A job without blocks is done at once.
    Start { job: Job, blocks: Vec<Digest> },
    /// Ends a job without an output; blocks that no other job wants are forgotten.
    Cancel { job: Job },
    /// A stream to a peer was opened.
    Came(Peer),
    /// The stream to a peer is closed.
    Gone(Peer),
    /// One message from a peer, as it came, and the hash of the block in it ([`block_in`](super::wire::block_in)), if one
    /// is: the host hashes, since a platform may do that faster.
    Received { peer: Peer, bytes: Vec<u8>, hash: Option<Digest> },
    /// The answer to [`Output::Keep`]: whether the block is stored.
    Kept { block: Digest, stored: bool },
    /// Some time has passed.
    Tick,
}

/// What the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send {
        peer: Peer,
        message: Message,
    },
    /// Store these bytes, whose hash was verified, and answer with [`Input::Kept`].
    Keep {
        peer: Peer,
        block: Digest,
        bytes: Vec<u8>,
    },
    /// One more block of the job is stored.
    Got {
        job: Job,
        block: Digest,
    },
    /// All blocks of the job are stored.
    Done {
        job: Job,
    },
    /// The job ended without all of its blocks.
    Failed {
        job: Job,
        why: Fault,
    },
    /// A peer broke a rule; [`Output::Leave`] follows.
    Rejected {
        peer: Peer,
        why: Rejection,
    },
    /// Close the stream to this peer: it broke a rule, was silent (`slow`), or is one more than [`PEERS_MAX`].
    Leave {
        peer: Peer,
        slow: bool,
    },
}

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connected peer has the blocks still missing; how many there are.
    Nobody { missing: usize },
    /// The host could not store a block.
    NotKept,
}

/// A block that at least one job waits for.
#[derive(Debug)]
struct Wanted {
    /// The order of asking; earlier wants are asked for first.
    nth: u64,
    jobs: BTreeSet<Job>,
    /// Peers that were asked and have not answered, and when.
    asked: BTreeMap<Peer, Timestamp>,
    /// Peers that answered `Missing`.
    lacking: BTreeSet<Peer>,
    /// The bytes came and are with the host.
    keeping: bool,
}

/// What one peer was asked for.
#[derive(Debug, Default)]
struct Asked {
    /// Asked for and not answered, whether still wanted or not: an answer to one of these is not unasked.
    blocks: BTreeSet<Digest>,
    /// The last answer, or the first question after an idle time.
    moved_at: Timestamp,
}

/// A job and the blocks it still waits for.
#[derive(Debug, Default)]
struct Waiting {
    missing: BTreeSet<Digest>,
    /// Since when none of the missing blocks is under way or can be asked for.
    stuck_since: Option<Timestamp>,
}

/// The state of all jobs and peers.
#[derive(Debug, Default)]
pub struct Fetch {
    wanted: BTreeMap<Digest, Wanted>,
    jobs: BTreeMap<Job, Waiting>,
    peers: BTreeMap<Peer, Asked>,
    next: u64,
    out: Vec<Output>,
}

impl Fetch {
    /// Processes one input at `now`. Timeouts are looked at on every input, so an idle host must send [`Input::Tick`].
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        match input {
            Input::Start { job, blocks } => self.start(job, blocks),
            Input::Cancel { job } => self.end(job),
            Input::Came(peer) if self.peers.len() >= PEERS_MAX => self.out.push(Output::Leave { peer, slow: false }),
            Input::Came(peer) => drop(self.peers.entry(peer).or_default()),
            Input::Gone(peer) => self.forget(peer),
            Input::Received { peer, bytes, hash } => {
                if let Err(why) = self.receive(peer, &bytes, hash, now) {
                    self.out.push(Output::Rejected { peer, why });
                    self.leave(peer, false);
                }
            }
            Input::Kept { block, stored: true } => self.kept(block),
            Input::Kept { block, stored: false } => self.not_kept(block),
            Input::Tick => {}
        }
        self.leave_silent(now);
        self.ask(now);
        self.give_up(now);
        std::mem::take(&mut self.out)
    }

    /// Returns whether no job is left.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The number of blocks that all peers together were asked for and have not answered.
    pub fn in_flight(&self) -> usize {
        self.peers.values().map(|asked| asked.blocks.len()).sum()
    }

    /// Returns whether blocks are wanted but none that this peer could be asked for, so its slot is better given to
    /// another.
    pub fn is_useless(&self, peer: Peer) -> bool {
        let idle = self.peers.get(&peer).is_some_and(|asked| asked.blocks.is_empty());
        idle && !self.wanted.is_empty() && self.wanted.values().all(|wanted| wanted.lacking.contains(&peer))
    }

    /// Registers a job and its blocks. A block that another job wants already is shared.
    fn start(&mut self, job: Job, blocks: Vec<Digest>) {
        self.end(job);
        let missing: BTreeSet<Digest> = blocks.iter().copied().collect();
        if missing.is_empty() {
            return self.out.push(Output::Done { job });
        }
        for block in blocks {
            self.next += 1;
            let fresh = || Wanted {
                nth: self.next,
                jobs: BTreeSet::new(),
                asked: BTreeMap::new(),
                lacking: BTreeSet::new(),
                keeping: false,
            };
            self.wanted.entry(block).or_insert_with(fresh).jobs.insert(job);
        }
        self.jobs.insert(job, Waiting { missing, stuck_since: None });
    }

    /// Removes a job and the wants that only it had.
    fn end(&mut self, job: Job) {
        let Some(waiting) = self.jobs.remove(&job) else { return };
        for block in waiting.missing {
            if let Some(wanted) = self.wanted.get_mut(&block) {
                wanted.jobs.remove(&job);
                if wanted.jobs.is_empty() {
                    self.wanted.remove(&block);
                }
            }
        }
    }

    /// Takes an answer. An error is the peer's fault.
    fn receive(&mut self, peer: Peer, bytes: &[u8], hash: Option<Digest>, now: Timestamp) -> Result<(), Rejection> {
        let Some(asked) = self.peers.get_mut(&peer) else { return Ok(()) };
        let message = Message::decode(bytes)?;
        let (Message::Block { block, .. } | Message::Missing(block)) = &message else {
            return Err(Rejection::OutOfOrder);
        };
        if !asked.blocks.remove(block) {
            return Err(Rejection::Unasked);
        }
        asked.moved_at = now;
        let mut wanted = self.wanted.get_mut(block);
        if let Some(wanted) = &mut wanted {
            wanted.asked.remove(&peer);
        }
        match message {
            Message::Block { block, bytes } => {
                if hash != Some(block) {
                    return Err(Rejection::WrongBlock);
                }
                // Another peer may have been quicker, or the job was cancelled.
                if let Some(wanted) = wanted.filter(|wanted| !wanted.keeping) {
                    wanted.keeping = true;
                    self.out.push(Output::Keep { peer, block, bytes });
                }
            }
            Message::Missing(_) => wanted.into_iter().for_each(|wanted| wanted.lacking.extend([peer])),
            Message::Want(_) => {}
        }
        Ok(())
    }

    /// Counts a stored block for each job that wants it.
    fn kept(&mut self, block: Digest) {
        let Some(wanted) = self.wanted.remove(&block) else { return };
        for job in wanted.jobs {
            let Some(waiting) = self.jobs.get_mut(&job) else { continue };
            waiting.missing.remove(&block);
            self.out.push(Output::Got { job, block });
            if waiting.missing.is_empty() {
                self.jobs.remove(&job);
                self.out.push(Output::Done { job });
            }
        }
    }

    /// Fails each job that wants a block which can't be stored.
    fn not_kept(&mut self, block: Digest) {
        let Some(wanted) = self.wanted.get_mut(&block) else { return };
        wanted.keeping = false;
        for job in wanted.jobs.clone() {
            self.end(job);
            self.out.push(Output::Failed { job, why: Fault::NotKept });
        }
    }

    fn leave(&mut self, peer: Peer, slow: bool) {
        self.forget(peer);
        self.out.push(Output::Leave { peer, slow });
    }

    /// Removes a peer; its unanswered blocks can be asked for elsewhere.
    fn forget(&mut self, peer: Peer) {
        self.peers.remove(&peer);
        for wanted in self.wanted.values_mut() {
            wanted.asked.remove(&peer);
            wanted.lacking.remove(&peer);
        }
    }

    /// Leaves every peer that has exceeded [`ANSWER_PATIENCE`].
    fn leave_silent(&mut self, now: Timestamp) {
        let silent = |asked: &Asked| !asked.blocks.is_empty() && now > asked.moved_at.plus(ANSWER_PATIENCE);
        let silent: Vec<Peer> = self.peers.iter().filter(|(_, asked)| silent(asked)).map(|(peer, _)| *peer).collect();
        silent.into_iter().for_each(|peer| self.leave(peer, true));
    }

    /// Asks peers in turns, one block each, until all are full or nothing is left to ask for.
    fn ask(&mut self, now: Timestamp) {
        let mut asks: BTreeMap<Peer, Vec<Digest>> = BTreeMap::new();
        loop {
            let mut moved = false;
            for (peer, asked) in &mut self.peers {
                if asked.blocks.len() >= IN_FLIGHT_MAX {
                    continue;
                }
                let Some(block) = next_for(&self.wanted, *peer, asked, now) else { continue };
                if asked.blocks.is_empty() {
                    asked.moved_at = now;
                }
                asked.blocks.insert(block);
                if let Some(wanted) = self.wanted.get_mut(&block) {
                    wanted.asked.insert(*peer, now);
                }
                asks.entry(*peer).or_default().push(block);
                moved = true;
            }
            if !moved {
                break;
            }
        }
        self.out.extend(asks.into_iter().map(|(peer, blocks)| Output::Send { peer, message: Message::Want(blocks) }));
    }

    /// Fails the jobs that exceeded [`PATIENCE`]. A job is stuck when not one of its blocks is under way or can be
    /// asked for.
    fn give_up(&mut self, now: Timestamp) {
        let under_way = |block: &Digest| {
            self.wanted.get(block).is_some_and(|wanted| {
                let somebody = self.peers.keys().any(|peer| !wanted.lacking.contains(peer));
                wanted.keeping || !wanted.asked.is_empty() || somebody
            })
        };
        let mut hopeless = Vec::new();
        for (job, waiting) in &mut self.jobs {
            if waiting.missing.iter().any(under_way) {
                waiting.stuck_since = None;
            } else if now > waiting.stuck_since.get_or_insert(now).plus(PATIENCE) {
                hopeless.push((*job, waiting.missing.len()));
            }
        }
        for (job, missing) in hopeless {
            self.end(job);
            self.out.push(Output::Failed { job, why: Fault::Nobody { missing } });
        }
    }
}

/// Returns the next block to ask this peer for: one that no peer was asked for, else one that is overdue.
fn next_for(wanted: &BTreeMap<Digest, Wanted>, peer: Peer, asked: &Asked, now: Timestamp) -> Option<Digest> {
    let late = |wanted: &Wanted| {
        wanted.asked.len() < ASKED_MAX && wanted.asked.values().all(|at| now > at.plus(ASK_ANOTHER_AFTER))
    };
    let open = wanted.iter().filter(|(block, wanted)| {
        !wanted.keeping
            && !wanted.lacking.contains(&peer)
            && !asked.blocks.contains(block)
            && (wanted.asked.is_empty() || late(wanted))
    });
    open.min_by_key(|(_, wanted)| (wanted.asked.len(), wanted.nth)).map(|(block, _)| *block)
}

#[cfg(test)]
mod tests;
