//! A client that asks a witness as a browser does, and what it may expect of an answer.

use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};
use gen_registry_core::actors::Device;
use gen_registry_core::keys::PublicKey;
use gen_registry_core::log::Entry;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::asking::wire::{Answer, Ask, PROTOCOL, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use libp2p::{Multiaddr, PeerId, swarm::StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};
use tokio::task::JoinHandle;

use crate::support::relay_client::{Client, patient, peer_of};

/// A client that asks the witness of one relay.
pub struct Asker {
    control: Control,
    relay: PeerId,
    task: JoinHandle<()>,
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Asker {
    pub async fn at(relay: &Multiaddr) -> Self {
        let mut client = Client::new();
        client.connect(relay).await;
        let control = client.0.behaviour().streams.new_control();
        Self { control, relay: peer_of(relay), task: client.left_running() }
    }

    pub async fn open(&mut self) -> Result<libp2p::Stream, OpenStreamError> {
        patient("a stream", self.control.open_stream(self.relay, StreamProtocol::new(PROTOCOL))).await
    }

    /// What comes back for these bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.open().await.map_err(io::Error::other)?;
        let exchange = async {
            stream.write_all(bytes).await?;
            stream.close().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        patient("an answer or the end", exchange).await
    }

    /// Shows an entry of a device.
    pub async fn ask(&mut self, device: &Device, entry: &Entry) -> Answer {
        self.try_ask(device, entry).await.unwrap()
    }

    /// Does the same where the witness may be gone.
    pub async fn try_ask(&mut self, device: &Device, entry: &Entry) -> io::Result<Answer> {
        let (opening, entry) = (device.opening.encode(), entry.encode());
        let request = Request::Ask(Ask { topic: device.topic, opening, entry, pieces: vec![] });
        Ok(Answer::decode(&self.send(&request.encode()).await?).unwrap())
    }
}

/// When the witness saw the entry, as its receipt says.
pub fn seen(answer: &Answer, witness: &PublicKey, device: &Device, entry: &Entry) -> Timestamp {
    let Answer::Signed(bytes) = answer else { panic!("no receipt: {answer:?}") };
    let receipt = Receipt::decode(&device.topic, bytes).unwrap();
    assert_eq!((receipt.witness, receipt.entry), (*witness, entry.id()));
    receipt.at
}

/// The answer shows the entry that has the name, who signed it, and the witness's receipt of it.
pub fn shows(answer: &Answer, witness: &PublicKey, device: &Device, entry: &Entry) -> Timestamp {
    let Answer::Taken(pieces) = answer else { panic!("not taken: {answer:?}") };
    for shown in [&device.opening, entry] {
        assert!(pieces.contains(&Piece::Entry(shown.encode())), "{pieces:?}");
    }
    let receipts = pieces.iter().filter_map(|piece| match piece {
        Piece::Receipt(bytes) => Some(Answer::Signed(bytes.clone())),
        _ => None,
    });
    let times: Vec<Timestamp> = receipts.map(|receipt| seen(&receipt, witness, device, entry)).collect();
    assert_eq!(times.len(), 1);
    times[0]
}
