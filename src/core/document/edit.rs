//! The edits that an owner can make, and how they are written into the document. Limits are not checked here: readers
//! leave out what exceeds them, and the node checks before it asks.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use cid::Cid;

use super::annotations::{Rating, facet_key};
use super::{FACTS, INSTALLS, MODULES, PRIVATE, PROFILE, RATINGS, map};
use crate::fact::SignedFact;
use crate::limits::{DOCUMENT_MAX_BYTES, DOCUMENT_MAX_CHANGES};
use crate::modules::description::TextField;
use crate::name::ModuleName;
use crate::time::Timestamp;

pub(super) const DISPLAY_NAME: &str = "display_name";
pub(super) const BIO: &str = "bio";
pub(super) const AVATAR: &str = "avatar";
pub(super) const LINKS: &str = "links";
pub(super) const JOINED_AT: &str = "joined_at";

pub(super) const README: &str = "readme";
pub(super) const IMPORTS: &str = "imports";
pub(super) const EXPORTS: &str = "exports";
/// Prefix of a tag's key. Each tag has its own, so that of two concurrent edits adding a tag wins over removing it.
pub(super) const TAG: &str = "tag:";

/// What the owner can do to the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    DisplayName(Option<String>),
    Bio(Option<String>),
    Avatar(Option<Cid>),
    Links(Vec<String>),
    JoinedAt(Timestamp),
    AddFact(SignedFact),
    Module {
        name: ModuleName,
        facet: FacetEdit,
    },
    /// None takes the rating back.
    Rate {
        name: ModuleName,
        rating: Option<Rating>,
    },
    /// One more install of the module.
    CountInstall {
        name: ModuleName,
    },
    /// What only the owner can read, sealed.
    Private {
        place: String,
        sealed: Vec<u8>,
    },
}

/// One field of a module's description. None takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacetEdit {
    Text(TextField, Option<String>),
    /// The block with the text, in Markdown.
    Readme(Option<Cid>),
    /// What the newest version asks for: words in between blanks.
    Imports(Option<String>),
    Exports(Option<String>),
    Tag {
        tag: String,
        on: bool,
    },
}

/// Why an edit can't be made. The document is as before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the document is full: it has at most {DOCUMENT_MAX_CHANGES} changes and {DOCUMENT_MAX_BYTES} bytes")]
    Full,
    #[error("the edit is larger than one change may be")]
    TooLarge,
    #[error("nothing to change")]
    Nothing,
}

pub(super) fn write(transaction: &mut Transaction<'_>, edit: &Edit) -> Result<(), AutomergeError> {
    if let Edit::Private { place, sealed } = edit {
        return transaction.put(ROOT, format!("{PRIVATE}{place}"), sealed.clone());
    }
    let name = match edit {
        Edit::AddFact(_) => FACTS,
        Edit::Module { .. } => MODULES,
        Edit::Rate { .. } => RATINGS,
        Edit::CountInstall { .. } => INSTALLS,
        _ => PROFILE,
    };
    let target = map(transaction, name).ok_or(AutomergeError::InvalidOp(ObjType::Map))?;
    match edit {
        Edit::DisplayName(text) => put_text(transaction, &target, DISPLAY_NAME, text.as_deref()),
        Edit::Bio(text) => put_text(transaction, &target, BIO, text.as_deref()),
        Edit::Avatar(cid) => put_text(transaction, &target, AVATAR, cid.map(|cid| cid.to_string()).as_deref()),
        Edit::Links(links) => {
            // A new list each time: the last writer's list wins as a whole.
            let list = transaction.put_object(&target, LINKS, ObjType::List)?;
            links.iter().enumerate().try_for_each(|(at, link)| transaction.insert(&list, at, link.as_str()))
        }
        Edit::JoinedAt(at) => transaction.put(&target, JOINED_AT, at.as_millis()),
        Edit::AddFact(fact) => transaction.put(&target, fact.hash().to_string(), fact.encode()),
        Edit::Module { name, facet } => write_facet(transaction, &target, name, facet),
        Edit::Rate { name, rating: Some(rating) } => transaction.put(&target, name.as_str(), rating.encode()),
        Edit::Rate { name, rating: None } => transaction.delete(&target, name.as_str()),
        Edit::CountInstall { name } => match transaction.get(&target, name.as_str())? {
            Some((value, _)) if value.is_counter() => transaction.increment(&target, name.as_str(), 1),
            _ => transaction.put(&target, name.as_str(), ScalarValue::counter(1)),
        },
        Edit::Private { .. } => Ok(()),
    }
}

fn write_facet(
    transaction: &mut Transaction<'_>,
    target: &ObjId,
    name: &ModuleName,
    facet: &FacetEdit,
) -> Result<(), AutomergeError> {
    let mut put = |field: &str, text: Option<&str>| put_text(transaction, target, &facet_key(name, field), text);
    match facet {
        FacetEdit::Text(field, text) => put(field.key(), text.as_deref()),
        FacetEdit::Readme(cid) => put(README, cid.map(|cid| cid.to_string()).as_deref()),
        FacetEdit::Imports(text) => put(IMPORTS, text.as_deref()),
        FacetEdit::Exports(text) => put(EXPORTS, text.as_deref()),
        FacetEdit::Tag { tag, on } => {
            let key = facet_key(name, &format!("{TAG}{tag}"));
            if *on { transaction.put(target, key, true) } else { transaction.delete(target, key) }
        }
    }
}

fn put_text(
    transaction: &mut Transaction<'_>,
    map: &ObjId,
    key: &str,
    text: Option<&str>,
) -> Result<(), AutomergeError> {
    match text {
        Some(text) => transaction.put(map, key, text),
        None => transaction.delete(map, key),
    }
}
