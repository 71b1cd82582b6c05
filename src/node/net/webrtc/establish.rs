//! The WebRTC handshake: from a signalling stream over a relayed connection to a direct connection. Drives the machine
//! of `core::sync::signaling` with the browser's `RTCPeerConnection`.
//!
//! ```text
//!  Alice (dialled: offerer)                                Bob (answerer)
//!  opens /webrtc-signaling/0.0.1 ───── relay ─────►  accepts, if slots are free
//!  createOffer, setLocalDescription
//!                       ──── Offer(SDP) ──────────►  setRemoteDescription
//!                                                    createAnswer, setLocalDescription
//!  setRemoteDescription ◄─── Answer(SDP) ──────────
//!                       ──── Candidate ───────────►  addIceCandidate     (each as soon as the browser finds it,
//!  addIceCandidate      ◄─── Candidate ────────────                       before or after the other side's)
//!  connected  ◄══════════ ICE, DTLS: direct ══════►  connected
//!  closes the stream, which ends the candidates      closes the stream
//! ```
//!
//! The relayed connection is authenticated from end to end, so each description has the fingerprint of the right peer:
//! the relay can't read or replace it.
//!
//! The handshake fails if the machine rejects a message, if the stream breaks before both descriptions are exchanged, if
//! the answerer gets no offer within [`OFFER_SECONDS`](gen_registry_core::node_limits::OFFER_SECONDS), before which it
//! makes no peer connection, and after [`ESTABLISH_TIMEOUT`]. Once they are exchanged the stream may break: the candidates
//! received so far may suffice.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, StreamExt, pin_mut, select_biased};
use futures_timer::Delay;
use js_sys::{JSON, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    RtcDataChannel, RtcIceCandidateInit, RtcPeerConnection, RtcPeerConnectionIceEvent, RtcSdpType,
    RtcSessionDescriptionInit,
};

use super::candidates::{Candidate, CandidateFilter, split_candidates};
use super::connection::{Connection, ConnectionError, INIT_LABEL, create_channel};
use super::offer::{OfferError, READ_BYTES, receive_offer};
use crate::net::ice::IceServer;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::sync::signaling::{HandshakeRejection, InEvent, OutEvent, Role, State};

/// From the first message to the direct connection.
pub const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Why no direct connection was made. Whatever the reason, the peer connection is closed.
#[derive(Debug, thiserror::Error)]
pub enum EstablishError {
    #[error("the handshake failed: {0}")]
    Rejected(#[from] HandshakeRejection),
    #[error("the signalling stream broke: {0}")]
    Signalling(#[from] io::Error),
    #[error("no direct connection: {0}")]
    Connection(#[from] ConnectionError),
    #[error("the candidate is not the JSON object it should be")]
    BadCandidate,
    #[error("no offer in time")]
    NoOffer,
    #[error("no direct connection in time")]
    TimedOut,
}

impl From<OfferError> for EstablishError {
    fn from(error: OfferError) -> Self {
        match error {
            OfferError::Rejected(rejection) => Self::Rejected(rejection),
            OfferError::Signalling(error) => Self::Signalling(error),
            OfferError::TimedOut => Self::NoOffer,
        }
    }
}

/// Establishes a direct connection with the peer at the other end of `signalling`, which must be authenticated: the
/// connection is verified against the fingerprints that are sent on it.
pub async fn establish<S>(
    signalling: S,
    role: Role,
    ice_servers: &[IceServer],
    limits: &NodeLimits,
) -> Result<Connection, EstablishError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = handshake(signalling, role, ice_servers, limits);
    pin_mut!(handshake);
    match select(handshake, Delay::new(ESTABLISH_TIMEOUT)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(EstablishError::TimedOut),
    }
}

/// Waits for the offer if this side is to answer one, then makes the connection.
async fn handshake<S>(
    mut signalling: S,
    role: Role,
    ice_servers: &[IceServer],
    limits: &NodeLimits,
) -> Result<Connection, EstablishError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut state = State::new(role);
    let outputs = match role {
        Role::Offerer => Vec::new(),
        Role::Answerer => {
            let deadline = Delay::new(Duration::from_secs(limits.offer_seconds));
            receive_offer(&mut signalling, &mut state, deadline).await?
        }
    };
    Handshake::new(signalling, role, state, outputs, ice_servers)?.run().await
}

/// Collects this side's candidates until it is dropped.
struct Candidates {
    peer: RtcPeerConnection,
    /// The candidates as JSON, as the browser finds them.
    found: UnboundedReceiver<String>,
    _on_candidate: Closure<dyn FnMut(RtcPeerConnectionIceEvent)>,
}

impl Candidates {
    /// Begins to collect the candidates of a peer connection.
    fn of(peer: &RtcPeerConnection) -> Self {
        // Unbounded: the browser finds a handful of candidates for each network interface and ICE server.
        let (sender, found) = unbounded();
        let on_candidate =
            Closure::<dyn FnMut(RtcPeerConnectionIceEvent)>::new(move |event: RtcPeerConnectionIceEvent| {
                let json = event.candidate().and_then(|candidate| JSON::stringify(&candidate.to_json()).ok());
                if let Some(json) = json.and_then(|json| json.as_string()) {
                    // The receiver is dropped together with this handler.
                    sender.unbounded_send(json).ok();
                }
            });
        peer.set_onicecandidate(Some(on_candidate.as_ref().unchecked_ref()));
        Self { peer: peer.clone(), found, _on_candidate: on_candidate }
    }
}

impl Drop for Candidates {
    fn drop(&mut self) {
        self.peer.set_onicecandidate(None);
    }
}

/// A handshake under way: the machine, the browser's peer connection, and the signalling stream.
struct Handshake<S> {
    signalling: S,
    role: Role,
    /// The machine.
    state: State,
    peer: RtcPeerConnection,
    /// The connection that is being made; dropped, and so closed, if the handshake fails.
    connection: Connection,
    candidates: Candidates,
    /// Which addresses of the other side are tried.
    filter: CandidateFilter,
    /// Both descriptions are exchanged: the stream is no longer needed.
    described: bool,
    /// Whether the stream can still be read; it may end before the connection is made.
    readable: bool,
    /// Whether the stream can still be written.
    writable: bool,
    /// What the machine wants done, in order.
    outputs: VecDeque<OutEvent>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Handshake<S> {
    /// Creates the peer connection; sends nothing yet. `outputs` is what the machine wants done already.
    fn new(
        signalling: S,
        role: Role,
        state: State,
        outputs: Vec<OutEvent>,
        ice_servers: &[IceServer],
    ) -> Result<Self, ConnectionError> {
        let connection = Connection::new(ice_servers)?;
        let peer = connection.peer();
        Ok(Self {
            signalling,
            role,
            state,
            candidates: Candidates::of(&peer),
            filter: CandidateFilter::default(),
            peer,
            connection,
            described: false,
            readable: true,
            writable: true,
            outputs: outputs.into(),
        })
    }

    /// Executes what the machine requires until the connection is made. `init` is kept open until then.
    async fn run(mut self) -> Result<Connection, EstablishError> {
        let init = match self.role {
            Role::Offerer => Some(self.offer().await?),
            Role::Answerer => None,
        };
        let mut buffer = vec![0; READ_BYTES];
        loop {
            while let Some(event) = self.outputs.pop_front() {
                match event {
                    OutEvent::Send(bytes) => self.send(&bytes).await?,
                    OutEvent::RemoteDescription(sdp) => self.describe(&sdp).await?,
                    OutEvent::RemoteCandidate(json) => {
                        let candidate = read_candidate(&json).ok_or(EstablishError::BadCandidate)?;
                        self.try_candidate(candidate).await;
                    }
                    OutEvent::RemoteCandidatesEnd => {}
                    OutEvent::Reject(rejection) => return Err(rejection.into()),
                    OutEvent::Close => {
                        if let Some(init) = init {
                            init.close();
                        }
                        // The connection is established, so errors of the stream do not matter.
                        if let Err(error) = self.signalling.close().await {
                            tracing::debug!(%error, "signalling stream not closed");
                        }
                        self.connection.watch()?;
                        return Ok(self.connection);
                    }
                }
            }
            self.next(&mut buffer).await?;
        }
    }

    /// Waits for one event and feeds it to the machine.
    async fn next(&mut self, buffer: &mut [u8]) -> Result<(), EstablishError> {
        let mut admitted = Vec::new();
        let events = {
            let Self { connection, candidates, filter, signalling, readable, .. } = self;
            let connected = connection.connected().fuse();
            let read =
                async { if *readable { signalling.read(buffer).await } else { futures::future::pending().await } }
                    .fuse();
            pin_mut!(connected, read);
            select_biased! {
                connected = connected => {
                    connected?;
                    self.state.handle(InEvent::Connected)
                }
                candidate = candidates.found.next() => match candidate {
                    Some(json) => {
                        admitted = read_candidate(&json).map(|own| filter.note_own(&own)).unwrap_or_default();
                        self.state.handle(InEvent::LocalCandidate(json))
                    }
                    None => Vec::new(),
                },
                read = read => match read {
                    Ok(length) if length > 0 => self.state.handle(InEvent::Received(&buffer[..length])),
                    Err(error) if !self.described => return Err(error.into()),
                    Ok(_) | Err(_) => {
                        *readable = false;
                        self.state.handle(InEvent::ReceivedEnd)
                    }
                },
            }
        };
        self.outputs.extend(events);
        for candidate in admitted {
            self.add_candidate(&candidate).await;
        }
        Ok(())
    }

    /// Sends a part of the handshake. A broken stream is an error only until both descriptions are exchanged.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), EstablishError> {
        if !self.writable {
            return Ok(());
        }
        let sent = match self.signalling.write_all(bytes).await {
            Ok(()) => self.signalling.flush().await,
            Err(error) => Err(error),
        };
        match sent {
            Err(error) if !self.described => Err(error.into()),
            Err(_) => {
                self.writable = false;
                Ok(())
            }
            Ok(()) => {
                self.described |= self.role == Role::Answerer;
                Ok(())
            }
        }
    }

    /// Creates and sends the offer. Returns a data channel without which the offer would not negotiate any.
    async fn offer(&mut self) -> Result<RtcDataChannel, EstablishError> {
        let init = create_channel(&self.peer, INIT_LABEL)?;
        let offer = JsFuture::from(self.peer.create_offer()).await.map_err(browser("an offer"))?;
        self.set_local(offer).await?;
        Ok(init)
    }

    /// Sets the other side's description; the answerer then creates and sends its own.
    async fn describe(&mut self, sdp: &str) -> Result<(), EstablishError> {
        let kind = match self.role {
            Role::Offerer => RtcSdpType::Answer,
            Role::Answerer => RtcSdpType::Offer,
        };
        let (sdp, candidates) = split_candidates(sdp);
        let description = RtcSessionDescriptionInit::new(kind);
        description.set_sdp(&sdp);
        JsFuture::from(self.peer.set_remote_description(&description))
            .await
            .map_err(browser("the other side's description"))?;
        match self.role {
            Role::Offerer => self.described = true,
            Role::Answerer => {
                let answer = JsFuture::from(self.peer.create_answer()).await.map_err(browser("an answer"))?;
                self.set_local(answer).await?;
            }
        }
        for candidate in candidates {
            self.try_candidate(candidate).await;
        }
        Ok(())
    }

    /// Sets this side's description and passes it to the machine, which sends it.
    async fn set_local(&mut self, description: JsValue) -> Result<(), EstablishError> {
        let sdp = Reflect::get(&description, &"sdp".into()).ok().and_then(|sdp| sdp.as_string()).unwrap_or_default();
        JsFuture::from(self.peer.set_local_description(description.unchecked_ref()))
            .await
            .map_err(browser("its own description"))?;
        self.outputs.extend(self.state.handle(InEvent::LocalDescription(sdp)));
        Ok(())
    }

    /// Adds a candidate of the other side once it may be tried.
    async fn try_candidate(&mut self, candidate: Candidate) {
        match self.filter.admit(candidate) {
            Some(candidate) => self.add_candidate(&candidate).await,
            None => tracing::debug!("ICE candidate not tried"),
        }
    }

    /// Adds a candidate of the other side. An unsupported kind of candidate must not prevent the others.
    async fn add_candidate(&mut self, candidate: &Candidate) {
        let init = RtcIceCandidateInit::new(&candidate.candidate);
        init.set_sdp_mid(candidate.sdp_mid.as_deref());
        init.set_sdp_m_line_index(candidate.sdp_line);
        let added = self.peer.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        if JsFuture::from(added).await.is_err() {
            tracing::debug!("ICE candidate refused");
        }
    }
}

/// Reads a candidate as the browser writes it. The browser gets what was read, never the text.
fn read_candidate(json: &str) -> Option<Candidate> {
    serde_wasm_bindgen::from_value(JSON::parse(json).ok()?).ok()
}

/// Converts an exception of the browser.
fn browser(what: &'static str) -> impl FnOnce(JsValue) -> EstablishError {
    move |error| ConnectionError::browser(what, &error).into()
}
