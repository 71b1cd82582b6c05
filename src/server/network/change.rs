//! A change of the witnesses, as operators make it. Each has one succession key, on a machine of their own:
//!
//! ```text
//!   network stop     at each witness that is left   its hand-over, a file
//!   network change   the first operator             hand-overs of k witnesses, the new set, one key ─► change, 1 signature
//!   network sign     each next one                  the same hand-overs, the change, one key        ─► change, 1 more
//!   network apply    anybody                        a change with k signatures                      ─► the network's file
//! ```
//!
//! Who signs has the hand-overs too: the program makes what the set confirmed of them again, so nobody signs for what
//! another operator left out or added.

use std::path::{Path, PathBuf};

use super::change_file::{self, ChangeFileError};
use super::describe::{describe, describe_change};
use super::handovers::{HandoverFileError, gather};
use super::new_file::{NewFileError, check_new};
use super::write_new;
use crate::keys::{KeyFileError, SUCCESSION_KEY, witness_text};
use gen_registry_core::book::handover::{Gathered, HandoverError};
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{
    FollowError, GenesisError, NetworkHistory, SetChange, SetChangeError, SignedSetChange, WitnessSet,
};
use gen_registry_node::Network;
use gen_registry_node::network::Endpoints;

/// Why a change of the witnesses is not made, signed or applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("this network has no witnesses, and so none that could be changed")]
    NoWitnesses,
    #[error(
        "name the witnesses of the new set, with --witness and --succession for each; a network does not do without"
    )]
    NoNewSet,
    #[error("this is no set of witnesses: {0}")]
    Set(#[from] GenesisError),
    #[error(
        "{0} was a key of an earlier set. Each witness of a new set has a new key and a new succession key; make them \
         with `gen-registry network key --data FOLDER` in a new folder"
    )]
    KeyAgain(String),
    #[error(transparent)]
    HandoverFile(#[from] HandoverFileError),
    #[error("{0}{next}", next = next_step(.0))]
    Handover(#[from] HandoverError),
    #[error(transparent)]
    File(#[from] ChangeFileError),
    #[error(transparent)]
    New(#[from] NewFileError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error("the key in {} is none of the succession keys to which the present set of witnesses committed", .0.display())]
    NotOfSuccession(PathBuf),
    #[error("the key in {} has signed this change already. It is another operator's turn", .0.display())]
    SignedAlready(PathBuf),
    #[error(
        "the change is number {number}, and the network has followed number {known} already. There is nothing to do"
    )]
    Followed { number: u32, known: u32 },
    #[error(
        "the change is number {number}, and this network knows {known}. Take the network's file from a server that \
         knows the changes between"
    )]
    Ahead { number: u32, known: u32 },
    #[error(
        "it is a change of another past than this network's: it follows another change {number}, or another genesis"
    )]
    OtherPast { number: u32 },
    #[error(
        "{missing} of the {needed} signatures that a change needs {} missing. Pass the file on to another operator, who \
         adds one with `gen-registry network sign`", if *.missing == 1 { "is" } else { "are" }
    )]
    Unsigned { missing: usize, needed: u8 },
    #[error("the files can't be joined: {0}")]
    Join(SetChangeError),
    #[error("{0}")]
    Follow(FollowError),
}

/// What to do where the error itself does not say it.
fn next_step(error: &HandoverError) -> &'static str {
    match error {
        HandoverError::TooFew { .. } => ". Each witness that is left hands over with `gen-registry network stop`",
        _ => "",
    }
}

/// What an operator signs a change with.
pub struct Signer<'a> {
    /// The network before the change.
    pub network: &'a Network,
    /// The files of at least the threshold of its witnesses.
    pub handovers: &'a [PathBuf],
    /// The file with the operator's succession key.
    pub key: &'a Path,
    /// Where the change goes; nothing is there yet.
    pub out: &'a Path,
}

impl Signer<'_> {
    /// Makes the change to another set, and signs it as the first one.
    pub fn make(&self, set: WitnessSet) -> Result<String, ChangeError> {
        let (key, gathered) = self.open()?;
        if set.is_empty() {
            return Err(ChangeError::NoNewSet);
        }
        set.check()?;
        self.check_keys(&set)?;
        let change = gathered.change(set, PARAMETERS_VERSION)?;
        self.write(&gathered, SignedSetChange::sign(&self.network.topic, change, &key))
    }

    /// Adds a signature to a change that others signed, if it closes what the hand-overs show.
    pub fn sign(&self, change: &Path) -> Result<String, ChangeError> {
        let (key, gathered) = self.open()?;
        let topic = &self.network.topic;
        let signed = change_file::read(change, topic)?;
        check_next(self.network.history(), signed.change())?;
        self.check_keys(&signed.change().set)?;
        gathered.close_for(signed.change())?;
        if signed.is_signed_by(&key.public()) {
            return Err(ChangeError::SignedAlready(self.key.to_owned()));
        }
        let own = SignedSetChange::sign(topic, signed.change().clone(), &key);
        self.write(&gathered, SignedSetChange::join(topic, [signed, own]).map_err(ChangeError::Join)?)
    }

    /// Reads what both need, and checks that the key may sign.
    fn open(&self) -> Result<(SecretKey, Gathered), ChangeError> {
        let set = self.network.history().set();
        if set.is_empty() {
            return Err(ChangeError::NoWitnesses);
        }
        check_new(self.out)?;
        let key = SUCCESSION_KEY.read(self.key)?;
        if !set.succession.contains(&key.public().digest()) {
            return Err(ChangeError::NotOfSuccession(self.key.to_owned()));
        }
        Ok((key, gather(self.handovers, self.network.history().clone())?))
    }

    /// Checks that the new set has none of the keys that an earlier one had, for whatever.
    fn check_keys(&self, set: &WitnessSet) -> Result<(), ChangeError> {
        let history = self.network.history();
        let earlier: Vec<Digest> =
            (0..=history.number()).filter_map(|set| history.set_of(set)).flat_map(digests).collect();
        let names = set.witnesses.iter().map(witness_text).chain(set.succession.iter().map(ToString::to_string));
        match digests(set).zip(names).find(|(digest, _)| earlier.contains(digest)) {
            Some((_, name)) => Err(ChangeError::KeyAgain(name)),
            None => Ok(()),
        }
    }

    fn write(&self, gathered: &Gathered, signed: SignedSetChange) -> Result<String, ChangeError> {
        change_file::write(self.out, &self.network.topic, &signed)?;
        Ok(describe_change(self.network.history(), &signed, gathered, self.out))
    }
}

/// Writes the network's file with a change that enough have signed. Several files with signatures of the same change are
/// joined. `endpoints` say how others are found from now on.
pub fn apply(network: &Network, changes: &[PathBuf], endpoints: Endpoints, out: &Path) -> Result<String, ChangeError> {
    check_new(out)?;
    let topic = &network.topic;
    let signed = changes.iter().map(|path| change_file::read(path, topic)).collect::<Result<Vec<_>, _>>()?;
    let signed = SignedSetChange::join(topic, signed).map_err(ChangeError::Join)?;
    let mut history = network.history().clone();
    check_next(&history, signed.change())?;
    history.follow(signed).map_err(|error| match error {
        FollowError::Unsigned { signers, needed } => {
            ChangeError::Unsigned { missing: usize::from(needed).saturating_sub(signers), needed }
        }
        other => ChangeError::Follow(other),
    })?;
    let changed = Network::new(history).reached_by(endpoints);
    write_new(&changed, out)?;
    Ok(describe(&changed))
}

/// Checks that a change is the next one of a network.
fn check_next(history: &NetworkHistory, change: &SetChange) -> Result<(), ChangeError> {
    let (number, known) = (change.number, history.number());
    if number > known + 1 {
        return Err(ChangeError::Ahead { number, known });
    }
    if number <= known {
        return Err(ChangeError::Followed { number, known });
    }
    if change.before != history.newest() {
        return Err(ChangeError::OtherPast { number: number - 1 });
    }
    Ok(())
}

/// The digests of all keys of a set, in the order of its lists.
fn digests(set: &WitnessSet) -> impl Iterator<Item = Digest> {
    set.witnesses.iter().map(PublicKey::digest).chain(set.succession.iter().copied())
}
