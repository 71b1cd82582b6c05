//! Two connections in one page, over real WebRTC; their signalling goes through a pipe in memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join, poll_fn};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_core::limits::UNREAD_OF_CONNECTION_MAX_BYTES;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::sync::signaling::envelope::EnvelopeError;
use gen_registry_core::sync::signaling::{HandshakeRejection, Message, Role};
use gen_registry_node::net::webrtc::Paths;
use gen_registry_node::net::webrtc::connection::{Connection, ConnectionError, INBOUND_WAITING_MAX};
use gen_registry_node::net::webrtc::establish::{EstablishError, establish};
use gen_registry_node::net::webrtc::frame::{FRAME_MAX_BYTES, FrameError, INBOUND_MAX_BYTES};
use gen_registry_node::net::webrtc::stream::{BUFFERED_HIGH_BYTES, Stream, StreamError};
use gen_registry_node::net::webrtc::unread::TooMuchUnread;
use gloo_timers::future::sleep;
use libp2p::PeerId;
use libp2p::core::muxing::StreamMuxerExt;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::pipe::pipe;

async fn connected() -> (Connection, Connection) {
    let (alice, bob) = pipe();
    let (alice, bob) = join(
        establish(alice, Role::Offerer, &[], &NodeLimits::default()),
        establish(bob, Role::Answerer, &[], &NodeLimits::default()),
    )
    .await;
    (alice.expect("the dialler connects"), bob.expect("the listener connects"))
}

async fn open(connection: &mut Connection) -> Stream {
    poll_fn(|cx| connection.poll_outbound_unpin(cx)).await.expect("a stream opens")
}

async fn accept(connection: &mut Connection) -> Stream {
    poll_fn(|cx| connection.poll_inbound_unpin(cx)).await.expect("a stream arrives")
}

async fn pair_of_streams(from: &mut Connection, to: &mut Connection) -> (Stream, Stream) {
    let stream = open(from).await;
    (stream, accept(to).await)
}

fn reason(error: io::Error) -> StreamError {
    error.into_inner().and_then(|inner| inner.downcast().ok()).map(|reason| *reason).expect("a stream's own error")
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[wasm_bindgen_test]
async fn both_sides_can_open_streams() {
    let (mut alice, mut bob) = connected().await;
    for _ in 0..3 {
        let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
        from.write_all(b"from alice").await.expect("it is written");
        let mut heard = [0; 10];
        to.read_exact(&mut heard).await.expect("it is read");
        assert_eq!(&heard, b"from alice");
        let (mut from, mut to) = pair_of_streams(&mut bob, &mut alice).await;
        from.write_all(b"from bob").await.expect("it is written");
        let mut heard = [0; 8];
        to.read_exact(&mut heard).await.expect("it is read");
        assert_eq!(&heard, b"from bob");
    }
}

#[wasm_bindgen_test]
async fn traffic_of_an_open_connection_is_counted() {
    let (mut alice, mut bob) = connected().await;
    let (paths, peer) = (Paths::default(), PeerId::random());
    assert_eq!(paths.measure(peer).await, None, "nobody is connected");
    paths.add(peer, &alice);
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    let (sent, mut heard) = (pattern(100_000), vec![0; 100_000]);
    let (written, read) = join(from.write_all(&sent), to.read_exact(&mut heard)).await;
    written.expect("it is written");
    read.expect("it is read");
    // The browser counts now and then, not with each byte.
    let mut path = None;
    for _ in 0..100 {
        path = paths.measure(peer).await;
        if path.is_some_and(|path| path.sent_bytes >= 100_000) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let path = path.expect("a pair of candidates is in use");
    assert!(path.sent_bytes >= 100_000 && path.received_bytes > 0, "{path:?}");
    assert!(path.local.is_some() && path.remote.is_some(), "{path:?}");
    drop((from, to, alice, bob));
    assert_eq!(paths.measure(peer).await, None, "it is over");
}

const PIECE: usize = 100_000;

#[wasm_bindgen_test]
async fn five_mebibytes_are_echoed_unchanged() {
    let (mut alice, mut bob) = connected().await;
    let (stream, echo) = pair_of_streams(&mut alice, &mut bob).await;
    let sent = pattern(5 * 1024 * 1024);
    let began = js_sys::Date::now();
    let (mut read, mut write) = stream.split();
    let (mut echo_read, mut echo_write) = echo.split();
    // Nothing slows a sender down but its own bound, and who repeats reads no more while it waits to write.
    let (came_back, mut may_go_on) = futures::channel::mpsc::unbounded();
    let say = async {
        for (number, piece) in sent.chunks(PIECE).enumerate() {
            if number >= INBOUND_MAX_BYTES / 2 / PIECE {
                may_go_on.next().await.expect("pieces come back");
            }
            write.write_all(piece).await.expect("it is written");
        }
        write.close().await.expect("half of it is closed");
    };
    let repeat = async {
        futures::io::copy(&mut echo_read, &mut echo_write).await.expect("it is repeated");
        echo_write.close().await.expect("it is closed");
    };
    let hear = async {
        let (mut heard, mut pieces) = (Vec::<u8>::new(), 0);
        let mut buffer = vec![0; PIECE];
        loop {
            let length = read.read(&mut buffer).await.expect("it is read to the end");
            heard.extend(&buffer[..length]);
            while pieces < heard.len() / PIECE {
                pieces += 1;
                came_back.unbounded_send(()).expect("somebody waits for it");
            }
            if length == 0 {
                return heard;
            }
        }
    };
    let (heard, _) = join(hear, join(say, repeat)).await;
    let took = js_sys::Date::now() - began;
    assert!(heard == sent, "{} bytes came back, or others", heard.len());
    wasm_bindgen_test::console_log!("5 MiB there and back in {took} ms");
}

#[wasm_bindgen_test]
async fn five_mebibytes_arrive_in_one_direction() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    let sent = pattern(5 * 1024 * 1024);
    let began = js_sys::Date::now();
    let say = async {
        from.write_all(&sent).await.expect("it is written");
        from.close().await.expect("it is closed");
    };
    let mut heard = Vec::new();
    let (read, ()) = join(to.read_to_end(&mut heard), say).await;
    read.expect("it is read to the end");
    let took = js_sys::Date::now() - began;
    assert!(heard == sent);
    wasm_bindgen_test::console_log!("5 MiB one way in {took} ms");
}

#[wasm_bindgen_test]
async fn half_closed_stream_still_carries_the_other_direction() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    from.write_all(b"question").await.expect("it is written");
    from.close().await.expect("half of it is closed");
    assert_eq!(reason(from.write_all(b"more").await.expect_err("it is closed")), StreamError::Ended);
    let mut heard = Vec::new();
    to.read_to_end(&mut heard).await.expect("it is read to the end");
    assert_eq!(heard, b"question");
    to.write_all(b"answer").await.expect("the other half is open");
    to.close().await.expect("it is closed");
    // What was sent before a stream was let go arrives.
    drop(to);
    let mut heard = Vec::new();
    from.read_to_end(&mut heard).await.expect("it is read to the end");
    assert_eq!(heard, b"answer");
}

#[wasm_bindgen_test]
async fn a_reset_reaches_the_other_side() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    from.reset();
    assert_eq!(reason(to.read(&mut [0; 9]).await.expect_err("it was reset")), StreamError::Reset);
    assert_eq!(reason(to.write(b"x").await.expect_err("it was reset")), StreamError::Reset);
    // A stream that is let go before its end counts as reset too.
    let (from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    drop(from);
    assert_eq!(reason(to.read(&mut [0; 9]).await.expect_err("it was let go")), StreamError::Reset);
}

#[wasm_bindgen_test]
async fn dropping_a_closed_stream_stops_the_sender() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    to.close().await.expect("half of it is closed");
    drop(to);
    let stopped = async {
        loop {
            if let Err(error) = from.write_all(&[0; 1000]).await {
                return reason(error);
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(matches!(stopped.await, StreamError::Stopped | StreamError::Reset));
}

#[wasm_bindgen_test]
async fn slow_reader_holds_a_bounded_amount_and_its_writer_waits() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, to) = pair_of_streams(&mut alice, &mut bob).await;
    let mut most_buffered = 0;
    let mut most_unread = 0;
    let piece = vec![1; 64 * 1024];
    let error = loop {
        match from.write(&piece).await {
            Ok(_) => {
                most_buffered = most_buffered.max(from.buffered());
                most_unread = most_unread.max(to.unread());
            }
            Err(error) => break reason(error),
        }
    };
    assert!(matches!(error, StreamError::Reset));
    assert!(most_buffered > BUFFERED_HIGH_BYTES as usize, "the writer was not ahead: {most_buffered} buffered");
    assert!(most_buffered <= BUFFERED_HIGH_BYTES as usize + FRAME_MAX_BYTES, "{most_buffered} buffered");
    assert!(most_unread <= INBOUND_MAX_BYTES, "{most_unread} unread");
    assert_eq!(to.unread(), 0, "nothing is kept of a stream that was reset");
    // Others are not hurt.
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    from.write_all(b"fine").await.expect("it is written");
    to.read_exact(&mut [0; 4]).await.expect("it is read");
}

/// Each of the streams holds less than one may; nobody reads any.
#[wasm_bindgen_test]
async fn too_much_unread_on_all_streams_together_ends_the_connection() {
    let (mut alice, mut bob) = connected().await;
    // The writers stay: a stream whose writer is gone holds nothing.
    let (piece, mut writers, mut streams) = (vec![1; INBOUND_MAX_BYTES / 2], Vec::new(), Vec::new());
    let refused = loop {
        let (mut from, to) = pair_of_streams(&mut alice, &mut bob).await;
        streams.push(to);
        // The last one may be lost on the way, with the connection.
        let written = from.write_all(&piece).await;
        writers.push(from);
        if streams.len() * piece.len() > UNREAD_OF_CONNECTION_MAX_BYTES {
            break poll_fn(|cx| bob.poll_unpin(cx).map_ok(drop)).await;
        }
        written.expect("it is written");
        while streams.last().is_some_and(|to| to.unread() < piece.len()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(refused, Err(ConnectionError::TooMuchUnread(TooMuchUnread)));
    assert_eq!(streams.iter().map(Stream::unread).sum::<usize>(), 0, "nothing is kept");
}

#[wasm_bindgen_test]
async fn a_closed_connection_is_noticed_at_once_and_ends_its_streams() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, _to) = pair_of_streams(&mut alice, &mut bob).await;
    let began = js_sys::Date::now();
    let (closed, noticed) =
        join(poll_fn(|cx| bob.poll_close_unpin(cx)), poll_fn(|cx| alice.poll_unpin(cx).map_ok(drop))).await;
    closed.expect("it closes");
    assert_eq!(noticed, Err(ConnectionError::ClosedByPeer));
    let took = js_sys::Date::now() - began;
    assert!(took < 2_000.0, "noticed after {took} ms");
    wasm_bindgen_test::console_log!("a remote close is noticed after {took} ms");
    assert_eq!(reason(from.read(&mut [0; 9]).await.expect_err("it is gone")), StreamError::Reset);
    let outbound = poll_fn(|cx| alice.poll_outbound_unpin(cx)).await;
    assert_eq!(outbound.err(), Some(ConnectionError::ClosedByPeer));
    let inbound = poll_fn(|cx| bob.poll_inbound_unpin(cx)).await;
    assert_eq!(inbound.err(), Some(ConnectionError::Closed));
}

#[wasm_bindgen_test]
async fn data_written_before_a_close_arrives() {
    let (mut alice, mut bob) = connected().await;
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    let sent = pattern(300_000);
    let close = async {
        from.write_all(&sent).await.expect("it is written");
        from.close().await.expect("it is closed");
        poll_fn(|cx| alice.poll_close_unpin(cx)).await.expect("it closes");
    };
    let mut heard = Vec::new();
    let (read, ()) = join(to.read_to_end(&mut heard), close).await;
    read.expect("it is read to the end");
    assert!(heard == sent);
}

#[wasm_bindgen_test]
async fn two_hundred_closed_streams_leave_no_state() {
    let (mut alice, mut bob) = connected().await;
    for _ in 0..200 {
        let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
        from.write_all(b"ping").await.expect("it is written");
        from.close().await.expect("it is closed");
        let mut heard = Vec::new();
        to.read_to_end(&mut heard).await.expect("it is read");
        to.write_all(&heard).await.expect("it is written");
        to.close().await.expect("it is closed");
        heard.clear();
        from.read_to_end(&mut heard).await.expect("it is read");
        assert_eq!(heard, b"ping");
    }
    let began = js_sys::Date::now();
    while alice.streams() + bob.streams() > 0 {
        assert!(js_sys::Date::now() - began < 5_000.0, "{} and {} are left", alice.streams(), bob.streams());
        sleep(Duration::from_millis(10)).await;
    }
}

#[wasm_bindgen_test]
async fn unaccepted_streams_are_limited() {
    let (mut alice, mut bob) = connected().await;
    let mut opened = Vec::new();
    for _ in 0..INBOUND_WAITING_MAX + 5 {
        opened.push(open(&mut alice).await);
    }
    for stream in &mut opened[INBOUND_WAITING_MAX..] {
        assert_eq!(reason(stream.read(&mut [0; 1]).await.expect_err("it is refused")), StreamError::Reset);
    }
    let mut first = accept(&mut bob).await;
    first.write_all(b"x").await.expect("it is written");
    opened[0].read_exact(&mut [0; 1]).await.expect("those within the bound are fine");
}

/// Lets a test speak to the browser itself, around all of ours.
const REMEMBER_LAST_CHANNEL: &str = "
    const original = RTCPeerConnection.prototype.createDataChannel;
    RTCPeerConnection.prototype.createDataChannel = function (label) {
        return window.lastChannel = original.call(this, label);
    };";

#[wasm_bindgen_test]
async fn a_frame_that_breaks_the_protocol_resets_its_stream_only() {
    js_sys::Function::new_no_args(REMEMBER_LAST_CHANNEL).call0(&JsValue::NULL).expect("it is patched");
    let (mut alice, mut bob) = connected().await;
    for (message, error) in [
        (vec![0; FRAME_MAX_BYTES + 1], FrameError::Oversized),
        (vec![0xff, 0xff, 3], FrameError::Oversized),
        (vec![0xff; 10], FrameError::Malformed(EnvelopeError::BadVarint)),
        (vec![2, 0x08, 9], FrameError::UnknownFlag(9)),
        (vec![], FrameError::NotBytes),
    ] {
        let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
        let raw = js_sys::Reflect::get(&js_sys::global(), &"lastChannel".into()).expect("it was remembered");
        from.write_all(b"x").await.expect("it is written");
        to.read_exact(&mut [0; 1]).await.expect("it is read");
        let raw: web_sys::RtcDataChannel = raw.unchecked_into();
        match error {
            FrameError::NotBytes => raw.send_with_str("text"),
            _ => raw.send_with_u8_array(&message),
        }
        .expect("the browser takes it");
        assert_eq!(reason(to.read(&mut [0; 9]).await.expect_err("it is refused")), StreamError::Frame(error));
        assert_eq!(reason(from.read(&mut [0; 9]).await.expect_err("it was reset")), StreamError::Reset);
    }
    let (mut from, mut to) = pair_of_streams(&mut alice, &mut bob).await;
    from.write_all(b"fine").await.expect("it is written");
    to.read_exact(&mut [0; 4]).await.expect("it is read");
}

#[wasm_bindgen_test]
async fn signalling_that_breaks_the_protocol_gives_no_connection() {
    let (alice, mut bob) = pipe();
    bob.write_all(&Message::Candidate("{}".into()).encode()).await.expect("it is written");
    let refused = establish(alice, Role::Answerer, &[], &NodeLimits::default()).await;
    assert!(matches!(refused.err(), Some(EstablishError::Rejected(HandshakeRejection::CandidateTooEarly))));
    let (alice, mut bob) = pipe();
    bob.write_all(&Message::Offer("no description".into()).encode()).await.expect("it is written");
    let refused = establish(alice, Role::Answerer, &[], &NodeLimits::default()).await;
    assert!(matches!(refused.err(), Some(EstablishError::Connection(ConnectionError::Browser { .. }))));
    for role in [Role::Offerer, Role::Answerer] {
        let (alice, bob) = pipe();
        drop(bob);
        let refused = establish(alice, role, &[], &NodeLimits::default()).await;
        assert!(matches!(refused.err(), Some(EstablishError::Rejected(HandshakeRejection::EndedEarly))));
    }
}

/// Another certificate than the one the peer has, in whatever the relay sees of its description.
fn with_another_fingerprint(passing: &mut [u8], changed: &Arc<AtomicUsize>) {
    const BEFORE: &[u8] = b"fingerprint:sha-256 ";
    if let Some(at) = passing.windows(BEFORE.len()).position(|window| window == BEFORE) {
        let digit = &mut passing[at + BEFORE.len()];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        changed.fetch_add(1, Ordering::Relaxed);
    }
}

/// It could only be done to a stream that is not authenticated; and even then it gives no connection.
#[wasm_bindgen_test]
async fn with_a_wrong_fingerprint_there_is_no_connection() {
    for rewritten in [Role::Answerer, Role::Offerer] {
        let changed = Arc::<AtomicUsize>::default();
        let counted = changed.clone();
        let tamper = move |passing: &mut [u8]| with_another_fingerprint(passing, &counted);
        let (alice, bob) = match (pipe(), rewritten) {
            ((alice, bob), Role::Answerer) => (alice, bob.tampered(tamper)),
            ((alice, bob), Role::Offerer) => (alice.tampered(tamper), bob),
        };
        let (alice, bob) = join(
            establish(alice, Role::Offerer, &[], &NodeLimits::default()),
            establish(bob, Role::Answerer, &[], &NodeLimits::default()),
        )
        .await;
        assert_eq!(changed.load(Ordering::Relaxed), 1, "a description was rewritten");
        // The other one reads what was really said, and may see a connection to the right peer until that one refuses.
        let deceived = if rewritten == Role::Answerer { alice.map(drop) } else { bob.map(drop) };
        let refused = matches!(deceived, Err(EstablishError::Connection(_) | EstablishError::TimedOut));
        assert!(refused, "{rewritten:?}: {:?}", deceived.err());
    }
}
