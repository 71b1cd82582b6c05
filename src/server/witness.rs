//! The witness beside the relay: its receipt log in the data folder, and the thread it runs on.
//!
//! ```text
//!   relay's tasks                              thread "witness"
//!   WitnessEndpoint ── WitnessRequest ──────►  one at a time: verify, decide, write to the disk, sign
//!                   ◄───── Reply ───────────   (`Witness::answer`)
//!   queue full: the peer is answered "busy"    ends when the last endpoint is dropped, after the write under way
//! ```
//!
//! A thread of its own, because a store may not leave its thread and each receipt waits for the disk. What may be
//! signed is decided by `node::witness`.
//!
//! The receipt log is created first, then the key is saved. A key without a log is refused: the witness would sign what
//! contradicts its earlier receipts. A log without a key and without records has signed nothing, and is used.
//!
//! A witness of a later set begins with the files that the set before handed over (`succession`).

mod succession;

use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
    thread,
};

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::keys::{KeyFileError, WITNESS_KEY, witness_text};
use crate::network::handovers::HandoverFileError;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::network::NetworkHistory;
use gen_registry_core::sync::asking::wire::{Answer, PROTOCOL, REQUEST_MAX_BYTES};
use gen_registry_node::net::relay::witness::{
    ExchangeOutcome, OUTGOING_WAITING, Reply, WitnessEndpoint, WitnessRequest,
};
use gen_registry_node::platform::{Environment, native::Native};
use gen_registry_node::store::{
    Store,
    memory::MemoryStore,
    sqlite::{SqliteError, SqliteStore},
};
use gen_registry_node::witness::{self as node, WitnessError};

/// The receipt log's file in the data folder.
pub const BOOK_FILE: &str = "witness.db";
/// Requests that wait for the witness. It answers some hundred in a second; more would only wait until their deadline.
const REQUESTS_WAITING: usize = 64;
/// Why the witness could not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessStartError {
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(
        "the witness's key is here but its book {} is missing. Bring the book back from a copy. If it is lost, this \
         witness must not sign again: start with --no-witness, or begin a new network in another folder", .0.display()
    )]
    BookMissing(PathBuf),
    #[error(transparent)]
    Book(#[from] SqliteError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    #[error(
        "this witness is of set {set}, which begins with what the set before handed over. Name those files with \
         --handover: the ones that the change was made of, at least {needed}"
    )]
    NoHandover { set: u32, needed: u8 },
    #[error(transparent)]
    HandoverFile(#[from] HandoverFileError),
    #[error("could not make the witness's book {}", path.display())]
    Begin { path: PathBuf, source: io::Error },
    #[error("the witness's thread could not be started")]
    Thread(#[from] io::Error),
    #[error("the witness's thread ended before it began")]
    Ended,
}

/// A running witness. It ends when the last clone of its endpoint is dropped.
pub struct Witness {
    /// The queue to it, for the relay.
    pub door: WitnessEndpoint,
    /// Resolves when the receipt log is closed.
    pub ended: oneshot::Receiver<()>,
}

/// Starts the witness of this key and folder; without a folder, one whose log ends with the process. Returns once the
/// log is read.
pub async fn start(
    data: Option<PathBuf>,
    key: SecretKey,
    history: NetworkHistory,
) -> Result<Witness, WitnessStartError> {
    start_with(data, key, history, Vec::new()).await
}

/// The same with the files that the set before handed over, with which a witness of a later set begins.
pub async fn start_with(
    data: Option<PathBuf>,
    key: SecretKey,
    history: NetworkHistory,
    handovers: Vec<PathBuf>,
) -> Result<Witness, WitnessStartError> {
    let (questions, requests) = mpsc::channel(REQUESTS_WAITING);
    let (began, beginning) = oneshot::channel();
    let (closed, ended) = oneshot::channel();
    let outgoing = broadcast::Sender::new(OUTGOING_WAITING);
    let to_others = outgoing.clone();
    // A store stays on its thread, and waits for the disk there.
    thread::Builder::new().name("witness".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => {
                runtime.block_on(live(open(data.as_deref(), key, history, &handovers), began, requests, to_others));
            }
            Err(error) => drop(began.send(Err(error.into()))),
        }
        let _ = closed.send(());
    })?;
    let key = beginning.await.map_err(|_| WitnessStartError::Ended)??;
    tracing::info!(witness = %witness_text(&key), "the witness is ready");
    let busy = Answer::Busy.encode();
    let door = WitnessEndpoint { protocol: PROTOCOL, request_max_bytes: REQUEST_MAX_BYTES, busy, questions, outgoing };
    Ok(Witness { door, ended })
}

/// Runs on the witness's thread: opens the log, then answers requests until the queue is closed.
async fn live(
    opening: impl Future<Output = Result<node::Witness, WitnessStartError>>,
    began: oneshot::Sender<Result<PublicKey, WitnessStartError>>,
    mut requests: mpsc::Receiver<WitnessRequest>,
    to_others: broadcast::Sender<Vec<u8>>,
) {
    let witness = match opening.await {
        Ok(witness) => witness,
        Err(error) => return drop(began.send(Err(error))),
    };
    if began.send(Ok(witness.key())).is_err() {
        return;
    }
    let mut presence = tokio::time::interval(witness.note_every());
    loop {
        let next = tokio::select! {
            next = requests.recv() => next,
            _ = presence.tick() => {
                witness.note_reachable(Native.now()).await;
                continue;
            }
        };
        let Some(WitnessRequest { request, reply }) = next else { return };
        // Who asked may be gone already; then there is nothing to sign.
        if reply.is_closed() {
            continue;
        }
        let answer = witness.answer(&request, Native.now()).await;
        let outcome = match answer {
            Answer::Signed(_) => ExchangeOutcome::Receipt,
            Answer::Refused(_) | Answer::Taken(_) => ExchangeOutcome::Refused,
            Answer::NotServed(_) => ExchangeOutcome::Unusable,
            Answer::Busy | Answer::Noted | Answer::Named(_) | Answer::Facts(_) => ExchangeOutcome::Other,
        };
        let _ = reply.send(Reply { bytes: answer.encode(), outcome });
        for request in witness.take_outgoing().await {
            // Without a relay that listens there is none to pass it on.
            let _ = to_others.send(request.encode());
        }
    }
}

/// Reads the witness's key of this folder, or makes one. The log is created first: from then on a key without a log is
/// known to have lost it.
pub fn load_or_create_key(folder: &Path) -> Result<SecretKey, WitnessStartError> {
    if WITNESS_KEY.load(folder)?.is_none() {
        SqliteStore::open(&folder.join(BOOK_FILE))?;
    }
    Ok(WITNESS_KEY.load_or_create(folder)?)
}

/// Opens the receipt log, or begins that of a later set with what the set before handed over.
async fn open(
    data: Option<&Path>,
    key: SecretKey,
    history: NetworkHistory,
    handovers: &[PathBuf],
) -> Result<node::Witness, WitnessStartError> {
    let Some(folder) = data else {
        tracing::warn!("the witness has a new key and an empty book for this run; with --data it keeps both");
        return start_in(Rc::new(MemoryStore::new()), key, &history).await;
    };
    if is_to_begin(folder, &history).await? {
        succession::begin(folder, &key, &history, handovers).await?;
    } else if !handovers.is_empty() {
        tracing::info!("the witness has begun before; what --handover names is not needed any more");
    }
    open_book(folder, key, &history).await
}

/// Returns whether the book of a folder is empty, and is that of a later set than the first one.
async fn is_to_begin(folder: &Path, history: &NetworkHistory) -> Result<bool, WitnessStartError> {
    if history.number() == 0 {
        return Ok(false);
    }
    Ok(node::is_empty(book_of(folder)?).await?)
}

/// Opens the witness of a data folder with its book as it is.
pub async fn open_book(
    folder: &Path,
    key: SecretKey,
    history: &NetworkHistory,
) -> Result<node::Witness, WitnessStartError> {
    start_in(book_of(folder)?, key, history).await
}

/// Opens the book's file, which must be there.
fn book_of(folder: &Path) -> Result<Rc<dyn Store>, WitnessStartError> {
    let book = folder.join(BOOK_FILE);
    if !book.is_file() {
        return Err(WitnessStartError::BookMissing(book));
    }
    Ok(Rc::new(SqliteStore::open(&book)?))
}

async fn start_in(
    store: Rc<dyn Store>,
    key: SecretKey,
    history: &NetworkHistory,
) -> Result<node::Witness, WitnessStartError> {
    let witness = node::Witness::start(store, key, history.genesis().clone(), Native.now()).await?;
    for change in history.changes() {
        witness.follow(change.clone()).await?;
    }
    Ok(witness)
}
