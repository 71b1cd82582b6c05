//! One WebSocket to the real relay, without anything on it.

use std::io;
use std::pin::Pin;
use std::task::Poll;

use futures::future::{join, poll_fn};
use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use gen_registry_node::net::buffer::{TooMuchUnread, UNREAD_MAX_BYTES};
use gen_registry_node::net::websocket::{
    BUFFERED_MAX_BYTES, MESSAGE_MAX_BYTES, Socket, WebSocketError, WebSocketTransport,
};
use js_sys::{ArrayBuffer, Function, Reflect};
use libp2p::core::transport::{DialOpts, PortUse, TransportError};
use libp2p::core::{Endpoint, Transport as _};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::EventTarget;

use crate::mesh::peer::{patient, relay};

const DIAL: DialOpts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };

async fn dialled() -> Socket {
    let dial = WebSocketTransport.dial(relay().await, DIAL).expect("an address for it");
    patient(dial).await.expect("it does not take for ever").expect("the relay listens")
}

fn reason(error: io::Error) -> WebSocketError {
    error.into_inner().and_then(|inner| inner.downcast().ok()).map(|reason| *reason).expect("a socket's own error")
}

#[wasm_bindgen_test]
async fn writer_waits_for_a_full_buffer_and_closing_wakes_both_sides() {
    let mut socket = dialled().await;
    let nonsense = vec![0xff; 3 * MESSAGE_MAX_BYTES];
    // Nothing is sent while nothing else runs.
    let written = poll_fn(|cx| {
        let mut written = 0;
        while let Poll::Ready(result) = Pin::new(&mut socket).poll_write(cx, &nonsense) {
            let length = result.expect("it is open");
            assert!(length <= MESSAGE_MAX_BYTES);
            written += length;
        }
        Poll::Ready(written)
    })
    .await;
    let bound = BUFFERED_MAX_BYTES as usize;
    assert!(written > bound && written <= bound + MESSAGE_MAX_BYTES, "{written}");
    // The relay does not listen to nonsense for long.
    let (mut reader, mut writer) = socket.split();
    let write = async {
        loop {
            if let Err(error) = writer.write_all(&nonsense).await {
                return reason(error);
            }
        }
    };
    let read = async { reader.read_to_end(&mut Vec::new()).await.map_err(reason) };
    let (write, read) = patient(join(write, read)).await.expect("both hear of it");
    assert!(matches!(write, WebSocketError::Ended | WebSocketError::Broken), "{write}");
    assert!(matches!(read, Ok(_) | Err(WebSocketError::Broken)), "{read:?}");
}

#[wasm_bindgen_test]
async fn only_addresses_of_websockets_are_dialled() {
    for address in ["/ip4/127.0.0.1/tcp/9090", "/webrtc", "/ip4/127.0.0.1/udp/9090/quic-v1"] {
        let refused = WebSocketTransport.dial(address.parse().expect("an address"), DIAL);
        assert!(matches!(refused.err(), Some(TransportError::MultiaddrNotSupported(_))), "{address}");
    }
}

/// Lets a test speak in the relay's place, which says nothing that breaks the rules.
const REMEMBER_LAST_SOCKET: &str = "
    window.WebSocket = class extends window.WebSocket {
        constructor(url) {
            super(url);
            window.lastSocket = this;
        }
    };";

#[wasm_bindgen_test]
async fn text_messages_and_floods_close_the_socket() {
    Function::new_no_args(REMEMBER_LAST_SOCKET).call0(&JsValue::NULL).expect("it is patched");
    let too_much = ArrayBuffer::new(u32::try_from(UNREAD_MAX_BYTES).expect("it fits") + 1);
    for (message, error) in
        [("text".into(), WebSocketError::NotBytes), (too_much.into(), WebSocketError::TooMuchUnread(TooMuchUnread))]
    {
        let mut socket = dialled().await;
        let raw: EventTarget = Reflect::get(&js_sys::global(), &"lastSocket".into())
            .expect("it was remembered")
            .dyn_into()
            .expect("a socket");
        let says: JsValue = message;
        let event = Function::new_with_args("data", "return new MessageEvent('message', { data })")
            .call1(&JsValue::NULL, &says)
            .expect("an event");
        raw.dispatch_event(event.unchecked_ref()).expect("it is heard");
        assert_eq!(reason(socket.read(&mut [0; 1]).await.expect_err("it is refused")), error);
        assert_eq!(reason(socket.write_all(b"x").await.expect_err("it is over")), error);
    }
}
