//! Blocking and trusting: the person's lists, stored on this device and shared, sealed, with the person's other
//! devices.
//!
//! [`Decisions`] answers questions, [`BlockLists`] changes the lists. Sharing uses the own document, which everyone can
//! read: each entry is sealed under a key derived from the identity's key, at a place that does not show its subject.
//!
//! ```text
//!   decide: Bob is blocked    1 stored in the settings, and in force    2 events    3 `share`, or later if it fails:
//!      hand the present list key to the devices that lack it, if this one has the identity key
//!      ─► read the sealed entries of the document ─► merge: of two decisions about one subject the newer counts
//!      ─► write those that the document lacks, sealed with the present key, and delete those that are sealed with one of
//!         before ─► the other devices get it like any change, and `own_document_changed` makes them share in turn
//! ```
//!
//! What is blocked is refused before it costs storage: documents of blocked people ([`Registry`]'s
//! `refuse_documents_of`; their facts are kept, since names follow from them), the data of their checkpoints, their
//! pictures, what they say in channels. What is here already stays, hidden. Once somebody is blocked no more, the next
//! comparison with a peer, within half a minute, asks for their document, and members of the joined channels are asked
//! for history at once.
//!
//! A locked key can neither read nor write the shared entries: sharing then waits until it is unlocked.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::channel_store::ChannelStore;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::errors;
use crate::history_requests::HistoryRequests;
use crate::key_store::KeyStore;
use crate::peers::PeerTable;
use crate::registry::list_keys::{ListKeyId, OwnListKeys};
use crate::registry::{Draft, Registry, RegistryObserver};
use crate::reputation::{Actor, ReputationTracker};
use crate::store::records::put;
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::*;
use gen_registry_core::block_list::{BlockDecision, BlockList, Entry, ListError, Subject};
use gen_registry_core::document::{Edit, sealed_entries};
use gen_registry_core::sealing::NONCE_BYTES;

/// The key of [`Table::Settings`] under which the lists are stored. If damaged, they return from the sealed copy in the
/// document.
pub(crate) const RECORD: &str = "lists";

/// The service that changes the lists, stores them, and shares them with the person's other devices.
pub(crate) struct BlockLists {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    reputation: Rc<ReputationTracker>,
    peers: Rc<PeerTable>,
    channels: Rc<ChannelStore>,
    history: Rc<HistoryRequests>,
    /// Whether something may have to be shared, in either direction.
    due: Cell<bool>,
    /// Which list key the lists were shared with last.
    shared_with: Cell<Option<ListKeyId>>,
    /// Held while the lists are read, changed and stored.
    deciding: async_lock::Mutex<()>,
}

impl RegistryObserver for BlockLists {
    fn own_document_changed(&self) {
        self.due.set(true);
    }
}

impl BlockLists {
    /// Creates the service, and refuses what is blocked. Sharing is due at the start: another device may have decided
    /// something meanwhile.
    #[expect(clippy::too_many_arguments, reason = "a decision touches all of these")]
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        reputation: Rc<ReputationTracker>,
        peers: Rc<PeerTable>,
        channels: Rc<ChannelStore>,
        history: Rc<HistoryRequests>,
    ) -> Self {
        let (due, shared_with, deciding) = (Cell::new(true), Cell::new(None), async_lock::Mutex::new(()));
        let lists = Self {
            context,
            keys,
            registry,
            decisions,
            reputation,
            peers,
            channels,
            history,
            due,
            shared_with,
            deciding,
        };
        lists.refuse_blocked();
        lists
    }

    /// Has the registry refuse the documents of exactly the blocked people, and never the own one, which may have been
    /// on the list before this profile was restored as that person.
    fn refuse_blocked(&self) {
        let own = self.keys.identity();
        let blocked = self.decisions.blocked_people().into_iter().filter(|person| Some(*person) != own);
        self.registry.read_model_mut().registry_mut().refuse_documents_of(blocked);
    }

    /// Carries out a command about the lists.
    pub(crate) async fn handle(&self, ask: BlockListCommand) -> Result<Answer, Failure> {
        match ask {
            BlockListCommand::Reputation { of } => {
                let actor: Actor = of.parse().map_err(|_| not_a_subject("a person or a peer"))?;
                Ok(Answer::Reputation(self.reputation.report(actor)))
            }
            BlockListCommand::BlockList => Ok(Answer::BlockList(self.report())),
            BlockListCommand::Decide { subject, verdict, note } => {
                let subject = subject.parse().map_err(|_| not_a_subject("a person, a peer or a module"))?;
                self.decide(subject, verdict, note.unwrap_or_default()).await?;
                Ok(Answer::BlockList(self.report()))
            }
        }
    }

    /// Records a decision, puts it into force, and shares it.
    async fn decide(&self, subject: Subject, verdict: gen_registry_api::Decision, note: String) -> Result<(), Failure> {
        if let Subject::Person(person) = &subject
            && self.keys.identity() == Some(*person)
        {
            let message = "This is you: nobody blocks or trusts themselves.";
            return Err(Failure::new(FailureCode::InvalidArgument, message, "Choose somebody else."));
        }
        let verdict = match verdict {
            gen_registry_api::Decision::Block => BlockDecision::Block,
            gen_registry_api::Decision::Allow => BlockDecision::Allow,
            gen_registry_api::Decision::Neither => BlockDecision::Neither,
        };
        {
            let _one_at_a_time = self.deciding.lock().await;
            let mut lists = self.decisions.lists().clone();
            lists.decide(subject.clone(), verdict, note.trim().to_owned(), self.context.now()).map_err(refused)?;
            self.save(lists).await.map_err(errors::store_failed)?;
        }
        self.act_on_decision(&subject);
        self.due.set(true);
        self.share_if_due().await;
        Ok(())
    }

    /// Stores the lists, then puts them into force.
    async fn save(&self, lists: BlockList) -> Result<(), StoreError> {
        self.context.records.commit(vec![put(Table::Settings, RECORD, &lists)], Durability::Strict).await?;
        self.decisions.replace(lists);
        Ok(())
    }

    /// Emits what may be shown otherwise, and bans a blocked peer.
    fn act_on_decision(&self, subject: &Subject) {
        match subject {
            Subject::Person(person) => {
                self.refuse_blocked();
                if !self.decisions.blocks_person(person) {
                    // Of what the person said meanwhile nothing was taken.
                    for channel in self.channels.state().names() {
                        self.history.ask(channel, None);
                    }
                }
                let modules = self.registry.modules_with_opinions_of([person]).into_iter().collect();
                let people = BTreeSet::from([*person]);
                let observers = self.registry.observers();
                observers.iter().for_each(|observer| observer.names_changed(&modules, &people));
                self.context.emit(&Event::PeopleChanged { dids: vec![person.to_string()] });
                // Modules of this person are blocked or shown again with them.
                self.context.emit(&Event::ModulesChanged { names: Vec::new() });
            }
            Subject::Module(name) => self.context.emit(&Event::ModulesChanged { names: vec![name.to_string()] }),
            Subject::Peer(peer) => {
                if let (Some(mesh), Ok(name)) = (self.peers.mesh(), peer.to_string().parse())
                    && !self.reputation.is_welcome(name)
                {
                    mesh.ban(name);
                }
                self.context.emit(&Event::NetworkChanged);
            }
        }
    }

    /// Shares the lists if necessary. They are in force here already; a failure is logged, and sharing is tried again
    /// later.
    pub(crate) async fn share_if_due(&self) {
        // A device that was revoked, or another identity key: there is another list key.
        let present = self.keys.identity().and_then(|own| self.registry.list_key_id(&own));
        if !self.due.get() && present == self.shared_with.get() {
            return;
        }
        if let Err(failure) = self.share().await {
            tracing::info!(code = ?failure.code, "the lists are not shared yet");
        }
    }

    /// Takes over what the person's other devices decided, and writes what was decided here into the document. Does
    /// nothing without an open key.
    async fn share(&self) -> Result<(), Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let Ok(keys) = self.keys.keys() else { return Ok(()) };
        let own = keys.did();
        if self.registry.read_model().person(&own).is_none() {
            return Ok(());
        }
        self.due.set(false);
        let mut draft = Draft::default();
        draft.facts.extend(self.registry.hand_out_list_key(&keys));
        let list_keys = self.registry.list_keys(&keys);
        let Some(data) = self.registry.data_of(&own).await? else { return Ok(()) };
        let Opened { shared, outdated, places } = open_entries(&list_keys, sealed_entries(&data));
        let deciding = self.deciding.lock().await;
        let mut lists = self.decisions.lists().clone();
        let before = lists.clone();
        if lists.merge(shared.clone().into_iter().chain(outdated)) {
            self.save(lists.clone()).await.map_err(errors::store_failed)?;
            let changed = lists.entries().filter(|(subject, entry)| before.verdict(subject) != entry.verdict);
            changed.for_each(|(subject, _)| self.act_on_decision(subject));
        }
        drop(deciding);
        if let Some(key) = &list_keys.present {
            let sealed = lists.beyond(&shared).map(|(subject, entry)| {
                let mut nonce = [0; NONCE_BYTES];
                self.context.environment.random(&mut nonce);
                Edit::Private { place: key.place(subject), sealed: Some(key.seal(nonce, subject, entry)) }
            });
            draft.edits.extend(sealed);
            draft.edits.extend(places.into_iter().map(|place| Edit::Private { place, sealed: None }));
        }
        if !draft.facts.is_empty() || !draft.edits.is_empty() {
            let written = self.registry.write(None, keys, draft).await;
            self.due.set(written.is_err());
            written?;
        }
        self.shared_with.set(self.registry.list_key_id(&own));
        Ok(())
    }

    /// Returns the lists for the page, the newest decisions first.
    fn report(&self) -> BlockListReport {
        let (lists, read_model) = (self.decisions.lists(), self.registry.read_model());
        let row = |(subject, entry): (&Subject, &Entry)| BlockListRow {
            subject: subject.to_string(),
            verdict: match entry.verdict {
                BlockDecision::Block => gen_registry_api::Decision::Block,
                BlockDecision::Allow => gen_registry_api::Decision::Allow,
                BlockDecision::Neither => gen_registry_api::Decision::Neither,
            },
            note: Some(entry.note.clone()).filter(|note| !note.is_empty()),
            at: entry.at.as_millis(),
            username: match subject {
                Subject::Person(person) => read_model.username_of(person).map(ToString::to_string),
                Subject::Peer(_) | Subject::Module(_) => None,
            },
        };
        let mut rows: Vec<BlockListRow> = lists.entries().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
        BlockListReport {
            rows,
            shared: self.keys.keys().is_ok_and(|keys| self.registry.list_keys(&keys).present.is_some()),
        }
    }
}

/// What sealed entries say.
#[derive(Default)]
struct Opened {
    /// By those that the present list key opens.
    shared: BTreeMap<Subject, Entry>,
    /// By those that are sealed with a key of before.
    outdated: BTreeMap<Subject, Entry>,
    /// Where the latter are in the document.
    places: Vec<String>,
}

/// Opens what the list keys open. The rest is of a key that this device was not handed, or not yet.
fn open_entries(keys: &OwnListKeys, sealed: Vec<(String, Vec<u8>)>) -> Opened {
    let mut opened = Opened::default();
    for (place, sealed) in sealed {
        let by_present_key = keys.present.as_ref().and_then(|key| key.open(&place, &sealed).ok());
        if let Some((subject, entry)) = by_present_key {
            opened.shared.insert(subject, entry);
        } else if let Some((subject, entry)) = keys.earlier.iter().find_map(|key| key.open(&place, &sealed).ok()) {
            let newer = opened.outdated.get(&subject).is_none_or(|known| *known < entry);
            if newer {
                opened.outdated.insert(subject, entry);
            }
            opened.places.push(place);
        } else {
            tracing::debug!(place, "an entry of the lists is left aside");
        }
    }
    opened
}

/// Words that a text names no subject of the expected kind.
fn not_a_subject(what: &str) -> Failure {
    Failure::new(
        FailureCode::InvalidArgument,
        format!("This names nobody: it has to be {what}."),
        "Write person:did:gen:…, peer:12D3… or module:name.",
    )
}

/// Words why a decision is refused.
fn refused(error: ListError) -> Failure {
    let advice = match error {
        ListError::Full => "Take somebody off the lists first.",
        ListError::NoteTooLong => "Make the note shorter.",
    };
    Failure::new(FailureCode::InvalidArgument, errors::sentence(&error.to_string()), advice)
}
