//! What a hostile peer does: one act for each rule that a sender can break, and some that break none.
//!
//! An act ends when the victim has ended it, or when there is nothing more to do. Whether the victim did what it should
//! is for the tests to see.

use std::time::Duration;

use futures::AsyncWriteExt;
use futures_timer::Delay;
use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Entry, EntryId, HEADER_BYTES};
use gen_registry_core::registry::{Ask, Detail};
use gen_registry_core::sync::exchange::FRAME_MAX_BYTES;
use gen_registry_core::sync::exchange::wire::{
    ASKS_MAX, BESIDE_MAX, Hello, MESSAGE_MAX_BYTES, Message, Piece, WANT_MAX,
};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use negentropy::{Negentropy, NegentropyStorageVector};

use super::peer::{Conversation, Mallory, Side, address_of_nobody, hello};

/// Enough of anything: no bound of the registry lets so many through.
const MANY: usize = 20_000;
/// What a flood of gossip says at once before it looks whether it is still connected.
const GOSSIP_AT_ONCE: u64 = 200;
/// More than yamux allows on one connection.
const STREAMS: usize = 2_000;
/// So many boasts as long as a message may be are more than a session keeps for their turn.
const LONG_BOASTS: u64 = 80;
const ADDRESSES: usize = 40;
/// More pages than one peer is served in a burst.
pub const PAGES: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Malformed,
    Oversized,
    OutOfOrder,
    ForeignTopic,
    OtherParameters,
    Unasked,
    /// Says nothing in a round that the victim has begun.
    Stalled,
    Comparison,
    /// Entries in the name of those whose keys it has not.
    Forged,
    /// A proof that proves nothing.
    BadChange,
    /// Two entries of its own for one place, with the proof, and nonsense after it.
    Fork,
    TooManyMessages,
    TooManyAnnouncements,
    /// Asks for the same pages again and again, and reads them.
    Greedy,
    /// Says that it has more of more people than anybody would keep in mind.
    LongBoasts,
    GossipFlood,
    /// Asks for pages and reads none.
    NeverReads,
    /// Begins messages on streams without number, and ends none.
    ManyStreams,
    /// Says that it, and others, are to be found in the strangest places.
    RubbishAddresses,
}

pub const ACTS: [(&str, Act); 19] = [
    ("malformed", Act::Malformed),
    ("oversized", Act::Oversized),
    ("out-of-order", Act::OutOfOrder),
    ("foreign-topic", Act::ForeignTopic),
    ("other-parameters", Act::OtherParameters),
    ("unasked", Act::Unasked),
    ("stalled", Act::Stalled),
    ("comparison", Act::Comparison),
    ("forged", Act::Forged),
    ("bad-change", Act::BadChange),
    ("fork", Act::Fork),
    ("too-many-messages", Act::TooManyMessages),
    ("too-many-announcements", Act::TooManyAnnouncements),
    ("greedy", Act::Greedy),
    ("long-boasts", Act::LongBoasts),
    ("gossip-flood", Act::GossipFlood),
    ("never-reads", Act::NeverReads),
    ("many-streams", Act::ManyStreams),
    ("rubbish-addresses", Act::RubbishAddresses),
];

impl Act {
    /// Which side of the stream it needs.
    pub fn side(self) -> Side {
        match self {
            // The victim begins a round, and says what it has.
            Self::Stalled | Self::Forged | Self::Greedy | Self::NeverReads => Side::Responder,
            _ => Side::Initiator,
        }
    }

    /// Does it, once. `person` is whose key it has. Says how much it got out, in whatever the act counts.
    pub async fn run_job(self, mallory: &mut Mallory, mut person: Device) -> usize {
        let topic = mallory.victim.topic;
        match self {
            Self::Malformed => again_and_again(mallory, vec![0xff; 40]).await,
            Self::Oversized => again_and_again(mallory, vec![7; MESSAGE_MAX_BYTES + 1]).await,
            Self::OutOfOrder => again_and_again(mallory, Message::Hello(hello(topic)).encode()).await,
            Self::ForeignTopic => greet_as(mallory, hello(Topic::from_bytes([8; 32]))).await,
            Self::OtherParameters => {
                let hello = hello(topic);
                greet_as(mallory, Hello { parameters: hello.parameters + 1, ..hello }).await
            }
            Self::Unasked => {
                again_and_again(mallory, Message::Pieces { ticket: 77, pieces: Vec::new() }.encode()).await
            }
            Self::Stalled => mallory.greeted().await.say_until_cut(std::iter::empty()).await,
            Self::Comparison => {
                let frame = vec![0xff; 40];
                again_and_again(mallory, Message::Compare { round: 1, frame }.encode()).await
            }
            Self::Forged => {
                let (mut talk, details) = robbed(mallory).await;
                let mine = person.claim("stolen", None);
                let logs = details.iter().flat_map(|detail| &detail.logs);
                let mut forged: Vec<Piece> =
                    logs.map(|state| in_the_name_of(&mine, &state.log.opening, state.log.device.as_bytes())).collect();
                let mut damaged = mine.encode();
                damaged[HEADER_BYTES - 7] ^= 1;
                forged.push(Piece::Entry(damaged));
                offer(&mut talk, &person, forged).await;
                talk.say_until_cut(std::iter::empty()).await
            }
            Self::BadChange => {
                let mut talk = mallory.greeted().await;
                let header = person.opening.signed_header().encode();
                offer(&mut talk, &person, vec![Piece::Fork(header.clone(), header); 2]).await;
                talk.say_until_cut(std::iter::empty()).await
            }
            Self::Fork => {
                let mut talk = mallory.greeted().await;
                let mut copy = person.clone();
                let halves = [person.claim("one_half", None), copy.claim("other_half", None)];
                let [one, other] = halves.each_ref().map(|half| half.signed_header().encode());
                let entries = [&person.opening, &halves[0], &halves[1]].map(|entry| Piece::Entry(entry.encode()));
                offer(&mut talk, &person, [&entries[..], &[Piece::Fork(one, other)]].concat()).await;
                // What comes after it is read after it: the sentinel is refused.
                talk.say_until_cut(std::iter::repeat_n(vec![0xff; 40], MANY)).await
            }
            Self::TooManyMessages => again_and_again(mallory, Message::News(Vec::new()).encode()).await,
            Self::TooManyAnnouncements => {
                let talk = mallory.greeted().await;
                talk.say_until_cut((0..MANY as u64).map(|number| unheard_of(number).encode())).await
            }
            Self::Greedy => {
                let (talk, details) = robbed(mallory).await;
                talk.say_and_hear_pages(greedy(&details).take(PAGES)).await
            }
            Self::LongBoasts => {
                let talk = mallory.greeted().await;
                let boasts = (0..LONG_BOASTS).map(|number| long_boast(number).encode());
                talk.say_until_cut(boasts.chain(std::iter::repeat_n(Message::News(Vec::new()).encode(), MANY))).await
            }
            Self::GossipFlood => flood_gossip(mallory).await,
            Self::NeverReads => {
                let (talk, details) = robbed(mallory).await;
                talk.say_and_never_read(greedy(&details)).await
            }
            Self::ManyStreams => begin_many(mallory).await,
            Self::RubbishAddresses => {
                let _talk = mallory.greeted().await;
                mallory.claim_addresses(rubbish());
                mallory.settled().await;
                ADDRESSES
            }
        }
    }
}

async fn again_and_again(mallory: &mut Mallory, bytes: Vec<u8>) -> usize {
    mallory.greeted().await.say_until_cut(std::iter::repeat_n(bytes, MANY)).await
}

async fn greet_as(mallory: &mut Mallory, hello: Hello) -> usize {
    let hello = Message::Hello(hello).encode();
    mallory.silent().await.say_until_cut(std::iter::once(hello)).await
}

/// The comparison of somebody who has nothing.
fn nothing() -> Negentropy<'static, NegentropyStorageVector> {
    let mut storage = NegentropyStorageVector::new();
    storage.seal().expect("an empty one");
    Negentropy::owned(storage, FRAME_MAX_BYTES).expect("a bound it takes")
}

/// Says that it has the log of somebody new, and answers with these pieces when the victim asks for it.
async fn offer(talk: &mut Conversation, person: &Device, pieces: Vec<Piece>) {
    let openings = vec![person.log().opening];
    let details = vec![Detail { did: person.did, openings, logs: Vec::new(), beside: Vec::new() }];
    talk.say(&Message::Details { details, is_last: false }).await;
    let asked = talk.hear_until(|message| match message {
        Message::Need { ticket, .. } => Some(ticket),
        _ => None,
    });
    let Some(ticket) = asked.await else { return };
    talk.say(&Message::Pieces { ticket, pieces }).await;
}

/// The entry as if it were of another log.
fn in_the_name_of(entry: &Entry, opening: &Digest, device: &[u8; 32]) -> Piece {
    let mut bytes = entry.encode();
    bytes[..32].copy_from_slice(opening.as_bytes());
    bytes[32..64].copy_from_slice(device);
    Piece::Entry(bytes)
}

/// As the side that answers, it makes the victim offer everything, and so learns who is there.
pub async fn robbed(mallory: &mut Mallory) -> (Conversation, Vec<Detail>) {
    let mut talk = mallory.greeted().await;
    let mut machine = nothing();
    loop {
        let found = talk.hear_until(|message| match message {
            Message::Compare { round, frame } => Some(Ok((round, frame))),
            Message::Details { details, .. } => Some(Err(details)),
            _ => None,
        });
        match found.await.expect("the victim begins a round") {
            Ok((round, frame)) => {
                let frame = machine.reconcile(&frame).expect("the victim's own frame");
                talk.say(&Message::Compare { round, frame }).await;
            }
            Err(details) => return (talk, details),
        }
    }
}

/// Everything, from the beginning, as often as one message can ask.
pub fn greedy(details: &[Detail]) -> impl Iterator<Item = Vec<u8>> {
    let logs = details.iter().flat_map(|detail| &detail.logs).cycle().take(ASKS_MAX);
    let asks: Vec<Ask> = logs.map(|state| Ask::Log { log: state.log, known: Vec::new() }).collect();
    (0..MANY as u64).map(move |ticket| Message::Need { ticket, asks: asks.clone() }.encode())
}

/// Somebody who is not known anywhere.
fn stranger(number: u64) -> Did {
    Did::from_digest(Digest::of(&number.to_le_bytes()))
}

/// States that no node has; others for each number.
fn unheard_of(number: u64) -> Message {
    let state = |nth: u64| (stranger(number * WANT_MAX as u64 + nth), Digest::of(&nth.to_be_bytes()));
    Message::News((0..WANT_MAX as u64).map(state).collect())
}

/// One identity with as many entries beside its logs as a detail may list.
fn long_boast(number: u64) -> Message {
    let entry = |nth: u64| {
        let digest = Digest::of(&[number.to_be_bytes(), nth.to_be_bytes()].concat());
        (EntryId::from_digest(digest), digest)
    };
    let beside = (0..BESIDE_MAX as u64).map(entry).collect();
    let openings = vec![Digest::of(&number.to_be_bytes())];
    Message::Details {
        details: vec![Detail { did: stranger(number), openings, logs: Vec::new(), beside }],
        is_last: false,
    }
}

/// With a session beside it, so that the victim looks at every message.
async fn flood_gossip(mallory: &mut Mallory) -> usize {
    let talk = mallory.greeted().await;
    mallory.join_gossip().await;
    let flood = async {
        let mut said = 0;
        while mallory.is_connected() {
            for _ in 0..GOSSIP_AT_ONCE {
                mallory.publish(unheard_of(said).encode());
                said += 1;
            }
            mallory.settled().await;
            // A page with one thread does nothing else while there is always something to say: not even send it.
            Delay::new(Duration::ZERO).await;
        }
        said as usize
    };
    let listening = talk.say_until_cut(std::iter::empty());
    futures::join!(flood, listening).0
}

/// The beginning of a long message on each stream; all are kept open until the last.
async fn begin_many(mallory: &mut Mallory) -> usize {
    let mut kept = Vec::new();
    for _ in 0..STREAMS {
        let Some(mut stream) = mallory.another_stream().await else { break };
        // The length of a long message, and its first bytes.
        if stream.write_all(&[0x80, 0x80, 0x04, 1, 2, 3]).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        kept.push(stream);
    }
    kept.len()
}

/// Hosts that are not its own, relays that are none, and nonsense.
fn rubbish() -> Vec<Multiaddr> {
    let loud = |number: usize| Multiaddr::from(Protocol::Dns4(format!("{}.example", "x".repeat(number)).into()));
    let of_others = (0..ADDRESSES / 4).map(|_| address_of_nobody().with(Protocol::WebRTC));
    let far = (0..ADDRESSES / 4).map(|_| address_of_nobody().with(Protocol::P2p(PeerId::random())));
    let long = (0..ADDRESSES / 2).map(|number| loud(60 + number).with(Protocol::Tcp(25)));
    of_others.chain(far).chain(long).collect()
}
