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
use gen_registry_core::log::{Entry, Kind};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::{Ask, Detail};
use gen_registry_core::sync::exchange::FRAME_MAX_BYTES;
use gen_registry_core::sync::exchange::wire::{ASKS_MAX, Hello, MESSAGE_MAX_BYTES, Message, Piece, WANT_MAX};
use gen_registry_core::time::Timestamp;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use negentropy::{Negentropy, NegentropyStorageVector};

use super::lies;
use super::peer::{Conversation, Mallory, Side, address_of_nobody, hello};

/// Enough of anything: no bound of the registry lets so many through.
const MANY: usize = 20_000;
/// What a flood of gossip says at once before it looks whether it is still connected.
const GOSSIP_AT_ONCE: u64 = 200;
/// More than yamux allows on one connection.
const STREAMS: usize = 2_000;
/// Long boasts: more bytes of them than an exchange keeps.
const BOASTS: usize = 100;
const ADDRESSES: usize = 40;
/// When every lie is dated: later than any truth, so that it is no earlier claim where the earlier one holds.
const THEN: Timestamp = Timestamp::from_millis(4_000_000_000_000);
/// The name that is lied about.
const ROBBED_NAME: &str = "alice_smith";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Malformed,
    Oversized,
    OutOfOrder,
    ForeignTopic,
    OtherParameters,
    Unasked,
    /// Says that it has what it never sends.
    Withheld,
    /// Begins a comparison and says nothing more.
    Stalled,
    Comparison,
    /// Entries in the logs of people whose keys it has not, and receipts of nobody.
    Forged,
    /// A proof of a fork that proves none.
    FalseProof,
    /// Entries of its own log that come to nothing.
    NoEffect,
    /// Claims the name of the victim, with a receipt that it signed itself.
    Usurp,
    /// Two entries of its own for one place.
    Fork,
    TooManyMessages,
    TooManyAnnouncements,
    TooManyBytes,
    LongBoasts,
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
    ("other-parameters", Act::OtherParameters),
    ("unasked", Act::Unasked),
    ("withheld", Act::Withheld),
    ("stalled", Act::Stalled),
    ("comparison", Act::Comparison),
    ("forged", Act::Forged),
    ("false-proof", Act::FalseProof),
    ("no-effect", Act::NoEffect),
    ("usurp", Act::Usurp),
    ("fork", Act::Fork),
    ("too-many-messages", Act::TooManyMessages),
    ("too-many-announcements", Act::TooManyAnnouncements),
    ("too-many-bytes", Act::TooManyBytes),
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
            // Those who are shown what the victim has.
            Self::Forged | Self::TooManyBytes | Self::NeverReads => Side::Responder,
            _ => Side::Initiator,
        }
    }

    /// Does it, once. `person` is whose keys it has. Says how much it got out, in whatever the act counts.
    pub async fn run_job(self, mallory: &mut Mallory, mut person: Device) -> usize {
        let topic = mallory.victim.topic;
        match self {
            Self::Malformed => again_and_again(mallory, nonsense()).await,
            Self::Oversized => again_and_again(mallory, lies::oversized()).await,
            Self::OutOfOrder => again_and_again(mallory, Message::Hello(hello(topic)).encode()).await,
            Self::ForeignTopic => greet_as(mallory, hello(Topic::from_bytes([8; 32]))).await,
            Self::OtherParameters => {
                let hello = hello(topic);
                greet_as(mallory, Hello { parameters: hello.parameters + 1, ..hello }).await
            }
            Self::Unasked => {
                let page = Message::Pieces { ticket: 77, pieces: Vec::new() };
                again_and_again(mallory, page.encode()).await
            }
            Self::Withheld => {
                let mut talk = mallory.greeted().await;
                answer_questions(&mut talk, BOASTS, Vec::new).await;
                end_with_nonsense(talk).await
            }
            Self::Stalled => {
                let mut talk = in_a_round(mallory).await;
                talk.hear_until(|_| None::<()>).await;
                1
            }
            Self::Comparison => {
                let frame = vec![0xff; 40];
                again_and_again(mallory, Message::Compare { round: 1, frame }.encode()).await
            }
            Self::Forged => {
                let (mut talk, details) = robbed(mallory).await;
                let claim = lies::claim(&mut person, "stolen", THEN);
                let logs = details.iter().flat_map(|detail| &detail.logs);
                let mut pieces: Vec<Piece> =
                    logs.map(|state| Piece::Entry(lies::in_the_log_of(&claim, state))).collect();
                pieces.push(Piece::Entry(lies::forged(&claim, 7)));
                let mut receipt = self_receipt(&person, &claim).encode();
                *receipt.last_mut().expect("a signature") ^= 1;
                pieces.push(Piece::Receipt(receipt));
                answer_questions(&mut talk, MANY, || pieces.clone()).await
            }
            Self::FalseProof => {
                let claim = lies::claim(&mut person, "stolen", THEN);
                let [one, other] = [&person.opening, &claim].map(|entry| entry.signed_header().encode());
                let mut talk = mallory.greeted().await;
                answer_questions(&mut talk, MANY, || vec![Piece::Fork(one.clone(), other.clone())]).await
            }
            Self::NoEffect => {
                let mut entries = vec![person.opening.clone()];
                for kind in [200, Kind::Claim as u8, Kind::Statement as u8, Kind::Change as u8] {
                    entries.push(person.write_raw(kind, vec![0xff; 40]));
                }
                deliver(mallory, entries, vec![]).await
            }
            Self::Usurp => {
                let claim = lies::claim(&mut person, ROBBED_NAME, THEN);
                let receipt = self_receipt(&person, &claim);
                deliver(mallory, vec![person.opening.clone(), claim], vec![receipt]).await
            }
            Self::Fork => {
                let mut other = person.clone();
                let halves = [(&mut person, "one_half"), (&mut other, "other_half")];
                let [one, other] = halves.map(|(half, name)| lies::claim(half, name, THEN));
                deliver(mallory, vec![person.opening, one, other], vec![]).await
            }
            Self::TooManyMessages => {
                // A question after nothing is no fault.
                let talk = mallory.greeted().await;
                talk.say_until_cut(std::iter::repeat_n(Message::WantOf(Vec::new()).encode(), MANY)).await
            }
            Self::TooManyAnnouncements => {
                let talk = mallory.greeted().await;
                let news =
                    (0..MANY as u64).map(|number| lies::unheard_of(person.did, number, WANT_MAX as u64).encode());
                talk.say_until_cut(news).await
            }
            Self::TooManyBytes => {
                let (talk, details) = robbed(mallory).await;
                talk.say_until_cut(greedy(&details)).await
            }
            Self::LongBoasts => {
                let mut talk = mallory.greeted().await;
                for number in 0..BOASTS as u64 {
                    let boast = lies::long_boast(stranger(number));
                    debug_assert!(boast.encode().len() <= MESSAGE_MAX_BYTES);
                    talk.say(&boast).await;
                }
                end_with_nonsense(talk).await
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

fn nonsense() -> Vec<u8> {
    vec![0xff; 40]
}

async fn again_and_again(mallory: &mut Mallory, bytes: Vec<u8>) -> usize {
    mallory.greeted().await.say_until_cut(std::iter::repeat_n(bytes, MANY)).await
}

/// What is said after something is received after it: for the nonsense the peer is sent away.
async fn end_with_nonsense(talk: Conversation) -> usize {
    talk.say_until_cut(std::iter::repeat_n(nonsense(), MANY)).await
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

/// It opened a round, and the victim waits for what comes of it.
async fn in_a_round(mallory: &mut Mallory) -> Conversation {
    let mut talk = mallory.greeted().await;
    let frame = nothing().initiate().expect("a first step");
    talk.say(&Message::Compare { round: 1, frame }).await;
    talk
}

/// Says that it has something of strangers and, asked for it, sends these pieces; so often. Returns how often it was asked.
async fn answer_questions(talk: &mut Conversation, times: usize, pieces: impl Fn() -> Vec<Piece>) -> usize {
    for number in 0..times {
        talk.say(&lies::boast(stranger(number as u64))).await;
        let asked = talk.hear_until(|message| match message {
            Message::Need { ticket, .. } => Some(ticket),
            _ => None,
        });
        let Some(ticket) = asked.await else { return number };
        talk.say(&Message::Pieces { ticket, pieces: pieces() }).await;
    }
    times
}

/// Sends these entries and receipts as an answer, and nonsense after them.
async fn deliver(mallory: &mut Mallory, entries: Vec<Entry>, receipts: Vec<Receipt>) -> usize {
    let mut talk = mallory.greeted().await;
    let entries = entries.iter().map(|entry| Piece::Entry(entry.encode()));
    let receipts = receipts.iter().map(|receipt| Piece::Receipt(receipt.encode()));
    let pieces: Vec<Piece> = entries.chain(receipts).collect();
    answer_questions(&mut talk, 1, || pieces.clone()).await;
    end_with_nonsense(talk).await
}

/// A receipt by a key that is no witness's.
fn self_receipt(person: &Device, claim: &Entry) -> Receipt {
    Receipt::sign(&person.topic, &person.key, 0, claim.id(), vec![Digest::of(b"slot")], THEN)
}

/// As the side that answers, it makes the victim offer everything, and so learns who is there.
async fn robbed(mallory: &mut Mallory) -> (Conversation, Vec<Detail>) {
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
fn greedy(details: &[Detail]) -> impl Iterator<Item = Vec<u8>> {
    let logs = details.iter().flat_map(|detail| &detail.logs).map(|state| state.log);
    let logs: Vec<_> = logs.collect();
    let asks: Vec<Ask> = logs.iter().cycle().take(ASKS_MAX).map(|log| Ask::Log { log: *log, known: vec![] }).collect();
    (0..MANY as u64).map(move |ticket| Message::Need { ticket, asks: asks.clone() }.encode())
}

/// Somebody whom there is not.
fn stranger(number: u64) -> Did {
    Did::from_digest(Digest::of(&number.to_le_bytes()))
}

/// With a session beside it, so that the victim looks at every message.
async fn flood_gossip(mallory: &mut Mallory) -> usize {
    let talk = mallory.greeted().await;
    mallory.join_gossip().await;
    let flood = async {
        let mut said: u64 = 0;
        while mallory.is_connected() {
            for _ in 0..GOSSIP_AT_ONCE {
                mallory.publish(said.to_be_bytes().repeat(5));
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
