//! The list of short messages about what has just happened, with a way back where there is one.
//!
//! Failures stay until they are put away; good news leaves by itself, but not while it is pointed at or focused.

use std::time::Duration;

use leptos::prelude::*;

/// How long good news stays.
const VISIBLE_FOR: Duration = Duration::from_secs(8);
/// More than this many at once are not readable.
const MOST: usize = 4;

/// How a message is coloured and marked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something was done.
    Good,
    /// Something is so.
    Plain,
    /// Something failed; it stays until it is put away.
    Bad,
}

/// One message.
#[derive(Clone)]
pub struct Toast {
    /// Unique on this page.
    pub id: u64,
    pub tone: Tone,
    pub text: String,
    /// Takes back what the message is about.
    pub undo: Option<Callback<()>>,
}

/// Cheap to copy; every copy is the same list.
#[derive(Clone, Copy)]
pub struct Toasts {
    /// The oldest first.
    list: RwSignal<Vec<Toast>>,
    /// The id of the next message.
    next: StoredValue<u64>,
    /// Pointed at or focused: nothing leaves.
    held: RwSignal<bool>,
}

impl Toasts {
    /// An empty list.
    pub fn new() -> Self {
        Self { list: RwSignal::new(Vec::new()), next: StoredValue::new(0), held: RwSignal::new(false) }
    }

    /// The messages, oldest first. Tracks the list.
    pub fn list(self) -> Vec<Toast> {
        self.list.get()
    }

    /// Adds a message.
    pub fn push(self, tone: Tone, text: impl Into<String>) {
        self.add(tone, text.into(), None);
    }

    /// Adds good news.
    pub fn push_good(self, text: impl Into<String>) {
        self.add(Tone::Good, text.into(), None);
    }

    /// Adds good news that can be taken back.
    pub fn push_with_undo(self, text: impl Into<String>, undo: Callback<()>) {
        self.add(Tone::Good, text.into(), Some(undo));
    }

    /// Keeps every message, or lets them leave again.
    pub fn hold(self, held: bool) {
        self.held.set(held);
    }

    /// Takes a message away.
    pub fn dismiss(self, id: u64) {
        self.list.update(|list| list.retain(|toast| toast.id != id));
        if self.list.with_untracked(Vec::is_empty) {
            self.held.set(false);
        }
    }

    fn add(self, tone: Tone, text: String, undo: Option<Callback<()>>) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        self.list.update(|list| {
            // The same sentence twice is noise.
            list.retain(|toast| toast.text != text);
            list.push(Toast { id, tone, text, undo });
            if list.len() > MOST {
                list.remove(0);
            }
        });
        if tone != Tone::Bad {
            self.dismiss_later(id);
        }
    }

    fn dismiss_later(self, id: u64) {
        set_timeout(
            move || {
                if self.held.get_untracked() {
                    self.dismiss_later(id);
                } else {
                    self.dismiss(id);
                }
            },
            VISIBLE_FOR,
        );
    }
}
