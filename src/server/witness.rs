//! The witness beside the relay: its files in the data folder, and the thread it runs on.
//!
//! ```text
//!   relay's tasks                              thread "witness"
//!   WitnessEndpoint ── WitnessRequest ──────►  one at a time: verify, decide, write to the disk, sign
//!                   ◄───── Reply ───────────   (`WitnessServer::answer`)
//!   queue full: the peer is answered "busy"    ends when the last endpoint is dropped, after the write under way
//! ```
//!
//! A thread of its own, because a store may not leave its thread and each receipt waits for the disk. What may be
//! signed is decided by `node::witness`.
//!
//! At the first start the receipt log is created first, then the key is saved. A key without a log is refused: the
//! witness would sign what contradicts its earlier receipts. A log without a key and without records has signed
//! nothing, and is used.

use std::{
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    thread,
};

use tokio::sync::{mpsc, oneshot};

use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::{Identity, SigningIdentity, Topic};
use gen_registry_node::net::relay::{
    key::save_secret,
    witness::{ExchangeOutcome, Reply, WitnessEndpoint, WitnessRequest},
};
use gen_registry_node::platform::{Environment, native::Native};
use gen_registry_node::store::{
    Store,
    memory::MemoryStore,
    sqlite::{SqliteError, SqliteStore},
};
use gen_registry_node::witness::{PROTOCOL, REQUEST_MAX_BYTES, WitnessAnswer, WitnessError, WitnessServer};

/// The key's file in the data folder.
pub const KEY_FILE: &str = "witness.key";
/// The receipt log's file in the data folder.
pub const BOOK_FILE: &str = "witness.db";
/// The beginning of the key's file, so that no other secret is taken for it.
const KEY_KIND: &str = "gen-registry/witness-key/v1";
/// Requests that wait for the witness. It answers some hundred in a second; more would only wait until their deadline.
const REQUESTS_WAITING: usize = 64;

/// Why the witness could not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessStartError {
    #[error("could not read the witness's key from {}", path.display())]
    ReadKey { path: PathBuf, source: io::Error },
    #[error("could not write the witness's key to {}", path.display())]
    WriteKey { path: PathBuf, source: io::Error },
    #[error("the witness's key in {} is damaged. Bring the file back from a copy", .0.display())]
    DamagedKey(PathBuf),
    #[error(
        "the witness's key is here but its book {} is missing. Bring the book back from a copy, or remove {KEY_FILE}: \
         the witness then begins anew, as another one", .0.display()
    )]
    BookMissing(PathBuf),
    #[error(transparent)]
    Book(#[from] SqliteError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error("the witness's thread could not be started")]
    Thread(#[from] io::Error),
    #[error("the witness's thread ended before it began")]
    Ended,
}

/// A running witness. It ends when the last clone of its endpoint is dropped.
pub struct Witness {
    /// The identity that signs its receipts.
    pub identity: Identity,
    /// The queue to it, for the relay.
    pub door: WitnessEndpoint,
    /// Resolves when the receipt log is closed.
    pub ended: oneshot::Receiver<()>,
}

/// Starts the witness of this folder; without a folder, one whose key and log end with the process. Returns once the
/// log is read.
pub async fn start(data: Option<PathBuf>, topic: Topic, work_bits: u32) -> Result<Witness, WitnessStartError> {
    let (questions, requests) = mpsc::channel(REQUESTS_WAITING);
    let (began, beginning) = oneshot::channel();
    let (closed, ended) = oneshot::channel();
    // A store stays on its thread, and waits for the disk there.
    thread::Builder::new().name("witness".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => {
                let opening = async { Ok(open(data.as_deref(), topic).await?.asking_for_work(work_bits)) };
                runtime.block_on(live(opening, began, requests));
            }
            Err(error) => drop(began.send(Err(error.into()))),
        }
        let _ = closed.send(());
    })?;
    let identity = beginning.await.map_err(|_| WitnessStartError::Ended)??;
    tracing::info!(%identity, "the witness is ready");
    let busy = WitnessAnswer::Busy.encode();
    let door = WitnessEndpoint { protocol: PROTOCOL, request_max_bytes: REQUEST_MAX_BYTES, busy, questions };
    Ok(Witness { identity, door, ended })
}

/// Runs on the witness's thread: opens the log, then answers requests until the queue is closed.
async fn live(
    opening: impl Future<Output = Result<WitnessServer, WitnessStartError>>,
    began: oneshot::Sender<Result<Identity, WitnessStartError>>,
    mut requests: mpsc::Receiver<WitnessRequest>,
) {
    let server = match opening.await {
        Ok(server) => server,
        Err(error) => return drop(began.send(Err(error))),
    };
    if began.send(Ok(server.identity())).is_err() {
        return;
    }
    while let Some(WitnessRequest { request, reply }) = requests.recv().await {
        // Who asked may be gone already; then there is nothing to sign.
        if reply.is_closed() {
            continue;
        }
        let answer = server.answer(&request, Native.now()).await;
        let outcome = match answer {
            WitnessAnswer::Receipt(_) => ExchangeOutcome::Receipt,
            WitnessAnswer::Refused(_) => ExchangeOutcome::Refused,
            WitnessAnswer::Busy | WitnessAnswer::NotServed(_) => ExchangeOutcome::Other,
        };
        let _ = reply.send(Reply { bytes: answer.encode(), outcome });
    }
}

/// Opens the receipt log and the key, and creates both at the first start.
async fn open(data: Option<&Path>, topic: Topic) -> Result<WitnessServer, WitnessStartError> {
    let Some(folder) = data else {
        tracing::warn!(
            "the witness has a new key and an empty book for this run: what it confirms is provisional again after the \
             next start; with --data it keeps both"
        );
        let store: Rc<dyn Store> = Rc::new(MemoryStore::new());
        return Ok(WitnessServer::start(store, fresh_key(), topic).await?);
    };
    let book = folder.join(BOOK_FILE);
    let stored_key = load_key(folder)?;
    if stored_key.is_some() && !book.is_file() {
        return Err(WitnessStartError::BookMissing(book));
    }
    let key = stored_key.clone().unwrap_or_else(fresh_key);
    let server = WitnessServer::start(Rc::new(SqliteStore::open(&book)?), key.clone(), topic).await?;
    if stored_key.is_none() {
        let save = save_secret(folder, KEY_FILE, &encode_key(&key));
        save.map_err(|source| WitnessStartError::WriteKey { path: folder.join(KEY_FILE), source })?;
    }
    Ok(server)
}

/// Generates a key that is not stored.
fn fresh_key() -> SigningIdentity {
    let mut entropy = zeroize::Zeroizing::new([0; 32]);
    Native.random(entropy.as_mut_slice());
    SigningIdentity::from_entropy(&entropy)
}

/// Reads the key's file, if there is one.
fn load_key(folder: &Path) -> Result<Option<SigningIdentity>, WitnessStartError> {
    let path = folder.join(KEY_FILE);
    match fs::read(&path).map(zeroize::Zeroizing::new) {
        Ok(bytes) => decode_key(&bytes).map(Some).map_err(|_| WitnessStartError::DamagedKey(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WitnessStartError::ReadKey { path, source }),
    }
}

/// Encodes the key: the kind, the entropy, and the public key's hash, by which a damaged file is noticed.
fn encode_key(key: &SigningIdentity) -> zeroize::Zeroizing<Vec<u8>> {
    let check = Digest::of(key.identity().as_bytes());
    zeroize::Zeroizing::new(Encoder::new().text(KEY_KIND).fixed(&key.entropy()).fixed(check.as_bytes()).finish())
}

/// Decodes and checks the key's file.
fn decode_key(bytes: &[u8]) -> Result<SigningIdentity, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    if decoder.text()? != KEY_KIND {
        return Err(DecodeError::OutOfRange);
    }
    let entropy = zeroize::Zeroizing::new(decoder.array()?);
    let check = Digest::from_bytes(decoder.array()?);
    decoder.end()?;
    let key = SigningIdentity::from_entropy(&entropy);
    if Digest::of(key.identity().as_bytes()) == check { Ok(key) } else { Err(DecodeError::OutOfRange) }
}
