//! The edits that an owner can make, as writes of the document. Limits are not checked here: readers leave out what
//! exceeds them, and the node checks before it asks.

use cid::Cid;

use super::annotations::Rating;
use super::checkpoint::{Map, Value};
use super::schema::*;
use super::{Write, Written};
use crate::modules::description::TextField;
use crate::name::ModuleName;
use crate::time::Timestamp;

/// What the owner can do to the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    DisplayName(Option<String>),
    Bio(Option<String>),
    Avatar(Option<Cid>),
    /// Replaced as a whole.
    Links(Vec<String>),
    JoinedAt(Timestamp),
    Module {
        name: ModuleName,
        facet: FacetEdit,
    },
    /// None takes the rating back.
    Rate {
        name: ModuleName,
        rating: Option<Rating>,
    },
    /// More installs of the module.
    CountInstalls {
        name: ModuleName,
        count: u32,
    },
    /// What only the owner can read, sealed. None deletes it.
    Private {
        place: String,
        sealed: Option<Vec<u8>>,
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

impl Edit {
    /// What is written for the edit.
    pub fn to_write(&self) -> Write {
        match self {
            Self::DisplayName(text) => put_text(Map::Profile, DISPLAY_NAME.to_owned(), text.clone()),
            Self::Bio(text) => put_text(Map::Profile, BIO.to_owned(), text.clone()),
            Self::Avatar(cid) => put_text(Map::Profile, AVATAR.to_owned(), cid.map(|cid| cid.to_string())),
            Self::Links(links) => Write::put(Map::Profile, LINKS, Value::List(links.clone())),
            Self::JoinedAt(at) => Write::put(Map::Profile, JOINED_AT, Value::Integer(at.as_millis())),
            Self::Module { name, facet } => facet.to_write(name),
            Self::Rate { name, rating } => match rating {
                Some(rating) => Write::put(Map::Ratings, name.as_str(), Value::Bytes(rating.encode())),
                None => delete(Map::Ratings, name.as_str().to_owned()),
            },
            Self::CountInstalls { name, count } => {
                let what = Written::Added(i64::from(*count));
                Write { map: Map::Installs, key: name.as_str().to_owned(), what }
            }
            Self::Private { place, sealed } => match sealed {
                Some(sealed) => Write::put(Map::Private, place, Value::Bytes(sealed.clone())),
                None => delete(Map::Private, place.clone()),
            },
        }
    }
}

impl FacetEdit {
    fn to_write(&self, name: &ModuleName) -> Write {
        let put = |field: &str, text: Option<String>| put_text(Map::Modules, facet_key(name, field), text);
        match self {
            Self::Text(field, text) => put(field.key(), text.clone()),
            Self::Readme(cid) => put(README, cid.map(|cid| cid.to_string())),
            Self::Imports(text) => put(IMPORTS, text.clone()),
            Self::Exports(text) => put(EXPORTS, text.clone()),
            Self::Tag { tag, on } => {
                let key = facet_key(name, &format!("{TAG}{tag}"));
                if *on { Write::put(Map::Modules, key, Value::True) } else { delete(Map::Modules, key) }
            }
        }
    }
}

fn put_text(map: Map, key: String, text: Option<String>) -> Write {
    match text {
        Some(text) => Write::put(map, key, Value::Text(text)),
        None => delete(map, key),
    }
}

fn delete(map: Map, key: String) -> Write {
    Write { map, key, what: Written::Deleted }
}
