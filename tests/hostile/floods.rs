//! Attacks by number: many identities, names, nodes, messages, questions or handshakes. What each costs its victim is what
//! `tests/attack` measures.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::AsyncReadExt;
use futures::future::{Either, select};
use futures_timer::Delay;
use gen_registry_core::actors::Device;
use gen_registry_core::canonical::Encoder;
use gen_registry_core::chat::hybrid_clock::HybridTime;
use gen_registry_core::chat::{Body as Said, ChannelName, Message as Word, SaidText};
use gen_registry_core::digest::{Digest, hex};
use gen_registry_core::document::{Document, Edit, Rating, Write};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::body::Claim;
use gen_registry_core::log::{Body, Entry, Kind, LogId};
use gen_registry_core::name::{ClaimedName, ModuleName};
use gen_registry_core::presence::{Attendance, Heartbeat, NodeId};
use gen_registry_core::registry::{Ask, Detail};
use gen_registry_core::signed::Signed;
use gen_registry_core::sync::exchange::wire::{Message, Piece};
use gen_registry_core::sync::search::{self, FOUND_MAX, Question};

use crate::acts::{greedy, robbed};
use crate::answers::{answer_with_forged_proofs, show_pictures};
use crate::peer::{Conversation, Mallory, Side, Victim};
use crate::{now, run_beside};

/// Identities that are offered in one message; a page of their entries is smaller than one may be.
const OFFERED_AT_ONCE: usize = 64;
/// A victim that asks for none of those offered in this time takes no more of them.
const SILENCE: Duration = Duration::from_secs(3);
/// Heartbeats and messages that are said before it is seen whether there still is a connection.
const SAID_AT_ONCE: usize = 50;
/// Between these.
const PAUSE: Duration = Duration::from_millis(20);
/// How long silent offers are kept open: longer than a victim that bounds them waits for an offer, and shorter than it
/// waits for a whole handshake.
const SILENT_FOR: Duration = Duration::from_secs(18);
/// Searches that one peer asks where many ask: it would be answered all of them.
const SEARCHES_OF_ONE: usize = 25;
/// The channel that words flood.
pub const CHANNEL: &str = "general";
/// The module that is praised.
pub const MODULE: &str = "bobs-tool";
/// A name that reads as another person's, with characters that are not seen.
const DISGUISE: &str = "alice\u{200b}_\u{202e}smith";
/// The name that is claimed by everybody.
pub const NAME: &str = "alice_smith";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Identities that cost nothing.
    Crowd,
    /// The same, and each claims a name that is another's.
    OneName,
    /// One identity that claims as many names.
    ManyNames,
    /// Nodes of strangers that say they are online.
    Nodes,
    /// Messages of many authors in a channel.
    Words,
    /// Questions for names.
    LookUps,
    /// Searches, all of one peer.
    Searches,
    /// The same, each peer as many as one may ask.
    SearchesOfMany,
    /// Searches that say nothing that can be read.
    Nonsense,
    /// Direct connections that are asked for, each by somebody else, and then not offered: still waited for after a while.
    SilentOffers,
    /// The same: waited for at once.
    ManyOffers,
    /// Questions for everything there is, each after the answer to the one before.
    Questions,
    /// Identities that praise a module.
    Ratings,
    /// Identities that look like somebody else and call for them in the channel.
    Disguises,
    /// Answers to the victim's questions that prove nothing.
    ForgedAnswers,
    /// People with pictures that nobody should decode.
    Pictures,
}

pub const FLOODS: [(&str, Flood); 16] = [
    ("crowd", Flood::Crowd),
    ("one-name", Flood::OneName),
    ("many-names", Flood::ManyNames),
    ("nodes", Flood::Nodes),
    ("words", Flood::Words),
    ("look-ups", Flood::LookUps),
    ("searches", Flood::Searches),
    ("searches-of-many", Flood::SearchesOfMany),
    ("nonsense-searches", Flood::Nonsense),
    ("silent-offers", Flood::SilentOffers),
    ("many-offers", Flood::ManyOffers),
    ("questions", Flood::Questions),
    ("ratings", Flood::Ratings),
    ("disguises", Flood::Disguises),
    ("forged-answers", Flood::ForgedAnswers),
    ("pictures", Flood::Pictures),
];

impl Flood {
    /// Whether it needs a direct connection first.
    pub fn is_direct(self) -> bool {
        !matches!(self, Self::SilentOffers | Self::ManyOffers)
    }

    /// Which side of a sync stream it needs.
    pub fn side(self) -> Side {
        if self == Self::Questions { Side::Responder } else { Side::Initiator }
    }

    /// Does it with this number of whatever it is about. Says how many the victim took, as far as a peer sees that.
    pub async fn run(self, mallory: &mut Mallory, count: usize) -> usize {
        match self {
            Self::Crowd => offer_all(mallory, people(mallory, count, |_| Vec::new())).await,
            Self::OneName => {
                let crowd = people(mallory, count, |device| vec![claim(device, NAME)]);
                offer_all(mallory, crowd).await
            }
            Self::ManyNames => {
                let mut device = Device::of(mallory.victim.topic, &mallory.id.to_string());
                let claims = (0..count).map(|number| claim(&mut device, &format!("taken{number}"))).collect();
                offer_all(mallory, std::iter::once((device, claims))).await
            }
            Self::Nodes => {
                let heartbeat = heartbeats(mallory);
                say_all(mallory, "presence", count, heartbeat).await
            }
            Self::Words => {
                say_words(mallory, count, |number| (format!("{}", number / 5), format!("Buy {number} of these!"))).await
            }
            Self::LookUps => look_up(mallory, count).await,
            Self::Searches => search(mallory, count, &a_search()).await,
            Self::SearchesOfMany => search_as_many(mallory, count).await,
            Self::Nonsense => search(mallory, count, &[0xff; 40]).await,
            Self::SilentOffers => stay_silent(&mallory.victim, count, SILENT_FOR).await,
            Self::ManyOffers => stay_silent(&mallory.victim, count, PAUSE).await,
            Self::Questions => ask_in_turn(mallory, count).await,
            Self::Ratings => {
                let rating = Rating { stars: 5, review: "The best!".to_owned(), at: now(), version: None };
                let name: ModuleName = MODULE.parse().expect("a module");
                let praise =
                    [Edit::Rate { name: name.clone(), rating: Some(rating) }, Edit::CountInstalls { name, count: 20 }];
                offer_all(mallory, people(mallory, count, move |device| vec![change(device, &praise)])).await
            }
            Self::Disguises => {
                let looks = [Edit::DisplayName(Some(DISGUISE.to_owned()))];
                let crowd = people(mallory, count, move |device| vec![change(device, &looks)]);
                let taken = offer_all(mallory, crowd).await;
                call(mallory, count).await;
                taken
            }
            Self::ForgedAnswers => {
                answer_with_forged_proofs(mallory).await;
                count
            }
            Self::Pictures => show_pictures(mallory, count).await,
        }
    }
}

fn claim(device: &mut Device, name: &str) -> Entry {
    let name = ClaimedName::Username(name.parse().expect("a username"));
    device.write(&Body::Claim(Box::new(Claim { name, after: None, round: 0, withdrawals: vec![], at: now(), work: 0 })))
}

/// Fresh identities, each with what it wrote.
pub fn people<W: Fn(&mut Device) -> Vec<Entry>>(
    mallory: &Mallory,
    count: usize,
    write: W,
) -> impl Iterator<Item = (Device, Vec<Entry>)> + use<W> {
    let (topic, id) = (mallory.victim.topic, mallory.id);
    (0..count).map(move |number| {
        let mut device = Device::of(topic, &format!("{id} {number}"));
        let entries = write(&mut device);
        (device, entries)
    })
}

/// Offers identities, and hands over what the victim asks for. How many it asked for.
pub async fn offer_all(mallory: &mut Mallory, mut people: impl Iterator<Item = (Device, Vec<Entry>)>) -> usize {
    let mut talk = mallory.greeted().await;
    let mut taken = 0;
    loop {
        let some: Vec<(Device, Vec<Entry>)> = people.by_ref().take(OFFERED_AT_ONCE).collect();
        if some.is_empty() {
            return taken;
        }
        let details = some.iter().map(|(device, _)| Detail {
            did: device.did,
            openings: vec![device.log().opening],
            logs: Vec::new(),
            beside: Vec::new(),
        });
        if !talk.say(&Message::Details { details: details.collect(), is_last: false }).await {
            return taken;
        }
        let openings: BTreeMap<Digest, &(Device, Vec<Entry>)> =
            some.iter().map(|one| (one.0.log().opening, one)).collect();
        let more = hand_over(&mut talk, openings).await;
        taken += more;
        if more < some.len() {
            return taken;
        }
    }
}

/// Answers the victim's questions for these identities, until it has asked for all of them or asks no more.
async fn hand_over(talk: &mut Conversation, mut due: BTreeMap<Digest, &(Device, Vec<Entry>)>) -> usize {
    let mut taken = 0;
    while !due.is_empty() {
        let Some((ticket, asks)) = question(talk).await else { return taken };
        let mut pieces = Vec::new();
        for ask in &asks {
            let (Ask::Opening(opening) | Ask::Log { log: LogId { opening, .. }, .. }) = ask else { continue };
            if let Some((device, entries)) = due.remove(opening) {
                taken += 1;
                pieces.push(Piece::Entry(device.opening.encode()));
                pieces.extend(entries.iter().map(|entry| Piece::Entry(entry.encode())));
            }
        }
        if !talk.say(&Message::Pieces { ticket, pieces }).await {
            return taken;
        }
    }
    taken
}

/// The victim's next question for pieces, unless it asks none for a while.
async fn question(talk: &mut Conversation) -> Option<(u64, Vec<Ask>)> {
    let asking = std::pin::pin!(talk.hear_until(|message| match message {
        Message::Need { ticket, asks } => Some((ticket, asks)),
        _ => None,
    }));
    match select(asking, Delay::new(SILENCE)).await {
        Either::Left((question, _)) => question,
        Either::Right(_) => None,
    }
}

/// Says as much by gossip as the victim stays connected for. How much was said.
async fn say_all(mallory: &mut Mallory, name: &str, count: usize, say: impl Fn(usize) -> Vec<u8>) -> usize {
    // So that the victim looks at every message.
    let talk = mallory.greeted().await;
    mallory.join_gossip_of(name).await;
    let saying = async {
        let mut said = 0;
        while said < count && mallory.is_connected() {
            for _ in 0..SAID_AT_ONCE.min(count - said) {
                mallory.publish_on(name, say(said));
                said += 1;
            }
            mallory.settled().await;
            Delay::new(PAUSE).await;
        }
        // What is on its way arrives.
        Delay::new(SILENCE).await;
        said
    };
    let (saying, listening) = (std::pin::pin!(saying), std::pin::pin!(talk.say_until_cut(std::iter::empty())));
    match select(saying, listening).await {
        Either::Left((said, _)) => said,
        Either::Right((_, saying)) => saying.await,
    }
}

/// A heartbeat of another node and another person for each number.
fn heartbeats(mallory: &Mallory) -> impl Fn(usize) -> Vec<u8> + use<> {
    let (topic, id) = (mallory.victim.topic, mallory.id);
    move |number| {
        let name = format!("{id} {number}");
        let key = SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes());
        let (node, at) = (NodeId::from(key.public()), now());
        let until = at.plus(Duration::from_secs(3_600));
        let attendance = Device::of(topic, &name).author(Attendance { node, until }).encode();
        let heartbeat = Heartbeat {
            attendance,
            session: at,
            number: 1,
            at,
            valid_for: Duration::from_secs(300),
            leaving: false,
            channels: vec![CHANNEL.parse().expect("a channel")],
        };
        Signed::sign(&key, &topic, heartbeat).encode()
    }
}

/// Says messages in the channel: by whom, and what, for each number.
pub async fn say_words(mallory: &mut Mallory, count: usize, say: impl Fn(usize) -> (String, String)) -> usize {
    let channel: ChannelName = CHANNEL.parse().expect("a channel");
    let (topic, id) = (mallory.victim.topic, mallory.id);
    let name = format!("channel/{}", hex(&channel.digest(&topic)));
    let word = move |number: usize| {
        let (author, text) = say(number);
        let text = SaidText::new(&text).expect("a text");
        let at = HybridTime { wall: now(), count: number as u32 };
        let word = Word { channel: channel.clone(), at, body: Said::Said(text) };
        Device::of(topic, &format!("{id} {author}")).author(word).encode()
    };
    say_all(mallory, &name, count, word).await
}

/// Each of those in disguise calls for the one whom they look like.
async fn call(mallory: &mut Mallory, count: usize) -> usize {
    say_words(mallory, count, |number| (number.to_string(), format!("@{NAME}, look here: {number}"))).await
}

/// The first change of somebody's document.
pub fn change(device: &Device, edits: &[Edit]) -> Entry {
    let (log, writes) = (device.log().numbered(1), edits.iter().map(Edit::to_write).collect::<Vec<Write>>());
    let body = Document::default().write(log, now(), &writes).expect("a small edit");
    Entry::begin(&device.topic, &device.key, log, Kind::Change as u8, body)
}

/// How many pages came before the victim rested.
async fn ask_in_turn(mallory: &mut Mallory, count: usize) -> usize {
    let (mut talk, details) = robbed(mallory).await;
    let mut answered = 0;
    for question in greedy(&details).take(count) {
        if !talk.say_bytes(question).await {
            return answered;
        }
        let page = std::pin::pin!(talk.hear_until(|message| matches!(message, Message::Pieces { .. }).then_some(())));
        let Either::Left((Some(()), _)) = select(page, Delay::new(SILENCE)).await else { return answered };
        answered += 1;
    }
    answered
}

/// How many questions were answered.
async fn look_up(mallory: &mut Mallory, count: usize) -> usize {
    let _talk = mallory.greeted().await;
    let mut answered = 0;
    for number in 0..count {
        let name = format!("nobody{number}");
        let request = Encoder::new().byte(1).byte(1).text(&name).finish();
        answered += usize::from(mallory.ask("/gen/find/1", &request).await.is_some());
        if !mallory.is_connected() {
            break;
        }
    }
    answered
}

/// A search that finds something.
fn a_search() -> Vec<u8> {
    Question { text: MODULE.to_owned(), limit: FOUND_MAX as u8, ..Question::default() }.encode()
}

/// How many searches were answered.
async fn search(mallory: &mut Mallory, count: usize, question: &[u8]) -> usize {
    let _talk = mallory.greeted().await;
    search_again_and_again(mallory, count, question).await
}

async fn search_again_and_again(mallory: &mut Mallory, count: usize, question: &[u8]) -> usize {
    let mut answered = 0;
    for _ in 0..count {
        let answer = mallory.ask(search::PROTOCOL, question).await;
        answered += usize::from(answer.is_some_and(|answer| !answer.is_empty()));
        if !mallory.is_connected() {
            break;
        }
    }
    answered
}

/// One peer after the other, all of which stay.
async fn search_as_many(mallory: &mut Mallory, count: usize) -> usize {
    let _talk = mallory.greeted().await;
    let mut answered = search_again_and_again(mallory, count.min(SEARCHES_OF_ONE), &a_search()).await;
    let mut others = Vec::new();
    for first in (SEARCHES_OF_ONE..count).step_by(SEARCHES_OF_ONE) {
        let (mut other, life) = Mallory::new(mallory.victim.clone(), Side::Initiator);
        run_beside(life);
        other.approach().await;
        let talk = other.greeted().await;
        answered += search_again_and_again(&mut other, SEARCHES_OF_ONE.min(count - first), &a_search()).await;
        others.push((other, talk));
    }
    answered
}

/// Each from another peer, which all come through the same relay. How many the victim still waits for after that time.
async fn stay_silent(victim: &Victim, count: usize, duration: Duration) -> usize {
    let mut silent = Vec::new();
    for _ in 0..count {
        let (mut mallory, life) = Mallory::new(victim.clone(), Side::Initiator);
        run_beside(life);
        mallory.approach_by_relay().await;
        if let Some(stream) = mallory.stream_by_relay("/webrtc-signaling/0.0.1").await {
            silent.push((mallory, stream));
        }
    }
    Delay::new(duration).await;
    let mut waiting = 0;
    for (_, stream) in &mut silent {
        let mut byte = [0];
        let ended = std::pin::pin!(stream.read(&mut byte));
        waiting += usize::from(matches!(select(ended, Delay::new(PAUSE)).await, Either::Right(_)));
    }
    waiting
}
