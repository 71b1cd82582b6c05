//! What a document says, as far as it keeps to the schema and the limits. What does not is left out; it never spoils the
//! rest.

use cid::Cid;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Data, Map, Value};
use super::schema::{AVATAR, BIO, DISPLAY_NAME, JOINED_AT, LINKS, is_link};
use crate::block_list::{ENTRIES_MAX, SEALED_BYTES};
use crate::limits::*;
use crate::time::Timestamp;
use crate::visible_text::visible;

/// What a person says of themselves: last writer wins.
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

impl ProfileFields {
    /// Reads the profile.
    pub fn of(data: &Data) -> Self {
        let text = |key: &str, most: usize| match data.get(Map::Profile, key) {
            Some(Value::Text(text)) if text.chars().count() <= most => Some(visible(text).into_owned()),
            _ => None,
        };
        let links = match data.get(Map::Profile, LINKS) {
            Some(Value::List(links)) => links.iter().take(LINKS_MAX).filter(|link| is_link(link)).cloned().collect(),
            _ => Vec::new(),
        };
        let joined_at = match data.get(Map::Profile, JOINED_AT) {
            Some(Value::Integer(at)) => Some(Timestamp::from_millis(*at)).filter(|at| *at <= Timestamp::LATEST),
            _ => None,
        };
        Self {
            display_name: text(DISPLAY_NAME, DISPLAY_NAME_MAX_CHARS).filter(|name| !name.trim().is_empty()),
            bio: text(BIO, BIO_MAX_CHARS),
            avatar: text(AVATAR, LINK_MAX_CHARS).filter(|cid| cid.parse::<Cid>().is_ok()),
            links,
            joined_at,
        }
    }
}

/// The most sealed entries that are read: those of a full list, and those of before that its owner can't open any more.
const SEALED_ENTRIES_MAX: usize = 4 * ENTRIES_MAX;

/// Reads the sealed entries of private lists, each with its place.
pub fn sealed_entries(data: &Data) -> Vec<(String, Vec<u8>)> {
    let private = data.iter().filter(|(map, ..)| *map == Map::Private);
    let sealed = private.filter_map(|(_, place, value)| match value {
        Value::Bytes(bytes) if bytes.len() == SEALED_BYTES => Some((place.to_owned(), bytes.clone())),
        _ => None,
    });
    sealed.take(SEALED_ENTRIES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(data: &mut Data, key: &str, value: Value) {
        data.put(Map::Profile, key, Some(value));
    }

    #[test]
    fn what_breaks_a_limit_is_left_out_and_spoils_nothing_else() {
        let mut data = Data::default();
        put(&mut data, BIO, Value::Text("x".repeat(BIO_MAX_CHARS)));
        put(&mut data, DISPLAY_NAME, Value::Text("x".repeat(DISPLAY_NAME_MAX_CHARS + 1)));
        put(&mut data, AVATAR, Value::Text("no cid".into()));
        let links = (0..=LINKS_MAX).map(|nth| format!("https://example.org/{nth}"));
        put(&mut data, LINKS, Value::List(["javascript:alert(1)".to_owned()].into_iter().chain(links).collect()));
        put(&mut data, JOINED_AT, Value::Text("yesterday".into()));
        let profile = ProfileFields::of(&data);
        assert_eq!(profile.bio.as_deref().map(str::len), Some(BIO_MAX_CHARS));
        assert_eq!((profile.display_name, profile.avatar, profile.joined_at), (None, None, None));
        assert_eq!(profile.links.len(), LINKS_MAX - 1);
    }

    #[test]
    fn sealed_entries_have_one_length_and_a_bounded_number() {
        let mut data = Data::default();
        for nth in 0..=SEALED_ENTRIES_MAX {
            data.put(Map::Private, &format!("{nth:04}"), Some(Value::Bytes(vec![0; SEALED_BYTES])));
        }
        data.put(Map::Private, "-", Some(Value::Bytes(vec![0; SEALED_BYTES + 1])));
        let sealed = sealed_entries(&data);
        assert_eq!((sealed.len(), sealed[0].0.as_str()), (SEALED_ENTRIES_MAX, "0000"));
    }
}
