//! Presence of this node and of everybody else: this node is shown as online while there is an identity that wants to
//! be seen.
//!
//! The state machine is [`gen_registry_core::presence`]; here are its key, its clock, and its way to others.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::channel_store::ChannelStore;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::errors;
use crate::history_requests::HistoryRequests;
use crate::key_store::KeyStore;
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::GossipTopic;
use crate::peers::PeerTable;
use crate::people::answers;
use crate::registry::Registry;
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::*;
use gen_registry_core::chat::ChannelName;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::{Did, SecretKey};
use gen_registry_core::log::Opening;
use gen_registry_core::name::{Username, parse_input};
use gen_registry_core::presence::Event as News;
use gen_registry_core::presence::heartbeat::ATTENDANCE_LASTS;
use gen_registry_core::presence::{Acquaintances, Attendance, Input, NodeId, Output, Presence, PresenceError, User};
use gen_registry_core::signed::Authored;
use gen_registry_core::sync::chat::ChatFrame;
use gen_registry_core::time::Timestamp;

/// The key of [`Table::Settings`] under which the record is stored.
const RECORD: &str = "presence";

/// What is kept from one run to the next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    invisible: bool,
    /// When the last run began; the next one begins later, whatever the clock says.
    session: Timestamp,
    /// The person's word for this node, so that a locked key is no reason to be taken for absent.
    attendance: serde_bytes::ByteBuf,
}

#[derive(Default)]
struct Online {
    /// None until this node takes part.
    machine: Option<Presence>,
    kept: Kept,
    /// Said goodbye for this run.
    away: bool,
}

impl Acquaintances for Registry {
    fn is_known(&self, did: &Did) -> bool {
        Self::is_known(self, did)
    }

    fn opening(&self, digest: &Digest) -> Option<Opening> {
        self.read_model().registry().opening_of(digest).cloned()
    }
}

/// The id under which libp2p knows a node; both are the node's public key.
fn peer_id_of(node: &NodeId) -> Option<NetPeerId> {
    NetPeerId::from_public_key(node.as_bytes())
}

/// The service that knows who is online, and shows this node.
pub(crate) struct PresenceService {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    peers: Rc<PeerTable>,
    channels: Rc<ChannelStore>,
    history: Rc<HistoryRequests>,
    online: RefCell<Online>,
}

impl PresenceService {
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        peers: Rc<PeerTable>,
        channels: Rc<ChannelStore>,
        history: Rc<HistoryRequests>,
    ) -> Self {
        Self { context, keys, registry, decisions, peers, channels, history, online: RefCell::default() }
    }

    /// Calls `read` with the state machine; none until this node takes part.
    pub(crate) fn with_machine<T>(&self, read: impl FnOnce(&Presence) -> T) -> Option<T> {
        self.online.borrow().machine.as_ref().map(read)
    }

    /// The connected nodes of a person.
    pub(crate) fn connected_nodes_of(&self, user: &Did) -> Vec<NetPeerId> {
        let connected = self.peers.connected();
        let nodes = self.with_machine(|machine| machine.user(user)).flatten().map(|user| user.nodes);
        let ids = nodes.into_iter().flatten().filter_map(|device| peer_id_of(&device.node));
        ids.filter(|id| connected.contains(id)).collect()
    }

    /// Whose node it is, while that is online.
    pub(crate) fn person_at(&self, peer: NetPeerId) -> Option<Did> {
        let node = NodeId::from_bytes(&peer.public_key()?)?;
        self.with_machine(|machine| machine.owner(&node)).flatten()
    }

    /// The nodes that are in a channel.
    pub(crate) fn members_of(&self, channel: &ChannelName) -> Vec<NetPeerId> {
        let members = self.with_machine(|machine| machine.members(channel)).unwrap_or_default();
        members.iter().filter_map(peer_id_of).collect()
    }

    /// Somebody joined a channel of this profile. What they said at once may have come before this node's
    /// subscription was known to them.
    fn request_history_of(&self, user: &Did, channel: &ChannelName) {
        if self.channels.state().log(channel).is_none() {
            return;
        }
        for node in self.connected_nodes_of(user) {
            self.history.ask(channel.clone(), Some(node));
        }
    }

    /// Begins a run under the node's own key.
    pub(crate) async fn open(&self, key: &NodeKey) -> Result<(), StoreError> {
        let mut kept: Kept = match self.context.records.get(Table::Settings, RECORD).await? {
            StoredRecord::Record(kept) => kept,
            StoredRecord::Nothing => Kept::default(),
            // Perhaps this person did not want to be seen.
            StoredRecord::Damaged(damaged) => {
                self.context.quarantine(&damaged).await;
                Kept { invisible: true, ..Kept::default() }
            }
        };
        let next = Timestamp::from_millis(kept.session.as_millis() + 1);
        kept.session = self.context.environment.now().max(next);
        let seed = Zeroizing::new(key.seed());
        let registry = self.registry.clone();
        let (topic, key) = (self.context.network.topic, SecretKey::from_seed(&seed));
        let machine =
            Presence::with_room(topic, key, kept.session, self.context.limits.present_nodes, Box::new(registry));
        *self.online.borrow_mut() = Online { machine: Some(machine), kept, away: false };
        self.save().await
    }

    async fn save(&self) -> Result<(), StoreError> {
        let kept = self.online.borrow().kept.clone();
        self.context.records.commit(vec![put(Table::Settings, RECORD, &kept)], Durability::Relaxed).await
    }

    /// Some time has passed, or this profile became somebody else.
    pub(crate) async fn tick(&self) {
        self.update_registration().await;
        self.handle(Input::Tick).ok();
    }

    /// Registers or unregisters as things are now: whose profile it is, and whether that person wants to be seen.
    async fn update_registration(&self) {
        let Some(registered) = self.with_machine(Presence::registered) else { return };
        let wanted = self.wanted_online();
        if registered == wanted {
            return;
        }
        match wanted {
            None => drop(self.handle(Input::UnregisterUser)),
            Some(own) => {
                let Some(attendance) = self.attendance(own).await else { return };
                // Meanwhile the person may have become invisible or said goodbye.
                if self.wanted_online() != Some(own) {
                    return;
                }
                let channels = self.channels.state().names();
                let input = Input::RegisterUser { attendance: Box::new(attendance), channels };
                if let Err(error) = self.handle(input) {
                    tracing::warn!(%error, "this node is not shown as online");
                }
            }
        }
    }

    /// Returns the person this node is to show as online, unless they are invisible or said goodbye.
    fn wanted_online(&self) -> Option<Did> {
        let online = self.online.borrow();
        self.keys.identity().filter(|_| !online.kept.invisible && !online.away)
    }

    /// The person's word for this node: a kept one, or a new one while the key is open.
    async fn attendance(&self, own: Did) -> Option<Authored<Attendance>> {
        let (node, kept) = {
            let online = self.online.borrow();
            (online.machine.as_ref()?.me(), online.kept.attendance.clone())
        };
        let now = self.context.environment.now();
        let kept = Authored::<Attendance>::verify(&kept, &self.context.network.topic).ok();
        let kept = kept.filter(|kept| kept.author() == own && kept.statement().node == node);
        let lasts = |kept: &Authored<Attendance>| kept.statement().until > now.plus(ATTENDANCE_LASTS / 2);
        let keys = self.keys.keys().ok().filter(|keys| keys.did() == own);
        let Some(keys) = keys.filter(|_| !kept.as_ref().is_some_and(lasts)) else {
            return kept.filter(|kept| kept.statement().until > now);
        };
        let until = now.plus(ATTENDANCE_LASTS);
        let said = Attendance { node, until };
        let given = Authored::sign(&keys.device, &self.context.network.topic, &keys.opening, said);
        self.online.borrow_mut().kept.attendance = given.encode().into();
        if let Err(error) = self.save().await {
            tracing::warn!(%error, "the word for this node is not kept");
        }
        Some(given)
    }

    /// Gives the machine one input, and does what it says. True when that is worth passing on.
    pub(crate) fn handle(&self, input: Input) -> Result<bool, PresenceError> {
        let now = self.context.environment.now();
        let outputs = match &mut self.online.borrow_mut().machine {
            Some(machine) => machine.handle(input, now)?,
            None => return Ok(false),
        };
        let mut news = false;
        let mesh = self.peers.mesh();
        for output in outputs {
            match output {
                Output::Say(bytes) => {
                    let frame = ChatFrame::Heartbeat(bytes.clone()).encode();
                    if let Some(mesh) = &mesh {
                        mesh.publish_chat(GossipTopic::Presence, bytes, frame);
                    }
                }
                Output::PassOn => news = true,
                Output::Event(event) => {
                    if let News::Joined { user, channel } = &event {
                        self.request_history_of(user, channel);
                    }
                    if !self.decisions.blocks_person(event.user()) {
                        self.context.emit(&self.presence_event(event));
                    }
                }
            }
        }
        Ok(news)
    }

    /// Goodbye, before the node leaves its network.
    pub(crate) fn say_goodbye(&self) {
        self.online.borrow_mut().away = true;
        self.handle(Input::UnregisterUser).ok();
    }

    pub(crate) async fn register_user(&self, username: Option<&str>) -> Result<(), Failure> {
        self.keys.identity().ok_or_else(errors::no_identity)?;
        self.check_own(username)?;
        self.online.borrow_mut().away = false;
        self.set_invisible(false).await
    }

    pub(crate) async fn unregister_user(&self, username: Option<&str>) {
        // No other person can be logged out from here.
        if self.check_own(username).is_ok() {
            self.online.borrow_mut().away = true;
            self.update_registration().await;
        }
    }

    pub(crate) async fn set_invisible(&self, invisible: bool) -> Result<(), Failure> {
        let changed = std::mem::replace(&mut self.online.borrow_mut().kept.invisible, invisible) != invisible;
        if changed {
            self.save().await.map_err(errors::store_failed)?;
        }
        self.update_registration().await;
        Ok(())
    }

    /// A node speaks for its own person only.
    pub(crate) fn check_own(&self, username: Option<&str>) -> Result<(), Failure> {
        let Some(asked) = username else { return Ok(()) };
        let own = self.keys.identity().and_then(|own| answers::entry(&self.registry.read_model(), Some(own), &own));
        let same =
            own.is_some_and(|own| parse_input::<Username>(asked).is_ok_and(|asked| asked.as_str() == own.username()));
        if same { Ok(()) } else { Err(errors::unknown_user(asked)) }
    }

    pub(crate) fn report(&self) -> OnlineReport {
        let online = self.online.borrow();
        let users = online.machine.as_ref().map(Presence::users).unwrap_or_default();
        OnlineReport {
            visible: online.machine.as_ref().is_some_and(|machine| machine.registered().is_some()),
            invisible: online.kept.invisible,
            users: self.visible_users(users).collect(),
        }
    }

    pub(crate) fn online_in(&self, channel: &ChannelName) -> Vec<OnlineUser> {
        let online = self.online.borrow();
        let Some(machine) = &online.machine else { return Vec::new() };
        let users = machine.channel_users(channel).into_iter().filter_map(|user| machine.user(&user));
        self.visible_users(users).collect()
    }

    fn visible_users(&self, users: impl IntoIterator<Item = User>) -> impl Iterator<Item = OnlineUser> {
        let users = users.into_iter().filter(|user| !self.decisions.blocks_person(&user.user));
        users.map(|user| self.online_user(user))
    }

    fn online_user(&self, user: User) -> OnlineUser {
        let here = self.peers.mesh().map(|mesh| mesh.local_peer_id());
        let device = |device: gen_registry_core::presence::Device| {
            let name = peer_id_of(&device.node)?;
            Some(OnlineDevice {
                node: name.to_string(),
                here: Some(name) == here,
                seen_at: device.seen.as_millis(),
                expires_at: device.expires.as_millis(),
                channels: device.channels.iter().map(ToString::to_string).collect(),
            })
        };
        OnlineUser {
            person: self.summary(&user.user),
            channels: user.channels.iter().map(ToString::to_string).collect(),
            devices: user.nodes.into_iter().filter_map(device).collect(),
        }
    }

    fn presence_event(&self, news: News) -> Event {
        let (what, user, node, channel) = match news {
            News::UserOnline { user, node } => (PresenceNews::Online, user, Some(node), None),
            News::UserOffline { user } => (PresenceNews::Offline, user, None, None),
            News::Joined { user, channel } => (PresenceNews::Joined, user, None, Some(channel)),
            News::Left { user, channel } => (PresenceNews::Left, user, None, Some(channel)),
            News::NodeUp { user, node } => (PresenceNews::NodeUp, user, Some(node), None),
            News::NodeDown { user, node, silent: false } => (PresenceNews::NodeLeft, user, Some(node), None),
            News::NodeDown { user, node, silent: true } => (PresenceNews::NodeDown, user, Some(node), None),
        };
        Event::Presence {
            what,
            did: user.to_string(),
            username: self.summary(&user).username,
            node: node.and_then(|node| peer_id_of(&node)).map(|name| name.to_string()),
            channel: channel.map(String::from),
        }
    }

    /// A person as they are shown beside what they say or do.
    pub(crate) fn summary(&self, user: &Did) -> PersonSummary {
        answers::summary(&self.registry.read_model(), self.keys.identity(), user)
    }
}
