//! People whose names the real witness of a network confirmed, and rivals who signed for themselves with the witness's
//! key, both as records for a page's store:
//!
//! ```text
//! rivals confirm NETWORK NAMES FILE            asks the witness that NETWORK, a server's /network.json, names
//! rivals forge   NETWORK NAMES FILE FOLDER     signs with the key in the witness's FOLDER, and asks nobody
//! ```
//!
//! The first of them also has the module [`MODULE`] with one release.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program of tests")]

#[allow(dead_code, reason = "stories use the rest")]
mod support;

use std::error::Error;
use std::path::Path;
use std::rc::Rc;

use gen_registry_core::actors::Device;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::body::Release;
use gen_registry_core::log::{Body, Entry, EntryId};
use gen_registry_core::name::ClaimedName;
use gen_registry_core::outcome::Fact;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::slot::Slot;
use gen_registry_core::sync::asking::wire::Answer;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::blocks::Pin;
use gen_registry_node::network::NetworkParameters;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::{Network, Node};
use gen_registry_server::keys::WITNESS_KEY;

use support::asker::Asker;
use support::people::claim_any_with_work;
use support::records::lines;

const MODULE: &str = "crc-32";
/// One client asks for no more receipts: a relay lets a peer ask 120 times in a minute.
const ASKED_AT_ONCE: usize = 100;

/// Who signs receipts.
enum Signer {
    Witness {
        asker: Asker,
        asked: usize,
    },
    /// A copy of the witness's key.
    Forger(SecretKey),
}

impl Signer {
    async fn sign(&mut self, device: &Device, entry: &Entry, network: &Network) -> Vec<u8> {
        match self {
            Self::Forger(key) => {
                let fact = Fact::of(&device.topic, entry, &device.authority()).expect("it says something");
                let slots = fact.slots().iter().map(Slot::digest).collect();
                let set = network.history().number();
                Receipt::sign(&device.topic, key, set, entry.id(), slots, Native.now()).encode()
            }
            Self::Witness { asker, asked } => {
                if *asked == ASKED_AT_ONCE {
                    (*asker, *asked) = (asker_of(network).await, 0);
                }
                *asked += 1;
                match asker.ask(device, entry).await {
                    Answer::Signed(receipt) => receipt,
                    other => panic!("the witness does not sign: {other:?}"),
                }
            }
        }
    }
}

async fn asker_of(network: &Network) -> Asker {
    let relay = network.relays.first().expect("a network with a relay");
    Asker::at(&relay.parse().expect("a relay's address")).await
}

/// The people, on a node that knows nobody else.
struct Camp {
    network: Network,
    signer: Signer,
    node: Node,
    pieces: Vec<Piece>,
}

impl Camp {
    async fn confirm(&mut self, device: &Device, entry: Entry) {
        let receipt = self.signer.sign(device, &entry, &self.network).await;
        self.pieces.extend([Piece::Entry(entry.encode()), Piece::Receipt(receipt)]);
    }

    async fn claim(&mut self, device: &mut Device, name: ClaimedName) -> EntryId {
        let claim = claim_any_with_work(device, name, Native.now(), &self.network);
        let id = claim.id();
        self.confirm(device, claim).await;
        id
    }

    async fn publish(&mut self, device: &mut Device, wasm: &[u8]) {
        let module: gen_registry_core::name::ModuleName = MODULE.parse().expect("a module's name");
        let under = self.claim(device, ClaimedName::Module(module.clone())).await;
        let artifact = self.node.content().keep_artifact(wasm, Pin::Own).await.expect("room for a small file");
        let version = semver::Version::new(1, 0, 0);
        let at: Timestamp = Native.now();
        let release = Release { module, version, artifact, dependencies: vec![], interface: None, under, at };
        let release = device.write(&Body::Release(Box::new(release)));
        self.confirm(device, release).await;
    }
}

/// Names of two words, the digits of the number spelled as letters.
fn name(nth: usize) -> ClaimedName {
    let digits: String = nth.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    ClaimedName::Username(format!("holder_{digits}").parse().expect("a username"))
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [act, network, names, file, folder @ ..] = &arguments[..] else { return Err("see the first lines".into()) };
    let parameters: NetworkParameters = serde_json::from_slice(&std::fs::read(network)?)?;
    let network = Network::try_from(&parameters)?;
    let (signer, answer) = match (&**act, folder) {
        ("confirm", []) => (Signer::Witness { asker: asker_of(&network).await, asked: 0 }, 42),
        ("forge", [folder]) => (Signer::Forger(WITNESS_KEY.load(Path::new(folder))?.ok_or("no key")?), 13),
        _ => return Err("see the first lines".into()),
    };
    let store = Rc::new(MemoryStore::new());
    let node = Node::start(store.clone(), Rc::new(Native), network.clone()).await?;
    let mut camp = Camp { network, signer, node, pieces: vec![] };
    for nth in 0..names.parse()? {
        let mut device = Device::of(camp.network.topic, &format!("{act} {nth}"));
        camp.pieces.push(Piece::Entry(device.opening.encode()));
        camp.claim(&mut device, name(nth)).await;
        if nth == 0 {
            let wasm = wat::parse_str(format!("(module (func (export \"answer\") (result i32) i32.const {answer}))"))?;
            camp.publish(&mut device, &wasm).await;
        }
    }
    let report = camp.node.admission().admit(camp.pieces).await.map_err(|failure| failure.message)?;
    assert_eq!(report.outcome.rejections, []);
    std::fs::write(file, lines(&*store))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()))
}
