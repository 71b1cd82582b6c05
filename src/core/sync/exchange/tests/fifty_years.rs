//! An eager developer: what a fresh peer fetches of her stays small, and she can still publish.
//!
//! `YEARS=50 cargo test --release -p gen-registry-core fifty_years` takes the whole time; without, it is one year. The same
//! life in a browser: `make bench-elder`.

use std::collections::HashMap;

use super::compare;
use crate::actors::developer::{Developer, SEED};
use crate::actors::{BEGIN, Device, Person, Replica, module, network};
use crate::document::Document;
use crate::document::checkpoint::{Checkpoint, Data};
use crate::keys::SecretKey;
use crate::log::{Capabilities, Entry, EntryId, Kind};
use crate::outcome::Fact;
use crate::receipt::Receipt;
use crate::slot::Slot;

const MOST_FETCHED: usize = 5 * 1024 * 1024;

/// What somebody has who got everything by comparing once.
fn rebuild(replica: &Replica, data: &HashMap<EntryId, Data>, fetched: &mut usize) -> Document {
    let mut document = Document::default();
    for entry in replica.entries().iter().filter(|entry| !entry.header().log.are_facts()) {
        let (log, seq) = (entry.header().log, entry.header().seq);
        match Kind::of(entry.header().kind) {
            Some(Kind::Checkpoint) => {
                let checkpoint = Checkpoint::decode(entry.body()).expect("a checkpoint");
                document.insert_checkpoint(entry.id(), checkpoint, None);
            }
            _ => document.insert_change(log, seq, entry.id(), entry.body(), &Capabilities::full()).expect("a change"),
        }
    }
    if let Some(standing) = document.standing() {
        let checkpoint = document.checkpoint(&standing).expect("it stands").clone();
        let bytes = data[&standing].encode();
        assert!(checkpoint.data.is_of(&bytes));
        *fetched += bytes.len();
        document.insert_checkpoint(standing, checkpoint, Some(Data::decode(&bytes).expect("data")));
    }
    document
}

#[test]
fn fifty_years_of_an_eager_developer_fit() {
    let years = std::env::var("YEARS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (history, witnesses) = network(3, 2);
    let topic = history.topic();
    let confirm = Box::new(move |device: &Device, entry: &Entry, now| {
        let fact = Fact::of(&topic, entry, &device.authority()).expect("it says something");
        let slots: Vec<_> = fact.slots().iter().map(Slot::digest).collect();
        let sign = |witness: &SecretKey| Receipt::sign(&topic, witness, 0, entry.id(), slots.clone(), now);
        witnesses[..2].iter().map(sign).collect()
    });
    let mut anna = Developer::new(Person::new(topic, 1), history.clone(), BEGIN, confirm);
    anna.live(years);
    let mut fresh = Replica::new(history);
    let traffic = compare(&mut anna.replica, &mut fresh);
    assert_eq!(traffic.rejections, []);
    assert_eq!(fresh.registry.summaries(), anna.replica.registry.summaries());
    let mut fetched = traffic.bytes;
    let document = rebuild(&fresh, &anna.data, &mut fetched);
    assert_eq!(document.data(), anna.document.data());
    let count = |replica: &Replica| replica.registry.versions(&module("crc-32")).len() as u64;
    assert_eq!(count(&fresh), anna.releases);
    println!(
        "seed {SEED}, {years} years: {} installs, {} releases and as many reviews, {} devices; a fresh peer fetches {fetched} bytes, \
         of which {} are the document",
        anna.installs.values().sum::<u64>(),
        anna.releases,
        anna.devices,
        fetched - traffic.bytes
    );
    assert!(fetched <= MOST_FETCHED, "{fetched}");
    // And she goes on.
    anna.publish("99.0.0");
    anna.say("still here");
    compare(&mut anna.replica, &mut fresh);
    assert_eq!(count(&fresh), anna.releases);
}
