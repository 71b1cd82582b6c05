//! Pages: how many are under way, and what is checked of them beforehand.

use super::*;
use crate::log::LogId;
use crate::registry::LogState;
use crate::sync::exchange::budget::{WAITING_MAX_BYTES, WAITING_MIN_BYTES};

/// No identity is requested twice at the same time, and all logs of a new identity come in one page.
#[test]
fn next_page_is_asked_for_while_one_is_under_way() {
    let (history, keys) = network(1, 1);
    let (mut small, mut whole) = (Replica::new(history.clone()), crowd(&history, &keys, 700, false));
    let mut pair = Pair::new(&mut small, &mut whole);
    pair.put(0, Input::Begin);
    let (mut most, mut pages) = (0, BTreeMap::new());
    while pair.queues.iter().any(|queue| !queue.is_empty()) {
        pair.run(1);
        let asked = &pair.sides[0].0.asked;
        most = most.max(asked.len());
        pages.extend(asked.iter().map(|page| (page.ticket, page.dids.len())));
        let dids: usize = asked.iter().map(|page| page.dids.len()).sum();
        let different: BTreeSet<&Did> = asked.iter().flat_map(|page| &page.dids).collect();
        assert_eq!(different.len(), dids);
    }
    assert_eq!(most, PAGES_ASKED_MAX);
    assert_eq!(pages.values().sum::<usize>(), 700, "each person in one page");
    assert_eq!(pair.traffic.rejections, []);
    assert_eq!(pair.sides[0].1.registry.summaries(), pair.sides[1].1.registry.summaries());
}

/// Verifying a page in advance finds the same faults as admission, and admission does not repeat it.
#[test]
fn page_that_was_checked_beforehand_is_admitted_alike() {
    let (history, keys) = network(1, 1);
    let crowd = crowd(&history, &keys, 20, true);
    let dids: Vec<Did> = crowd.registry.identities().copied().collect();
    let fresh = Registry::new(history.clone());
    let asks: Vec<Ask> =
        dids.iter().flat_map(|did| fresh.asks_for(&crowd.registry.detail_of(did).expect("she is here"))).collect();
    let parts = plan_answer(&crowd.registry, &asks);
    let mut pieces = load_answer(parts, |entry| crowd.store.get(entry).cloned());
    // One of each kind is wrong.
    for wrong in [|piece: &Piece| matches!(piece, Piece::Entry(_)), |piece: &Piece| matches!(piece, Piece::Receipt(_))]
    {
        let place = pieces.iter().rposition(wrong).expect("there are both");
        if let Piece::Entry(bytes) | Piece::Receipt(bytes) = &mut pieces[place] {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
    }
    let page = Message::Pieces { ticket: 1, pieces: pieces.clone() }.encode();
    assert!(Message::is_page(&page) && prepare_page(&history.topic(), &[0]) == PreparedPage::default());
    let verified = prepare_page(&history.topic(), &page).valid;
    assert_eq!(verified.iter().filter(|is_right| !**is_right).count(), 2, "{verified:?}");

    let (mut one, mut other) = (Registry::new(history.clone()), Registry::new(history));
    let here = admit(&mut one, &pieces, |_| Some(0));
    let beforehand = admit_verified(&mut other, &pieces, &verified, |_| Some(0));
    assert_eq!(here, beforehand);
    assert_eq!(here.rejections, [Rejection::Forged, Rejection::Forged]);
    assert_eq!(one.summaries(), other.summaries());
    // Only what was checked is spared: without that word, the same entries are checked again afterwards.
    let forged = |registry: &mut Registry| admit(registry, &pieces, |_| Some(0)).rejections;
    assert_eq!(forged(&mut other), [Rejection::Forged, Rejection::Forged]);
}

/// A peer that says what it has of strangers without end, of whom none is taken, is not read for a while; and who joins a
/// network of many is.
#[test]
fn details_that_lead_to_nothing_cost_their_peer_work() {
    let (history, _) = network(1, 1);
    let registry = Replica::new(history).registry;
    let limits = NodeLimits { messages_burst: u64::MAX / 2_000, ..NodeLimits::default() };
    let nobody = Rc::new(RefCell::new(NodeBudget::new(0, 0)));
    let mut exchange = Exchange::new(false, nobody).within(&limits);
    let hello = Message::Hello(hello(&registry)).encode();
    exchange.handle(Input::Message(hello), &registry, BEGIN);
    let offer = |number: u64| {
        let detail = |nth: u64| Detail {
            did: Did::from_digest(Digest::of(&(number * WANT_MAX as u64 + nth).to_le_bytes())),
            openings: vec![Digest::of(&nth.to_le_bytes())],
            logs: Vec::new(),
            beside: Vec::new(),
        };
        Message::Details { details: (0..WANT_MAX as u64).map(detail).collect(), is_last: false }.encode()
    };
    let mut said = 0;
    while said < 10_000 && !exchange.is_resting(BEGIN) {
        let outputs = exchange.handle(Input::Message(offer(said)), &registry, BEGIN);
        assert_eq!(outputs, [], "nobody is asked for, and it is no fault");
        said += 1;
    }
    let people = said * WANT_MAX as u64;
    assert!((100_000..400_000).contains(&people), "after details of {people}");
    assert!(!exchange.is_resting(BEGIN.plus(Duration::from_secs(1))), "for a moment only");
}

/// However many peers say what they have, it takes no more memory than one may; and when that is used up, another peer is
/// heard all the same.
#[test]
fn details_of_many_peers_wait_within_one_bound() {
    const PEERS: u64 = 40;
    let (history, _) = network(1, 1);
    let registry = Replica::new(history).registry;
    let limits = NodeLimits { messages_burst: u64::MAX / 2_000, ..NodeLimits::default() };
    let shared = Rc::new(RefCell::new(NodeBudget::new(u64::MAX / 2_000, 0)));
    let device = SecretKey::from_seed(&[1; 32]);
    let logs = |nth: u64| {
        let log = LogId { opening: Digest::of(&nth.to_le_bytes()), device: device.public(), number: 0 };
        vec![LogState { log, length: 1, head: None, fork: None }; 8]
    };
    let offer = |number: u64, count: u64| {
        let detail = |nth: u64| {
            let did = Did::from_digest(Digest::of(&(number * count + nth).to_le_bytes()));
            Detail { did, openings: vec![Digest::of(b"o")], logs: logs(nth), beside: Vec::new() }
        };
        Message::Details { details: (0..count).map(detail).collect(), is_last: false }.encode()
    };
    let greeted = || {
        let mut exchange = Exchange::new(false, shared.clone()).within(&limits);
        exchange.handle(Input::Message(Message::Hello(hello(&registry)).encode()), &registry, BEGIN);
        exchange
    };
    let mut peers: Vec<Exchange> = (0..PEERS).map(|_| greeted()).collect();
    for number in 0..20 {
        for (nth, peer) in (0..).zip(&mut peers) {
            peer.handle(Input::Message(offer(number * PEERS + nth, 64)), &registry, BEGIN);
        }
    }
    let waiting = shared.borrow().waiting();
    assert_eq!(waiting, peers.iter().map(|peer| peer.pending_bytes).sum::<usize>());
    let most = WAITING_MAX_BYTES + PEERS as usize * WAITING_MIN_BYTES;
    assert!((WAITING_MAX_BYTES / 2..=most).contains(&waiting), "{waiting}");
    let mut late = greeted();
    late.handle(Input::Message(offer(1_000_000, 64)), &registry, BEGIN);
    assert_eq!(late.pending.len(), 64, "who comes later is heard");
    // Said again, it weighs no more.
    let again = late.pending_bytes;
    let empty = |did: &Did| Detail { did: *did, openings: vec![], logs: vec![], beside: vec![] };
    let details = late.pending.keys().map(empty).collect();
    late.handle(Input::Message(Message::Details { details, is_last: false }.encode()), &registry, BEGIN);
    assert_eq!(late.pending_bytes, again);
    drop((peers, late));
    assert_eq!(shared.borrow().waiting(), 0, "and nothing is left of those who are gone");
}
