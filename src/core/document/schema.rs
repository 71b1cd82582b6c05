//! The schema of a document: the names of its maps and fields, and what a text in them may be.

use automerge::{ObjId, ObjType, ROOT, ReadDoc, Value};

use crate::limits::{LINK_MAX_CHARS, TAG_MAX_CHARS};
use crate::name::ModuleName;

pub(super) const PROFILE: &str = "profile";
pub(super) const MODULES: &str = "modules";
pub(super) const RATINGS: &str = "ratings";
pub(super) const INSTALLS: &str = "installs";
/// Prefix of the keys of sealed entries. They are at the root because the built-in first change has no map for them.
pub(super) const PRIVATE: &str = "private/";

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

/// The key of a field of a module, in the map of modules.
pub(super) fn facet_key(name: &ModuleName, field: &str) -> String {
    format!("{name}/{field}")
}

/// One of the maps at the root.
pub(super) fn map(document: &impl ReadDoc, name: &str) -> Option<ObjId> {
    match document.get(ROOT, name) {
        Ok(Some((Value::Object(ObjType::Map), id))) => Some(id),
        _ => None,
    }
}

/// A link of a profile leads to the web; nothing else is kept (`javascript:` least of all).
pub fn is_link(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.chars().count() <= LINK_MAX_CHARS
        && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// True for what may stand as a tag: lower-case letters, digits and hyphens in between.
pub fn is_tag(text: &str) -> bool {
    let allowed = |c: char| c == '-' || (c.is_alphanumeric() && !c.is_uppercase());
    !text.is_empty()
        && text.chars().count() <= TAG_MAX_CHARS
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
