//! The services of a node and what each is given: the only place that knows them all.
//!
//! Each line of [`Node::assemble`] is one edge list of the dependency graph, and the order of the lines proves that it
//! has no cycle. Where a lower service must cause something in a higher one, it does so through data: `HistoryRequests`
//! is a queue that [`Chat`] reads, the registry calls its observers, which it holds weakly, and events go to listeners.
//!
//! To add a service: give its `new` the context and the services it needs, in this order; build it after them; if it
//! derives something from the read model, let the registry observe it; if it stores something that it needs at once,
//! read that in [`Node::start`] and pass it as a part of [`StoredState`].

use std::rc::Rc;

use crate::Node;
use crate::admit::Admission;
use crate::backup::Backups;
use crate::block_list::BlockLists;
use crate::blocks::ContentStore;
use crate::blocks::upload::UploadRecord;
use crate::channel_store::ChannelStore;
use crate::channels::Channels;
use crate::chat::Chat;
use crate::checkpoints::Checkpoints;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::devices::Devices;
use crate::history_requests::HistoryRequests;
use crate::interests::Interests;
use crate::key_store::KeyStore;
use crate::lookup::Lookups;
use crate::modules::Modules;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::install::Installer;
use crate::modules::installed::{Installations, InstalledModules};
use crate::modules::network_search::NetworkSearch;
use crate::modules::publish::Publisher;
use crate::modules::run::Runner;
use crate::modules::search::ModuleSearch;
use crate::networks::Networks;
use crate::notices::{NoticeLog, Notices};
use crate::peers::PeerTable;
use crate::people::People;
use crate::presence::PresenceService;
use crate::profile::ProfileWriter;
use crate::registry::Registry;
use crate::reputation::{ReputationTracker, Scores};
use crate::retention::{RangeRecord, Retainer};
use crate::witnessing::Witnessing;
use gen_registry_core::block_list::BlockList;

/// What is read at the start and belongs to one service each.
pub(super) struct StoredState {
    /// For [`BlockLists`].
    pub(super) lists: BlockList,
    /// For [`Installations`].
    pub(super) installed: InstalledModules,
    /// For [`ReputationTracker`].
    pub(super) scores: Scores,
    /// For [`Notices`].
    pub(super) notices: NoticeLog,
    /// For [`Retainer`].
    pub(super) range: RangeRecord,
    /// For [`ContentStore`].
    pub(super) upload: UploadRecord,
}

impl Node {
    /// Gives every service what it needs, from the lowest to the highest.
    pub(super) fn assemble(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        stored: StoredState,
    ) -> Self {
        /// One more handle on each service that is named.
        macro_rules! new {
            ($service:ident($($given:ident),* $(; $($last:expr),+)?)) => {
                $service::new($($given.clone()),* $(, $($last),+)?)
            };
        }
        let StoredState { lists, installed, scores, notices, range, upload } = stored;
        let decisions = Rc::new(Decisions::new(lists));
        let installations = Rc::new(Installations::new(installed));
        let peers = Rc::new(PeerTable::default());
        let history = Rc::new(HistoryRequests::default());
        let channel_store = Rc::new(new!(ChannelStore(context)));
        let admission = Rc::new(new!(Admission(context, keys, registry)));
        let presence =
            Rc::new(new!(PresenceService(context, keys, registry, decisions, peers, channel_store, history)));
        let reputation = Rc::new(new!(ReputationTracker(context, peers, decisions, presence; scores)));
        let people = Rc::new(new!(People(context, keys, registry, decisions, reputation, peers)));
        let profile = new!(ProfileWriter(context, keys, registry));
        let devices = new!(Devices(context, keys, registry, peers));
        let notices = Rc::new(new!(Notices(context, keys, registry, decisions, installations; notices)));
        let retainer = Rc::new(new!(Retainer(
            context,
            keys,
            registry,
            decisions,
            installations,
            notices,
            channel_store;
            range
        )));
        let interests = new!(Interests(context, retainer));
        let block_lists =
            Rc::new(new!(BlockLists(context, keys, registry, decisions, reputation, peers, channel_store, history)));
        let backups = new!(Backups(context, keys, registry, admission));
        let content = Rc::new(new!(ContentStore(context, keys, registry, peers, reputation; upload)));
        let lookups = Rc::new(new!(Lookups(context, keys, registry, peers, reputation, content, retainer)));
        let witnessing = Rc::new(new!(Witnessing(context, keys, registry, admission, peers)));
        let checkpoints = Rc::new(new!(Checkpoints(context, registry, content)));
        let catalog = Rc::new(new!(ModuleCatalog(context, keys, registry, decisions, installations, content)));
        let search = Rc::new(new!(ModuleSearch(context, registry, catalog, people)));
        let network_search = Rc::new(new!(NetworkSearch(
            context, keys, registry, decisions, peers, reputation, lookups, catalog, search
        )));
        let installer = new!(Installer(context, keys, registry, decisions, installations, content, catalog));
        let publisher = new!(Publisher(context, keys, registry, installations, peers, content));
        let runner = new!(Runner(context, catalog));
        let channels = Rc::new(new!(Channels(
            context,
            keys,
            registry,
            decisions,
            reputation,
            peers,
            presence,
            channel_store,
            history
        )));
        let chat = Rc::new(new!(Chat(context, peers, reputation, presence, channels, channel_store, history)));
        registry.observe(&search);
        registry.observe(&notices);
        registry.observe(&block_lists);
        registry.observe(&checkpoints);
        registry.observe(&lookups);
        let modules = Modules {
            context: context.clone(),
            keys: keys.clone(),
            registry: registry.clone(),
            content: content.clone(),
            catalog,
            installer,
            publisher,
            witnessing: witnessing.clone(),
            runner,
            search,
            network_search,
        };
        Self {
            context,
            keys,
            registry,
            admission,
            peers,
            networks: Networks::default(),
            presence,
            decisions,
            reputation,
            people,
            profile,
            devices,
            notices,
            retainer,
            interests,
            block_lists,
            backups,
            content,
            lookups,
            witnessing,
            checkpoints,
            modules,
            chat,
        }
    }
}
