//! Why a command could not be carried out: a stable code for programs, a sentence for people, and what to do next.

use serde::{Deserialize, Serialize};

/// A refused or failed command. Whatever it was, the state is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Failure {
    pub code: FailureCode,
    /// What happened, as a sentence.
    pub message: String,
    /// What the person can do about it, as a sentence.
    pub advice: String,
}

/// Stable codes; in JavaScript `error.code` is the camelCase text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum FailureCode {
    NameInvalid,
    NameTaken,
    NameCoolingDown,
    TooManyNames,
    NoName,
    NoIdentity,
    IdentityExists,
    /// The key signed two different changes for one place.
    IdentityForked,
    ProfileInvalid,
    AvatarInvalid,
    Locked,
    WrongPassphrase,
    WeakPassphrase,
    WrongWords,
    PhraseInvalid,
    /// The recovery words were checked and are not on this device any more.
    WordsGone,
    /// The identity's key is not on this device.
    NoIdentityKey,
    /// The words were replaced by others.
    WordsReplaced,
    /// Nobody who could be asked knows the identity.
    IdentityNotFound,
    /// A text for adding a device is none, or damaged, or of another network.
    DeviceTextInvalid,
    /// The identity has as many devices as it may, or no such device.
    DeviceUnknown,
    TooManyDevices,
    /// It is announced already, or was answered already.
    AlreadyAnswered,
    /// The device may not do this.
    NotAllowed,
    /// The person did not give a script what it asked for.
    Declined,
    BackupDamaged,
    BackupTooLarge,
    BackupNewer,
    BackupOtherNetwork,
    DocumentFull,
    ConfirmationWrong,
    /// No connected peer has what is missing.
    ContentMissing,
    /// What was said of a file does not fit together, or is beyond a bound.
    ContentInvalid,
    StorageFull,
    StorageFailed,
    /// The browser took the stored data away under the open page.
    StorageLost,
    ReloadNeeded,
    /// Neither this browser nor its server has it.
    UnknownNetwork,
    TooManyNetworks,
    /// The page came by a link to another network than its server's, and the person has not chosen yet.
    NoNetwork,
    /// The tab that writes did not answer.
    NoWriter,
    ModuleInvalid,
    VersionInvalid,
    VersionTaken,
    NotYourModule,
    TooManyModules,
    UnknownModule,
    /// Two claims of the module's name are confirmed, and none is taken for the holder's.
    NameContested,
    DependencyUnknown,
    Unresolvable,
    NewImports,
    WrongBytes,
    LockfileInvalid,
    RunFailed,
    RunTimedOut,
    NeededByOthers,
    /// The person blocks it.
    Blocked,
    UnknownUser,
    ChannelInvalid,
    NotInChannel,
    TooManyChannels,
    TextInvalid,
    TooFast,
    InvalidArgument,
    Internal,
}

impl Failure {
    pub fn new(code: FailureCode, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, message: message.into(), advice: advice.into() }
    }
}
