//! `gen-registry network …`: founds a network of several operators, makes their keys, shows what a network is, and changes
//! its witnesses.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::change::{self, ChangeError, Signer};
use super::new_file::check_new;
use super::stop::stop;
use super::{NetworkError, NetworkSource, found, write_new};
use crate::keys::{SUCCESSION_KEY, parse_public_key, witness_text};
use crate::network::describe::describe;
use crate::witness;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::PublicKey;
use gen_registry_core::network::{NetworkHistory, WitnessSet};
use gen_registry_node::Network;
use gen_registry_node::net::relay::Multiaddr;
use gen_registry_node::net::relay::key::NodeKey;
use gen_registry_node::network::Endpoints;
use gen_registry_node::network::parameters::ENTRIES_MAX;

/// What to do with a network.
#[derive(Subcommand)]
pub enum NetworkCommand {
    /// Make the keys of one witness in its data folder, and print their public parts for the one who founds the network.
    Key {
        /// The data folder of the server whose witness it will be.
        #[arg(long, value_name = "FOLDER", env = "GEN_REGISTRY_DATA")]
        data: PathBuf,
    },
    /// Found a network of the witnesses whose keys are named, or of none, and write its file, which every server is then
    /// given with --network.
    Found {
        /// How people call the network; it says nothing of what it is.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        set: SetArguments,
        #[command(flatten)]
        relays: RelayArguments,
        /// With waits of seconds: for trying things out, not for names that matter.
        #[arg(long)]
        for_tests: bool,
        /// The file to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show what the network of a file or of a server is.
    Show {
        /// A file, or a server's address.
        #[arg(value_name = "FILE|URL")]
        source: NetworkSource,
    },
    /// Stop the witness of a data folder for good, and write what it hands over: the first step of a change of the
    /// witnesses. The server must not run meanwhile; started again, it goes on as relay and signs nothing.
    Stop {
        /// The data folder of the server whose witness it is.
        #[arg(long, value_name = "FOLDER", env = "GEN_REGISTRY_DATA")]
        data: PathBuf,
        /// The file to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make the change to another set of witnesses, and sign it with your succession key.
    Change {
        #[command(flatten)]
        signer: SignerArguments,
        #[command(flatten)]
        set: SetArguments,
    },
    /// Add the signature of your succession key to a change that another operator made.
    Sign {
        /// The change, as another operator passed it on.
        #[arg(value_name = "CHANGE")]
        change: PathBuf,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Write the network's file with a change that enough operators have signed. Every server is then given it with
    /// --network.
    Apply {
        /// The change with all signatures, or several files with some of them.
        #[arg(value_name = "CHANGE", required = true)]
        changes: Vec<PathBuf>,
        /// The network before the change: a file, or a server's address.
        #[arg(long, value_name = "FILE|URL")]
        network: NetworkSource,
        #[command(flatten)]
        relays: RelayArguments,
        /// The file to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// By which relays pages find the network and its witnesses. Nobody signs that.
#[derive(Args)]
pub struct RelayArguments {
    /// Address of a relay that every server of the network names to pages, such as the one beside a witness, with
    /// /p2p/NAME at the end. Given again for each [default: those of the network before].
    #[arg(long, value_name = "MULTIADDR")]
    relay: Vec<Multiaddr>,
}

/// A set of witnesses.
#[derive(Args)]
pub struct SetArguments {
    /// A witness's key, as `network key` printed it. Given again for each.
    #[arg(long, value_name = "KEY", value_parser = parse_public_key)]
    witness: Vec<PublicKey>,
    /// How many witnesses must have seen a claim: more than half [default: the fewest that are].
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<u8>,
    /// The digest of a succession key, as `network key` printed it; one for each witness.
    #[arg(long, value_name = "DIGEST")]
    succession: Vec<Digest>,
}

/// What an operator signs with.
#[derive(Args)]
pub struct SignerArguments {
    /// The network before the change: a file, or a server's address.
    #[arg(long, value_name = "FILE|URL")]
    network: NetworkSource,
    /// A file that `network stop` wrote at a witness. Given again for each; at least as many as confirm a name.
    #[arg(long, value_name = "FILE", required = true)]
    handover: Vec<PathBuf>,
    /// The file with your succession key, from where you keep it.
    #[arg(long, value_name = "FILE")]
    succession_key: PathBuf,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl RelayArguments {
    /// Returns the ways to others where these relays take the place of those before.
    fn replace(self, before: Endpoints) -> Result<Endpoints, NetworkError> {
        let relays: Vec<String> = self.relay.iter().map(ToString::to_string).collect();
        if let Some(nameless) = relays.iter().find(|relay| !relay.contains("/p2p/")) {
            return Err(NetworkError::RelayWithoutName(nameless.clone()));
        }
        if relays.len() > ENTRIES_MAX {
            return Err(NetworkError::TooManyRelays);
        }
        Ok(if relays.is_empty() { before } else { Endpoints { relays, ..before } })
    }
}

impl SetArguments {
    /// Returns the set. Fails if a key is named twice: then it is not the set that was meant.
    fn set(self) -> Result<WitnessSet, NetworkError> {
        let Self { witness, threshold, succession } = self;
        let names = witness.iter().map(witness_text).chain(succession.iter().map(Digest::to_string));
        let mut named = BTreeSet::new();
        for name in names {
            if named.contains(&name) {
                return Err(NetworkError::NamedTwice(name));
            }
            named.insert(name);
        }
        let mut set = WitnessSet::new(witness, 0, succession);
        let fewest = if set.is_empty() { 0 } else { set.witnesses.len() as u8 / 2 + 1 };
        set.threshold = threshold.unwrap_or(fewest);
        Ok(set)
    }
}

impl SignerArguments {
    /// Calls `act` with what is signed with.
    fn with(self, act: impl FnOnce(&Signer<'_>) -> Result<String, ChangeError>) -> Result<String, NetworkError> {
        let Self { network, handover, succession_key, out } = self;
        let network = network.read()?;
        let signer = Signer { network: &network, handovers: &handover, key: &succession_key, out: &out };
        Ok(act(&signer)?)
    }
}

/// Carries out a command and returns what to print.
pub fn run(command: NetworkCommand) -> Result<String, NetworkError> {
    match command {
        NetworkCommand::Key { data } => make_keys(&data),
        NetworkCommand::Found { name, set, relays, for_tests, out } => {
            check_new(&out)?;
            let endpoints = relays.replace(Endpoints::default())?;
            let network = Network::new(NetworkHistory::new(found(&name, set.set()?, for_tests)?)).reached_by(endpoints);
            write_new(&network, &out)?;
            Ok(describe(&network))
        }
        NetworkCommand::Show { source } => Ok(describe(&source.read()?)),
        NetworkCommand::Stop { data, out } => stop(&data, &out),
        NetworkCommand::Change { signer, set } => {
            let set = set.set()?;
            signer.with(|signer| signer.make(set))
        }
        NetworkCommand::Sign { change, signer } => signer.with(|signer| signer.sign(&change)),
        NetworkCommand::Apply { changes, network, relays, out } => {
            let network = network.read()?;
            let endpoints = relays.replace(network.endpoints())?;
            Ok(change::apply(&network, &changes, endpoints, &out)?)
        }
    }
}

/// Makes the keys that are missing. Called again, it prints the same.
fn make_keys(data: &Path) -> Result<String, NetworkError> {
    std::fs::create_dir_all(data).map_err(|source| NetworkError::Write { path: data.to_owned(), source })?;
    let witness = witness::load_or_create_key(data)?.public();
    let succession = SUCCESSION_KEY.load_or_create(data)?.public().digest();
    let relay = NodeKey::load_or_create(data)?.peer_id();
    let file = SUCCESSION_KEY.path(data);
    Ok(format!(
        "--witness {} --succession {succession}\nThe address of its relay will end in /p2p/{relay}\nMove {} away from \
         the server, to a safe place, before it serves.\n",
        witness_text(&witness),
        file.display()
    ))
}
