//! Pages: how many are under way, and what is checked of them beforehand.

use super::*;

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
