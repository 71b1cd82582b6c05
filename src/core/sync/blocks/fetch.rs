//! Fetching blocks from several peers at once. It holds hashes, never a block: what came is handed out to be kept.
//!
//! Blocks are spread over the peers; nothing is handed out before its hash was verified. A block that does not come, or
//! comes wrong, is asked for elsewhere; a peer that breaks a rule or is silent is left. A job always ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::digest::Digest;
use crate::sync::blocks::wire::{IN_FLIGHT_MAX, Message};
use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// One stream to a peer; the host counts them.
pub type Peer = u64;
/// Blocks that somebody waits for together.
pub type Job = u64;

/// Peers asked at once: together they have 8 MiB on the way.
pub const PEERS_MAX: usize = 8;
/// A peer that was asked and says nothing for so long is left.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// A block that one peer was asked for so long ago is asked for elsewhere, too, once nothing else is left to ask for.
pub const ASK_ANOTHER_AFTER: Duration = Duration::from_secs(5);
/// Peers that are asked for one block at the same time.
pub const ASKED_MAX: usize = 2;
/// A job for which no peer has anything more is given up after this time: one may still come.
pub const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone, Debug)]
pub enum Input {
    /// These blocks are wanted; each once.
    Start {
        job: Job,
        blocks: Vec<Digest>,
    },
    /// The job was given up by everyone who waited for it.
    Cancel {
        job: Job,
    },
    /// A stream to a peer was opened.
    Came(Peer),
    Gone(Peer),
    Received {
        peer: Peer,
        bytes: Vec<u8>,
    },
    /// The answer to [`Output::Keep`].
    Kept {
        block: Digest,
        stored: bool,
    },
    /// Some time has passed.
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send {
        peer: Peer,
        message: Message,
    },
    /// These are the bytes of that block.
    Keep {
        peer: Peer,
        block: Digest,
        bytes: Vec<u8>,
    },
    /// One more block of the job is kept.
    Got {
        job: Job,
        block: Digest,
    },
    Done {
        job: Job,
    },
    Failed {
        job: Job,
        why: Fault,
    },
    /// A peer broke a rule.
    Rejected {
        peer: Peer,
        why: Rejection,
    },
    /// The stream to this peer is of no more use.
    Leave {
        peer: Peer,
        slow: bool,
    },
}

/// Why a job ended without its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connected peer has what is missing: so many blocks.
    Nobody { missing: usize },
    /// A block could not be kept.
    NotKept,
}

#[derive(Debug)]
struct Wanted {
    /// Earlier ones are asked for first.
    nth: u64,
    jobs: BTreeSet<Job>,
    asked: BTreeMap<Peer, Timestamp>,
    /// Peers that said that they don't have it.
    lacking: BTreeSet<Peer>,
    keeping: bool,
}

#[derive(Debug, Default)]
struct Asked {
    /// Asked for and not answered, whether it is still wanted or not.
    blocks: BTreeSet<Digest>,
    /// When the peer said something last, or was first asked after that.
    moved_at: Timestamp,
}

#[derive(Debug, Default)]
struct Waiting {
    missing: BTreeSet<Digest>,
    stuck_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Fetch {
    wanted: BTreeMap<Digest, Wanted>,
    jobs: BTreeMap<Job, Waiting>,
    peers: BTreeMap<Peer, Asked>,
    next: u64,
    out: Vec<Output>,
}

impl Fetch {
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        match input {
            Input::Start { job, blocks } => self.start(job, blocks),
            Input::Cancel { job } => self.end(job),
            Input::Came(peer) if self.peers.len() >= PEERS_MAX => self.out.push(Output::Leave { peer, slow: false }),
            Input::Came(peer) => drop(self.peers.entry(peer).or_default()),
            Input::Gone(peer) => self.forget(peer),
            Input::Received { peer, bytes } => {
                if let Err(why) = self.receive(peer, &bytes, now) {
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

    /// Whether no job is left.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Blocks on the way, from all peers.
    pub fn in_flight(&self) -> usize {
        self.peers.values().map(|asked| asked.blocks.len()).sum()
    }

    /// Something is wanted, but nothing that this peer could still be asked for: its place is better given to another.
    pub fn is_useless(&self, peer: Peer) -> bool {
        let idle = self.peers.get(&peer).is_some_and(|asked| asked.blocks.is_empty());
        idle && !self.wanted.is_empty() && self.wanted.values().all(|wanted| wanted.lacking.contains(&peer))
    }

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

    fn receive(&mut self, peer: Peer, bytes: &[u8], now: Timestamp) -> Result<(), Rejection> {
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
                if Digest::of(&bytes) != block {
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

    fn forget(&mut self, peer: Peer) {
        self.peers.remove(&peer);
        for wanted in self.wanted.values_mut() {
            wanted.asked.remove(&peer);
            wanted.lacking.remove(&peer);
        }
    }

    fn leave_silent(&mut self, now: Timestamp) {
        let silent = |asked: &Asked| !asked.blocks.is_empty() && now > asked.moved_at.plus(ANSWER_PATIENCE);
        let silent: Vec<Peer> = self.peers.iter().filter(|(_, asked)| silent(asked)).map(|(peer, _)| *peer).collect();
        silent.into_iter().for_each(|peer| self.leave(peer, true));
    }

    /// One block for each peer in turn, until all have enough to do.
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
