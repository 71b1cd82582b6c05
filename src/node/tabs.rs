//! One profile in several tabs: one tab runs the node (the writer), the others forward their commands to it. Each network
//! has a profile of its own, with its own database, lock and channel ([`opening`]).
//!
//! Every tab requests the same exclusive Web Lock. The browser grants it to one; that tab opens the store and answers.
//! When it is closed, or crashes, the browser grants the lock to the next one. Where there are no Web Locks, a lease in
//! the database decides ([`lease`]). Every command carries an id, and the node stores the ids that it has carried out
//! together with their effects, so a command that is sent twice has its effect once.
//!
//! ```text
//!   tab A (writer)             BroadcastChannel            tab B (follower)
//!                         ◄── Ask { 7, SetupUser } ───     forward: sent again every 3 s while nothing is received
//!   Working { 7 }         ────────────────────────────►    no longer sent again: it may take long
//!   stores the claim together with the id 7
//!   ✗ closed before it answers
//!                              the browser grants the lock to tab C, which opens the store
//!   tab C (writer)        ─── Ready ──────────────────►    sends all unanswered commands again
//!                         ◄── Ask { 7, SetupUser } ───
//!   7 is done already: answers with the present state
//!                         ─── Answer { 7, Me } ───────►    the form shows the name
//! ```
//!
//! A command that carries or brings out a secret ([`Command::is_secret`]) goes through no channel, where every page of this
//! origin could read it. The tab that has it becomes the writer:
//!
//! ```text
//!   tab A (writer)             BroadcastChannel            tab B (follower)
//!                         ◄── HandOver { B } ──────────    forward: RecoveryPhrase
//!   ends its node, releases the lock
//!                         ─── HandedOver { B } ────────►   is granted the lock, carries the command out
//!   waits for the lock again                               a tab C that is granted it lets B pass
//! ```
//!
//! If tab B itself is granted the lock, it carries out its own unanswered commands. If no writer shows any sign after
//! five sendings, the command fails with [`FailureCode::NoWriter`]. A writer that is one no longer, or whose node is
//! started anew ([`writer`]), forwards what it had not finished, too.

mod lease;
mod opening;
mod writer;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use gloo::timers::future::TimeoutFuture;
use serde::{Deserialize, Serialize};
use wasm_bindgen_futures::spawn_local;

use crate::RequestId;
use crate::errors;
use crate::network::Network;
use crate::network::opening::Opening;
use crate::platform::Environment;
use crate::platform::browser::tabs::TabChannel;
use crate::platform::browser::{Browser, when_leaving};
use crate::store::StoreError;
use gen_registry_api::client::{Listener, NodeConnection};
use gen_registry_api::*;
use opening::{Found, Undecided};
use writer::{Profile, Writer, WriterState};

/// A writer acknowledges a command at once; without an acknowledgement for this long, the command is sent again.
const RESEND_MILLIS: u32 = 3_000;
/// After this many sendings without any sign of a writer the command fails.
const SENDINGS_MAX: u32 = 5;

/// The outcome of a command.
type Outcome = Result<Answer, Failure>;

/// A message between tabs. Both sides are the same version, or one of them is about to be reloaded.
#[derive(Serialize, Deserialize)]
enum Message {
    /// A follower has a command.
    Ask { id: RequestId, command: Command },
    /// The writer is carrying it out.
    Working { id: RequestId },
    /// The outcome, for the tab that asked; others ignore it.
    Answer { id: RequestId, outcome: Outcome },
    /// Something changed: an event of the node, for all tabs.
    Event(Event),
    /// A new writer is ready: send again what is unanswered.
    Ready,
    /// A tab is open. The writer counts them.
    Here { tab: String },
    /// A tab is being closed, and writes nothing more.
    Gone { tab: String },
    /// A tab waits for the lease: its holder shows that it still runs.
    RenewLease,
    /// A tab has a command that goes through no channel, and asks the writer to let it write.
    HandOver { to: String },
    /// The writer did.
    HandedOver { to: String },
    /// The writer can't: what it has is in its memory only.
    Kept { to: String },
}

/// A forwarded command without an answer.
struct PendingCommand {
    command: Command,
    /// Who waits for the outcome in this tab.
    answer: oneshot::Sender<Outcome>,
    /// Whether the writer has acknowledged it.
    working: Rc<Cell<bool>>,
}

/// What this tab does for the profile.
#[derive(Clone)]
enum TabRole {
    /// Another tab has the lock, or none has it yet.
    Following,
    /// This tab writes and runs the node.
    Writing(Rc<Writer>),
    /// This tab may write, but the store can't be opened.
    Failed(StoreError),
    /// This tab belongs to no network: it came by a link, and the person has to choose first.
    Undecided(Rc<Undecided>),
}

/// The state of a tab, shared by its handles.
struct SharedTab {
    /// What this tab does for the profile now.
    role: RefCell<TabRole>,
    /// The channel to other tabs; `None` if the browser has none, as before it was opened.
    channel: RefCell<Option<TabChannel>>,
    /// Forwarded commands without an answer, by their ids.
    pending: RefCell<BTreeMap<RequestId, PendingCommand>>,
    /// The listeners in this tab.
    listeners: RefCell<Vec<(u64, Listener)>>,
    next: Cell<u64>,
    /// This tab's random id, the beginning of its commands' ids.
    tab: String,
    /// The other tabs, as far as this one knows. Only the writer needs them.
    others: RefCell<BTreeSet<String>>,
    /// What only the tab that writes, or wants to, has.
    writer: WriterState,
    /// The network of the link by which this tab was opened.
    linked: RefCell<Option<String>>,
    /// Whether this browser also has a profile of the first version.
    earlier_profile: Cell<bool>,
}

/// A tab's connection to the profile's node. Clones share it.
#[derive(Clone)]
pub struct Tab(Rc<SharedTab>);

impl Tab {
    /// Joins the other tabs and requests the lock, for as long as the tab is open.
    pub fn open() -> Self {
        let mut id = [0; 8];
        Browser.random(&mut id);
        let shared = Rc::new(SharedTab {
            role: RefCell::new(TabRole::Following),
            channel: RefCell::new(None),
            pending: RefCell::default(),
            listeners: RefCell::default(),
            next: Cell::new(0),
            tab: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            others: RefCell::default(),
            writer: WriterState::default(),
            linked: RefCell::default(),
            earlier_profile: Cell::new(false),
        });
        let tab = Self(shared);
        let leaving = tab.clone();
        when_leaving(move || leaving.leave());
        let opening = tab.clone();
        spawn_local(async move { opening.open_profile().await });
        tab
    }

    /// Finds out which network's profile this tab opens, then joins its other tabs.
    async fn open_profile(&self) {
        let Found { directory, opening, linked, earlier_profile } = match opening::find().await {
            Ok(found) => found,
            Err(error) => return self.take_role(TabRole::Failed(error)),
        };
        self.0.earlier_profile.set(earlier_profile);
        self.0.linked.replace(linked.map(String::from));
        match opening {
            Opening::Undecided { served } => {
                self.take_role(TabRole::Undecided(Rc::new(Undecided { directory, served })));
            }
            Opening::Profile { network, served } => {
                self.join_tabs(&network);
                self.write_when_possible(Profile { directory, network, served }).await;
            }
        }
    }

    /// Opens the channel to the other tabs of the network, and sends them what was asked for meanwhile.
    fn join_tabs(&self, network: &Network) {
        let receiver = self.clone();
        match TabChannel::open(&opening::database_of(&network.topic), move |bytes| receiver.receive(&bytes)) {
            Ok(channel) => *self.0.channel.borrow_mut() = Some(channel),
            Err(error) => tracing::error!(?error, "there is no channel to other tabs"),
        }
        self.announce_tab();
        self.send_pending();
    }

    /// Sets what this tab does, and carries out its own unanswered commands.
    fn take_role(&self, role: TabRole) {
        *self.0.role.borrow_mut() = role;
        for (id, pending) in std::mem::take(&mut *self.0.pending.borrow_mut()) {
            let tab = self.clone();
            // Carried out here: there is no other tab to send it to again.
            pending.working.set(true);
            spawn_local(async move {
                let outcome = tab.carry_out(id, pending.command).await;
                // The asker may be gone.
                drop(pending.answer.send(outcome));
            });
        }
    }

    /// Carries out a command in this tab, if it is the writer. What its node has not finished when it ends is forwarded: to
    /// the tab that writes now, or to this one once its node is started again.
    async fn carry_out(&self, id: RequestId, command: Command) -> Outcome {
        let role = self.0.role.borrow().clone();
        match role {
            TabRole::Writing(writer) => match writer.carry_out(&id, &command).await {
                Some(outcome) => outcome.map(|answer| match answer {
                    Answer::Status(status) => Answer::Status(self.0.writer.complete(status)),
                    other => other,
                }),
                None => self.clone().forward(id, command).await,
            },
            TabRole::Failed(error) => Err(errors::store_failed(error)),
            TabRole::Undecided(undecided) => undecided.carry_out(command).await,
            TabRole::Following => self.clone().forward(id, command).await,
        }
    }

    /// Handles a message of another tab.
    fn receive(&self, bytes: &[u8]) {
        let Ok(message) = cbor4ii::serde::from_slice::<Message>(bytes) else {
            tracing::warn!("a message of another version of this page");
            return;
        };
        let role = self.0.role.borrow().clone();
        match message {
            Message::Ask { id, command } if !matches!(role, TabRole::Following) => {
                self.send(&Message::Working { id: id.clone() });
                let tab = self.clone();
                spawn_local(async move {
                    let outcome = tab.carry_out(id.clone(), command).await;
                    tab.send(&Message::Answer { id, outcome });
                });
            }
            Message::Ask { .. } => {}
            Message::Working { id } => {
                if let Some(pending) = self.0.pending.borrow().get(&id) {
                    pending.working.set(true);
                }
            }
            Message::Answer { id, outcome } => {
                let pending = self.0.pending.borrow_mut().remove(&id);
                if let Some(pending) = pending {
                    drop(pending.answer.send(outcome));
                }
            }
            Message::Event(event) => self.dispatch(&event),
            Message::Here { tab } => {
                self.0.others.borrow_mut().insert(tab);
            }
            Message::Gone { tab } => {
                self.0.others.borrow_mut().remove(&tab);
                self.0.writer.tab_goes();
            }
            Message::RenewLease => self.renew_lease(),
            Message::HandOver { to } => {
                if let TabRole::Writing(_) = &role {
                    self.hand_over(to);
                }
            }
            Message::HandedOver { to } => {
                if to == self.0.tab {
                    self.set_working_secrets();
                }
                self.see_handed_over(&to);
            }
            Message::Kept { to } if to == self.0.tab => self.refuse_secrets(),
            Message::Kept { .. } => {}
            Message::Ready => {
                self.0.writer.see_writer();
                self.announce_tab();
                self.dispatch(&Event::WriterChanged);
                self.send_pending();
            }
        }
    }

    /// Forwards a command and waits for the writer, whichever tab that is by then.
    async fn forward(self, id: RequestId, command: Command) -> Outcome {
        let (sender, mut receiver) = oneshot::channel();
        let working = Rc::new(Cell::new(false));
        let pending = PendingCommand { command: command.clone(), answer: sender, working: working.clone() };
        self.0.pending.borrow_mut().insert(id.clone(), pending);
        let mut sendings = 0;
        loop {
            if !working.get() {
                sendings += 1;
                self.request(&id, &command);
            }
            let mut patience = TimeoutFuture::new(RESEND_MILLIS).fuse();
            futures::select! {
                outcome = receiver => return mark_follower(outcome.unwrap_or_else(|_| Err(errors::internal()))),
                () = patience => {}
            }
            if !working.get() && sendings >= SENDINGS_MAX {
                self.0.pending.borrow_mut().remove(&id);
                return Err(Failure::new(
                    FailureCode::NoWriter,
                    "The tab that keeps your data does not answer.",
                    "Close other tabs of this app, or reload this one.",
                ));
            }
        }
    }

    /// Sends the unanswered commands to the writer.
    fn send_pending(&self) {
        for (id, pending) in self.0.pending.borrow().iter() {
            pending.working.set(false);
            self.request(id, &pending.command);
        }
    }

    /// Sends a command to the writer, or asks it to let this tab carry it out.
    fn request(&self, id: &RequestId, command: &Command) {
        self.send(&if command.is_secret() {
            Message::HandOver { to: self.0.tab.clone() }
        } else {
            Message::Ask { id: id.clone(), command: command.clone() }
        });
    }

    /// Has the commands wait that this tab is about to carry out itself.
    fn set_working_secrets(&self) {
        for pending in self.0.pending.borrow().values().filter(|pending| pending.command.is_secret()) {
            pending.working.set(true);
        }
    }

    /// Answers the commands that this tab can't carry out.
    fn refuse_secrets(&self) {
        let all = std::mem::take(&mut *self.0.pending.borrow_mut());
        let (refused, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, pending)| pending.command.is_secret());
        self.0.pending.borrow_mut().extend(kept);
        for pending in refused.into_values() {
            let failure = Failure::new(
                FailureCode::NoWriter,
                "Your data are in the memory of another tab only, since this browser keeps none.",
                "Do this in the tab that was open first.",
            );
            // The asker may be gone.
            drop(pending.answer.send(Err(failure)));
        }
    }

    /// Adds to a report of the network what this tab alone can tell.
    fn complete(&self, report: NetworkReport) -> NetworkReport {
        let linked = self.0.linked.borrow().clone().filter(|linked| *linked != report.topic);
        NetworkReport { linked, earlier_profile: self.0.earlier_profile.get(), ..report }
    }

    /// Announces this tab to the others.
    fn announce_tab(&self) {
        self.send(&Message::Here { tab: self.0.tab.clone() });
    }

    /// Called when the tab is closed.
    fn leave(&self) {
        if let TabRole::Writing(writer) = &*self.0.role.borrow() {
            self.stop_writing(writer);
        }
        self.send(&Message::Gone { tab: self.0.tab.clone() });
    }

    /// Emits an event to this tab's listeners and all other tabs.
    fn broadcast(&self, event: &Event) {
        self.dispatch(event);
        self.send(&Message::Event(event.clone()));
    }

    /// Passes an event to the listeners in this tab.
    fn dispatch(&self, event: &Event) {
        let listeners: Vec<Listener> = self.0.listeners.borrow().iter().map(|(_, listener)| listener.clone()).collect();
        for listener in listeners {
            listener(event);
        }
    }

    /// Sends a message to all other tabs.
    fn send(&self, message: &Message) {
        match cbor4ii::serde::to_vec(Vec::new(), message) {
            Ok(bytes) => {
                if let Some(channel) = self.0.channel.borrow().as_ref() {
                    channel.send(&bytes);
                }
            }
            Err(error) => tracing::error!(%error, "a message can't be written"),
        }
    }

    /// This tab's random id.
    fn id(&self) -> &str {
        &self.0.tab
    }

    /// Returns a number that was not used before in this tab.
    fn next(&self) -> u64 {
        self.0.next.replace(self.0.next.get() + 1)
    }
}

/// Corrects a status that the writer answered: the tab that asked is not the writer.
fn mark_follower(outcome: Outcome) -> Outcome {
    outcome.map(|answer| match answer {
        Answer::Status(status) => Answer::Status(Status { writer: false, ..status }),
        other => other,
    })
}

impl NodeConnection for Tab {
    fn ask(&self, command: Command) -> LocalBoxFuture<'static, Outcome> {
        let id = format!("{}-{}", self.0.tab, self.next());
        let tab = self.clone();
        Box::pin(async move {
            // Looked at only now: this tab may have become the writer before the command is awaited.
            tab.carry_out(id, command).await.map(|answer| match answer {
                Answer::Network(report) => Answer::Network(tab.complete(report)),
                other => other,
            })
        })
    }

    fn subscribe(&self, listener: Listener) -> u64 {
        let id = self.next();
        self.0.listeners.borrow_mut().push((id, listener));
        id
    }

    fn unsubscribe(&self, id: u64) {
        self.0.listeners.borrow_mut().retain(|(known, _)| *known != id);
    }
}
