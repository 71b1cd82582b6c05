//! `gen-registry network …`: founds a network of several operators, makes their keys, and shows what a network is.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{NetworkError, NetworkSource, found, write_new};
use crate::keys::{SUCCESSION_KEY, parse_public_key, witness_text};
use crate::network::describe::describe;
use crate::witness;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::PublicKey;
use gen_registry_core::network::{NetworkHistory, WitnessSet};
use gen_registry_node::Network;

/// What to do with a network.
#[derive(Subcommand)]
pub enum NetworkCommand {
    /// Make the keys of one witness in its data folder, and print their public parts for the one who founds the network.
    Key {
        /// The data folder of the server whose witness it will be.
        #[arg(long, value_name = "FOLDER", env = "GEN_REGISTRY_DATA")]
        data: PathBuf,
    },
    /// Found a network of the witnesses whose keys are named, and write its file, which every server is then given with
    /// --network.
    Found {
        /// How people call the network; it says nothing of what it is.
        #[arg(long)]
        name: String,
        /// A witness's key, as `network key` printed it. Given again for each; none founds a network without witnesses.
        #[arg(long, value_name = "KEY", value_parser = parse_public_key)]
        witness: Vec<PublicKey>,
        /// How many witnesses must have seen a claim: more than half [default: the fewest that are].
        #[arg(long, value_name = "NUMBER")]
        threshold: Option<u8>,
        /// The digest of a succession key, as `network key` printed it; one for each witness.
        #[arg(long, value_name = "DIGEST")]
        succession: Vec<Digest>,
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
}

/// Carries out a command and returns what to print.
pub fn run(command: NetworkCommand) -> Result<String, NetworkError> {
    match command {
        NetworkCommand::Key { data } => make_keys(&data),
        NetworkCommand::Found { name, witness, threshold, succession, for_tests, out } => {
            let mut set = WitnessSet::new(witness, 0, succession);
            let fewest = if set.is_empty() { 0 } else { set.witnesses.len() as u8 / 2 + 1 };
            set.threshold = threshold.unwrap_or(fewest);
            let network = Network::new(NetworkHistory::new(found(&name, set, for_tests)?));
            write_new(&network, &out)?;
            Ok(describe(&network))
        }
        NetworkCommand::Show { source } => Ok(describe(&source.read()?)),
    }
}

/// Makes the keys that are missing. Called again, it prints the same.
fn make_keys(data: &Path) -> Result<String, NetworkError> {
    std::fs::create_dir_all(data).map_err(|source| NetworkError::Write { path: data.to_owned(), source })?;
    let witness = witness::load_or_create_key(data)?.public();
    let succession = SUCCESSION_KEY.load_or_create(data)?.public().digest();
    let file = SUCCESSION_KEY.path(data);
    Ok(format!(
        "--witness {} --succession {succession}\nMove {} away from the server, to a safe place, before it serves.\n",
        witness_text(&witness),
        file.display()
    ))
}
