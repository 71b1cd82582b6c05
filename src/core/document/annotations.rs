//! What a document says of modules, facts apart: descriptions, ratings, counted installs.
//!
//! A module's fields are side by side under `name/field` (a name has no slash). With one map for each module, each of
//! two devices that never met would make its own, and one of these would hide the other with all its fields.

use std::collections::BTreeMap;

use cid::Cid;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Data, Map, Value};
use super::schema::{EXPORTS, IMPORTS, README, TAG, is_link, is_tag};
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::limits::*;
use crate::modules::description::{ModuleDescription, TextField};
use crate::modules::version::parse_version;
use crate::name::ModuleName;
use crate::time::Timestamp;
use crate::visible_text::visible;

/// How an owner describes a module. The last writer wins, field by field; of a tag, adding wins over removing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleFacet {
    #[serde(flatten)]
    pub description: ModuleDescription,
    /// What the newest version asks for and offers, as the owner says; words in between blanks. For finding only.
    pub imports: Option<String>,
    pub exports: Option<String>,
}

/// What one person thinks of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// 1 to 5.
    pub stars: u8,
    /// May be empty.
    pub review: String,
    pub at: Timestamp,
    /// What the person had installed then.
    pub version: Option<Version>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleAnnotations {
    pub modules: BTreeMap<ModuleName, ModuleFacet>,
    pub ratings: BTreeMap<ModuleName, Rating>,
    /// How often this person installed a module.
    pub installs: BTreeMap<ModuleName, u64>,
}

impl Rating {
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = self.version.as_ref().map(Version::to_string).unwrap_or_default();
        Encoder::new().byte(self.stars).text(&self.review).integer(self.at.as_millis()).text(&version).finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let (stars, review) = (decoder.byte()?, decoder.text()?.to_owned());
        let at = Timestamp::from_millis(decoder.integer()?);
        let version = match decoder.text()? {
            "" => None,
            text => Some(parse_version(text).map_err(|_| DecodeError::OutOfRange)?),
        };
        decoder.end()?;
        if !(1..=5).contains(&stars) || review.chars().count() > REVIEW_MAX_CHARS || at > Timestamp::LATEST {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { stars, review, at, version })
    }
}

/// Fields of one module, its tags included.
const FACETS_MAX: usize = 8 + 4 * TAGS_MAX;

impl ModuleAnnotations {
    /// Reads what a document says of modules. What does not keep to the schema or the limits is left out.
    pub fn of(data: &Data) -> Self {
        let mut annotations = Self::default();
        let mut fields = 0;
        for (map, key, value) in data.iter() {
            match (map, value) {
                (Map::Modules, value) if fields < MODULES_MAX * FACETS_MAX => {
                    fields += 1;
                    annotations.read_field(key, value);
                }
                (Map::Ratings, Value::Bytes(bytes)) if annotations.ratings.len() < RATINGS_MAX => {
                    if let (Ok(name), Ok(rating)) = (canonical(key), Rating::decode(bytes)) {
                        annotations.ratings.insert(name, rating);
                    }
                }
                (Map::Installs, Value::Counter(count)) if annotations.installs.len() < INSTALLS_MAX => {
                    if let (Ok(name), Ok(count)) = (canonical(key), u64::try_from(*count)) {
                        annotations.installs.insert(name, count);
                    }
                }
                _ => {}
            }
        }
        annotations
    }

    /// Reads one field of one module.
    fn read_field(&mut self, key: &str, value: &Value) {
        let Some((name, field)) = key.split_once('/') else { return };
        let Ok(name) = canonical(name) else { return };
        if self.modules.len() >= MODULES_MAX && !self.modules.contains_key(&name) {
            return;
        }
        let facet = self.modules.entry(name).or_default();
        let text = |most: usize| match value {
            Value::Text(text) if text.chars().count() <= most => Some(visible(text).into_owned()),
            _ => None,
        };
        if let Some(field) = TextField::from_key(field) {
            let text = text(field.max_chars()).filter(|text| !field.is_link() || is_link(text));
            *facet.description.text_mut(field) = text;
            return;
        }
        match field {
            README => facet.description.readme = text(LINK_MAX_CHARS).filter(|cid| cid.parse::<Cid>().is_ok()),
            IMPORTS => facet.imports = text(INTERFACE_MAX_CHARS),
            EXPORTS => facet.exports = text(INTERFACE_MAX_CHARS),
            _ => {
                let tag = field.strip_prefix(TAG).filter(|tag| is_tag(tag));
                if let Some(tag) = tag.filter(|_| *value == Value::True && facet.description.tags.len() < TAGS_MAX) {
                    facet.description.tags.insert(tag.to_owned());
                }
            }
        }
    }
}

/// A name as it is written: another spelling of it would be a second entry for one module.
fn canonical(key: &str) -> Result<ModuleName, ()> {
    key.parse().ok().filter(|name: &ModuleName| name.as_str() == key).ok_or(())
}

#[cfg(test)]
mod tests;
