//! The limit on what is given to others: stored, and applied to every block that peers are sent.
//!
//! Peers take turns: each waits in line for one block at a time, whoever asked for how many. Without a limit there is no
//! line.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_timer::Delay;
use serde::{Deserialize, Serialize};

use crate::blocks::ContentStore;
use crate::context::Context;
use crate::store::records::put;
use crate::store::{Durability, Table};
use gen_registry_api::{Failure, FailureCode};
use gen_registry_core::sync::blocks::upload::{UPLOAD_MIN_BYTES_PER_SECOND, UploadLimit};

/// The key of [`Table::Settings`] under which the limit is stored.
pub(crate) const RECORD: &str = "upload";
/// How often who waits looks whether the limit was changed meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The limit in its stored form.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UploadRecord {
    bytes_per_second: Option<u32>,
}

/// The limit, and the line of those who wait.
#[derive(Default)]
pub(super) struct Upload {
    limit: RefCell<UploadLimit>,
    line: async_lock::Mutex<()>,
    waiting: Cell<usize>,
}

/// The turn of one block; the next one in line follows when it is dropped.
pub(super) struct Turn<'a> {
    upload: &'a Upload,
    _first_in_line: Option<async_lock::MutexGuard<'a, ()>>,
}

/// A place in the line, given up when it is dropped.
struct Place<'a>(&'a Cell<usize>);

impl<'a> Place<'a> {
    fn take(waiting: &'a Cell<usize>) -> Self {
        waiting.set(waiting.get() + 1);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Upload {
    /// Begins with what was stored; a limit that nobody could have set counts as the lowest one.
    pub(super) fn new(stored: UploadRecord) -> Self {
        let upload = Self::default();
        let limit = stored.bytes_per_second.map(|limit| limit.max(UPLOAD_MIN_BYTES_PER_SECOND));
        let set = upload.limit.borrow_mut().set(limit);
        debug_assert!(set.is_ok(), "it is not below the lowest");
        upload
    }

    /// Waits for the turn of one block. Returns `None` if too many wait already.
    pub(super) async fn turn(&self, context: &Context) -> Option<Turn<'_>> {
        if self.limit.borrow().bytes_per_second().is_none() {
            return Some(Turn { upload: self, _first_in_line: None });
        }
        if !self.limit.borrow().has_room(self.waiting.get()) {
            return None;
        }
        let _place = Place::take(&self.waiting);
        let first_in_line = self.line.lock().await;
        loop {
            let wait = self.limit.borrow().wait(context.now());
            if wait.is_zero() {
                return Some(Turn { upload: self, _first_in_line: Some(first_in_line) });
            }
            Delay::new(wait.min(LOOK_EVERY)).await;
        }
    }
}

impl Turn<'_> {
    /// Counts the bytes that are given, and ends the turn.
    pub(super) fn give(self, bytes: usize, context: &Context) {
        self.upload.limit.borrow_mut().give(bytes, context.now());
    }
}

impl ContentStore {
    /// Returns how many bytes per second are given to others at most; `None` is no limit.
    pub(crate) fn upload_limit(&self) -> Option<u32> {
        self.upload.limit.borrow().bytes_per_second()
    }

    /// Stores a limit on what is given to others, and applies it from now on, also to those who wait.
    pub(crate) async fn limit_upload(&self, bytes_per_second: Option<u32>) -> Result<(), Failure> {
        let mut wanted = UploadLimit::default();
        wanted.set(bytes_per_second).map_err(|_| too_low())?;
        let record = UploadRecord { bytes_per_second };
        self.context.commit(vec![put(Table::Settings, RECORD, &record)], Durability::Strict).await?;
        self.upload.limit.borrow_mut().set(bytes_per_second).map_err(|_| too_low())
    }
}

fn too_low() -> Failure {
    Failure::new(
        FailureCode::InvalidArgument,
        format!("A limit is at least {} KiB per second.", UPLOAD_MIN_BYTES_PER_SECOND / 1024),
        "Choose a higher one, or none.",
    )
}
