//! A relay between two who shake hands: it may cut or damage what it carries, and gets nothing else by it.
//!
//! The descriptions and fingerprints of a direct connection travel inside noise, on the relayed one. So every single
//! byte of such an exchange is damaged once, in both directions.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use futures::future::join;
use futures::{AsyncReadExt, AsyncWriteExt};
use gen_registry_core::sync::signaling::Message;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise};

use crate::support::pipe::{Pipe, pipe};

/// As the two sides of a page's handshake say it.
fn descriptions() -> [Vec<u8>; 2] {
    let sdp = |ufrag: &str| format!("v=0\r\na=ice-ufrag:{ufrag}\r\na=fingerprint:sha-256 AB:CD:EF\r\n");
    [Message::Offer(sdp("offer")).encode(), Message::Answer(sdp("answer")).encode()]
}

/// Far more than both sides have steps. Nothing else moves them, so nothing moves after that.
const POLLS_ENOUGH: usize = 100;

/// Whom the other end proved to be, and what it said.
type Heard = Result<(PeerId, Vec<u8>), Box<dyn std::error::Error>>;

async fn dial(socket: Pipe, key: &Keypair) -> Heard {
    let [offer, answer] = descriptions();
    let (peer, mut secured) = noise::Config::new(key)?.upgrade_outbound(socket, "/noise").await?;
    secured.write_all(&offer).await?;
    secured.flush().await?;
    let mut heard = vec![0; answer.len()];
    secured.read_exact(&mut heard).await?;
    Ok((peer, heard))
}

async fn listen(socket: Pipe, key: &Keypair) -> Heard {
    let [offer, answer] = descriptions();
    let (peer, mut secured) = noise::Config::new(key)?.upgrade_inbound(socket, "/noise").await?;
    let mut heard = vec![0; offer.len()];
    secured.read_exact(&mut heard).await?;
    secured.write_all(&answer).await?;
    secured.flush().await?;
    Ok((peer, heard))
}

/// Lets `count` bytes pass and damages the next one, if there is one. `passed` counts all.
fn damaging(socket: Pipe, count: usize, passed: &Arc<AtomicUsize>) -> Pipe {
    let passed = passed.clone();
    socket.tampered(move |bytes| {
        let before = passed.fetch_add(bytes.len(), Ordering::Relaxed);
        if let Some(byte) = count.checked_sub(before).and_then(|at| bytes.get_mut(at)) {
            *byte ^= 1;
        }
    })
}

/// Both sides' results when the byte with this number is damaged on its way, and how many there were.
fn exchange(
    keys: &[Keypair; 2],
    of_the_dialler: Option<usize>,
    of_the_listener: Option<usize>,
) -> (Heard, Heard, [usize; 2]) {
    let counts = [Arc::<AtomicUsize>::default(), Arc::default()];
    let (alice, bob) = pipe();
    let alice = damaging(alice, of_the_dialler.unwrap_or(usize::MAX), &counts[0]);
    let bob = damaging(bob, of_the_listener.unwrap_or(usize::MAX), &counts[1]);
    let (alices, bobs) = (Cell::new(waiting()), Cell::new(waiting()));
    let (dialling, listening) = (dial(alice, &keys[0]), listen(bob, &keys[1]));
    let both = async {
        join(async { alices.set(dialling.await) }, async { bobs.set(listening.await) }).await;
    };
    // Whoever waits when nothing moves any more would wait until its patience ends.
    let mut context = Context::from_waker(Waker::noop());
    let mut both = pin!(both);
    for _ in 0..POLLS_ENOUGH {
        if both.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    (alices.replace(waiting()), bobs.replace(waiting()), counts.map(|count| count.load(Ordering::Relaxed)))
}

fn waiting() -> Heard {
    Err("it waits".into())
}

#[test]
fn damaging_any_relayed_byte_never_alters_a_message() {
    let keys = [Keypair::generate_ed25519(), Keypair::generate_ed25519()];
    let names = keys.each_ref().map(|key| key.public().to_peer_id());
    let [offer, answer] = descriptions();
    let (alices, bobs, lengths) = exchange(&keys, None, None);
    assert_eq!(alices.unwrap(), (names[1], answer), "untouched, they understand each other");
    assert_eq!(bobs.unwrap(), (names[0], offer.clone()));
    for at in 0..lengths[0] {
        let (alices, bobs, _) = exchange(&keys, Some(at), None);
        assert!(bobs.is_err(), "byte {at} of the dialler is another, and the listener took it");
        assert!(alices.is_err(), "byte {at} of the dialler is another, and it got an answer");
    }
    for at in 0..lengths[1] {
        let (alices, bobs, _) = exchange(&keys, None, Some(at));
        assert!(alices.is_err(), "byte {at} of the listener is another, and the dialler took it");
        if let Ok(heard) = bobs {
            assert_eq!(heard, (names[0], offer.clone()), "byte {at}: what was said to the listener was untouched");
        }
    }
}

/// It can also answer in the place of whom it should lead to. It proves to be somebody, not that one.
#[test]
fn relay_that_impersonates_a_peer_has_its_own_id() {
    let [alice, bob, relay] = std::array::from_fn(|_| Keypair::generate_ed25519());
    let (heard, ..) = exchange(&[alice, relay.clone()], None, None);
    let (peer, _) = heard.unwrap();
    assert_eq!(peer, relay.public().to_peer_id());
    assert_ne!(peer, bob.public().to_peer_id(), "the swarm compares this with whom it dialled");
}
