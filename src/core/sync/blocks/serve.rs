//! Answering one peer's wants from the store, one block at a time. The machine holds hashes that wait, never a block.
//!
//! A peer that asks for much is served more slowly, within [`BYTES_PER_SECOND`], and is not at fault. A peer that asks
//! for more before its answers came is: it could make the queue grow.

use std::collections::VecDeque;

use crate::digest::Digest;
use crate::limits::BLOCK_MAX_BYTES;
use crate::sync::blocks::wire::{IN_FLIGHT_MAX, Message};
use crate::sync::exchange::budget::Bucket;
use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// The most blocks that wait for their answer. An honest peer asks for [`IN_FLIGHT_MAX`]; twice as many leaves room for
/// answers that crossed its question.
pub const WAITING_MAX: usize = 2 * IN_FLIGHT_MAX;
/// Bytes of blocks served to one peer in a burst, and the lasting rate per second.
pub const BYTES_BURST: u64 = 128 * 1024 * 1024;
/// See [`BYTES_BURST`]; 16 MiB serves a whole module.
pub const BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;
/// Store look-ups for one peer in a burst, and the lasting rate per second. A block that is not here costs one, too.
pub const LOOKS_BURST: u64 = 1_024;
/// The refill that goes with [`LOOKS_BURST`], per second.
pub const LOOKS_PER_SECOND: u64 = 256;
/// Streams that a peer may open in a burst, and the lasting rate per second.
pub const STREAMS_BURST: u64 = 32;
/// The refill that goes with [`STREAMS_BURST`], per second.
pub const STREAMS_PER_SECOND: u64 = 1;
/// The sum of marks at which a peer is not answered any more.
pub const MARKS_MAX: u32 = 100;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The peer opened a stream; wants of an earlier stream are forgotten, its limits are not.
    Opened,
    /// One message from the peer, as it came.
    Received(Vec<u8>),
    /// The answer to [`Output::Look`].
    Found(Option<Vec<u8>>),
    /// Some time has passed: wants that waited for their turn may be served.
    Tick,
}

/// What the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Look for this block in the store and answer with [`Input::Found`]. One is open at a time.
    Look(Digest),
    Send(Message),
    /// The peer broke a rule.
    Rejected(Rejection),
    /// Close this stream without an answer.
    Close,
    /// Disconnect the peer and ban it.
    End(Rejection),
}

/// The wants and limits of one peer, over all its streams.
#[derive(Debug)]
pub struct Serve {
    waiting: VecDeque<Digest>,
    looking: Option<Digest>,
    bytes: Bucket,
    looks: Bucket,
    streams: Bucket,
    marks: u32,
    out: Vec<Output>,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            looking: None,
            bytes: Bucket::new(BYTES_BURST, BYTES_PER_SECOND),
            looks: Bucket::new(LOOKS_BURST, LOOKS_PER_SECOND),
            streams: Bucket::new(STREAMS_BURST, STREAMS_PER_SECOND),
            marks: 0,
            out: Vec::new(),
        }
    }
}

impl Serve {
    /// Processes one input at `now`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        if let Err(why) = self.take(input, now) {
            self.reject(why);
        }
        self.look(now);
        std::mem::take(&mut self.out)
    }

    /// The number of wants that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn take(&mut self, input: Input, now: Timestamp) -> Result<(), Rejection> {
        match input {
            Input::Opened => {
                self.waiting.clear();
                self.looking = None;
                if !self.streams.draw(1, now) {
                    self.out.push(Output::Close);
                    return Err(Rejection::TooManyRequests);
                }
            }
            Input::Received(bytes) => match Message::decode(&bytes)? {
                Message::Want(blocks) if self.waiting.len() + blocks.len() > WAITING_MAX => {
                    return Err(Rejection::TooManyRequests);
                }
                Message::Want(blocks) => self.waiting.extend(blocks),
                // The side that asks has nothing to give.
                Message::Block { .. } | Message::Missing(_) => return Err(Rejection::Unasked),
            },
            Input::Found(found) => {
                if let Some(block) = self.looking.take() {
                    let given = found.as_ref().map_or(0, Vec::len).min(BLOCK_MAX_BYTES);
                    self.bytes.give_back((BLOCK_MAX_BYTES - given) as u64);
                    self.out.push(Output::Send(match found {
                        Some(bytes) => Message::Block { block, bytes },
                        None => Message::Missing(block),
                    }));
                }
            }
            Input::Tick => {}
        }
        Ok(())
    }

    /// Starts the next look-up if the rates allow it. A whole block is drawn beforehand; what it is shorter is given
    /// back.
    fn look(&mut self, now: Timestamp) {
        if self.looking.is_some() || self.waiting.is_empty() {
            return;
        }
        // What can't be given yet waits here; the peer can't ask for more meanwhile.
        if !self.looks.draw(1, now) || !self.bytes.draw(BLOCK_MAX_BYTES as u64, now) {
            return;
        }
        self.looking = self.waiting.pop_front();
        self.out.extend(self.looking.map(Output::Look));
    }

    fn reject(&mut self, why: Rejection) {
        self.out.push(Output::Rejected(why));
        self.marks += why.mark();
        if why.is_fatal() || self.marks >= MARKS_MAX {
            self.waiting.clear();
            self.out.push(Output::End(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn want(blocks: &[u8]) -> Input {
        Input::Received(Message::Want(blocks.iter().map(|block| Digest::of(&[*block])).collect()).encode())
    }

    #[test]
    fn answers_wants_one_after_the_other() {
        let (mut serve, one, two) = (Serve::default(), Digest::of(&[1]), Digest::of(&[2]));
        assert_eq!(serve.handle(Input::Opened, at(0)), []);
        assert_eq!(serve.handle(want(&[1, 2]), at(0)), [Output::Look(one)]);
        let answer = Output::Send(Message::Block { block: one, bytes: vec![1] });
        assert_eq!(serve.handle(Input::Found(Some(vec![1])), at(0)), [answer, Output::Look(two)]);
        assert_eq!(serve.handle(Input::Found(None), at(0)), [Output::Send(Message::Missing(two))]);
        assert_eq!(serve.handle(Input::Found(None), at(0)), [], "nobody asked");
    }

    #[test]
    fn rejects_a_peer_that_asks_before_its_answers_came() {
        let mut serve = Serve::default();
        assert_eq!(serve.handle(want(&[1]), at(0)).len(), 1);
        for block in (0..WAITING_MAX).step_by(IN_FLIGHT_MAX) {
            assert_eq!(serve.handle(want(&[block as u8; IN_FLIGHT_MAX]), at(0)), []);
        }
        for _ in 1..MARKS_MAX / Rejection::TooManyRequests.mark() {
            assert_eq!(serve.handle(want(&[1]), at(0)), [Output::Rejected(Rejection::TooManyRequests)]);
            assert_eq!(serve.waiting(), WAITING_MAX);
        }
        assert_eq!(serve.handle(want(&[1]), at(0)).last(), Some(&Output::End(Rejection::TooManyRequests)));
    }

    #[test]
    fn rejects_unasked_answers() {
        let block = Digest::of(&[1]);
        for (bytes, why) in [
            (Message::Missing(block).encode(), Rejection::Unasked),
            (Message::Block { block, bytes: vec![1] }.encode(), Rejection::Unasked),
            (vec![0; 2 * BLOCK_MAX_BYTES], Rejection::Oversized),
        ] {
            assert_eq!(Serve::default().handle(Input::Received(bytes), at(0)), [Output::Rejected(why)]);
        }
    }

    #[test]
    fn limits_bytes_over_all_streams_and_refills_with_time() {
        let mut serve = Serve::default();
        let mut given = 0;
        let mut now = 0;
        let ask = |serve: &mut Serve, now| {
            let outputs = serve.handle(want(&[1]), at(now));
            let looked = outputs.iter().any(|output| matches!(output, Output::Look(_)));
            if looked {
                serve.handle(Input::Found(Some(vec![1; BLOCK_MAX_BYTES])), at(now));
            }
            looked
        };
        while ask(&mut serve, now) {
            given += BLOCK_MAX_BYTES as u64;
        }
        assert_eq!(given, BYTES_BURST);
        assert_eq!(serve.handle(Input::Opened, at(now)), [], "a new stream is no new beginning");
        assert!(!ask(&mut serve, now));
        now += 1_000 * BLOCK_MAX_BYTES as u64 / BYTES_PER_SECOND + 1;
        assert!(matches!(serve.handle(Input::Tick, at(now))[..], [Output::Look(_)]));
        for _ in 1..STREAMS_BURST - 1 {
            serve.handle(Input::Opened, at(0));
        }
        assert!(serve.handle(Input::Opened, at(0)).is_empty());
        assert!(serve.handle(Input::Opened, at(0)).contains(&Output::Close));
    }

    #[test]
    fn missing_blocks_cost_look_ups_and_no_bytes() {
        let mut serve = Serve::default();
        for _ in 0..LOOKS_BURST {
            assert_eq!(serve.handle(want(&[1]), at(0)).len(), 1);
            serve.handle(Input::Found(None), at(0));
        }
        assert_eq!(serve.handle(want(&[1]), at(0)), [], "but looking costs");
        assert_eq!(serve.handle(Input::Tick, at(1_000)).len(), 1);
    }
}
