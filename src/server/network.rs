//! Which network this server belongs to: one that it founds, joins, or has in its data folder.
//!
//! | `--network` | the data folder has | the server |
//! |---|---|---|
//! | – | a network | goes on with it |
//! | – | a witness's key and no network | refuses: to found another one would end all names of the lost one |
//! | – | neither | founds a network of one witness; where no witness is to run, the built-in one without witnesses |
//! | names one | no network | joins it and keeps it |
//! | names one | the same network | goes on, with changes of the witnesses that its succession signed |
//! | names one | another network | refuses |
//!
//! A network is its genesis ([`Genesis`]): nothing but its bytes makes two servers one network.

pub mod change;
pub mod change_file;
pub mod command;
pub mod describe;
pub mod handovers;
pub mod new_file;
pub mod source;
pub mod stop;

use std::io;
use std::path::{Path, PathBuf};

use crate::keys::{KeyFileError, SUCCESSION_KEY, WITNESS_KEY, fresh_key};
use crate::witness::{self, WitnessStartError};
use change::ChangeError;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{Genesis, GenesisError, NetworkHistory, Parameters, WitnessSet};
use gen_registry_node::net::relay::key::{KeyError, save_secret};
use gen_registry_node::network::parameters::ENTRIES_MAX;
use gen_registry_node::network::{NetworkParameters, ParametersError, pin};
use gen_registry_node::{
    Network,
    platform::{Environment, native::Native},
};
use new_file::NewFileError;
pub use source::{NetworkSource, SourceError};
use stop::StopError;

/// The network's file in the data folder, as `/network.json` has it.
pub const NETWORK_FILE: &str = "network.json";
/// The name of a network whose founder gave none.
pub const DEFAULT_NAME: &str = "A network of one server";

/// Why there is no network to serve. The texts are for operators, and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error(
        "{} has a witness's key, but no {NETWORK_FILE}. If its keys were just made for a network of several, name that \
         network's file with --network. Else the file was lost, or the folder is of an earlier version of this \
         program, and a new network would end every name of the old one; so nothing was changed. Bring the file back \
         from a copy, or from another server of the network (--network https://…), or begin a new network in another \
         folder (--data FOLDER)", .0.display()
    )]
    GenesisLost(PathBuf),
    #[error(
        "{} belongs to the network {kept}, and --network names {named}. Choose another folder with --data, or leave out \
         --network", folder.display()
    )]
    OtherNetwork { folder: PathBuf, kept: String, named: String },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("could not write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("this network can't be founded: {0}")]
    Genesis(#[from] GenesisError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(transparent)]
    Witness(#[from] WitnessStartError),
    #[error(transparent)]
    New(#[from] NewFileError),
    #[error("{0} is no address of a relay that pages could use: it has no /p2p/NAME at its end")]
    RelayWithoutName(String),
    #[error("a network's file names at most {ENTRIES_MAX} relays")]
    TooManyRelays,
    #[error(transparent)]
    RelayKey(#[from] KeyError),
    #[error("{0} is named twice")]
    NamedTwice(String),
    #[error(
        "--handover begins a witness of a new set, and the network has no new set with a key of this data folder. Name \
         the file that `gen-registry network apply` wrote with --network, or leave out --handover"
    )]
    NothingToBegin,
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// The options by which a server names its network.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// The network to join; `None`: that of the data folder, or a new one.
    pub join: Option<NetworkSource>,
    /// How a new network is named.
    pub name: String,
    /// Whether a new network has short waits.
    pub for_tests: bool,
}

/// A network, and the witness's key that is here, if the network has one for it.
pub struct Membership {
    pub network: Network,
    pub witness: Option<SecretKey>,
    /// Whether the key that is here was one of an earlier set, and is none any more.
    pub is_retired: bool,
}

/// Opens the network of a server. `data` is its folder; `has_witness` says whether a witness is to run here.
pub fn open(options: NetworkOptions, data: Option<&Path>, has_witness: bool) -> Result<Membership, NetworkError> {
    let key = data.map(|folder| WITNESS_KEY.load(folder)).transpose()?.flatten();
    let kept = data.map(read_kept).transpose()?.flatten();
    let network = match (options.join, kept) {
        (Some(source), kept) => join(&source, kept, data)?,
        (None, Some(kept)) => kept,
        (None, None) if key.is_some() => {
            return Err(NetworkError::GenesisLost(data.unwrap_or(Path::new("")).to_owned()));
        }
        (None, None) if has_witness => return found_alone(&options.name, options.for_tests, data),
        (None, None) => Network::default(),
    };
    let history = network.history();
    let was_of = |set: u32, key: &SecretKey| history.set_of(set).is_some_and(|set| set.has(&key.public()));
    let was_witness = key.as_ref().is_some_and(|key| (0..history.number()).any(|set| was_of(set, key)));
    let witness = key.filter(|key| history.set().has(&key.public()));
    let is_retired = was_witness && witness.is_none();
    Ok(Membership { network, witness, is_retired })
}

/// Reads the network of a data folder, if it has one.
fn read_kept(folder: &Path) -> Result<Option<Network>, NetworkError> {
    let file = folder.join(NETWORK_FILE);
    if !file.exists() {
        return Ok(None);
    }
    Ok(Some(NetworkSource::File(file).read()?))
}

/// Joins the network that a file or another server names, and keeps it. A data folder belongs to one network; there the
/// named one adds only what its succession signed.
fn join(source: &NetworkSource, kept: Option<Network>, data: Option<&Path>) -> Result<Network, NetworkError> {
    let named = match (source.read(), &kept) {
        (Ok(named), _) => named,
        (Err(error), Some(kept)) => {
            tracing::warn!(%error, "the network that --network names can't be read; going on with the data folder's");
            return Ok(kept.clone());
        }
        (Err(error), None) => return Err(error.into()),
    };
    let network = match &kept {
        None => named,
        Some(kept) => match pin::extend(kept, &NetworkParameters::from(&named)) {
            Ok(network) => network,
            Err(ParametersError::OtherNetwork(named)) => {
                return Err(NetworkError::OtherNetwork {
                    folder: data.unwrap_or(Path::new("")).to_owned(),
                    kept: kept.name().label(),
                    named: named.label(),
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "what --network names is left aside; going on with the data folder's");
                kept.clone()
            }
        },
    };
    if let Some(folder) = data
        && kept.as_ref() != Some(&network)
    {
        keep(&network, folder)?;
    }
    Ok(network)
}

/// Founds a network whose one witness is this server. The network's file is written last: a start that was
/// interrupted before that has served no page, and the next one reports it.
fn found_alone(name: &str, for_tests: bool, data: Option<&Path>) -> Result<Membership, NetworkError> {
    let (witness, succession) = match data {
        Some(folder) => (witness::load_or_create_key(folder)?, SUCCESSION_KEY.load_or_create(folder)?),
        None => (fresh_key(), fresh_key()),
    };
    let set = WitnessSet::new([witness.public()], 1, [succession.public().digest()]);
    let network = Network::new(NetworkHistory::new(found(name, set, for_tests)?));
    match data {
        Some(folder) => {
            keep(&network, folder)?;
            tracing::warn!(
                file = %SUCCESSION_KEY.path(folder).display(),
                "founded a network. Move this file away from the server, to a safe place: whoever has it names the \
                 network's next witnesses, and without it the witnesses can never be changed"
            );
        }
        None => tracing::warn!(
            "founded a network for this run only: its names end with the next start. With --data it is kept"
        ),
    }
    Ok(Membership { network, witness: Some(witness), is_retired: false })
}

/// Makes a checked genesis, of now and with a random nonce.
pub fn found(name: &str, set: WitnessSet, for_tests: bool) -> Result<Genesis, GenesisError> {
    let parameters = if for_tests { Parameters::for_tests } else { Parameters::for_people };
    let mut nonce = [0; 16];
    Native.random(&mut nonce);
    let created_at = Native.now();
    let mut parameters = parameters(PARAMETERS_VERSION);
    if set.is_empty() {
        // Nobody would ask for it.
        parameters.work_bits = 0;
    }
    let genesis = Genesis { name: name.to_owned(), created_at, set, parameters, nonce };
    genesis.check()?;
    Ok(genesis)
}

/// Keeps a network in a data folder.
fn keep(network: &Network, folder: &Path) -> Result<(), NetworkError> {
    let text = source::write(network);
    save_secret(folder, NETWORK_FILE, text.as_bytes())
        .map_err(|source| NetworkError::Write { path: folder.join(NETWORK_FILE), source })
}

/// Writes a network into a new file. Fails if the file exists: it may be all that is left of another network.
pub fn write_new(network: &Network, path: &Path) -> Result<(), NewFileError> {
    new_file::write_new(path, source::write(network).as_bytes())
}
