//! What a hostile peer does: one act for each rule that a sender can break, and some that break none.
//!
//! An act ends when the victim has ended it, or when there is nothing more to do. Whether the victim did what it should
//! is for the tests to see.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::AsyncWriteExt;
use futures_timer::Delay;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::SignedChange;
use gen_registry_core::identity::{Identity, SigningIdentity, Topic};
use gen_registry_core::sync::version_vector::{DocumentVector, Seen};
use gen_registry_core::sync::wire::{FRAME_MAX_BYTES, Hello, MESSAGE_MAX_BYTES, Message, VECTORS_MAX};
use gen_registry_core::time::Timestamp;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use negentropy::{Negentropy, NegentropyStorageVector};

use super::lies;
use super::peer::{Conversation, Mallory, Side, address_of_nobody};

/// Enough of anything: no bound of the registry lets so many through.
const MANY: usize = 20_000;
/// What a flood of gossip says at once before it looks whether it is still heard.
const GOSSIP_AT_ONCE: u64 = 200;
/// More than yamux allows on one connection.
const STREAMS: usize = 2_000;
/// A vector of this many writing sessions nearly fills a message.
const LONGEST_VECTOR: u64 = 2_000;
const ADDRESSES: usize = 40;
const CHANGE_DOMAIN: &str = "gen-registry/change/v1";
/// When every lie is dated.
const THEN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Malformed,
    Oversized,
    OutOfOrder,
    ForeignTopic,
    FutureVersion,
    OtherParameters,
    Unasked,
    Withheld,
    Stalled,
    Comparison,
    /// A change in the name of somebody whose key it has not.
    Forged,
    BadChange,
    Refused,
    Fork,
    TooManyMessages,
    TooManyAnnouncements,
    TooManyBytes,
    TooManyRequests,
    GossipFlood,
    /// Asks for pages and reads none.
    NeverReads,
    /// Begins messages on streams without number, and ends none.
    ManyStreams,
    /// Says that it, and others, are to be found in the strangest places.
    RubbishAddresses,
}

pub const ACTS: [(&str, Act); 22] = [
    ("malformed", Act::Malformed),
    ("oversized", Act::Oversized),
    ("out-of-order", Act::OutOfOrder),
    ("foreign-topic", Act::ForeignTopic),
    ("future-version", Act::FutureVersion),
    ("other-parameters", Act::OtherParameters),
    ("unasked", Act::Unasked),
    ("withheld", Act::Withheld),
    ("stalled", Act::Stalled),
    ("comparison", Act::Comparison),
    ("forged", Act::Forged),
    ("bad-change", Act::BadChange),
    ("refused", Act::Refused),
    ("fork", Act::Fork),
    ("too-many-messages", Act::TooManyMessages),
    ("too-many-announcements", Act::TooManyAnnouncements),
    ("too-many-bytes", Act::TooManyBytes),
    ("too-many-requests", Act::TooManyRequests),
    ("gossip-flood", Act::GossipFlood),
    ("never-reads", Act::NeverReads),
    ("many-streams", Act::ManyStreams),
    ("rubbish-addresses", Act::RubbishAddresses),
];

impl Act {
    /// Which side of the stream it needs.
    pub fn side(self) -> Side {
        match self {
            // Those who hear what the victim has.
            Self::Forged | Self::TooManyBytes | Self::NeverReads => Side::Responder,
            _ => Side::Initiator,
        }
    }

    /// Does it, once. `person` is whose key it has. Says how much it got out, in whatever the act counts.
    pub async fn run_job(self, mallory: &mut Mallory, person: &SigningIdentity) -> usize {
        let topic = mallory.victim.topic;
        match self {
            Self::Malformed => again_and_again(mallory, vec![0xff; 40]).await,
            Self::Oversized => again_and_again(mallory, lies::oversized()).await,
            Self::OutOfOrder => again_and_again(mallory, Message::Hello(Hello::new(topic)).encode()).await,
            Self::ForeignTopic => greet_as(mallory, Hello::new(Topic::from_bytes([8; 32]))).await,
            Self::FutureVersion => {
                let hello = Hello::new(topic);
                greet_as(mallory, Hello { version: hello.version + 1, ..hello }).await
            }
            Self::OtherParameters => {
                let hello = Hello::new(topic);
                greet_as(mallory, Hello { parameters: hello.parameters + 1, ..hello }).await
            }
            Self::Unasked => {
                let page = Message::Changes { ticket: 77, changes: Vec::new(), unfinished: Vec::new() };
                again_and_again(mallory, page.encode()).await
            }
            Self::Withheld => boast_and_answer(mallory, Vec::new).await,
            Self::Stalled => {
                let owner = stranger(0);
                boast_and_answer(mallory, move || vec![owner]).await
            }
            Self::Comparison => {
                let frame = vec![0xff; 40];
                again_and_again(mallory, Message::Compare { round: 1, frame }.encode()).await
            }
            Self::Forged => {
                let (talk, owners) = robbed(mallory).await;
                let mine = lies::first_claim(person, &topic, "stolen", THEN);
                let in_their_name = owners.into_iter().map(|owner| SignedChange { owner, ..mine.clone() });
                let forged = in_their_name.chain([lies::forged(mine.clone(), 7)]).collect();
                let forged = Message::Announce(forged).encode();
                talk.say_until_cut(std::iter::repeat_n(forged, MANY)).await
            }
            Self::BadChange => {
                again_and_again(mallory, Message::Announce(vec![signed(person, &topic, vec![0; 64])]).encode()).await
            }
            Self::Refused => {
                let message = Message::Announce(vec![signed(person, &topic, unreadable())]);
                again_and_again(mallory, message.encode()).await
            }
            Self::Fork => {
                let mut talk = mallory.greeted().await;
                let halves = ["one_half", "other_half"].map(|name| lies::first_claim(person, &topic, name, THEN));
                for half in halves {
                    talk.say(&Message::Announce(vec![half])).await;
                }
                // What is said after it is heard after it: the sentinel is refused.
                talk.say_until_cut(std::iter::repeat_n(vec![0xff; 40], MANY)).await
            }
            Self::TooManyMessages => {
                // Before the greeting announcements are no fault.
                let talk = mallory.silent().await;
                talk.say_until_cut(std::iter::repeat_n(Message::Announce(Vec::new()).encode(), MANY)).await
            }
            Self::TooManyAnnouncements => {
                let talk = mallory.greeted().await;
                let owner = person.identity();
                talk.say_until_cut((0..MANY as u64).map(|number| lies::unheard_of(owner, number).encode())).await
            }
            Self::TooManyBytes => {
                let (talk, owners) = robbed(mallory).await;
                talk.say_until_cut(greedy(&owners)).await
            }
            Self::TooManyRequests => {
                let mut talk = in_a_round(mallory).await;
                talk.hear_until(|message| matches!(message, Message::Compare { .. }).then_some(())).await;
                talk.say_until_cut((0..MANY as u64).map(|number| long_boast(number).encode())).await
            }
            Self::GossipFlood => flood_gossip(mallory, person.identity()).await,
            Self::NeverReads => {
                let (talk, owners) = robbed(mallory).await;
                talk.say_and_never_read(greedy(&owners)).await
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
    Negentropy::owned(storage, FRAME_MAX_BYTES as u64).expect("a bound it takes")
}

/// It opened a round, and the victim waits for what comes of it.
async fn in_a_round(mallory: &mut Mallory) -> Conversation {
    let mut talk = mallory.greeted().await;
    let frame = nothing().initiate().expect("a first step");
    talk.say(&Message::Compare { round: 1, frame }).await;
    talk
}

/// Says that it has documents and, asked for them, sends an empty page that says who is not finished.
async fn boast_and_answer(mallory: &mut Mallory, unfinished: impl Fn() -> Vec<Identity>) -> usize {
    let mut talk = in_a_round(mallory).await;
    talk.hear_until(|message| matches!(message, Message::Compare { .. }).then_some(())).await;
    for number in 0..MANY {
        talk.say(&lies::boast(stranger(number as u64))).await;
        let asked = talk.hear_until(|message| match message {
            Message::Need { ticket, .. } => Some(ticket),
            _ => None,
        });
        let Some(ticket) = asked.await else { return number };
        talk.say(&Message::Changes { ticket, changes: Vec::new(), unfinished: unfinished() }).await;
    }
    MANY
}

/// As the side that answers, it makes the victim offer everything, and so learns who is there.
async fn robbed(mallory: &mut Mallory) -> (Conversation, Vec<Identity>) {
    let mut talk = mallory.greeted().await;
    let mut machine = nothing();
    loop {
        let found = talk.hear_until(|message| match message {
            Message::Compare { round, frame } => Some(Ok((round, frame))),
            Message::Have(vectors) => Some(Err(vectors)),
            _ => None,
        });
        match found.await.expect("the victim begins a round") {
            Ok((round, frame)) => {
                let frame = machine.reconcile(&frame).expect("the victim's own frame");
                talk.say(&Message::Compare { round, frame }).await;
            }
            Err(vectors) => return (talk, vectors.into_iter().map(|vector| vector.owner).collect()),
        }
    }
}

/// Everything, from the beginning, as often as one message can ask.
fn greedy(owners: &[Identity]) -> impl Iterator<Item = Vec<u8>> {
    let everything = owners.iter().cycle().take(VECTORS_MAX).map(|owner| DocumentVector::nothing(*owner));
    let vectors: Vec<DocumentVector> = everything.collect();
    (0..MANY as u64).map(move |ticket| Message::Need { ticket, vectors: vectors.clone() }.encode())
}

/// Somebody of whom nobody has heard.
fn stranger(number: u64) -> Identity {
    SigningIdentity::from_entropy(Digest::of(&number.to_le_bytes()).as_bytes()).identity()
}

/// One document with as many writing sessions as a vector may list.
fn long_boast(number: u64) -> Message {
    let session = |nth: u64| [number.to_be_bytes(), nth.to_be_bytes()].concat().repeat(4);
    let seen = |nth: u64| (session(nth), Seen { seq: 1, trail: Digest::of(&nth.to_be_bytes()) });
    let actors: BTreeMap<_, _> = (0..LONGEST_VECTOR).map(seen).collect();
    let message = Message::Have(vec![DocumentVector { actors, ..DocumentVector::nothing(stranger(number)) }]);
    debug_assert!(message.encode().len() <= MESSAGE_MAX_BYTES);
    message
}

fn signed(author: &SigningIdentity, topic: &Topic, bytes: Vec<u8>) -> SignedChange {
    let signature = author.sign(topic, CHANGE_DOMAIN, &bytes).to_vec();
    SignedChange { owner: author.identity(), bytes, signature }
}

/// A chunk in order, with a column that Automerge does not take.
fn unreadable() -> Vec<u8> {
    let mut data = vec![0]; // no dependencies
    data.extend_from_slice(&[2, 5, 5, 1, 1, 0, 0, 0]); // actor, seq, start, time, no message, no other actors
    data.extend_from_slice(&[1, 0x42, 2, 1, 1]); // one column: action, a run of one
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, data.len() as u8];
    chunk.extend_from_slice(&data);
    let hash = Digest::of(&chunk[8..]);
    chunk[4..8].copy_from_slice(&hash.as_bytes()[..4]);
    chunk
}

/// With a session beside it, so that the victim looks at every message.
async fn flood_gossip(mallory: &mut Mallory, owner: Identity) -> usize {
    let talk = mallory.greeted().await;
    mallory.join_gossip().await;
    let flood = async {
        let mut said = 0;
        while mallory.is_connected() {
            for _ in 0..GOSSIP_AT_ONCE {
                mallory.publish(lies::unheard_of(owner, said).encode());
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

/// Hosts that are not its own, relays that nobody has, and nonsense.
fn rubbish() -> Vec<Multiaddr> {
    let loud = |number: usize| Multiaddr::from(Protocol::Dns4(format!("{}.example", "x".repeat(number)).into()));
    let of_others = (0..ADDRESSES / 4).map(|_| address_of_nobody().with(Protocol::WebRTC));
    let far = (0..ADDRESSES / 4).map(|_| address_of_nobody().with(Protocol::P2p(PeerId::random())));
    let long = (0..ADDRESSES / 2).map(|number| loud(60 + number).with(Protocol::Tcp(25)));
    of_others.chain(far).chain(long).collect()
}
