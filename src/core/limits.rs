//! The bounds that all peers of a network share, by name. A peer with other limits would resolve differently, so they
//! change only together with [`PARAMETERS_VERSION`].
//!
//! Limits that only one side applies (rates, timeouts, caches) are constants in the file that applies them.

use std::time::Duration;

/// The version of everything in this file.
pub const PARAMETERS_VERSION: u32 = 5;

/// A username has at least this many characters (after preparation).
pub const USERNAME_MIN_CHARS: usize = 3;
/// A username has at most this many characters (after preparation).
pub const USERNAME_MAX_CHARS: usize = 32;
/// A module name has at most this many characters.
pub const MODULE_NAME_MAX_CHARS: usize = 64;
/// The longest text that is parsed as a name: no character takes more than 4 bytes, and preparation may compose some.
pub const NAME_MAX_INPUT_BYTES: usize = 512;
/// Characters of a profile's display name.
pub const DISPLAY_NAME_MAX_CHARS: usize = 64;
/// Characters of a profile's text about the person.
pub const BIO_MAX_CHARS: usize = 512;
/// Links in a profile.
pub const LINKS_MAX: usize = 8;
/// Characters of one link, or of a CID.
pub const LINK_MAX_CHARS: usize = 256;

/// The most characters of a search text that are read, here and by a peer that is asked.
pub const QUESTION_MAX_CHARS: usize = 256;

/// The most bytes of one name proof, as Kademlia servers keep it.
pub const RECORD_MAX_BYTES: usize = 8 * 1024;
/// The most parts of one name proof: entries, receipts and paths. None is shorter than 100 bytes.
pub const RECORD_PARTS_MAX: usize = 64;

/// The most bytes that a direct connection between browsers holds unread, on all its streams together. A sender can't see
/// how far a reader is, so honest nodes limit what they request to far less; this much waits only while a page's thread
/// is busy.
pub const UNREAD_OF_CONNECTION_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of one block of a file.
pub const BLOCK_MAX_BYTES: usize = 256 * 1024;

/// How far two honest clocks may differ: a statement dated further ahead of an observer's clock does not count yet.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The most bytes of one module.
pub const MODULE_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most functions with a body, in all modules of one file.
pub const MODULE_MAX_FUNCTIONS: usize = 50_000;
/// The most bytes that a module's memories begin with, together.
pub const MODULE_MAX_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// The most imports of a module, and the most exports.
pub const MODULE_MAX_EXTERNS: usize = 4_096;
/// The most modules and components in one file.
pub const MODULE_MAX_NESTED: usize = 256;

/// The most modules that one identity may describe.
pub const MODULES_MAX: usize = 256;
/// Characters of a module's title.
pub const TITLE_MAX_CHARS: usize = 80;
/// Characters of a module's description.
pub const DESCRIPTION_MAX_CHARS: usize = 512;
/// Characters of a module's licence, as a rule an SPDX expression.
pub const LICENSE_MAX_CHARS: usize = 64;
/// Tags of one module.
pub const TAGS_MAX: usize = 8;
/// Characters of one tag.
pub const TAG_MAX_CHARS: usize = 24;
/// Characters of a version or a requirement, as text.
pub const VERSION_MAX_CHARS: usize = 64;
/// Characters of all names that a module imports, or exports, as words of one text.
pub const INTERFACE_MAX_CHARS: usize = 1_024;
/// The most direct dependencies of one release.
pub const DEPENDENCIES_MAX: usize = 128;
/// Characters of the reason why a release was withdrawn or a module deprecated.
pub const REASON_MAX_CHARS: usize = 256;
/// The most modules that one identity may rate.
pub const RATINGS_MAX: usize = 2_000;
/// Characters of one review.
pub const REVIEW_MAX_CHARS: usize = 2_000;
/// The most modules whose installs one identity may count.
pub const INSTALLS_MAX: usize = 2_000;
