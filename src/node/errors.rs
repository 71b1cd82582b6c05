//! Failures and reasons in sentences for people. Deciding happens elsewhere; this file only words it.

use crate::network::directory::DirectoryError;
use crate::store::StoreError;
use gen_registry_api::{Failure, FailureCode};
use gen_registry_core::name::NameError;

pub(super) fn store_failed(error: StoreError) -> Failure {
    match error {
        StoreError::Full => Failure::new(
            FailureCode::StorageFull,
            "There is no room left on this device, so nothing was changed.",
            "Free some space (other sites' data, files), then try again.",
        ),
        StoreError::Newer => Failure::new(
            FailureCode::ReloadNeeded,
            "A newer version of this app has already opened the data.",
            "Reload the page to get the newer version.",
        ),
        error @ (StoreError::Unavailable(_) | StoreError::Aborted(_) | StoreError::Read(_)) => {
            tracing::error!(%error, "the store failed");
            Failure::new(
                FailureCode::StorageFailed,
                format!("The browser's storage did not take it: {error}."),
                "Nothing was changed. Try again; if it goes on, export a backup and restart the browser.",
            )
        }
    }
}

pub(super) fn words_gone() -> Failure {
    Failure::new(
        FailureCode::WordsGone,
        "The recovery words are not on this device any more: they were taken away once you had shown to have them.",
        "Keep the words where you wrote them down; nobody can show them again.",
    )
}

pub(super) fn unknown_network() -> Failure {
    Failure::new(
        FailureCode::UnknownNetwork,
        "Neither this browser nor the server of this page has that network.",
        "Open the page at a server of that network.",
    )
}

pub(super) fn not_listed(error: DirectoryError) -> Failure {
    match error {
        DirectoryError::Full => Failure::new(
            FailureCode::TooManyNetworks,
            "This browser has a profile in as many networks as it can keep apart.",
            "Use another browser, or another profile of this one.",
        ),
        DirectoryError::Store(error) => store_failed(error),
    }
}

pub(super) fn name_invalid(error: &NameError) -> Failure {
    Failure::new(
        FailureCode::NameInvalid,
        sentence(&error.to_string()),
        "Choose 3 to 32 letters or digits of one script, starting with a letter; _ - . may stand between them.",
    )
}

pub(super) fn name_taken(name: &str, holder: &str) -> Failure {
    let spelled = if name == holder { String::new() } else { format!(" as {holder}, which reads too much alike") };
    Failure::new(
        FailureCode::NameTaken,
        format!("{name} is already taken{spelled}."),
        "Choose another name; whoever claimed it first keeps it.",
    )
}

pub(super) fn cooling_down(name: &str) -> Failure {
    Failure::new(
        FailureCode::NameCoolingDown,
        format!("{name} was given up less than 30 days ago and is still closed."),
        "Choose another name, or come back when the time is over.",
    )
}

pub(super) fn forked() -> Failure {
    Failure::new(
        FailureCode::IdentityForked,
        "This device's log has two different entries for one place, so it takes no more. Somebody may have a copy of its key.",
        "Add this device again with the recovery words, and revoke the copy.",
    )
}

pub(super) fn revoked() -> Failure {
    Failure::new(
        FailureCode::NotAllowed,
        "This device was revoked, so it can't write in this identity's name any more.",
        "Use another device of the identity, or add this one again from there.",
    )
}

pub(super) fn not_allowed() -> Failure {
    Failure::new(
        FailureCode::NotAllowed,
        "This device may not change that.",
        "Do it on a device that may, or give this one more rights there.",
    )
}

pub(super) fn no_identity() -> Failure {
    Failure::new(
        FailureCode::NoIdentity,
        "There is no identity on this device yet.",
        "Claim a name, or restore an identity from its words or a backup file.",
    )
}

pub(super) fn locked() -> Failure {
    Failure::new(
        FailureCode::Locked,
        "The key is locked.",
        "Enter the passphrase to unlock it; nothing you typed is lost.",
    )
}

pub(super) fn wrong_passphrase() -> Failure {
    Failure::new(
        FailureCode::WrongPassphrase,
        "This is not the passphrase.",
        "Try again. Nobody can reset it; the recovery words open a new profile without it.",
    )
}

pub(super) fn internal() -> Failure {
    Failure::new(
        FailureCode::Internal,
        "Something went wrong inside the app.",
        "Reload the page. Your data is as it was before.",
    )
}

/// `text` with a capital at the start and a full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

pub(super) fn unknown_user(name: &str) -> Failure {
    Failure::new(
        FailureCode::UnknownUser,
        format!("{name} is not registered on this device."),
        "A device speaks only for its own person: leave the name out, or use your own.",
    )
}
