//! Two peers that dial each other in the same moment: both keep the same one of the two connections, and how long it
//! takes until each has heard the other over it.

use std::time::Duration;

use futures::future::{join, join_all};
use futures::{AsyncReadExt, AsyncWriteExt};
use gloo_timers::future::sleep;
use libp2p::{Multiaddr, PeerId};
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

use crate::mesh::peer::{Connected, Peer, direct_address, now, patient, relay};
use crate::mesh::two;

/// Pairs that dial each other at once. In about half of them the other one has the smaller name.
const GLARES: usize = 10;
/// The same, one pair after the other, for the figures.
const MEASURED: usize = 50;
/// Before a stream is tried again whose connection was the one too many.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// The relay gives one address 60 places in a minute, and each pair takes two.
const PAIR_EVERY: Duration = Duration::from_millis(2_500);

/// What one such attempt came to, for both sides.
#[derive(Debug)]
struct Glare {
    /// From the side's own dial to the first byte that it heard over a direct connection, in milliseconds. Fewer than
    /// two when a side never heard one.
    first_bytes: Vec<f64>,
    /// Between the two dials, in milliseconds.
    apart: f64,
    /// Both dials came through, so there were two direct connections for a while; else one gave way to the other before.
    twice: bool,
    /// In the end each side has exactly one connection to the other, it is direct, and it is the same one.
    one_left: bool,
}

/// Says one byte over the first direct connection there is; again over another when that one was too many.
async fn greets(from: &Peer, to: PeerId) {
    while from.comes_to(|seen| !seen.direct(to).is_empty()).await {
        if let Ok(mut stream) = from.open(to).await
            && stream.write_all(b"!").await.is_ok()
            && stream.flush().await.is_ok()
            && stream.read_exact(&mut [0]).await.is_ok()
        {
            return;
        }
        sleep(AGAIN_AFTER).await;
    }
}

async fn both_dial_at_once(relay: &Multiaddr) -> Glare {
    let (alice, bob) = two(relay).await;
    let sides = [(&alice, &bob), (&bob, &alice)];
    // Nothing runs between the two: what comes of one dial can't be heard before the other.
    let began = sides.map(|(peer, other)| {
        let now = now();
        peer.dial(direct_address(relay, other.id));
        now
    });
    patient(join(greets(&alice, bob.id), greets(&bob, alice.id))).await;
    for (peer, other) in sides {
        // One way or the other.
        peer.comes_to(|seen| {
            let dialled = |one: &&Connected| one.is_direct() && one.endpoint.is_dialer();
            seen.ever.iter().filter(dialled).any(|one| one.peer == other.id) || !seen.failed_dials.is_empty()
        })
        .await;
    }
    let mut one_left = true;
    for (peer, other) in sides {
        one_left &= peer.comes_to(|seen| seen.only_direct(other.id)).await;
    }
    let dialled_it = |(peer, other): (&Peer, &Peer)| peer.seen.borrow().direct(other.id)[0].endpoint.is_dialer();
    one_left = one_left && dialled_it(sides[0]) != dialled_it(sides[1]);
    let twice = sides.iter().all(|(peer, _)| peer.seen.borrow().failed_dials.is_empty());
    if one_left {
        if twice {
            let smaller = dialled_it(sides[0]);
            assert_eq!(smaller, alice.id < bob.id, "the one that the smaller name dialled stays");
        }
        join(alice.exchange(bob.id, b"hello"), bob.exchange(alice.id, b"hello")).await;
    }
    let heard = sides
        .iter()
        .zip(began)
        .filter_map(|((peer, other), began)| peer.seen.borrow().first_bytes.get(&other.id).map(|heard| heard - began));
    Glare { first_bytes: heard.collect(), apart: began[1] - began[0], twice, one_left }
}

#[wasm_bindgen_test]
async fn peers_that_dial_each_other_at_once_keep_the_same_connection() {
    let relay = relay().await;
    let glares = join_all((0..GLARES).map(|_| both_dial_at_once(&relay))).await;
    for glare in &glares {
        assert!(glare.one_left && glare.first_bytes.len() == 2, "{glare:?}");
    }
    assert!(glares.iter().any(|glare| glare.twice), "two connections did stand for a while");
}

/// Each pair alone, so that no pair waits for another; new peers each time.
#[wasm_bindgen_test]
#[ignore = "minutes; make bench-connect"]
async fn measured_glares() {
    let relay = relay().await;
    let mut glares = Vec::new();
    for _ in 0..MEASURED {
        glares.push(join(both_dial_at_once(&relay), sleep(PAIR_EVERY)).await.0);
    }
    let direct = glares.iter().filter(|glare| glare.one_left && glare.first_bytes.len() == 2).count();
    let twice = glares.iter().filter(|glare| glare.twice).count();
    let apart = glares.iter().map(|glare| glare.apart).fold(0.0, f64::max);
    let mut waits: Vec<f64> = glares.iter().flat_map(|glare| glare.first_bytes.clone()).collect();
    waits.sort_by(f64::total_cmp);
    // The smallest value that so many of a hundred do not exceed.
    let at = |hundredths: usize| {
        let nth = (waits.len() * hundredths).div_ceil(100).saturating_sub(1);
        waits.get(nth).copied().unwrap_or(f64::NAN)
    };
    console_log!("both dialled at once, at most {apart:.1} ms apart, {MEASURED} times");
    console_log!("  direct in the end, with exactly one connection on each side: {direct} of {MEASURED}");
    console_log!("  both dials came through, and one connection was closed again: {twice} of {MEASURED}");
    let (median, p95, most) = (at(50), at(95), at(100));
    console_log!("  dial to the first byte heard over a direct connection, {} sides, ms:", waits.len());
    console_log!("  median {median:.0}, 95 of 100 within {p95:.0}, at most {most:.0}");
    assert_eq!(direct, MEASURED);
}
