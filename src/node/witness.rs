//! A witness's service: verify a fact, decide from the receipt log, store, and only then sign.
//!
//! What may get a receipt is decided by `core::sync::witness`. The order is what makes it trustworthy: a receipt that
//! was signed but not stored could be contradicted after a crash, one that was stored but not sent is given again when
//! the fact is presented again. For the same reason a log that lost a record, or that belongs to another key or
//! network, is never used. Records are numbered without gaps, so a missing one is noticed at the start.
//!
//! It sends nothing itself: a host passes it requests and carries its answers.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::store::migration::migrate;
use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Durability, Store, StoreError, Table};
use gen_registry_core::fact::{self, SignedFact};
use gen_registry_core::identity::{Did, SignatureError, Signed, SigningIdentity, Topic};
use gen_registry_core::limits::CLOCK_SKEW;
use gen_registry_core::sync::witness::{NotServed, ReceiptLog, Record, Request};
use gen_registry_core::time::Timestamp;

pub use gen_registry_core::sync::witness::wire::{PROTOCOL, REQUEST_MAX_BYTES, WitnessAnswer};

/// Facts in one receipt log. Each takes some hundred bytes of memory and as much of the disk.
pub const RECORDS_MAX: usize = 1_000_000;

/// The key of [`Table::Settings`] under which the log's owner is stored.
const OWNER_KEY: &str = "witness";
/// What the keys of the log's records begin with, in [`Table::Changes`]: outside of every owner's own keys. A number
/// follows, in the order of approvals.
const RECORD_PREFIX: &str = "witness/";

/// Why a witness can't start. Nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("the witness's book can't be read")]
    Store(#[from] StoreError),
    #[error("the record {0} of the witness's book is damaged. Bring the book back from a copy")]
    Damaged(String),
    #[error("the record {key} of the witness's book holds no fact")]
    NoFact { key: String, source: SignatureError },
    #[error("a record is missing from the witness's book before {0}. Bring the book back from a copy")]
    Gap(String),
    #[error("the witness's book was written by {found}, but the key is that of {own}")]
    OtherKey { own: Did, found: Did },
    #[error("the witness's book belongs to another network")]
    OtherTopic,
}

/// Whose book it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    identity: Did,
    topic: Topic,
}

struct Pages {
    book: ReceiptLog,
    records: usize,
    /// The date of the newest receipt.
    latest: Timestamp,
}

/// One witness of one network.
pub struct WitnessServer {
    topic: Topic,
    key: SigningIdentity,
    records: Records,
    most: usize,
    /// Held from the decision to the signature: two requests for one name come one after the other.
    pages: async_lock::Mutex<Pages>,
}

impl WitnessServer {
    /// Reads the receipt log of `key` from the store, or begins one if there is none.
    pub async fn start(store: Rc<dyn Store>, key: SigningIdentity, topic: Topic) -> Result<Self, WitnessError> {
        let records = Records::new(store);
        migrate(&records).await?;
        let pages = read(&records, &topic).await?;
        let own = Owner { identity: key.identity(), topic };
        match records.get::<Owner>(Table::Settings, OWNER_KEY).await? {
            StoredRecord::Record(owner) if owner == own => {}
            // A key that was made but never kept has signed nothing.
            StoredRecord::Nothing | StoredRecord::Record(_) if pages.records == 0 => {
                records.commit(vec![put(Table::Settings, OWNER_KEY, &own)], Durability::Strict).await?;
            }
            StoredRecord::Record(Owner { topic, .. }) if topic != own.topic => return Err(WitnessError::OtherTopic),
            StoredRecord::Record(Owner { identity, .. }) => {
                return Err(WitnessError::OtherKey { own: own.identity, found: identity });
            }
            StoredRecord::Nothing | StoredRecord::Damaged(_) => {
                return Err(WitnessError::Damaged(OWNER_KEY.to_owned()));
            }
        }
        Ok(Self { topic, key, records, most: RECORDS_MAX, pages: async_lock::Mutex::new(pages) })
    }

    /// Requires proof of work of claims.
    #[must_use]
    pub fn asking_for_work(mut self, bits: u32) -> Self {
        self.pages.get_mut().book.ask_for_work(bits);
        self
    }

    /// Sets the most facts, [`RECORDS_MAX`] by default.
    #[must_use]
    pub fn with_room_for(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Returns the identity that signs its receipts.
    pub fn identity(&self) -> Did {
        self.key.identity()
    }

    /// Returns how many facts have got a receipt.
    pub async fn receipted(&self) -> usize {
        self.pages.lock().await.records
    }

    /// Answers one request. `now` is this witness's own clock; the date in the fact decides nothing.
    pub async fn answer(&self, request: &[u8], now: Timestamp) -> WitnessAnswer {
        let Ok(request) = Request::decode(request) else { return WitnessAnswer::NotServed(NotServed::Unreadable) };
        if request.topic != self.topic {
            return WitnessAnswer::NotServed(NotServed::ForeignTopic);
        }
        match fact::verify(&request.fact, &self.topic) {
            Ok(fact) => self.witness(&fact, now).await,
            Err(_) => WitnessAnswer::NotServed(NotServed::BadFact),
        }
    }

    async fn witness(&self, fact: &SignedFact, now: Timestamp) -> WitnessAnswer {
        let mut pages = self.pages.lock().await;
        // Positions follow the order in which claims came, also when the clock was set back a little.
        if now.plus(CLOCK_SKEW) < pages.latest {
            tracing::error!(%now, newest = %pages.latest, "the clock is far behind the newest receipt; nothing is signed");
            return WitnessAnswer::Busy;
        }
        let now = now.max(pages.latest);
        let approval = match pages.book.consider(fact, now) {
            Ok(approval) => approval,
            Err(refusal) => return WitnessAnswer::Refused(refusal),
        };
        if let Some(record) = approval.record {
            if pages.records >= self.most {
                tracing::error!(records = pages.records, "the witness's book is full");
                return WitnessAnswer::Busy;
            }
            let batch = vec![put(Table::Changes, &record_key(pages.records), &record)];
            if let Err(error) = self.records.commit(batch, Durability::Strict).await {
                tracing::error!(%error, "a receipt could not be stored; it is not given");
                return WitnessAnswer::Busy;
            }
            pages.note(fact, record.witnessed_at);
        }
        WitnessAnswer::Receipt(Signed::sign(&self.key, &self.topic, approval.receipt).encode())
    }
}

impl Pages {
    fn note(&mut self, fact: &SignedFact, witnessed_at: Timestamp) {
        self.book.note(fact, witnessed_at);
        self.records += 1;
        self.latest = self.latest.max(witnessed_at);
    }
}

async fn read(records: &Records, topic: &Topic) -> Result<Pages, WitnessError> {
    let mut pages = Pages { book: ReceiptLog::default(), records: 0, latest: Timestamp::default() };
    let mut after: Option<String> = None;
    loop {
        let page = records.page::<Record>(Table::Changes, RECORD_PREFIX, after.as_deref()).await?;
        if let Some(damaged) = page.damaged.first() {
            return Err(WitnessError::Damaged(damaged.key.clone()));
        }
        for (key, record) in page.records {
            if key != record_key(pages.records) {
                return Err(WitnessError::Gap(key));
            }
            let fact = Signed::decode_unverified(&record.fact, topic)
                .map_err(|source| WitnessError::NoFact { key, source })?;
            pages.note(&fact, record.witnessed_at);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(pages),
        }
    }
}

fn record_key(number: usize) -> String {
    format!("{RECORD_PREFIX}{number:012}")
}
