//! What a server stores: both sides of each limit.

use super::*;
use crate::net::kademlia;

/// Values are `key` and a number; the greater number is better.
struct Numbers;

impl ValidateRecord for Numbers {
    fn verify(&self, key: &[u8], value: &[u8], present: Option<&[u8]>, _: Millis) -> Result<bool, RecordFault> {
        let (last, rest) = value.split_last().ok_or(RecordFault::Unreadable)?;
        match rest == key {
            false => Err(RecordFault::WrongKey),
            true if *last == 0 => Err(RecordFault::Rule),
            true => Ok(present.and_then(<[u8]>::last).is_none_or(|present| last > present)),
        }
    }
}

struct Server {
    values: Values,
    store: MemoryStore,
}

fn server() -> Server {
    Server { values: Values::new(Some(Arc::new(Numbers))), store: kademlia::store(PeerId::random()) }
}

fn source() -> RecordSource {
    RecordSource { peer: PeerId::random(), address: None }
}

fn key(number: usize) -> RecordKey {
    RecordKey::new(&number.to_be_bytes())
}

fn value(key: &RecordKey, number: u8) -> Record {
    Record::new(key.clone(), [key.as_ref(), &[number]].concat())
}

impl Server {
    fn put(&mut self, record: Record, from: RecordSource, now: Millis) -> Result<Stored, StoreRefusal> {
        self.put_among(record, from, now, &[])
    }

    fn put_among(
        &mut self,
        record: Record,
        from: RecordSource,
        now: Millis,
        connected: &[PeerId],
    ) -> Result<Stored, StoreRefusal> {
        self.values.put_record(&mut self.store, record, from, now, |peer| connected.contains(peer))
    }

    fn provide(
        &mut self,
        key: &RecordKey,
        from: RecordSource,
        now: Millis,
        connected: &[PeerId],
    ) -> Result<Stored, StoreRefusal> {
        let record = ProviderRecord::new(key.clone(), from.peer, Vec::new());
        self.values.add_provider(&mut self.store, record, from, now, |peer| connected.contains(peer))
    }

    fn number(&self, key: &RecordKey) -> Option<u8> {
        self.store.get(key).and_then(|record| record.value.last().copied())
    }
}

#[test]
fn only_a_better_value_replaces_one() {
    let (mut server, who, key) = (server(), source(), key(1));
    assert_eq!(server.put(value(&key, 5), who, 0), Ok(Stored::New));
    assert_eq!(server.put(value(&key, 4), who, 0), Err(StoreRefusal::NotBetter));
    assert_eq!(server.put(value(&key, 5), who, 0), Ok(Stored::Again));
    assert_eq!(server.number(&key), Some(5));
    assert_eq!(server.put(value(&key, 6), who, 0), Ok(Stored::New));
    assert_eq!(server.number(&key), Some(6));
}

#[test]
fn invalid_records_are_refused() {
    let (mut server, who, one) = (server(), source(), key(1));
    let under_another = Record::new(one.clone(), value(&key(2), 1).value);
    assert_eq!(server.put(under_another, who, 0), Err(StoreRefusal::Bad(RecordFault::WrongKey)));
    assert_eq!(server.put(value(&one, 0), who, 0), Err(StoreRefusal::Bad(RecordFault::Rule)));
    assert_eq!(
        server.put(Record::new(one.clone(), Vec::new()), who, 0),
        Err(StoreRefusal::Bad(RecordFault::Unreadable))
    );
    let oversized = Record::new(one.clone(), vec![1; VALUE_MAX_BYTES + 1]);
    assert_eq!(server.put(oversized, who, 0), Err(StoreRefusal::Oversized));
    assert_eq!(server.number(&one), None);
    let mut without_network = Server { values: Values::new(None), store: server.store };
    assert_eq!(without_network.put(value(&one, 1), who, 0), Err(StoreRefusal::NoNetwork));
}

#[test]
fn value_that_is_not_republished_expires() {
    let (mut server, who, one) = (server(), source(), key(1));
    let end = millis(VALUE_TIME);
    assert_eq!(server.put(value(&one, 9), who, 0), Ok(Stored::New));
    server.values.expire(&mut server.store, end - 1);
    assert_eq!(server.number(&one), Some(9));
    assert_eq!(server.put(value(&one, 1), who, end), Ok(Stored::New), "an expired value does not count");
    server.values.expire(&mut server.store, 2 * end);
    assert_eq!(server.number(&one), None);
    assert!(server.values.values.is_empty());
}

#[test]
fn rates_limit_peers_addresses_and_all_together_in_each_window() {
    let (mut server, who) = (server(), source());
    for number in 0..PUTS_PER_PEER_RATE as usize {
        assert!(server.put(value(&key(number), 1), who, 0).is_ok());
    }
    assert_eq!(server.put(value(&key(0), 2), who, 1), Err(StoreRefusal::TooOften));
    assert_eq!(server.provide(&key(0), who, 1, &[]), Err(StoreRefusal::TooOften), "provider records count, too");
    assert!(server.put(value(&key(0), 2), source(), 1).is_ok(), "other peers may");
    assert!(server.put(value(&key(0), 3), who, millis(RATE_TIME)).is_ok());
    let address = Some(IpAddr::from([192, 0, 2, 1]));
    let now = 2 * millis(RATE_TIME);
    let puts = (0..2 * PUTS_PER_ADDRESS_RATE as usize)
        .filter(|number| server.put(value(&key(*number), 9), RecordSource { address, ..source() }, now).is_ok());
    assert_eq!(puts.count(), PUTS_PER_ADDRESS_RATE as usize, "all peers of one address together");
    let now = 3 * millis(RATE_TIME);
    let all =
        (0..PUTS_RATE as usize + 100).filter(|number| server.put(value(&key(*number), 10), source(), now).is_ok());
    assert_eq!(all.count(), PUTS_RATE as usize, "all peers together");
}

#[test]
fn flood_evicts_only_its_own_records() {
    let (mut server, quiet) = (server(), source());
    let quiets = key(usize::MAX);
    assert!(server.put(value(&quiets, 1), quiet, 0).is_ok());
    let (flood, mut now) = (source(), 1);
    for number in 0..VALUES_MAX + 200 {
        if number % PUTS_PER_PEER_RATE as usize == 0 {
            now += millis(RATE_TIME);
        }
        assert_eq!(server.put(value(&key(number), 1), flood, now), Ok(Stored::New));
    }
    assert_eq!(server.store.records().count(), VALUES_MAX);
    assert_eq!(server.number(&quiets), Some(1));
    assert_eq!(
        (server.number(&key(0)), server.number(&key(VALUES_MAX + 199))),
        (None, Some(1)),
        "its oldest were evicted"
    );
}

#[test]
fn disconnected_providers_make_room_for_new_ones() {
    let (mut server, one) = (server(), key(1));
    let all: Vec<RecordSource> = (0..=PROVIDERS_PER_KEY).map(|_| source()).collect();
    let (first, rest) = all.split_at(PROVIDERS_PER_KEY);
    for (at, who) in first.iter().enumerate() {
        assert_eq!(server.provide(&one, *who, at as u64, &[]), Ok(Stored::New));
    }
    let here: Vec<PeerId> = first.iter().map(|who| who.peer).collect();
    assert_eq!(server.provide(&one, rest[0], 100, &here), Err(StoreRefusal::Full), "all are connected");
    assert_eq!(server.provide(&one, rest[0], 100, &here[2..]), Ok(Stored::New));
    let left: Vec<PeerId> = server.store.providers(&one).iter().map(|record| record.provider).collect();
    assert!(
        !left.contains(&here[0]) && left.contains(&here[1]) && left.contains(&rest[0].peer),
        "the oldest was evicted"
    );
    server.values.expire(&mut server.store, 200 + millis(PROVIDER_TIME));
    assert!(server.store.providers(&one).is_empty());
}

#[test]
fn copy_from_another_peer_does_not_change_the_publisher() {
    let (mut server, alice, other, one) = (server(), source(), source(), key(1));
    let by = |publisher: RecordSource| Record { publisher: Some(publisher.peer), ..value(&key(1), 1) };
    let publisher = |server: &Server| server.store.get(&one).and_then(|record| record.publisher);
    assert_eq!(server.put(by(alice), alice, 0), Ok(Stored::New));
    assert_eq!(server.put_among(by(other), other, 1, &[alice.peer]), Ok(Stored::Again));
    assert_eq!(publisher(&server), Some(alice.peer), "she is connected");
    assert_eq!(server.put(by(other), alice, 1), Ok(Stored::Again));
    assert_eq!(publisher(&server), Some(alice.peer), "only a publisher itself can");
    assert_eq!(server.put(by(other), other, 1), Ok(Stored::Again));
    assert_eq!(publisher(&server), Some(other.peer), "she is disconnected");
}
