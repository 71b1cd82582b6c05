//! A handshake whose candidates are addresses of others: services of the victim's own machine, and devices beside it.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use futures::AsyncWriteExt;
use gen_registry_core::sync::signaling::{Message, PROTOCOL};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::peer::{Mallory, Side, Victim};

/// Where somebody else's services listen, on the victim's machine.
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// How long the victim's browser has to send something there: it makes a check of each pair of candidates every 50 ms.
const WATCHED_FOR: Duration = Duration::from_secs(5);

/// An offer as browsers make it, with this candidate in it.
fn offer(candidate: &str) -> String {
    let lines = [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=ice-ufrag:evil",
        "a=ice-pwd:0123456789abcdefghijklmn",
        "a=ice-options:trickle",
        &format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":")),
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        &format!("a={candidate}"),
    ];
    lines.map(|line| format!("{line}\r\n")).concat()
}

/// Returns how many packets and connections came to the addresses that it named.
pub(crate) async fn name_addresses_of_others(victim: Victim, count: usize) -> usize {
    let came = Rc::new(Cell::new(0_usize));
    let packets = UdpSocket::bind((NEIGHBOUR, 0)).await.expect("an address of this machine");
    let connections = TcpListener::bind((NEIGHBOUR, 0)).await.expect("an address of this machine");
    let udp = packets.local_addr().expect("it is bound").port();
    let tcp = connections.local_addr().expect("it is bound").port();
    let (counted, mut bytes) = (came.clone(), [0; 2_048]);
    spawn_local(async move {
        while packets.recv_from(&mut bytes).await.is_ok() {
            counted.set(counted.get() + 1);
        }
    });
    let counted = came.clone();
    spawn_local(async move {
        while connections.accept().await.is_ok() {
            counted.set(counted.get() + 1);
        }
    });
    let over_udp = format!("candidate:1 1 udp 2122260223 {NEIGHBOUR} {udp} typ host generation 0 ufrag evil");
    let over_tcp =
        format!("candidate:2 1 tcp 1518280447 {NEIGHBOUR} {tcp} typ host tcptype passive generation 0 ufrag evil");
    let trickled = |candidate: &str| {
        Message::Candidate(format!(r#"{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0}}"#)).encode()
    };
    let mut open = Vec::new();
    for _ in 0..count {
        let (mut mallory, life) = Mallory::new(victim.clone(), Side::Initiator);
        spawn_local(life);
        mallory.approach_by_relay().await;
        let Some(mut stream) = mallory.stream_by_relay(PROTOCOL).await else { continue };
        for message in [Message::Offer(offer(&over_udp)).encode(), trickled(&over_udp), trickled(&over_tcp)] {
            if stream.write_all(&message).await.is_err() || stream.flush().await.is_err() {
                break;
            }
        }
        open.push((mallory, stream));
    }
    assert!(!open.is_empty(), "the victim takes no handshake");
    sleep(WATCHED_FOR).await;
    came.get()
}
