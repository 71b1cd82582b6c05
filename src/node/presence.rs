//! This node's presence: it is shown while there is an identity that wants to be seen, and everybody else as they say
//! of themselves. Deciding is the machine's (`registry::presence`); here are its key, its clock, and its way to others.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Node;
use crate::errors;
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::GossipTopic;
use crate::people;
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::*;
use gen_registry_core::chat::ChannelName;
use gen_registry_core::identity::{Identity, Signed, SigningIdentity};
use gen_registry_core::name::Username;
use gen_registry_core::presence::Event as News;
use gen_registry_core::presence::heartbeat::ATTENDANCE_LASTS;
use gen_registry_core::presence::{Attendance, Input, NodeId, Output, Presence, PresenceError, User};
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
pub(crate) struct Online {
    /// None until this node takes part.
    machine: Option<Presence>,
    kept: Kept,
    /// Said goodbye for this run.
    away: bool,
}

impl Online {
    pub(crate) fn machine(&self) -> Option<&Presence> {
        self.machine.as_ref()
    }
}

/// A node's name, where names are peer ids.
fn name_of(node: &NodeId) -> Option<NetPeerId> {
    NetPeerId::from_public_key(node.as_bytes())
}

impl Node {
    /// Begins a run under the node's own key.
    pub(crate) async fn open_presence(&self, key: &NodeKey) -> Result<(), StoreError> {
        let mut kept: Kept = match self.records.get(Table::Settings, RECORD).await? {
            StoredRecord::Record(kept) => kept,
            StoredRecord::Nothing => Kept::default(),
            // Perhaps this person did not want to be seen.
            StoredRecord::Damaged(damaged) => {
                self.quarantine(&damaged).await;
                Kept { invisible: true, ..Kept::default() }
            }
        };
        let next = Timestamp::from_millis(kept.session.as_millis() + 1);
        kept.session = self.environment.now().max(next);
        let seed = Zeroizing::new(key.seed());
        let machine = Presence::new(self.network.topic, SigningIdentity::from_entropy(&seed), kept.session);
        *self.online.borrow_mut() = Online { machine: Some(machine), kept, away: false };
        self.keep_presence().await
    }

    async fn keep_presence(&self) -> Result<(), StoreError> {
        let kept = self.online.borrow().kept.clone();
        self.records.commit(vec![put(Table::Settings, RECORD, &kept)], Durability::Relaxed).await
    }

    /// Some time has passed, or this profile became somebody else.
    pub(crate) async fn presence_tick(&self) {
        self.settle_presence().await;
        self.present(Input::Tick).ok();
    }

    /// Registers or unregisters as things are now: whose profile it is, and whether that person wants to be seen.
    async fn settle_presence(&self) {
        let Some(shown) = self.online.borrow().machine.as_ref().map(Presence::registered) else { return };
        let wanted = self.wanted_online();
        if shown == wanted {
            return;
        }
        match wanted {
            None => drop(self.present(Input::UnregisterUser)),
            Some(own) => {
                let Some(attendance) = self.attendance(own).await else { return };
                // Meanwhile the person may have become invisible or said goodbye.
                if self.wanted_online() != Some(own) {
                    return;
                }
                let channels = self.channels.borrow().names();
                let input = Input::RegisterUser { attendance: Box::new(attendance), channels };
                if let Err(error) = self.present(input) {
                    tracing::warn!(%error, "this node is not shown as online");
                }
            }
        }
    }

    /// Returns the person this node is to show as online, unless they are invisible or said goodbye.
    fn wanted_online(&self) -> Option<Identity> {
        let online = self.online.borrow();
        self.identity().filter(|_| !online.kept.invisible && !online.away)
    }

    /// The person's word for this node: a kept one, or a new one while the key is open.
    async fn attendance(&self, own: Identity) -> Option<Signed<Attendance>> {
        let (node, kept) = {
            let online = self.online.borrow();
            (online.machine.as_ref()?.me(), online.kept.attendance.clone())
        };
        let now = self.environment.now();
        let kept = Signed::<Attendance>::verify(&kept, &self.network.topic).ok();
        let kept = kept.filter(|kept| kept.author() == own && kept.statement().node == node);
        let lasts = |kept: &Signed<Attendance>| kept.statement().until > now.plus(ATTENDANCE_LASTS / 2);
        let signer = self.state.borrow().key_state.signer().ok().filter(|signer| signer.identity() == own);
        let Some(signer) = signer.filter(|_| !kept.as_ref().is_some_and(lasts)) else {
            return kept.filter(|kept| kept.statement().until > now);
        };
        let until = now.plus(ATTENDANCE_LASTS);
        let given = Signed::sign(&signer, &self.network.topic, Attendance { node, until });
        self.online.borrow_mut().kept.attendance = given.encode().into();
        if let Err(error) = self.keep_presence().await {
            tracing::warn!(%error, "the word for this node is not kept");
        }
        Some(given)
    }

    /// Gives the machine one input, and does what it says. True when that is worth passing on.
    pub(crate) fn present(&self, input: Input) -> Result<bool, PresenceError> {
        let now = self.environment.now();
        let outputs = match &mut self.online.borrow_mut().machine {
            Some(machine) => machine.handle(input, now)?,
            None => return Ok(false),
        };
        let mut news = false;
        let mesh = self.peering.borrow().mesh();
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
                        self.ask_who_joined(user, channel);
                    }
                    if !self.blocks_person(event.user()) {
                        self.tell(&self.told(event));
                    }
                }
            }
        }
        Ok(news)
    }

    /// Goodbye, before the node leaves its network.
    pub(crate) fn say_goodbye(&self) {
        self.online.borrow_mut().away = true;
        self.present(Input::UnregisterUser).ok();
    }

    pub(crate) async fn register_user(&self, username: Option<&str>) -> Result<(), Failure> {
        self.identity().ok_or_else(errors::no_identity)?;
        self.check_own(username)?;
        self.online.borrow_mut().away = false;
        self.set_invisible(false).await
    }

    pub(crate) async fn unregister_user(&self, username: Option<&str>) {
        // No other person can be logged out from here.
        if self.check_own(username).is_ok() {
            self.online.borrow_mut().away = true;
            self.settle_presence().await;
        }
    }

    pub(crate) async fn set_invisible(&self, invisible: bool) -> Result<(), Failure> {
        let changed = std::mem::replace(&mut self.online.borrow_mut().kept.invisible, invisible) != invisible;
        if changed {
            self.keep_presence().await.map_err(errors::store_failed)?;
        }
        self.settle_presence().await;
        Ok(())
    }

    /// A node speaks for its own person only.
    pub(crate) fn check_own(&self, username: Option<&str>) -> Result<(), Failure> {
        let Some(asked) = username else { return Ok(()) };
        let own = self.identity().and_then(|own| people::entry(&self.state.borrow(), &own));
        let same = own.is_some_and(|own| asked.parse().is_ok_and(|asked: Username| asked.as_str() == own.username));
        if same { Ok(()) } else { Err(errors::unknown_user(asked)) }
    }

    pub(crate) fn online_report(&self) -> OnlineReport {
        let online = self.online.borrow();
        let users = online.machine.as_ref().map(Presence::users).unwrap_or_default();
        OnlineReport {
            visible: online.machine.as_ref().is_some_and(|machine| machine.registered().is_some()),
            invisible: online.kept.invisible,
            users: self.shown_users(users).collect(),
        }
    }

    pub(crate) fn online_in(&self, channel: &ChannelName) -> Vec<OnlineUser> {
        let online = self.online.borrow();
        let Some(machine) = &online.machine else { return Vec::new() };
        let users = machine.channel_users(channel).into_iter().filter_map(|user| machine.user(&user));
        self.shown_users(users).collect()
    }

    fn shown_users(&self, users: impl IntoIterator<Item = User>) -> impl Iterator<Item = OnlineUser> {
        let users = users.into_iter().filter(|user| !self.blocks_person(&user.user));
        users.map(|user| self.online_user(user))
    }

    fn online_user(&self, user: User) -> OnlineUser {
        let shown = self.shown(&user.user);
        let here = self.peering.borrow().mesh().map(|mesh| mesh.local_peer_id());
        let device = |device: gen_registry_core::presence::Device| {
            let name = name_of(&device.node)?;
            Some(OnlineDevice {
                node: name.to_string(),
                here: Some(name) == here,
                seen_at: device.seen.as_millis(),
                expires_at: device.expires.as_millis(),
                channels: device.channels.iter().map(ToString::to_string).collect(),
            })
        };
        OnlineUser {
            did: user.user.to_string(),
            public_key: user.user.to_hex(),
            username: shown.username,
            display_name: shown.display_name,
            avatar: shown.avatar,
            mine: shown.mine,
            channels: user.channels.iter().map(ToString::to_string).collect(),
            devices: user.nodes.into_iter().filter_map(device).collect(),
        }
    }

    fn told(&self, news: News) -> Event {
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
            username: self.shown(&user).username,
            node: node.and_then(|node| name_of(&node)).map(|name| name.to_string()),
            channel: channel.map(String::from),
        }
    }

    /// How somebody is shown beside what they say or do.
    pub(crate) fn shown(&self, user: &Identity) -> Shown {
        let state = self.state.borrow();
        let profile = state.index.person(user).map(|person| &person.profile);
        Shown {
            username: people::entry(&state, user).map(|entry| entry.username),
            display_name: profile.and_then(|profile| profile.display_name.clone()),
            avatar: profile.and_then(|profile| profile.avatar.clone()),
            mine: state.key_state.identity() == Some(*user),
        }
    }
}

pub(crate) struct Shown {
    pub(crate) username: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) avatar: Option<String>,
    pub(crate) mine: bool,
}
