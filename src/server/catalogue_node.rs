//! The catalogue node: a node beside the relay that publishes the starter catalogue, and is otherwise a peer like any
//! other.
//!
//! Its identity is generated once and stored with everything else it has in one file of the data folder. It accepts
//! pages and dials only the relay. A published version is never published again, so a start after an update adds what
//! is new:
//!
//! ```text
//!   thread "catalogue"   open the store ─► start the node ─► `publish_missing`: for each module, in order
//!                          its dependencies are not all ours   left out: another person's module would be meant
//!                          this version is published already   nothing to do
//!                          else                                publish, as any person would
//!                        ─► listen ─► CatalogueNode::start returns ─► the relay lists it, `/network.json` names it
//! ```

use std::{
    collections::BTreeSet,
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::Duration,
};

use futures::{StreamExt, channel::mpsc};
use tokio::sync::{oneshot, watch};

use crate::counts::Known;
use gen_registry_api::{Answer, ChatCommand, Command, FailureCode, ModuleCommand, ProfileChanges, PublishDraft};
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::net::{
    mesh::Listening,
    relay::{Multiaddr, address::socket_of, key::create_secret_file},
};
use gen_registry_node::network::pin;
use gen_registry_node::peering::{Peering, PeeringError};
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::{
    Store, StoreError,
    memory::MemoryStore,
    records::Records,
    sqlite::{SqliteError, SqliteStore},
};

/// The most strangers that a server keeps: some 2 GB on the disk.
const STRANGERS_MAX: usize = 200_000;
/// The store's file in the data folder.
pub const STORE_FILE: &str = "catalogue.db";
/// The name it claims, if it is free.
pub const USERNAME: &str = "gen-catalogue";
/// The profile's display name.
const DISPLAY_NAME: &str = "Gen Registry's catalogue";
/// The profile's text.
const BIO: &str = "Small modules that come with Gen Registry.";
/// Direct connections it accepts. A page needs one of some peer, not of this one.
pub const DIRECT_MAX: usize = 128;
/// Ports after the relay's own that are tried if none was named.
pub const PORTS_TRIED: u16 = 16;
/// How long to wait for the first address; it is available at once or never.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);
/// How often what it knows is looked at.
const KNOWN_EVERY: Duration = Duration::from_secs(5);
/// How long the node may take to finish writing and to say goodbye.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Why the node could not start.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueNodeError {
    #[error("could not make the file {} for the catalogue", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] SqliteError),
    #[error(
        "{} is of another network, or of an earlier version of this program. Move the file away: the catalogue then \
         begins anew, with another key (or start with --no-catalogue)", .0.display()
    )]
    OtherNetwork(PathBuf),
    #[error("the catalogue's node could not be opened")]
    Node(#[from] StoreError),
    #[error("the catalogue's node can't take part in the network")]
    Peering(#[from] PeeringError),
    #[error(
        "the catalogue's address {0} is taken by another program. Choose another one: gen-registry serve \
         --p2p-catalogue /ip4/127.0.0.1/tcp/9191/ws (or --no-catalogue)"
    )]
    AddressTaken(Multiaddr),
    #[error("the catalogue's thread could not be started")]
    Thread(#[from] io::Error),
    #[error("the catalogue's node got no address to listen on")]
    NoAddress,
}

/// The configuration of the node.
pub struct CatalogueNodeOptions {
    /// The data folder; without one everything ends with the process.
    pub data: Option<PathBuf>,
    /// The network to publish in, with the relay to dial.
    pub network: Network,
    /// Where pages connect to it.
    pub listen: Multiaddr,
    /// How pages reach it, if that is not where it listens.
    pub public: Vec<Multiaddr>,
    /// What it publishes, each after what it needs.
    pub catalogue: Vec<PublishDraft>,
}

/// A running catalogue node. Dropping it stops it.
pub struct CatalogueNode {
    view: CatalogueNodeView,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

/// The node's addresses, what it knows, and whether it runs.
#[derive(Clone)]
pub struct CatalogueNodeView(watch::Receiver<Shown>);

/// What a running node shows.
#[derive(Clone, Default)]
struct Shown {
    addresses: Vec<String>,
    known: Known,
}

impl CatalogueNodeView {
    /// Returns where pages reach it, each address with its peer id at the end.
    pub fn addresses(&self) -> Vec<String> {
        self.0.borrow().addresses.clone()
    }

    /// Returns what it knew some seconds ago.
    pub(crate) fn known(&self) -> Known {
        self.0.borrow().known
    }

    /// Whether its thread is running.
    pub fn is_running(&self) -> bool {
        self.0.has_changed().is_ok()
    }
}

impl CatalogueNode {
    /// Starts the node. Returns once its catalogue is published and it listens.
    pub async fn start(options: CatalogueNodeOptions) -> Result<Self, CatalogueNodeError> {
        let (began, beginning) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let (closed, ended) = oneshot::channel();
        // A store stays on its thread, and waits for the disk there.
        thread::Builder::new().name("catalogue".to_owned()).spawn(move || {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(live(options, began, stopped)),
                Err(error) => drop(began.send(Err(error.into()))),
            }
            // The handle may have been dropped.
            closed.send(()).ok();
        })?;
        let view = CatalogueNodeView(beginning.await.map_err(|_| CatalogueNodeError::NoAddress)??);
        tracing::info!(addresses = ?view.addresses(), "the catalogue is ready");
        Ok(Self { view, stop, ended })
    }

    /// Returns a view of it, which does not keep it running.
    pub fn view(&self) -> CatalogueNodeView {
        self.view.clone()
    }

    /// Says goodbye to peers and closes the store, within 3 s.
    pub async fn stop(self) {
        // A closed channel and an elapsed time both mean that there is nothing left to wait for.
        self.stop.send(()).ok();
        tokio::time::timeout(STOP_PATIENCE, self.ended).await.ok();
    }
}

/// Returns the first free address after the relay's; if the relay takes any port, so does this. If no port can be
/// counted up, or all are taken, returns the next one, and listening reports the error.
pub fn next_free(relay: &Multiaddr) -> Multiaddr {
    let Some(socket) = socket_of(relay) else { return relay.clone() };
    let on = |port: u16| -> Option<Multiaddr> {
        let changed = relay.to_string().replacen(&format!("/tcp/{}", socket.port()), &format!("/tcp/{port}"), 1);
        changed.parse().ok()
    };
    if socket.port() == 0 {
        return relay.clone();
    }
    let ports = (1..=PORTS_TRIED).filter_map(|more| socket.port().checked_add(more));
    let free = ports.clone().find(|port| TcpListener::bind(SocketAddr::new(socket.ip(), *port)).is_ok());
    free.or(ports.into_iter().next()).and_then(on).unwrap_or_else(|| relay.clone())
}

/// Runs on the node's thread, from start to stop.
async fn live(
    options: CatalogueNodeOptions,
    began: oneshot::Sender<Result<watch::Receiver<Shown>, CatalogueNodeError>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let CatalogueNodeOptions { data, network, listen, public, catalogue } = options;
    // Unbounded: one message for each address that the node listens on.
    let (listen_addresses, mut listening_at) = mpsc::unbounded();
    let opened = open(data.as_deref(), network, listen, public, listen_addresses, catalogue).await;
    let (node, peering) = match opened {
        Ok(opened) => opened,
        Err(error) => return drop(began.send(Err(error))),
    };
    let mesh = peering.mesh();
    let life = peering.run();
    tokio::pin!(life);
    let first = tokio::time::timeout(LISTEN_PATIENCE, listening_at.next());
    let addresses = tokio::select! {
        () = &mut life => None,
        first = first => first.ok().flatten(),
    };
    let Some(addresses) = addresses else { return drop(began.send(Err(CatalogueNodeError::NoAddress))) };
    let (sender, shown) = watch::channel(Shown { addresses, known: known(&node).await });
    if began.send(Ok(shown)).is_err() {
        return;
    }
    let mut look = tokio::time::interval(KNOWN_EVERY);
    loop {
        tokio::select! {
            () = &mut life => return tracing::error!("the catalogue's node ended"),
            Some(addresses) = listening_at.next() => sender.send_modify(|shown| shown.addresses = addresses),
            _ = look.tick() => {
                let known = known(&node).await;
                sender.send_modify(|shown| shown.known = known);
            }
            // Asked to stop, or the handle was dropped.
            _ = &mut stopped => break,
        }
    }
    mesh.close();
    tokio::time::timeout(STOP_PATIENCE, life).await.ok();
}

/// Returns what the node knows.
async fn known(node: &Node) -> Known {
    match node.handle(Command::Status).await {
        Ok(Answer::Status(status)) => Known {
            people: status.registries,
            names: status.names,
            peers: status.peers,
            strangers_share: status.strangers_share,
        },
        _ => Known::default(),
    }
}

/// Opens the store, publishes what is missing, and sets the node up for its network.
async fn open(
    data: Option<&Path>,
    network: Network,
    listen: Multiaddr,
    public: Vec<Multiaddr>,
    addresses: mpsc::UnboundedSender<Vec<String>>,
    catalogue: Vec<PublishDraft>,
) -> Result<(Rc<Node>, Peering), CatalogueNodeError> {
    // libp2p shares ports: it would quietly get some of another program's connections.
    if let Some(Err(error)) = socket_of(&listen).map(TcpListener::bind)
        && error.kind() == io::ErrorKind::AddrInUse
    {
        return Err(CatalogueNodeError::AddressTaken(listen));
    }
    let store = store(data)?;
    if !pin::is_of(&Records::new(store.clone()), &network).await? {
        return Err(CatalogueNodeError::OtherNetwork(data.unwrap_or(Path::new("")).join(STORE_FILE)));
    }
    let node = Rc::new(Node::start(store, Rc::new(Native), network).await?);
    node.limit_strangers(STRANGERS_MAX);
    publish_missing(&node, catalogue).await;
    let public = public.iter().map(ToString::to_string).collect();
    let listening = Listening { listen: listen.to_string(), public, direct_max: DIRECT_MAX, addresses };
    let peering = Peering::open_listening(node.clone(), listening).await?;
    // The catalogue node is unattended, so it stays out of the presence list.
    let invisible = Command::Chat { command: ChatCommand::SetInvisible { invisible: true } };
    if let Err(failure) = node.handle(invisible).await {
        tracing::warn!(message = %failure.message, "the catalogue is shown as a person who is online");
    }
    Ok((node, peering))
}

/// Opens the store; in memory without a data folder.
fn store(data: Option<&Path>) -> Result<Rc<dyn Store>, CatalogueNodeError> {
    let Some(folder) = data else {
        tracing::warn!(
            "the catalogue has a new identity for this run, and nobody can publish under it again; with --data it \
             keeps one"
        );
        return Ok(Rc::new(MemoryStore::new()));
    };
    let path = folder.join(STORE_FILE);
    if !fs::exists(&path).unwrap_or(false) {
        create_secret_file(&path).map_err(|source| CatalogueNodeError::File { path: path.clone(), source })?;
    }
    Ok(Rc::new(SqliteStore::open(&path)?))
}

/// Publishes what is missing. What can't be published is logged and left out, with everything that needs it: a
/// dependency would lead to another person's module of that name.
async fn publish_missing(node: &Node, catalogue: Vec<PublishDraft>) {
    if let Ok(Answer::Me(me)) = node.handle(Command::WhoAmI).await
        && me.username.is_none()
    {
        let text = |text: &str| Some(text.to_owned());
        let changes = ProfileChanges { display_name: text(DISPLAY_NAME), bio: text(BIO), ..ProfileChanges::default() };
        let claim = Command::RegisterUsername { name: USERNAME.to_owned(), changes };
        if let Err(failure) = node.handle(claim).await {
            tracing::warn!(code = ?failure.code, message = %failure.message, "the catalogue goes without a username");
        }
    }
    let mut published = BTreeSet::new();
    let mut fresh = 0;
    for draft in catalogue {
        let (name, version) = (draft.name.clone(), draft.version.clone());
        if let Some(missing) = draft.dependencies.iter().find(|needed| !published.contains(&needed.name)) {
            tracing::warn!(module = %name, needs = %missing.name, "not published: what it needs is not ours");
            continue;
        }
        if is_published(node, &name, &version).await {
            published.insert(name);
            continue;
        }
        let publish = ModuleCommand::Publish { draft: Box::new(draft) };
        match node.handle(Command::Modules { command: publish }).await {
            Ok(_) => {
                tracing::debug!(module = %name, %version, "published");
                fresh += 1;
                published.insert(name);
            }
            Err(failure) if failure.code == FailureCode::VersionTaken => drop(published.insert(name)),
            Err(failure) => {
                tracing::warn!(module = %name, %version, message = %failure.message, "not published");
            }
        }
    }
    tracing::info!(modules = published.len(), fresh, "the catalogue is published");
}

/// Whether a version of an own module is published already.
async fn is_published(node: &Node, name: &str, version: &str) -> bool {
    let command = ModuleCommand::Page { name: name.to_owned() };
    match node.handle(Command::Modules { command }).await {
        Ok(Answer::Module(Some(page))) => {
            page.mine && page.versions.iter().any(|entry| entry.summary.version == version)
        }
        _ => false,
    }
}
