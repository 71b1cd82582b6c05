//! Which messages a channel keeps, whatever the order in which they arrive.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::actors::Device;
use crate::chat::{Message, SaidText};
use crate::identity::Topic;
use crate::time::Timestamp;

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const CASES: u64 = 200;

fn people(count: usize) -> Vec<Device> {
    (0..count).map(|nth| Device::of(TOPIC, &format!("person {nth}"))).collect()
}

fn message(author: &Device, millis: u64) -> SignedMessage {
    let at = HybridTime { wall: Timestamp::from_millis(millis), count: 0 };
    let body = Body::Said(SaidText::new("a word").expect("a text"));
    author.author(Message { channel: "#general".parse().expect("a channel"), at, body })
}

fn kept(log: &Log) -> Vec<MessageKey> {
    log.messages().map(|(place, _)| *place).collect()
}

fn log_of<'a>(bounds: Bounds, messages: impl IntoIterator<Item = &'a SignedMessage>) -> Log {
    let mut log = Log { bounds, ..Log::default() };
    for message in messages {
        let before = kept(&log);
        let put = log.put(message.clone());
        assert!(log.len() <= bounds.messages);
        let place = MessageKey::of(message);
        let mut expected: Vec<MessageKey> = before.into_iter().filter(|known| !put.gone.contains(known)).collect();
        expected.extend(put.new.then_some(place));
        expected.sort_unstable();
        assert_eq!(kept(&log), expected, "what is new and what is gone are what changed");
    }
    log
}

/// The rule as it is written: first the minutes, then by number and newness.
fn by_the_rule(bounds: Bounds, messages: &[SignedMessage]) -> Vec<MessageKey> {
    let mut places: Vec<MessageKey> = messages.iter().map(MessageKey::of).collect();
    places.sort_unstable_by(|one, other| other.cmp(one));
    places.dedup();
    let mut in_minute: BTreeMap<(Did, u64), usize> = BTreeMap::new();
    places.retain(|place| {
        let count = in_minute.entry((place.author, minute(place))).or_default();
        *count += 1;
        *count <= bounds.per_minute
    });
    let mut of_author: BTreeMap<Did, usize> = BTreeMap::new();
    let mut numbered: Vec<(usize, std::cmp::Reverse<MessageKey>)> = Vec::new();
    for place in places {
        let number = of_author.entry(place.author).or_default();
        *number += 1;
        numbered.push((*number, std::cmp::Reverse(place)));
    }
    numbered.sort_unstable();
    let mut kept: Vec<MessageKey> = numbered.into_iter().take(bounds.messages).map(|(_, place)| place.0).collect();
    kept.sort_unstable();
    kept
}

#[test]
fn any_order_and_any_split_keep_the_same_messages() {
    let people = people(4);
    for seed in 0..CASES {
        let mut random = StdRng::seed_from_u64(seed);
        let bounds = Bounds { messages: random.random_range(1..14), per_minute: random.random_range(1..5) };
        // Some minutes, so that both bounds are reached, and one author who says more than the others.
        let mut messages: Vec<SignedMessage> = (0..random.random_range(0..40))
            .map(|_| {
                let author = random.random_range(0..2 * people.len()).min(people.len() - 1);
                message(&people[author], random.random_range(0..5) * MINUTE_MILLIS + random.random_range(0..20))
            })
            .collect();
        let expected = by_the_rule(bounds, &messages);
        for _ in 0..4 {
            messages.shuffle(&mut random);
            assert_eq!(kept(&log_of(bounds, &messages)), expected, "seed {seed}");
            // Two devices have some of it each, perhaps the same; then they exchange what they kept.
            let (one, other) = messages.split_at(random.random_range(0..=messages.len()));
            let again = random.random_range(0..=messages.len());
            let (one, other) =
                (log_of(bounds, one.iter().chain(&messages[..again])), log_of(bounds, other.iter().chain(one)));
            let [of_one, of_other] = [&one, &other].map(|log| log.messages.values().cloned().collect::<Vec<_>>());
            for (log, others) in [(one, of_other), (other, of_one)] {
                let mut all: Vec<SignedMessage> = log.messages.into_values().chain(others).collect();
                all.shuffle(&mut random);
                assert_eq!(kept(&log_of(bounds, &all)), expected, "seed {seed}");
            }
        }
    }
}

#[test]
fn a_few_who_flood_push_nobody_out() {
    const OF_EACH: usize = 20;
    let (honest, flooding) = (people(17), people(24)[17..].to_vec());
    let mut messages: Vec<SignedMessage> = Vec::new();
    for (nth, author) in honest.iter().enumerate() {
        messages.extend((0..OF_EACH).map(|n| message(author, (n * honest.len() + nth) as u64 * 1_000)));
    }
    let mut log = log_of(Bounds::default(), &messages);
    for n in 0..AUTHOR_PER_MINUTE as u64 {
        for author in &flooding {
            log.put(message(author, 1_000_000 + n));
        }
    }
    let of = |author: &Device| log.messages().filter(|(place, _)| place.author == author.did).count();
    assert_eq!(honest.iter().map(of).collect::<Vec<_>>(), [OF_EACH; 17], "each has fewer than those who flood");
    assert_eq!(flooding.iter().map(of).sum::<usize>(), HISTORY_MAX - 17 * OF_EACH, "the rest is theirs");
}
