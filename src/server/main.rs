//! The command line: parses arguments, calls, and prints. Decides nothing.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{ArgAction, Args, Parser, Subcommand};
use gen_registry_node::net::{ice::IceServer, relay::Multiaddr};
use gen_registry_server::limits::LimitArguments;
use gen_registry_server::network::command::NetworkCommand;
use gen_registry_server::network::{self, DEFAULT_NAME, NetworkOptions, NetworkSource};
use gen_registry_server::serve::{CatalogueOptions, P2pOptions, ServeOptions, serve};

/// The default log filter. A relay without other relays has nothing to look up, which Kademlia reports as an error
/// every few minutes.
const QUIET: &str = "info,libp2p_kad=error";

/// A local-first, peer-to-peer registry of usernames and WebAssembly modules.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[allow(clippy::large_enum_variant, reason = "a process has one")]
#[derive(Subcommand)]
enum Command {
    /// Serve the built page, and be the relay by which browsers find each other.
    Serve {
        /// Address to listen on; port 0 takes any free one.
        #[arg(long, default_value = "127.0.0.1:8080", env = "GEN_REGISTRY_HTTP")]
        http: SocketAddr,
        /// Folder with the built page.
        #[arg(long, default_value = "dist", env = "GEN_REGISTRY_DIST")]
        dist: PathBuf,
        /// Folder for what the server itself keeps: its network, the keys of relay and witness, the witness's book,
        /// and all that the catalogue's node has. Without it, each start founds another network.
        #[arg(long, env = "GEN_REGISTRY_DATA")]
        data: Option<PathBuf>,
        #[command(flatten)]
        listening: ListeningArguments,
        #[command(flatten)]
        network: NetworkArguments,
        #[command(flatten)]
        p2p: P2pArguments,
        #[command(flatten)]
        witness: WitnessArguments,
        #[command(flatten)]
        catalogue: CatalogueArguments,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// Found networks of several operators, look at networks, and change their witnesses.
    #[command(subcommand)]
    Network(NetworkCommand),
}

#[derive(Args)]
#[command(next_help_heading = "Listening")]
struct ListeningArguments {
    /// Address of the counters for Prometheus, which nobody else should reach; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464", env = "GEN_REGISTRY_METRICS")]
    metrics: SocketAddr,
    /// Count, but show the counters nowhere.
    #[arg(long)]
    no_metrics: bool,
    /// Address of a proxy before page and relay, whose X-Forwarded-For names the client: limits for one address then count
    /// that one. May be given again, or as a list with commas.
    #[arg(long, value_name = "IP", value_delimiter = ',', env = "GEN_REGISTRY_TRUSTED_PROXIES")]
    trusted_proxy: Vec<IpAddr>,
}

#[derive(Args)]
#[command(next_help_heading = "Network")]
struct NetworkArguments {
    /// Network to join: a file, or the address of a server that belongs to it. Without it the server goes on with the
    /// network of its data folder, or founds one whose only witness it is.
    #[arg(long, value_name = "FILE|URL", env = "GEN_NETWORK")]
    network: Option<NetworkSource>,
    /// How people call the network that a first start founds.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAME, env = "GEN_NETWORK_NAME")]
    name: String,
    /// Whether a first start founds a network with waits of seconds, for trying things out.
    #[arg(long)]
    for_tests: bool,
}

impl NetworkArguments {
    fn options(self) -> NetworkOptions {
        let Self { network: join, name, for_tests } = self;
        NetworkOptions { join, name, for_tests }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Relay")]
struct P2pArguments {
    /// Address the relay listens on; tcp/0 takes any free port.
    #[arg(long, value_name = "MULTIADDR", default_value = "/ip4/127.0.0.1/tcp/9090/ws", env = "GEN_P2P_LISTEN")]
    p2p: Multiaddr,
    /// Serve only the page.
    #[arg(long)]
    no_p2p: bool,
    /// Address that others use instead, e.g. /dns4/example.org/tcp/443/wss behind TLS. May be given again.
    #[arg(long, value_name = "MULTIADDR")]
    p2p_public: Vec<Multiaddr>,
    /// Another relay to meet, with /p2p/NAME at the end. May be given again, or as a list with commas.
    #[arg(long, value_name = "MULTIADDR", value_delimiter = ',', env = "GEN_P2P_BOOTSTRAP")]
    p2p_bootstrap: Vec<Multiaddr>,
    /// Whether the relay answers who has which content.
    #[arg(
        long, value_name = "true|false", default_value_t = true, action = ArgAction::Set, env = "GEN_P2P_DHT_SERVER"
    )]
    p2p_dht_server: bool,
    /// STUN or TURN server that pages use to reach each other through routers, e.g. stun:example.org:3478 or
    /// turn:NAME:PASSWORD@example.org:3478. May be given again, or as a list with commas.
    #[arg(long, value_name = "SERVER", value_delimiter = ',', env = "GEN_P2P_ICE_SERVERS")]
    p2p_ice_server: Vec<IceServer>,
}

#[derive(Args)]
#[command(next_help_heading = "Witness")]
struct WitnessArguments {
    /// Whether a witness runs beside the relay, if the network has its key: it confirms who was first to claim a name.
    /// Without one, a first start founds no network.
    #[arg(
        long, value_name = "true|false", default_value_t = true, action = ArgAction::Set, num_args = 0..=1,
        require_equals = true, default_missing_value = "true", env = "GEN_WITNESS"
    )]
    witness: bool,
    /// As --witness=false.
    #[arg(long)]
    no_witness: bool,
    /// File that a witness of the set before handed over (`gen-registry network stop`), with which a witness of a new set
    /// begins at its first start. Given again for each.
    #[arg(long, value_name = "FILE")]
    handover: Vec<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Starter catalogue")]
struct CatalogueArguments {
    /// Publish nothing: the registry is empty at the first start.
    #[arg(long)]
    no_catalogue: bool,
    /// Address at which pages reach the node that publishes the catalogue [default: the next free port after the
    /// relay's].
    #[arg(long, value_name = "MULTIADDR", env = "GEN_P2P_CATALOGUE")]
    p2p_catalogue: Option<Multiaddr>,
    /// Address that pages use instead, e.g. /dns4/example.org/tcp/8443/wss behind TLS. May be given again.
    #[arg(long, value_name = "MULTIADDR")]
    p2p_catalogue_public: Vec<Multiaddr>,
}

impl CatalogueArguments {
    fn options(self) -> Option<CatalogueOptions> {
        let Self { no_catalogue, p2p_catalogue: listen, p2p_catalogue_public: public } = self;
        (!no_catalogue).then_some(CatalogueOptions { listen, public })
    }
}

impl WitnessArguments {
    fn is_wanted(&self) -> bool {
        self.witness && !self.no_witness
    }
}

impl P2pArguments {
    fn options(self, limits: &LimitArguments) -> Option<P2pOptions> {
        (!self.no_p2p).then_some(P2pOptions {
            listen: self.p2p,
            public: self.p2p_public,
            bootstrap: self.p2p_bootstrap,
            dht_server: self.p2p_dht_server,
            ice_servers: self.p2p_ice_server,
            limits: limits.relay(),
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| QUIET.into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gen-registry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Carries out a subcommand.
fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { http, dist, data, listening: own, network, p2p, witness, catalogue, limits } => {
            let runtime = tokio::runtime::Runtime::new().context("could not start the runtime")?;
            let listening = |address| println!("http://{address}/");
            let (network, p2p, catalogue) = (network.options(), p2p.options(&limits), catalogue.options());
            let metrics = (!own.no_metrics).then_some(own.metrics);
            let (proxies, limits) = (own.trusted_proxy, limits.http());
            let is_wanted = witness.is_wanted();
            let handovers = witness.handover;
            let options = ServeOptions {
                http,
                metrics,
                proxies,
                limits,
                dist,
                data,
                network,
                p2p,
                witness: is_wanted,
                handovers,
                catalogue,
            };
            let stop = {
                let _runtime = runtime.enter();
                stop_signal()
            };
            runtime.block_on(serve(options, listening, stop))?;
        }
        Command::Network(command) => print!("{}", network::command::run(command)?),
    }
    Ok(())
}

/// Listens from now on for ctrl-c, and for the system asking the process to end. The future is done at the first of them.
/// The signals are registered before the server starts, since it can be stopped as soon as it has printed its address.
#[cfg(unix)]
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let received = async |signal: std::io::Result<tokio::signal::unix::Signal>| match signal {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    };
    async move {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

/// Done at ctrl-c.
#[cfg(not(unix))]
async fn stop_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
