//! Presence: the operations, time, several devices, spoofs, replays, and any order of arrival.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::roster::{NODES_PER_PERSON, REORDER_GRACE, TOMBSTONE_LASTS};
use super::*;
use crate::actors::{Device, Person};
use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::limits::CLOCK_SKEW;
use crate::log::Opening;
use crate::statement::DeviceList;

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

fn person(name: &str) -> Did {
    Device::of(TOPIC, name).did
}

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn attendance(person: &str, node: &str) -> Authored<Attendance> {
    let node = NodeId::from(key(node).public());
    Device::of(TOPIC, person).author(Attendance { node, until: START.plus(heartbeat::ATTENDANCE_LASTS) })
}

fn node(name: &str) -> Presence {
    Presence::new(TOPIC, key(name), START)
}

/// These people, and these openings.
struct Known(Vec<Did>, Vec<Opening>);

impl Acquaintances for Known {
    fn is_known(&self, did: &Did) -> bool {
        self.0.contains(did)
    }

    fn opening(&self, digest: &Digest) -> Option<Opening> {
        self.1.iter().find(|opening| Digest::of(&opening.encode()) == *digest).cloned()
    }
}

fn channel(name: &str) -> ChannelName {
    name.parse().unwrap()
}

fn sent(outputs: &[Output]) -> Vec<Vec<u8>> {
    outputs
        .iter()
        .filter_map(|output| if let Output::Say(bytes) = output { Some(bytes.clone()) } else { None })
        .collect()
}

fn events(outputs: Vec<Output>) -> Vec<Event> {
    outputs
        .into_iter()
        .filter_map(|output| if let Output::Event(event) = output { Some(event) } else { None })
        .collect()
}

/// Registers a person on a node; returns the heartbeat sent.
fn register(presence: &mut Presence, person: &str, node: &str, now: Timestamp) -> Vec<u8> {
    sent(&presence.handle(registering(person, node), now).unwrap()).remove(0)
}

fn registering(person: &str, node: &str) -> Input {
    Input::RegisterUser { attendance: Box::new(attendance(person, node)), channels: BTreeSet::new() }
}

fn join(presence: &mut Presence, person: &str, name: &str, now: Timestamp) -> Vec<Vec<u8>> {
    let input = Input::JoinChannel { user: self::person(person), channel: channel(name) };
    sent(&presence.handle(input, now).unwrap())
}

fn receive(presence: &mut Presence, bytes: &[u8], now: Timestamp) -> Vec<Event> {
    events(presence.handle(Input::Heard(bytes.to_vec()), now).unwrap())
}

fn refusal(presence: &mut Presence, bytes: &[u8], now: Timestamp) -> HeartbeatRefusal {
    match presence.handle(Input::Heard(bytes.to_vec()), now) {
        Err(PresenceError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn emits_events_for_register_join_leave_and_unregister() {
    let (mut here, mut there) = (node("n1"), node("n2"));
    let (alice, general) = (person("alice"), channel("#general"));
    let unknown = here.handle(Input::JoinChannel { user: alice, channel: general.clone() }, START);
    assert_eq!(unknown, Err(PresenceError::UnknownUser));
    assert_eq!(there.channel_users(&general), [], "an unknown channel is empty");
    let leaving = Input::LeaveChannel { user: alice, channel: general.clone() };
    assert_eq!(here.handle(leaving.clone(), START), Ok(vec![]), "no fault");
    assert_eq!(here.handle(Input::UnregisterUser, START), Ok(vec![]), "no fault");

    let n1 = here.me();
    let hello = register(&mut here, "alice", "n1", START);
    let online = [Event::UserOnline { user: alice, node: n1 }, Event::NodeUp { user: alice, node: n1 }];
    assert_eq!(receive(&mut there, &hello, START), online);
    let joined = join(&mut here, "alice", "#general", after(1));
    assert_eq!(receive(&mut there, &joined[0], after(1)), [Event::Joined { user: alice, channel: general.clone() }]);
    assert!(join(&mut here, "alice", "#general", after(2)).is_empty(), "twice is once");
    assert_eq!(there.channel_users(&general), [alice]);
    let users = there.users();
    assert_eq!((users.len(), &users[0].user, users[0].channels.len()), (1, &alice, 1));

    let left = sent(&here.handle(leaving, after(3)).unwrap());
    assert_eq!(receive(&mut there, &left[0], after(3)), [Event::Left { user: alice, channel: general.clone() }]);
    join(&mut here, "alice", "#general", after(4)).iter().for_each(|bytes| drop(receive(&mut there, bytes, after(4))));
    let goodbye = sent(&here.handle(Input::UnregisterUser, after(5)).unwrap());
    let gone = [
        Event::Left { user: alice, channel: general },
        Event::NodeDown { user: alice, node: n1, silent: false },
        Event::UserOffline { user: alice },
    ];
    assert_eq!(receive(&mut there, &goodbye[0], after(5)), gone);
    assert!(there.users().is_empty() && here.users().is_empty());
}

#[test]
fn expires_a_silent_node_when_its_validity_is_over_and_not_before() {
    let (mut here, mut there) = (node("n1"), node("n2"));
    let hello = register(&mut here, "alice", "n1", START);
    // The clock of the one who listens is two minutes ahead: its own clock counts.
    let observed = |seconds| after(120 + seconds);
    receive(&mut there, &hello, observed(0));
    let valid = pace::valid_for(pace::INTERVAL_MIN).as_secs();
    assert_eq!(there.handle(Input::Tick, observed(valid - 1)), Ok(vec![]));
    assert_eq!(there.users().len(), 1);
    let ended = events(there.handle(Input::Tick, observed(valid)).unwrap());
    assert!(ended.contains(&Event::NodeDown { user: person("alice"), node: here.me(), silent: true }));
    assert!(there.users().is_empty());
    // It was only slow: its next word brings it back, as one entry.
    let again = sent(&here.handle(Input::Tick, after(valid)).unwrap());
    receive(&mut there, &again[0], observed(valid + 1));
    assert_eq!(there.users().len(), 1);
}

#[test]
fn lists_a_person_on_two_nodes_once() {
    let (mut first, mut second, mut observer) = (node("n1"), node("n2"), node("n3"));
    let alice = person("alice");
    for bytes in [register(&mut first, "alice", "n1", START), register(&mut second, "alice", "n2", START)]
        .into_iter()
        .chain(join(&mut first, "alice", "#general", START))
        .chain(join(&mut second, "alice", "#general", START))
    {
        receive(&mut observer, &bytes, START);
    }
    let users = observer.users();
    assert_eq!((users.len(), users[0].nodes.len()), (1, 2));
    assert_eq!(observer.channel_users(&channel("general")), [alice]);
    let goodbye = sent(&first.handle(Input::UnregisterUser, after(1)).unwrap());
    let emitted = receive(&mut observer, &goodbye[0], after(1));
    assert_eq!(
        emitted,
        [Event::NodeDown { user: alice, node: first.me(), silent: false }],
        "still online, still there"
    );
    assert_eq!(observer.channel_users(&channel("general")), [alice]);
}

#[test]
fn rejects_heartbeats_for_another_node() {
    let (mut alice, mut victim) = (node("n1"), node("n2"));
    receive(&mut victim, &register(&mut alice, "alice", "n1", START), START);
    let before = victim.users();
    let mallory = key("mallory's node");
    let heartbeat = |attendance: Authored<Attendance>, leaving, channels| Heartbeat {
        attendance: attendance.encode(),
        session: after(100),
        number: 9,
        at: after(1),
        valid_for: Duration::from_secs(60),
        leaving,
        channels,
    };
    // A join for Alice on a node that is not hers, and a goodbye for it.
    for (leaving, channels) in [(false, vec![channel("spam")]), (true, vec![])] {
        let spoofed = Signed::sign(&mallory, &TOPIC, heartbeat(attendance("alice", "n1"), leaving, channels)).encode();
        assert_eq!(refusal(&mut victim, &spoofed, after(1)), HeartbeatRefusal::Spoofed);
    }
    // Under the name of Alice's node, with a signature that is not its own.
    let mut spoofed = Signed::sign(&mallory, &TOPIC, heartbeat(attendance("alice", "n1"), true, vec![])).encode();
    spoofed[..32].copy_from_slice(alice.me().as_bytes());
    assert_eq!(refusal(&mut victim, &spoofed, after(1)), HeartbeatRefusal::Spoofed);
    // Mallory can't make a node of her own Alice's either.
    let node = NodeId::from(mallory.public());
    let (hers, alices) = (Device::of(TOPIC, "mallory"), Device::of(TOPIC, "alice"));
    let claimed = Signed::sign(&hers.key, &TOPIC, Attendance { node, until: after(1_000) });
    let claimed = Encoder::new().bytes(alices.opening.body()).bytes(&claimed.encode()).finish();
    let said = Heartbeat { attendance: claimed, ..heartbeat(attendance("alice", "n1"), false, vec![]) };
    assert_eq!(
        refusal(&mut victim, &Signed::sign(&mallory, &TOPIC, said).encode(), after(1)),
        HeartbeatRefusal::Spoofed
    );
    assert_eq!(victim.users(), before);
}

#[test]
fn rejects_old_heartbeats_even_of_forgotten_nodes() {
    let (mut alice, mut victim) = (node("n1"), node("n2"));
    let hello = register(&mut alice, "alice", "n1", START);
    receive(&mut victim, &hello, START);
    let goodbye = sent(&alice.handle(Input::UnregisterUser, after(40)).unwrap());
    // Overtaken by a little: no peer is at fault. By much: a peer withheld it.
    let joined = {
        let mut other = node("n3");
        let first = register(&mut other, "bob", "n3", START);
        let second = join(&mut other, "bob", "#general", after(1)).remove(0);
        receive(&mut victim, &second, after(1));
        assert!(receive(&mut victim, &first, after(2)).is_empty());
        first
    };
    receive(&mut victim, &goodbye[0], after(40));
    assert!(victim.user(&person("alice")).is_none());
    for late in [REORDER_GRACE.as_secs() + 41, 300, TOMBSTONE_LASTS.as_secs() + 50, 100_000] {
        victim.handle(Input::Tick, after(late)).unwrap();
        for old in [&hello, &joined] {
            let refused = refusal(&mut victim, old, after(late));
            // Of a forgotten node only the date is left to judge by.
            let forgotten = late > TOMBSTONE_LASTS.as_secs();
            let by_date = matches!(refused, HeartbeatRefusal::Misdated { apart } if apart < 0);
            assert!(refused == HeartbeatRefusal::Replayed || forgotten && by_date, "{late}: {refused}");
        }
        let relayed = Input::Told { bytes: hello.clone(), age: Duration::ZERO };
        assert_eq!(victim.handle(relayed, after(late)), Ok(vec![]), "nor does it when a peer has kept it");
    }
    assert_eq!(victim.remembered(), 0, "and nothing is remembered permanently");
    let early = START.plus(Duration::from_secs(40)).as_millis() - CLOCK_SKEW.as_millis() as u64 - 1;
    assert_eq!(
        refusal(&mut node("n4"), &goodbye[0], Timestamp::from_millis(early)),
        HeartbeatRefusal::Misdated { apart: CLOCK_SKEW.as_millis() as i64 + 1 }
    );
}

#[test]
fn takes_the_roster_of_a_peer_with_its_ages() {
    let (mut alice, mut peer, mut late) = (node("n1"), node("n2"), node("n3"));
    let hello = register(&mut alice, "alice", "n1", START);
    receive(&mut peer, &hello, START);
    let sightings = peer.sightings(&late.have().into_iter().collect(), after(30));
    assert_eq!((sightings.len(), sightings[0].age), (1, Duration::from_secs(30)));
    for Sighting { bytes, age, .. } in sightings {
        late.handle(Input::Told { bytes, age }, after(30)).unwrap();
    }
    assert_eq!(late.users().len(), 1);
    assert!(peer.sightings(&late.have().into_iter().collect(), after(30)).is_empty(), "nothing is sent twice");
    late.handle(Input::Tick, after(59)).unwrap();
    assert_eq!(late.users().len(), 1);
    late.handle(Input::Tick, after(60)).unwrap();
    assert!(late.users().is_empty(), "what was received was half a minute old");
}

#[test]
fn accepts_a_restarted_node_whose_clock_went_back() {
    let mut observer = node("n2");
    let mut first = Presence::new(TOPIC, key("n1"), after(1_000));
    receive(&mut observer, &register(&mut first, "alice", "n1", after(10)), after(10));
    let mut second = Presence::new(TOPIC, key("n1"), after(500));
    let early = register(&mut second, "alice", "n1", after(20));
    assert!(receive(&mut observer, &early, after(20)).is_empty(), "taken for an older one");
    for Sighting { bytes, age, .. } in observer.sightings(&BTreeSet::new(), after(21)) {
        second.handle(Input::Told { bytes, age }, after(21)).unwrap();
    }
    let resent = sent(&second.handle(Input::Tick, after(30)).unwrap());
    receive(&mut observer, &resent[0], after(30));
    join(&mut second, "alice", "#general", after(31))
        .iter()
        .for_each(|bytes| drop(receive(&mut observer, bytes, after(31))));
    assert_eq!(observer.channel_users(&channel("general")).len(), 1);
}

#[test]
fn sends_and_expires_after_the_clock_was_set_back() {
    let (mut alice, mut bob) = (node("n1"), node("n2"));
    let hour = 3_600;
    receive(&mut bob, &register(&mut alice, "alice", "n1", after(hour)), after(hour));
    register(&mut bob, "bob", "n2", after(hour));
    bob.handle(Input::Tick, after(hour)).unwrap();
    // Bob corrects his clock: he sends at once, and Alice expires in time, though her last heartbeat is an hour in the
    // future.
    let spoken = sent(&bob.handle(Input::Tick, after(0)).unwrap());
    assert_eq!(spoken.len(), 1);
    let goes = pace::VALID_MAX.as_secs();
    assert!(bob.user(&person("alice")).is_some());
    let ended = events(bob.handle(Input::Tick, after(goes)).unwrap());
    assert!(ended.contains(&Event::UserOffline { user: person("alice") }), "{ended:?}");
}

#[test]
fn interval_grows_with_the_number_of_nodes_within_bounds() {
    assert_eq!(pace::interval(2), pace::INTERVAL_MIN);
    assert_eq!(pace::interval(100), pace::INTERVAL_MIN);
    assert_eq!(pace::interval(1_000), Duration::from_secs(200));
    assert_eq!(pace::interval(1_000_000), pace::INTERVAL_MAX);
    assert_eq!(pace::valid_for(pace::INTERVAL_MIN), Duration::from_secs(60));
    assert_eq!(pace::valid_for(pace::INTERVAL_MAX), pace::VALID_MAX);
    for n in 0..100_u8 {
        let spread = pace::spread(pace::INTERVAL_MIN, &Digest::of(&[n]));
        assert!((15_000..=25_000).contains(&spread.as_millis()), "{spread:?}");
    }
}

#[test]
fn rejects_heartbeats_beyond_the_rate() {
    let (mut here, mut there) = (node("n1"), node("n2"));
    receive(&mut there, &register(&mut here, "alice", "n1", START), START);
    let alice = person("alice");
    let mut words = (0..).map(|n: u32| {
        let (user, channel) = (alice, channel("general"));
        let input = if n.is_multiple_of(2) {
            Input::JoinChannel { user, channel }
        } else {
            Input::LeaveChannel { user, channel }
        };
        sent(&here.handle(input, START).unwrap()).remove(0)
    });
    for word in words.by_ref().take(pace::HEARTBEATS_BURST as usize - 1) {
        receive(&mut there, &word, START);
    }
    let before = there.users();
    assert_eq!(refusal(&mut there, &words.next().unwrap(), START), HeartbeatRefusal::TooOften);
    assert_eq!(there.users(), before);
    receive(&mut there, &words.next().unwrap(), START.plus(pace::HEARTBEATS_EVERY));
}

#[test]
fn bounds_hold_on_both_sides() {
    let mut here = node("n1");
    register(&mut here, "alice", "n1", START);
    let alice = person("alice");
    let longest = |n: usize| format!("#module/{}{n:02}", "あ".repeat(62));
    for n in 0..CHANNELS_MAX {
        let channel = longest(n).parse().unwrap();
        let bytes = sent(&here.handle(Input::JoinChannel { user: alice, channel }, START).unwrap()).remove(0);
        assert!(bytes.len() <= HEARTBEAT_MAX_BYTES, "{}", bytes.len());
        receive(&mut node("n2"), &bytes, START);
    }
    let channel = channel("one-more");
    assert_eq!(here.handle(Input::JoinChannel { user: alice, channel }, START), Err(PresenceError::TooManyChannels));
    assert_eq!(refusal(&mut here, &vec![0; HEARTBEAT_MAX_BYTES + 1], START), HeartbeatRefusal::Oversized);
    for length in [0, 1, 100, HEARTBEAT_MAX_BYTES] {
        refusal(&mut here, &vec![0xff; length], START);
    }
}

/// A heartbeat is no longer for a person who is in many channels, and none who replaced the identity key often is left
/// out: their opening is referred to by its digest.
#[test]
fn shows_whoever_fits_no_heartbeat_as_a_whole() {
    let mut alice = Person::new(TOPIC, 1);
    let said = |alice: &Person| {
        let device = alice.device(0, 2);
        let node = NodeId::from(key("n1").public());
        let given = device.author(Attendance { node, until: START.plus(heartbeat::ATTENDANCE_LASTS) });
        let mut here = self::node("n1");
        let channels: BTreeSet<ChannelName> = (0..CHANNELS_MAX).map(|n| channel(&format!("channel-{n:02}"))).collect();
        let input = Input::RegisterUser { attendance: Box::new(given.clone()), channels };
        (given.opening().clone(), sent(&here.handle(input, START).unwrap()).remove(0))
    };
    let (mut rotations, mut has_named) = (0, false);
    while rotations < 12 {
        let (opening, bytes) = said(&alice);
        assert!(bytes.len() <= HEARTBEAT_MAX_BYTES, "{} after {rotations} rotations", bytes.len());
        let mut stranger = node("n2");
        let unknown = stranger.handle(Input::Heard(bytes.clone()), START);
        has_named |= unknown.is_err();
        if rotations <= 3 {
            receive(&mut node("n3"), &bytes, START);
        } else if has_named {
            assert_eq!(unknown, Err(PresenceError::Refused(HeartbeatRefusal::Unknown)));
        }
        let mut knows = Presence::with_room(TOPIC, key("n4"), START, 9, Box::new(Known(vec![], vec![opening])));
        receive(&mut knows, &bytes, START);
        let shown = knows.user(&alice.did).expect("she is online");
        assert!(shown.channels.len() > CHANNELS_MAX / 2, "{}", shown.channels.len());
        // The next one has the same attendance, which was verified once.
        alice.rotate(&DeviceList::default());
        rotations += 1;
    }
    assert!(has_named);
}

/// What everybody must agree on.
#[test]
fn lists_the_same_nodes_everywhere_when_a_person_has_too_many() {
    let names: Vec<String> = (0..NODES_PER_PERSON + 4).map(|number| format!("m{number}")).collect();
    let mut heartbeats: Vec<(NodeId, Vec<u8>)> = names
        .iter()
        .map(|name| (NodeId::from(key(name).public()), register(&mut node(name), "mallory", name, START)))
        .collect();
    heartbeats.sort();
    let shown: Vec<NodeId> = heartbeats.iter().take(NODES_PER_PERSON).map(|(node, _)| *node).collect();
    let mallory = person("mallory");
    let nodes = |presence: &Presence| -> Vec<NodeId> {
        presence.user(&mallory).map(|user| user.nodes.iter().map(|device| device.node).collect()).unwrap_or_default()
    };
    let (mut upward, mut downward) = (node("n1"), node("n2"));
    register(&mut upward, "alice", "n1", START);
    for (number, (_, bytes)) in heartbeats.iter().enumerate() {
        match number < NODES_PER_PERSON {
            true => drop(receive(&mut upward, bytes, START)),
            false => assert_eq!(refusal(&mut upward, bytes, START), HeartbeatRefusal::Full, "it is not forwarded"),
        }
    }
    for (_, bytes) in heartbeats.iter().rev() {
        receive(&mut downward, bytes, START);
    }
    assert_eq!((nodes(&upward), nodes(&downward)), (shown.clone(), shown), "in whatever order they came");
    assert_eq!(downward.live(), NODES_PER_PERSON);
    assert_eq!(upward.live(), NODES_PER_PERSON + 1, "nobody else loses a place by it");
    // A heartbeat that was left out brings nothing new later.
    let (_, left_out) = heartbeats.pop().unwrap();
    let relayed = Input::Told { bytes: left_out, age: Duration::ZERO };
    assert_eq!(upward.handle(relayed, START).unwrap(), []);
}

fn seen(presence: &Presence) -> BTreeMap<Did, (Vec<NodeId>, BTreeSet<ChannelName>)> {
    presence
        .users()
        .into_iter()
        .map(|user| (user.user, (user.nodes.iter().map(|device| device.node).collect(), user.channels)))
        .collect()
}

/// `SEED=…` repeats a run.
#[test]
fn converges_in_any_order_with_repetition_and_loss() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..40 {
        let mut speakers: Vec<(String, Presence)> = (0..5).map(|n| (format!("n{n}"), node(&format!("n{n}")))).collect();
        let (mut words, mut last) = (Vec::new(), BTreeMap::new());
        for step in 0..30 {
            let now = START.plus(Duration::from_millis(step * 300));
            let (name, speaker) = &mut speakers[rng.random_range(0..5)];
            let person = ["alice", "bob"][rng.random_range(0..2)];
            let input = match rng.random_range(0..4) {
                0 => registering(person, name),
                1 => Input::UnregisterUser,
                n => {
                    let user = speaker.registered().unwrap_or(self::person(person));
                    let channel = channel(["general", "help", "module/qr"][rng.random_range(0..3)]);
                    if n == 2 { Input::JoinChannel { user, channel } } else { Input::LeaveChannel { user, channel } }
                }
            };
            for bytes in sent(&speaker.handle(input, now).unwrap_or_default()) {
                last.insert(name.clone(), bytes.clone());
                words.push(bytes);
            }
        }
        let now = after(10);
        let pictures: Vec<_> = (0..4)
            .map(|_| {
                let mut heard: Vec<&Vec<u8>> = words.iter().filter(|_| rng.random_bool(0.7)).collect();
                heard.extend(words.iter().filter(|_| rng.random_bool(0.3)));
                // Whatever is lost, the last heartbeat of each node arrives in the end: if not this one, the next.
                heard.extend(last.values());
                heard.shuffle(&mut rng);
                let mut observer = node("observer");
                let mut online = BTreeMap::new();
                for bytes in heard {
                    for event in events(observer.handle(Input::Heard(bytes.clone()), now).unwrap()) {
                        match event {
                            Event::UserOnline { user, .. } => assert!(online.insert(user, ()).is_none()),
                            Event::UserOffline { user } => assert!(online.remove(&user).is_some()),
                            _ => {}
                        }
                    }
                }
                assert_eq!(online.into_keys().collect::<Vec<_>>(), seen(&observer).into_keys().collect::<Vec<_>>());
                seen(&observer)
            })
            .collect();
        assert!(pictures.windows(2).all(|pair| pair[0] == pair[1]), "{pictures:?}");
        let own: BTreeSet<NodeId> = speakers
            .iter()
            .filter(|(_, speaker)| speaker.registered().is_some())
            .map(|(_, speaker)| speaker.me())
            .collect();
        let shown: BTreeSet<NodeId> = pictures[0].values().flat_map(|(nodes, _)| nodes.iter().copied()).collect();
        assert_eq!(own, shown, "and it is the truth");
    }
}

/// Heartbeats cost nothing, so anybody can fill the roster.
#[test]
fn strangers_make_room_for_people_one_knows() {
    let (alice, bob) = (person("alice"), person("bob"));
    let mut here = Presence::with_room(TOPIC, key("here"), START, 5, Box::new(Known(vec![alice, bob], vec![])));
    let heartbeat = |name: &str| register(&mut node(name), name, name, START);
    receive(&mut here, &heartbeat("alice"), START);
    for nth in 0..4 {
        receive(&mut here, &heartbeat(&format!("stranger {nth}")), START);
    }
    assert_eq!(refusal(&mut here, &heartbeat("one more"), START), HeartbeatRefusal::Full);
    let events = receive(&mut here, &heartbeat("bob"), START);
    assert!(events.contains(&Event::UserOnline { user: bob, node: NodeId::from(key("bob").public()) }));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::UserOffline { .. })).count(), 1);
    let online: Vec<Did> = here.users().iter().map(|user| user.user).collect();
    assert!(online.len() == 5 && online.contains(&alice) && online.contains(&bob));
    // Among people one knows nobody makes room.
    let mut small = Presence::with_room(TOPIC, key("small"), START, 1, Box::new(Known(vec![alice, bob], vec![])));
    receive(&mut small, &heartbeat("alice"), START);
    assert_eq!(refusal(&mut small, &heartbeat("bob"), START), HeartbeatRefusal::Full);
}
