//! What breaks first as a network grows, and at which figure: `make limits` prints the table.
//!
//! Each candidate is driven with the real parts until it gives way (*tried*), is reckoned from what the parts were measured to
//! take (*measured*), or is a named bound (*bound*). Times are of this machine, natively and on one thread; a page takes
//! about three times as long. Nothing is asserted of them.

use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Document, Edit, Write};
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::{Capabilities, Entry, Kind};
use gen_registry_core::node_limits::STRANGERS_MAX;
use gen_registry_core::presence::{Attendance, Input, NodeId, Output, Presence, pace};
use gen_registry_core::sync::exchange::budget::{
    ANNOUNCEMENTS_PER_SECOND, BYTES_OF_WORK, WORK_OF_ENTRY, WORK_PER_SECOND,
};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::lookup::PUBLISH_EVERY;
use gen_registry_node::net::kademlia;
use gen_registry_node::net::kademlia::values::{
    PUTS_RATE, RATE_TIME, RecordFault, RecordSource, ValidateRecord, Values,
};
use gen_registry_node::net::relay::limits::RelayLimits;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, Table};
use libp2p::PeerId;
use libp2p::kad::store::RecordStore;
use libp2p::kad::{Record, RecordKey};
use tokio::time::Instant;

use crate::crowd::shared::{NOW, beginning, crowded_store, start};

const TOPIC: Topic = Topic::from_bytes([7; 32]);
/// The heap that a page may take.
const HEAP_MIB: f64 = 300.0;
/// What a phone gives a page to store.
const STORAGE_MIB: f64 = 200.0;
/// Until a start has read what is stored.
const START_MAX: Duration = Duration::from_secs(8);
/// The share of the thread that news may take.
const SHARE: f64 = 0.5;
/// The same of heartbeats, which nobody asked for.
const SHARE_OF_HEARTBEATS: f64 = 0.05;
/// Relays that a node takes a place at.
const RELAYS_EACH: usize = 2;
const PEOPLE: u64 = 4_000;
const MIB: f64 = 1_048_576.0;

/// One thing that gives way.
struct Candidate {
    what: &'static str,
    at: f64,
    how: &'static str,
}

fn candidate(what: &'static str, at: f64, how: &'static str) -> Candidate {
    Candidate { what, at, how }
}

fn print(grows: &str, mut candidates: Vec<Candidate>) {
    candidates.sort_by(|one, other| one.at.total_cmp(&other.at));
    for (nth, Candidate { what, at, how }) in candidates.iter().enumerate() {
        println!("| {} | {:.0} | {what} | {how} |", if nth == 0 { grows } else { "" }, at);
    }
}

fn resident_bytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    resident.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1_024.0
}

fn people_known() -> Vec<Candidate> {
    let store = crowded_store(PEOPLE);
    let stored: usize = Table::ALL
        .into_iter()
        .flat_map(|table| block_on(store.scan(table, "", None, usize::MAX)).unwrap())
        .map(|(key, bytes)| key.len() + bytes.len())
        .sum();
    let (before, begun) = (resident_bytes(), Instant::now());
    let node = start(store);
    let (each, took) = ((resident_bytes() - before) / PEOPLE as f64, begun.elapsed());
    drop(node);
    let people = PEOPLE as f64;
    vec![
        candidate(
            "strangers are kept of a half of the ring, and asked for of the other",
            STRANGERS_MAX as f64,
            "bound",
        ),
        candidate("the heap has 300 MiB, with everybody kept", HEAP_MIB * MIB / each, "measured"),
        candidate("200 MiB are stored, with everybody kept", STORAGE_MIB * MIB * people / stored as f64, "measured"),
        candidate(
            "a start takes 8 s, with everybody kept",
            people * START_MAX.as_secs_f64() / took.as_secs_f64(),
            "measured",
        ),
    ]
}

/// A heartbeat of somebody else.
fn heartbeat(nth: usize, now: Timestamp) -> Vec<u8> {
    let key = SecretKey::from_seed(Digest::of(format!("node {nth}").as_bytes()).as_bytes());
    let person = Device::of(TOPIC, &format!("person {nth}"));
    let (node, until) = (NodeId::from(key.public()), now.plus(Duration::from_secs(86_400)));
    let attendance = Box::new(person.author(Attendance { node, until }));
    let mut presence = Presence::new(TOPIC, key, now);
    let outputs = presence.handle(Input::RegisterUser { attendance, channels: BTreeSet::new() }, now).unwrap();
    let said = outputs.into_iter().find_map(|output| match output {
        Output::Say(bytes) => Some(bytes),
        _ => None,
    });
    said.expect("who comes says so")
}

fn people_online() -> Vec<Candidate> {
    let now = NOW;
    let mut observer = Presence::new(TOPIC, SecretKey::from_seed(&[3; 32]), now);
    let (mut online, mut spent) = (0, Duration::ZERO);
    // Everybody is heard until somebody is not shown.
    let full = loop {
        let bytes = heartbeat(online, now);
        let begun = Instant::now();
        let _ = observer.handle(Input::Heard(bytes), now);
        spent += begun.elapsed();
        online += 1;
        if online % 100 == 0 && observer.users().len() < online {
            break observer.users().len();
        }
    };
    let each = spent.as_secs_f64() / online as f64;
    let per_second = |nodes: usize| nodes as f64 / pace::interval(nodes).as_secs_f64();
    let busy = (1..).map(|step| step * 100).find(|nodes| per_second(*nodes) * each > SHARE_OF_HEARTBEATS).unwrap();
    let places = RelayLimits::default().reservations / RELAYS_EACH;
    vec![
        candidate(
            "everybody finds a place at their relays, for each relay with default limits",
            places as f64,
            "bound",
        ),
        candidate("all who are online are shown", full as f64, "tried"),
        candidate("heartbeats take 5 % of a thread", busy as f64, "measured"),
    ]
}

/// Takes every record: only the room is of interest.
struct Anything;

impl ValidateRecord for Anything {
    fn verify(&self, _: &[u8], _: &[u8], _: Option<&[u8]>, _: u64) -> Result<bool, RecordFault> {
        Ok(true)
    }
}

fn names_looked_up() -> Vec<Candidate> {
    let mut values = Values::new(Some(Arc::new(Anything)));
    let mut store = kademlia::store(PeerId::random());
    let mut names = 0_usize;
    // Each by another peer, as slowly as the rates want it, until one is gone.
    let room = loop {
        let key = RecordKey::new(&names.to_be_bytes());
        let now = names as u64 * 1_000 * RATE_TIME.as_secs() / u64::from(PUTS_RATE);
        let record = Record::new(key, vec![7; 1_000]);
        let source = RecordSource { peer: PeerId::random(), address: None };
        values.put_record(&mut store, record, source, now, |_| false).expect("it is stored");
        names += 1;
        if store.records().count() < names {
            break names - 1;
        }
    };
    let published = f64::from(PUTS_RATE) * PUBLISH_EVERY.as_secs_f64() / RATE_TIME.as_secs_f64();
    vec![
        candidate("the servers closest to a name keep it", room as f64, "tried"),
        candidate("names are published again in time, at one server", published, "bound"),
    ]
}

fn changes_per_second() -> Vec<Candidate> {
    const AUTHORS: u64 = 1_000;
    let node = start(Rc::new(MemoryStore::new()));
    let mut changes = Vec::new();
    for nth in 0..AUTHORS {
        let one = beginning(nth);
        block_on(node.admission().admit(one.pieces())).unwrap();
        let log = one.device.log().numbered(1);
        let mut document = Document::default();
        let capabilities = Capabilities::full();
        document.insert_change(log, 0, one.change.id(), one.change.body(), &capabilities).unwrap();
        let writes: Vec<Write> = vec![Edit::Bio(Some(format!("News of {nth}"))).to_write()];
        let body = document.write(log, NOW, &writes).unwrap();
        let header = one.change.signed_header();
        changes.push(Entry::after(&one.device.topic, &one.device.key, header, Kind::Change as u8, body));
    }
    let bytes = changes.iter().map(|change| change.encode().len()).sum::<usize>() / changes.len();
    let begun = Instant::now();
    for change in &changes {
        let report = block_on(node.admission().admit(vec![Piece::Entry(change.encode())])).unwrap();
        assert_eq!(report.outcome.kept.len(), 1);
    }
    let each = begun.elapsed().as_secs_f64() / changes.len() as f64;
    let work = (WORK_OF_ENTRY + bytes.div_ceil(BYTES_OF_WORK)) as f64;
    vec![
        candidate("one peer may announce them", ANNOUNCEMENTS_PER_SECOND as f64, "bound"),
        candidate("the work that one peer may cause is enough", WORK_PER_SECOND as f64 / work, "bound"),
        candidate("half of a thread is enough to take them in", SHARE / each, "measured"),
    ]
}

#[test]
#[ignore = "a table: make limits"]
fn measured_limits() {
    println!("| what grows | up to | what holds until there, or begins there | how it is known |");
    println!("|---|---|---|---|");
    print("people known", people_known());
    print("people online", people_online());
    print("names looked up in the network", names_looked_up());
    print("changes each second, everybody's", changes_per_second());
}
