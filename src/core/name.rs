//! Names: parsed once into [`Username`] or [`ModuleName`], compared by their [`FoldedName`]. Who holds a name is
//! decided elsewhere ([`outcome`](crate::outcome)).
//!
//! 1. *Preparation* follows PRECIS `UsernameCaseMapped` (RFC 8265): lower case, normal form C.
//! 2. *Checks*: identifier characters and one script per name (UTS 39), length, separators, reserved words. Each broken
//!    rule is a [`NameError`].
//! 3. *Folding* maps names that a reader could confuse to one text: separators are equal, marks that only decorate a
//!    Latin, Greek or Cyrillic letter are dropped, look-alikes become one (UTS 39 skeleton). Two names with one fold are
//!    one name to every rule. In other scripts a mark is a letter to its readers (गीता and गति are two words, はは and ぱぱ
//!    two people), so it stays.
//!
//! What a person types or pastes goes through [`parse_input`], which takes off what copying brings along.
//!
//! ```
//! use gen_registry_core::name::{NameError, Username};
//!
//! let alice: Username = "Alice_Smith".parse().unwrap();
//! assert_eq!(alice.as_str(), "alice_smith");
//! assert_eq!(alice.folded(), "alice-srnith".parse::<Username>().unwrap().folded(), "rn looks like m");
//! assert_eq!("1abc".parse::<Username>(), Err(NameError::FirstNotLetter('1')));
//! assert_eq!("r00t".parse::<Username>(), Err(NameError::Reserved), "0 looks like o");
//! ```
//!
//! The Unicode tables are part of the network's rules: with others a peer would fold differently. Their crates are
//! pinned.

mod claimed;

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::LazyLock;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};
use unicode_security::general_security_profile::IdentifierType;
use unicode_security::{GeneralSecurityProfile, MixedScript, confusable_detection::skeleton};

use crate::limits::*;

pub use claimed::ClaimedName;

/// The characters that join the parts of a name. They are equal in comparison.
pub const SEPARATORS: [char; 3] = ['_', '-', '.'];

/// Usernames that would let a person speak for the network, or that programs misread. Compared folded; module names may
/// have them.
pub const RESERVED: [&str; 36] = [
    "abuse",
    "account",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "everyone",
    "gen-registry",
    "genregistry",
    "guest",
    "help",
    "here",
    "hostmaster",
    "localhost",
    "me",
    "moderator",
    "module",
    "modules",
    "nobody",
    "null",
    "official",
    "owner",
    "people",
    "postmaster",
    "register",
    "registry",
    "relay",
    "root",
    "security",
    "settings",
    "support",
    "sysadmin",
    "system",
    "undefined",
    "webmaster",
    "witness",
];

/// [`RESERVED`], folded once: folding it for every parsed name would be most of the time of a start.
static RESERVED_FOLDED: LazyLock<HashSet<FoldedName>> =
    LazyLock::new(|| RESERVED.iter().map(|name| fold(name)).collect());

/// What a name is for. Names of different kinds do not collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NameKind {
    Username,
    Module,
}

/// A person's name as it is displayed: prepared, 3 to 32 characters, not reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

/// The name of a WebAssembly module: as a username, but 2 to 64 characters, and none is reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleName(String);

/// What names have in common that a reader could take for each other. A key for comparison, never displayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FoldedName(String);

/// The rule that a text breaks; the message says it to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name can't be empty")]
    Empty,
    #[error("a name has at least {least} characters; this has {found}")]
    TooShort { least: usize, found: usize },
    #[error("a name has at most {most} characters; this has {found}")]
    TooLong { most: usize, found: usize },
    #[error("a name starts with a letter, not with '{0}'")]
    FirstNotLetter(char),
    #[error("{} can't stand in a name; letters, digits and _ - . can", show(*.0))]
    Character(char),
    #[error("a name can't contain spaces")]
    Space,
    #[error("two of _ - . can't stand side by side")]
    DoubledSeparator,
    #[error("a name can't end with '{0}'")]
    LastIsSeparator(char),
    #[error("a name is written in one script; this mixes letters of several")]
    MixedScripts,
    /// PRECIS refuses the text as a whole, for its mixture of writing directions (RFC 5893).
    #[error("the directions of writing in this text can't be mixed in a name")]
    Unprepared,
    #[error("this name is reserved")]
    Reserved,
}

impl NameError {
    /// A stable code for programs, in camel case.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooShort { .. } => "tooShort",
            Self::TooLong { .. } => "tooLong",
            Self::FirstNotLetter(_) => "firstNotLetter",
            Self::Character(_) => "character",
            Self::Space => "space",
            Self::DoubledSeparator => "doubledSeparator",
            Self::LastIsSeparator(_) => "lastIsSeparator",
            Self::MixedScripts => "mixedScripts",
            Self::Unprepared => "unprepared",
            Self::Reserved => "reserved",
        }
    }
}

impl Username {
    /// The lower bound of all names with this prefix, for ranges in their order; itself perhaps not a name. Returns
    /// `None` for the empty prefix.
    pub(crate) fn lower_bound(prefix: &str) -> Option<Self> {
        (!prefix.is_empty()).then(|| Self(prefix.to_owned()))
    }

    /// The prepared spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key by which the name is compared.
    pub fn folded(&self) -> FoldedName {
        fold(&self.0)
    }
}

impl ModuleName {
    /// The prepared spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key by which the name is compared.
    pub fn folded(&self) -> FoldedName {
        fold(&self.0)
    }
}

impl FoldedName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = Self(prepare(text, USERNAME_MIN_CHARS, USERNAME_MAX_CHARS)?);
        if RESERVED_FOLDED.contains(&name.folded()) {
            return Err(NameError::Reserved);
        }
        Ok(name)
    }
}

/// The shortest module name, such as `qr`.
const MODULE_NAME_MIN_CHARS: usize = 2;

impl FromStr for ModuleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        prepare(text, MODULE_NAME_MIN_CHARS, MODULE_NAME_MAX_CHARS).map(Self)
    }
}

/// Parses a name as a person gives it: with spaces, invisible characters or an at sign around it, as they come along when
/// a name is copied from a page or a message. What is inside the name stays and is judged.
///
/// ```
/// use gen_registry_core::name::{NameError, Username, parse_input};
///
/// let pasted = "\u{202a}@alice_smith\u{202c}\n";
/// assert_eq!(parse_input::<Username>(pasted).unwrap().as_str(), "alice_smith");
/// assert_eq!(parse_input::<Username>("alice@home"), Err(NameError::Character('@')));
/// ```
pub fn parse_input<T: FromStr<Err = NameError>>(text: &str) -> Result<T, NameError> {
    let text = text.trim_matches(is_blank);
    let text = text.strip_prefix(AT_SIGNS).unwrap_or(text);
    text.trim_matches(is_blank).parse()
}

/// The at sign, as it is typed and as input methods of East Asia write it.
const AT_SIGNS: [char; 2] = ['@', '\u{ff20}'];

/// Whether a character shows nothing: white space, or a format character that joins, separates or turns the direction.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_invisible(character)
}

/// Whether a character is drawn as nothing at all, so that an error has to name it by its number.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
        || character.is_control()
}

/// A character for a sentence.
fn show(character: char) -> String {
    if is_invisible(character) {
        format!("the invisible character U+{:04X}", u32::from(character))
    } else {
        format!("'{character}'")
    }
}

/// Letters that are written as a raised sign beside another one and belong to no script. In a sentence they read as
/// punctuation: `aliceʼ` beside `alice`.
const MODIFIER_LETTERS: RangeInclusive<char> = '\u{2b0}'..='\u{2ff}';

/// Whether a character can stand in a name: a separator, or a letter, mark or digit of the type *Recommended* (UTS 39).
/// What UTS 39 allows besides, the type *Inclusion*, is punctuation to a reader: `alice'`, `admin:`, `al·lan`.
fn is_allowed(character: char) -> bool {
    let is_part = character.is_alphanumeric() || is_combining_mark(character);
    SEPARATORS.contains(&character)
        || (is_part
            && character.identifier_type() == Some(IdentifierType::Recommended)
            && !MODIFIER_LETTERS.contains(&character))
}

/// Applies every rule that both kinds of name share. Where several are broken, the error is the most helpful one.
fn prepare(text: &str, least: usize, most: usize) -> Result<String, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_MAX_INPUT_BYTES {
        return Err(NameError::TooLong { most, found: text.chars().count() });
    }
    if text.chars().any(char::is_whitespace) {
        return Err(NameError::Space);
    }
    let lower = text.to_lowercase();
    let prepared = match UsernameCaseMapped::enforce(lower.as_str()) {
        Ok(prepared) => prepared.into_owned(),
        Err(_) => match lower.chars().find(|c| !is_allowed(*c)) {
            Some(bad) => return Err(NameError::Character(bad)),
            None => return Err(NameError::Unprepared),
        },
    };
    if let Some(bad) = prepared.chars().find(|c| !is_allowed(*c)) {
        return Err(NameError::Character(bad));
    }
    match prepared.chars().next() {
        Some(first) if first.is_alphabetic() => {}
        Some(first) => return Err(NameError::FirstNotLetter(first)),
        None => return Err(NameError::Empty),
    }
    let found = prepared.chars().count();
    if found < least {
        return Err(NameError::TooShort { least, found });
    }
    if found > most {
        return Err(NameError::TooLong { most, found });
    }
    let separator = |c: char| SEPARATORS.contains(&c);
    if prepared.chars().zip(prepared.chars().skip(1)).any(|(a, b)| separator(a) && separator(b)) {
        return Err(NameError::DoubledSeparator);
    }
    if let Some(last) = prepared.chars().last().filter(|c| separator(*c)) {
        return Err(NameError::LastIsSeparator(last));
    }
    if !prepared.is_single_script() {
        return Err(NameError::MixedScripts);
    }
    Ok(prepared)
}

/// The most rounds of folding. A look-alike may itself have one; with these tables two rounds settle every text.
const FOLD_ROUNDS: usize = 8;

/// Maps case, separators, decorating marks and look-alikes (UTS 39 skeleton) until nothing changes.
fn fold(prepared: &str) -> FoldedName {
    let mut folded: String = prepared.chars().map(|c| if SEPARATORS.contains(&c) { '-' } else { c }).collect();
    for _ in 0..FOLD_ROUNDS {
        let lower = folded.to_lowercase();
        let next = drop_decoration(skeleton(&lower)).to_lowercase();
        if next == folded {
            break;
        }
        folded = next;
    }
    FoldedName(folded)
}

/// Drops the marks after letters of scripts in which a mark only decorates its letter.
fn drop_decoration(characters: impl Iterator<Item = char>) -> String {
    let mut decorates = false;
    characters
        .filter(|character| {
            if is_combining_mark(*character) {
                return !decorates;
            }
            decorates = matches!(character.script(), Script::Latin | Script::Greek | Script::Cyrillic);
            true
        })
        .collect()
}

macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

as_text!(Username);
as_text!(ModuleName);

#[cfg(test)]
mod tests;
