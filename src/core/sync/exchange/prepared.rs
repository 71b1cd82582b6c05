//! What any thread can find out of a page beforehand: it needs nothing that is known here, and is most of the work of
//! admitting strangers.
//!
//! ```text
//!   page: [opening of A] [change of A] [receipt] [opening of B] [change of C]
//!     valid      [true, true, true, false, true]        B's is forged
//!     documents  A: made of that one change             C's log begins elsewhere
//! ```
//!
//! A prepared document is used only for an identity of which nothing else is stored ([`PreparedDocument::is_made_of`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::document::{Data, Document, count_operations};
use crate::identity::Topic;
use crate::keys::Did;
use crate::log::{Body, Entry, EntryId, Kind, LogId, Opening};
use crate::receipt::Receipt;
use crate::sync::exchange::wire::{Message, Piece};

/// Operations of all changes of a page that are applied beforehand, some 5 MiB in memory: a page of ordinary people has less
/// than a tenth. A change of 100 bytes can announce thousands, and the bound of its log is checked only when it is admitted.
pub const OPERATIONS_MAX: u64 = 20_000;

/// A page of which this was found out beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedPage {
    /// Which pieces are entries or receipts with valid signatures, in their order.
    pub valid: Vec<bool>,
    /// The documents of identities whose log of changes begins in this page.
    pub documents: Vec<PreparedDocument>,
}

/// What the document says of an identity with one device, whose changes are all in one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedDocument {
    did: Did,
    /// The entry that opened the device's logs.
    opening: EntryId,
    /// The entries of its changes, in their order.
    changes: Vec<EntryId>,
    /// How many of them count.
    counted: u64,
    /// [`Data::encode`].
    data: ByteBuf,
}

impl PreparedDocument {
    /// Whose document it is.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// The entry that opened the device's logs.
    pub fn opening(&self) -> &EntryId {
        &self.opening
    }

    /// Returns whether the document consists of exactly these entries.
    pub fn is_made_of<'a>(&self, changes: impl IntoIterator<Item = &'a EntryId>) -> bool {
        self.changes.iter().eq(changes)
    }

    /// How many changes count.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Bytes of what it says, encoded.
    pub fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// What it says; `None` if it can't be read.
    pub fn data(&self) -> Option<Data> {
        Data::decode(&self.data).ok()
    }
}

/// Checks the signatures in a page (the bytes of a [`Message::Pieces`]), as admitting it does, and builds the documents that
/// begin in it. Returns nothing for what is no page.
pub fn prepare_page(topic: &Topic, page: &[u8]) -> PreparedPage {
    let Ok(Message::Pieces { pieces, .. }) = Message::decode(page) else { return PreparedPage::default() };
    let mut beginnings = Beginnings { logs: BTreeMap::new(), operations: OPERATIONS_MAX };
    let valid = pieces.iter().map(|piece| examine(topic, piece, &mut beginnings)).collect();
    let documents = beginnings.logs.into_values().filter_map(Beginning::finish).collect();
    PreparedPage { valid, documents }
}

/// Checks a piece, and takes note of what logs it begins or continues.
fn examine(topic: &Topic, piece: &Piece, beginnings: &mut Beginnings) -> bool {
    match piece {
        Piece::Entry(bytes) => {
            let Ok(entry) = Entry::decode(topic, bytes) else { return false };
            let log = entry.header().log;
            if !log.are_facts() {
                if let Some(beginning) = beginnings.logs.get_mut(&log.numbered(0)) {
                    beginning.take(&entry, &mut beginnings.operations);
                }
                return true;
            }
            match Body::of(topic, &entry) {
                Ok(Body::Opening(opening)) => {
                    beginnings.logs.insert(log, Beginning::of(entry.id(), *opening));
                    true
                }
                body => body.is_ok(),
            }
        }
        Piece::Receipt(bytes) => Receipt::decode(topic, bytes).is_ok(),
        Piece::Path(..) | Piece::Fork(..) => false,
    }
}

/// The logs that begin in a page.
struct Beginnings {
    logs: BTreeMap<LogId, Beginning>,
    /// What is left of [`OPERATIONS_MAX`].
    operations: u64,
}

/// A device's logs from their opening on, as far as they are in one page.
struct Beginning {
    entry: EntryId,
    opening: Opening,
    changes: Vec<EntryId>,
    /// `None` once there was an entry for which more is needed than the page has, e.g. a checkpoint.
    document: Option<Document>,
}

impl Beginning {
    fn of(entry: EntryId, opening: Opening) -> Self {
        Self { entry, opening, changes: Vec::new(), document: Some(Document::default()) }
    }

    /// Adds the next entry. Without enough operations left, the document is not built.
    fn take(&mut self, entry: &Entry, left: &mut u64) {
        let place = entry.header();
        let goes_on = place.log.number == 1 && place.seq == self.changes.len() as u64;
        if !goes_on || Kind::of(place.kind) != Some(Kind::Change) {
            self.document = None;
        }
        self.changes.push(entry.id());
        // What has not the form of a change is refused before anything of it is decoded.
        match left.checked_sub(count_operations(entry.body()).unwrap_or(0)) {
            Some(rest) => *left = rest,
            None => self.document = None,
        }
        if let Some(document) = &mut self.document {
            // What is refused has no effect, here as anywhere.
            let _ = document.insert_change(place.log, place.seq, entry.id(), entry.body(), self.opening.capabilities());
        }
    }

    fn finish(self) -> Option<PreparedDocument> {
        let document = self.document.filter(|_| !self.changes.is_empty())?;
        let (data, counted) = (document.data()?.encode().into(), document.changes_since_checkpoint() as u64);
        Some(PreparedDocument { did: self.opening.did(), opening: self.entry, changes: self.changes, counted, data })
    }
}
