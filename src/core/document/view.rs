//! What a document says, as far as it keeps to the schema and the limits. A field that does not is left out and
//! reported; it never spoils the others.

use std::collections::HashSet;

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use cid::Cid;
use serde::{Deserialize, Serialize};

use super::annotations::{self, ModuleAnnotations};
use super::schema::{AVATAR, BIO, DISPLAY_NAME, FACTS, JOINED_AT, LINKS, PRIVATE, PROFILE, is_link, map};
use crate::block_list::{ENTRIES_MAX, SEALED_BYTES};
use crate::digest::Digest;
use crate::fact::{self, SignedFact};
use crate::identity::{Identity, SignatureError, Topic};
use crate::limits::*;
use crate::time::Timestamp;

/// The mutable part: last writer wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileFields {
    pub display_name: Option<String>,
    pub bio: Option<String>,
    /// The CID of the picture's block.
    pub avatar: Option<String>,
    pub links: Vec<String>,
    pub joined_at: Option<Timestamp>,
}

/// A document's present state.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub profile: ProfileFields,
    pub shelf: ModuleAnnotations,
    pub facts: Vec<SignedFact>,
    pub rejections: Vec<ViewRejection>,
}

/// A part of a document that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRejection {
    /// Its path: `profile.bio`, `facts.<hash>`.
    pub what: String,
    pub why: WhyLeftOut,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyLeftOut {
    #[error("it has not the type that the schema asks for")]
    WrongType,
    #[error("it is longer than allowed")]
    TooLong,
    #[error("it stands under a hash that is not its own")]
    WrongHash,
    #[error("its signature is refused: {0}")]
    Signature(SignatureError),
    #[error("a document has at most {DOCUMENT_MAX_FACTS} facts")]
    TooMany,
}

pub(super) fn read(document: &Automerge, owner: &Identity, topic: &Topic, known: &HashSet<Digest>) -> View {
    let mut view = View::default();
    if let Some(profile) = map(document, PROFILE) {
        view.profile = read_profile(document, &profile, &mut view.rejections);
    }
    view.shelf = annotations::read(document);
    if let Some(facts) = map(document, FACTS) {
        read_facts(document, &facts, owner, topic, known, &mut view);
    }
    view
}

pub(super) fn read_private(document: &Automerge) -> Vec<(String, Vec<u8>)> {
    let places = document.keys(ROOT).filter_map(|key| key.strip_prefix(PRIVATE).map(str::to_owned));
    let sealed = places.take(ENTRIES_MAX).flat_map(|place| {
        let values = document.get_all(ROOT, format!("{PRIVATE}{place}")).unwrap_or_default();
        let sealed = values.into_iter().filter_map(|(value, _)| value.as_bytes().map(<[u8]>::to_vec));
        sealed.filter(|bytes| bytes.len() == SEALED_BYTES).map(move |bytes| (place.clone(), bytes)).collect::<Vec<_>>()
    });
    sealed.collect()
}

fn read_profile(document: &Automerge, map: &ObjId, rejections: &mut Vec<ViewRejection>) -> ProfileFields {
    let mut refuse = |key: &str, why| rejections.push(ViewRejection { what: format!("{PROFILE}.{key}"), why });
    let mut text = |key: &str, most: usize| match document.get(map, key) {
        Ok(Some((Value::Scalar(value), _))) => match value.as_ref() {
            ScalarValue::Str(text) if text.chars().count() <= most => Some(text.to_string()),
            ScalarValue::Str(_) => {
                refuse(key, WhyLeftOut::TooLong);
                None
            }
            _ => {
                refuse(key, WhyLeftOut::WrongType);
                None
            }
        },
        Ok(Some(_)) => {
            refuse(key, WhyLeftOut::WrongType);
            None
        }
        _ => None,
    };
    let display_name = text(DISPLAY_NAME, DISPLAY_NAME_MAX_CHARS);
    let bio = text(BIO, BIO_MAX_CHARS);
    let avatar = text(AVATAR, LINK_MAX_CHARS);
    let avatar = avatar.filter(|cid| {
        let valid = cid.parse::<Cid>().is_ok();
        if !valid {
            refuse(AVATAR, WhyLeftOut::WrongType);
        }
        valid
    });
    let links = match document.get(map, LINKS) {
        Ok(Some((Value::Object(ObjType::List), list))) => {
            if document.length(&list) > LINKS_MAX {
                refuse(LINKS, WhyLeftOut::TooMany);
            }
            let values = document.list_range(&list, ..LINKS_MAX);
            let texts = values.filter_map(|item| item.value.into_value().as_str().map(str::to_owned));
            texts.filter(|link| is_link(link)).collect()
        }
        Ok(Some(_)) => {
            refuse(LINKS, WhyLeftOut::WrongType);
            Vec::new()
        }
        _ => Vec::new(),
    };
    let joined_at = match document.get(map, JOINED_AT) {
        Ok(Some((value, _))) => value.as_u64().map(Timestamp::from_millis),
        _ => None,
    };
    ProfileFields { display_name, bio, avatar, links, joined_at }
}

fn read_facts(
    document: &Automerge,
    map: &ObjId,
    owner: &Identity,
    topic: &Topic,
    known: &HashSet<Digest>,
    view: &mut View,
) {
    let mut seen = HashSet::new();
    for (nth, key) in document.keys(map).enumerate() {
        let mut refuse = |why| {
            view.rejections
                .push(ViewRejection { what: format!("{FACTS}.{}", key.chars().take(64).collect::<String>()), why });
        };
        if nth >= DOCUMENT_MAX_FACTS {
            refuse(WhyLeftOut::TooMany);
            break;
        }
        if !known.is_empty() && key.parse().is_ok_and(|hash: Digest| known.contains(&hash)) {
            continue;
        }
        // Two devices may have written one fact with two signatures; any valid one will do.
        for (value, _) in document.get_all(map, &key).unwrap_or_default() {
            let Some(bytes) = value.as_bytes() else {
                refuse(WhyLeftOut::WrongType);
                continue;
            };
            match fact::verify_within_change_of(owner, bytes, topic) {
                Ok(fact) if fact.hash().to_string() != key => refuse(WhyLeftOut::WrongHash),
                Ok(fact) => {
                    if seen.insert(fact.hash()) {
                        view.facts.push(fact);
                    }
                }
                Err(error) => refuse(WhyLeftOut::Signature(error)),
            }
        }
    }
}
