//! Those who lie: one trick each, played again and again through links that look honest.

use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Entry, HEADER_BYTES};
use gen_registry_core::random::Random;
use gen_registry_core::registry::{Ask, Detail};
use gen_registry_core::sync::exchange::wire::{Message, Piece, WANT_MAX};

use crate::support::people::claim;
use crate::support::simulator::NodeId;
use crate::support::swarm::BEGINNING;

const REPLAYED_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// An honest node.
    None,
    /// Honest people's entries with a signature of its own.
    Forge,
    /// Messages that were in place once.
    Replay,
    /// Says it has entries and sends none.
    Withhold,
    /// Two entries for one place, each shown to some.
    Equivocate,
    Garbage,
    /// More news than anybody should read.
    Flood,
}

pub const TRICKS: [Trick; 6] =
    [Trick::Forge, Trick::Replay, Trick::Withhold, Trick::Equivocate, Trick::Garbage, Trick::Flood];

pub struct Liar {
    pub trick: Trick,
    device: Device,
    /// Both halves of an equivocation.
    halves: [Entry; 2],
    overheard: Vec<Vec<u8>>,
}

impl Liar {
    pub fn new(topic: Topic, number: usize, id: NodeId) -> Self {
        let mut device = Device::of(topic, &format!("liar {id}"));
        let mut copy = device.clone();
        let halves = [claim(&mut device, "one_half", BEGINNING), claim(&mut copy, "other_half", BEGINNING)];
        Self { trick: TRICKS[number % TRICKS.len()], device, halves, overheard: Vec::new() }
    }

    /// Whose names it signs twice.
    pub fn equivocator(&self) -> Option<Did> {
        (self.trick == Trick::Equivocate).then_some(self.device.did)
    }

    /// Keeps what may be replayed.
    pub fn overhear(&mut self, bytes: &[u8]) {
        if self.trick == Trick::Replay && self.overheard.len() < REPLAYED_MAX {
            self.overheard.push(bytes.to_vec());
        }
    }

    /// What it says to a peer unasked.
    pub fn lies(&self, random: &mut Random) -> Vec<Vec<u8>> {
        match self.trick {
            Trick::None | Trick::Forge => Vec::new(),
            Trick::Replay => random.pick(&self.overheard).cloned().into_iter().collect(),
            Trick::Withhold => vec![boast(Did::from_digest(Digest::of(b"nobody")), Digest::of(b"nothing"))],
            Trick::Equivocate => vec![boast(self.device.did, self.device.log().opening)],
            Trick::Garbage => {
                let length = 1 + random.below(200);
                vec![(0..length).map(|_| random.number() as u8).collect()]
            }
            Trick::Flood => {
                let state = |number: u64| Digest::of(&number.to_be_bytes());
                let mut news = || (0..WANT_MAX).map(|_| (Did::from_digest(state(random.number())), state(0))).collect();
                (0..60).map(|_| Message::News(news()).encode()).collect()
            }
        }
    }

    /// What it answers instead of these pieces.
    pub fn answers(&self, peer: NodeId, asks: &[Ask], pieces: Vec<Piece>) -> Vec<Piece> {
        match self.trick {
            Trick::Forge => pieces.into_iter().map(forged).collect(),
            Trick::Withhold => Vec::new(),
            Trick::Equivocate if asks.contains(&Ask::Opening(self.device.log().opening)) => {
                [&self.device.opening, &self.halves[peer % 2]].map(|entry| Piece::Entry(entry.encode())).to_vec()
            }
            _ => pieces,
        }
    }
}

fn boast(did: Did, opening: Digest) -> Vec<u8> {
    let details = vec![Detail { did, openings: vec![opening], logs: Vec::new(), beside: Vec::new() }];
    Message::Details { details, is_last: false }.encode()
}

/// One bit of the signature is another.
fn forged(piece: Piece) -> Piece {
    match piece {
        Piece::Entry(mut bytes) => {
            bytes[HEADER_BYTES - 7] ^= 1;
            Piece::Entry(bytes)
        }
        other => other,
    }
}
