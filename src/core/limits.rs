//! Every bound of the network by name. A peer with other limits would resolve differently, so they change only
//! together with [`PARAMETERS_VERSION`].

use std::time::Duration;

/// The version of everything in this file.
pub const PARAMETERS_VERSION: u32 = 3;

/// A username has at least this many characters (after preparation).
pub const USERNAME_MIN_CHARS: usize = 3;
/// A username has at most this many characters (after preparation).
pub const USERNAME_MAX_CHARS: usize = 32;
/// A module name has at most this many characters.
pub const MODULE_NAME_MAX_CHARS: usize = 64;
/// Longer texts are not even prepared: no character takes more than 4 bytes, and preparation may compose some.
pub const NAME_MAX_INPUT_BYTES: usize = 512;
/// Claims of usernames by one identity that are counted: one live, 32 in its history.
pub const USERNAME_CLAIMS_MAX: usize = 33;

/// Claims of module names by one identity that are counted, given-up ones too: one key can't close a whole dictionary.
pub const MODULE_CLAIMS_MAX: usize = 256;

/// One signed change.
pub const CHANGE_MAX_BYTES: usize = 64 * 1024;
/// Operations in one change. Run-length coding can announce any number in a few bytes.
pub const CHANGE_MAX_OPERATIONS: u64 = 10_000;
/// Changes in one document.
pub const DOCUMENT_MAX_CHANGES: usize = 5_000;
/// All changes of one document together.
pub const DOCUMENT_MAX_BYTES: usize = 1024 * 1024;
/// Changes of one document that wait for what they depend on.
pub const DOCUMENT_MAX_ORPHANS: usize = 64;
/// Facts in one document.
pub const DOCUMENT_MAX_FACTS: usize = 2_000;
/// One encoded fact, its signature included: room for a release with every dependency it may have.
pub const FACT_MAX_BYTES: usize = 40 * 1024;

pub const DISPLAY_NAME_MAX_CHARS: usize = 64;
pub const BIO_MAX_CHARS: usize = 512;
pub const LINKS_MAX: usize = 8;
pub const LINK_MAX_CHARS: usize = 256;

/// One record of a name, as directories keep it.
pub const RECORD_MAX_BYTES: usize = 4 * 1024;
/// Facts in one record. None is shorter than 140 bytes.
pub const RECORD_FACTS_MAX: usize = 32;

/// One block of content.
pub const BLOCK_MAX_BYTES: usize = 256 * 1024;

/// How far ahead of an observer's clock a claim may be dated and still count.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// How long a name that was given up stays closed to everybody but its last holder.
pub const NAME_COOL_DOWN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// One module.
pub const MODULE_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Functions with a body, in all modules of one file.
pub const MODULE_MAX_FUNCTIONS: usize = 50_000;
/// What a module's memories may grow to, together; without a maximum of its own it is what they begin with.
pub const MODULE_MAX_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// Imports or exports, each.
pub const MODULE_MAX_EXTERNS: usize = 4_096;
/// Modules and components inside one file.
pub const MODULE_MAX_NESTED: usize = 256;

/// Module names that one identity may describe.
pub const MODULES_MAX: usize = 256;
pub const TITLE_MAX_CHARS: usize = 80;
pub const DESCRIPTION_MAX_CHARS: usize = 512;
/// An SPDX expression, as a rule.
pub const LICENSE_MAX_CHARS: usize = 64;
pub const TAGS_MAX: usize = 8;
pub const TAG_MAX_CHARS: usize = 24;
/// A version or a requirement, as text.
pub const VERSION_MAX_CHARS: usize = 64;
/// The names of what a module asks for, or offers, as words of one text.
pub const INTERFACE_MAX_CHARS: usize = 1_024;
/// Direct dependencies of one release.
pub const DEPENDENCIES_MAX: usize = 128;
/// Why a release was withdrawn, or a module deprecated.
pub const REASON_MAX_CHARS: usize = 256;
/// Modules that one identity may rate.
pub const RATINGS_MAX: usize = 2_000;
pub const REVIEW_MAX_CHARS: usize = 2_000;
/// Modules whose installs one identity may count.
pub const INSTALLS_MAX: usize = 2_000;
