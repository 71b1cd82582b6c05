//! The server of the built page: files, the headers that protect them, and one page for every address of the app.
//! Relay, witness and the catalogue's node run beside it.
//!
//! Start-up has an order, in which each part needs those before it:
//!
//! ```text
//!   1  dist/index.html exists, the data folder can be created        else nothing else would be of use
//!   2  the ports of HTTP and of the counters are bound               fails early, before any key is created
//!   3  network    founded, joined or kept ─► its genesis             says whose receipts count
//!      witness    thread and receipt log                             runs if the network has its key
//!   4  relay      key, port, listening ─► its addresses              with the witness's endpoint
//!   5  catalogue  node, publishing, listening ─► its addresses       dials the relay, asks the witness
//!   6  HTTP requests are answered; `listening` is called             `/network.json` names all of the above
//! ```
//!
//! A part that fails to start ends the program with a message that says what to do. Shutdown is the reverse: HTTP, at
//! most 3 s for open connections; the catalogue's node says goodbye; the relay closes its connections; the witness
//! finishes what it is writing.
//!
//! It serves files of one folder, writes only the files of those three, and knows nothing of what the page does.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::map_response_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;
use tower_http::services::ServeDir;

use crate::catalogue::{CatalogueError, catalogue};
use crate::catalogue_node::{CatalogueNode, CatalogueNodeError, CatalogueNodeOptions, next_free};
use crate::counts::ServerCounts;
use crate::dashboard;
use crate::http;
use crate::limits::HttpLimits;
use crate::names::NamesFile;
use crate::network::{self, Membership, NetworkError, NetworkOptions};
use crate::site::Site;
use crate::status;
use crate::witness::{self, Witness, WitnessStartError};
use gen_registry_core::keys::SecretKey;
use gen_registry_node::Network;
use gen_registry_node::lookup::RecordValidator;
use gen_registry_node::net::forwarded::TrustedProxies;
use gen_registry_node::net::relay::{
    Multiaddr, Relay, RelayError, RelayOptions, key::NodeKey, limits::RelayLimits, witness::WitnessEndpoint,
};
use gen_registry_node::net::{
    ice::IceServer,
    kademlia::{kept_record::RecordArchive, values::ValidateRecord},
};
use gen_registry_node::store::sqlite::SqliteError;
use gen_registry_pack::policy::{HEADER_POLICY, SANDBOX, SANDBOX_POLICY, SECURITY_HEADERS};
use gen_registry_pack::{NAME_HASH_DIGITS, NAME_HASH_DIGITS_MIN};

/// Connections that are open this long after the signal to stop are cut.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(3);

/// A file whose name carries the hash of its content never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Ask again each time: these name the hashed files.
const REVALIDATE: &str = "no-cache";

/// Why the server could not start, or ended. The texts are for operators, and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "there is no built page in {}: it has no index.html. Build it first, with `make build`, or name the folder \
         that has it: gen-registry serve --dist FOLDER", .0.display()
    )]
    NotBuilt(PathBuf),
    #[error(
        "port {} on {} is taken by another program. Stop that program, or choose another port: gen-registry serve \
         --http {}:{}", .0.port(), .0.ip(), .0.ip(), .0.port().wrapping_add(1).max(1024)
    )]
    PortTaken(SocketAddr),
    #[error(
        "the counters' port {} on {} is taken by another program. Choose another one: gen-registry serve --metrics {}:0, \
         or none: --no-metrics", .0.port(), .0.ip(), .0.ip()
    )]
    MetricsTaken(SocketAddr),
    #[error("could not listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("could not use the data folder {}", folder.display())]
    Data { folder: PathBuf, source: io::Error },
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error(transparent)]
    Names(#[from] SqliteError),
    #[error(transparent)]
    Witness(#[from] WitnessStartError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    CatalogueNode(#[from] CatalogueNodeError),
    #[error("the server stopped")]
    Stopped(#[source] io::Error),
}

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen for HTTP.
    pub http: SocketAddr,
    /// Where the counters are; `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// The proxies before this server, whose word on a client's address is believed.
    pub proxies: Vec<IpAddr>,
    /// The limits of the page's listener.
    pub limits: HttpLimits,
    /// The folder with the built page.
    pub dist: PathBuf,
    /// Where relay, witness and catalogue store what is theirs; created if missing. `None`: in memory only.
    pub data: Option<PathBuf>,
    /// Which network this server belongs to, or founds.
    pub network: NetworkOptions,
    /// The relay; `None`: only the page.
    pub p2p: Option<P2pOptions>,
    /// Whether a witness runs here, beside the relay, if the network has its key.
    pub witness: bool,
    /// What witnesses of the set before handed over, with which a witness of a later set begins.
    pub handovers: Vec<PathBuf>,
    /// `None`: no starter catalogue. There is none without the relay either, by which others find it.
    pub catalogue: Option<CatalogueOptions>,
}

/// Where the node listens that publishes the starter catalogue.
#[derive(Clone, Debug)]
pub struct CatalogueOptions {
    /// `None`: at the next free port after the relay's.
    pub listen: Option<Multiaddr>,
    /// How pages reach it when that is not where it listens.
    pub public: Vec<Multiaddr>,
}

/// The relay's address, and the other relays it connects to.
#[derive(Clone, Debug)]
pub struct P2pOptions {
    /// Where the relay listens.
    pub listen: Multiaddr,
    /// How others reach it when that is not where it listens: behind TLS, behind a router.
    pub public: Vec<Multiaddr>,
    /// Other relays of the network, each with its peer id at the end.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether the relay is a Kademlia server.
    pub dht_server: bool,
    /// For pages; the relay has no use for them.
    pub ice_servers: Vec<IceServer>,
    /// The limits of relay and witness. Whether they count by address follows from the other options.
    pub limits: RelayLimits,
}

/// Serves until `stop` resolves. Calls `listening` with the real address once requests are answered. Fails if a part
/// can't be started, or the listener breaks; parts that run are stopped in both cases.
pub async fn serve(
    options: ServeOptions,
    listening: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    if !options.dist.join("index.html").is_file() {
        return Err(ServeError::NotBuilt(options.dist));
    }
    if let Some(folder) = &options.data {
        std::fs::create_dir_all(folder).map_err(|source| ServeError::Data { folder: folder.clone(), source })?;
    }
    let (listener, address) = listen(options.http, ServeError::PortTaken).await?;
    let metrics_listener = match options.metrics {
        Some(address) => Some(listen(address, ServeError::MetricsTaken).await?),
        None => None,
    };
    let proxies = TrustedProxies::new(options.proxies);
    // With a public address there is a proxy in between, whose address everybody shares, unless it names the client.
    let by_address = !proxies.is_empty() || options.p2p.as_ref().is_none_or(|p2p| p2p.public.is_empty());
    if !by_address {
        tracing::warn!("no limit for each address: name the proxy before this server with --trusted-proxy");
    }
    let limits = if by_address { options.limits } else { options.limits.without_addresses() };
    let (membership, data, runs_witness) =
        (options.network, options.data.clone(), options.witness && options.p2p.is_some());
    // Another server may have to be asked, and the disk.
    let has_handovers = !options.handovers.is_empty();
    let joining = tokio::task::spawn_blocking(move || join(membership, data.as_deref(), runs_witness, has_handovers));
    let (mut network, witness) = joining.await.map_err(|error| ServeError::Stopped(error.into()))??;
    let witness = match witness {
        Some(key) => {
            let (data, history) = (options.data.clone(), network.history().clone());
            Some(witness::start_with(data, key, history, options.handovers).await?)
        }
        None => None,
    };
    let (endpoint, witness_ended) = witness.map(|Witness { door, ended }| (door, ended)).unzip();
    network.ice_servers = options.p2p.as_ref().map(|p2p| p2p.ice_servers.clone()).unwrap_or_default();
    let relay_listens = options.p2p.as_ref().map(|p2p| p2p.listen.clone());
    let relay = match options.p2p {
        Some(p2p) => Some(
            Relay::start(relay_options(
                p2p,
                endpoint,
                options.data.as_deref(),
                &network,
                (proxies.clone(), by_address),
            )?)
            .await?,
        ),
        None => None,
    };
    let relay_view = relay.as_ref().map(Relay::view);
    let catalogue_node = match (options.catalogue, &relay_view, relay_listens) {
        (Some(CatalogueOptions { listen, public }), Some(relay), Some(relay_listens)) => {
            let mut network = network.clone();
            network.relays = vec![relay.local_address().to_string()];
            let listen = listen.unwrap_or_else(|| next_free(&relay_listens));
            let (data, catalogue) = (options.data, catalogue()?);
            Some(CatalogueNode::start(CatalogueNodeOptions { data, network, listen, public, catalogue }).await?)
        }
        _ => None,
    };
    let catalogue = catalogue_node.as_ref().map(CatalogueNode::view);
    let counts = ServerCounts::default();
    let site = Site { dist: options.dist, network, relay: relay_view, catalogue, counts: counts.clone() };
    // Dropped when this ends, in whatever way.
    let (stopping, stopped) = watch::channel(());
    if let Some((listener, address)) = metrics_listener {
        tracing::info!("counters: http://{address}/ and http://{address}/metrics");
        let (app, stop) = (counters(site.clone()), closed(stopped.clone()));
        let door = http::Door { limits: HttpLimits::of_metrics(), ..http::Door::default() };
        tokio::spawn(http::serve(listener, app, door, stop));
    }
    let door = http::Door { limits, proxies, counts: counts.http };
    let mut server = tokio::spawn(http::serve(listener, page(site), door, closed(stopped)));
    listening(address);
    let ended = tokio::select! {
        () = stop => {
            drop(stopping);
            tokio::time::timeout(SHUTDOWN_PATIENCE, server).await.unwrap_or(Ok(()))
        }
        ended = &mut server => ended,
    };
    let outcome = ended.map_err(|error| ServeError::Stopped(error.into()));
    if let Some(catalogue_node) = catalogue_node {
        catalogue_node.stop().await;
    }
    if let Some(relay) = relay {
        relay.stop().await;
    }
    // Its door is gone with the relay; what it is writing is finished first.
    if let Some(ended) = witness_ended {
        let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, ended).await;
    }
    outcome
}

/// Listens on an address. `taken` is the error if its port is used by another program.
async fn listen(
    address: SocketAddr,
    taken: fn(SocketAddr) -> ServeError,
) -> Result<(tokio::net::TcpListener, SocketAddr), ServeError> {
    http::listen(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => taken(address),
        _ => ServeError::Listen { address, source },
    })
}

/// Resolves when the sender is dropped.
async fn closed(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

/// Opens the network, and returns it with the key of the witness that is to run. `runs_witness` says whether one may,
/// `has_handovers` whether one is to begin with what the set before handed over.
fn join(
    options: NetworkOptions,
    data: Option<&Path>,
    runs_witness: bool,
    has_handovers: bool,
) -> Result<(Network, Option<SecretKey>), NetworkError> {
    let Membership { network, witness, is_retired } = network::open(options, data, runs_witness)?;
    // Else the server would run, and its operator would believe that the witness does.
    let may_begin = witness.is_some() && network.history().number() > 0;
    if has_handovers && !may_begin && !is_retired {
        return Err(NetworkError::NothingToBegin);
    }
    let witness = witness.filter(|_| runs_witness);
    let (name, topic) = (&network.history().genesis().name, String::from(network.topic));
    tracing::info!(name, topic, witnesses = network.history().set().witnesses.len(), "the network");
    if is_retired {
        tracing::info!("no witness runs here: the one of this data folder is of a set that was succeeded");
    } else if witness.is_none() && !network.history().set().is_empty() {
        tracing::info!("no witness runs here: it is switched off, or the network has no key of this data folder");
    }
    Ok((network, witness))
}

/// Returns the relay's configuration; reads or creates its key.
fn relay_options(
    p2p: P2pOptions,
    witness: Option<WitnessEndpoint>,
    data: Option<&Path>,
    network: &Network,
    (proxies, by_address): (TrustedProxies, bool),
) -> Result<RelayOptions, ServeError> {
    let key = match data {
        Some(folder) => NodeKey::load_or_create(folder).map_err(RelayError::from)?,
        None => {
            tracing::info!("the relay has a new key for this run; with --data it keeps one");
            NodeKey::fresh()
        }
    };
    let P2pOptions { listen, public, bootstrap, dht_server, ice_servers: _, limits } = p2p;
    let limits = RelayLimits { by_address, ..limits };
    let validator = RecordValidator::new(network.history().clone());
    let validator: Option<Arc<dyn ValidateRecord>> = Some(Arc::new(validator));
    let archive = data.map(NamesFile::open).transpose()?.map(|file| Box::new(file) as Box<dyn RecordArchive>);
    Ok(RelayOptions { key, listen, public, proxies, bootstrap, dht_server, validator, archive, witness, limits })
}

/// Returns the HTTP service without a listener.
pub fn page(site: Site) -> Router {
    Router::new()
        .route("/network.json", get(status::network))
        .route("/health", get(status::health))
        .fallback(answer)
        .layer(map_response_with_state(site.clone(), protect))
        .with_state(site)
}

/// Returns the service of the counters without a listener.
pub fn counters(site: Site) -> Router {
    Router::new().route("/", get(dashboard::dashboard)).route("/metrics", get(status::metrics)).with_state(site)
}

/// Adds the protecting headers to every response. One that does not say how long it may be cached must be revalidated.
async fn protect(State(site): State<Site>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(REVALIDATE));
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let policy = format!("{HEADER_POLICY}{}", status::sources(site.relay.as_ref()));
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(HEADER_POLICY));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}

/// Answers with a file, or with `index.html` if a person navigates to an address of the app.
async fn answer(State(site): State<Site>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let dist = &site.dist;
    let mut served = if uri.path() == "/" { "/index.html" } else { uri.path() };
    let mut response = file(dist, served, &method, &headers).await;
    if response.status() == StatusCode::NOT_FOUND && is_navigation(&method, &headers) {
        served = "/index.html";
        response = file(dist, served, &method, &headers).await;
    }
    let caching = match response.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED if is_hashed(served) => IMMUTABLE,
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => REVALIDATE,
        _ => "no-store",
    };
    let headers = response.headers_mut();
    if served == SANDBOX {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX_POLICY));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if !is_hashed(served) {
        headers.remove(header::LAST_MODIFIED);
    }
    response
}

/// Answers with one file of the folder: its brotli copy if there is one and the client accepts it.
async fn file(dist: &Path, path: &str, method: &Method, headers: &HeaderMap) -> Response {
    let Ok(uri) = path.parse::<Uri>() else { return StatusCode::BAD_REQUEST.into_response() };
    let mut wanted = Request::new(Body::empty());
    *wanted.method_mut() = method.clone();
    *wanted.uri_mut() = uri;
    *wanted.headers_mut() = headers.clone();
    // A deployment may bring back an older file; its date must not make a browser keep the newer one.
    if !is_hashed(path) {
        wanted.headers_mut().remove(header::IF_MODIFIED_SINCE);
        wanted.headers_mut().remove(header::IF_UNMODIFIED_SINCE);
    }
    let mut folder = ServeDir::new(dist).append_index_html_on_directories(false).precompressed_br();
    match folder.try_call(wanted).await {
        Ok(response) => {
            let mut response = response.map(Body::new);
            if response.status().is_success()
                && let Some(kind) = media_type(path)
            {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            response
        }
        Err(error) => {
            tracing::error!(%error, path, "could not read a file");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Whether a person navigates to an address, as opposed to a page that fetches a file.
fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let takes_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.split(',').any(|kind| kind.trim().starts_with("text/html")));
    (method == Method::GET || method == Method::HEAD) && takes_html
}

/// Whether the file's name contains the hash of its content, as `name-0123456789abcdef.js` and
/// `name-0123456789abcdef_bg.wasm` do, so that it may be cached permanently.
pub fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        (NAME_HASH_DIGITS_MIN..=NAME_HASH_DIGITS).contains(&hash.len())
            && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Returns the media types that browsers are strict about; others are guessed from the ending.
fn media_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "wasm" => "application/wasm",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "md" => "text/markdown; charset=utf-8",
        "ts" | "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
